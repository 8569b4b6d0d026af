"""A person's notes as a file: for reading (txt, md), or for bringing them back (json)."""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import db
import texts
from runtime.telegram import DOWNLOAD_MOST, UPLOAD_MOST, Upload

FORMAT, FORMAT_VERSION = "notes-bot", 1


def export(user_id: int, kind: str) -> Upload | str:
    """Write all notes of a person into a file of a kind (txt, md, json); zip it where it is too large as it is.

    It is written to disk and sent from there: a hundred thousand notes are not held in memory.
    """
    name, content = f"notes.{kind}", _temporary()
    for part in WRITERS[kind](db.all_notes(user_id)):
        content.write(part.encode())
    # Telegram takes larger files from a bot than it gives to one, and the json is meant to come back.
    if content.tell() > (DOWNLOAD_MOST if kind == "json" else UPLOAD_MOST):
        name, content = f"{name}.zip", _zipped(name, content)
    if content.tell() > UPLOAD_MOST:
        content.close()
        return texts.EXPORT_TOO_LARGE
    return Upload("document", name, content)


def _temporary() -> BinaryIO:
    return tempfile.TemporaryFile()


def _zipped(name: str, content: BinaryIO) -> BinaryIO:
    packed = _temporary()
    with content, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        content.seek(0)
        with archive.open(name, "w", force_zip64=True) as member:
            shutil.copyfileobj(content, member)
    return packed


def _txt(notes: Iterable[db.Row]) -> Iterator[str]:
    yield from map(texts.exported_note, notes)


def _md(notes: Iterable[db.Row]) -> Iterator[str]:
    yield texts.exported_heading()
    yield from map(texts.exported_section, notes)


def _json(notes: Iterable[db.Row]) -> Iterator[str]:
    """Yield a document that is good JSON, and has a note a line."""
    yield f'{{"format": "{FORMAT}", "version": {FORMAT_VERSION}, "notes": ['
    separator = "\n"
    for note in notes:
        yield separator + json.dumps(note, ensure_ascii=False)
        separator = ",\n"
    yield "\n]}\n"


WRITERS: dict[str, Callable[[Iterable[db.Row]], Iterator[str]]] = {"txt": _txt, "md": _md, "json": _json}
