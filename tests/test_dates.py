"""notes.dates: days and periods as people write them.

- days, ranges, weeks, months and years; without a year the latest is meant
- the next such day for what lies ahead
- any other text is no date, and no text fails
- periods begin and end at midnight in the person's zone
"""

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notes import dates
from notes.dates import Period, parse_day, parse_period

TODAY = date(2026, 11, 21)  # a Saturday


def period(first: str, last: str = "") -> Period:
    return Period(date.fromisoformat(first), date.fromisoformat(last or first))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("сегодня", period("2026-11-21")),
        ("Вчера", period("2026-11-20")),
        ("позавчера", period("2026-11-19")),
        ("за вчера", period("2026-11-20")),
        ("20.11", period("2026-11-20")),
        ("22.11", period("2025-11-22")),
        ("20.11.2024", period("2024-11-20")),
        ("5.1.25", period("2025-01-05")),
        ("2025-11-20", period("2025-11-20")),
        ("29.02", period("2024-02-29")),
        ("20 ноября", period("2026-11-20")),
        ("1 мая 2025 года", period("2025-05-01")),
        ("в пятницу", period("2026-11-20")),
        ("в субботу", period("2026-11-21")),
        ("воскресенье", period("2026-11-15")),
        ("во вторник", period("2026-11-17")),
        ("за неделю", period("2026-11-15", "2026-11-21")),
        ("за последнюю неделю", period("2026-11-15", "2026-11-21")),
        ("за 3 дня", period("2026-11-19", "2026-11-21")),
        ("за две недели", period("2026-11-08", "2026-11-21")),
        ("за месяц", period("2026-10-22", "2026-11-21")),
        ("за последние 2 месяца", period("2026-09-22", "2026-11-21")),
        ("за год", period("2025-11-22", "2026-11-21")),
        ("за эту неделю", period("2026-11-16", "2026-11-22")),
        ("на прошлой неделе", period("2026-11-09", "2026-11-15")),
        ("в этом месяце", period("2026-11-01", "2026-11-30")),
        ("прошлый месяц", period("2026-10-01", "2026-10-31")),
        ("в прошлом году", period("2025-01-01", "2025-12-31")),
        ("в ноябре", period("2026-11-01", "2026-11-30")),
        ("за декабрь", period("2025-12-01", "2025-12-31")),
        ("ноябрь 2025", period("2025-11-01", "2025-11-30")),
        ("февраль 2024 г.", period("2024-02-01", "2024-02-29")),
        ("за 2025 год", period("2025-01-01", "2025-12-31")),
        ("с 1 по 15 ноября", period("2026-11-01", "2026-11-15")),
        ("1-15 мая 2025", period("2025-05-01", "2025-05-15")),
        ("20.11 – 25.11", period("2025-11-20", "2025-11-25")),
        ("с 20.12 по 10.01", period("2025-12-20", "2026-01-10")),
        ("с мая по июль", period("2026-05-01", "2026-07-31")),
        ("с 15 ноября", period("2026-11-15", "2026-11-21")),
    ],
)
def test_a_period_is_read(text: str, expected: Period) -> None:
    assert parse_period(text, TODAY) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "5",
            "2025",
            "молоко",
            "марина",
            "31.02",
            "30.02.2025",
            "20.13",
            "за молоко",
            "за 0 дней",
            "за 10000 лет",
            "1 января 1970",
        ),
        *(
            "в 0001 году",
            "20.11.0001",
            "с молоком",
            "25.11.2020 - 20.11.2020",
            "купить в пятницу",
            "за сто дней",
            "-",
            "с по",
        ),
        *("пятница 13", "эта", "на этой", "99999999999-15 мая"),
    ],
)
def test_any_other_text_is_no_period(text: str) -> None:
    assert parse_period(text, TODAY) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("завтра", "2026-11-22"),
        ("послезавтра", "2026-11-23"),
        ("в пятницу", "2026-11-27"),
        ("в субботу", "2026-11-21"),
        ("20.11", "2027-11-20"),
        ("22 ноября", "2026-11-22"),
        ("29 февраля", "2028-02-29"),
    ],
)
def test_a_day_ahead_is_read(text: str, expected: str) -> None:
    assert parse_day(text, TODAY, in_future=True) == date.fromisoformat(expected)


WORDS = [
    *dates.MONTHS,
    *dates.WEEKDAYS,
    *dates.UNITS,
    "с",
    "по",
    "за",
    "в",
    "прошлый",
    "эту",
    "-",
    "31",
    "02",
    "2024",
    ".",
]


@given(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join) | st.text(max_size=30))
def test_no_text_fails(text: str) -> None:
    found = parse_period(text, TODAY)
    if found:
        assert found.first <= found.last
        since, until = found.moments(ZoneInfo("Europe/Moscow"))
        assert since < until


def test_a_number_of_any_length_is_read_or_not() -> None:
    assert parse_period(f"за {'9' * 5000} дней", TODAY) is None  # a rich message may be that long


def test_a_period_begins_and_ends_at_midnight_in_the_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    since, until = period("2026-10-25").moments(berlin)  # the clocks go back in this night
    assert until - since == 25 * 3600
    assert (since, until) == (1_792_879_200, 1_792_969_200)


def test_a_bare_name_is_rather_a_word() -> None:
    assert dates.is_bare_name("Май")
    assert dates.is_bare_name("пятница")
    assert not dates.is_bare_name("в пятницу")
    assert not dates.is_bare_name("вчера")
