"""telegram.keyed_executor: in order within a key, in parallel across keys, no wake-up is lost."""

import threading
import time
from collections import Counter, defaultdict
from functools import partial

import pytest
from conftest import eventually

from telegram import keyed_executor
from telegram.keyed_executor import KeyedExecutor


class BlockableWork:
    """Work that can be blocked, and that counts its calls."""

    def __init__(self) -> None:
        self.steps_left: dict[int, int] = defaultdict(int)  # by key
        self.finished: list[int] = []  # the key of every finished step
        self.concurrent_calls: Counter[int] = Counter()
        self.max_concurrent_calls: Counter[int] = Counter()
        self.started = 0
        self.unblocked = threading.Event()
        self.unblocked.set()

    def __call__(self, key: int) -> float | None:
        self.concurrent_calls[key] += 1
        self.max_concurrent_calls[key] = max(self.max_concurrent_calls[key], self.concurrent_calls[key])
        self.started += 1
        self.unblocked.wait()
        self.concurrent_calls[key] -= 1
        if self.steps_left[key] == 0:
            return None
        self.steps_left[key] -= 1
        self.finished.append(key)
        return 0.0


def test_different_keys_run_in_parallel_and_one_key_never_does() -> None:
    work = BlockableWork()
    executor = KeyedExecutor("test", work, max_threads=20)
    work.unblocked.clear()
    for _ in range(3):
        for key in range(20):
            work.steps_left[key] += 1
            executor.wake(key)
    eventually(lambda: work.started == 20)
    work.unblocked.set()
    eventually(lambda: len(work.finished) == 60)
    assert set(work.max_concurrent_calls.values()) == {1}
    executor.stop(1, 1)


def test_an_idle_thread_does_not_prevent_more_threads_from_starting() -> None:
    work = BlockableWork()
    executor = KeyedExecutor("test", work, max_threads=20)
    executor.wake(99)
    eventually(lambda: work.started == 1)
    work.unblocked.clear()
    for key in range(20):
        executor.wake(key)
    eventually(lambda: work.started == 21)
    work.unblocked.set()
    executor.stop(1, 1)


def test_with_one_thread_the_keys_take_turns() -> None:
    work = BlockableWork()
    executor = KeyedExecutor("test", work, max_threads=1)
    work.unblocked.clear()
    for key in (1, 2, 3):
        work.steps_left[key] = 2
        executor.wake(key)
    work.unblocked.set()
    eventually(lambda: len(work.finished) == 6)
    assert work.finished == [1, 2, 3, 1, 2, 3]
    executor.stop(1, 1)


def test_a_key_woken_while_it_runs_runs_again() -> None:
    work = BlockableWork()
    executor = KeyedExecutor("test", work, max_threads=1)
    work.unblocked.clear()
    executor.wake(1)
    eventually(lambda: work.started == 1)
    executor.wake(1)
    work.unblocked.set()
    eventually(lambda: work.started == 2)
    executor.stop(1, 1)


def test_a_key_may_be_any_hashable_value() -> None:
    calls: list[tuple[int, str]] = []
    executor = KeyedExecutor("test", calls.append, max_threads=1)
    executor.wake((1, "a"))
    eventually(lambda: calls == [(1, "a")])
    executor.stop(1, 1)


def test_a_delayed_key_blocks_no_thread_and_runs_at_its_time() -> None:
    calls: list[tuple[int, float]] = []

    def work(key: int) -> float | None:
        calls.append((key, time.monotonic()))
        if len(calls) == 1:
            executor.wake(2)
            return 0.3
        if key == 2:
            executor.wake(1)  # does not shorten the delay
        return None

    executor = KeyedExecutor("test", work, max_threads=1)
    executor.wake(1)
    eventually(lambda: len(calls) == 3)
    assert [key for key, _ in calls] == [1, 2, 1]
    assert calls[2][1] - calls[0][1] >= 0.3
    executor.stop(1, 1)


def test_an_idle_thread_takes_over_a_delay_from_a_thread_that_becomes_busy() -> None:
    unblocked, calls = threading.Event(), []

    def work(key: int) -> float | None:
        calls.append(key)
        if key == 1 and calls.count(1) == 1:
            return 0.2
        if key == 2:
            unblocked.wait()
        return None

    executor = KeyedExecutor("test", work, max_threads=2)
    executor.wake(3)
    executor.wake(1)
    eventually(lambda: 1 in calls)
    executor.wake(2)
    eventually(lambda: calls.count(1) == 2)  # while key 2 still blocks a thread
    unblocked.set()
    executor.stop(1, 1)


