"""A zip archive of all notes of a person with their files, as far as Telegram's limits permit.

It holds notes.json, which an import accepts, the folder files, and a list of the files that are missing. The files
come from Telegram one by one. A failed download ends an attempt; the next one goes on with the same file.
"""

import re
import shutil
import tempfile
import zipfile

import db
import db_attachments
import texts
from db_attachments import Attachment
from notes import exports
from telegram.limits import MAX_DOWNLOAD_BYTES, MAX_UPLOAD_BYTES
from telegram.replies import File
from telegram.transport import Telegram, TelegramError

NAME = "notes.zip"
MAX_FILES = 3000  # so that the directory of the archive is small enough for an import
MAX_NAME_LENGTH = 80  # characters
MAX_LISTED = 3000  # missing files
END_BYTES = 2 * 2**20  # kept free for that list and the directory
SUFFIXES = {  # of files without a name
    "photo": ".jpg",
    "video": ".mp4",
    "animation": ".mp4",
    "video_note": ".mp4",
    "audio": ".mp3",
    "voice": ".ogg",
    "sticker": ".webp",
}


class FileArchive:
    """The archive of one job; add_files() may be called again until it succeeds."""

    def __init__(self, job_id: int, user_id: int) -> None:
        self.job_id = job_id
        self._user_id = user_id
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED)
        self._limits = exports.ImportLimits()
        with self._zip.open(_compressed(exports.JSON_NAME), "w", force_zip64=True) as member:
            exports.write_json(db.iterate_notes(user_id), member, self._limits)
        self._note_id = 0  # the last note whose files were handled
        self._remaining: list[tuple[int, int, Attachment]] = []  # of the next note: its number, a count, a file
        self._missing = [texts.EXPORT_NOT_INCLUDED]  # lines
        self._included_count = self._missing_count = 0

    def add_files(self, telegram: Telegram) -> None:
        """Download the files and add them; TelegramError if that should be retried."""
        has_added = False
        while self._remaining or self._find_next_note():
            number, count, attachment = self._remaining[0]
            try:
                self._add_file(telegram, number, count, attachment)
            except TelegramError as error:
                if has_added:  # not a failure in a row: status 0 does not count for giving up
                    raise TelegramError(0, error.description, error.retry_after) from error
                raise
            del self._remaining[0]
            has_added = True

    def finish(self) -> File | str:
        """Return the archive, or a sentence if it is too large."""
        if self._missing_count:
            self._zip.writestr(_compressed(exports.MISSING_NAME), "".join(self._missing))
        self._zip.close()
        size = self._file.seek(0, 2)
        if size > MAX_UPLOAD_BYTES:
            self._file.close()
            return texts.EXPORT_TOO_LARGE
        caption = texts.export_with_files(
            self._included_count,
            self._missing_count,
            is_importable=self._limits.are_kept,
            is_too_large=size > MAX_DOWNLOAD_BYTES,
        )
        return File(NAME, self._file, caption)

    def _find_next_note(self) -> bool:
        """Look up the files of the next note that has some; return whether there is one."""
        note = db_attachments.next_note_with_files(self._user_id, self._note_id)
        if note is None:
            return False
        self._note_id, number = note
        attachments = [item for item in db_attachments.attachments_of(self._note_id) if item["file_id"]]
        self._remaining = [(number, count, attachment) for count, attachment in enumerate(attachments, 1)]
        return True

    def _add_file(self, telegram: Telegram, number: int, count: int, attachment: Attachment) -> None:
        reason = self._refusal(attachment)
        if reason:
            self._add_missing(number, attachment, reason)
            return
        with tempfile.TemporaryFile() as content:
            try:
                telegram.download(attachment["file_id"], content)
            except TelegramError as error:
                if not error.is_final:
                    raise
                reason = texts.NOT_INCLUDED_TOO_LARGE if error.says_too_big else texts.NOT_INCLUDED_UNAVAILABLE
                self._add_missing(number, attachment, reason)
                return
            if content.tell() > self._room():
                self._add_missing(number, attachment, texts.NOT_INCLUDED_NO_ROOM)
                return
            content.seek(0)
            with self._zip.open(f"{exports.FILES_FOLDER}/{file_name(number, count, attachment)}", "w") as member:
                shutil.copyfileobj(content, member)
        self._included_count += 1

    def _refusal(self, attachment: Attachment) -> str:
        """Return why a file cannot be in the archive, "" if nothing is known against it."""
        if attachment["bot_id"] not in (None, db.current_bot()):
            return texts.NOT_INCLUDED_UNAVAILABLE
        size = attachment["file_size"] or 0
        if size > MAX_DOWNLOAD_BYTES:
            return texts.NOT_INCLUDED_TOO_LARGE
        if size > self._room() or self._included_count >= MAX_FILES:
            return texts.NOT_INCLUDED_NO_ROOM
        return ""

    def _room(self) -> int:
        """Return how many bytes of files still fit."""
        return MAX_UPLOAD_BYTES - END_BYTES - self._file.tell()

    def _add_missing(self, number: int, attachment: Attachment, reason: str) -> None:
        self._missing_count += 1
        if self._missing_count <= MAX_LISTED:
            self._missing.append(texts.not_included(number, attachment, reason))
        elif self._missing_count == MAX_LISTED + 1:
            self._missing.append(texts.NOT_INCLUDED_MORE)


def _compressed(name: str) -> zipfile.ZipInfo:
    """Return the description of a text; the files are stored as they are, because most are compressed already."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def file_name(number: int, count: int, attachment: Attachment) -> str:
    """Return the name of a file in the archive: the number of its note, a count, and its own name."""
    name = attachment["file_name"] or attachment["kind"] + SUFFIXES.get(attachment["kind"], "")
    safe_name = re.sub(r"[^\w.() -]", "_", name)[-MAX_NAME_LENGTH:]
    return f"{number}-{count} {safe_name}"
