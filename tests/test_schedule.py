"""Tests of notes/schedule.py: times as people write them, and when a repeated reminder comes next.

- every form is read as a native speaker means it; anything else is not a time
- the rest of the text stays as it was written
- repetitions: short months, leap days, any distance; daylight saving time neither skips nor doubles a day
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import clock
from notes import schedule
from notes.schedule import When

NOW = datetime(2026, 11, 21, 16, 0)  # a Saturday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("завтра в 9", "2026-11-22 09:00"),
        ("завтра", "2026-11-22 09:00"),
        ("Завтра, в 9:05", "2026-11-22 09:05"),
        ("послезавтра утром", "2026-11-23 09:00"),
        ("сегодня", "2026-11-21 19:00"),
        ("сегодня в 10", "2026-11-21 10:00"),
        ("вечером", "2026-11-21 19:00"),
        ("днём", "2026-11-22 13:00"),
        ("в 9", "2026-11-22 09:00"),
        ("в 15:59", "2026-11-22 15:59"),
        ("в 16:01", "2026-11-21 16:01"),
        ("в 7 вечера", "2026-11-21 19:00"),
        ("в 12 ночи", "2026-11-22 00:00"),
        ("в 12 дня", "2026-11-22 12:00"),
        ("в полночь", "2026-11-22 00:00"),
        ("к 9 утра", "2026-11-22 09:00"),
        ("18:30", "2026-11-21 18:30"),
        ("в субботу в 18", "2026-11-21 18:00"),
        ("в субботу в 9", "2026-11-28 09:00"),
        ("в понедельник", "2026-11-23 09:00"),
        ("во вторник вечером", "2026-11-24 19:00"),
        ("завтра утром в 7:30", "2026-11-22 07:30"),
        ("вечером в 8", "2026-11-21 20:00"),
        ("завтра вечером в 19:30", "2026-11-22 19:30"),
        ("25.11 в 10", "2026-11-25 10:00"),
        ("20.11 в 10", "2027-11-20 10:00"),
        ("20.11.2026 в 10", "2026-11-20 10:00"),
        ("25 ноября 2027 года в 7 вечера", "2027-11-25 19:00"),
        ("в 10 25 ноября", "2026-11-25 10:00"),
        ("5 числа", "2026-12-05 09:00"),
        ("31 числа в 12:00", "2026-11-30 12:00"),
        ("через час", "2026-11-21 17:00"),
        ("через полчаса", "2026-11-21 16:30"),
        ("через полтора часа", "2026-11-21 17:30"),
        ("через 20 минут", "2026-11-21 16:20"),
        ("через две недели", "2026-12-05 16:00"),
        ("через 3 месяца", "2027-02-21 16:00"),
        ("через год", "2027-11-21 16:00"),
        ("через 3 дня в 9", "2026-11-24 09:00"),
        ("через неделю в 10:30", "2026-11-28 10:30"),
        ("через два дня утром", "2026-11-23 09:00"),
        ("через 2 часа 15 минут", "2026-11-21 18:15"),
        ("через час и 5 минут", "2026-11-21 17:05"),
        ("вчера", "2026-11-20 09:00"),
        *((text, None) for text in ("", "молоко", "в 25", "в 9:75", "9", "через", "через пень", "через 0 минут")),
        *((text, None) for text in ("через 99999 лет", "31.02", "каждый", "каждый раз", "по делам", "40 числа")),
    ],
)
def test_a_time_is_read(text: str, expected: str | None) -> None:
    when = schedule.parse(text, NOW)
    assert (f"{when.start:%Y-%m-%d %H:%M}" if when else None) == expected
    assert when is None or when.repeat == ""


@pytest.mark.parametrize(
    ("text", "repeat", "first"),
    [
        ("каждый день в 9", "day", "2026-11-22 09:00"),
        ("ежедневно в 18:30", "day", "2026-11-21 18:30"),
        ("каждый день", "day", "2026-11-22 09:00"),
        ("каждую пятницу в 17:00", "week", "2026-11-27 17:00"),
        ("по понедельникам в 8 утра", "week", "2026-11-23 08:00"),
        ("каждую неделю в среду", "week", "2026-11-25 09:00"),
        ("каждую неделю", "week", "2026-11-28 09:00"),
        ("каждый месяц 5 числа в 10", "month", "2026-12-05 10:00"),
        ("5 числа каждого месяца", "month", "2026-12-05 09:00"),
        ("каждое 31 число", "month", "2026-11-30 09:00"),
        ("каждого 5 числа", "month", "2026-12-05 09:00"),
        ("каждое 20 ноября в 12", "year", "2027-11-20 12:00"),
        ("каждый год 29 февраля", "year", "2027-02-28 09:00"),
    ],
)
def test_a_repetition_is_read(text: str, repeat: str, first: str) -> None:
    when = schedule.parse(text, NOW)
    assert when
    assert when.repeat == repeat
    assert f"{when.next_after(NOW):%Y-%m-%d %H:%M}" == first


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("в пятницу в 18:00 позвонить маме", "позвонить маме"),
        ("позвонить маме в пятницу в 18:00", "позвонить маме"),
        ("завтра: Купить\n- молоко\n- хлеб", "Купить\n- молоко\n- хлеб"),
        ("через час", ""),
        ("каждый день в 9 таблетки, две", "таблетки, две"),
    ],
)
def test_the_rest_stays_as_it_was_written(text: str, rest: str) -> None:
    found = schedule.split(text, NOW)
    assert found
    assert found[1] == rest


def test_a_text_without_a_time_is_not_split() -> None:
    assert schedule.split("купить молоко", NOW) is None


@pytest.mark.parametrize(
    "text",
    [
        "через 2 недели в пятницу",
        "30.02 в 9",
        "2 по будням в 9",
        "2 каждые 2 дня",
        "каждый рабочий день в 9 планёрка",
        "полить цветы каждые 2 дня",
        "по средам и пятницам в 10",
        "2 в следующий понедельник",
    ],
)
def test_a_time_that_is_only_partly_understood_is_not_read(text: str) -> None:
    assert schedule.split(text, NOW) is None


@given(st.text(max_size=60))
def test_any_text_is_read_or_not(text: str) -> None:
    schedule.split(text, NOW)


@given(
    start=st.datetimes(datetime(2020, 1, 1), datetime(2030, 12, 31)),
    repeat=st.sampled_from(["day", "week", "month", "year"]),
    distance=st.timedeltas(timedelta(days=-400), timedelta(days=4000)),
)
def test_the_next_time_is_the_first_one_after_the_moment(
    start: datetime, repeat: str, distance: timedelta
) -> None:
    moment = start + distance
    found = When(start, repeat).next_after(moment)
    assert found is not None
    assert found > moment
    assert found.time() == start.time()
    if found != start:
        longest = {"day": 1, "week": 7, "month": 31, "year": 366}[repeat]
        assert found - max(moment, start) <= timedelta(days=longest)


def test_the_31st_comes_on_the_last_day_of_each_month() -> None:
    when = When(datetime(2027, 1, 31, 9, 0), "month")
    days, moment = [], datetime(2027, 1, 1)
    for _ in range(13):
        found = when.next_after(moment)
        assert found
        days.append((found.month, found.day))
        moment = found
    assert [day for _, day in days] == [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31]


def test_29_february_comes_every_year() -> None:
    when = When(datetime(2024, 2, 29, 9, 0), "year")
    assert when.next_after(datetime(2026, 3, 1)) == datetime(2027, 2, 28, 9, 0)
    assert when.next_after(datetime(2027, 3, 1)) == datetime(2028, 2, 29, 9, 0)


@pytest.mark.parametrize("hour", [1, 2, 3])
@pytest.mark.parametrize("month", [3, 10])
def test_a_daily_reminder_comes_once_on_each_day_of_a_change_of_the_clock(month: int, hour: int) -> None:
    berlin = ZoneInfo("Europe/Berlin")  # 2027-03-28: 2:00 is 3:00; 2027-10-31: 3:00 is 2:00
    when = When(datetime(2027, month, 20, hour, 30), "day")
    moment = datetime(2027, month, 26)
    moments = []
    for _ in range(8):
        found = when.next_after(moment)
        assert found
        due_at = clock.to_moment(found, berlin)
        moments.append(due_at)
        moment = clock.to_local(due_at, berlin).replace(tzinfo=None)
    local_days = [clock.to_local(due_at, berlin).date() for due_at in moments]
    assert local_days == [local_days[0] + timedelta(days=n) for n in range(8)]
    gaps = {later - earlier for earlier, later in pairwise(moments)}
    assert gaps <= {23 * 3600, 24 * 3600, 25 * 3600}
    assert datetime.fromtimestamp(moments[0], UTC)
