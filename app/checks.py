"""The checks of `python bot.py --check`: settings, database, Telegram and gateways."""

from collections.abc import Callable
from functools import partial

import config
import db
import openrouter_client
import texts
from config import SetupError
from openrouter_client import OpenRouterError
from telegram.transport import Telegram, TelegramError, get_me


def run_checks() -> tuple[str, bool]:
    """Run all checks; return a table of the results, and whether everything is fine."""
    checks: list[tuple[str, Callable[[], str]]] = [
        (texts.CHECK_SETTINGS, _check_settings),
        (texts.CHECK_DATABASE, _check_database),
        (texts.CHECK_TELEGRAM, _check_telegram),
    ]
    for name in config.GATEWAY_NAMES:
        checks.append((name, partial(_check_gateway, name)))
    rows = [(name, *_run_check(check)) for name, check in checks]
    return texts.check_table(rows), all(is_ok for _, is_ok, _ in rows)


def _run_check(check: Callable[[], str]) -> tuple[bool, str]:
    """Return whether a check succeeds, and its details."""
    try:
        return True, check()
    except (SetupError, OpenRouterError) as error:
        return False, str(error)
    except TelegramError as error:
        return False, texts.telegram_unreachable(error)


def _check_settings() -> str:
    config.load_settings()
    return texts.SETTINGS_OK


def _check_database() -> str:
    path = config.database_path()
    if not path.exists() and path.absolute().parent.is_dir():
        return texts.db_will_be_created(path)
    return texts.db_found(path, db.check(path))


def _check_telegram() -> str:
    telegram = Telegram(config.load_settings())
    return texts.bot_found(get_me(telegram).username)


def _check_gateway(name: str) -> str:
    gateways = config.load_gateways()
    if name not in gateways:
        return texts.GATEWAY_ABSENT
    if name == "openrouter":
        return texts.key_balance(openrouter_client.fetch_key(gateways[name]))
    return texts.models_found(len(openrouter_client.fetch_models(gateways[name])))
