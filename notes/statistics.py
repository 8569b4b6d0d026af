"""How many notes a person adds per day."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

import clock
import db
import texts
from clock import TimeZone


def notes_per_day(user_id: int, days: int, zone: TimeZone) -> list[tuple[date, int]]:
    """Return the number of notes for each of the last days, today included, oldest day first."""
    times = db.note_times(user_id, clock.period_start(days, zone))
    counts = Counter(clock.to_local(seconds, zone).date() for seconds in times)
    last_day = clock.today(zone)
    all_days = [last_day - timedelta(days=ago) for ago in reversed(range(days))]
    return [(day, counts[day]) for day in all_days]


def caption(per_day: Sequence[tuple[date, int]]) -> str:
    """Describe notes per day: the total, the mean, the best day and the longest streak of days with notes."""
    counts = [count for _, count in per_day]
    total = sum(counts)
    if total == 0:
        return texts.no_stats(len(per_day))
    best_count = max(counts)
    best_day, _ = per_day[counts.index(best_count)]
    return texts.stats_caption(
        period_days=len(per_day),
        total=total,
        mean=total / len(per_day),
        best_day=best_day,
        best_count=best_count,
        longest_streak=_longest_streak(counts),
    )


def _longest_streak(counts: Sequence[int]) -> int:
    """Return the length of the longest run of days with notes."""
    longest = current = 0
    for count in counts:
        current = current + 1 if count > 0 else 0
        longest = max(longest, current)
    return longest
