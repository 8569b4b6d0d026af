"""How many questions one person may ask: all of them use up the owner's account."""

import clock
import journal
import texts
from clock import TimeZone
from config import Settings
from telegram.replies import AccessDenied

MINUTE_S = 60
MIN_QUESTIONS_PER_MINUTE = 5
MINUTE_SHARE = 5  # one fifth of a day's questions may be asked within a minute


def check_question_quota(settings: Settings, user_id: int, asked_at: int, zone: TimeZone) -> None:
    """Raise AccessDenied if a person has asked too many questions in the last minute or the last 24 hours.

    `asked_at` is when the new question was asked, in Unix seconds; the refusal shows times in `zone`.
    """
    per_minute = max(settings.questions_per_day // MINUTE_SHARE, MIN_QUESTIONS_PER_MINUTE)
    opens_at = _next_question_at(user_id, asked_at, per_minute, MINUTE_S)
    if opens_at is not None:
        raise AccessDenied(texts.too_many_in_a_row(per_minute, opens_at, zone))
    opens_at = _next_question_at(user_id, asked_at, settings.questions_per_day, clock.DAY_S)
    if opens_at is not None:
        raise AccessDenied(texts.too_many_in_a_day(settings.questions_per_day, opens_at, zone))


def _next_question_at(user_id: int, asked_at: int, limit: int, window_s: int) -> int | None:
    """Return when a person may ask again, in Unix seconds; None if they may ask now."""
    times = [time for time in journal.question_times(user_id, asked_at - window_s) if time <= asked_at]
    if len(times) < limit:
        return None
    return times[-limit] + window_s
