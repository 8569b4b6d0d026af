"""What people keep: notes, lists, plain texts, and the registry of models.

Each function runs in the open transaction of its thread, or in one of its own. Call open() first. A function that
takes a user_id sees only what belongs to that person.
"""

import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, TypedDict

import clock
import storage
import texts
from unicode_text import fold

DEFAULT_MAX_NOTES = 100_000
MAX_NOTES_PER_PERSON = 1 << 40  # the row numbers that the search index reserves for a person, see schema.sql
MIN_INDEXED_LENGTH = 3  # the search index contains terms of three characters; shorter phrases need another way
MAX_SCANNED_NOTES = 2000  # a search for a short phrase reads this many notes before it uses the index
DELETED_KEPT_S = 30 * clock.DAY_S  # how long a deletion or an edit can be undone

_max_notes = DEFAULT_MAX_NOTES  # of a person, in the open database
_bot_id: int | None = None  # the bot whose messages new notes are made from; None if unknown


class NotesFull(Exception):
    """A person already has the maximum number of notes; str() is a sentence for the person."""


class Note(TypedDict):
    """A note; see the table for the columns."""

    id: int
    user_id: int
    chat_id: int
    message_id: int
    text: str
    created_at: int
    updated_at: int
    deleted_at: int | None
    question_id: int | None
    bot_id: int | None


class FoundNote(TypedDict):
    """A note in a list or a search result."""

    id: int
    text: str
    created_at: int


class ImportedNote(TypedDict):
    """A note from a file."""

    text: str
    created_at: int
    updated_at: int
    chat_id: int
    message_id: int
    question_id: int | None


class ExportedNote(ImportedNote):
    """A note to write into a file."""

    id: int


class Listing(TypedDict):
    """A list or a search that has pages; see the table for the columns."""

    id: int
    user_id: int
    query: str
    page_size: int
    created_at: int


class PlainText(TypedDict):
    """A message without a command; see the table for the columns."""

    id: int
    user_id: int
    chat_id: int
    message_id: int
    text: str
    is_asked: int
    sent_at: int


class MessagePart(TypedDict):
    """A part of a long message; see the table for the columns."""

    chat_id: int
    message_id: int
    user_id: int
    first_message_id: int
    text: str
    length: int
    sent_at: int


class CatalogModel(TypedDict):
    """A model as a gateway describes it."""

    key: str
    label: str
    context_length: int | None
    category: str


class Model(CatalogModel):
    """A model of the registry; see the table for the columns."""

    id: int
    active: bool
    gateway: str
    available: int


class ModelReplacement(TypedDict):
    """The labels of an active model that vanished and of the one that replaced it."""

    vanished: str
    active: str


class NoteTotals(TypedDict):
    """How many notes there are, and how many people have ever had one."""

    notes: int
    people: int


def open(path: Path | str, max_notes: int = DEFAULT_MAX_NOTES) -> None:
    """Create or upgrade the database at a path and use it from now on; SetupError if it cannot be used.

    max_notes is the maximum number of notes of a person.
    """
    global _max_notes, _bot_id
    storage.open(path)
    _max_notes = max_notes
    _bot_id = None


def use_bot(bot_id: int) -> None:
    """Record in each new note that this bot got its message."""
    global _bot_id
    _bot_id = bot_id


def check(path: Path | str) -> int:
    """Check a database without changing it and return its number of notes.

    SetupError if it is missing, damaged, or not ours.
    """
    with storage.open_read_only(path) as connection:
        row = connection.execute("SELECT count(*) AS notes FROM notes WHERE deleted_at IS NULL").fetchone()
    return int(row["notes"])


def backup(path: Path | str, target: Path | str) -> int:
    """Copy a database into a file, see storage.copy(), and return the number of notes in the copy."""
    storage.copy(path, target)
    return check(target)


# Notes ---------------------------------------------------------------------------------------------------


def add_note(user_id: int, chat_id: int, message_id: int, text: str, created_at: int) -> int:
    """Store a note and return its number; NotesFull if the person has too many."""
    _check_room(user_id)
    cursor = storage.execute(
        "INSERT INTO notes (user_id, chat_id, message_id, text, created_at, updated_at, bot_id)"
        " VALUES (?,?,?,?,?,?,?)",
        (user_id, chat_id, message_id, text, created_at, created_at, _bot_id),
    )
    return int(cursor.lastrowid or 0)


