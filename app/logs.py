"""Logging: one line per event, without secrets and without anything that a person wrote.

The bot's own messages contain only ids and names. The message of an exception may quote a note, so the log shows
only the type of an exception and the lines of code it came through.
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Any

BOT_TOKEN = re.compile(r"\d+(?::|%3A)[A-Za-z0-9_-]{30,}")
OWN_LOGGERS = ("app", "bot", "llm", "storage", "telegram")  # modules and packages that log
MAX_ERROR_KINDS = 5
MAX_CHAINED_EXCEPTIONS = 10
MAX_STACK_DEPTH = 30  # lines of code per exception, the innermost ones
# Characters that start a new line, are invisible, or change the direction of writing.
CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class ErrorLog(logging.Handler):
    """Counts warnings and errors by kind. The kind is the message without its arguments."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._kinds: dict[str, tuple[int, float]] = {}  # kind → (count, Unix seconds of the last one)

    def emit(self, record: logging.LogRecord) -> None:
        """Count a record. logging holds the handler's lock."""
        kind = record.name
        if record.name.partition(".")[0] in OWN_LOGGERS:
            kind = f"{record.name}: {record.msg}"
        count, _ = self._kinds.pop(kind, (0, 0.0))
        self._kinds[kind] = count + 1, record.created
        while len(self._kinds) > MAX_ERROR_KINDS:
            oldest_kind = next(iter(self._kinds))
            del self._kinds[oldest_kind]

    def recent(self) -> list[tuple[str, int, float]]:
        """Return the latest kinds of errors, newest first, as (kind, count, Unix seconds of the last one)."""
        kinds = self._kinds.copy()
        return [(kind, count, last_at) for kind, (count, last_at) in reversed(kinds.items())]


def start_logging(level: str, secrets: Iterable[str]) -> ErrorLog:
    """Log to stderr from this level up, uncaught exceptions included; return the log of errors."""
    stderr = logging.StreamHandler()
    stderr.setFormatter(_SafeFormatter(secrets))
    error_log = ErrorLog()
    # The debug messages of libraries contain texts of messages, and URLs with the token.
    library_level = max(logging.WARNING, logging.getLevelNamesMapping()[level])
    logging.basicConfig(level=library_level, handlers=[stderr, error_log], force=True)
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(level)
    logging.getLogger("TeleBot").handlers.clear()  # the library logs to stderr by itself
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # otherwise logging prints the arguments of a message it cannot format
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_uncaught_in_thread
    return error_log


class _SafeFormatter(logging.Formatter):
    """Formats a record as one line, plus the stack of an exception, and replaces secrets."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record with "***" in place of secrets."""
        text = super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return BOT_TOKEN.sub("***", text)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is the library's
        """Return the record as one line, with control characters escaped."""
        return CONTROL_CHARACTER.sub(_escape, super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802 - the name is the library's
        """Return the stack and the type of an exception and of its causes, without their messages."""
        error = ei[1] if isinstance(ei, tuple) else None
        lines: list[str] = []
        for _ in range(MAX_CHAINED_EXCEPTIONS):
            if error is None:
                break
            lines.append("Traceback (most recent call last):\n")
            lines += traceback.format_tb(error.__traceback__, -MAX_STACK_DEPTH)
            lines.append(f"{type(error).__module__}.{type(error).__qualname__}\n")
            error = _cause(error)
        return "".join(lines).rstrip()


def _escape(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]


def _cause(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None:
        return error.__cause__
    return None if error.__suppress_context__ else error.__context__


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("bot").critical("uncaught exception", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: Any) -> None:
    _log_uncaught(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)
