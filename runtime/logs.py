"""What the bot writes down: one line an event, with no secret in it."""

import logging
import re
import sys
import threading
from collections.abc import Iterable
from types import TracebackType

BOT_TOKEN = re.compile(r"\d+(?::|%3A)[A-Za-z0-9_-]{30,}")


def start(level: str, secrets: Iterable[str]) -> None:
    """Log to stderr from this level up; what nobody catches is logged too."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Redacting(secrets))
    logging.basicConfig(level=level, handlers=[handler], force=True)
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
