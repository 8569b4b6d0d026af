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
from db_search import Query
from notes import search


@pytest.mark.parametrize(
    ("query", "parsed"),
    [
        ("молоко", Query(["молоко"])),
        ("  купить\nмолоко ", Query(["купить", "молоко"])),
        ("купить купить", Query(["купить"])),
        ('"купить молоко" сыр', Query(["сыр"], ["купить молоко"])),
        ("«купить молоко» “и сыр”", Query(phrases=["купить молоко", "и сыр"])),
        ('" в начале и в конце "', Query(phrases=["в начале и в конце"])),
        ('незакрытая "кавычка тут', Query(["незакрытая", "тут"], ['"кавычка'])),
        ('л"да', Query(phrases=['л"да'])),
        ('""', Query(phrases=['""'])),
        ("a AND b* NEAR(c)", Query(["a", "AND"], ["b*", "NEAR(c)"])),
        ("C++ HDMI-кабель 100%", Query(["HDMI-кабель"], ["C++", "100%"])),
        ("#Дом молоко #ёлка", Query(["молоко"], tags=["дом", "елка"])),
        ("#12 #дом,сад а#дом #", Query(phrases=["#12", "#дом,сад", "а#дом", "#"])),
        ("слово " * 30, Query(["слово"])),
        (" ".join(map(str, range(21))), Query(phrases=[" ".join(map(str, range(21)))])),
    ],
)
def test_a_query_is_parsed(query: str, parsed: Query) -> None:
    assert search.parse_query(query) == parsed


def test_other_forms_are_bold_if_the_exact_words_are_missing() -> None:
    forms = Query(["ёлки", "молока"])
    assert search.excerpt("Ёлка, молоко и белка", forms, 50) == "<b>Ёлка</b>, <b>молоко</b> и белка"
    assert search.excerpt("ёлки и молока, молоко", forms, 50) == "<b>ёлки</b> и <b>молока</b>, молоко"
    assert search.excerpt("#Дом и дом", Query(tags=["дом"]), 50) == "<b>#Дом</b> и дом"


def test_matches_are_bold_in_any_case_and_with_yo() -> None:
    assert bold("Ёлка & ёж <b>", ["елка", "ЁЖ"], 50) == "<b>Ёлка</b> &amp; <b>ёж</b> &lt;b&gt;"
    assert bold("мои\u0306 и\u0306од", ["ЙО"], 50) == "мои\u0306 <b>и\u0306о</b>д"
    assert bold("5 µg, ΟΔΟΣ", ["\u03bcg", "οδος"], 50) == "5 <b>µg</b>, <b>ΟΔΟΣ</b>"
    assert bold("Straße ﬁn", ["STRASS", "in"], 50) == "<b>Straß</b>e <b>ﬁn</b>"
    assert bold("аааа", ["аа", "ааа"], 50) == "<b>ааа</b>а"
    assert bold("100% или a.b", ["%", ".", "a.c"], 50) == "100<b>%</b> или a<b>.</b>b"


def test_a_long_text_is_cut_around_the_match_between_words() -> None:
    text = "слово " * 200 + "клад " + "другое " * 200
    assert bold(text, ["клад"], 60) == "…слово слово слово <b>клад</b> другое другое другое другое другое…"
    assert bold(text, [], 20) == "слово слово слово…"
    assert bold(text, ["нет такого"], 20) == "слово слово слово…"
    assert bold("а" * 100, [], 20) == "а" * 20 + "…"


def bold(text: str, phrases: list[str], limit: int) -> str:
    return search.excerpt(text, Query(phrases=phrases), limit)


def plain_text(excerpt: str) -> str:
    """Return the text of an excerpt, which may contain no tag but <b>."""
    assert "<" not in re.sub("</?b>", "", excerpt)
    return unescape(re.sub("</?b>", "", excerpt))


@given(text=st.text(max_size=400), word=st.text(min_size=1, max_size=10), limit=st.integers(10, 300))
@example(text="&lt;" * 100, word="lt", limit=20)
@example(text="ﬁΐİ" * 100, word="fi", limit=20)
def test_an_excerpt_is_a_part_of_the_text_within_the_limit(text: str, word: str, limit: int) -> None:
    shown = plain_text(bold(text, [word], limit))
    if len(text) <= limit:
        assert shown == text
    else:
        body = shown.removeprefix(texts.ELLIPSIS).removesuffix(texts.ELLIPSIS)
        assert body in text or shown in text
        assert len(body) <= limit


@given(before=st.text("аб ", max_size=300), after=st.text("вг ", max_size=300), limit=st.integers(30, 100))
def test_the_match_is_always_visible(before: str, after: str, limit: int) -> None:
    assert "<b>клад</b>" in bold(f"{before}клад{after}", ["клад"], limit)


def test_the_keywords_of_a_question() -> None:
    assert search.trigrams("Когда у меня приём?") == ["при", "рие", "ием"]
    assert search.trigrams("Где что?") == []
    assert search.is_similar("Где приём?", "записан на ПРИЁМ в среду")
    assert search.is_similar("У стоматологов?", "к стоматологу")
    assert not search.is_similar("Где приём?", "купить молоко")
