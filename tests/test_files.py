"""files: what is made when it is sent: the chart of notes per day."""

import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import db
import texts
from runtime import chart, files

pytestmark = pytest.mark.usefixtures("database")

ANN, BOB = 1, 2
NOW = 1_798_752_600  # 2027-01-01 00:30 in Moscow, the day before in London; in Unix seconds


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Give what was drawn; it is the first hour of the year in Moscow."""
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(texts, "_zone", ZoneInfo("Europe/Moscow"))
    calls: list[Any] = []
    draw = chart.notes_per_day

    def note_and_draw(per_day: Any, *more: Any) -> bytes:
        calls.append(per_day)
        return draw(per_day, *more)

    monkeypatch.setattr(chart, "notes_per_day", note_and_draw)
    return calls


def add(hours_ago: float, user_id: int = ANN) -> None:
    db.add_note(user_id, user_id, 1, "раз", NOW - round(hours_ago * 3600))


def test_notes_are_counted_by_the_days_of_the_zone(drawn: list[Any]) -> None:
    for hours_ago in (0, 0.4, 0.6, 24.6, 7 * 24):
        add(hours_ago)
    add(0, BOB)
    made = files.make(None, "stats", user_id=ANN, days=3)  # type: ignore[arg-type]
    assert isinstance(made, files.Made)
    assert (made.upload.field, made.upload.name) == ("photo", "stats.png")
    assert made.upload.content.read(4) == b"\x89PNG"
    assert made.caption.startswith("Заметки за 3 дня: 4.")
    assert [(f"{day:%d.%m}", count) for day, count in drawn[0]] == [("30.12", 1), ("31.12", 1), ("01.01", 2)]


def test_where_there_is_nothing_to_draw_it_is_said(drawn: list[Any]) -> None:
    add(24 * 40)
    assert files.make(None, "stats", user_id=ANN, days=30) == "Заметки за 30 дней: 0."  # type: ignore[arg-type]
    assert drawn == []


def test_a_year_has_all_its_days(drawn: list[Any]) -> None:
    add(0)
    files.make(None, "stats", user_id=ANN, days=366)  # type: ignore[arg-type]
    assert len(drawn[0]) == 366
    assert len({day for day, _ in drawn[0]}) == 366
