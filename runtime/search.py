"""What a search means: the pieces of text to look for, and the surroundings of a hit."""

import re
from collections.abc import Iterator, Sequence
from html import escape

import texts

WORDS_MOST = 20  # a query of more is one text, pasted: it is looked for as it is
TRIGRAMS_MOST = 200  # of a question: rather more than any question has
QUERY = re.compile(r'"([^"]*)"|«([^»]*)»|“([^”]*)”|(\S+)')
LETTERS = re.compile(r"\w+")


def pieces(query: str) -> list[str]:
    """Read a query: words, all of which must occur, and "phrases in quotes" as they are."""
    found = (next(filter(None, groups), "").strip() for groups in QUERY.findall(query))
    words = list(dict.fromkeys(filter(None, found)))
    return words if 0 < len(words) <= WORDS_MOST else [query.strip()]


def excerpt(text: str, hits: Sequence[str], limit: int) -> str:
    """Return so many characters of a text around the first hit, as HTML with every hit in bold."""
    pattern = _pattern(hits)
    first = pattern.search(texts.without_yo(text)) if pattern else None
    start, end = _window(text, first.span() if first else (0, 0), limit)
    shown = text[start:end]
    cut = texts.ELLIPSIS
    return (cut if start else "") + "".join(_bold(shown, pattern)) + (cut if end < len(text) else "")


def trigrams(question: str) -> list[str]:
    """Return every three letters in a row of the words of a question that say something."""
    found = (trigram for word in _telling_words(question) for trigram in _trigrams(word))
    return list(dict.fromkeys(found))[:TRIGRAMS_MOST]


def is_near(question: str, text: str) -> bool:
    """Whether a text has about half of a word of the question: that much is left of it in any other form."""
    folded = texts.without_yo(text).lower()
    pieces_of_words = map(_trigrams, _telling_words(question))
    return any(2 * sum(piece in folded for piece in pieces) >= len(pieces) for pieces in pieces_of_words)


def _telling_words(question: str) -> list[str]:
    words = LETTERS.findall(texts.without_yo(question).lower())
    return [word for word in words if len(word) >= 3 and word not in texts.STOP_WORDS]


def _trigrams(word: str) -> list[str]:
    return [word[n : n + 3] for n in range(len(word) - 2)]


def _pattern(hits: Sequence[str]) -> re.Pattern[str] | None:
    longest_first = sorted(map(texts.without_yo, hits), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if longest_first else None


def _window(text: str, hit: tuple[int, int], limit: int) -> tuple[int, int]:
    """Return which part of a text to show: a third before the hit, from a border of words where one is near."""
    if len(text) <= limit:
        return 0, len(text)
    start = max(min(hit[0] - limit // 3, len(text) - limit), 0)
    if start:
        border = re.search(r"\s", text[start : min(start + limit // 4, hit[0])])
        start += border.end() if border else 0
    end = start + limit
    if end < len(text):
        tail = text[max(end - limit // 4, hit[1]) : end]
        border = re.search(r"\s\S*\Z", tail)
        end -= len(tail) - border.start() if border else 0
    return start, min(end, len(text))


def _bold(text: str, pattern: re.Pattern[str] | None) -> Iterator[str]:
    """Yield a text as HTML, hits in bold."""
    end = 0
    for hit in pattern.finditer(texts.without_yo(text)) if pattern else ():
        yield escape(text[end : hit.start()], quote=False)
        yield f"<b>{escape(text[hit.start() : hit.end()], quote=False)}</b>"
        end = hit.end()
    yield escape(text[end:], quote=False)
