"""The checks of `python bot.py --check`: settings, database, Telegram and gateways."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import config
import db
import openrouter_client
import texts
from config import Gateway, SetupError
from llm.models import FREE_ROUTER, is_free
from openrouter_client import ChatRequest, ErrorKind, OpenRouterError
from telegram.transport import Telegram, TelegramError, get_me

MAX_REPLICA_LAG_S = 60


def run_checks() -> tuple[str, bool]:
    """Run all checks; return a table of the results, and whether everything is fine."""
    checks: list[tuple[str, Callable[[], str]]] = [
        (texts.CHECK_SETTINGS, _check_settings),
        (texts.CHECK_DATABASE, _check_database),
        (texts.CHECK_TELEGRAM, _check_telegram),
    ]
    for name in config.GATEWAY_NAMES:
        checks.append((name, partial(_check_gateway, name)))
    checks.append((texts.CHECK_REPLICA, _check_replica))
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


def _check_replica() -> str:
    """Describe the replica; SetupError if it is a folder without the latest changes."""
    url = config.replica_url()
    if not url:
        return texts.GATEWAY_ABSENT
    if not url.startswith("file://"):
        return texts.REPLICA_ELSEWHERE
    replicated_at = max(_changed_at(Path(url.removeprefix("file://")).rglob("*.ltx")), default=None)
    if replicated_at is None:
        raise SetupError(texts.REPLICA_EMPTY)
    path = config.database_path()
    written_at = max(_changed_at([path, path.with_name(f"{path.name}-wal")]), default=replicated_at)
    if written_at - replicated_at > MAX_REPLICA_LAG_S:
        raise SetupError(texts.replica_behind(int(written_at - replicated_at)))
    return texts.replica_age(max(0, int(time.time() - replicated_at)))


def _changed_at(paths: Iterable[Path]) -> Iterator[float]:
    for path in paths:
        with suppress(FileNotFoundError):  # Litestream merges files, and the write-ahead log comes and goes
            yield path.stat().st_mtime


def _check_telegram() -> str:
    telegram = Telegram(config.load_settings())
    return texts.bot_found(get_me(telegram).username)


def _check_gateway(name: str) -> str:
    gateways = config.load_gateways()
    if name not in gateways:
        return texts.GATEWAY_ABSENT
    if name == "openrouter":
        gateway = gateways[name]
        if not gateway.api_key and len(gateways) > 1:  # another gateway answers the questions
            return texts.GATEWAY_ABSENT
        balance = texts.key_balance(openrouter_client.fetch_key(gateway))
        return f"{balance} {_ask_free_model(gateway)}"
    return texts.models_found(len(openrouter_client.fetch_models(gateways[name])))


def _ask_free_model(gateway: Gateway) -> str:
    """Ask a free model for one token; OpenRouterError if the account's settings do not let it answer.

    OpenRouter tells about its data policy only in the answer to a question, so this costs one of the day's free
    requests.
    """
    request = ChatRequest([{"role": "user", "content": "ping"}], _free_model(), gateway, max_tokens=1)
    try:
        openrouter_client.complete(request)
    except OpenRouterError as error:
        if error.kind in (ErrorKind.DATA_POLICY, ErrorKind.KEY_LIMIT) or error.status in (401, 402):
            raise
        if error.kind is not ErrorKind.EMPTY:  # a reasoning model spends the token on thinking
            return texts.free_model_failed(error)
    return texts.FREE_MODEL_ANSWERS


def _free_model() -> str:
    """Return the key of the active model if it is a free one of OpenRouter, else of OpenRouter's own choice."""
    path = config.database_path()
    try:
        active = db.read_active_model(path) if path.exists() else None
    except SetupError:  # the row of the database says so
        active = None
    if active is not None and is_free(*active):
        return active[1]
    return FREE_ROUTER
