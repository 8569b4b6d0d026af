"""config: .env and the environment are merged and checked; gateways are read anew each time."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

import config
from config import Gateway, SetupError

TOKEN = "123456789:AAE-abcdefghijklmnopqrstuvwxyz_12345"


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)


@pytest.mark.usefixtures("token")
def test_defaults() -> None:
    settings = config.load_settings()
    assert settings.token == TOKEN
    assert settings.telegram_api_url == "https://api.telegram.org"
    assert settings.db_path == Path("notes.db")
    assert settings.log_level == "INFO"
    assert (settings.max_notes, settings.questions_per_day) == (100_000, 50)
    assert (settings.free_requests_per_minute, settings.free_requests_per_day) == (20, 50)
    assert settings.allow_paid_models is False
    assert config.load_gateways() == {"openrouter": Gateway("openrouter", "https://openrouter.ai/api/v1", "", {})}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_is_sufficient(encoding: str) -> None:
    Path(".env").write_text(f"TOKEN={TOKEN}\nDB_PATH=мои заметки.db\n", encoding=encoding)
    settings = config.load_settings()
    assert (settings.token, settings.db_path) == (TOKEN, Path("мои заметки.db"))


@pytest.mark.usefixtures("token")
def test_the_environment_overrides_the_file() -> None:
    Path(".env").write_text("TOKEN=1:from-the-file\n", encoding="utf-8")
    assert config.load_settings().token == TOKEN


def test_a_key_added_to_the_file_takes_effect_at_once() -> None:
    assert config.load_gateways()["openrouter"].api_key == ""
    Path(".env").write_text("OPENROUTER_API_KEY=sk-or-1\n", encoding="utf-8")
    assert config.load_gateways()["openrouter"].api_key == "sk-or-1"


@pytest.mark.parametrize("token", ["", "  "])
def test_a_missing_token(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("TOKEN", token)
    with pytest.raises(SetupError, match="Не задан TOKEN"):
        config.load_settings()


@pytest.mark.parametrize("token", ["abc", "123", "123:", ":abc", "123:a b", "токен:abc", "<123:abc>", "1:2:3"])
def test_a_malformed_token(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("TOKEN", token)
    with pytest.raises(SetupError, match="TOKEN записан неверно"):
        config.load_settings()


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("name", "value", "load"),
    [
        ("LOG_LEVEL", "LOUD", config.load_settings),
        ("TIMEZONE", "Europe/Nowhere", config.load_settings),
        ("TIMEZONE", "../../etc/passwd", config.load_settings),
        ("TIMEZONE", "Europe", config.load_settings),
        ("TELEGRAM_API_URL", "api.telegram.org", config.load_settings),
        ("TELEGRAM_API_URL", "http://localhost:port", config.load_settings),
        ("TELEGRAM_API_URL", "http://localhost:99999", config.load_settings),
        ("TELEGRAM_API_URL", "http://[::1:8081", config.load_settings),
        ("HTTPS_PROXY", "socks5://127.0.0.1:9050", config.load_settings),
        ("OPENROUTER_BASE_URL", "openrouter.ai", config.load_gateways),
        ("OPENROUTER_BASE_URL", "openrouter.ai", config.load_settings),
        ("FREE_REQUESTS_PER_DAY", "0", config.load_settings),
        ("FREE_REQUESTS_PER_MINUTE", "много", config.load_settings),
        ("ASK_PER_DAY", "-1", config.load_settings),
        ("NOTES_MAX", "1.5", config.load_settings),
        ("QUESTIONS_KEPT_DAYS", "0", config.load_settings),
        ("HEALTH_PORT", "порт", config.load_settings),
        ("HEALTH_PORT", "127.0.0.1:", config.load_settings),
        ("HEALTH_PORT", "70000", config.load_settings),
        ("ADMIN_USER_IDS", "Анна", config.load_settings),
    ],
)
def test_the_error_names_the_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, load: Callable[[], object]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match=name):
        load()


@pytest.mark.parametrize("url", ["http://x:1", "http://x:1/", "http://x:1/v1", "http://x:1/v1/"])
def test_the_url_of_a_gateway_may_omit_v1(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("OPENROUTER_BASE_URL", "RVFREELLM_BASE_URL", "LOCAL_LLM_URL"):
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("RVFREELLM_API_KEY", "rvf_1")
    assert {gateway.base_url for gateway in config.load_gateways().values()} == {"http://x:1/v1"}


def test_a_gateway_is_absent_until_it_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(config.load_gateways()) == ["openrouter"]
    monkeypatch.setenv("RVFREELLM_API_KEY", "rvf_1")
    assert config.load_gateways()["rvfreellm"] == Gateway(
        "rvfreellm", "https://rvlautoai.ru/webhook/v1", "rvf_1", {}
    )
    monkeypatch.setenv("LOCAL_LLM_URL", "http://localhost:1234")
    assert config.load_gateways()["local"] == Gateway("local", "http://localhost:1234/v1", "", {})


def test_a_header_must_be_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_TITLE", "Notes")
    monkeypatch.setenv("RVFREELLM_API_KEY", "rvf_1")
    gateways = config.load_gateways()
    assert gateways["openrouter"].headers == {"X-Title": "Notes"}
    assert gateways["rvfreellm"].headers == {}
    monkeypatch.setenv("OPENROUTER_REFERER", "https://notes.example")
    assert config.load_gateways()["openrouter"].headers == {
        "HTTP-Referer": "https://notes.example",
        "X-Title": "Notes",
    }
    monkeypatch.setenv("OPENROUTER_TITLE", "Заметки")
    with pytest.raises(SetupError, match="OPENROUTER_TITLE"):
        config.load_gateways()


@pytest.mark.usefixtures("token")
def test_a_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.load_settings().timezone is None
    monkeypatch.setenv("TIMEZONE", "Asia/Vladivostok")
    assert str(config.load_settings().timezone) == "Asia/Vladivostok"


@pytest.mark.usefixtures("token")
def test_a_proxy_is_used_except_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert config.load_settings().telegram_proxy == "http://proxy.example:3128"
    monkeypatch.setenv("TELEGRAM_API_URL", "https://127.0.0.1:8081")
    assert config.load_settings().telegram_proxy is None


def test_a_file_in_another_encoding_is_reported() -> None:
    Path(".env").write_text(f"TOKEN={TOKEN}\n", encoding="utf-16")
    with pytest.raises(SetupError, match="UTF-8"):
        config.load_settings()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that not even root can read")
def test_a_file_that_cannot_be_read_is_reported() -> None:
    Path(".env").symlink_to("/proc/self/mem")
    with pytest.raises(SetupError, match=r"прочитать файл \.env"):
        config.load_settings()


@pytest.mark.usefixtures("token")
def test_secrets_are_left_out_of_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-secret")
    assert TOKEN not in repr(config.load_settings())
    assert "sk-or-secret" not in repr(config.load_gateways())


def test_the_example_lists_every_setting() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    names = set(re.findall(r'"([A-Z][A-Z_]{3,})"', (ROOT / "config.py").read_text(encoding="utf-8")))
    names -= {*config.LOG_LEVELS, "NOTIFY_SOCKET", "WATCHDOG_USEC"}  # systemd sets these two
    assert len(names) > 10
    assert {name for name in names if f"{name}=" not in example} == set()


@pytest.mark.usefixtures("token")
def test_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.secrets() == [TOKEN]
    for name in ("OPENROUTER_API_KEY", "RVFREELLM_API_KEY", "LOCAL_LLM_API_KEY"):
        monkeypatch.setenv(name, f"key-{name}")
    assert config.secrets() == [TOKEN, "key-OPENROUTER_API_KEY", "key-RVFREELLM_API_KEY", "key-LOCAL_LLM_API_KEY"]


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("value", "address"),
    [("", None), ("9090", ("127.0.0.1", 9090)), ("0.0.0.0:80", ("0.0.0.0", 80)), ("bot:65535", ("bot", 65535))],
)
def test_the_health_endpoint(monkeypatch: pytest.MonkeyPatch, value: str, address: object) -> None:
    monkeypatch.setenv("HEALTH_PORT", value)
    assert config.load_settings().health_address == address


@pytest.mark.usefixtures("token")
def test_user_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_USER_IDS", " 1, 2;3\t4 ,")
    assert config.load_settings().allowed_user_ids == {1, 2, 3, 4}
    assert config.load_settings().admin_user_ids == frozenset()


@pytest.mark.usefixtures("token")
def test_the_model_that_transcribes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.load_settings().transcribe_model is None
    for value in ("whisper-1", "rvfreellm/whisper-1", "openrouter/", "local/whisper-1"):  # no LOCAL_LLM_URL
        monkeypatch.setenv("TRANSCRIBE_MODEL", value)
        with pytest.raises(SetupError, match="шлюз/модель"):
            config.load_settings()
    monkeypatch.setenv("TRANSCRIBE_MODEL", "openrouter/openai/whisper-1")
    with pytest.raises(SetupError, match="ALLOW_PAID_MODELS=1"):
        config.load_settings()
    monkeypatch.setenv("ALLOW_PAID_MODELS", "1")
    assert config.load_settings().transcribe_model == ("openrouter", "openai/whisper-1")
    monkeypatch.setenv("ALLOW_PAID_MODELS", "0")
    monkeypatch.setenv("LOCAL_LLM_URL", "http://localhost:8000")
    monkeypatch.setenv("TRANSCRIBE_MODEL", "local/Systran/faster-whisper-small")
    assert config.load_settings().transcribe_model == ("local", "Systran/faster-whisper-small")