def test_work_that_raises_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keyed_executor, "RETRY_AFTER_ERROR_S", 0.01)
    calls: list[int] = []

    def work(key: int) -> float | None:
        calls.append(key)
        if len(calls) < 3:
            raise ValueError
        return None

    executor = KeyedExecutor("test", work, max_threads=1)
    executor.wake(1)
    eventually(lambda: len(calls) == 3)
    assert caplog.text.count("will try again") == 2
    executor.stop(1, 1)


def test_stop_runs_due_work_and_waits_for_running_work() -> None:
    work = BlockableWork()
    executor = KeyedExecutor("test", work, max_threads=2)
    for key in range(10):
        work.steps_left[key] = 3
        executor.wake(key)
    executor.stop(grace_s=30, linger_s=30)
    assert len(work.finished) == 30


def test_stop_starts_nothing_after_the_grace_period() -> None:
    work = BlockableWork()
    executor = KeyedExecutor("test", work, max_threads=1)
    work.unblocked.clear()
    work.steps_left[1] = work.steps_left[2] = 1
    executor.wake(1)
    executor.wake(2)
    eventually(lambda: work.started == 1)

    def unblock_when_stopping() -> None:
        eventually(lambda: executor._stopping)
        work.unblocked.set()

    threading.Thread(target=unblock_when_stopping).start()
    executor.stop(grace_s=0, linger_s=30)
    assert work.finished == [1]


def test_threads_that_cannot_start_leave_the_work_to_those_that_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As when a system reaches its limit of threads, and later has room again."""
    work = BlockableWork()
    executor = KeyedExecutor("test", work, max_threads=4)
    start = threading.Thread.start

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    work.unblocked.clear()
    for key in range(10):
        executor.wake(key)
    eventually(lambda: work.started == 1)
    work.unblocked.set()
    eventually(lambda: work.started == 10)
    assert "can't start new thread" in caplog.text
    monkeypatch.setattr(threading.Thread, "start", start)
    work.unblocked.clear()
    for key in range(10):
        executor.wake(key)
    eventually(lambda: work.started == 14)  # all four threads
    work.unblocked.set()
    eventually(lambda: work.started == 20)
    executor.stop(1, 1)


def test_keys_that_were_slow_leave_half_of_the_threads_to_the_others() -> None:
    unblocked = threading.Event()
    running: Counter[str] = Counter()

    def work(key: tuple[str, int]) -> None:
        running[key[0]] += 1
        unblocked.wait()

    executor = KeyedExecutor("test", work, max_threads=8, slow_after_s=0.01)
    for number in range(8):
        executor.wake(("hanging", number))
    eventually(lambda: running["hanging"] == 8)
    all_run_at = time.monotonic()
    eventually(lambda: time.monotonic() > all_run_at + 0.02)  # the steps are slow from now on
    unblocked.set()
    eventually(lambda: not executor._running)
    unblocked.clear()
    for number in range(8):
        executor.wake(("hanging", number))
    eventually(lambda: running["hanging"] == 8 + 4)
    for number in range(4):
        executor.wake(("quick", number))
    eventually(lambda: running["quick"] == 4)
    assert executor.waiting_keys() == [("hanging", number) for number in range(4, 8)]
    unblocked.set()
    eventually(lambda: running["hanging"] == 16)
    executor.stop(1, 1)


def test_no_more_threads_start_than_the_work_needs() -> None:
    work = BlockableWork()
    executor = KeyedExecutor("test", work, max_threads=20)
    for key in range(10):
        executor.wake(key, delay_s=1000)
    for _ in range(10):
        started = work.started
        executor.wake(11)
        eventually(partial(lambda started: work.started > started, started))
        eventually(lambda: not executor._running)
    assert executor._threads <= 2
    executor.stop(1, 1)


def test_a_key_woken_with_a_delay_runs_at_its_time() -> None:
    calls: list[float] = []
    executor: KeyedExecutor[int] = KeyedExecutor("test", lambda _: calls.append(time.monotonic()), max_threads=2)
    woken_at = time.monotonic()
    executor.wake(1, delay_s=0.1)
    executor.wake(1)  # a key that waits keeps waiting
    eventually(lambda: calls)
    assert calls[0] - woken_at >= 0.1
    executor.stop(1, 1)
