"""texts: numbers in words, moments in the people's time zone, the summary of the chart."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

import texts

NEW_YEAR = 1_798_750_800  # 2027-01-01 00:00 in Moscow, in Unix seconds


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0 заметок"),
        (1, "1 заметка"),
        (2, "2 заметки"),
        (4, "4 заметки"),
        (5, "5 заметок"),
        (11, "11 заметок"),
        (12, "12 заметок"),
        (14, "14 заметок"),
        (21, "21 заметка"),
        (22, "22 заметки"),
        (100, "100 заметок"),
        (101, "101 заметка"),
        (111, "111 заметок"),
        (112, "112 заметок"),
    ],
)
def test_plural(number: int, expected: str) -> None:
    assert texts.notes(number) == expected


def test_every_number_has_its_form() -> None:
    days = [texts.days(number) for number in (1, 2, 5, 11, 21, 366)]
    assert days == ["1 день", "2 дня", "5 дней", "11 дней", "21 день", "366 дней"]
    assert texts.imported(1, 2, 5) == "Добавлено: 1 заметка. Уже были: 2 заметки. Не подошли: 5 записей."
    assert texts.imported(11, 21, 0) == "Добавлено: 11 заметок. Уже были: 21 заметка."


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Europe/Moscow", "01.01.2027 00:00"),
        ("Europe/Kaliningrad", "31.12.2026 23:00"),
        ("Asia/Vladivostok", "01.01.2027 07:00"),
        ("Pacific/Kiritimati", "01.01.2027 11:00"),
    ],
)
def test_moments_are_said_in_the_time_zone(monkeypatch: pytest.MonkeyPatch, zone: str, said: str) -> None:
    monkeypatch.setattr(texts, "_zone", ZoneInfo(zone))
    assert texts.when(NEW_YEAR) == said
    begins = texts.midnight(texts.local(NEW_YEAR).date())
    assert begins <= NEW_YEAR < begins + 86400
    assert texts.when(begins).endswith(" 00:00")


def days(*counts: int) -> list[tuple[date, int]]:
    return [(date(2026, 11, 1) + timedelta(days=n), count) for n, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("counts", "caption"),
    [
        ([0, 0], "Заметки за 2 дня: 0."),
        (
            [1],
            "Заметки за 1 день: 1.\nВ среднем 1,0 в день, больше всего 01.11.2026: 1 заметка.\n"
            "Самая длинная серия: 1 день подряд.",
        ),
        (
            [2, 1, 0, 1, 1, 5, 0],
            "Заметки за 7 дней: 10.\nВ среднем 1,4 в день, больше всего 06.11.2026: 5 заметок.\n"
            "Самая длинная серия: 3 дня подряд.",
        ),
    ],
)
def test_the_summary_of_the_chart(counts: list[int], caption: str) -> None:
    assert texts.stats_caption(days(*counts)) == caption
