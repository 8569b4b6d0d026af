"""Signs of life of the polling thread, for those who watch the bot."""

import math
import time

MARGIN_S = 60.0  # a step may take so much longer than planned, for example when the disk is slow


class Heartbeat:
    """What the polling thread does. That thread writes, and others read."""

    def __init__(self) -> None:
        self.updates = 0  # handled since the start
        self._fetched_at: float | None = None  # on the clock of time.monotonic(), like the next one
        self._step_ends_by = math.inf

    def begin_step(self, max_s: float) -> None:
        """Record that a step begins which takes at most max_s."""
        self._step_ends_by = time.monotonic() + max_s + MARGIN_S

    def record_fetch(self) -> None:
        """Record that Telegram has answered a getUpdates call."""
        self._fetched_at = time.monotonic()
        self.begin_step(0)

    def seconds_since_fetch(self) -> float:
        """Return how long ago Telegram answered the last getUpdates call; NaN if it has not yet."""
        return math.nan if self._fetched_at is None else time.monotonic() - self._fetched_at

    def is_stuck(self) -> bool:
        """Return whether the thread hangs in a step or has ended; waiting for Telegram is neither."""
        return time.monotonic() > self._step_ends_by
