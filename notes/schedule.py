"""Times as people write them in reminders: tomorrow at 9, on Friday at 18:00, in an hour, every month on the 5th.

texts.py lists the words, and dates.py reads the days. Times here are local and have no zone: a reminder for 9:00
comes at 9:00 on the clock of the person, whatever daylight saving time does.
"""

import calendar
import re
from datetime import date, datetime, time, timedelta
from itertools import count
from typing import NamedTuple

import texts
from notes import dates
from unicode_text import fold

MAX_WORDS = 8  # of a time
MAX_DIGITS = 18  # of the number of a note: such a number always fits into an integer of SQLite
MORNING, EVENING = time(9), time(19)  # when a day, or today, is all that a person says
LEAP_YEAR = 2024
WORD = re.compile(r"\S+")
SEPARATORS = " \n\t,.:;-–—"


class When(NamedTuple):
    """When a reminder comes."""

    start: datetime  # local time; of a repeated reminder any time at which it comes, perhaps in the past
    repeat: str = ""  # "" once; "day", "week", "month" or "year"

    def next_after(self, moment: datetime) -> datetime | None:
        """Return when the reminder comes next; None if it does not come any more."""
        if self.start > moment:
            return self.start
        return next_after(self.start, self.repeat, moment) if self.repeat else None


def split(text: str, now: datetime) -> tuple[When, str] | None:
    """Split a text into the time at its beginning, or else at its end, and the rest.

    Return None if it has no time, or if the rest holds a part of the time that nothing here understands.
    """
    words = list(WORD.finditer(text))
    for number in range(min(len(words), MAX_WORDS), 0, -1):
        end = words[number - 1].end()
        if when := parse(text[:end], now):
            rest = text[end:].strip(SEPARATORS)
            return None if re.match(texts.UNREAD_AFTER_TIME, fold(rest)) else (when, rest)
    for number in range(min(len(words), MAX_WORDS), 0, -1):
        start = words[-number].start()
        if when := parse(text[start:], now):
            rest = text[:start].strip(SEPARATORS)
            return None if re.search(texts.UNREAD_BEFORE_TIME, fold(rest)) else (when, rest)
    return None


def parse(text: str, now: datetime) -> When | None:
    """Return the time that a text names, even if it has passed; None for any other text."""
    text = " ".join(fold(text).strip(SEPARATORS).split())
    try:
        when = _parse_delay(text, now) or _parse_repeat(text, now) or _parse_once(text, now)
    except (OverflowError, ValueError):  # a day or a year that the calendar does not have
        return None
    return when if when and when.start.year <= dates.LAST_YEAR else None


