"""Imports of notes from a file that an export in the json format has made, zipped or not.

The file is read twice: first to check all of it, so that a damaged file changes nothing, then to store its notes.
An export has one note per line, and only one line is in memory at a time.
"""

import json
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO

import db
import storage
import texts
from notes.exports import (
    JSON_FORMAT,
    JSON_VERSIONS,
    MAX_ENTRIES,
    MAX_LINE_BYTES,
    MAX_UNPACKED_BYTES,
)
from notes.import_archive import WrongFile, unpacked
from notes.import_entries import parse_note
from notes.note_card import MAX_PINS
from telegram.limits import MAX_DOWNLOAD_BYTES

MAX_WHOLE_BYTES = 2**20  # up to this size a file may have any layout; it is read as a whole
MAX_CHECK_S = 120.0  # a file that takes longer to check is refused
MAX_STORE_S = 240.0  # an import that takes longer stops, and goes on when the file is sent again
BATCH_SIZE = 100  # notes per transaction: other writers wait only for one batch
BATCH_LENGTH = 100_000  # characters per transaction
PART_LENGTH = 100  # storing an entity or an attachment takes about as long as so many characters
# What json and zipfile raise for damaged files. RuntimeError includes RecursionError: nested too deeply.
DAMAGED_FILE_ERRORS = (ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, EOFError)

_one_at_a_time = threading.Lock()  # several imports at once would need several times the memory


class FileTooLarge(Exception):
    """The file exceeds a limit of imports."""


def import_notes(
    user_id: int,
    file: BinaryIO,
    *,
    added_before: int = 0,
    on_added: Callable[[int], None] = lambda added: None,  # noqa: ARG005
) -> str:
    """Store the notes of a file that the person does not have yet; return a sentence with the result.

    A file that is wrong, damaged or too large changes nothing. An import that was interrupted is repeated with the
    number of notes that it added; on_added() gets that number in every transaction that adds some.
    """
    with _one_at_a_time:
        try:
            _check(file, stop_at=time.monotonic() + MAX_CHECK_S)
            batch = _Batch(user_id, added_before, on_added)
            return _store(user_id, file, batch, stop_at=time.monotonic() + MAX_STORE_S)
        except WrongFile:
            return texts.IMPORT_WRONG
        except FileTooLarge:
            return texts.IMPORT_UNPACKED_TOO_LARGE


def _check(file: BinaryIO, stop_at: float) -> None:
    """Raise WrongFile or FileTooLarge if the file cannot be imported."""
    if file.seek(0, 2) > MAX_DOWNLOAD_BYTES:
        raise FileTooLarge
    for number, _ in enumerate(_read_entries(file), 1):
        if number > MAX_ENTRIES or time.monotonic() > stop_at:
            raise FileTooLarge


# Reading -------------------------------------------------------------------------------------------------


def _read_entries(file: BinaryIO) -> Iterator[Any]:
    """Yield the entries in the list of notes of a file; they are not checked yet."""
    try:
        with unpacked(file) as content:
            start = content.read(MAX_WHOLE_BYTES + 1)
            if len(start) <= MAX_WHOLE_BYTES:
                yield from _notes_of(json.loads(start.decode("utf-8-sig")))
                return
        with unpacked(file) as content:
            yield from _read_lines(_lines(content))
    except DAMAGED_FILE_ERRORS:
        raise WrongFile from None


def _notes_of(document: Any) -> list[Any]:
    """Return the list of notes of a JSON document; WrongFile if the document is not an export."""
    if not isinstance(document, dict):
        raise WrongFile
    if document.get("format") != JSON_FORMAT or document.get("version") not in JSON_VERSIONS:
        raise WrongFile
    entries = document.get("notes")
    if not isinstance(entries, list):
        raise WrongFile
    return entries


def _read_lines(lines: Iterator[bytes]) -> Iterator[Any]:
    """Yield the entries of a document with one note per line, as an export writes it."""
    head = next(lines, b"").decode("utf-8-sig")
    if _notes_of(json.loads(head + "]}")):
        raise WrongFile
    may_go_on = True
    for line in lines:
        entry = line.decode().strip()
        if entry == "]}":
            break
        if not may_go_on:
            raise WrongFile
        may_go_on = entry.endswith(",")
        yield json.loads(entry.removesuffix(","))
    else:  # the end is missing
        raise WrongFile
    if any(line.strip() for line in lines):
        raise WrongFile


