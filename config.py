"""Settings, read from the environment and from .env, and checked.

Only this module reads the environment. A variable of the environment overrides the same one in .env.
"""

import os
import re
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from dotenv import dotenv_values

import texts

VERSION = "1.0"  # of the bot

TOKEN_PATTERN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
URL_PATTERN = re.compile(r"https?://[^\s/]\S*")
PLAIN_TEXT_MODES = ("note", "ask_first")  # what becomes of a message without a command
TRANSCRIBING_GATEWAYS = ("openrouter", "local")  # RVFreeLLM turns no speech into text
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class SetupError(Exception):
    """A problem that the owner must fix before the bot can run; str() is a sentence for the owner."""


@dataclass(frozen=True)
class Settings:
    """The settings that are read once, at start. Secrets are left out of repr()."""

    token: str = field(repr=False)
    telegram_api_url: str
    telegram_proxy: str | None = field(repr=False)
    db_path: Path
    log_level: str
    plain_text: str  # one of PLAIN_TEXT_MODES; a person may choose another
    timezone: tzinfo | None  # None: the machine's own zone
    allowed_user_ids: frozenset[int]  # empty: everyone may use the bot
    admin_user_ids: frozenset[int]  # empty: everyone is an admin
    max_notes: int  # per person
    questions_kept_days: int
    questions_per_day: int  # per person
    free_requests_per_minute: int  # to free models of OpenRouter, for the whole account
    free_requests_per_day: int
    allow_paid_models: bool
    transcribe_model: tuple[str, str] | None  # the gateway and its model; None: speech is not transcribed
    health_address: tuple[str, int] | None  # host and port; None: no health endpoint


@dataclass(frozen=True)
class Gateway:
    """An API that answers questions. The key is left out of repr()."""

    name: str
    base_url: str  # ends in /v1
    api_key: str = field(repr=False)  # "" if there is none
    headers: Mapping[str, str]  # sent with every request, besides the key


@dataclass(frozen=True)
class _GatewayVariables:
    """The environment variables that describe a gateway."""

    url: str
    key: str
    default_url: str
    required: str = ""  # the gateway is absent while this variable is not set; "": it is always present


_GATEWAYS = {
    "openrouter": _GatewayVariables(
        url="OPENROUTER_BASE_URL",
        key="OPENROUTER_API_KEY",
        default_url="https://openrouter.ai/api/v1",
    ),
    "rvfreellm": _GatewayVariables(
        url="RVFREELLM_BASE_URL",
        key="RVFREELLM_API_KEY",
        default_url="https://rvlautoai.ru/webhook/v1",
        required="RVFREELLM_API_KEY",
    ),
    "local": _GatewayVariables(
        url="LOCAL_LLM_URL",
        key="LOCAL_LLM_API_KEY",
        default_url="http://localhost:11434/v1",
        required="LOCAL_LLM_URL",
    ),
}
GATEWAY_NAMES: tuple[str, ...] = tuple(_GATEWAYS)


def load_settings() -> Settings:
    """Read and check all settings, including those of the gateways.

    Raises SetupError for the first setting that is wrong.
    """
    env = _environment()
    token = env.get("TOKEN", "")
    if not token:
        raise SetupError(texts.NO_TOKEN)
    if not TOKEN_PATTERN.fullmatch(token):
        raise SetupError(texts.BAD_TOKEN)
    api_url = _url(env, "TELEGRAM_API_URL", "https://api.telegram.org")
    log_level = env.get("LOG_LEVEL", "INFO").upper()
    if log_level not in LOG_LEVELS:
        raise SetupError(texts.BAD_LOG_LEVEL)
    plain_text = env.get("PLAIN_TEXT", "note").lower()
    if plain_text not in PLAIN_TEXT_MODES:
        raise SetupError(texts.BAD_PLAIN_TEXT)
    settings = Settings(
        token=token,
        telegram_api_url=api_url,
        telegram_proxy=_proxy_for(api_url),
        db_path=database_path(),
        log_level=log_level,
        plain_text=plain_text,
        timezone=_timezone(env.get("TIMEZONE", "")),
        allowed_user_ids=_user_ids(env, "ALLOWED_USER_IDS"),
        admin_user_ids=_user_ids(env, "ADMIN_USER_IDS"),
        max_notes=_number(env, "NOTES_MAX", 100_000),
        questions_kept_days=_number(env, "QUESTIONS_KEPT_DAYS", 365),
        questions_per_day=_number(env, "ASK_PER_DAY", 50),
        free_requests_per_minute=_number(env, "FREE_REQUESTS_PER_MINUTE", 20),
        free_requests_per_day=_number(env, "FREE_REQUESTS_PER_DAY", 50),
        allow_paid_models=env.get("ALLOW_PAID_MODELS", "") == "1",
        transcribe_model=_transcribe_model(env),
        health_address=_health_address(env.get("HEALTH_PORT", "")),
    )
    load_gateways()
    return settings


def database_path() -> Path:
    """Return the path of the database."""
    return Path(_environment().get("DB_PATH") or "notes.db")


def replica_url() -> str:
    """Return where Litestream replicates the database to; "" if nowhere."""
    return _environment().get("REPLICA_URL", "")


