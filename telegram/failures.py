"""Failures in a row of one reply or one job: when to try again, and for how long Telegram itself has failed."""

import logging
import time
from collections.abc import Callable

from telegram.transport import TelegramError, backoff_s

log = logging.getLogger(__name__)

DROP_AFTER_S = 600.0  # of failures of Telegram itself; see Outbox and JobRunner


class Failures:
    """Counts failures in a row."""

    def __init__(self) -> None:
        self._count = 0
        self.server_errors = 0  # how many of the latest failures were responses with a status of 5xx
        self._first_server_error_at = 0.0  # on the clock of time.monotonic()
        self._others_accepted = False  # after the latest failure, Telegram accepted another call

    def add(self, error: TelegramError) -> None:
        """Count a failure."""
        self._count += 1
        if error.status < 500:  # no connection, or too many calls: this says nothing about the reply
            self.server_errors, self._others_accepted = 0, False
            return
        if not self.server_errors:
            self._first_server_error_at = time.monotonic()
        self.server_errors += 1

    def is_hopeless(self, accepts_others: Callable[[], bool]) -> bool:
        """Return whether Telegram fails (5xx) for long, and only here: between two other calls that it accepts.

        If it accepts one only after the failure, an outage may have ended.
        """
        if not self.server_errors or time.monotonic() - self._first_server_error_at < DROP_AFTER_S:
            return False
        accepted_before = self._others_accepted
        self._others_accepted = accepts_others()
        return accepted_before and self._others_accepted

    def retry_delay_s(self, chat_id: int, error: TelegramError) -> float:
        """Return how long to wait after the last failure, and log it."""
        delay_s = error.retry_after or backoff_s(self._count)
        level = logging.INFO if self._count == 1 else logging.DEBUG  # Telegram may be unavailable for hours
        log.log(level, "chat %d: %s; again in %.1f s", chat_id, error, delay_s)
        return delay_s
