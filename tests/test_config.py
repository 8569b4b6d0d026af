"""config: .env and the environment are merged, checked, and read anew when asked."""

import re
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
    assert config.gateways() == {"openrouter": config.Gateway("https://openrouter.ai/api/v1", "")}


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
    assert config.gateways()["openrouter"].api_key == ""
    Path(".env").write_text("OPENROUTER_API_KEY=sk-or-1\n", encoding="utf-8")
    assert config.gateways()["openrouter"].api_key == "sk-or-1"


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
        ("TIMEZONE", "Europe/Nowhere", config.load),
        ("TIMEZONE", "../../etc/passwd", config.load),
        ("TIMEZONE", "Europe", config.load),
        ("TELEGRAM_API_URL", "api.telegram.org", config.load),
        ("HTTPS_PROXY", "socks5://127.0.0.1:9050", config.load),
        ("OPENROUTER_BASE_URL", "openrouter.ai", config.gateways),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, read: object) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match=name):
        read()  # type: ignore[operator]


@pytest.mark.parametrize("url", ["http://x:1", "http://x:1/", "http://x:1/v1", "http://x:1/v1/"])
def test_an_address_of_a_gateway_is_good_with_or_without_v1(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("OPENROUTER_BASE_URL", "RVFREELLM_BASE_URL", "LOCAL_LLM_URL"):
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("RVFREELLM_API_KEY", "rvf_1")
    assert {gateway.base_url for gateway in config.gateways().values()} == {"http://x:1/v1"}


def test_a_gateway_that_is_not_set_up_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(config.gateways()) == ["openrouter"]
    monkeypatch.setenv("RVFREELLM_API_KEY", "rvf_1")
    assert config.gateways()["rvfreellm"] == config.Gateway("https://rvlautoai.ru/webhook/v1", "rvf_1")
    monkeypatch.setenv("LOCAL_LLM_URL", "http://localhost:1234")
    assert config.gateways()["local"] == config.Gateway("http://localhost:1234/v1", "")


def test_a_header_must_be_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_TITLE", "Notes")
    assert config.openrouter_headers() == {"X-Title": "Notes"}
    monkeypatch.setenv("OPENROUTER_TITLE", "Заметки")
    with pytest.raises(SetupError, match="OPENROUTER_TITLE"):
        config.openrouter_headers()


@pytest.mark.usefixtures("token")
def test_a_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.load().timezone is None
    monkeypatch.setenv("TIMEZONE", "Asia/Vladivostok")
    assert str(config.load().timezone) == "Asia/Vladivostok"


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
    assert "sk-or-secret" not in repr(config.gateways())


def test_the_example_lists_every_setting() -> None:
    from conftest import ROOT

    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    read = set(re.findall(r'"([A-Z][A-Z_]{3,})"', (ROOT / "config.py").read_text(encoding="utf-8")))
    read -= {"DEBUG", "INFO", "WARNING", "ERROR", "HTTP"}
    assert len(read) > 10
    assert {name for name in read if f"{name}=" not in example} == set()
