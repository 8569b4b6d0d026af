"""The entries of a file to import: what makes sense in them becomes a note.

The file may come from anywhere. A part that is strange loses only itself, and the import reports how many notes
lack one.
"""

import dataclasses
import time
from typing import Any

import db
import entities
from db_attachments import ExportedAttachment, Source
from json_values import as_list
from notes.exports import MAX_NOTE_LENGTH
from telegram.contents import parse_exported_attachment
from unicode_text import storable

MAX_CLOCK_ERROR_S = 86400  # a note may be this much newer than this machine's clock says
MAX_NUMBER = 2**53  # of the ids in a JSON document
MAX_ATTACHMENTS = 100  # of a note; an album has ten


def parse_note(entry: Any) -> tuple[db.ImportedNote | None, bool]:
    """Return an entry of the file as a note, None if it is not one, and whether the note lacks a part of it."""
    if not isinstance(entry, dict):
        return None, False
    text, raw_attachments = entry.get("text"), as_list(entry.get("attachments"))
    created_at, updated_at = _moment(entry.get("created_at")), _moment(entry.get("updated_at"))
    if not isinstance(text, str) or len(text) > MAX_NOTE_LENGTH or created_at is None:
        return None, False
    text = storable(text)
    parsed = [_parse_attachment(raw) for raw in raw_attachments[:MAX_ATTACHMENTS]]
    attachments = [attachment for attachment in parsed if attachment]
    if not text.strip() and not attachments:
        return None, False
    raw_entities, source = as_list(entry.get("entities")), _parse_source(entry.get("source"))
    text_entities = entities.parse(raw_entities, text)
    note: db.ImportedNote = {
        "text": text,
        "created_at": created_at,
        "updated_at": created_at if updated_at is None else updated_at,
        "chat_id": _number(entry.get("chat_id")),
        "message_id": _number(entry.get("message_id")),
        "question_id": _number(entry.get("question_id")) or None,
        "pinned_at": _moment(entry.get("pinned_at")),
        "entities": text_entities,
        "attachments": attachments,
        "source": source,
    }
    is_incomplete = (
        text_entities != (entry.get("entities") or [])
        or len(attachments) < len(raw_attachments)
        or (not attachments and bool(entry.get("attachments")))
        or (source is None and bool(entry.get("source")))
    )
    return note, is_incomplete


def _parse_attachment(raw: Any) -> ExportedAttachment | None:
    attachment = parse_exported_attachment(raw) if isinstance(raw, dict) else None
    if attachment is None:
        return None
    transcript = raw.get("transcript")
    has_transcript = isinstance(transcript, str) and len(transcript) <= MAX_NOTE_LENGTH
    fields: dict[str, Any] = {
        **dataclasses.asdict(attachment),
        "chat_id": _number(raw.get("chat_id")),
        "message_id": _number(raw.get("message_id")),
        "position": _number(raw.get("position")),
        "bot_id": _number(raw.get("bot_id")) or None,
        "transcript": storable(str(transcript)) if has_transcript else None,
    }
    exported: ExportedAttachment = fields  # type: ignore[assignment]
    return exported


def _parse_source(raw: Any) -> Source | None:
    name = raw.get("name") if isinstance(raw, dict) else None
    if not isinstance(name, str) or not name:
        return None
    url = raw.get("url")
    is_link = isinstance(url, str) and url.startswith("https://")
    return {
        "name": storable(name),
        "url": storable(str(url)) if is_link else None,
        "sent_at": _moment(raw.get("sent_at")) or 0,
    }


def _moment(value: Any) -> int | None:
    """Return a value of the file if it is a moment in the past, in Unix seconds."""
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return value if is_integer and 0 <= value < time.time() + MAX_CLOCK_ERROR_S else None


def _number(value: Any) -> int:
    """Return an id of the file; 0 if it is missing or not a number."""
    return value if type(value) is int and abs(value) < MAX_NUMBER else 0
