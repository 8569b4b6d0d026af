"""The pace that a gateway sets with the headers X-RateLimit-*: how many requests it still takes, and until when.

RVFreeLLM takes 30 requests a minute with a full key and 30 an hour with a test key.
"""

import threading
import time
from collections.abc import Callable, Mapping

import texts
from openrouter_client import ErrorKind, OpenRouterError

WINDOW_S = 60.0  # until the headers tell the end of the window
MAX_WAIT_S = 60.0  # a full key; the window of a test key is too long to wait for
MAX_WINDOW_S = 2 * 3600.0  # twice the window of a test key: only a wrong clock sees its end further away
CHECK_INTERVAL_S = 1.0
CLOCK_DIFFERENCE_S = 5.0
MAX_DIGITS = 12


class GatewayPace:
    """Holds requests back that the gateway would refuse."""

    def __init__(self, per_minute: int) -> None:
        """Create a pace; `per_minute` holds until the headers of a response tell the real limit."""
        self._changed = threading.Condition()
        self._limit = per_minute  # requests in a window
        self._remaining = per_minute
        self._reset_at = 0.0  # the end of the window, in Unix seconds
        self._waiting = 0

    def read_headers(self, headers: Mapping[str, str]) -> None:
        """Store what a response says about the limit."""
        values = [headers.get(f"X-RateLimit-{name}", "") for name in ("Limit", "Remaining", "Reset")]
        if not all(value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS for value in values):
            return
        limit, remaining, reset_at = map(int, values)
        with self._changed:
            # Within a window, requests that are on their way are counted here already, but not yet by the gateway.
            is_same_window = abs(reset_at - self._reset_at) < CLOCK_DIFFERENCE_S
            self._remaining = min(remaining, self._remaining) if is_same_window else remaining
            self._limit, self._reset_at = limit, reset_at

    def acquire(self, is_cancelled: Callable[[], bool], on_wait: Callable[[int], None]) -> bool:
        """Wait until a request may be sent; return False if is_cancelled() becomes true first.

        While it waits, it calls on_wait(position) with the number of waiting requests. OpenRouterError if the wait
        would be too long.
        """
        with self._changed:
            self._waiting += 1
            try:
                while (wait_s := self._seconds_until_free()) > 0:
                    if is_cancelled():
                        return False
                    if wait_s > MAX_WAIT_S:
                        raise OpenRouterError(
                            429,
                            texts.LIMIT_MINUTE,
                            ErrorKind.LIMIT_MINUTE,
                            retry_after_s=wait_s,
                            reset_at=self._reset_at,
                        )
                    on_wait(self._waiting)
                    self._changed.wait(min(wait_s, CHECK_INTERVAL_S))
                self._remaining -= 1
                return True
            finally:
                self._waiting -= 1

    def _seconds_until_free(self) -> float:
        now = time.time()
        if not 0 < self._reset_at - now <= MAX_WINDOW_S:  # a new window begins
            self._remaining, self._reset_at = self._limit, now + WINDOW_S
        return self._reset_at - now if self._remaining <= 0 else 0.0
