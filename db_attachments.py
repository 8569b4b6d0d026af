"""What notes hold beside their text: attachments and the sources of forwards.

Each function runs in the open transaction of its thread, or in one of its own.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

import entities
import storage
from entities import Entity

# Of the details of an attachment, these are found by a search.
SEARCHED_DETAILS = ("title", "performer", "address", "first_name", "last_name", "phone_number")


class NewAttachment(TypedDict):
    """An attachment to store; see the table for the columns."""

    chat_id: int
    message_id: int
    position: int
    kind: str
    file_id: str
    file_unique_id: str
    bot_id: int | None
    file_name: str | None
    mime_type: str | None
    file_size: int | None
    duration_s: int | None
    width: int | None
    height: int | None
    details: dict[str, Any]


class ExportedAttachment(NewAttachment):
    """An attachment to write into a file, or from one."""

    transcript: str | None


class Attachment(ExportedAttachment):
    """A stored attachment."""

    id: int
    note_id: int


class Source(TypedDict):
    """Where a forwarded note comes from; see the table for the columns."""

    name: str
    url: str | None
    sent_at: int


# Attachments ---------------------------------------------------------------------------------------------


def add_attachment(note_id: int, attachment: NewAttachment) -> int:
    """Store an attachment of a note and return its id."""
    with storage.transaction():
        attachment_id = _insert_attachment(note_id, {**attachment, "transcript": None})
        update_search_extra(note_id)
    return attachment_id


def import_parts(note_id: int, attachments: Iterable[ExportedAttachment], source: Source | None) -> None:
    """Store what a note from a file holds; the note has its search_extra already."""
    for attachment in attachments:
        _insert_attachment(note_id, attachment)
    if source:
        _insert_source(note_id, source)


def _insert_attachment(note_id: int, attachment: ExportedAttachment) -> int:
    cursor = storage.execute(
        "INSERT INTO attachments (note_id, chat_id, message_id, position, kind, file_id, file_unique_id,"
        " bot_id, file_name, mime_type, file_size, duration_s, width, height, details, transcript)"
        " VALUES (:note_id, :chat_id, :message_id, :position, :kind, :file_id, :file_unique_id, :bot_id,"
        " :file_name, :mime_type, :file_size, :duration_s, :width, :height, :details, :transcript)",
        {**attachment, "note_id": note_id, "details": json.dumps(attachment["details"], ensure_ascii=False)},
    )
    return int(cursor.lastrowid or 0)


def attachments_of(note_id: int) -> list[Attachment]:
    """Return the attachments of a note in their order."""
    return attachments_of_notes([note_id]).get(note_id, [])


def attachments_of_notes(note_ids: Iterable[int]) -> dict[int, list[Attachment]]:
    """Return the attachments of several notes, by note; a note without attachments is missing."""
    rows = storage.fetch_all(
        "SELECT * FROM attachments WHERE note_id IN (SELECT value FROM json_each(?))"
        " ORDER BY note_id, position, id",
        (json.dumps(list(note_ids)),),
    )
    by_note: dict[int, list[Attachment]] = {}
    for row in rows:
        row["details"] = json.loads(row["details"])
        by_note.setdefault(row["note_id"], []).append(row)
    return by_note


def exported_attachments(note_ids: Iterable[int]) -> dict[int, list[ExportedAttachment]]:
    """Return the attachments of several notes as a file holds them, by note."""
    by_note: dict[int, list[ExportedAttachment]] = {}
    for note_id, attachments in attachments_of_notes(note_ids).items():
        rows: list[Any] = [dict(attachment) for attachment in attachments]
        for row in rows:
            del row["id"], row["note_id"]
        by_note[note_id] = rows
    return by_note


def next_note_with_files(user_id: int, after_id: int) -> tuple[int, int] | None:
    """Return the id and the number of a person's next note with files, by id; None after the last."""
    row = storage.fetch_one(
        "SELECT id, number FROM notes WHERE user_id = ? AND deleted_at IS NULL AND id > ?"
        " AND EXISTS (SELECT 1 FROM attachments WHERE note_id = notes.id AND file_id <> '') ORDER BY id LIMIT 1",
        (user_id, after_id),
    )
    return (row["id"], row["number"]) if row else None


