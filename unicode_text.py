"""Unicode: repair, search folding, and lengths in UTF-16 code units, the unit in which Telegram measures text."""

import unicodedata
from collections.abc import Sequence


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


def fold(text: str) -> str:
    """Return the form of a text in which a search compares it: composed, without regard to case, е in place of ё.

    A schema trigger calls this function, too: after a change, a migration must rebuild the search index.
    """
    return unicodedata.normalize("NFC", text).casefold().replace("ё", "е")


def fold_with_positions(text: str) -> tuple[str, Sequence[int]]:
    """Return fold(text) and the position of each of its characters in the text, which must be composed (NFC)."""
    folded = fold(text)
    if len(folded) == len(text):  # no character becomes several, and none becomes fewer
        return folded, range(len(text))
    return folded, [position for position, character in enumerate(text) for _ in character.casefold()]


def utf16_length(text: str) -> int:
    """Return the length in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def truncate_utf16(text: str, limit: int) -> str:
    """Return the longest beginning of the text that fits in `limit` UTF-16 code units."""
    if len(text) * 2 <= limit:
        return text
    return text.encode("utf-16-le", "replace")[: limit * 2].decode("utf-16-le", "ignore")
