"""The account's pace: free models take so many requests a minute, over all people; the rest wait in line."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

WINDOW_S = 60.0


class Pace:
    """Lets so many requests a minute through, first come, first served; bursts are allowed."""

    def __init__(self, per_minute: int, ages_s: Iterable[float] = ()) -> None:
        """Begin with the requests of the last minute, told by how many seconds ago they were, oldest first."""
        now = time.monotonic()
        self._per_minute = per_minute
        self._recent = deque(now - age for age in ages_s)
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    def take(self, is_over: Callable[[], bool], on_wait: Callable[[int], None]) -> bool:
        """Wait for a turn; tell the place in the line meanwhile; False if is_over() before it comes."""
        ticket = object()
        with self._changed:
            self._line.append(ticket)
            try:
                while self._line[0] is not ticket or (wait_s := self._wait_s()) > 0:
                    if is_over():
                        return False
                    on_wait(self._line.index(ticket) + 1)
                    self._changed.wait(min(wait_s, 1.0) if self._line[0] is ticket else 1.0)
                self._recent.append(time.monotonic())
                return True
            finally:
                self._line.remove(ticket)
                self._changed.notify_all()

    def _wait_s(self) -> float:
        """Return in how many seconds the next request may go."""
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - WINDOW_S:
            self._recent.popleft()
        if len(self._recent) < self._per_minute:
            return 0.0
        return self._recent[-self._per_minute] + WINDOW_S - now
