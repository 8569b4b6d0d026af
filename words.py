"""Words as the search compares them: the keys that a word shares with its other forms, and tags.

Triggers of the schema call word_keys() and tags_as_json(). After a change of what they return, which a new version
of PyStemmer may bring, too, a migration must rebuild notes_words and note_tags, as migrations/3.sql does.
"""

import functools
import json
import re
import threading
from collections.abc import Sequence

import Stemmer

import entities
import texts
from entities import Entity
from unicode_text import fold, utf16_length

WORD = re.compile(r"\w+")
# A hashtag as Telegram finds it (match_hashtags() of its library tdlib), see tags(): letters, digits, _, · and the
# zero-width non-joiner; before it none of these, after it no other #.
TAG = re.compile(r"(?<![\w·\u200c])#([\w·\u200c]{1,256})(?![\w·\u200c]*#)")
CACHED_WORDS = 4096  # about a megabyte; most words of a note are common
LONGEST_ENDING = 4
SHORTEST_BASE = 2  # letters that remain before an ending
SHORTEST_WITH_FLEETING_VOWEL = 4  # letters; in shorter words most of these vowels stay: дом, тема


class _ThreadState(threading.local):
    """A stemmer for each thread: it must not be called concurrently."""

    def __init__(self) -> None:
        self.stemmer = Stemmer.Stemmer("russian", 0)  # 0: no cache, which would be slower


_thread = _ThreadState()


def split_words(text: str) -> list[str]:
    """Return the words of a text, folded."""
    return WORD.findall(fold(text))


@functools.lru_cache(maxsize=CACHED_WORDS)
def keys(word: str) -> frozenset[str]:
    """Return the keys of a folded word: two words count as forms of one word if they share a key.

    The stem of the Snowball algorithm suits verbs and adjectives. It takes the end of some nouns for the ending of
    a verb, and ignores fleeting vowels; so the base of a noun is the second key.
    """
    if word.isascii():
        return frozenset([word])
    return frozenset([_thread.stemmer.stemWord(word), _noun_base(word)])


def word_keys(text: str) -> str:
    """Return the keys of all words of a text, separated by spaces."""
    return " ".join(sorted(set().union(*map(keys, split_words(text)))))


def _noun_base(word: str) -> str:
    """Return a word without its ending, its soft signs and its fleeting vowel: подарок, подарка → подарк."""
    base = _without_ending(word).replace("ь", "")
    if (
        len(base) < SHORTEST_BASE + 2
        or base[-2] not in texts.FLEETING_VOWELS
        or base[-1] not in texts.AFTER_FLEETING_VOWEL
    ):
        return base
    if base[-3] not in texts.VOWELS:
        return base[:-2] + base[-1]
    return base[:-2] + "й" + base[-1]  # копеек, копейка → копейк


def _without_ending(word: str) -> str:
    for length in range(min(LONGEST_ENDING, len(word) - SHORTEST_BASE), 0, -1):
        if word[-length:] in texts.NOUN_ENDINGS:
            return word[:-length]
    return word


def tags(text: str, formatting: Sequence[Entity] = ()) -> dict[str, str]:
    """Return the hashtags of a text without the #: as the search compares them → as they are written.

    What is formatted as code contains none.
    """
    code = [entity for entity in formatting if entity["type"] in ("code", "pre")]
    found = {}
    for match in TAG.finditer(text):
        label = match[1]
        if any(character.isalpha() for character in label) and not (code and _is_inside(match, code)):
            found[fold(label)] = label
    return found


def _is_inside(match: re.Match[str], formatting: Sequence[Entity]) -> bool:
    start = utf16_length(match.string[: match.start()])
    return any(entity["offset"] <= start < entity["offset"] + entity["length"] for entity in formatting)


def tags_as_json(text: str, stored_entities: str) -> str:
    """Return tags() as a JSON object."""
    return json.dumps(tags(text, entities.loads(stored_entities)), ensure_ascii=False)
