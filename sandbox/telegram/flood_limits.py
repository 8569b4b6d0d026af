"""The limits on messages: 429 for a bot that sends more.

From https://core.telegram.org/bots/faq, "My bot is hitting limits": about 30 messages a second, 1 a second in a
chat (short bursts are allowed), 20 a minute in a group. How long a burst may be is not documented.
"""

import math
import time
from collections import defaultdict, deque

from sandbox.telegram.checks import Refusal

CHAT_BURST = 6


class FloodLimits:
    """Counts messages."""

    def __init__(self) -> None:
        self.refusals = 0
        self._all: deque[float] = deque()  # times of the messages of the last second
        self._groups: dict[int, deque[float]] = defaultdict(deque)  # the same of the last minute, by group
        self._burst_at: dict[int, float] = defaultdict(float)  # by chat: when a whole burst is allowed again

    def check(self, method: str, chat_id: int) -> None:
        """Refuse a message that comes too early. Everything else is free."""
        if not method.startswith(("send", "edit")) or method == "sendChatAction":
            return
        now = time.monotonic()
        wait_s = max(_wait_s(self._all, 30, 1.0, now), self._burst_at[chat_id] - (CHAT_BURST - 1) - now)
        if chat_id < 0:
            wait_s = max(wait_s, _wait_s(self._groups[chat_id], 20, 60.0, now))
            self._groups[chat_id].append(now)
        if wait_s > 0:
            self.refusals += 1
            seconds = math.ceil(wait_s)
            raise Refusal(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
        self._all.append(now)
        self._burst_at[chat_id] = max(self._burst_at[chat_id], now) + 1.0


def _wait_s(times: deque[float], count: int, window_s: float, now: float) -> float:
    """Return how long to wait until there are less than `count` messages in the window."""
    while times and times[0] <= now - window_s:
        times.popleft()
    return times[-count] + window_s - now if len(times) >= count else 0.0
