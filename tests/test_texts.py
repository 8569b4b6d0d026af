"""texts: numbers in words, moments in the time zone, durations."""

from zoneinfo import ZoneInfo

import pytest

import clock
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
    assert texts.imported(1, 2, 5) == "Добавлено заметок: 1. Уже было: 2. Не подошло записей: 5."
    assert texts.imported(11, 21, 0) == "Добавлено заметок: 11. Уже было: 21."


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Europe/Moscow", "01.01.2027 00:00"),
        ("Europe/Kaliningrad", "31.12.2026 23:00"),
        ("Asia/Vladivostok", "01.01.2027 07:00"),
        ("Pacific/Kiritimati", "01.01.2027 11:00"),
    ],
)
def test_moments_are_shown_in_the_time_zone(zone: str, expected: str) -> None:
    local_zone = ZoneInfo(zone)
    assert texts.when(NEW_YEAR, local_zone) == expected
    day_start = clock.day_start(clock.to_local(NEW_YEAR, local_zone).date(), local_zone)
    assert day_start <= NEW_YEAR < day_start + 86400
    assert texts.when(day_start, local_zone).endswith(" 00:00")


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0 с"), (61, "1 мин 1 с"), (3600, "1 ч 0 мин"), (200_000, "2 д 7 ч")]
)
def test_a_duration(seconds: int, expected: str) -> None:
    assert texts.duration(seconds) == expected


@pytest.mark.parametrize(("limit", "expected"), [(5, "5 вопросов"), (21, "21 вопроса"), (111, "111 вопросов")])
def test_a_limit_agrees_with_its_noun(limit: int, expected: str) -> None:
    assert texts.too_many_in_a_row(limit, NEW_YEAR, None).startswith(f"Не больше {expected} в минуту.")


def test_money_has_a_decimal_comma() -> None:
    rows = [{"model": "a/b", "requests": 1, "tokens": 2, "cost": 0.00125}]
    assert "a/b: 1 запрос, 2 токена, $0,0013" in texts.usage_of_everyone(rows, [], 7)
    assert texts.key_balance({"limit_remaining": 4.5}) == "осталось $4,50."


def test_a_reminder_names_its_moment_and_its_note() -> None:
    moscow = ZoneInfo("Europe/Moscow")
    assert texts.reminder_postponed(NEW_YEAR, moscow) == "Напомню 01.01.2027 в 00:00."
    assert texts.note_title(3, "молоко") == "заметка #3 — молоко"
    assert texts.note_title(3, "") == "заметка #3"


def test_a_report_on_catalogs_calls_gateways_by_their_names() -> None:
    assert texts.catalog_line("openrouter", 1, 0) == "OpenRouter: новых 1, исчезло 0"
    assert texts.catalog_failed("local", "[503] …") == "Локальный сервер: список прежний. [503] …"


def test_limits_say_when_they_open() -> None:
    moscow = ZoneInfo("Europe/Moscow")
    assert "следующие — в 00:00:00." in texts.limit_minute(NEW_YEAR, moscow)
    assert texts.limit_minute(None, moscow) == texts.LIMIT_MINUTE
    assert "новые — 01.01 в 00:00." in texts.limit_day(NEW_YEAR, moscow)
    assert "в 03:00." in texts.limit_day(None, moscow)  # the next midnight in UTC
    assert "в 00:00:00." in texts.too_many_in_a_row(5, NEW_YEAR, moscow)
    assert "01.01 в 00:00." in texts.too_many_in_a_day(5, NEW_YEAR, moscow)
