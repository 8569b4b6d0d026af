"""clock: moments in a time zone, the start of a day and of a period, the UTC day."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import clock

NEW_YEAR = 1_798_750_800  # 2027-01-01 00:00 in Moscow
ZONES = ["Europe/Moscow", "Europe/Kaliningrad", "Asia/Vladivostok", "Pacific/Kiritimati", "America/New_York"]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Europe/Moscow", "01.01.2027 00:00"),
        ("Europe/Kaliningrad", "31.12.2026 23:00"),
        ("Asia/Vladivostok", "01.01.2027 07:00"),
        ("Pacific/Kiritimati", "01.01.2027 11:00"),
    ],
)
def test_a_moment_is_shown_in_the_time_zone_and_its_day_starts_at_midnight(zone: str, expected: str) -> None:
    local = clock.to_local(NEW_YEAR, ZoneInfo(zone))
    assert f"{local:%d.%m.%Y %H:%M}" == expected
    start = clock.day_start(local.date(), ZoneInfo(zone))
    assert start <= NEW_YEAR < start + clock.DAY_S
    assert f"{clock.to_local(start, ZoneInfo(zone)):%H:%M}" == "00:00"


@given(moment=st.integers(1_000_000_000, 4_000_000_000), zone=st.sampled_from(ZONES))
def test_a_day_starts_at_its_first_second(moment: int, zone: str) -> None:
    day = clock.to_local(moment, ZoneInfo(zone)).date()
    start = clock.day_start(day, ZoneInfo(zone))
    assert start <= moment
    assert clock.to_local(start, ZoneInfo(zone)).date() == day
    assert clock.to_local(start - 1, ZoneInfo(zone)).date() < day


@pytest.fixture
def moscow_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone of this machine cannot be changed for a test")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Moscow")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("moscow_machine")
def test_without_a_zone_the_zone_of_the_machine_counts() -> None:
    assert clock.to_local(NEW_YEAR, None) == datetime(2027, 1, 1)
    assert clock.day_start(date(2027, 1, 1), None) == NEW_YEAR


def at(monkeypatch: pytest.MonkeyPatch, moment: float) -> None:
    monkeypatch.setattr(time, "time", lambda: moment)


def test_today_depends_on_the_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, NEW_YEAR + 0.5)
    assert clock.now() == NEW_YEAR
    assert clock.today(ZoneInfo("Europe/Moscow")) == date(2027, 1, 1)
    assert clock.today(ZoneInfo("Europe/Kaliningrad")) == date(2026, 12, 31)


@pytest.mark.parametrize(
    ("days", "expected"), [(1, (2027, 1, 1)), (2, (2026, 12, 31)), (7, (2026, 12, 26)), (366, (2026, 1, 1))]
)
def test_a_period_includes_today(
    monkeypatch: pytest.MonkeyPatch, days: int, expected: tuple[int, int, int]
) -> None:
    moscow = ZoneInfo("Europe/Moscow")
    for moment in (NEW_YEAR, NEW_YEAR + clock.DAY_S - 1):
        at(monkeypatch, moment)
        assert clock.period_start(days, moscow) == datetime(*expected, tzinfo=moscow).timestamp()


def test_a_period_starts_at_midnight_on_either_side_of_a_clock_change(monkeypatch: pytest.MonkeyPatch) -> None:
    berlin = ZoneInfo("Europe/Berlin")  # winter time began on October 25, 2026
    at(monkeypatch, datetime(2026, 10, 26, 12, tzinfo=berlin).timestamp())
    starts = [clock.period_start(days, berlin) for days in (1, 2, 3)]
    assert [clock.to_local(start, berlin).hour for start in starts] == [0, 0, 0]
    assert [starts[0] - starts[1], starts[1] - starts[2]] == [25 * 3600, 24 * 3600]


@pytest.mark.parametrize("seconds", [0, 1, 43_200, 86_399])
def test_the_utc_day(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    midnight = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp())
    at(monkeypatch, midnight + seconds)
    assert clock.utc_midnight() == midnight
    assert clock.next_utc_midnight() == midnight + 86_400
