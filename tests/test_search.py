"""notes.search: what a query means, and how a match is shown.

- words, quoted phrases, quotation marks inside words, pasted texts
- the excerpt: the match in context, bold, within the limit, with no other HTML
- the keywords of a question
"""

import re
from html import unescape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import texts
from notes import search


@pytest.mark.parametrize(
    ("query", "phrases"),
    [
        ("молоко", ["молоко"]),
        ("  купить\nмолоко ", ["купить", "молоко"]),
        ("купить купить", ["купить"]),
        ('"купить молоко" сыр', ["купить молоко", "сыр"]),
        ("«купить молоко» “и сыр”", ["купить молоко", "и сыр"]),
        ('" в начале и в конце "', ["в начале и в конце"]),
        ('незакрытая "кавычка тут', ["незакрытая", '"кавычка', "тут"]),
        ('л"да', ['л"да']),
        ('""', ['""']),
        ("a AND b* NEAR(c)", ["a", "AND", "b*", "NEAR(c)"]),
        ("слово " * 30, ["слово"]),
        (" ".join(map(str, range(21))), [" ".join(map(str, range(21)))]),
    ],
)
def test_a_query_is_parsed_into_phrases(query: str, phrases: list[str]) -> None:
    assert search.parse_query(query) == phrases


def test_matches_are_bold_in_any_case_and_with_yo() -> None:
    assert search.excerpt("Ёлка & ёж <b>", ["елка", "ЁЖ"], 50) == "<b>Ёлка</b> &amp; <b>ёж</b> &lt;b&gt;"
    assert search.excerpt("мои\u0306 и\u0306од", ["ЙО"], 50) == "мои\u0306 <b>и\u0306о</b>д"
    assert search.excerpt("5 µg, ΟΔΟΣ", ["\u03bcg", "οδος"], 50) == "5 <b>µg</b>, <b>ΟΔΟΣ</b>"
    assert search.excerpt("Straße ﬁn", ["STRASS", "in"], 50) == "<b>Straß</b>e <b>ﬁn</b>"
    assert search.excerpt("аааа", ["аа", "ааа"], 50) == "<b>ааа</b>а"
    assert search.excerpt("100% или a.b", ["%", ".", "a.c"], 50) == "100<b>%</b> или a<b>.</b>b"


def test_a_long_text_is_cut_around_the_match_between_words() -> None:
    text = "слово " * 200 + "клад " + "другое " * 200
    assert (
        search.excerpt(text, ["клад"], 60) == "…слово слово слово <b>клад</b> другое другое другое другое другое…"
    )
    assert search.excerpt(text, [], 20) == "слово слово слово…"
    assert search.excerpt(text, ["нет такого"], 20) == "слово слово слово…"
    assert search.excerpt("а" * 100, [], 20) == "а" * 20 + "…"


def plain_text(excerpt: str) -> str:
    """Return the text of an excerpt, which may contain no tag but <b>."""
    assert "<" not in re.sub("</?b>", "", excerpt)
    return unescape(re.sub("</?b>", "", excerpt))


@given(text=st.text(max_size=400), word=st.text(min_size=1, max_size=10), limit=st.integers(10, 300))
@example(text="&lt;" * 100, word="lt", limit=20)
@example(text="ﬁΐİ" * 100, word="fi", limit=20)
def test_an_excerpt_is_a_part_of_the_text_within_the_limit(text: str, word: str, limit: int) -> None:
    shown = plain_text(search.excerpt(text, [word], limit))
    if len(text) <= limit:
        assert shown == text
    else:
        body = shown.removeprefix(texts.ELLIPSIS).removesuffix(texts.ELLIPSIS)
        assert body in text or shown in text
        assert len(body) <= limit


@given(before=st.text("аб ", max_size=300), after=st.text("вг ", max_size=300), limit=st.integers(30, 100))
def test_the_match_is_always_visible(before: str, after: str, limit: int) -> None:
    assert "<b>клад</b>" in search.excerpt(f"{before}клад{after}", ["клад"], limit)


def test_the_keywords_of_a_question() -> None:
    assert search.trigrams("Когда у меня приём?") == ["при", "рие", "ием"]
    assert search.trigrams("Где что?") == []
    assert search.is_similar("Где приём?", "записан на ПРИЁМ в среду")
    assert search.is_similar("У стоматологов?", "к стоматологу")
    assert not search.is_similar("Где приём?", "купить молоко")
