"""Work in lanes: in order within a key, in parallel across keys.

The outbox has a lane for every chat, the answers one for every person. Threads are started as they are
needed, up to a number, and then kept.
"""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

import db

log = logging.getLogger(__name__)

AFTER_FAILURE_S = 5.0


class Lanes:
    """Calls work(key) for every key that was woken, never twice at once for the same key.

    work(key) returns None when the key has nothing left to do, else in how many seconds to call it again.
    """

    def __init__(self, name: str, work: Callable[[int], float | None], threads: int) -> None:
        self._name = name
        self._work = work
        self._threads_left = threads
        lock = threading.Lock()
        self._changed = threading.Condition(lock)  # what the threads wait on
        self._settled = threading.Condition(lock)  # what stop() waits on
        self._due: list[tuple[float, int, int]] = []  # a heap of (when, turn, key)
        self._turns = itertools.count()  # among those due at the same moment, first come, first served
        self._queued: set[int] = set()
        self._running: set[int] = set()
        self._woken: set[int] = set()  # while running: to be looked at once more
        self._idle = 0
        self._closing = False

    def wake(self, key: int) -> None:
        """Say that a key has something to do. A key that waits for its time goes on waiting."""
        with self._changed:
            if key in self._running:
                self._woken.add(key)
            elif key not in self._queued:
                self._queue(key, 0.0)

    def stop(self, grace_s: float, linger_s: float) -> None:
        """Go on for up to grace_s while anything is due; then start nothing, and wait for the running."""
        with self._settled:
            self._settled.wait_for(self._nothing_due, grace_s)
            self._closing = True
            self._changed.notify_all()
            self._settled.wait_for(lambda: not self._running, linger_s)

    def _nothing_due(self) -> bool:
        return not self._running and not (self._due and self._due[0][0] <= time.monotonic())

    def _queue(self, key: int, delay_s: float) -> None:
        heapq.heappush(self._due, (time.monotonic() + delay_s, next(self._turns), key))
        self._queued.add(key)
        if len(self._due) > self._idle and self._threads_left > 0 and not self._closing:
            self._threads_left -= 1
            self._idle += 1
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        self._changed.notify()

    def _run(self) -> None:
        while (key := self._take()) is not None:
            try:
                delay_s = self._work(key)
            except Exception as error:
                if db.is_unavailable(error):
                    log.error("%s will try again: %s", self._name, error)
                else:
                    log.exception("%s will try again", self._name)
                delay_s = AFTER_FAILURE_S
            self._give_back(key, delay_s)
        db.close_thread()

    def _take(self) -> int | None:
        """Wait for the next key that is due; None when closing."""
        with self._changed:
            while not self._closing:
                wait_s = self._due[0][0] - time.monotonic() if self._due else None
                if wait_s is not None and wait_s <= 0:
                    _, _, key = heapq.heappop(self._due)
                    self._queued.discard(key)
                    self._running.add(key)
                    self._idle -= 1
                    if self._due:
                        self._changed.notify()  # someone else watches for the next one's time
                    return key
                self._changed.wait(wait_s)
            return None

    def _give_back(self, key: int, delay_s: float | None) -> None:
        with self._changed:
            self._idle += 1
            self._running.discard(key)
            if delay_s is None and key in self._woken:
                delay_s = 0.0
            self._woken.discard(key)
            if delay_s is not None:
                self._queue(key, delay_s)
            self._settled.notify_all()
