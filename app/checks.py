"""The checks of `python bot.py --check`: settings, database, Telegram and gateways."""

import tempfile
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


class Remark(Exception):
    """Something is not set up, and the bot runs without it; str() is a sentence for the owner."""


def run_checks() -> tuple[str, bool]:
    """Run all checks; return a table of the results, and whether the bot can run."""
    checks: list[tuple[str, Callable[[], str]]] = [
        (texts.CHECK_SETTINGS, _check_settings),
        (texts.CHECK_DATABASE, _check_database),
        (texts.CHECK_TELEGRAM, _check_telegram),
    ]
    for name in config.GATEWAY_NAMES:
        checks.append((name, partial(_check_gateway, name)))
    checks.append((texts.CHECK_REPLICA, _check_replica))
    rows: list[tuple[str, str, str]] = []
    problems: set[str] = set()
    for name, check in checks:
        mark, details = _run_check(check)
        if details in problems:  # several checks need the settings
            mark, details = texts.MARK_REMARK, texts.NOT_CHECKED
        elif mark == texts.MARK_FAILED:
            problems.add(details)
        rows.append((mark, name, details))
    return texts.check_table(rows), not problems


def _run_check(check: Callable[[], str]) -> tuple[str, str]:
    """Return the mark of a check and its details."""
    try:
        return texts.MARK_OK, check()
    except Remark as remark:
        return texts.MARK_REMARK, str(remark)
    except (SetupError, OpenRouterError) as error:
        return texts.MARK_FAILED, str(error)
    except TelegramError as error:
        return texts.MARK_FAILED, texts.telegram_unreachable(error)


def _check_settings() -> str:
    config.load_settings()
    return texts.SETTINGS_OK


def _check_database() -> str:
    path = config.database_path()
    _check_writable(path)
    if not path.exists():
        return texts.db_will_be_created(path)
    return texts.db_found(path, db.check(path))


def _check_replica() -> str:
    """Describe the replica; SetupError if it is a folder without the latest changes."""
    url = config.replica_url()
    if not url:
        raise Remark(texts.REPLICA_ABSENT)
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
        with suppress(OSError):  # Litestream merges files, and the write-ahead log comes and goes
            yield path.stat().st_mtime


def _check_writable(path: Path) -> None:
    """Raise SetupError if the bot could not write into the database and its folder.

    The rights of a file do not tell: a disk may be full or read-only, and Windows has other rights.
    """
    try:
        with tempfile.TemporaryFile(dir=path.absolute().parent) as file:
            file.write(b"0")
        if path.exists():
            path.open("r+b").close()
    except OSError:
        raise SetupError(texts.db_unusable(path)) from None


def _check_telegram() -> str:
    telegram = Telegram(config.load_settings())
    return texts.bot_found(get_me(telegram).username)


def _check_gateway(name: str) -> str:
    gateways = config.load_gateways()
    if name not in gateways:
        raise Remark(texts.GATEWAY_ABSENT)
    if name == "openrouter":
        gateway = gateways[name]
        if not gateway.api_key:
            raise Remark(texts.GATEWAY_ABSENT if len(gateways) > 1 else texts.NO_GATEWAY_AT_ALL)
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
    try:
        active = db.read_active_model(config.database_path())
    except SetupError:  # there is no database yet, or the row of the database says what is wrong with it
        active = None
    if active is not None and is_free(*active):
        return active[1]
    return FREE_ROUTER
