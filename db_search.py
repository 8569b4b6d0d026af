"""Search the notes of a person in the indexes: by parts of words, by forms of words, or by similarity.

Each function runs in the open transaction of its thread, or in one of its own.
"""

import math
import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import NamedTuple, TypedDict

import storage
import words
from unicode_text import fold

MAX_NOTES_PER_PERSON = 1 << 40  # the row numbers that the search index reserves for a person, see schema.sql
MIN_INDEXED_LENGTH = 3  # the search index contains terms of three characters; shorter phrases need another way
MAX_SCANNED_NOTES = 2000  # a search for a short phrase reads this many notes before it uses the index
FIRST_WINDOW = 20_000  # ids; the index is searched window by window, as SQLite cannot interrupt a search in it
FAST_WINDOW_S = 0.001  # after a window that takes less time, the next one is twice as large


class FoundNote(TypedDict):
    """A note in a list or a search result."""

    id: int
    text: str
    created_at: int


class SearchTooLong(Exception):
    """The deadline of a search has passed."""


@dataclass(frozen=True)
class Query:
    """What a note must contain: all of these."""

    words: Sequence[str] = field(default_factory=list)  # exactly or in another form
    phrases: Sequence[str] = field(default_factory=list)  # exactly; may be parts of words
    tags: Sequence[str] = field(default_factory=list)  # as words.tags() returns them

    @property
    def exact_phrases(self) -> list[str]:
        """Return the words and phrases, folded."""
        return [fold(phrase) for phrase in (*self.words, *self.phrases)]


class _Range(NamedTuple):
    """The note numbers between after_id and before_id, both excluded, and the order in which to read them."""

    after_id: int
    before_id: int
    is_ascending: bool

    def remaining_after(self, note_id: int) -> "_Range":
        """Return the range that remains after reading a note."""
        return self._replace(after_id=note_id) if self.is_ascending else self._replace(before_id=note_id)

    def split(self, width: int) -> tuple["_Range", "_Range"]:
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


class _Index(NamedTuple):
    """The notes of a person that an index finds: those that match all expressions and have all tags."""

    user_id: int
    table: str
    expressions: Sequence[str]  # without any: all notes that have the tags
    tags: Sequence[str]


def find_notes(
    user_id: int,
    query: Query,
    limit: int,
    *,
    older_than: int | None = None,
    newer_than: int | None = None,
    deadline: float = math.inf,
) -> list[FoundNote]:
    """Return the newest notes that contain a query exactly, newest first; ignore case, and treat ё as е.

    older_than and newer_than are numbers of notes. older_than excludes that note and all newer ones. newer_than
    excludes that note and all older ones, and selects the oldest of the rest instead of the newest.
    SearchTooLong soon after the deadline, on time.monotonic().
    """
    ids = _range(older_than, newer_than)
    phrases = [*query.exact_phrases, *(f"#{tag}" for tag in query.tags)]
    indexed = [_quote(phrase) for phrase in phrases if len(phrase) >= MIN_INDEXED_LENGTH]
    short = [phrase for phrase in phrases if len(phrase) < MIN_INDEXED_LENGTH]
    index = _Index(user_id, "notes_fts", indexed, query.tags)
    notes = _find_short(index, short, ids, limit, deadline) if short else _find(index, ids, limit, deadline)
    return sorted(notes, key=itemgetter("id"), reverse=True)


def find_forms(
    user_id: int,
    query: Query,
    limit: int,
    *,
    older_than: int | None = None,
    newer_than: int | None = None,
    deadline: float = math.inf,
) -> list[FoundNote]:
    """Return the newest notes that contain other forms of the words of a query, and not the exact query.

    The parameters are those of find_notes().
    """
    expressions = [_form_expression(word) for part in query.words for word in words.split_words(part)]
    if not expressions:
        return []
    phrases = [fold(phrase) for phrase in query.phrases]

    def accepts(note: FoundNote) -> bool:
        text = fold(note["text"])
        return _contains_all(text, phrases) and not _contains_all(text, query.exact_phrases)

    index = _Index(user_id, "notes_words", expressions, query.tags)
    notes = _find(index, _range(older_than, newer_than), limit, deadline, accepts)
    return sorted(notes, key=itemgetter("id"), reverse=True)


def find_in_period(
    user_id: int,
    since: int,
    until: int,
    limit: int,
    *,
    older_than: int | None = None,
    newer_than: int | None = None,
) -> list[FoundNote]:
    """Return the latest notes created in a period (Unix seconds, until excluded), the latest first.

    older_than excludes that note and all created after it. newer_than excludes that note and all created before
    it, and selects the earliest of the rest instead of the latest.
    """
    comparison, order = ("<", "DESC") if newer_than is None else (">", "ASC")
    reference = older_than if newer_than is None else newer_than
    # A reference that is deleted for good has no neighbors: then there are no more notes.
    place = (
        ""
        if reference is None
        else (f" AND (created_at, id) {comparison} (SELECT created_at, id FROM notes WHERE id = :reference)")
    )
    notes: list[FoundNote] = storage.fetch_all(
        "SELECT id, text, created_at FROM notes WHERE user_id = :user_id AND deleted_at IS NULL"
        f" AND created_at >= :since AND created_at < :until{place}"
        f" ORDER BY created_at {order}, id {order} LIMIT :limit",
        {"user_id": user_id, "since": since, "until": until, "reference": reference, "limit": limit},
    )
    return notes if newer_than is None else notes[::-1]


