"""Imports of notes from a file that an export in the json format has made, zipped or not."""

import io
import json
import threading
import time
import zipfile
import zlib
from typing import Any, BinaryIO

import db
import storage
import texts
from notes.exports import JSON_FORMAT, JSON_VERSION
from unicode_text import storable

MAX_UNPACKED_BYTES = 100 * 2**20  # the whole file is in memory while it is imported
MAX_NOTE_LENGTH = 64 * 1024  # characters; a saved answer may be longer than a message
BATCH_SIZE = 100  # notes per transaction: other writers wait only for one batch
MAX_CLOCK_ERROR_S = 86400  # a note may be this much newer than this machine's clock says
MAX_NUMBER = 2**53  # of the ids in a JSON document
# What zipfile raises for damaged archives.
DAMAGED_ARCHIVE_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError)

_one_at_a_time = threading.Lock()  # imports of several people at once could take all memory


class WrongFile(Exception):
    """The file is not an export of this bot, or it is damaged."""


class FileTooLarge(Exception):
    """The file is larger than MAX_UNPACKED_BYTES when it is unpacked."""


def import_notes(user_id: int, file: BinaryIO) -> str:
    """Store the notes of a file that the person does not have yet; return a sentence with the result.

    A file that is wrong, damaged or too large changes nothing.
    """
    with _one_at_a_time:
        try:
            entries = _read_entries(file)
        except WrongFile:
            return texts.IMPORT_WRONG
        except FileTooLarge:
            return texts.IMPORT_UNPACKED_TOO_LARGE
        return _store(user_id, entries)


def _read_entries(file: BinaryIO) -> list[Any]:
    """Return the list of notes of a file; the entries themselves are not checked yet."""
    try:
        document = json.loads(_unpack(file).decode("utf-8-sig"))
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested too deeply
        raise WrongFile from None
    if not isinstance(document, dict):
        raise WrongFile
    if document.get("format") != JSON_FORMAT or document.get("version") != JSON_VERSION:
        raise WrongFile
    entries = document.get("notes")
    if not isinstance(entries, list):
        raise WrongFile
    return entries


def _unpack(file: BinaryIO) -> bytes:
    """Return the content of a file, or of the only file in it if it is a zip archive."""
    file.seek(0)
    content = file.read(MAX_UNPACKED_BYTES + 1)
    if zipfile.is_zipfile(io.BytesIO(content)):
        content = _unzip(content)
    if len(content) > MAX_UNPACKED_BYTES:
        raise FileTooLarge
    return content


def _unzip(archive_content: bytes) -> bytes:
    """Return the content of the only file in an archive, up to one byte more than MAX_UNPACKED_BYTES."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive_content)) as archive:
            members = archive.infolist()
            if len(members) != 1:
                raise WrongFile
            [member] = members
            is_encrypted = bool(member.flag_bits & 1)
            if is_encrypted or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise WrongFile
            with archive.open(member) as unpacked:
                return unpacked.read(MAX_UNPACKED_BYTES + 1)
    except DAMAGED_ARCHIVE_ERRORS:
        raise WrongFile from None


def _store(user_id: int, entries: list[Any]) -> str:
    """Store the entries that are notes and not known yet, as far as the person has room for them."""
    known = set()
    for existing in db.iterate_notes(user_id):
        known |= {_message_key(existing), _text_key(existing)}
    added = already_present = refused = 0
    for start in range(0, len(entries), BATCH_SIZE):
        with storage.transaction():
            for entry in entries[start : start + BATCH_SIZE]:
                note = _parse_note(entry)
                if note is None:
                    refused += 1
                elif _key(note) in known:
                    already_present += 1
                elif not db.has_room(user_id):
                    refused += 1
                else:
                    db.import_note(user_id, note)
                    known |= {_message_key(note), _text_key(note)}
                    added += 1
        time.sleep(0.001)  # lets threads that wait for the write lock take it
    return texts.imported(added, already_present, refused)


def _key(note: db.ImportedNote) -> tuple[int, ...]:
    """Return what identifies a note: the message it came from, because it may have been edited, or its text."""
    return _message_key(note) if note["message_id"] else _text_key(note)


def _message_key(note: db.ImportedNote | db.ExportedNote) -> tuple[int, ...]:
    return note["created_at"], note["chat_id"], note["message_id"]


def _text_key(note: db.ImportedNote | db.ExportedNote) -> tuple[int, ...]:
    return note["created_at"], hash(note["text"])  # the hash takes less memory than the text


def _parse_note(entry: Any) -> db.ImportedNote | None:
    """Return an entry of the file as a note; None if it is not one."""
    if not isinstance(entry, dict):
        return None
    text = entry.get("text")
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_NOTE_LENGTH:
        return None
    created_at, updated_at = _moment(entry.get("created_at")), _moment(entry.get("updated_at"))
    if created_at is None:
        return None
    return {
        "text": storable(text.strip()),
        "created_at": created_at,
        "updated_at": created_at if updated_at is None else updated_at,
        "chat_id": _number(entry.get("chat_id")),
        "message_id": _number(entry.get("message_id")),
        "question_id": _number(entry.get("question_id")) or None,
    }


def _moment(value: Any) -> int | None:
    """Return a value of the file if it is a moment in the past, in Unix seconds."""
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return value if is_integer and 0 <= value < time.time() + MAX_CLOCK_ERROR_S else None


def _number(value: Any) -> int:
    """Return an id of the file; 0 if it is missing or not a number."""
    return value if isinstance(value, int) and abs(value) < MAX_NUMBER else 0
