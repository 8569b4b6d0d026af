"""The zip archive of an export, read without unpacking it to the disk."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

from notes.exports import FILES_FOLDER, JSON_NAME, MISSING_NAME

MAX_READ_BYTES = 2**20 + 1  # at once; an import reads files of up to 2**20 bytes as a whole


class WrongFile(Exception):
    """The file is not an export of this bot, or it is damaged."""


@contextmanager
def unpacked(file: BinaryIO) -> Iterator[IO[bytes]]:
    """Open a file, or the notes in it if it is a zip archive, to read it from the beginning."""
    is_archive = zipfile.is_zipfile(file)
    file.seek(0)
    if not is_archive:
        yield file
        return
    with zipfile.ZipFile(_BoundedFile(file)) as archive:
        member = _notes_member(archive.infolist())
        is_encrypted = bool(member.flag_bits & 1)
        if is_encrypted or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise WrongFile
        with archive.open(member) as unpacked:
            yield unpacked


def _notes_member(members: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    """Return the only file in an archive, or the one with the notes in an archive with their files.

    The other files stay where they are: nothing is unpacked to the disk.
    """
    if len(members) == 1:
        return members[0]
    with_notes = [member for member in members if member.filename == JSON_NAME]
    if len(with_notes) != 1 or not all(_is_known_name(member.filename) for member in members):
        raise WrongFile
    return with_notes[0]


def _is_known_name(name: str) -> bool:
    """Return whether an export gives a file in its archive such a name."""
    folder, separator, own_name = name.partition("/")
    if not separator:
        return name in (JSON_NAME, MISSING_NAME)
    return folder == FILES_FOLDER and own_name != ".." and not any(sign in own_name for sign in "/\\:")


class _BoundedFile(io.BufferedIOBase):
    """A file for zipfile, which reads the whole directory of an archive at once: a large one is refused."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int | None = -1) -> bytes:
        content = self._file.read(
            min(size, MAX_READ_BYTES + 1) if size is not None and size >= 0 else MAX_READ_BYTES + 1
        )
        if len(content) > MAX_READ_BYTES:
            raise WrongFile
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True