def _lines(content: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file; count what is really there, as the header of an archive may lie about it."""
    total = 0
    while line := content.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise WrongFile
        total += len(line)
        if total > MAX_UNPACKED_BYTES:
            raise FileTooLarge
        yield line


# Storing -------------------------------------------------------------------------------------------------


def _store(user_id: int, file: BinaryIO, batch: "_Batch", stop_at: float) -> str:
    """Store the entries that are notes and not known yet, as far as the person has room and there is time."""
    known = set()
    for existing in db.iterate_notes(user_id):
        known |= {_message_key(existing), _content_key(existing)}
    report = texts.imported
    already_present = -batch.stored  # the notes of an interrupted run are in the database
    refused = incomplete = foreign_files = 0
    for entry in _read_entries(file):
        note, is_incomplete = parse_note(entry)
        if note is not None:
            incomplete += is_incomplete
            foreign_files += _foreign_files(note)
        if note is not None and _key(note) in known:
            already_present += 1
        elif note is None or batch.is_full:
            refused += 1
        else:
            known |= {_message_key(note), _content_key(note)}
            batch.add(note)
        if time.monotonic() > stop_at:
            report = texts.import_unfinished
            break
    batch.store()
    result = report(batch.stored, max(already_present, 0), refused + batch.refused)
    if batch.is_full:
        result += texts.IMPORT_NO_ROOM
    return result + texts.import_remarks(incomplete, foreign_files)


class _Batch:
    """Collects new notes and stores them in short transactions."""

    def __init__(self, user_id: int, added_before: int, on_added: Callable[[int], None]) -> None:
        self._user_id = user_id
        self._on_added = on_added
        self._notes: list[db.ImportedNote] = []
        self._length = 0  # of the notes together
        self.stored = added_before
        self.refused = 0  # for lack of room

    @property
    def is_full(self) -> bool:
        """Return whether the person has no room for more notes."""
        return self.refused > 0

    def add(self, note: db.ImportedNote) -> None:
        """Add a note; store the batch when it is large enough."""
        self._notes.append(note)
        self._length += len(note["text"]) + PART_LENGTH * (len(note["entities"]) + len(note["attachments"]))
        if len(self._notes) >= BATCH_SIZE or self._length >= BATCH_LENGTH:
            self.store()

    def store(self) -> None:
        """Store the collected notes in one transaction, as far as there is room."""
        if not self._notes:
            return
        stored = 0
        with storage.transaction():
            for note in self._notes:
                if db.has_room(self._user_id):
                    if note["pinned_at"] and len(db.list_pinned_notes(self._user_id)) >= MAX_PINS:
                        note["pinned_at"] = None
                    db.import_note(self._user_id, note)
                    stored += 1
            self._on_added(self.stored + stored)
        self.stored += stored
        self.refused += len(self._notes) - stored
        self._notes, self._length = [], 0
        time.sleep(0.001)  # lets threads that wait for the write lock take it


def _key(note: db.ImportedNote) -> tuple[int, ...]:
    """Return what identifies a note: the message it came from, because it may have been edited, or its content."""
    return _message_key(note) if note["message_id"] else _content_key(note)


def _message_key(note: db.ImportedNote) -> tuple[int, ...]:
    return note["created_at"], note["chat_id"], note["message_id"]


def _content_key(note: db.ImportedNote) -> tuple[int, ...]:
    content = [note["text"].strip()]
    for item in note["attachments"]:
        content.append(item["file_unique_id"] or item["file_id"] or repr(sorted(item["details"].items())))
    return note["created_at"], hash(tuple(content))  # the hash takes less memory than the content


def _foreign_files(note: db.ImportedNote) -> int:
    """Return how many files only another bot can send. A place or a contact has no file."""
    files = [attachment for attachment in note["attachments"] if attachment["file_id"]]
    return sum(file["bot_id"] not in (None, db.current_bot()) for file in files)
