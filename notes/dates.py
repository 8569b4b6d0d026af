"""Days and periods as people write them: yesterday, 20.11, in November 2025, from 1 to 15 May, on Friday.

texts.py lists the words. A text is read as a whole, or not at all. Nothing here asks for the current day: the
caller passes today, in the person's time zone.
"""

import calendar
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

import clock
import texts
from clock import TimeZone
from unicode_text import fold

FIRST_YEAR, LAST_YEAR = 1971, 2100  # Windows fails at local times in the first day of 1970
MAX_UNITS = 1000  # of days, weeks, …
YEARS_WITH_ANY_DATE = 9  # 29 February comes at least once in as many years


class Period(NamedTuple):
    """The days from the first to the last, both included."""

    first: date
    last: date

    def moments(self, zone: TimeZone) -> tuple[int, int]:
        """Return the start of the period and its end, which does not belong to it, in Unix seconds."""
        return clock.day_start(self.first, zone), clock.day_start(self.last + timedelta(days=1), zone)


def _numbered(lines: tuple[str, ...]) -> dict[str, int]:
    """Return the number of the line in which each word stands, from 1."""
    return {word: number for number, line in enumerate(lines, 1) for word in line.split()}


MONTHS = _numbered(texts.MONTH_FORMS)
WEEKDAYS = _numbered(texts.WEEKDAY_FORMS)
UNITS = _numbered(texts.UNIT_FORMS)
DAY, WEEK, MONTH, YEAR = 1, 2, 3, 4  # in UNITS


def parse_period(text: str, today: date) -> Period | None:
    """Return the period that a text names: a day, a range, a week, a month, a year; None for any other text.

    Where the year is missing, the latest period that has begun is meant.
    """
    text = _normalized(text)
    return _parse_single(text, today) or _parse_range(text, today)


def is_bare_name(text: str) -> bool:
    """Return whether a text is only the name of a month or a weekday."""
    return _normalized(text) in MONTHS | WEEKDAYS


def parse_day(text: str, today: date, *, in_future: bool = False) -> date | None:
    """Return the day that a text names; None for any other text.

    Where the week or the year is missing, the latest such day up to today is meant, or the next one from today on.
    """
    text = _normalized(text)
    name = re.sub(texts.IN, "", text)
    if name in texts.NEAR_DAYS:
        return today + timedelta(days=texts.NEAR_DAYS[name])
    weekday = WEEKDAYS.get(name)
    if weekday is not None:
        step = 1 if in_future else -1
        return next(day for day in _days_from(today, step) if day.isoweekday() == weekday)
    if match := re.fullmatch(r"(\d{4})-(\d\d?)-(\d\d?)", text):
        return _date(int(match[1]), int(match[2]), int(match[3]))
    if match := re.fullmatch(r"(\d\d?)\.(\d\d?)(?:\.(\d{4}|\d\d))?", text):
        return _day_of_month(int(match[1]), int(match[2]), match[3], today, in_future=in_future)
    if (match := re.fullmatch(r"(\d\d?) (\w+)(?: (\d{4}))?", text)) and match[2] in MONTHS:
        return _day_of_month(int(match[1]), MONTHS[match[2]], match[3], today, in_future=in_future)
    return None


def parse_count(word: str) -> int:
    """Return a number up to MAX_UNITS, written in digits or as a word; 0 for anything else."""
    is_short = len(word) <= len(str(MAX_UNITS))  # int() refuses a number of thousands of digits
    count = int(word) if word.isdecimal() and is_short else texts.SMALL_NUMBERS.get(word, 0)
    return count if count <= MAX_UNITS else 0


def _normalized(text: str) -> str:
    text = " ".join(fold(text).strip(" .,!?").split())
    return re.sub(rf"(\d{{4}}) {texts.YEAR_WORD}$", r"\1", text)


def _parse_range(text: str, today: date) -> Period | None:
    match = re.fullmatch(texts.FROM_TO, text) or re.fullmatch(r"(.+?) ?[-–—] ?(.+)", text)
    if match:
        last = _parse_single(match[2], today)
        if last is None:
            return None
        if match[1].isdecimal() and len(match[1]) <= 2:  # "1-15 мая"
            start = _date(last.last.year, last.last.month, int(match[1]))
        else:
            first = _parse_single(match[1], last.last)
            start = first.first if first else None
        return Period(start, last.last) if start and start <= last.last else None
    if match := re.fullmatch(texts.SINCE, text):
        first = _parse_single(match[1], today)
        return Period(first.first, today) if first and first.first <= today else None
    return None


def _parse_single(text: str, today: date) -> Period | None:
    day = parse_day(text, today)
    if day:
        return Period(day, day)
    name = re.sub(texts.IN, "", text)
    if (match := re.fullmatch(r"(\w+)(?: (\d{4}))?", name)) and match[1] in MONTHS:
        first = _day_of_month(1, MONTHS[match[1]], match[2], today, in_future=False)
        return _month(first) if first else None
    if match := re.fullmatch(texts.WHOLE_YEAR, name):
        first, last = _date(int(match[1]), 1, 1), _date(int(match[1]), 12, 31)
        return Period(first, last) if first and last else None
    if (match := re.fullmatch(texts.THIS_OR_PREVIOUS, name)) and match["unit"] in UNITS:
        return _whole_unit(UNITS[match["unit"]], today, is_previous=bool(match["previous"]))
    if (match := re.fullmatch(texts.FOR_LAST, text)) and match["unit"] in UNITS:
        return _last_units(match["number"] or "1", UNITS[match["unit"]], today)
    return None


def _last_units(number: str, unit: int, today: date) -> Period | None:
    """Return the period of so many days, weeks, months or years that ends today."""
    count = parse_count(number)
    if count == 0:
        return None
    if unit in (DAY, WEEK):
        return Period(today - timedelta(days=count * (7 if unit == WEEK else 1) - 1), today)
    months = today.year * 12 + today.month - 1 - count * (12 if unit == YEAR else 1)
    year, month = months // 12, months % 12 + 1
    if year < FIRST_YEAR:
        return None
    day = min(today.day, calendar.monthrange(year, month)[1])
    return Period(date(year, month, day) + timedelta(days=1), today)


def _whole_unit(unit: int, today: date, *, is_previous: bool) -> Period | None:
    """Return this week, month or year, or the previous one."""
    if unit == WEEK:
        monday = today - timedelta(days=today.weekday() + (7 if is_previous else 0))
        return Period(monday, monday + timedelta(days=6))
    if unit == MONTH:
        first = today.replace(day=1)
        return _month((first - timedelta(days=1)).replace(day=1) if is_previous else first)
    if unit == YEAR:
        year = today.year - is_previous
        return Period(date(year, 1, 1), date(year, 12, 31))
    return None


def _month(first: date) -> Period:
    return Period(first, first.replace(day=calendar.monthrange(first.year, first.month)[1]))


def _day_of_month(day: int, month: int, year: str | None, today: date, *, in_future: bool) -> date | None:
    if year:
        return _date(int(year) + (2000 if len(year) == 2 else 0), month, day)
    for distance in range(YEARS_WITH_ANY_DATE):
        found = _date(today.year + (distance if in_future else -distance), month, day)
        if found and (found >= today if in_future else found <= today):
            return found
    return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if FIRST_YEAR <= year <= LAST_YEAR else None
    except ValueError:
        return None


def _days_from(today: date, step: int) -> Iterator[date]:
    for distance in range(7):
        yield today + timedelta(days=step * distance)
