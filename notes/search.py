"""The language of search queries, and excerpts of notes around a match."""

import re
from collections.abc import Sequence
from html import escape

import texts
import words
from db_search import Query
from unicode_text import fold, fold_with_positions

MAX_PHRASES = 20  # a longer query is taken for pasted text and searched for as a whole
MAX_TRIGRAMS = 200  # of a question; real questions have fewer
MIN_WORD_LENGTH = 3  # shorter words of a question are ignored
QUERY_PART = re.compile(r'"([^"]*)"|«([^»]*)»|“([^”]*)”|(\S+)')
WORD_PART = re.compile(r"\w+(?:-\w+)*")


def parse_query(query: str) -> Query:
    """Return what a note must contain: words, "quoted phrases" as they are, and #tags."""
    found_words: list[str] = []
    phrases: list[str] = []
    tags: list[str] = []
    for *quoted, part in QUERY_PART.findall(query):  # exactly one of the four groups of a match is not empty
        phrase = "".join(quoted).strip()
        if phrase:
            phrases.append(phrase)
        elif words.TAG.fullmatch(part) and words.tags(part):
            tags += words.tags(part)
        elif WORD_PART.fullmatch(part):
            found_words.append(part)
        elif part:
            phrases.append(part)
    if not 1 <= len({*found_words, *phrases, *tags}) <= MAX_PHRASES:
        return Query(phrases=[query.strip()])
    return Query(_unique(found_words), _unique(phrases), _unique(tags))


def _unique(parts: list[str]) -> list[str]:
    return list(dict.fromkeys(parts))


def excerpt(text: str, query: Query, limit: int) -> str:
    """Return up to limit characters of a text around the first match, as HTML with all matches in bold."""
    pattern = _pattern(text, query)
    matches = _find_matches(text, pattern)
    match_start, match_end = matches[0] if matches else (0, 0)
    start, end = _window(text, match_start, match_end, limit)
    html = _highlight(text[start:end], _find_matches(text[start:end], pattern))
    if start > 0:
        html = texts.ELLIPSIS + html
    if end < len(text):
        html += texts.ELLIPSIS
    return html


def note_excerpt(shown: str, search_extra: str, query: Query, limit: int) -> str:
    """Return an excerpt of what is shown of a note, or of what else the search finds if only that matches."""
    if _find_matches(shown, _pattern(shown, query)):
        return excerpt(shown, query, limit)
    extra = next((line for line in search_extra.splitlines() if _find_matches(line, _pattern(line, query))), "")
    if not extra:
        return excerpt(shown, query, limit)
    where = excerpt(extra, query, limit // 2)
    return texts.found_beside_text(excerpt(shown, Query(), limit // 2), where)


def _pattern(text: str, query: Query) -> str:
    """Return the regular expression of what the query matches in the folded text; "" if it is empty."""
    parts = [re.escape(phrase) for phrase in query.exact_phrases]
    parts += [rf"#{re.escape(tag)}\b" for tag in query.tags]
    folded = fold(text)
    if not all(phrase in folded for phrase in query.exact_phrases):
        parts += [rf"\b{re.escape(form)}\b" for form in _forms_in(text, query)]
    return "|".join(sorted(parts, key=len, reverse=True))  # the longest match at each place


def _forms_in(text: str, query: Query) -> list[str]:
    """Return the words of a text that are forms of words of the query."""
    query_words = [word for part in query.words for word in words.split_words(part)]
    query_keys = set().union(*map(words.keys, query_words))
    beginnings = {word[:1] for word in query_words}
    candidates = {word for word in words.split_words(text) if word[:1] in beginnings}  # all forms begin alike
    return [word for word in candidates if words.keys(word) & query_keys]


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
    folded_text = fold(text)
    for word in _keywords(question):
        word_trigrams = _word_trigrams(word)
        matching = sum(trigram in folded_text for trigram in word_trigrams)
        if 2 * matching >= len(word_trigrams):
            return True
    return False


def _keywords(question: str) -> list[str]:
    return [
        word
        for word in words.split_words(question)
        if len(word) >= MIN_WORD_LENGTH and word not in texts.STOP_WORDS
    ]


def _word_trigrams(word: str) -> list[str]:
    return [word[start : start + 3] for start in range(len(word) - 2)]


def _find_matches(text: str, pattern: str) -> list[tuple[int, int]]:
    """Return where the folded text matches a pattern; ends are exclusive."""
    if not pattern:
        return []
    folded, starts, ends = fold_with_positions(text)
    matches: list[tuple[int, int]] = []
    for match in re.finditer(pattern, folded):
        start, end = starts[match.start()], ends[match.end() - 1]
        if not matches or start >= matches[-1][1]:  # two matches can share a character that folds to several, as ß
            matches.append((start, end))
    return matches


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


def _highlight(text: str, matches: Sequence[tuple[int, int]]) -> str:
    """Return a text as HTML with all matches in bold."""
    html = ""
    position = 0
    for start, end in matches:
        html += escape(text[position:start], quote=False)
        html += f"<b>{escape(text[start:end], quote=False)}</b>"
        position = end
    return html + escape(text[position:], quote=False)
