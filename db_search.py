"""Search the notes of a person: exactly, by forms of words, by a period, by tags, or by similarity.

Each function runs in the open transaction of its thread, or in one of its own.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TypedDict

import db_index
import storage
import words
from db_index import FoundNote as FoundNote
from db_index import Range, Selection, quote
from db_index import SearchTooLong as SearchTooLong
from unicode_text import fold


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
    indexed = [quote(phrase) for phrase in phrases if len(phrase) >= db_index.MIN_INDEXED_LENGTH]
    short = [phrase for phrase in phrases if len(phrase) < db_index.MIN_INDEXED_LENGTH]
    selection = Selection(user_id, db_index.PARTS_OF_WORDS, indexed, query.tags)
    if short:
        notes = db_index.find_short(selection, short, ids, limit, deadline)
    else:
        notes = db_index.find(selection, ids, limit, deadline)
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

    selection = Selection(user_id, db_index.FORMS_OF_WORDS, expressions, query.tags)
    notes = db_index.find(selection, _range(older_than, newer_than), limit, deadline, accepts)
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
        else f" AND (created_at, id) {comparison} (SELECT created_at, id FROM notes WHERE id = :reference)"
    )
    notes: list[FoundNote] = storage.fetch_all(
        "SELECT id, text, created_at FROM notes WHERE user_id = :user_id AND deleted_at IS NULL"
        f" AND created_at >= :since AND created_at < :until{place}"
        f" ORDER BY created_at {order}, id {order} LIMIT :limit",
        {"user_id": user_id, "since": since, "until": until, "reference": reference, "limit": limit},
    )
    return notes if newer_than is None else notes[::-1]


def list_tags(user_id: int, limit: int) -> list[TagCount]:
    """Return the tags of a person, the most frequent first."""
    return storage.fetch_all(  # label comes from the row with the newest note, as SQLite guarantees for max()
        "SELECT tag, label, max(note_id), count(*) AS notes FROM note_tags WHERE user_id = ?"
        " GROUP BY tag ORDER BY notes DESC, tag LIMIT ?",
        (user_id, limit),
    )


def similar_notes(user_id: int, trigrams: Iterable[str], limit: int) -> list[FoundNote]:
    """Return the notes that share the most and the rarest of these trigrams, the best match first."""
    expression = " OR ".join(map(quote, trigrams))
    if not expression:
        return []
    last_id = db_index.MAX_NOTES_PER_PERSON - 1
    return storage.fetch_all(
        f"{db_index.MATCHING_NOTES.format(index=db_index.PARTS_OF_WORDS)} ORDER BY found.rank LIMIT :limit",
        {**db_index.matching_parameters(user_id, expression, 0, last_id), "limit": limit},
    )


def _range(older_than: int | None, newer_than: int | None) -> Range:
    newest_id = storage.fetch_one("SELECT coalesce(max(id), 0) AS id FROM notes")["id"]
    before_id = newest_id + 1 if older_than is None else min(older_than, newest_id + 1)
    return Range(newer_than or 0, before_id, is_ascending=newer_than is not None)


def _contains_all(folded_text: str, folded_phrases: Iterable[str]) -> bool:
    return all(phrase in folded_text for phrase in folded_phrases)


def _form_expression(word: str) -> str:
    """Return the expression of the index of words that matches all forms of a word."""
    return "(" + " OR ".join(map(quote, sorted(words.keys(word)))) + ")"
