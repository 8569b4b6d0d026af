"""Tests of llm/gateway_pace.py.

Limits and headers come from RVFreeLLM's document, sections "Лимиты по типам ключей" and "Заголовки Rate Limit".
"""

import time

import pytest

from llm.gateway_pace import GatewayPace
from openrouter_client import ErrorKind, OpenRouterError


def headers(remaining: int, seconds_left: float, limit: int = 30) -> dict[str, str]:
    reset_at = int(time.time() + seconds_left)
    values = {"Limit": limit, "Remaining": remaining, "Reset": reset_at}
    return {f"X-RateLimit-{name}": str(value) for name, value in values.items()}


def acquire_at_once(pace: GatewayPace) -> bool:
    """Try to acquire without waiting."""
    return pace.acquire(lambda: True, lambda _: None)


def test_thirty_requests_a_minute_before_the_first_response() -> None:
    pace = GatewayPace(30)
    assert [acquire_at_once(pace) for _ in range(31)] == [True] * 30 + [False]


def test_the_headers_tell_how_many_requests_remain() -> None:
    pace = GatewayPace(30)
    pace.read_headers(headers(remaining=2, seconds_left=40))
    assert [acquire_at_once(pace) for _ in range(3)] == [True, True, False]


def test_a_late_response_does_not_give_requests_back() -> None:
    pace = GatewayPace(30)
    pace.read_headers(headers(remaining=1, seconds_left=40))
    assert acquire_at_once(pace)
    pace.read_headers(headers(remaining=1, seconds_left=40))  # was sent before the request above arrived
    assert not acquire_at_once(pace)


def test_the_window_of_a_test_key_is_too_long_to_wait_for() -> None:
    pace = GatewayPace(30)
    pace.read_headers(headers(remaining=0, seconds_left=3600))
    with pytest.raises(OpenRouterError) as caught:
        pace.acquire(lambda: False, lambda _: None)
    assert caught.value.kind is ErrorKind.LIMIT_MINUTE
    assert caught.value.reset_at is not None
    assert 3590 <= caught.value.reset_at - time.time() <= 3600


def test_a_clock_that_is_behind_does_not_hold_requests_back() -> None:
    pace = GatewayPace(30)
    pace.read_headers(headers(remaining=0, seconds_left=30 * 86_400, limit=1))
    assert [acquire_at_once(pace) for _ in range(2)] == [True, False]


def test_a_waiting_request_is_sent_in_the_next_window() -> None:
    pace = GatewayPace(30)
    pace.read_headers(headers(remaining=0, seconds_left=2))
    positions: list[int] = []
    assert pace.acquire(lambda: False, positions.append)
    assert set(positions) == {1}


@pytest.mark.parametrize("value", ["", "?", "-1", "1e9", "٣", "9" * 99])
def test_headers_without_numbers_are_ignored(value: str) -> None:
    pace = GatewayPace(2)
    pace.read_headers({**headers(remaining=0, seconds_left=3600), "X-RateLimit-Reset": value})
    assert acquire_at_once(pace)
