"""pace: bursts go through, the rest wait in line, first come, first served."""

import threading
import time
from functools import partial

import pytest
from conftest import eventually

from runtime import pace
from runtime.pace import Pace


def at_once(line: Pace) -> bool:
    """Try to take a turn without waiting."""
    return line.take(lambda: True, lambda _: None)


def test_a_burst_goes_through_and_then_it_is_over() -> None:
    line = Pace(3)
    assert [at_once(line) for _ in range(4)] == [True, True, True, False]


def test_what_was_asked_before_a_restart_counts() -> None:
    assert [at_once(Pace(3, ages_s)) for ages_s in ([50, 20, 1], [61, 20, 1], [])] == [False, True, True]


def test_turns_come_back_with_time_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "WINDOW_S", 0.5)
    line, went, places = Pace(2), [], []
    for _ in range(2):
        assert at_once(line)
    began = time.monotonic()

    def wait(n: int) -> None:
        if line.take(lambda: False, lambda place: places.append((n, place))):
            went.append(n)

    threads = []
    for n in range(4):
        threads.append(threading.Thread(target=wait, args=(n,)))
        threads[-1].start()
        eventually(partial(lambda n: any(waiting == n for waiting, _ in places), n))
    for thread in threads:
        thread.join()
    assert went == [0, 1, 2, 3]
    assert time.monotonic() - began >= 0.9
    assert [places[n][1] for n in range(1)] == [1]


def test_who_gives_up_leaves_the_line() -> None:
    line = Pace(1)
    assert at_once(line)
    assert not at_once(line)
    assert len(line._line) == 0
