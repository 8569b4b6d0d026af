"""Notes come back from the file that an export made: read twice, checked whole before the first is stored."""

import json
import re
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from itertools import islice
from typing import Any, BinaryIO, TextIO

import db
import texts
from runtime.exports import FORMAT, FORMAT_VERSION
from runtime.telegram import Telegram, TelegramError

NOTE_MOST = 64 * 1024  # characters; an answer that was kept may be longer than a message
ENTRY_MOST = 16 * NOTE_MOST  # of a note as JSON: a letter may be written as two \uXXXX
UNPACKED_MOST = 2**30  # bytes
AT_ONCE = 100  # notes a transaction: nobody else waits for long
HEAD = re.compile(
    rf'\s*{{\s*"format"\s*:\s*"{FORMAT}"\s*,\s*"version"\s*:\s*{FORMAT_VERSION}\s*,\s*"notes"\s*:\s*\['
)
TAIL = re.compile(r"\s*\]\s*\}\s*\Z")
COMMA, SPACE = re.compile(r"\s*,\s*"), re.compile(r"\s*")

_one_at_a_time = threading.Lock()


class NotOurs(Exception):
    """The file is not what an export made."""


def import_now(telegram: Telegram, user_id: int, file_id: str) -> str:
    """Store the notes of a file that a person sent, those that are not there already; say what came of it."""
    with tempfile.TemporaryFile() as file:
        try:
            telegram.download(file_id, file)
        except TelegramError as error:
            if error.is_final:
                return texts.IMPORT_TOO_LARGE if "too big" in error.description else texts.IMPORT_GONE
            raise
        try:
            with _opened(file) as text:
                for _ in _entries(text):
                    pass
            with _opened(file) as text, _one_at_a_time:
                return _store(user_id, _entries(text))
        except (NotOurs, UnicodeDecodeError, zipfile.BadZipFile, zlib.error, EOFError):
            return texts.IMPORT_WRONG


@contextmanager
def _opened(file: BinaryIO) -> Iterator[TextIO]:
    """Give the text of a file from its beginning, out of its archive if it is one."""
    with ExitStack() as stack:
        file.seek(0)
        content: Any = file
        if zipfile.is_zipfile(file):
            archive = stack.enter_context(zipfile.ZipFile(file))
            members = archive.infolist()
            # Bit 0: encrypted. The size is the archive's own word for it; no more than that is unpacked.
            if len(members) != 1 or members[0].flag_bits & 1 or members[0].file_size > UNPACKED_MOST:
                raise NotOurs
            try:
                content = stack.enter_context(archive.open(members[0]))
            except NotImplementedError:  # packed in a way of its own
                raise NotOurs from None
        else:
            file.seek(0)
        text = TextIOWrapper(content, encoding="utf-8-sig")
        stack.callback(text.detach)
        yield text


def _entries(text: TextIO) -> Iterator[Any]:
    """Yield the notes that a document holds, whatever they are, without holding them all in memory."""
    decoder, ahead, at, is_first = json.JSONDecoder(), "", 0, True
    while True:
        if len(ahead) - at < ENTRY_MOST:
            ahead, at = ahead[at:] + text.read(2 * ENTRY_MOST), 0
        if is_first:
            at = _after(HEAD, ahead, at)
        if TAIL.match(ahead, at):
            return
        try:
            entry, at = decoder.raw_decode(ahead, _after(SPACE if is_first else COMMA, ahead, at))
        except (ValueError, RecursionError):
            raise NotOurs from None
        yield entry
        is_first = False


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    if match is None:
        raise NotOurs
    return match.end()


def _store(user_id: int, entries: Iterator[Any]) -> str:
    known = {key for note in db.all_notes(user_id) for key in (_by_message(note), _by_text(note))}
    added = present = refused = 0
    while batch := list(islice(entries, AT_ONCE)):
        with db.transaction():
            for entry in batch:
                note = _note(entry)
                if note is None:
                    refused += 1
                elif (_by_message(note) if note["message_id"] else _by_text(note)) in known:
                    present += 1
                elif db.has_room(user_id):
                    db.import_note(user_id, note)
                    known |= {_by_message(note), _by_text(note)}
                    added += 1
                else:
                    refused += 1
        time.sleep(0.001)  # who waits for the lock of the writers gets it only if this thread looks away
    return texts.imported(added, present, refused)


def _by_message(note: db.Row) -> tuple[int, ...]:
    """Know a note by the message that brought it: it may have been edited since."""
    return note["created_at"], note["chat_id"], note["message_id"]


def _by_text(note: db.Row) -> tuple[int, ...]:
    return note["created_at"], hash(note["text"])


def _note(entry: Any) -> db.Row | None:
    """Return an entry as a row of the table, None if it is no note."""
    if not isinstance(entry, dict):
        return None
    text, created_at = entry.get("text"), entry.get("created_at")
    if not isinstance(text, str) or not text.strip() or len(text) > NOTE_MOST or not _is_moment(created_at):
        return None
    updated_at = entry.get("updated_at")
    return {
        "text": texts.storable(text.strip()),
        "created_at": created_at,
        "updated_at": updated_at if _is_moment(updated_at) else created_at,
        "chat_id": _number(entry.get("chat_id")),
        "message_id": _number(entry.get("message_id")),
        "question_id": _number(entry.get("question_id")) or None,
    }


def _is_moment(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < time.time() + 86400


def _number(value: Any) -> int:
    return value if isinstance(value, int) and abs(value) < 2**53 else 0