def _range(older_than: int | None, newer_than: int | None) -> _Range:
    newest_id = storage.fetch_one("SELECT coalesce(max(id), 0) AS id FROM notes")["id"]
    before_id = newest_id + 1 if older_than is None else min(older_than, newest_id + 1)
    return _Range(newer_than or 0, before_id, is_ascending=newer_than is not None)


def _contains_all(folded_text: str, folded_phrases: Iterable[str]) -> bool:
    return all(phrase in folded_text for phrase in folded_phrases)


def _find(
    index: _Index,
    ids: _Range,
    limit: int,
    deadline: float,
    accepts: Callable[[FoundNote], bool] = lambda _: True,
) -> list[FoundNote]:
    """Return the first accepted notes in the range."""
    found: list[FoundNote] = []
    with closing(_select(index, ids, deadline)) as notes:
        for note in notes:
            if accepts(note):
                found.append(note)
                if len(found) == limit:
                    break
    return found


def _find_short(index: _Index, short: list[str], ids: _Range, limit: int, deadline: float) -> list[FoundNote]:
    """Return the first notes in the range that also contain all short phrases.

    Reading notes one by one soon finds a common phrase; the index soon finds a rare one. So read a limited number
    of notes first, and then use the index.
    """
    found: list[FoundNote] = []
    scanned = 0
    with closing(_select(index, ids, deadline)) as notes:
        for note in islice(notes, MAX_SCANNED_NOTES):
            scanned += 1
            ids = ids.remaining_after(note["id"])
            if _contains_all(fold(note["text"]), short):
                found.append(note)
                if len(found) == limit:
                    return found
    if scanned < MAX_SCANNED_NOTES:
        return found  # there are no more notes
    prefixes = [_prefix_expression(phrase, deadline) for phrase in short]
    if not all(prefixes):
        return found  # a phrase occurs in no note at all
    index = index._replace(expressions=[*index.expressions, *prefixes])
    return found + _find(index, ids, limit - len(found), deadline)


def _select(index: _Index, ids: _Range, deadline: float) -> Generator[FoundNote, None, None]:
    """Yield the notes of an index in the range; SearchTooLong soon after the deadline."""
    width = FIRST_WINDOW
    while not ids.is_empty:
        started_at = time.monotonic()
        window, ids = ids.split(width)
        with closing(_select_window(index, window)) as notes:
            for note in notes:
                yield note
                _check(deadline)
        _check(deadline)
        if time.monotonic() - started_at < FAST_WINDOW_S:
            width *= 2


def _check(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise SearchTooLong


def _select_window(index: _Index, ids: _Range) -> sqlite3.Cursor:
    order = "ASC" if ids.is_ascending else "DESC"
    tags = {f"tag{number}": tag for number, tag in enumerate(index.tags)}
    has_tags = "".join(
        f" AND EXISTS (SELECT 1 FROM note_tags WHERE user_id = :user_id AND tag = :{name} AND note_id = notes.id)"
        for name in tags
    )
    if index.expressions:
        sql = f"{_matching_notes(index.table)}{has_tags} ORDER BY {index.table}.rowid {order}"
    else:
        sql = (
            "SELECT id, text, created_at FROM notes WHERE user_id = :user_id AND deleted_at IS NULL"
            f" AND id BETWEEN :first_id AND :last_id{has_tags} ORDER BY id {order}"
        )
    parameters = _matching_parameters(
        index.user_id, " AND ".join(index.expressions), ids.after_id + 1, ids.before_id - 1
    )
    return storage.connection().execute(sql, {**parameters, **tags})


def similar_notes(user_id: int, trigrams: Iterable[str], limit: int) -> list[FoundNote]:
    """Return the notes that share the most and the rarest of these trigrams, the best match first."""
    expression = " OR ".join(map(_quote, trigrams))
    if not expression:
        return []
    return storage.fetch_all(
        f"{_matching_notes('notes_fts')} ORDER BY bm25(notes_fts) LIMIT :limit",
        {**_matching_parameters(user_id, expression, 0, MAX_NOTES_PER_PERSON - 1), "limit": limit},
    )


def _matching_notes(table: str) -> str:
    """Return the statement that selects the notes of an index; its parameters are _matching_parameters()."""
    # CROSS JOIN makes SQLite begin with the index. It would otherwise read all notes of the person by id.
    return (
        "SELECT notes.id, notes.text, notes.created_at"
        f" FROM {table} CROSS JOIN notes ON notes.id = {table}.rowid - :offset"
        f" WHERE {table} MATCH :expression AND {table}.rowid BETWEEN :offset + :first_id AND :offset + :last_id"
        " AND notes.user_id = :user_id AND notes.deleted_at IS NULL"
    )


def _matching_parameters(user_id: int, expression: str, first_id: int, last_id: int) -> dict[str, int | str]:
    person = storage.fetch_one("SELECT number << 40 AS offset FROM people WHERE user_id = ?", (user_id,))
    offset = person["offset"] if person else 0  # 0: rows that belong to nobody
    return {
        "user_id": user_id,
        "expression": expression,
        "offset": offset,
        "first_id": first_id,
        "last_id": last_id,
    }


def _quote(phrase: str) -> str:
    """Return the expression of the index that matches a phrase literally."""
    return '"' + phrase.replace('"', '""') + '"'


def _form_expression(word: str) -> str:
    """Return the expression of the index of words that matches all forms of a word."""
    return "(" + " OR ".join(map(_quote, sorted(words.keys(word)))) + ")"


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
    return "(" + " OR ".join(map(_quote, terms)) + ")" if terms else ""
