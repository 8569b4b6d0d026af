"""Moments, days and periods. A moment is Unix seconds; a day is a date in somebody's time zone."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from typing import Optional

# None: the machine's own zone. (Not `tzinfo | None`, which Python 3.8 cannot evaluate: bot.py imports this module
# before it can say that Python is too old.)
TimeZone = Optional[tzinfo]  # noqa: UP045

DAY_S = 86400


def now() -> int:
    """Return the current moment in whole seconds."""
    return int(time.time())


def to_local(seconds: float, zone: TimeZone) -> datetime:
    """Return a moment as a date and time in the zone."""
    return datetime.fromtimestamp(seconds, zone)


def today(zone: TimeZone) -> date:
    """Return the current day in the zone."""
    return to_local(time.time(), zone).date()


def day_start(day: date, zone: TimeZone) -> int:
    """Return the moment at which a day begins in the zone."""
    return int(datetime.combine(day, time_of_day(), zone).timestamp())


def to_moment(local: datetime, zone: TimeZone) -> int:
    """Return the moment of a date and time in the zone. A time that the clock skips means the hour after it."""
    return int(local.replace(tzinfo=zone).timestamp())


def period_start(days: int, zone: TimeZone) -> int:
    """Return the moment at which the last `days` days begin in the zone; today is one of them."""
    return day_start(today(zone) - timedelta(days=days - 1), zone)


def utc_midnight() -> int:
    """Return the moment at which the current UTC day began. OpenRouter counts requests by UTC days."""
    moment = now()
    return moment - moment % DAY_S


def next_utc_midnight() -> int:
    """Return the moment at which the next UTC day begins."""
    return utc_midnight() + DAY_S
