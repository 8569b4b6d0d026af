"""Find the notes of a list from a position onward.

The notes that contain a query exactly come first, newest first; then those that contain other forms of its words.
The notes of a period are in the order in which they were created.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import db_search
from db_search import FoundNote, Query

FORMS_POSITION = 1 << 40  # added to the positions of notes that contain other forms; no note has such a number


@dataclass(frozen=True)
class Search:
    """What a list shows: the notes that match a query, or those of a period; all notes by default."""

    query: Query = field(default_factory=Query)
    period: tuple[int, int] | None = None  # Unix seconds: its start, and its end, which does not belong to it


class Hit(NamedTuple):
    """A note of a list."""

    note: FoundNote
    is_form: bool  # whether it contains other forms of the words instead of the exact query

    @property
    def position(self) -> int:
        """Return the place of the note in the list."""
        return self.note["number"] + (FORMS_POSITION if self.is_form else 0)


def find_after(user_id: int, search: Search, limit: int, position: int | None = None) -> list[Hit]:
    """Return the first notes of a list, or those that come after a position."""
    if search.period:
        notes = db_search.find_in_period(user_id, *search.period, limit, older_than=position)
        return [Hit(note, is_form=False) for note in notes]
    hits: list[Hit] = []
    oldest_form = None
    if position is not None and position >= FORMS_POSITION:
        oldest_form = position - FORMS_POSITION
    else:
        exact = db_search.find_notes(user_id, search.query, limit, older_than=position)
        hits = [Hit(note, is_form=False) for note in exact]
    if len(hits) < limit:
        forms = db_search.find_forms(user_id, search.query, limit - len(hits), older_than=oldest_form)
        hits += [Hit(note, is_form=True) for note in forms]
    return hits


def find_before(user_id: int, search: Search, limit: int, position: int) -> list[Hit]:
    """Return the last notes of a list that come before a position, in the order of the list."""
    if search.period:
        notes = db_search.find_in_period(user_id, *search.period, limit, newer_than=position)
        return [Hit(note, is_form=False) for note in notes]
    hits: list[Hit] = []
    newest_exact = position
    if position >= FORMS_POSITION:
        forms = db_search.find_forms(user_id, search.query, limit, newer_than=position - FORMS_POSITION)
        hits = [Hit(note, is_form=True) for note in forms]
        newest_exact = 0  # all exact hits come before the forms
    if len(hits) < limit:
        exact = db_search.find_notes(user_id, search.query, limit - len(hits), newer_than=newest_exact)
        hits = [Hit(note, is_form=False) for note in exact] + hits
    return hits
