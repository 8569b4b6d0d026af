"""Find the notes of a list from a position onward.

The notes that contain a query exactly come first, newest first; then those that contain other forms of its words.
The notes of a period are in the order in which they were created.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import db_index
import db_search
from db_search import FoundNote, Query

FORMS_POSITION = db_index.MAX_NOTES_PER_PERSON  # added to the positions of notes that contain other forms


@dataclass(frozen=True)
class Search:
    """What a list shows: the notes that match a query, or those of a period; all notes by default."""

    query: Query = field(default_factory=Query)
    since: int | None = None  # Unix seconds; the period until `until`, excluded
    until: int | None = None


class Hit(NamedTuple):
    """A note of a list."""

    note: FoundNote
    is_form: bool  # whether it contains other forms of the words instead of the exact query

    @property
    def position(self) -> int:
        """Return the place of the note in the list; see find()."""
        return self.note["id"] + (FORMS_POSITION if self.is_form else 0)


def find_after(
    user_id: int, search: Search, limit: int, position: int | None = None, deadline: float = math.inf
) -> list[Hit]:
    """Return the first notes of a list that come after a position; SearchTooLong soon after the deadline."""
    if search.since is not None and search.until is not None:
        notes = db_search.find_in_period(user_id, search.since, search.until, limit, older_than=position)
        return [Hit(note, is_form=False) for note in notes]
    hits: list[Hit] = []
    if position is None or position < FORMS_POSITION:
        exact = db_search.find_notes(user_id, search.query, limit, older_than=position, deadline=deadline)
        hits = [Hit(note, is_form=False) for note in exact]
    if len(hits) == limit:
        return hits
    older_than = position - FORMS_POSITION if position is not None and position >= FORMS_POSITION else None
    forms = db_search.find_forms(
        user_id, search.query, limit - len(hits), older_than=older_than, deadline=deadline
    )
    return hits + [Hit(note, is_form=True) for note in forms]


def find_before(user_id: int, search: Search, limit: int, position: int, deadline: float = math.inf) -> list[Hit]:
    """Return the last notes of a list that come before a position, in the order of the list."""
    if search.since is not None and search.until is not None:
        notes = db_search.find_in_period(user_id, search.since, search.until, limit, newer_than=position)
        return [Hit(note, is_form=False) for note in notes]
    forms: list[Hit] = []
    newer_than = position
    if position >= FORMS_POSITION:
        found = db_search.find_forms(
            user_id, search.query, limit, newer_than=position - FORMS_POSITION, deadline=deadline
        )
        forms = [Hit(note, is_form=True) for note in found]
        newer_than = 0
    if len(forms) == limit:
        return forms
    exact = db_search.find_notes(
        user_id, search.query, limit - len(forms), newer_than=newer_than, deadline=deadline
    )
    return [Hit(note, is_form=False) for note in exact] + forms
