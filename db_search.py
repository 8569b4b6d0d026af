"""Search the notes of a person in the index: by phrases, or by similarity.

Each function runs in the open transaction of its thread, or in one of its own.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import islice
from operator import itemgetter
from typing import NamedTuple, TypedDict

import storage
from unicode_text import fold

MAX_NOTES_PER_PERSON = 1 << 40  # the row numbers that the search index reserves for a person, see schema.sql
MIN_INDEXED_LENGTH = 3  # the search index contains terms of three characters; shorter phrases need another way
MAX_SCANNED_NOTES = 2000  # a search for a short phrase reads this many notes before it uses the index


class FoundNote(TypedDict):
    """A note in a list or a search result."""

    id: int
    number: int
    text: str
    created_at: int
    entities: str  # JSON, see entities.loads()
    search_extra: str  # what the search finds beside the text


# CROSS JOIN makes SQLite begin with the index. It would otherwise read all notes of the person in the order of id.
_MATCHING_NOTES = (
    "SELECT notes.id, notes.number, notes.text, notes.created_at, notes.entities, notes.search_extra"
    " FROM notes_fts CROSS JOIN notes ON notes.id = notes_fts.rowid - :offset"
    " WHERE notes_fts MATCH :expression AND notes_fts.rowid BETWEEN :first AND :last"
    " AND notes.user_id = :user_id AND notes.deleted_at IS NULL"
)


class _Range(NamedTuple):
    """The ids of notes between after_id and before_id, both excluded, and the order in which to read them."""

    after_id: int
    before_id: int
    is_ascending: bool

    def remaining_after(self, note_id: int) -> "_Range":
        """Return the range that remains after reading a note."""
        return self._replace(after_id=note_id) if self.is_ascending else self._replace(before_id=note_id)


def find_notes(
    user_id: int,
    phrases: Sequence[str],
    limit: int,
    *,
    older_than: int | None = None,
    newer_than: int | None = None,
) -> list[FoundNote]:
    """Return the newest notes that contain all phrases, newest first; ignore case, and treat ё as е.

    older_than and newer_than are numbers of notes. older_than excludes that note and all newer ones. newer_than
    excludes that note and all older ones, and selects the oldest of the rest instead of the newest.
    """
    after_id = 0 if newer_than is None else _last_id(user_id, newer_than)
    before_id = MAX_NOTES_PER_PERSON if older_than is None else _last_id(user_id, older_than - 1) + 1
    ids = _Range(after_id, before_id, is_ascending=newer_than is not None)
    folded = [fold(phrase) for phrase in phrases]
    indexed = [_quote(phrase) for phrase in folded if len(phrase) >= MIN_INDEXED_LENGTH]
    short = [phrase for phrase in folded if len(phrase) < MIN_INDEXED_LENGTH]
    if short:
        notes = _find_short(user_id, indexed, short, ids, limit)
    else:
        notes = _fetch_notes(user_id, indexed, ids, limit)
    return sorted(notes, key=itemgetter("id"), reverse=True)


def _last_id(user_id: int, number: int) -> int:
    """Return the id of the newest note up to a number, 0 if there is none; ids grow with the numbers."""
    row = storage.fetch_one(
        "SELECT id FROM notes WHERE user_id = ? AND number <= ? ORDER BY number DESC LIMIT 1", (user_id, number)
    )
    return int(row["id"]) if row else 0


def _find_short(user_id: int, indexed: list[str], short: list[str], ids: _Range, limit: int) -> list[FoundNote]:
    """Return the first notes in the range that match all expressions of the index and contain all short phrases.

    Reading notes one by one soon finds a common phrase; the index soon finds a rare one. So read a limited number
    of notes first, and then use the index.
    """
    found: list[FoundNote] = []
    scanned = 0
    with closing(_select_notes(user_id, indexed, ids)) as notes:
        for note in islice(notes, MAX_SCANNED_NOTES):
            scanned += 1
            ids = ids.remaining_after(note["id"])
            text = fold(note["text"] + note["search_extra"])
            if all(phrase in text for phrase in short):
                found.append(note)
                if len(found) == limit:
                    return found
    if scanned < MAX_SCANNED_NOTES:
        return found  # there are no more notes
    prefixes = [_prefix_expression(phrase) for phrase in short]
    if not all(prefixes):
        return found  # a phrase occurs in no note at all
    return found + _fetch_notes(user_id, [*indexed, *prefixes], ids, limit - len(found))


def _fetch_notes(user_id: int, expressions: list[str], ids: _Range, limit: int) -> list[FoundNote]:
    """Return the first notes in the range that match all expressions."""
    with closing(_select_notes(user_id, expressions, ids)) as notes:
        return list(islice(notes, limit))


def _select_notes(user_id: int, expressions: list[str], ids: _Range) -> sqlite3.Cursor:
    """Select the notes in the range that match all expressions of the index; the cursor reads them one by one."""
    order = "ASC" if ids.is_ascending else "DESC"
    if not expressions:
        return storage.connection().execute(
            "SELECT id, number, text, created_at, entities, search_extra FROM notes WHERE user_id = ?"
            f" AND deleted_at IS NULL AND id > ? AND id < ? ORDER BY id {order}",
            (user_id, ids.after_id, ids.before_id),
        )
    return storage.connection().execute(
        f"{_MATCHING_NOTES} ORDER BY notes_fts.rowid {order}",
        _matching_parameters(user_id, " AND ".join(expressions), ids.after_id + 1, ids.before_id - 1),
    )


def similar_notes(user_id: int, trigrams: Iterable[str], limit: int) -> list[FoundNote]:
    """Return the notes that share the most and the rarest of these trigrams, the best match first."""
    expression = " OR ".join(map(_quote, trigrams))
    if not expression:
        return []
    return storage.fetch_all(
        f"{_MATCHING_NOTES} ORDER BY bm25(notes_fts) LIMIT :limit",
        {**_matching_parameters(user_id, expression, 0, MAX_NOTES_PER_PERSON - 1), "limit": limit},
    )


def _matching_parameters(user_id: int, expression: str, first_id: int, last_id: int) -> dict[str, int | str]:
    """Return the parameters of _MATCHING_NOTES; first_id and last_id are ids of notes."""
    person = storage.fetch_one("SELECT number << 40 AS offset FROM people WHERE user_id = ?", (user_id,))
    offset = person["offset"] if person else 0  # 0: rows that belong to nobody
    return {
        "user_id": user_id,
        "expression": expression,
        "offset": offset,
        "first": offset + first_id,
        "last": offset + last_id,
    }


def _quote(phrase: str) -> str:
    """Return the expression of the index that matches a phrase literally."""
    return '"' + phrase.replace('"', '""') + '"'


def _prefix_expression(letters: str) -> str:
    """Return the expression of the index that matches one or two letters; "" if no term begins with them."""
    rows = storage.fetch_all(
        "SELECT term FROM notes_terms WHERE term >= :letters AND term < :letters || char(0x10FFFF)",
        {"letters": letters},
    )
    if not rows:
        return ""
    return "(" + " OR ".join(_quote(row["term"]) for row in rows) + ")"
