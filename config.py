"""Settings: what the owner sets in .env or the environment, checked once.

The only module that reads the environment. A setting in the environment wins over the same one in .env.
"""

import os
import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from dotenv import dotenv_values

import texts

VERSION = "1.0"  # of this code

TOKEN_SHAPE = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
URL_SHAPE = re.compile(r"https?://[^\s/]\S*")


class SetupError(Exception):
    """Something the owner has to mend before the bot can run; str() is a Russian sentence that says what."""


@dataclass(frozen=True)
class Settings:
    """What main() needs to start the bot. Secrets stay out of repr()."""

    token: str = field(repr=False)
    telegram_api_url: str
    telegram_proxy: str | None = field(repr=False)
    db_path: Path
    log_level: str
    timezone: tzinfo | None  # None: the machine's
    allowed_user_ids: frozenset[int]  # empty: everyone
    admin_user_ids: frozenset[int]  # empty: everyone
    notes_max: int  # of a person
    ask_per_day: int  # questions of a person
    free_requests_per_minute: int


def load() -> Settings:
    """Read and check the settings; SetupError for the first one that is wrong."""
    env = _environment()
    token = env.get("TOKEN", "")
    if not token:
        raise SetupError(texts.NO_TOKEN)
    if not TOKEN_SHAPE.fullmatch(token):
        raise SetupError(texts.BAD_TOKEN)
    api_url = _url(env, "TELEGRAM_API_URL", "https://api.telegram.org")
    log_level = env.get("LOG_LEVEL", "INFO").upper()
    if log_level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise SetupError(texts.BAD_LOG_LEVEL)
    return Settings(
        token=token,
        telegram_api_url=api_url,
        telegram_proxy=_proxy_for(api_url),
        db_path=db_path(),
        log_level=log_level,
        timezone=_timezone(env.get("TIMEZONE", "")),
        allowed_user_ids=_user_ids(env, "ALLOWED_USER_IDS"),
        admin_user_ids=_user_ids(env, "ADMIN_USER_IDS"),
        notes_max=_number(env, "NOTES_MAX", 100_000),
        ask_per_day=_number(env, "ASK_PER_DAY", 50),
        free_requests_per_minute=_number(env, "FREE_REQUESTS_PER_MINUTE", 20),
    )


def db_path() -> Path:
    """Return where the database is."""
    return Path(_environment().get("DB_PATH") or "notes.db")


def free_requests_per_day() -> int:
    """Return how many requests a day OpenRouter allows the account to free models."""
    return _number(_environment(), "FREE_REQUESTS_PER_DAY", 50)


@dataclass(frozen=True)
class Gateway:
    """Where models are asked, and with what key ("" when there is none)."""

    base_url: str  # ends in /v1
    api_key: str = field(repr=False)


@dataclass(frozen=True)
class GatewayNames:
    """Which settings tell of a gateway."""

    address: str
    key: str
    default: str  # its address when none is set
    needed: str = ""  # the setting without which it is absent; "" if it is always there


GATEWAYS = {
    "openrouter": GatewayNames("OPENROUTER_BASE_URL", "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1"),
    "rvfreellm": GatewayNames(
        "RVFREELLM_BASE_URL", "RVFREELLM_API_KEY", "https://rvlautoai.ru/webhook/v1", "RVFREELLM_API_KEY"
    ),
    "local": GatewayNames("LOCAL_LLM_URL", "LOCAL_LLM_API_KEY", "http://localhost:11434/v1", "LOCAL_LLM_URL"),
}


def gateways() -> dict[str, Gateway]:
    """Read the gateways that are set up, anew: a key put into .env works without a restart."""
    env = _environment()
    present = {}
    for name, names in GATEWAYS.items():
        if not names.needed or env.get(names.needed):
            url = _url(env, names.address, names.default)
            present[name] = Gateway(url if url.endswith("/v1") else f"{url}/v1", env.get(names.key, ""))
    return present


def check_the_rest() -> None:
    """Check what is read anew each time; SetupError for the first setting that is wrong."""
    gateways()
    openrouter_headers()
    free_requests_per_day()


def secrets() -> list[str]:
    """Return what must never reach a log."""
    env = _environment()
    return [env.get(name, "") for name in ("TOKEN", *(names.key for names in GATEWAYS.values()))]


def openrouter_headers() -> dict[str, str]:
    """Return how the bot presents itself to OpenRouter, if the owner has set that."""
    env = _environment()
    headers = {"HTTP-Referer": env.get("OPENROUTER_REFERER", ""), "X-Title": env.get("OPENROUTER_TITLE", "")}
    for name, value in headers.items():
        if not value.isascii():
            raise SetupError(texts.not_ascii(f"OPENROUTER_{name.rpartition('-')[2].upper()}"))
    return {name: value for name, value in headers.items() if value}


def allows_paid_models() -> bool:
    """Return whether the owner pays for models of OpenRouter."""
    return _environment().get("ALLOW_PAID_MODELS", "") == "1"


def _environment() -> Mapping[str, str]:
    """Merge .env of the current folder and the environment; values are stripped."""
    try:
        # Notepad on Windows starts a file with a byte order mark.
        from_file = dotenv_values(".env", encoding="utf-8-sig", interpolate=False)
    except UnicodeDecodeError:
        raise SetupError(texts.BAD_ENV_FILE) from None
    return {key: (value or "").strip() for key, value in (from_file | os.environ).items()}


def _url(env: Mapping[str, str], name: str, default: str) -> str:
    url = (env.get(name) or default).rstrip("/")
    if not URL_SHAPE.fullmatch(url):
        raise SetupError(texts.bad_url(name))
    return url


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


def _timezone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):  # unknown, no name at all, or the name of a folder
        raise SetupError(texts.BAD_TIMEZONE) from None


def _proxy_for(url: str) -> str | None:
    """Return the proxy that the environment (or the system) names for this address, as browsers would."""
    parts = urllib.request.Request(url)
    if urllib.request.proxy_bypass(parts.host):
        return None
    proxy = urllib.request.getproxies().get(parts.type)
    if proxy and not URL_SHAPE.fullmatch(proxy):
        raise SetupError(texts.bad_url(f"{parts.type.upper()}_PROXY"))
    return proxy
