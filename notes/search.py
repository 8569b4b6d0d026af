"""The language of search queries, and excerpts of notes around a match."""

import re
from collections.abc import Sequence
from html import escape

import texts
from unicode_text import fold

MAX_PHRASES = 20  # a longer query is taken for pasted text and searched for as a whole
MAX_TRIGRAMS = 200  # of a question; real questions have fewer
MIN_WORD_LENGTH = 3  # shorter words of a question are ignored
QUERY_PART = re.compile(r'"([^"]*)"|«([^»]*)»|“([^”]*)”|(\S+)')
WORD = re.compile(r"\w+")


def parse_query(query: str) -> list[str]:
    """Return the phrases that a note must contain: single words, and "quoted phrases" as they are."""
    # Exactly one of the four groups of a match is not empty.
    parts = ["".join(groups).strip() for groups in QUERY_PART.findall(query)]
    phrases = list(dict.fromkeys(part for part in parts if part))
    if 1 <= len(phrases) <= MAX_PHRASES:
        return phrases
    return [query.strip()]


def excerpt(text: str, phrases: Sequence[str], limit: int) -> str:
    """Return up to limit characters of a text around the first match, as HTML with all matches in bold."""
    pattern = _pattern(phrases)
    match = pattern.search(fold(text)) if pattern else None
    match_start, match_end = match.span() if match else (0, 0)
    start, end = _window(text, match_start, match_end, limit)
    html = _highlight(text[start:end], pattern)
    if start > 0:
        html = texts.ELLIPSIS + html
    if end < len(text):
        html += texts.ELLIPSIS
    return html


def trigrams(question: str) -> list[str]:
    """Return the three-letter parts of the words of a question, without stop words."""
    found = []
    for word in _keywords(question):
        found += _word_trigrams(word)
    return list(dict.fromkeys(found))[:MAX_TRIGRAMS]


def is_similar(question: str, text: str) -> bool:
    """Return whether a text contains at least half of the trigrams of a word of the question.

    Half of a word remains in its other grammatical forms.
    """
    folded_text = fold(text).lower()
    for word in _keywords(question):
        word_trigrams = _word_trigrams(word)
        matching = sum(trigram in folded_text for trigram in word_trigrams)
        if 2 * matching >= len(word_trigrams):
            return True
    return False


def _keywords(question: str) -> list[str]:
    words = WORD.findall(fold(question).lower())
    return [word for word in words if len(word) >= MIN_WORD_LENGTH and word not in texts.STOP_WORDS]


def _word_trigrams(word: str) -> list[str]:
    return [word[start : start + 3] for start in range(len(word) - 2)]


def _pattern(phrases: Sequence[str]) -> re.Pattern[str] | None:
    """Return a pattern that matches any of the phrases, the longest first."""
    if not phrases:
        return None
    folded = sorted((fold(phrase) for phrase in phrases), key=len, reverse=True)
    return re.compile("|".join(re.escape(phrase) for phrase in folded), re.IGNORECASE)


def _window(text: str, match_start: int, match_end: int, limit: int) -> tuple[int, int]:
    """Return the start and the end of an excerpt: a third of it comes before the match.

    Both ends move to a space if there is one nearby.
    """
    if len(text) <= limit:
        return 0, len(text)
    nearby = limit // 4
    start = max(min(match_start - limit // 3, len(text) - limit), 0)
    end = start + limit
    if start > 0:
        space = re.search(r"\s", text[start : min(start + nearby, match_start)])
        if space:
            start += space.end()
            end = min(start + limit, len(text))
    if end < len(text):
        tail_start = max(end - nearby, match_end)
        last_space = re.search(r"\s\S*\Z", text[tail_start:end])
        if last_space:
            end = tail_start + last_space.start()
    return start, end


def _highlight(text: str, pattern: re.Pattern[str] | None) -> str:
    """Return a text as HTML with all matches in bold."""
    if pattern is None:
        return escape(text, quote=False)
    html = ""
    end = 0
    for match in pattern.finditer(fold(text)):
        html += escape(text[end : match.start()], quote=False)
        html += f"<b>{escape(text[match.start() : match.end()], quote=False)}</b>"
        end = match.end()
    return html + escape(text[end:], quote=False)
