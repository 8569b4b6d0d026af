"""What is going on, for the owner: /status in the chat, --check in the terminal."""

import time
from collections.abc import Callable, Iterator

import config
import db
import openrouter_client
import texts
from config import SetupError
from openrouter_client import OpenRouterError
from runtime import logs
from runtime import telegram as telegram_api
from runtime.telegram import Telegram, TelegramError

STARTED_AT = int(time.time())
DAY_S = 86400


def now() -> db.Row:
    """Return how much waits and was done, as of this transaction."""
    return db.state(updates_since=STARTED_AT)


def report(state: db.Row) -> str:
    """Describe the bot, with what the gateway tells of the key."""
    midnight = int(time.time()) // DAY_S * DAY_S  # OpenRouter counts days in UTC
    waited_s = time.time() - state["oldest_reply_at"] if state["replies"] else 0
    return texts.bot_state(
        version=config.VERSION,
        uptime_s=int(time.time()) - STARTED_AT,
        state=state,
        waited_s=int(waited_s),
        size=db.size(),
        free_today=len(db.free_requests_since(midnight)),
        free_limit=config.free_requests_per_day(),
        key=_key(),
        errors=logs.recent_errors(),
    )


def _key() -> str:
    try:
        return texts.key_left(openrouter_client.key())
    except OpenRouterError as error:
        return str(error)


# The check before the start ------------------------------------------------------------------------------


def check() -> tuple[str, bool]:
    """Look at the settings, the database, Telegram and each gateway; return a table, and whether all is well."""
    rows = [(name, *_tried(attempt)) for name, attempt in _attempts()]
    return texts.check_table(rows), all(is_well for _, is_well, _ in rows)


def _attempts() -> Iterator[tuple[str, Callable[[], str]]]:
    yield texts.CHECK_SETTINGS, _settings
    yield texts.CHECK_DATABASE, _database
    yield texts.CHECK_TELEGRAM, _telegram
    yield "openrouter", lambda: texts.key_left(openrouter_client.key())
    for name in config.GATEWAYS:
        if name != "openrouter":
            yield name, lambda name=name: _gateway(name)  # type: ignore[misc]


def _tried(attempt: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, attempt()
    except (SetupError, OpenRouterError) as error:
        return False, str(error)
    except TelegramError as error:
        return False, texts.telegram_away(error)


def _settings() -> str:
    config.load()
    config.check_the_rest()
    return texts.SETTINGS_READ


def _database() -> str:
    path = config.db_path()
    if not path.exists() and path.absolute().parent.is_dir():
        return texts.db_will_be_made(path)
    return texts.db_found(path, db.check(path))


def _telegram() -> str:
    return texts.bot_found(telegram_api.get_me(Telegram(config.load())).username)


def _gateway(name: str) -> str:
    if name not in config.gateways():
        return texts.GATEWAY_ABSENT
    return texts.models_found(len(openrouter_client.catalogue(name)))