def next_after(start: datetime, repeat: str, after: datetime) -> datetime:
    """Return when a repeated reminder comes next; on a day that a month lacks, it comes on the last one."""
    if repeat in ("day", "week"):
        step = timedelta(days=1 if repeat == "day" else 7)
        return start + max((after - start) // step + 1, 0) * step
    months = 1 if repeat == "month" else 12
    passed = (after.year - start.year) * 12 + after.month - start.month
    first = max(passed // months - 1, 0)
    return next(found for n in count(first) if (found := _add_months(start, n * months)) > after)


def _parse_delay(text: str, now: datetime) -> When | None:
    """Parse "in an hour", "in 2 hours 20 minutes", "in two weeks"."""
    if text in texts.FIXED_DELAYS:
        return When(now + timedelta(minutes=texts.FIXED_DELAYS[text]))
    if match := re.fullmatch(texts.HOURS_AND_MINUTES, text):
        hours = _parse_delay(match["hours"], now)
        return When(hours.start + timedelta(minutes=int(match["minutes"]))) if hours else None
    match = re.fullmatch(texts.IN_A_WHILE, text)
    if match is None:
        return None
    amount = dates.parse_count(match["number"] or "1")
    if amount == 0:
        return None
    if match["unit"] in texts.MINUTES_OF_UNIT:
        return When(now + timedelta(minutes=amount * texts.MINUTES_OF_UNIT[match["unit"]]))
    unit = dates.UNITS.get(match["unit"])
    if unit in (dates.DAY, dates.WEEK):
        return When(now + timedelta(days=amount * (7 if unit == dates.WEEK else 1)))
    if unit in (dates.MONTH, dates.YEAR):
        return When(_add_months(now, amount * (12 if unit == dates.YEAR else 1)))
    return None


def _parse_repeat(text: str, now: datetime) -> When | None:
    """Parse "every day at 9", "every Friday", "on Mondays at 18:00", "on the 5th of every month"."""
    for marker, repeat in texts.REPEATS:
        if re.search(marker, text):
            return _repeated(re.sub(marker, " ", text), repeat, now)
    if match := re.search(texts.ON_WEEKDAYS, text):
        weekday = texts.WEEKDAY_PLURALS.get(match["weekday"])
        return _repeated(text.replace(match[0], weekday), "week", now) if weekday else None
    if match := re.match(texts.EVERY, text):
        rest = text[match.end() :]
        words = set(rest.split())
        if words & dates.WEEKDAYS.keys():
            return _repeated(rest, "week", now)
        if words & dates.MONTHS.keys():
            return _repeated(rest, "year", now)
        return _repeated(rest, "month", now) if re.match(texts.DAY_OF_MONTH, rest) else None
    return None


def _repeated(rest: str, repeat: str, now: datetime) -> When | None:
    rest = " ".join(rest.split())
    once = _parse_once(rest, now) if rest else When(datetime.combine(now.date(), MORNING))
    if once is None:
        return None
    start = once.start
    if day_of_month := re.search(texts.DAY_OF_MONTH, rest):
        start = start.replace(month=1, day=int(day_of_month["day"]))  # January has all 31 days
    elif (start.month, start.day) == (2, 29):
        start = start.replace(year=LEAP_YEAR)
    return When(start, repeat)


def _parse_once(text: str, now: datetime) -> When | None:
    """Parse a day, a time, or both in any order."""
    words = text.split()
    for number in range(len(words) + 1):
        first, second = " ".join(words[:number]), " ".join(words[number:])
        for day_text, time_text in ((first, second), (second, first)):
            when = _combine(day_text, time_text, now)
            if when:
                return when
    return None


def _combine(day_text: str, time_text: str, now: datetime) -> When | None:
    day = _parse_day(day_text, now.date()) if day_text else None
    at = _parse_time(time_text) if time_text else None
    if (day_text and day is None) or (time_text and at is None):
        return None
    if day is None and at is None:
        return None
    if day is None:
        start = datetime.combine(now.date(), at or MORNING)
        return When(start if start > now else start + timedelta(days=1))
    if at is None:
        at = EVENING if day == now.date() else MORNING
    start = datetime.combine(day, at)
    is_weekday = re.sub(texts.IN, "", day_text) in dates.WEEKDAYS
    return When(start + timedelta(days=7) if is_weekday and start <= now else start)


def _parse_day(text: str, today: date) -> date | None:
    if match := re.fullmatch(texts.DAY_OF_MONTH, text):
        day = int(match["day"])
        if not 1 <= day <= 31:
            return None
        first = today.replace(day=1)
        if day < today.day:
            first = _add_months(datetime.combine(first, time()), 1).date()
        return first.replace(day=min(day, calendar.monthrange(first.year, first.month)[1]))
    midnight = datetime.combine(today, time())
    delay = _parse_delay(text, midnight)
    if delay and delay.start.time() == midnight.time():  # whole days
        return delay.start.date()
    return dates.parse_day(text, today, in_future=True)


def _parse_time(text: str) -> time | None:
    if text in texts.TIMES_OF_DAY:
        return time(*texts.TIMES_OF_DAY[text])
    part_of_day, _, rest = text.partition(" ")
    if rest and part_of_day in texts.PARTS_OF_DAY:  # "in the evening at 8" is "at 8 in the evening"
        return _parse_time(f"{rest} {texts.PARTS_OF_DAY[part_of_day]}") or _parse_time(rest)
    match = next(filter(None, (re.fullmatch(pattern, text) for pattern in texts.TIMES)), None)
    if match is None:
        return None
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    part = match["part"]
    if part and not 1 <= hour <= 12:
        return None
    if part in texts.AFTER_NOON and hour < 12:
        hour += 12
    if part in texts.BEFORE_NOON and hour == 12:
        hour = 0
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _add_months(start: datetime, months: int) -> datetime:
    """Return the same day some months later, or the last day of that month if it has no such day."""
    total = start.year * 12 + start.month - 1 + months
    year, month = total // 12, total % 12 + 1
    return start.replace(year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1]))