def get_attachment(attachment_id: int) -> Attachment | None:
    """Return an attachment."""
    row: Any = storage.fetch_one("SELECT * FROM attachments WHERE id = ?", (attachment_id,))
    if row is not None:
        row["details"] = json.loads(row["details"])
    attachment: Attachment | None = row
    return attachment


def set_transcript(attachment_id: int, transcript: str | None) -> None:
    """Store what is said in a recording; None removes it."""
    with storage.transaction():
        storage.execute("UPDATE attachments SET transcript = ? WHERE id = ?", (transcript, attachment_id))
        attachment = get_attachment(attachment_id)
        if attachment is not None:
            update_search_extra(attachment["note_id"])


def remove_attachments(note_id: int, chat_id: int, message_id: int) -> None:
    """Remove the attachments that a message has brought to a note."""
    with storage.transaction():
        storage.execute(
            "DELETE FROM attachments WHERE note_id = ? AND chat_id = ? AND message_id = ?",
            (note_id, chat_id, message_id),
        )
        update_search_extra(note_id)


def move_chat(old_chat_id: int, new_chat_id: int) -> None:
    """Move attachments to the new id that a group gets as a supergroup, which counts its messages anew."""
    storage.execute(
        "UPDATE attachments SET chat_id = ?, message_id = 0 WHERE chat_id = ?", (new_chat_id, old_chat_id)
    )


# Sources -------------------------------------------------------------------------------------------------


def set_source(note_id: int, source: Source) -> None:
    """Store where a note comes from."""
    with storage.transaction():
        _insert_source(note_id, source)
        update_search_extra(note_id)


def _insert_source(note_id: int, source: Source) -> None:
    storage.execute(
        "INSERT OR REPLACE INTO sources (note_id, name, url, sent_at) VALUES (:note_id, :name, :url, :sent_at)",
        {**source, "note_id": note_id},
    )


def source_of(note_id: int) -> Source | None:
    """Return where a note comes from; None if it was not forwarded."""
    return sources_of_notes([note_id]).get(note_id)


def sources_of_notes(note_ids: Iterable[int]) -> dict[int, Source]:
    """Return where several notes come from, by note; a note that was not forwarded is missing."""
    rows = storage.fetch_all(
        "SELECT note_id, name, url, sent_at FROM sources WHERE note_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(note_ids)),),
    )
    return {row["note_id"]: {"name": row["name"], "url": row["url"], "sent_at": row["sent_at"]} for row in rows}


# Search --------------------------------------------------------------------------------------------------


def search_extra(
    text_entities: Iterable[Entity], attachments: Sequence[ExportedAttachment] = (), source: Source | None = None
) -> str:
    """Return what the search finds of a note beside its text: "", or a newline and one line each."""
    lines: list[str | None] = list(entities.hidden_links(text_entities))
    for attachment in attachments:
        details = attachment["details"]
        lines.append(attachment["file_name"])
        lines.append(" ".join(str(details[name]) for name in SEARCHED_DETAILS if details.get(name)))
        lines.append(attachment["transcript"])
    if source:
        lines += [source["name"], source["url"]]
    return "".join(f"\n{line}" for line in lines if line)


def update_search_extra(note_id: int) -> None:
    """Recompute what the search finds of a note beside its text, after a change of one of its parts."""
    note = storage.fetch_one("SELECT entities, search_extra FROM notes WHERE id = ?", (note_id,))
    if note is None:
        return
    extra = search_extra(entities.loads(note["entities"]), attachments_of(note_id), source_of(note_id))
    if extra != note["search_extra"]:
        storage.execute("UPDATE notes SET search_extra = ? WHERE id = ?", (extra, note_id))
