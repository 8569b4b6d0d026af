"""config: .env and the environment are merged, checked, and read anew when asked."""

from pathlib import Path

import pytest

import config
from config import SetupError

TOKEN = "123456789:AAE-abcdefghijklmnopqrstuvwxyz_12345"


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)


@pytest.mark.usefixtures("token")
def test_defaults() -> None:
    settings = config.load()
    assert settings.token == TOKEN
    assert settings.telegram_api_url == "https://api.telegram.org"
    assert settings.db_path == Path("notes.db")
    assert settings.log_level == "INFO"
    assert config.openrouter() == config.OpenRouter("https://openrouter.ai/api/v1", "")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_is_enough(encoding: str) -> None:
    Path(".env").write_text(f"TOKEN={TOKEN}\nDB_PATH=мои заметки.db\n", encoding=encoding)
    settings = config.load()
    assert (settings.token, settings.db_path) == (TOKEN, Path("мои заметки.db"))


@pytest.mark.usefixtures("token")
def test_the_environment_wins() -> None:
    Path(".env").write_text("TOKEN=1:from-the-file\n", encoding="utf-8")
    assert config.load().token == TOKEN


def test_the_key_is_read_anew() -> None:
    assert config.openrouter().api_key == ""
    Path(".env").write_text("OPENROUTER_API_KEY=sk-or-1\n", encoding="utf-8")
    assert config.openrouter().api_key == "sk-or-1"


@pytest.mark.parametrize("token", ["", "  "])
def test_no_token(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("TOKEN", token)
    with pytest.raises(SetupError, match="Не задан TOKEN"):
        config.load()


@pytest.mark.parametrize("token", ["abc", "123", "123:", ":abc", "123:a b", "токен:abc", "<123:abc>", "1:2:3"])
def test_malformed_token(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("TOKEN", token)
    with pytest.raises(SetupError, match="TOKEN записан неверно"):
        config.load()


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("LOG_LEVEL", "LOUD", config.load),
        ("TELEGRAM_API_URL", "api.telegram.org", config.load),
        ("HTTPS_PROXY", "socks5://127.0.0.1:9050", config.load),
        ("OPENROUTER_BASE_URL", "openrouter.ai", config.openrouter),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, read: object) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match=name):
        read()  # type: ignore[operator]


@pytest.mark.usefixtures("token")
def test_a_proxy_is_used_but_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert config.load().telegram_proxy == "http://proxy.example:3128"
    monkeypatch.setenv("TELEGRAM_API_URL", "https://127.0.0.1:8081")
    assert config.load().telegram_proxy is None


def test_a_file_in_another_encoding_is_told_of() -> None:
    Path(".env").write_text(f"TOKEN={TOKEN}\n", encoding="utf-16")
    with pytest.raises(SetupError, match="UTF-8"):
        config.load()


@pytest.mark.usefixtures("token")
def test_secrets_do_not_show_in_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-secret")
    assert TOKEN not in repr(config.load())
    assert "sk-or-secret" not in repr(config.openrouter())


def test_the_example_lists_every_setting() -> None:
    from conftest import ROOT

    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    for name in ("TOKEN", "OPENROUTER_API_KEY", "DB_PATH", "LOG_LEVEL", "TELEGRAM_API_URL", "OPENROUTER_BASE_URL"):
        assert f"{name}=" in example
