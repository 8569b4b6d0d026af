"""What the bot writes down: one line an event, with no secret in it."""

import logging
import re
import sys
import threading
from collections.abc import Iterable
from types import TracebackType

BOT_TOKEN = re.compile(r"\d+(?::|%3A)[A-Za-z0-9_-]{30,}")


KINDS_MOST = 5


class _Errors(logging.Handler):
    """Counts what went wrong, by kind: the words of the line without what was put into them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kinds: dict[str, tuple[int, float]] = {}  # kind → how often, and when last

    def emit(self, record: logging.LogRecord) -> None:
        """Count a line; the lock of the handler is held."""
        kind = f"{record.name}: {record.msg}"
        count, _ = self.kinds.pop(kind, (0, 0.0))
        self.kinds[kind] = count + 1, record.created
        while len(self.kinds) > KINDS_MOST:
            del self.kinds[next(iter(self.kinds))]


_errors = _Errors()


def recent_errors() -> list[tuple[str, int, float]]:
    """Return the kinds of what went wrong lately, the latest first: kind, how often, when last (Unix seconds)."""
    return [(kind, *seen) for kind, seen in reversed(_errors.kinds.copy().items())]


def start(level: str, secrets: Iterable[str]) -> None:
    """Log to stderr from this level up; what nobody catches is logged too."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Redacting(secrets))
    logging.basicConfig(level=level, handlers=[handler, _errors], force=True)
    # The libraries' own debug lines hold texts of messages and addresses with the token.
    for library in ("urllib3", "requests", "TeleBot"):
        logging.getLogger(library).setLevel(logging.WARNING)
    for of_its_own in logging.getLogger("TeleBot").handlers[:]:
        logging.getLogger("TeleBot").removeHandler(of_its_own)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda args: _log_uncaught(
        args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
    )


class _Redacting(logging.Formatter):
    """Formats a whole record, traceback included, then takes the secrets out."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text with «***» for every secret."""
        line = super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return BOT_TOKEN.sub("***", line)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("bot").critical("nobody caught this", exc_info=(kind, error, trace))
