"""Who may use the bot, and how much: the bot can be found by anyone, and it spends its owner's quota."""

from dataclasses import dataclass

import db
import texts

BURST_SHARE, BURST_LEAST = 5, 5  # of the day's questions a fifth may come in a minute
BURST_S, DAY_S = 60, 86400


class Refused(Exception):
    """What a person may not do; str() is a sentence for them. Whatever was begun for it is undone."""


@dataclass(frozen=True)
class Access:
    """Who may."""

    allowed: frozenset[int] = frozenset()  # empty: everyone
    admins: frozenset[int] = frozenset()  # empty: everyone

    def check(self, user_id: int, *, for_admin: bool = False) -> None:
        """Raise Refused for a person who may not."""
        if self.allowed and user_id not in self.allowed | self.admins:
            raise Refused(texts.not_allowed(user_id))
        if for_admin and not self.is_admin(user_id):
            raise Refused(texts.ADMINS_ONLY)

    def is_admin(self, user_id: int) -> bool:
        """Return whether a person may do what admins may."""
        return not self.admins or user_id in self.admins


def check_questions(user_id: int, asked_at: int, per_day: int) -> None:
    """Raise Refused for one question too many in a row, or in a day."""
    for most, window_s, too_many in (
        (max(per_day // BURST_SHARE, BURST_LEAST), BURST_S, texts.too_many_in_a_row),
        (per_day, DAY_S, texts.too_many_in_a_day),
    ):
        times = db.question_times(user_id, asked_at - window_s)
        if len(times) >= most:
            raise Refused(too_many(most, times[-most] + window_s))
