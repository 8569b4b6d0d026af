"""Exports of all notes of a person as a file: txt and md to read, json to import again."""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

import db
import texts
from clock import TimeZone
from telegram.limits import MAX_DOWNLOAD_BYTES, MAX_UPLOAD_BYTES
from telegram.replies import File

FORMATS = ("txt", "md", "json")
DEFAULT_FORMAT = "txt"
JSON_FORMAT, JSON_VERSION = "notes-bot", 1  # the head of a JSON export

# The limits of notes.imports. A JSON export that exceeds one says so; 100 000 of the longest messages fit.
MAX_UNPACKED_BYTES = 2**30
MAX_ENTRIES = 1_000_000
MAX_LINE_BYTES = 2**20  # one line is in memory at a time
MAX_NOTE_LENGTH = 64 * 1024  # characters; a saved answer may be longer than a message


def export_notes(user_id: int, format: str, zone: TimeZone) -> File | str:
    """Write all notes to a file in one of FORMATS, zipped if it is too large; return a sentence if there is none.

    The notes go to a temporary file one by one, so that even many of them take little memory.
    """
    notes = db.iterate_notes(user_id)
    first_note = next(notes, None)
    if first_note is None:  # the notes were deleted after the command
        return texts.NO_NOTES
    name, content = f"notes.{format}", _temporary_file()
    limits = _ImportLimits()
    for part in _parts(limits.watch(chain([first_note], notes)), format, zone):
        content.write(part.encode())
    is_importable = limits.are_kept and content.tell() <= MAX_UNPACKED_BYTES
    # A bot may send larger files than it may receive, and a JSON export is meant to be sent back.
    max_bytes = MAX_DOWNLOAD_BYTES if format == "json" else MAX_UPLOAD_BYTES
    if content.tell() > max_bytes:
        name, content = f"{name}.zip", _zipped(name, content)
    if content.tell() > MAX_UPLOAD_BYTES:
        content.close()
        return texts.EXPORT_TOO_LARGE
    if format == "json" and not (is_importable and content.tell() <= MAX_DOWNLOAD_BYTES):
        return File(name, content, texts.EXPORT_NOT_IMPORTABLE)
    return File(name, content, texts.EXPORT_CAPTION)


class _ImportLimits:
    """Watches the exported notes: `are_kept` says whether an import accepts them."""

    def __init__(self) -> None:
        self.are_kept = True

    def watch(self, notes: Iterable[db.ExportedNote]) -> Iterator[db.ExportedNote]:
        """Yield the notes unchanged."""
        for number, note in enumerate(notes, 1):
            if number > MAX_ENTRIES or len(note["text"]) > MAX_NOTE_LENGTH:
                self.are_kept = False
            yield note


def _parts(notes: Iterable[db.ExportedNote], format: str, zone: TimeZone) -> Iterator[str]:
    """Yield the parts of the exported file."""
    if format == "json":
        yield from _json_parts(notes)
    elif format == "md":
        yield texts.EXPORT_HEADING
        for note in notes:
            yield texts.exported_section(note, zone)
    else:
        for note in notes:
            yield texts.exported_note(note, zone)


def _json_parts(notes: Iterable[db.ExportedNote]) -> Iterator[str]:
    """Yield the parts of a JSON document with one note per line."""
    yield f'{{"format": "{JSON_FORMAT}", "version": {JSON_VERSION}, "notes": ['
    separator = "\n"
    for note in notes:
        yield separator + json.dumps(note, ensure_ascii=False)
        separator = ",\n"
    yield "\n]}\n"


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
