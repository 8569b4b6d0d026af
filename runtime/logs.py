"""What the bot writes down: one line an event, with no secret in it, and nothing that a person wrote.

A message of ours holds numbers and names; an exception's words may quote a note, so of an exception only its
type is told, and where in the code it came from.
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any

BOT_TOKEN = re.compile(r"\d+(?::|%3A)[A-Za-z0-9_-]{30,}")
OURS = ("bot", "config", "db", "openrouter_client", "runtime", "storage")
KINDS_MOST = 5  # of what went wrong, for the owner
CHAINED_MOST, DEEPEST = 10, 30  # exceptions of a chain; calls of each, those nearest to it
# What would begin a line of its own, hide one, or turn one around.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def start(level: str, secrets: Iterable[str]) -> None:
    """Log to stderr from this level up; what nobody catches is logged too."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Careful(secrets))
    # The libraries' debug lines hold texts of messages and addresses with the token.
    logging.basicConfig(
        level=max(logging.WARNING, logging.getLevelNamesMapping()[level]), handlers=[handler, _errors], force=True
    )
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    for of_its_own in logging.getLogger("TeleBot").handlers[:]:
        logging.getLogger("TeleBot").removeHandler(of_its_own)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a line that cannot be formatted would be printed with all that it is about
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_of_thread
    sys.unraisablehook = _log_uncaught_of_thread


class _Errors(logging.Handler):
    """Counts what went wrong, by kind: the words of the line without what was put into them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kinds: dict[str, tuple[int, float]] = {}  # kind → how often, and when last

    def emit(self, record: logging.LogRecord) -> None:
        """Count a line; the lock of the handler is held."""
        is_ours = record.name.partition(".")[0] in OURS
        kind = f"{record.name}: {record.msg}" if is_ours else record.name
        count, _ = self.kinds.pop(kind, (0, 0.0))
        self.kinds[kind] = count + 1, record.created
        while len(self.kinds) > KINDS_MOST:
            del self.kinds[next(iter(self.kinds))]


_errors = _Errors()


def recent_errors() -> list[tuple[str, int, float]]:
    """Return the kinds of what went wrong lately, the latest first: kind, how often, when last (Unix seconds)."""
    return [(kind, *seen) for kind, seen in reversed(_errors.kinds.copy().items())]


class _Careful(logging.Formatter):
    """Formats a whole record, exceptions without their words, then takes the secrets out."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text with «***» for every secret."""
        line = super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return BOT_TOKEN.sub("***", line)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """Return the record's own line: one, whatever stands in it."""
        return CONTROL.sub(lambda match: ascii(match[0])[1:-1], super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802 - the library's name
        """Return where an exception, and what caused it, came from, and their types."""
        error = ei[1] if isinstance(ei, tuple) else None
        return "".join(_stacks(error)).rstrip()


def _stacks(error: BaseException | None) -> Iterator[str]:
    for _ in range(CHAINED_MOST):
        if error is None:
            return
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(error.__traceback__, -DEEPEST)
        yield f"{type(error).__module__}.{type(error).__qualname__}\n"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("bot").critical("nobody caught this", exc_info=(kind, error, trace))


def _log_uncaught_of_thread(args: Any) -> None:
    _log_uncaught(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)