def has_room(user_id: int) -> bool:
    """Return whether a person may have another note."""
    return count_notes(user_id) < _max_notes


def _check_room(user_id: int) -> None:
    if not has_room(user_id):
        raise NotesFull(texts.notes_full(_max_notes))


def import_note(user_id: int, note: ImportedNote) -> None:
    """Store a note from a file.

    Its question_id is kept only if this database has that question and no note contains its answer yet.
    """
    storage.execute(
        "INSERT INTO notes (user_id, chat_id, message_id, text, created_at, updated_at, question_id)"
        " VALUES (:user_id, :chat_id, :message_id, :text, :created_at, :updated_at, ("
        " SELECT id FROM questions WHERE id = :question_id AND chat_id = :chat_id AND NOT EXISTS ("
        " SELECT 1 FROM notes WHERE user_id = :user_id AND question_id = :question_id AND deleted_at IS NULL)))",
        {**note, "user_id": user_id},
    )


def get_note(user_id: int, note_id: int) -> Note | None:
    """Return a note, even if it is deleted: see its deleted_at."""
    return storage.fetch_one("SELECT * FROM notes WHERE id = ? AND user_id = ?", (note_id, user_id))


def get_note_by_message(user_id: int, chat_id: int, message_id: int, sent_at: int) -> Note | None:
    """Return the note that was made from a message, a deleted one only if there is no other.

    Another bot counts its messages in a private chat from 1 again. So a note whose bot is unknown must have the
    time of the message, too.
    """
    return storage.fetch_one(
        "SELECT * FROM notes WHERE chat_id = ? AND message_id = ? AND user_id = ?"
        " AND (bot_id = ? OR (bot_id IS NULL AND created_at = ?))"
        " ORDER BY deleted_at IS NOT NULL, bot_id IS NULL, id LIMIT 1",
        (chat_id, message_id, user_id, _bot_id, sent_at),
    )


def list_notes(user_id: int, limit: int) -> list[FoundNote]:
    """Return the newest notes, newest first."""
    return find_notes(user_id, [], limit)


def iterate_notes(user_id: int) -> Iterator[ExportedNote]:
    """Yield all notes, oldest first, without loading them all into memory."""
    yield from storage.connection().execute(
        "SELECT id, chat_id, message_id, text, created_at, updated_at, question_id FROM notes"
        " WHERE user_id = ? AND deleted_at IS NULL ORDER BY id",
        (user_id,),
    )


def count_notes(user_id: int) -> int:
    """Return the number of notes of a person."""
    row = storage.fetch_one("SELECT notes FROM people WHERE user_id = ?", (user_id,))
    return int(row["notes"]) if row else 0


def note_times(user_id: int, since: int) -> list[int]:
    """Return when the notes since a moment were created, in Unix seconds."""
    rows = storage.fetch_all(
        "SELECT created_at FROM notes WHERE user_id = ? AND deleted_at IS NULL AND created_at >= ?",
        (user_id, since),
    )
    return [row["created_at"] for row in rows]


def note_totals() -> NoteTotals:
    """Return the totals of all people."""
    return storage.fetch_one("SELECT coalesce(sum(notes), 0) AS notes, count(*) AS people FROM people")


def edit_note(user_id: int, note_id: int, text: str) -> int | None:
    """Replace the text of a note and return the id of the edit.

    0 if the text is already the same, None if there is no such note.
    """
    with storage.transaction():
        note = storage.fetch_one(
            "SELECT text FROM notes WHERE id = ? AND user_id = ? AND deleted_at IS NULL", (note_id, user_id)
        )
        if note is None:
            return None
        if note["text"] == text:
            return 0
        storage.execute("UPDATE notes SET text = ?, updated_at = ? WHERE id = ?", (text, clock.now(), note_id))
        cursor = storage.execute(
            "INSERT INTO edits (note_id, text_before, created_at) VALUES (?,?,?)",
            (note_id, note["text"], clock.now()),
        )
        return cursor.lastrowid


def undo_edit(user_id: int, edit_id: int) -> tuple[int, int | None]:
    """Restore the text before an edit; return the number of the note and the result of edit_note().

    ValueError if there is no such edit.
    """
    with storage.transaction():
        edit = storage.fetch_one(
            "SELECT note_id, text_before FROM edits JOIN notes ON notes.id = note_id"
            " WHERE edits.id = ? AND user_id = ?",
            (edit_id, user_id),
        )
        if edit is None:
            raise ValueError(f"no edit {edit_id}")
        return edit["note_id"], edit_note(user_id, edit["note_id"], edit["text_before"])


