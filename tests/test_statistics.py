"""notes.statistics: notes per day, in the days of the time zone, and their summary."""

import time
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

import db
from notes import statistics

ANN, BOB = 1, 2
NOW = 1_798_752_600  # 2027-01-01 00:30 in Moscow, still the day before in London; in Unix seconds
MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.fixture
def _new_year(database: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """Make it the first hour of the year in Moscow."""
    monkeypatch.setattr(time, "time", lambda: NOW)


def add(hours_ago: float, user_id: int = ANN) -> None:
    db.add_note(user_id, user_id, 1, "раз", NOW - round(hours_ago * 3600))


@pytest.mark.usefixtures("_new_year")
def test_notes_are_counted_by_the_days_of_the_zone() -> None:
    for hours_ago in (0, 0.4, 0.6, 24.6, 7 * 24):
        add(hours_ago)
    add(0, BOB)
    per_day = statistics.notes_per_day(ANN, 3, MOSCOW)
    assert [(f"{day:%d.%m}", count) for day, count in per_day] == [("30.12", 1), ("31.12", 1), ("01.01", 2)]


@pytest.mark.usefixtures("_new_year")
def test_a_year_has_all_its_days() -> None:
    add(0)
    per_day = statistics.notes_per_day(ANN, 366, MOSCOW)
    assert len(per_day) == 366
    assert len({day for day, _ in per_day}) == 366
    assert sum(count for _, count in per_day) == 1


def days(*counts: int) -> list[tuple[date, int]]:
    return [(date(2026, 11, 1) + timedelta(days=n), count) for n, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("counts", "caption"),
    [
        ([0, 0], "Заметки за 2 дня: 0."),
        (
            [1],
            "Заметки за 1 день: 1.\nВ среднем 1,0 в день, больше всего 01.11.2026: 1 заметка.\n"
            "Дольше всего без перерыва: 1 день.\nЗаметки того дня: /note_list 01.11.2026",
        ),
        (
            [2, 1, 0, 1, 1, 5, 0],
            "Заметки за 7 дней: 10.\nВ среднем 1,4 в день, больше всего 06.11.2026: 5 заметок.\n"
            "Дольше всего без перерыва: 3 дня.\nЗаметки того дня: /note_list 06.11.2026",
        ),
    ],
)
def test_the_caption_of_the_chart(counts: list[int], caption: str) -> None:
    assert statistics.caption(days(*counts)) == caption
