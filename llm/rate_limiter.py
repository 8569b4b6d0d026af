"""The rate limit of the account: how many requests per minute all people together may send to free models."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

WINDOW_S = 60.0
CHECK_INTERVAL_S = 1.0


class RateLimiter:
    """Lets a number of requests per minute through, in order of arrival; bursts are allowed."""

    def __init__(self, per_minute: int, ages_s: Iterable[float] = ()) -> None:
        """Create a limiter; `ages_s` says how many seconds ago earlier requests were made, oldest first."""
        now = time.monotonic()
        self._per_minute = per_minute
        self._recent = deque(now - age_s for age_s in ages_s)
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    def acquire(self, is_cancelled: Callable[[], bool], on_wait: Callable[[int], None]) -> bool:
        """Wait until a request may be sent; return False if is_cancelled() becomes true first.

        While it waits, it calls on_wait(position) with the position in the queue, from 1.
        """
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while True:
                    is_first = self._queue[0] is ticket
                    wait_s = self._seconds_until_free()
                    if is_first and wait_s <= 0:
                        self._recent.append(time.monotonic())
                        return True
                    if is_cancelled():
                        return False
                    on_wait(self._queue.index(ticket) + 1)
                    self._changed.wait(min(wait_s, CHECK_INTERVAL_S) if is_first else CHECK_INTERVAL_S)
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def _seconds_until_free(self) -> float:
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - WINDOW_S:
            self._recent.popleft()
        if len(self._recent) < self._per_minute:
            return 0.0
        return self._recent[-self._per_minute] + WINDOW_S - now
