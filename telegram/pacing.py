"""Keep to the limits of Telegram: about 30 messages a second, 1 a second in a chat, 20 a minute in a group.

Telegram refuses what is above them (429), and a chat or the whole bot then has to wait. Short bursts are allowed.
See https://core.telegram.org/bots/faq, "My bot is hitting limits".
"""

import threading
import time
from dataclasses import dataclass

MAX_CHATS = 10_000  # remembered at once, before those are forgotten that may have a whole burst again
SPARED_BY_DRAFTS = 2  # calls that a draft leaves to the replies that may follow it


@dataclass(frozen=True)
class Limits:
    """How many calls may come at once, and the shortest intervals between them in the long run, in seconds."""

    burst: int = 4
    interval_s: float = 1 / 25  # with the burst, less than 30 calls in any second
    chat_burst: int = 5
    chat_interval_s: float = 1.0
    group_interval_s: float = 4.0  # with the burst, at most 20 messages in any minute


NO_LIMITS = Limits(interval_s=0.0, chat_interval_s=0.0, group_interval_s=0.0)  # for the sandbox


class _Bucket:
    """Lets a burst of calls through, then one per interval."""

    __slots__ = ("_burst", "_interval_s", "full_at")

    def __init__(self, burst: int, interval_s: float) -> None:
        self._burst = burst
        self._interval_s = interval_s
        self.full_at = 0.0  # when a whole burst is possible again, on the clock of time.monotonic()

    def wait_s(self, spared: int = 0) -> float:
        """Return the seconds until a call may be made that leaves so many others."""
        return max(self.full_at - (self._burst - 1 - spared) * self._interval_s - time.monotonic(), 0.0)

    def take(self) -> None:
        """Count a call."""
        self.full_at = max(self.full_at, time.monotonic()) + self._interval_s


class Pacing:
    """Says when the next call may be made. All methods are thread-safe."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()  # guards everything below
        self._bucket = _Bucket(limits.burst, limits.interval_s)
        self._chats: dict[int, _Bucket] = {}

    def take_turn(self) -> float:
        """Count a call to any chat and return 0.0, or return the seconds until there may be one."""
        with self._lock:
            wait_s = self._bucket.wait_s()
            if not wait_s:
                self._bucket.take()
            return wait_s

    def chat_wait_s(self, chat_id: int) -> float:
        """Return the seconds until a chat may get the next message."""
        with self._lock:
            return self._chat(chat_id).wait_s()

    def count_message(self, chat_id: int) -> None:
        """Count a message to a chat."""
        with self._lock:
            self._chat(chat_id).take()

    def take_turn_for_draft(self, chat_id: int, *, is_message: bool) -> bool:
        """Count a draft or a sign of activity; return False if a reply might have to wait for it."""
        with self._lock:
            chat = self._chat(chat_id)
            if self._bucket.wait_s(SPARED_BY_DRAFTS) or (is_message and chat.wait_s(SPARED_BY_DRAFTS)):
                return False
            self._bucket.take()
            if is_message:
                chat.take()
            return True

    def _chat(self, chat_id: int) -> _Bucket:
        if chat_id not in self._chats:
            if len(self._chats) >= MAX_CHATS:
                now = time.monotonic()
                self._chats = {id_: bucket for id_, bucket in self._chats.items() if bucket.full_at > now}
            is_group = chat_id < 0
            interval_s = self._limits.group_interval_s if is_group else self._limits.chat_interval_s
            self._chats[chat_id] = _Bucket(self._limits.chat_burst, interval_s)
        return self._chats[chat_id]
