"""Run work in order within a key and in parallel across keys.

The outbox uses chats as keys: messages of one chat go out in order, and a slow chat does not delay the others.
"""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import storage

log = logging.getLogger(__name__)

RETRY_AFTER_ERROR_S = 5.0

Key = TypeVar("Key", bound=Hashable)


class KeyedExecutor(Generic[Key]):
    """Calls work(key) for every woken key, never twice at the same time for one key.

    work(key) does one step and returns the seconds until the next call for this key (0.0: as soon as possible),
    or None when the key has nothing left to do. Threads start on demand, up to a maximum, and then stay.
    """

    def __init__(self, name: str, work: Callable[[Key], float | None], max_threads: int) -> None:
        self._name = name
        self._work = work
        self._threads_left = max_threads
        self._idle_threads = 0
        lock = threading.Lock()  # guards everything below
        self._schedule_changed = threading.Condition(lock)  # the threads wait for it
        self._work_finished = threading.Condition(lock)  # stop() waits for it
        self._schedule: list[tuple[float, int, Key]] = []  # a heap of (due time, sequence number, key)
        self._sequence = itertools.count()  # keys due at the same time run in the order of their arrival
        self._scheduled: set[Key] = set()
        self._running: set[Key] = set()
        self._woken_while_running: set[Key] = set()
        self._stopping = False

    def wake(self, key: Key) -> None:
        """Schedule a key now. A key that waits for its time keeps waiting."""
        with self._schedule_changed:
            if key in self._running:
                self._woken_while_running.add(key)
            elif key not in self._scheduled:
                self._add_to_schedule(key, 0.0)

    def stop(self, grace_s: float, linger_s: float) -> None:
        """Run due work for up to grace_s, then start nothing more and wait up to linger_s for running work."""
        with self._work_finished:
            self._work_finished.wait_for(self._is_nothing_due, grace_s)
            self._stopping = True
            self._schedule_changed.notify_all()
            self._work_finished.wait_for(lambda: not self._running, linger_s)

    def _is_nothing_due(self) -> bool:
        if self._running:
            return False
        return not self._schedule or self._schedule[0][0] > time.monotonic()

    def _add_to_schedule(self, key: Key, delay_s: float) -> None:
        heapq.heappush(self._schedule, (time.monotonic() + delay_s, next(self._sequence), key))
        self._scheduled.add(key)
        if len(self._schedule) > self._idle_threads and self._threads_left > 0 and not self._stopping:
            self._threads_left -= 1
            self._idle_threads += 1
            threading.Thread(target=self._run_thread, name=self._name, daemon=True).start()
        self._schedule_changed.notify()

    def _run_thread(self) -> None:
        while (key := self._next_key()) is not None:
            delay_s = self._run_work(key)
            self._reschedule(key, delay_s)
        storage.close_thread()

    def _next_key(self) -> Key | None:
        """Wait for the next due key and return it; None when stopping."""
        with self._schedule_changed:
            while not self._stopping:
                wait_s = self._schedule[0][0] - time.monotonic() if self._schedule else None
                if wait_s is not None and wait_s <= 0:
                    _, _, key = heapq.heappop(self._schedule)
                    self._scheduled.discard(key)
                    self._running.add(key)
                    self._idle_threads -= 1
                    if self._schedule:
                        self._schedule_changed.notify()  # another thread waits for the next key's time
                    return key
                self._schedule_changed.wait(wait_s)
            return None

    def _run_work(self, key: Key) -> float | None:
        try:
            return self._work(key)
        except Exception as error:
            if storage.is_unavailable(error):
                log.error("%s will try again: %s", self._name, error)
            else:
                log.exception("%s will try again", self._name)
            return RETRY_AFTER_ERROR_S

    def _reschedule(self, key: Key, delay_s: float | None) -> None:
        """Schedule the next call for a key that has just run, if it needs one."""
        with self._schedule_changed:
            self._idle_threads += 1
            self._running.discard(key)
            if delay_s is None and key in self._woken_while_running:
                delay_s = 0.0
            self._woken_while_running.discard(key)
            if delay_s is not None:
                self._add_to_schedule(key, delay_s)
            self._work_finished.notify_all()