def delete_note(user_id: int, note_id: int) -> bool:
    """Delete a note; it can be restored until purge_old() removes it. Return False if there is no such note."""
    cursor = storage.execute(
        "UPDATE notes SET deleted_at = ? WHERE id = ? AND user_id = ? AND deleted_at IS NULL",
        (clock.now(), note_id, user_id),
    )
    return cursor.rowcount == 1


def complete_note(note_id: int, text: str) -> None:
    """Replace the text of a note whose message arrives in several parts; this is no edit that could be undone."""
    storage.execute("UPDATE notes SET text = ? WHERE id = ?", (text, note_id))


def restore_note(user_id: int, note_id: int) -> bool:
    """Restore a deleted note; return False if it cannot be restored. NotesFull if the person has too many."""
    _check_room(user_id)
    # If the answer that the note contains has been saved again, the newer note keeps the question_id.
    cursor = storage.execute(
        "UPDATE notes SET deleted_at = NULL, question_id = iif(EXISTS (SELECT 1 FROM notes AS other"
        " WHERE other.user_id = notes.user_id AND other.question_id = notes.question_id"
        " AND other.deleted_at IS NULL), NULL, question_id)"
        " WHERE id = ? AND user_id = ? AND deleted_at >= ?",
        (note_id, user_id, clock.now() - DELETED_KEPT_S),
    )
    return cursor.rowcount == 1


def save_answer(user_id: int, chat_id: int, message_id: int, question_id: int, answer: str) -> tuple[int, bool]:
    """Store the answer to a question as a note, once; return the number of the note and whether it is new."""
    with storage.transaction():
        saved = storage.fetch_one(
            "SELECT id FROM notes WHERE user_id = ? AND question_id = ? AND deleted_at IS NULL",
            (user_id, question_id),
        )
        if saved:
            return int(saved["id"]), False
        note_id = add_note(user_id, chat_id, message_id, answer, clock.now())
        storage.execute("UPDATE notes SET question_id = ? WHERE id = ?", (question_id, note_id))
        return note_id, True


# Search --------------------------------------------------------------------------------------------------

# CROSS JOIN makes SQLite begin with the index. It would otherwise read all notes of the person in the order of id.
_MATCHING_NOTES = (
    "SELECT notes.id, notes.text, notes.created_at"
    " FROM notes_fts CROSS JOIN notes ON notes.id = notes_fts.rowid - :offset"
    " WHERE notes_fts MATCH :expression AND notes_fts.rowid BETWEEN :first AND :last"
    " AND notes.user_id = :user_id AND notes.deleted_at IS NULL"
)


class _Range(NamedTuple):
    """The note numbers between after_id and before_id, both excluded, and the order in which to read them."""

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
    older_than: int = MAX_NOTES_PER_PERSON,
    newer_than: int | None = None,
) -> list[FoundNote]:
    """Return the newest notes that contain all phrases, newest first; ignore case, and treat ё as е.

    older_than and newer_than are numbers of notes. older_than excludes that note and all newer ones. newer_than
    excludes that note and all older ones, and selects the oldest of the rest instead of the newest.
    """
    ids = _Range(newer_than or 0, older_than, is_ascending=newer_than is not None)
    folded = [fold(phrase) for phrase in phrases]
    indexed = [_quote(phrase) for phrase in folded if len(phrase) >= MIN_INDEXED_LENGTH]
    short = [phrase for phrase in folded if len(phrase) < MIN_INDEXED_LENGTH]
    if short:
        notes = _find_short(user_id, indexed, short, ids, limit)
    else:
        notes = _fetch_notes(user_id, indexed, ids, limit)
    return sorted(notes, key=itemgetter("id"), reverse=True)


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
            text = fold(note["text"])
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
            "SELECT id, text, created_at FROM notes WHERE user_id = ? AND deleted_at IS NULL"
            f" AND id > ? AND id < ? ORDER BY id {order}",
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
    """Return the parameters of _MATCHING_NOTES; first_id and last_id are numbers of notes."""
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


# Lists and plain texts -----------------------------------------------------------------------------------


