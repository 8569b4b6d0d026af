"""Unicode: repair, search folding, and lengths in UTF-16 code units, the unit in which Telegram measures text."""


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
    """Replace ё with е, so that a search finds either spelling."""
    return text.replace("ё", "е").replace("Ё", "Е")


def utf16_length(text: str) -> int:
    """Return the length in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def truncate_utf16(text: str, limit: int) -> str:
    """Return the longest beginning of the text that fits in `limit` UTF-16 code units."""
    if len(text) * 2 <= limit:
        return text
    return text.encode("utf-16-le", "replace")[: limit * 2].decode("utf-16-le", "ignore")
