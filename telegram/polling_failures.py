"""What the log says when polling fails."""

import logging

import storage
from telegram.transport import TelegramError

log = logging.getLogger(__name__)


def log_failure(error: Exception) -> None:
    """Log why polling failed, with a traceback only for what is not expected."""
    if isinstance(error, TelegramError) and error.status == 409:
        log.error("another copy of this bot is polling; stop one of them (%s)", error)
    elif isinstance(error, TelegramError):
        log.warning("getUpdates failed: %s", error)
    elif isinstance(error, storage.DatabaseReplaced):
        log.critical("the database file was deleted or replaced; stopping, as nothing more can be stored in it")
    elif storage.is_unavailable(error):
        log.error("the database is unavailable, updates wait at Telegram: %s", error)
    else:
        log.error("polling failed", exc_info=error)
