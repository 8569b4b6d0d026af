"""Tests of llm/rate_limiter.py: bursts pass, later requests wait in order of arrival."""

import threading
import time
from functools import partial

import pytest
from conftest import eventually

from llm import rate_limiter
from llm.rate_limiter import RateLimiter


def acquire_at_once(limiter: RateLimiter) -> bool:
    """Try to acquire without waiting."""
    return limiter.acquire(lambda: True, lambda _: None)


def test_a_burst_passes_up_to_the_limit() -> None:
    limiter = RateLimiter(3)
    assert [acquire_at_once(limiter) for _ in range(4)] == [True, True, True, False]


def test_requests_before_a_restart_count() -> None:
    results = [acquire_at_once(RateLimiter(3, ages_s)) for ages_s in ([50, 20, 1], [61, 20, 1], [])]
    assert results == [False, True, True]


def test_waiting_requests_pass_later_in_order_of_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiter, "WINDOW_S", 0.5)
    limiter = RateLimiter(2)
    passed: list[int] = []
    positions: list[tuple[int, int]] = []
    for _ in range(2):
        assert acquire_at_once(limiter)
    started = time.monotonic()

    def wait(number: int) -> None:
        if limiter.acquire(lambda: False, lambda position: positions.append((number, position))):
            passed.append(number)

    threads = []
    for number in range(4):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        eventually(partial(lambda expected: any(waiting == expected for waiting, _ in positions), number))
    for thread in threads:
        thread.join()
    assert passed == [0, 1, 2, 3]
    assert time.monotonic() - started >= 0.9
    assert positions[0] == (0, 1)


def test_a_cancelled_request_leaves_the_queue() -> None:
    limiter = RateLimiter(1)
    assert acquire_at_once(limiter)
    assert not acquire_at_once(limiter)
    assert len(limiter._queue) == 0