def add_listing(user_id: int, query: str, page_size: int) -> int:
    """Store a list ("" as the query) or a search that has pages; return its id."""
    cursor = storage.execute(
        "INSERT INTO listings (user_id, query, page_size, created_at) VALUES (?,?,?,?)",
        (user_id, query, page_size, clock.now()),
    )
    return int(cursor.lastrowid or 0)


def get_listing(user_id: int, listing_id: int) -> Listing | None:
    """Return a list or a search that has pages."""
    return storage.fetch_one("SELECT * FROM listings WHERE id = ? AND user_id = ?", (listing_id, user_id))


def add_plain_text(user_id: int, chat_id: int, message_id: int, text: str, sent_at: int) -> int:
    """Store the text of a message without a command; return its id."""
    cursor = storage.execute(
        "INSERT OR REPLACE INTO plain_texts (user_id, chat_id, message_id, text, sent_at) VALUES (?,?,?,?,?)",
        (user_id, chat_id, message_id, text, sent_at),
    )
    return int(cursor.lastrowid or 0)


def update_plain_text(user_id: int, chat_id: int, message_id: int, text: str) -> None:
    """Replace a plain text after its message was edited."""
    storage.execute(
        "UPDATE plain_texts SET text = ? WHERE chat_id = ? AND message_id = ? AND user_id = ?",
        (text, chat_id, message_id, user_id),
    )


def get_plain_text(user_id: int, text_id: int) -> PlainText | None:
    """Return a plain text."""
    return storage.fetch_one("SELECT * FROM plain_texts WHERE id = ? AND user_id = ?", (text_id, user_id))


def mark_plain_text_asked(text_id: int) -> None:
    """Record that a plain text was sent to a model as a question."""
    storage.execute("UPDATE plain_texts SET is_asked = 1 WHERE id = ?", (text_id,))


# Long messages -------------------------------------------------------------------------------------------


def put_message_part(part: MessagePart) -> None:
    """Store a part of a long message, or replace it."""
    storage.execute(
        "INSERT OR REPLACE INTO message_parts (chat_id, message_id, user_id, first_message_id, text, length,"
        " sent_at) VALUES (:chat_id, :message_id, :user_id, :first_message_id, :text, :length, :sent_at)",
        part,
    )


def latest_message_part(user_id: int, chat_id: int) -> MessagePart | None:
    """Return the part that a person has sent last in a chat."""
    return storage.fetch_one(
        "SELECT * FROM message_parts WHERE user_id = ? AND chat_id = ?"
        " ORDER BY sent_at DESC, message_id DESC LIMIT 1",
        (user_id, chat_id),
    )


def get_message_part(user_id: int, chat_id: int, message_id: int, sent_at: int) -> MessagePart | None:
    """Return a part of a long message."""
    return storage.fetch_one(
        "SELECT * FROM message_parts WHERE user_id = ? AND chat_id = ? AND message_id = ? AND sent_at = ?",
        (user_id, chat_id, message_id, sent_at),
    )


def list_message_parts(user_id: int, chat_id: int, first_message_id: int) -> list[MessagePart]:
    """Return all parts of a long message in their order."""
    return storage.fetch_all(
        "SELECT * FROM message_parts WHERE user_id = ? AND chat_id = ? AND first_message_id = ?"
        " ORDER BY message_id",
        (user_id, chat_id, first_message_id),
    )


# Groups --------------------------------------------------------------------------------------------------


def move_chat(old_chat_id: int, new_chat_id: int) -> None:
    """Keep the origins of notes and texts up to date when a group gets a new id as a supergroup.

    The supergroup counts its messages from 1 again. Without a bot_id a note matches only messages of its time.
    """
    with storage.transaction():
        storage.execute(
            "UPDATE notes SET chat_id = ?, bot_id = NULL WHERE chat_id = ?", (new_chat_id, old_chat_id)
        )
        for table in ("plain_texts", "message_parts"):
            storage.execute(
                f"UPDATE OR REPLACE {table} SET chat_id = ? WHERE chat_id = ?", (new_chat_id, old_chat_id)
            )


# Models --------------------------------------------------------------------------------------------------

_SELECT_MODEL = "SELECT id, key, label, active, gateway, available, context_length, category FROM models"


def list_models() -> list[Model]:
    """Return all models in the order of their ids."""
    return _models("ORDER BY id")


def get_model(model_id: int) -> Model:
    """Return a model; ValueError for an unknown id."""
    for model in _models("WHERE id = ?", (model_id,)):
        return model
    raise ValueError(texts.UNKNOWN_MODEL_ID)


