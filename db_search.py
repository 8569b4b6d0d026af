"""Search the notes of a person: by parts or forms of words, by a period, or by similarity; list the tags.

Each function runs in the open transaction of its thread, or in one of its own.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
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
MAX_SCANNED_NOTES = 500  # a search for a short phrase reads this many notes before it uses the index


class FoundNote(TypedDict):
    """A note in a list or a search result."""

    id: int
    number: int
    text: str
    created_at: int
    entities: str  # JSON, see entities.loads()
    search_extra: str  # what the search finds beside the text


class TagCount(TypedDict):
    """A tag of a person."""

    tag: str  # as words.tags() returns it
    label: str  # as it is written in the newest note
    notes: int


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


# The two indexes, see schema.sql.
_PARTS_OF_WORDS = "FROM notes_fts(:expression) AS found"
_FORMS_OF_WORDS = "FROM notes_words(:expression) AS found"

_COLUMNS = "notes.id, notes.number, notes.text, notes.created_at, notes.entities, notes.search_extra"

# CROSS JOIN makes SQLite begin with the index. It would otherwise read all notes of the person in the order of id.
_MATCHING_NOTES = (
    f"SELECT {_COLUMNS} {{source}} CROSS JOIN notes ON notes.id = found.rowid - :offset"
    " WHERE found.rowid BETWEEN :first AND :last AND notes.user_id = :user_id AND notes.deleted_at IS NULL"
)


class _Range(NamedTuple):
    """The ids of notes between after_id and before_id, both excluded, and the order in which to read them."""

    after_id: int
    before_id: int
    is_ascending: bool

    def remaining_after(self, note_id: int) -> "_Range":
        """Return the range that remains after reading a note."""
        return self._replace(after_id=note_id) if self.is_ascending else self._replace(before_id=note_id)


class _Selection(NamedTuple):
    """The notes of a person that match all expressions of an index and have all tags."""

    user_id: int
    source: str  # _PARTS_OF_WORDS or _FORMS_OF_WORDS
    expressions: Sequence[str]  # without any: all notes that have the tags
    tags: Sequence[str]


def find_notes(
    user_id: int, query: Query, limit: int, *, older_than: int | None = None, newer_than: int | None = None
) -> list[FoundNote]:
    """Return the newest notes that contain a query exactly, newest first; ignore case, and treat ё as е.

    older_than and newer_than are numbers of notes. older_than excludes that note and all newer ones. newer_than
    excludes that note and all older ones, and selects the oldest of the rest instead of the newest.
    """
    phrases = [*query.exact_phrases, *(f"#{tag}" for tag in query.tags)]
    indexed = [_quote(phrase) for phrase in phrases if len(phrase) >= MIN_INDEXED_LENGTH]
    short = [phrase for phrase in phrases if len(phrase) < MIN_INDEXED_LENGTH]
    selection = _Selection(user_id, _PARTS_OF_WORDS, indexed, query.tags)
    ids = _range(user_id, older_than, newer_than)
    notes = _find_short(selection, short, ids, limit) if short else _find(selection, ids, limit)
    return sorted(notes, key=itemgetter("id"), reverse=True)


def find_forms(
    user_id: int, query: Query, limit: int, *, older_than: int | None = None, newer_than: int | None = None
) -> list[FoundNote]:
    """Return the newest notes that contain other forms of the words of a query, and not the exact query.

    The parameters are those of find_notes().
    """
    expressions = [_form_expression(word) for part in query.words for word in words.split_words(part)]
    if not expressions:
        return []
    phrases = [fold(phrase) for phrase in query.phrases]

    def is_other_form(note: FoundNote) -> bool:
        text = fold(note["text"] + note["search_extra"])
        return _contains_all(text, phrases) and not _contains_all(text, query.exact_phrases)

    selection = _Selection(user_id, _FORMS_OF_WORDS, expressions, query.tags)
    notes = _find(selection, _range(user_id, older_than, newer_than), limit, is_other_form)
    return sorted(notes, key=itemgetter("id"), reverse=True)


def _range(user_id: int, older_than: int | None, newer_than: int | None) -> _Range:
    after_id = 0 if newer_than is None else _last_id(user_id, newer_than)
    before_id = MAX_NOTES_PER_PERSON if older_than is None else _last_id(user_id, older_than - 1) + 1
    return _Range(after_id, before_id, is_ascending=newer_than is not None)


def _last_id(user_id: int, number: int) -> int:
    """Return the id of the newest note up to a number, 0 if there is none; ids grow with the numbers."""
    row = storage.fetch_one(
        "SELECT id FROM notes WHERE user_id = ? AND number <= ? ORDER BY number DESC LIMIT 1", (user_id, number)
    )
    return int(row["id"]) if row else 0


def _contains_all(folded_text: str, folded_phrases: Iterable[str]) -> bool:
    return all(phrase in folded_text for phrase in folded_phrases)


def _find_short(selection: _Selection, short: list[str], ids: _Range, limit: int) -> list[FoundNote]:
    """Return the first notes in the range that also contain all phrases of one or two letters.

    Reading notes one by one soon finds a common phrase; the index soon finds a rare one. So read a limited number
    of notes first, and then use the index.
    """
    found: list[FoundNote] = []
    scanned = 0
    with closing(_select(selection, ids)) as notes:
        for note in islice(notes, MAX_SCANNED_NOTES):
            scanned += 1
            ids = ids.remaining_after(note["id"])
            if _contains_all(fold(note["text"] + note["search_extra"]), short):
                found.append(note)
                if len(found) == limit:
                    return found
    if scanned < MAX_SCANNED_NOTES:
        return found  # there are no more notes
    prefixes = [_prefix_expression(phrase) for phrase in short]
    if not all(prefixes):
        return found  # a phrase occurs in no note at all
    selection = selection._replace(expressions=[*selection.expressions, *prefixes])
    return found + _find(selection, ids, limit - len(found))


def _find(
    selection: _Selection, ids: _Range, limit: int, accepts: Callable[[FoundNote], bool] | None = None
) -> list[FoundNote]:
    """Return the first notes in the range, those that are accepted."""
    with closing(_select(selection, ids)) as notes:
        return list(islice(filter(accepts, notes) if accepts else notes, limit))


def _select(selection: _Selection, ids: _Range) -> sqlite3.Cursor:
    """Select the notes in the range; the cursor reads them one by one."""
    order = "ASC" if ids.is_ascending else "DESC"
    tags = {f"tag{number}": tag for number, tag in enumerate(selection.tags)}
    has_tags = "".join(
        f" AND EXISTS (SELECT 1 FROM note_tags WHERE user_id = :user_id AND tag = :{name} AND note_id = notes.id)"
        for name in tags
    )
    if selection.expressions:
        sql = f"{_MATCHING_NOTES.format(source=selection.source)}{has_tags} ORDER BY found.rowid {order}"
        expression = " AND ".join(selection.expressions)
        parameters = _matching_parameters(selection.user_id, expression, ids.after_id + 1, ids.before_id - 1)
    else:
        sql = (
            f"SELECT {_COLUMNS} FROM notes WHERE user_id = :user_id AND deleted_at IS NULL"
            f" AND id > :after_id AND id < :before_id{has_tags} ORDER BY id {order}"
        )
        parameters = {"user_id": selection.user_id, "after_id": ids.after_id, "before_id": ids.before_id}
    return storage.connection().execute(sql, {**parameters, **tags})


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
    """Return the expression of an index that matches a phrase literally."""
    return '"' + phrase.replace('"', '""') + '"'


def _form_expression(word: str) -> str:
    """Return the expression of the index of words that matches all forms of a word."""
    return "(" + " OR ".join(map(_quote, sorted(words.keys(word)))) + ")"


def _prefix_expression(letters: str) -> str:
    """Return the expression of the index that matches one or two letters; "" if no term begins with them."""
    terms: list[str] = []
    start = letters
    while row := storage.fetch_one("SELECT term FROM notes_terms WHERE term >= ? LIMIT 1", (start,)):
        if not row["term"].startswith(letters):
            break
        terms.append(row["term"])
        start = row["term"] + "\1"  # all terms have three characters, so this skips the other rows of this term
    return "(" + " OR ".join(map(_quote, terms)) + ")" if terms else ""


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
    number = older_than if newer_than is None else newer_than
    place = ""
    if number is not None:  # if that note no longer exists, there are no more notes
        place = (
            f" AND (created_at, id) {comparison}"
            " (SELECT created_at, id FROM notes WHERE user_id = :user_id AND number = :number)"
        )
    notes: list[FoundNote] = storage.fetch_all(
        f"SELECT {_COLUMNS} FROM notes WHERE user_id = :user_id AND deleted_at IS NULL"
        f" AND created_at >= :since AND created_at < :until{place}"
        f" ORDER BY created_at {order}, id {order} LIMIT :limit",
        {"user_id": user_id, "since": since, "until": until, "number": number, "limit": limit},
    )
    return notes if newer_than is None else notes[::-1]


def similar_notes(user_id: int, trigrams: Iterable[str], limit: int) -> list[FoundNote]:
    """Return the notes that share the most and the rarest of these trigrams, the best match first."""
    expression = " OR ".join(map(_quote, trigrams))
    if not expression:
        return []
    return storage.fetch_all(
        f"{_MATCHING_NOTES.format(source=_PARTS_OF_WORDS)} ORDER BY found.rank LIMIT :limit",
        {**_matching_parameters(user_id, expression, 0, MAX_NOTES_PER_PERSON - 1), "limit": limit},
    )


def list_tags(user_id: int, limit: int) -> list[TagCount]:
    """Return the tags of a person, the most frequent first."""
    return storage.fetch_all(  # label comes from the row with the newest note, as SQLite guarantees for max()
        "SELECT tag, label, max(note_id), count(*) AS notes FROM note_tags WHERE user_id = ?"
        " GROUP BY tag ORDER BY notes DESC, tag LIMIT ?",
        (user_id, limit),
    )
