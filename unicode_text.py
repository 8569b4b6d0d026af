"""Unicode: repair, search folding, and lengths in UTF-16 code units, the unit in which Telegram measures text."""

import io
import sys
import unicodedata
from collections.abc import Iterator, Sequence


def storable(text: str) -> str:
    """Replace NUL characters and lone surrogates with U+FFFD: JSON can carry them, but SQLite and UTF-8 cannot.

    Two surrogates that form a pair become the character that they encode.
    """
    text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def let_streams_print(sample: str) -> None:
    """Let stdout and stderr print any text; they switch to UTF-8 if they cannot print this one.

    Redirected into a file, they have the encoding of the machine, such as the Western cp1252.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not if something has replaced it
            try:
                sample.encode(stream.encoding)
            except UnicodeEncodeError:
                stream.reconfigure(encoding="utf-8")
            stream.reconfigure(errors="backslashreplace")  # a path may contain what no encoding has


def fold(text: str) -> str:
    """Return the form of a text in which a search compares it: composed, without regard to case, е in place of ё.

    A schema trigger calls this function, too: after a change, a migration must rebuild the search index.
    """
    return unicodedata.normalize("NFC", text).casefold().replace("ё", "е")


def fold_with_positions(text: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """Return fold(text), and where in the text each of its characters comes from: the starts and the ends."""
    folded = fold(text)
    if len(folded) == len(text) and unicodedata.is_normalized("NFC", text):
        return folded, range(len(text)), range(1, len(text) + 1)
    starts: list[int] = []
    ends: list[int] = []
    for start, end in _characters(text):
        length = len(fold(text[start:end]))
        starts += [start] * length
        ends += [end] * length
    return folded, starts, ends


def _characters(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each character together with the combining characters that follow it."""
    start = 0
    for position in range(1, len(text)):
        before, character = text[start:position], text[position]
        # Most characters that combine with the previous one have a class; a few, such as Hangul vowels, have none.
        if unicodedata.combining(character) == 0 and (
            character.isascii()
            or unicodedata.is_normalized("NFC", unicodedata.normalize("NFC", before) + character)
        ):
            yield start, position
            start = position
    if text:
        yield start, len(text)


def utf16_length(text: str) -> int:
    """Return the length in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def truncate_utf16(text: str, limit: int) -> str:
    """Return the longest beginning of the text that fits in `limit` UTF-16 code units."""
    if len(text) * 2 <= limit:
        return text
    return text.encode("utf-16-le", "replace")[: limit * 2].decode("utf-16-le", "ignore")
