"""Run work in order within a key and in parallel across keys.

The outbox uses chats as keys: messages of one chat go out in order, and a slow chat does not delay the others.
"""

import heapq
import itertools
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import storage

log = logging.getLogger(__name__)

RETRY_AFTER_ERROR_S = 5.0

Key = TypeVar("Key", bound=Hashable)


class KeyedExecutor(Generic[Key]):
    """Calls work(key) for every woken key, never twice at the same time for one key.

    work(key) does one step and returns the seconds until the next call for this key (0.0: as soon as possible),
    or None when the key has nothing left to do.

    The first thread starts with the executor, others on demand, up to max_threads; then they stay. If another one
    cannot start, those that run do its work. Keys whose last step took longer than slow_after_s together get at
    most half of the threads.

    Keys for which is_urgent(key) is true come first. take_turn() returns 0.0 if a step may begin now, else the
    seconds until then; both functions must be quick.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Key], float | None],
        max_threads: int,
        *,
        slow_after_s: float = math.inf,
        is_urgent: Callable[[Key], bool] = lambda _: False,
        take_turn: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._name = name
        self._work = work
        self._is_urgent = is_urgent
        self._take_turn = take_turn
        self._max_threads = max_threads
        self._max_slow = max(max_threads // 2, 1)
        self._slow_after_s = slow_after_s
        lock = threading.Lock()  # guards everything below
        self._schedule_changed = threading.Condition(lock)  # the threads wait for it
        self._work_finished = threading.Condition(lock)  # stop() waits for it
        self._threads = self._idle_threads = 0
        self._ready_urgent: deque[Key] = deque()
        self._ready: deque[Key] = deque()
        self._ready_slow: deque[Key] = deque()
        self._delayed: list[tuple[float, int, Key]] = []  # a heap of (due time, sequence number, key)
        self._sequence = itertools.count()  # keys due at the same time run in the order of their arrival
        self._watched_until = math.inf  # an idle thread wakes up by itself at this time
        self._scheduled: set[Key] = set()  # ready or delayed
        self._running: set[Key] = set()
        self._woken_while_running: dict[Key, float] = {}  # → delay
        self._slow: set[Key] = set()  # keys whose last step was slow
        self._running_slow = 0
        self._stopping = False
        self._start_thread()

    def wake(self, key: Key, delay_s: float = 0.0) -> None:
        """Schedule a key now or after a delay. A key that waits for its time keeps waiting."""
        with self._schedule_changed:
            if key in self._running:
                self._woken_while_running[key] = min(delay_s, self._woken_while_running.get(key, math.inf))
            elif key not in self._scheduled:
                self._add_to_schedule(key, delay_s)
                self._wake_a_thread()

    def waiting_keys(self) -> list[Key]:
        """Return the keys that only wait for a thread, the first in line first."""
        with self._schedule_changed:
            return [*self._ready_urgent, *self._ready, *self._ready_slow]

    def stop(self, grace_s: float, linger_s: float) -> None:
        """Run due work for up to grace_s, then start nothing more and wait up to linger_s for running work."""
        with self._work_finished:
            self._work_finished.wait_for(self._is_nothing_due, grace_s)
            self._stopping = True
            self._schedule_changed.notify_all()
            self._work_finished.wait_for(lambda: not self._running, linger_s)

    def _is_nothing_due(self) -> bool:
        self._move_due_keys()
        return not (self._running or self._has_ready_keys())

    def _has_ready_keys(self) -> bool:
        return bool(self._ready_urgent or self._ready or self._ready_slow)

    def _add_to_schedule(self, key: Key, delay_s: float) -> None:
        self._scheduled.add(key)
        if delay_s > 0:
            heapq.heappush(self._delayed, (time.monotonic() + delay_s, next(self._sequence), key))
        else:
            self._add_ready(key)

    def _add_ready(self, key: Key) -> None:
        if key in self._slow:
            self._ready_slow.append(key)
        elif self._is_urgent(key):
            self._ready_urgent.append(key)
        else:
            self._ready.append(key)

    def _move_due_keys(self) -> None:
        now = time.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            self._add_ready(heapq.heappop(self._delayed)[2])

    # Threads

    def _wake_a_thread(self) -> None:
        """Let an idle thread look at the schedule; start one if all are busy."""
        if self._idle_threads:
            self._schedule_changed.notify()
        elif self._threads < self._max_threads and not self._stopping:
            try:
                self._start_thread()
            except RuntimeError as error:  # the system has no room for another one
                log.warning("%s: %s, so %d do the work", self._name, error, self._threads)

    def _start_thread(self) -> None:
        threading.Thread(target=self._run_thread, name=self._name, daemon=True).start()
        self._threads += 1
        self._idle_threads += 1

    def _run_thread(self) -> None:
        while (key := self._next_key()) is not None:
            started_at = time.monotonic()
            delay_s = self._run_work(key)
            self._reschedule(key, delay_s, is_slow=time.monotonic() - started_at > self._slow_after_s)
        storage.close_thread()

    def _next_key(self) -> Key | None:
        """Wait for the next due key and return it; None when stopping."""
        with self._schedule_changed:
            while not self._stopping:
                self._move_due_keys()
                due_at = self._delayed[0][0] if self._delayed else math.inf
                if queue := self._queue_to_serve():
                    pause_s = self._take_turn()
                    if not pause_s:
                        return self._take(queue)
                    due_at = min(due_at, time.monotonic() + pause_s)
                if due_at < self._watched_until:  # of all idle threads, only one needs to wake up at that time
                    self._watched_until = due_at
                    self._schedule_changed.wait(due_at - time.monotonic())
                    self._watched_until = math.inf
                else:
                    self._schedule_changed.wait()
            return None

    def _queue_to_serve(self) -> deque[Key] | None:
        may_be_slow = self._running_slow < self._max_slow
        return self._ready_urgent or self._ready or (self._ready_slow if may_be_slow else None)

    def _take(self, queue: deque[Key]) -> Key:
        key = queue.popleft()
        self._scheduled.discard(key)
        self._running.add(key)
        self._running_slow += key in self._slow
        self._idle_threads -= 1
        is_unwatched = self._delayed and self._delayed[0][0] < self._watched_until
        if self._has_ready_keys() or is_unwatched:
            self._wake_a_thread()
        return key

    def _run_work(self, key: Key) -> float | None:
        try:
            return self._work(key)
        except Exception as error:
            if storage.is_unavailable(error):
                log.error("%s will try again: %s", self._name, error)
            else:
                log.exception("%s will try again", self._name)
            return RETRY_AFTER_ERROR_S

    def _reschedule(self, key: Key, delay_s: float | None, *, is_slow: bool) -> None:
        """Schedule the next call for a key that has just run, if it needs one; this thread then sees it."""
        with self._schedule_changed:
            self._idle_threads += 1
            self._running.discard(key)
            self._running_slow -= key in self._slow
            if is_slow:
                self._slow.add(key)
            else:
                self._slow.discard(key)
            woken_delay_s = self._woken_while_running.pop(key, None)
            if delay_s is None:
                delay_s = woken_delay_s
            if delay_s is not None:
                self._add_to_schedule(key, delay_s)
            self._work_finished.notify_all()
