"""Words as the search compares them: the keys that a word shares with its other forms, and tags.

Triggers of the schema call word_keys() and tags_as_json(). After a change of what they return, which a new version
of PyStemmer may bring, too, a migration must rebuild notes_words and note_tags, as migrations/3.sql does.
"""

import bisect
import functools
import itertools
import json
import math
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
SHORTEST_WITH_FLEETING_VOWEL = 4  # letters of a base; in shorter ones most of these vowels stay: дом, тема


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
        len(base) < SHORTEST_WITH_FLEETING_VOWEL
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
    code = sorted((e["offset"], e["offset"] + e["length"]) for e in formatting if e["type"] in ("code", "pre"))
    ends = list(itertools.accumulate((end for _, end in code), max))  # the last end of code up to each
    found = {}
    position = place = 0  # in characters and in UTF-16 units
    for match in TAG.finditer(text):
        place += utf16_length(text[position : match.start()])
        position = match.start()
        label = match[1]
        code_before = bisect.bisect_right(code, (place, math.inf))
        is_code = code_before > 0 and place < ends[code_before - 1]
        if not is_code and any(character.isalpha() for character in label):
            found[fold(label)] = label
    return found


def tags_as_json(text: str, stored_entities: str) -> str:
    """Return tags() as a JSON object."""
    return json.dumps(tags(text, entities.loads(stored_entities)), ensure_ascii=False)
