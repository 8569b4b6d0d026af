"""Keep a machine that was replaced from polling again: its notes would be missing in the database of the new one.

A bot that has not polled for a while, or whose database comes from another machine, first looks whether another
copy polls with the same token. Telegram ends a waiting getUpdates call with 409 when another one begins, and
updates disappear when another copy confirms them. The look itself confirms nothing.
"""

import math
import socket
import time
from collections.abc import Callable
from typing import Any

import clock
import journal
import texts
from config import SetupError
from telegram.transport import Telegram, TelegramError, UnreadableResponse
from telegram.updates import first_update_id, updates_by_id

MAX_GAP_S = 120  # longer than a long poll and RECORD_INTERVAL_S
RECORD_INTERVAL_S = 60
LOOK_S = 5.0  # another copy polls again within a second after its 409
PAUSE_S = 1.0


class Fence:
    """Knows when this machine polled last, and looks for another copy if that is too long ago."""

    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram
        self._machine = socket.gethostname()
        last_poll = journal.last_poll()
        self._polled_at = last_poll["polled_at"] if last_poll else clock.now()
        self._recorded_at = 0
        self._comes_from_elsewhere = last_poll is not None and last_poll["machine"] != self._machine

    def is_due(self) -> bool:
        """Return whether another machine may have taken over since the last poll."""
        return self._comes_from_elsewhere or abs(clock.now() - self._polled_at) > MAX_GAP_S

    def may_handle(self, pause: Callable[[float], object]) -> bool:
        """Return whether the updates of a poll may be handled; see look() for the errors.

        They may not if the machine has slept during the poll: another one may have handled them.
        """
        if self.is_due():
            self.look(pause)
            return False
        self.record_poll()
        return True

    def record_poll(self) -> None:
        """Record that this machine polls."""
        self._polled_at = clock.now()
        if abs(self._polled_at - self._recorded_at) >= RECORD_INTERVAL_S:
            journal.record_poll(self._polled_at, self._machine)
            self._recorded_at = self._polled_at

    def look(self, pause: Callable[[float], object] = time.sleep) -> None:
        """Wait for a sign of another copy; SetupError if there is one.

        TelegramError if Telegram does not answer.
        """
        first_id: int | None = None
        ends_at = time.monotonic() + LOOK_S
        while (left_s := ends_at - time.monotonic()) > 0:
            previous_id, first_id = first_id, self._first_pending_update(math.ceil(left_s))
            if previous_id is not None and first_id != previous_id:
                raise SetupError(texts.REPLACED)  # another copy has confirmed the update
            if first_id is not None:  # while updates wait, Telegram answers at once
                pause(PAUSE_S)
        self._comes_from_elsewhere = False
        self.record_poll()

    def _first_pending_update(self, wait_s: int) -> int | None:
        """Return the id of the first unconfirmed update; None if there is none within wait_s."""
        params: dict[str, Any] = {"limit": 1, "timeout": wait_s}
        try:
            raw_updates = self._telegram.call("getUpdates", params, timeout_s=wait_s + 10)
        except UnreadableResponse as error:
            return first_update_id(error.body)
        except TelegramError as error:
            if error.status == 409:
                raise SetupError(texts.REPLACED) from error
            raise
        return min(updates_by_id(raw_updates), default=None)
