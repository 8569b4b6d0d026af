"""lanes: in order within a key, in parallel across keys, nothing woken is forgotten."""

import threading
import time
from collections import defaultdict

import pytest
from conftest import eventually

from runtime.lanes import Lanes


class Work:
    """Work that can be held up, and remembers who was called when."""

    def __init__(self) -> None:
        self.left: dict[int, int] = defaultdict(int)
        self.done: list[int] = []
        self.at_once: dict[int, int] = defaultdict(int)
        self.most_at_once: dict[int, int] = defaultdict(int)
        self.gate = threading.Event()
        self.gate.set()
        self.started = 0

    def __call__(self, key: int) -> float | None:
        self.at_once[key] += 1
        self.most_at_once[key] = max(self.most_at_once[key], self.at_once[key])
        self.started += 1
        self.gate.wait()
        self.at_once[key] -= 1
        if self.left[key] == 0:
            return None
        self.left[key] -= 1
        self.done.append(key)
        return 0.0


def test_keys_are_worked_on_side_by_side_and_each_one_alone() -> None:
    work = Work()
    lanes = Lanes("test", work, threads=20)
    work.gate.clear()
    for _ in range(3):
        for key in range(20):
            work.left[key] += 1
            lanes.wake(key)
    eventually(lambda: work.started == 20)
    work.gate.set()
    eventually(lambda: len(work.done) == 60)
    assert set(work.most_at_once.values()) == {1}
    lanes.stop(1, 1)


def test_a_waiting_thread_does_not_keep_new_keys_from_getting_their_own() -> None:
    work = Work()
    lanes = Lanes("test", work, threads=20)
    lanes.wake(99)
    eventually(lambda: work.started == 1)
    work.gate.clear()
    for key in range(20):
        lanes.wake(key)
    eventually(lambda: work.started == 21)
    work.gate.set()
    lanes.stop(1, 1)


def test_no_more_threads_than_allowed_and_keys_take_turns() -> None:
    work = Work()
    lanes = Lanes("test", work, threads=1)
    work.gate.clear()
    for key in (1, 2, 3):
        work.left[key] = 2
        lanes.wake(key)
    work.gate.set()
    eventually(lambda: len(work.done) == 6)
    assert work.done == [1, 2, 3, 1, 2, 3]
    lanes.stop(1, 1)


def test_a_key_woken_while_it_runs_is_looked_at_again() -> None:
    work = Work()
    lanes = Lanes("test", work, threads=1)
    work.gate.clear()
    lanes.wake(1)
    eventually(lambda: work.started == 1)
    lanes.wake(1)
    work.gate.set()
    eventually(lambda: work.started == 2)
    lanes.stop(1, 1)


def test_a_key_that_waits_keeps_no_thread_and_comes_at_its_time() -> None:
    calls: list[tuple[int, float]] = []

    def work(key: int) -> float | None:
        calls.append((key, time.monotonic()))
        return 0.3 if key == 1 and len([k for k, _ in calls if k == 1]) == 1 else None

    lanes = Lanes("test", work, threads=1)
    lanes.wake(1)
    eventually(lambda: calls)
    lanes.wake(1)  # it goes on waiting
    lanes.wake(2)
    eventually(lambda: len(calls) == 3)
    assert [key for key, _ in calls] == [1, 2, 1]
    assert calls[2][1] - calls[0][1] >= 0.3
    lanes.stop(1, 1)


def test_a_timer_is_watched_while_every_thread_that_knew_of_it_is_busy() -> None:
    gate, calls = threading.Event(), []

    def work(key: int) -> float | None:
        calls.append(key)
        if key == 1 and calls.count(1) == 1:
            return 0.2
        if key == 2:
            gate.wait()
        return None

    lanes = Lanes("test", work, threads=2)
    lanes.wake(3)
    lanes.wake(1)
    eventually(lambda: 1 in calls)
    lanes.wake(2)
    eventually(lambda: calls.count(1) == 2)  # while 2 still holds a thread
    gate.set()
    lanes.stop(1, 1)


def test_work_that_raises_is_done_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("runtime.lanes.AFTER_FAILURE_S", 0.01)
    calls: list[int] = []

    def work(key: int) -> float | None:
        calls.append(key)
        if len(calls) < 3:
            raise ValueError
        return None

    lanes = Lanes("test", work, threads=1)
    lanes.wake(1)
    eventually(lambda: len(calls) == 3)
    assert caplog.text.count("will try again") == 2
    lanes.stop(1, 1)


def test_stop_lets_what_is_due_be_done_and_waits_for_what_runs() -> None:
    work = Work()
    lanes = Lanes("test", work, threads=2)
    for key in range(10):
        work.left[key] = 3
        lanes.wake(key)
    lanes.stop(grace_s=30, linger_s=30)
    assert len(work.done) == 30


def test_stop_starts_nothing_once_the_grace_is_over() -> None:
    work = Work()
    lanes = Lanes("test", work, threads=1)
    work.gate.clear()
    work.left[1] = work.left[2] = 1
    lanes.wake(1)
    lanes.wake(2)
    eventually(lambda: work.started == 1)
    threading.Timer(0.1, work.gate.set).start()
    lanes.stop(grace_s=0, linger_s=30)
    assert work.done == [1]
