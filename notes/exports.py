"""Exports of all notes of a person as a file: txt and md to read, json to import again."""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from itertools import chain
from typing import IO, Any, BinaryIO

import db
import texts
from clock import TimeZone
from notes import export_texts
from notes.editing import MAX_LENGTH
from telegram.limits import MAX_DOWNLOAD_BYTES, MAX_UPLOAD_BYTES
from telegram.replies import File

FORMATS = ("txt", "md", "json")
FORMAT_WITH_FILES = "zip"  # see app/file_archive.py
DEFAULT_FORMAT = "txt"
JSON_FORMAT, JSON_VERSION = "notes-bot", 2  # the head of a JSON export
JSON_VERSIONS = (1, JSON_VERSION)  # that an import accepts; files of version 1 hold texts only

# The names in an archive with files, see app/file_archive.py.
JSON_NAME, MISSING_NAME, FILES_FOLDER = "notes.json", "not-included.txt", "files"

# The limits of notes.imports. A JSON export that exceeds one says so; 100 000 of the longest messages fit.
MAX_UNPACKED_BYTES = 2**30
MAX_ENTRIES = 1_000_000
MAX_LINE_BYTES = 2**20  # one line is in memory at a time
MAX_NOTE_LENGTH = MAX_LENGTH  # characters


def export_notes(user_id: int, format: str, zone: TimeZone) -> File | str:
    """Write all notes to a file in one of FORMATS, zipped if it is too large; return a sentence if there is none.

    The notes go to a temporary file one by one, so that even many of them take little memory.
    """
    notes = db.iterate_notes(user_id)
    first_note = next(notes, None)
    if first_note is None:  # the notes were deleted after the command
        return texts.NO_NOTES
    name, content = f"notes.{format}", _temporary_file()
    limits = ImportLimits()
    if format == "json":
        write_json(chain([first_note], notes), content, limits)
    else:
        _write_texts(chain([first_note], notes), content, format, zone)
    # A bot may send larger files than it may receive, and a JSON export is meant to be sent back.
    max_bytes = MAX_DOWNLOAD_BYTES if format == "json" else MAX_UPLOAD_BYTES
    if content.tell() > max_bytes:
        name, content = f"{name}.zip", _zipped(name, content)
    if content.tell() > MAX_UPLOAD_BYTES:
        content.close()
        return texts.EXPORT_TOO_LARGE
    if format == "json" and not (limits.are_kept and content.tell() <= MAX_DOWNLOAD_BYTES):
        return File(name, content, texts.EXPORT_NOT_IMPORTABLE)
    return File(name, content, texts.EXPORT_CAPTION)


class ImportLimits:
    """Watches what is exported: `are_kept` says whether an import accepts it."""

    def __init__(self) -> None:
        self.are_kept = True
        self._notes = self._bytes = 0

    def count(self, note: db.ExportedNote, line: bytes) -> None:
        """Count a note and its line in the file."""
        self._notes += 1
        self._bytes += len(line)
        if self._notes > MAX_ENTRIES or self._bytes > MAX_UNPACKED_BYTES or len(line) > MAX_LINE_BYTES:
            self.are_kept = False
        if len(note["text"]) > MAX_NOTE_LENGTH:
            self.are_kept = False


def write_json(notes: Iterable[db.ExportedNote], target: IO[bytes], limits: ImportLimits) -> None:
    """Write a JSON document with one note per line."""
    target.write(f'{{"format": "{JSON_FORMAT}", "version": {JSON_VERSION}, "notes": ['.encode())
    separator = "\n"
    for note in notes:
        line = (separator + json.dumps(_json_entry(note), ensure_ascii=False)).encode()
        limits.count(note, line)
        target.write(line)
        separator = ",\n"
    target.write(b"\n]}\n")


def _json_entry(note: db.ExportedNote) -> dict[str, Any]:
    """Return a note without the fields that say nothing: most notes are plain texts."""
    entry: dict[str, Any] = {**note}
    for name in ("pinned_at", "entities", "attachments", "source"):
        if not entry[name]:
            del entry[name]
    if note["attachments"]:
        entry["attachments"] = [
            {name: value for name, value in attachment.items() if value not in (None, "", {})}
            for attachment in note["attachments"]
        ]
    return entry


def _write_texts(notes: Iterable[db.ExportedNote], target: IO[bytes], format: str, zone: TimeZone) -> None:
    """Write the notes for people to read."""
    if format == "md":
        target.write(texts.EXPORT_HEADING.encode())
        for note in notes:
            target.write(texts.exported_section(note, export_texts.markdown(note), zone).encode())
    else:
        for note in notes:
            target.write(texts.exported_note(note, export_texts.plain(note), zone).encode())


def _temporary_file() -> BinaryIO:
    return tempfile.TemporaryFile()


def _zipped(name: str, content: BinaryIO) -> BinaryIO:
    """Return a zip archive that contains a file; close the file."""
    archive_file = _temporary_file()
    with content, zipfile.ZipFile(archive_file, "w", zipfile.ZIP_DEFLATED) as archive:
        content.seek(0)
        with archive.open(name, "w", force_zip64=True) as member:
            shutil.copyfileobj(content, member)
    return archive_file