def load_gateways() -> dict[str, Gateway]:
    """Read the gateways that are set up, by name.

    Reads .env anew: a key that the owner puts into .env takes effect at the next question, without a restart.
    Raises SetupError for the first setting that is wrong.
    """
    env = _environment()
    openrouter_headers = _openrouter_headers(env)
    gateways = {}
    for name, variables in _GATEWAYS.items():
        if variables.required and not env.get(variables.required):
            continue
        url = _url(env, variables.url, variables.default_url)
        gateways[name] = Gateway(
            name=name,
            base_url=url if url.endswith("/v1") else f"{url}/v1",
            api_key=env.get(variables.key, ""),
            headers=openrouter_headers if name == "openrouter" else {},
        )
    return gateways


def secrets() -> list[str]:
    """Return the values that must never reach a log: the token and the keys."""
    env = _environment()
    names = ["TOKEN", *(variables.key for variables in _GATEWAYS.values())]
    return [env[name] for name in names if env.get(name)]


def notify_socket() -> str:
    """Return the socket at which systemd waits for messages of the bot; "" if there is none."""
    return os.environ.get("NOTIFY_SOCKET", "")


def watchdog_s() -> float:
    """Return how often systemd wants to hear that the bot is not stuck, in seconds; 0 if never."""
    return int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6


def _environment() -> Mapping[str, str]:
    """Merge .env of the current folder with the environment; values are stripped."""
    try:
        # Notepad on Windows starts a file with a byte order mark.
        from_file = dotenv_values(".env", encoding="utf-8-sig", interpolate=False)
    except UnicodeDecodeError:
        raise SetupError(texts.BAD_ENV_FILE) from None
    except OSError:
        raise SetupError(texts.ENV_FILE_UNREADABLE) from None
    return {name: (value or "").strip() for name, value in (from_file | os.environ).items()}


def _url(env: Mapping[str, str], name: str, default: str) -> str:
    url = (env.get(name) or default).rstrip("/")
    if not _is_url(url):
        raise SetupError(texts.bad_url(name))
    return url


def _is_url(text: str) -> bool:
    try:
        return URL_PATTERN.fullmatch(text) is not None and urllib.parse.urlsplit(text).port != 0
    except ValueError:  # the port is no number, or too large
        return False


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    value = env.get(name) or str(default)
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 10**9):
        raise SetupError(texts.bad_number(name))
    return int(value)


def _user_ids(env: Mapping[str, str], name: str) -> frozenset[int]:
    ids = re.split(r"[\s,;]+", env.get(name, "").strip(" ,;"))
    if not all(re.fullmatch("[0-9]{0,18}", user_id) for user_id in ids):
        raise SetupError(texts.bad_user_ids(name))
    return frozenset(int(user_id) for user_id in ids if user_id)


def _health_address(value: str) -> tuple[str, int] | None:
    """Read "port" (on this machine only) or "host:port"."""
    if not value:
        return None
    host, _, port = value.rpartition(":")
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
        raise SetupError(texts.BAD_HEALTH_PORT)
    return host or "127.0.0.1", int(port)


def _transcribe_model(env: Mapping[str, str]) -> tuple[str, str] | None:
    """Read "gateway/model"; what OpenRouter transcribes always costs money."""
    value = env.get("TRANSCRIBE_MODEL", "")
    if not value:
        return None
    gateway, _, model = value.partition("/")
    is_present = gateway in TRANSCRIBING_GATEWAYS and (gateway != "local" or env.get("LOCAL_LLM_URL"))
    if not is_present or not model:
        raise SetupError(texts.BAD_TRANSCRIBE_MODEL)
    if gateway != "local" and env.get("ALLOW_PAID_MODELS") != "1":
        raise SetupError(texts.TRANSCRIBE_COSTS)
    return gateway, model


def _timezone(name: str) -> tzinfo | None:
    try:
        return time_zone(name) if name else None
    except ValueError:
        raise SetupError(texts.BAD_TIMEZONE) from None


def time_zone(name: str) -> tzinfo:
    """Return a time zone by its name, such as Europe/Moscow; ValueError if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # an unknown zone, not a name at all, or the name of a folder
        raise ValueError(f"no time zone {name!r}") from None


def time_zone_names() -> set[str]:
    """Return the names of all time zones."""
    return available_timezones()


def _openrouter_headers(env: Mapping[str, str]) -> dict[str, str]:
    """Return the headers by which the bot introduces itself to OpenRouter, if the owner has set them."""
    headers = {}
    for header, name in (("HTTP-Referer", "OPENROUTER_REFERER"), ("X-Title", "OPENROUTER_TITLE")):
        value = env.get(name, "")
        if not value.isascii():
            raise SetupError(texts.not_ascii(name))
        if value:
            headers[header] = value
    return headers


def _proxy_for(url: str) -> str | None:
    """Return the proxy that the environment (or the operating system) sets for this URL, as browsers do."""
    request = urllib.request.Request(url)
    if urllib.request.proxy_bypass(request.host):
        return None
    proxy = urllib.request.getproxies().get(request.type)
    if proxy and not _is_url(proxy):
        raise SetupError(texts.bad_url(f"{request.type.upper()}_PROXY"))
    return proxy