def get_active_model() -> Model:
    """Return the active model; the first one becomes active if none is. RuntimeError if there are no models."""
    for model in _models("WHERE active = 1"):
        return model
    for model in _models("ORDER BY id < 1, id LIMIT 1"):  # 0 is the free-model router
        return set_active_model(model["id"])
    raise RuntimeError(texts.EMPTY_REGISTRY)


def set_active_model(model_id: int) -> Model:
    """Make a model the active one and return it; ValueError for an unknown id."""
    with storage.transaction():
        # Two statements: SQLite checks the unique index after each row, so two rows must never be 1 at once.
        storage.execute("UPDATE models SET active = 0 WHERE active = 1")
        storage.execute("UPDATE models SET active = 1 WHERE id = ?", (model_id,))
        return get_model(model_id)


def _models(condition: str, parameters: tuple[int | str, ...] = ()) -> list[Model]:
    rows: list[Model] = storage.fetch_all(f"{_SELECT_MODEL} {condition}", parameters)
    return [{**row, "active": bool(row["active"])} for row in rows]


def mark_model_unavailable(model_id: int) -> None:
    """Record that the gateway no longer offers a model."""
    storage.execute("UPDATE models SET available = 0 WHERE id = ?", (model_id,))


def update_catalog(gateway: str, models: list[CatalogModel]) -> tuple[int, int]:
    """Store the models that a gateway offers now; return how many are new and how many have vanished.

    A model that has vanished keeps its row, so that its id stays valid, and becomes unavailable.
    """
    with storage.transaction():
        known = {model["key"]: model for model in _models("WHERE gateway = ?", (gateway,))}
        for model in models:
            storage.execute(
                "INSERT INTO models (key, label, context_length, category, gateway)"
                " VALUES (:key, :label, :context_length, :category, :gateway)"
                " ON CONFLICT (gateway, key) DO UPDATE SET label = :label, category = :category, available = 1,"
                " context_length = coalesce(:context_length, context_length)",
                {**model, "gateway": gateway},
            )
        offered = {model["key"] for model in models}
        vanished = [model for model in known.values() if model["available"] and model["key"] not in offered]
        for model in vanished:
            mark_model_unavailable(model["id"])
        storage.execute("INSERT OR REPLACE INTO catalogs VALUES (?,?)", (gateway, clock.now()))
    return len(offered - known.keys()), len(vanished)


def forget_catalog(gateway: str) -> None:
    """Mark all models of a gateway as unavailable, because it is no longer configured."""
    with storage.transaction():
        storage.execute("UPDATE models SET available = 0 WHERE gateway = ?", (gateway,))
        storage.execute("DELETE FROM catalogs WHERE gateway = ?", (gateway,))


def catalog_age_s(gateway: str) -> float:
    """Return the age of the catalog of a gateway in seconds; infinity if it was never fetched."""
    row = storage.fetch_one("SELECT fetched_at FROM catalogs WHERE gateway = ?", (gateway,))
    return clock.now() - row["fetched_at"] if row else math.inf


def record_model_replacement(vanished_label: str, active_label: str) -> None:
    """Record that another model replaced the active one, for the person who asks next."""
    storage.execute("INSERT OR REPLACE INTO model_replacements VALUES (1,?,?)", (vanished_label, active_label))


def take_model_replacement() -> ModelReplacement | None:
    """Return the recorded replacement of the active model and delete the record."""
    with storage.transaction():
        replacement: ModelReplacement | None = storage.fetch_one("SELECT vanished, active FROM model_replacements")
        storage.execute("DELETE FROM model_replacements")
    return replacement


# Cleanup -------------------------------------------------------------------------------------------------


def purge_old(now: int) -> None:
    """Delete for good what cannot be restored or used at a moment: deleted notes, edits, lists, plain texts."""
    limit = now - DELETED_KEPT_S
    with storage.transaction():
        storage.execute("DELETE FROM notes WHERE deleted_at < ?", (limit,))
        storage.execute("DELETE FROM edits WHERE created_at < ?", (limit,))
        storage.execute("DELETE FROM listings WHERE created_at < ?", (limit,))
        storage.execute("DELETE FROM plain_texts WHERE sent_at < ?", (limit,))
        storage.execute("DELETE FROM message_parts WHERE sent_at < ?", (limit,))
