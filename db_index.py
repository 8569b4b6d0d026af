"""Read the indexes of notes in windows, so that a search can stop at a deadline.

Each function runs in the open transaction of its thread, or in one of its own.
"""

import sqlite3
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from itertools import islice
from typing import NamedTuple, TypedDict

import storage
from unicode_text import fold

MAX_NOTES_PER_PERSON = 1 << 40  # the row numbers that the search index reserves for a person, see schema.sql
MIN_INDEXED_LENGTH = 3  # the search index contains terms of three characters; shorter phrases need another way
MAX_SCANNED_NOTES = 2000  # a search for a short phrase reads this many notes before it uses the index
FIRST_WINDOW = 20_000  # ids; SQLite cannot interrupt a search inside of an index
FAST_WINDOW_S = 0.001  # after a window that takes less time, the next one is twice as large

# The indexes, see schema.sql.
PARTS_OF_WORDS = "FROM notes_fts(:expression) AS found"
FORMS_OF_WORDS = "FROM notes_words(:expression) AS found"

# CROSS JOIN makes SQLite begin with the index. It would otherwise read all notes of the person in the order of id.
MATCHING_NOTES = (
    "SELECT notes.id, notes.text, notes.created_at"
    " {index} CROSS JOIN notes ON notes.id = found.rowid - :offset"
    " WHERE found.rowid BETWEEN :offset + :first_id AND :offset + :last_id"
    " AND notes.user_id = :user_id AND notes.deleted_at IS NULL"
)


class FoundNote(TypedDict):
    """A note in a list or a search result."""

    id: int
    text: str
    created_at: int


class SearchTooLong(Exception):
    """The deadline of a search has passed."""


class Range(NamedTuple):
    """The note numbers between after_id and before_id, both excluded, and the order in which to read them."""

    after_id: int
    before_id: int
    is_ascending: bool

    def remaining_after(self, note_id: int) -> "Range":
        """Return the range that remains after reading a note."""
        return self._replace(after_id=note_id) if self.is_ascending else self._replace(before_id=note_id)

    def split(self, width: int) -> tuple["Range", "Range"]:
        """Return the part of up to width ids to read first, and the rest."""
        if self.is_ascending:
            middle = min(self.after_id + width, self.before_id - 1)
            return self._replace(before_id=middle + 1), self._replace(after_id=middle)
        middle = max(self.before_id - width, self.after_id + 1)
        return self._replace(after_id=middle - 1), self._replace(before_id=middle)

    @property
    def is_empty(self) -> bool:
        """Return whether no number is left."""
        return self.after_id + 1 >= self.before_id


class Selection(NamedTuple):
    """The notes of a person that match all expressions of an index and have all tags."""

    user_id: int
    index: str  # PARTS_OF_WORDS or FORMS_OF_WORDS
    expressions: Sequence[str]  # without any: all notes that have the tags
    tags: Sequence[str]


def find(
    selection: Selection,
    ids: Range,
    limit: int,
    deadline: float,
    accepts: Callable[[FoundNote], bool] = lambda _: True,
) -> list[FoundNote]:
    """Return the first accepted notes in the range; SearchTooLong soon after the deadline."""
    found: list[FoundNote] = []
    with closing(_select(selection, ids, deadline)) as notes:
        for note in notes:
            if accepts(note):
                found.append(note)
                if len(found) == limit:
                    break
    return found


def find_short(selection: Selection, short: list[str], ids: Range, limit: int, deadline: float) -> list[FoundNote]:
    """Return the first notes in the range that also contain all phrases of one or two letters.

    Reading notes one by one soon finds a common phrase; the index soon finds a rare one. So read a limited number
    of notes first, and then use the index.
    """
    found: list[FoundNote] = []
    scanned = 0
    with closing(_select(selection, ids, deadline)) as notes:
        for note in islice(notes, MAX_SCANNED_NOTES):
            scanned += 1
            ids = ids.remaining_after(note["id"])
            text = fold(note["text"])
            if all(phrase in text for phrase in short):
                found.append(note)
                if len(found) == limit:
                    return found
    if scanned < MAX_SCANNED_NOTES:
        return found  # there are no more notes
    prefixes = [_prefix_expression(phrase, deadline) for phrase in short]
    if not all(prefixes):
        return found  # a phrase occurs in no note at all
    selection = selection._replace(expressions=[*selection.expressions, *prefixes])
    return found + find(selection, ids, limit - len(found), deadline)


def _select(selection: Selection, ids: Range, deadline: float) -> Generator[FoundNote, None, None]:
    """Yield the notes in the range, window by window."""
    width = FIRST_WINDOW
    while not ids.is_empty:
        started_at = time.monotonic()
        window, ids = ids.split(width)
        with closing(_select_window(selection, window)) as notes:
            for note in notes:
                yield note
                _check(deadline)
        _check(deadline)
        if time.monotonic() - started_at < FAST_WINDOW_S:
            width *= 2


def _check(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise SearchTooLong


def _select_window(selection: Selection, ids: Range) -> sqlite3.Cursor:
    order = "ASC" if ids.is_ascending else "DESC"
    tags = {f"tag{number}": tag for number, tag in enumerate(selection.tags)}
    has_tags = "".join(
        f" AND EXISTS (SELECT 1 FROM note_tags WHERE user_id = :user_id AND tag = :{name} AND note_id = notes.id)"
        for name in tags
    )
    if selection.expressions:
        sql = f"{MATCHING_NOTES.format(index=selection.index)}{has_tags} ORDER BY found.rowid {order}"
    else:
        sql = (
            "SELECT id, text, created_at FROM notes WHERE user_id = :user_id AND deleted_at IS NULL"
            f" AND id BETWEEN :first_id AND :last_id{has_tags} ORDER BY id {order}"
        )
    expression = " AND ".join(selection.expressions)
    parameters = matching_parameters(selection.user_id, expression, ids.after_id + 1, ids.before_id - 1)
    return storage.connection().execute(sql, {**parameters, **tags})


def matching_parameters(user_id: int, expression: str, first_id: int, last_id: int) -> dict[str, int | str]:
    """Return the parameters of MATCHING_NOTES."""
    person = storage.fetch_one("SELECT number << 40 AS offset FROM people WHERE user_id = ?", (user_id,))
    offset = person["offset"] if person else 0  # 0: rows that belong to nobody
    return {
        "user_id": user_id,
        "expression": expression,
        "offset": offset,
        "first_id": first_id,
        "last_id": last_id,
    }


def quote(phrase: str) -> str:
    """Return the expression of an index that matches a phrase literally."""
    return '"' + phrase.replace('"', '""') + '"'


def _prefix_expression(letters: str, deadline: float) -> str:
    """Return the expression of the index that matches one or two letters; "" if no term begins with them."""
    terms: list[str] = []
    start = letters
    while row := storage.fetch_one("SELECT term FROM notes_terms WHERE term >= ? LIMIT 1", (start,)):
        if not row["term"].startswith(letters):
            break
        terms.append(row["term"])
        start = row["term"] + "\1"  # all terms have three characters, so this skips the other rows of this term
        _check(deadline)
    return "(" + " OR ".join(map(quote, terms)) + ")" if terms else ""
