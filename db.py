"""What people keep: their notes and the registry of models. The other modules db_*.py hold the rest.

Each function runs in the open transaction of its thread, or in one of its own. Call open() first. A function that
takes a user_id sees only what belongs to that person.

People know a note by its `number`, which counts their own notes: the functions for commands and buttons take and
return it. A `note_id` identifies a note inside the database only, in other tables and in the search index.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypedDict

import clock
import db_attachments
import db_search
import entities
import storage
import texts
from db_attachments import ExportedAttachment, Source
from entities import Entity

DEFAULT_MAX_NOTES = 100_000
EXPORT_CHUNK = 500  # notes whose attachments are looked up together

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
    entities: str  # JSON, see entities.loads()
    search_extra: str
    number: int
    pinned_at: int | None


class AddedNote(TypedDict):
    """A new note: the number for the person, the id for other tables."""

    id: int
    number: int


class ImportedNote(TypedDict):
    """A note from a file."""

    text: str
    created_at: int
    updated_at: int
    chat_id: int
    message_id: int
    question_id: int | None
    pinned_at: int | None
    entities: list[Entity]
    attachments: list[ExportedAttachment]
    source: Source | None


class ExportedNote(ImportedNote):
    """A note to write into a file."""

    number: int


class CatalogModel(TypedDict):
    """A model as a gateway describes it."""

    key: str
    label: str
    context_length: int | None
    category: str
    sees_images: bool


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


def current_bot() -> int | None:
    """Return the bot whose messages new notes are made from; None if unknown."""
    return _bot_id


def check(path: Path | str) -> int:
    """Check a database without changing it and return its number of notes.

    SetupError if it is missing, damaged, or not ours.
    """
    with storage.open_read_only(path) as connection:
        row = connection.execute("SELECT count(*) AS notes FROM notes WHERE deleted_at IS NULL").fetchone()
    return int(row["notes"])


def read_active_model(path: Path | str) -> tuple[str, str] | None:
    """Return the gateway and the key of the active model of a closed database; None if it is unavailable."""
    with storage.open_read_only(path) as connection:
        row = connection.execute("SELECT * FROM models WHERE active = 1").fetchone()
    if row is None or not row.get("available", 1):  # version 1 had neither of these columns
        return None
    return row.get("gateway", "openrouter"), row["key"]


def backup(path: Path | str, target: Path | str) -> int:
    """Copy a database into a file, see storage.copy(), and return the number of notes in the copy."""
    storage.copy(path, target)
    return check(target)


# Notes ---------------------------------------------------------------------------------------------------


# The trigger notes_insert stores it as people.last_note_number.
_NEXT_NUMBER = "(SELECT coalesce(max(last_note_number), 0) + 1 FROM people WHERE user_id = :user_id)"


def add_note(
    user_id: int,
    chat_id: int,
    message_id: int,
    text: str,
    created_at: int,
    text_entities: Sequence[Entity] = (),
) -> AddedNote:
    """Store a note; NotesFull if the person has too many."""
    _check_room(user_id)
    search_extra = db_attachments.search_extra(text_entities) if text_entities else ""
    cursor = storage.execute(
        "INSERT INTO notes (user_id, chat_id, message_id, text, created_at, updated_at, bot_id, entities,"
        " search_extra, number) VALUES (:user_id, :chat_id, :message_id, :text, :created_at, :created_at, :bot_id,"
        f" :entities, :search_extra, {_NEXT_NUMBER})",
        {
            "user_id": user_id,
            "chat_id": chat_id,
            "message_id": message_id,
            "text": text,
            "created_at": created_at,
            "bot_id": _bot_id,
            "entities": entities.dumps(text_entities),
            "search_extra": search_extra,
        },
    )
    return storage.fetch_one("SELECT id, number FROM notes WHERE id = ?", (cursor.lastrowid,))


def has_room(user_id: int) -> bool:
    """Return whether a person may have another note."""
    return count_notes(user_id) < _max_notes


def _check_room(user_id: int) -> None:
    if not has_room(user_id):
        raise NotesFull(texts.notes_full(_max_notes))


def import_note(user_id: int, note: ImportedNote) -> None:
    """Store a note from a file; it gets a new number, as the old one may be taken here.

    Its question_id is kept only if this database has that question and no note contains its answer yet.
    """
    cursor = storage.execute(
        "INSERT INTO notes (user_id, number, chat_id, message_id, text, created_at, updated_at, entities,"
        f" search_extra, pinned_at, question_id) VALUES (:user_id, {_NEXT_NUMBER}, :chat_id, :message_id, :text,"
        " :created_at, :updated_at, :entities, :search_extra, :pinned_at, ("
        " SELECT id FROM questions WHERE id = :question_id AND chat_id = :chat_id AND NOT EXISTS ("
        " SELECT 1 FROM notes WHERE user_id = :user_id AND question_id = :question_id AND deleted_at IS NULL)))",
        {
            **{name: value for name, value in note.items() if name not in ("attachments", "source")},
            "user_id": user_id,
            "entities": entities.dumps(note["entities"]),
            "search_extra": db_attachments.search_extra(note["entities"], note["attachments"], note["source"]),
        },
    )
    db_attachments.import_parts(int(cursor.lastrowid or 0), note["attachments"], note["source"])


def get_note(user_id: int, number: int) -> Note | None:
    """Return a note, even if it is deleted: see its deleted_at."""
    return storage.fetch_one("SELECT * FROM notes WHERE user_id = ? AND number = ?", (user_id, number))


def get_note_by_id(user_id: int, note_id: int) -> Note | None:
    """Return a note by its id, not its number, even if it is deleted."""
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


def get_note_by_attachment(user_id: int, chat_id: int, message_id: int) -> Note | None:
    """Return the note that got an attachment from a message, a deleted one only if there is no other."""
    return storage.fetch_one(
        "SELECT notes.* FROM attachments JOIN notes ON notes.id = attachments.note_id"
        " WHERE attachments.chat_id = ? AND attachments.message_id = ? AND attachments.bot_id IS ?"
        " AND notes.user_id = ? ORDER BY notes.deleted_at IS NOT NULL, notes.id LIMIT 1",
        (chat_id, message_id, _bot_id, user_id),
    )


def list_notes(user_id: int, limit: int) -> list[db_search.FoundNote]:
    """Return the newest notes, newest first."""
    return db_search.find_notes(user_id, db_search.Query(), limit)


def list_pinned_notes(user_id: int) -> list[db_search.FoundNote]:
    """Return the pinned notes, the latest pin first."""
    return storage.fetch_all(
        "SELECT id, number, text, created_at, entities, search_extra FROM notes"
        " WHERE user_id = ? AND pinned_at IS NOT NULL AND deleted_at IS NULL ORDER BY pinned_at DESC, id DESC",
        (user_id,),
    )


def pin_note(user_id: int, number: int, *, is_pinned: bool) -> bool:
    """Pin or unpin a note; return False if there is no such note."""
    cursor = storage.execute(
        "UPDATE notes SET pinned_at = ? WHERE user_id = ? AND number = ? AND deleted_at IS NULL",
        (clock.now() if is_pinned else None, user_id, number),
    )
    return cursor.rowcount == 1


def iterate_notes(user_id: int) -> Iterator[ExportedNote]:
    """Yield all notes with what they hold, oldest first, without loading them all into memory."""
    cursor = storage.connection().execute(
        "SELECT id, number, chat_id, message_id, text, created_at, updated_at, question_id, pinned_at, entities,"
        " EXISTS (SELECT 1 FROM attachments WHERE note_id = notes.id) AS has_attachments,"
        " EXISTS (SELECT 1 FROM sources WHERE note_id = notes.id) AS has_source FROM notes"
        " WHERE user_id = ? AND deleted_at IS NULL ORDER BY id",
        (user_id,),
    )
    while rows := cursor.fetchmany(EXPORT_CHUNK):
        with_attachments = [row["id"] for row in rows if row.pop("has_attachments")]
        with_source = [row["id"] for row in rows if row.pop("has_source")]
        attachments = db_attachments.exported_attachments(with_attachments) if with_attachments else {}
        sources = db_attachments.sources_of_notes(with_source) if with_source else {}
        for row in rows:
            note_id = row.pop("id")
            row["entities"] = entities.loads(row["entities"])
            row["attachments"], row["source"] = attachments.get(note_id, []), sources.get(note_id)
            yield row


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


def edit_note(user_id: int, number: int, text: str, text_entities: Sequence[Entity] = ()) -> int | None:
    """Replace the text of a note and its formatting; return the id of the edit.

    0 if both are already the same, None if there is no such note.
    """
    with storage.transaction():
        note = storage.fetch_one(
            "SELECT id, text, entities FROM notes WHERE user_id = ? AND number = ? AND deleted_at IS NULL",
            (user_id, number),
        )
        if note is None:
            return None
        if note["text"] == text and entities.loads(note["entities"]) == list(text_entities):
            return 0
        _set_text(note["id"], text, text_entities)
        storage.execute("UPDATE notes SET updated_at = ? WHERE id = ?", (clock.now(), note["id"]))
        cursor = storage.execute(
            "INSERT INTO edits (note_id, text_before, entities_before, created_at) VALUES (?,?,?,?)",
            (note["id"], note["text"], note["entities"], clock.now()),
        )
        return cursor.lastrowid


def undo_edit(user_id: int, edit_id: int) -> tuple[int, int | None]:
    """Restore the text before an edit; return the number of the note and the result of edit_note().

    ValueError if there is no such edit.
    """
    with storage.transaction():
        edit = storage.fetch_one(
            "SELECT number, text_before, entities_before FROM edits JOIN notes ON notes.id = note_id"
            " WHERE edits.id = ? AND user_id = ?",
            (edit_id, user_id),
        )
        if edit is None:
            raise ValueError(f"no edit {edit_id}")
        entities_before = entities.loads(edit["entities_before"])
        return edit["number"], edit_note(user_id, edit["number"], edit["text_before"], entities_before)


def list_deleted_notes(user_id: int, limit: int) -> list[Note]:
    """Return the notes that can be restored, the latest deletion first: all that are not purged yet."""
    return storage.fetch_all(
        "SELECT * FROM notes WHERE user_id = ? AND deleted_at IS NOT NULL ORDER BY deleted_at DESC, id DESC"
        " LIMIT ?",
        (user_id, limit),
    )


def complete_note(note_id: int, text: str, text_entities: Sequence[Entity] = ()) -> None:
    """Replace the text of a note whose message arrives in several parts; this is no edit that could be undone."""
    with storage.transaction():
        _set_text(note_id, text, text_entities)


def _set_text(note_id: int, text: str, text_entities: Sequence[Entity]) -> None:
    storage.execute(
        "UPDATE notes SET text = ?, entities = ? WHERE id = ?", (text, entities.dumps(text_entities), note_id)
    )
    db_attachments.update_search_extra(note_id)


def delete_note(user_id: int, number: int) -> bool:
    """Delete a note; it can be restored until db_cleanup removes it. Return False if there is no such note."""
    cursor = storage.execute(
        "UPDATE notes SET deleted_at = ? WHERE user_id = ? AND number = ? AND deleted_at IS NULL",
        (clock.now(), user_id, number),
    )
    return cursor.rowcount == 1


def restore_note(user_id: int, number: int) -> bool:
    """Restore a note; return False if it is not deleted, or is purged. NotesFull if the person has too many."""
    _check_room(user_id)
    # If the answer that the note contains has been saved again, the newer note keeps the question_id.
    cursor = storage.execute(
        "UPDATE notes SET deleted_at = NULL, question_id = iif(EXISTS (SELECT 1 FROM notes AS other"
        " WHERE other.user_id = notes.user_id AND other.question_id = notes.question_id"
        " AND other.deleted_at IS NULL), NULL, question_id)"
        " WHERE user_id = ? AND number = ? AND deleted_at IS NOT NULL",
        (user_id, number),
    )
    return cursor.rowcount == 1


def save_answer(user_id: int, chat_id: int, message_id: int, question_id: int, answer: str) -> tuple[int, bool]:
    """Store the answer to a question as a note, once; return the number of the note and whether it is new."""
    with storage.transaction():
        saved = storage.fetch_one(
            "SELECT number FROM notes WHERE user_id = ? AND question_id = ? AND deleted_at IS NULL",
            (user_id, question_id),
        )
        if saved:
            return int(saved["number"]), False
        note = add_note(user_id, chat_id, message_id, answer, clock.now())
        storage.execute("UPDATE notes SET question_id = ? WHERE id = ?", (question_id, note["id"]))
        return note["number"], True


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
        db_attachments.move_chat(old_chat_id, new_chat_id)


# Models --------------------------------------------------------------------------------------------------

_SELECT_MODEL = (
    "SELECT id, key, label, active, gateway, available, context_length, category, sees_images FROM models"
)


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
    return [{**row, "active": bool(row["active"]), "sees_images": bool(row["sees_images"])} for row in rows]


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
                "INSERT INTO models (key, label, context_length, category, sees_images, gateway)"
                " VALUES (:key, :label, :context_length, :category, :sees_images, :gateway)"
                " ON CONFLICT (gateway, key) DO UPDATE SET label = :label, category = :category, available = 1,"
                " sees_images = :sees_images, context_length = coalesce(:context_length, context_length)",
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
