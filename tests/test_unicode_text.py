"""unicode_text: repaired text can be stored, folded text ignores ё, lengths are counted in UTF-16 code units."""

import json
import sqlite3
from contextlib import closing

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unicode_text import fold, fold_with_positions, storable, truncate_utf16, utf16_length

any_text = st.text(st.characters(exclude_categories=[]), max_size=50)  # with NUL and lone surrogates
well_formed = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("привет", "привет"),
        ("a\0b", "a\ufffdb"),
        ("\ud83c", "\ufffd"),
        ("a\udf84b", "a\ufffdb"),
        ("\ud83c\udf84", "🎄"),
        ("\udf84\ud83c", "\ufffd\ufffd"),
        ("🎄\ud83c🎄", "🎄\ufffd🎄"),
        ("\ufeffтекст", "\ufeffтекст"),
    ],
)
def test_storable_replaces_what_cannot_be_stored(text: str, expected: str) -> None:
    assert storable(text) == expected


@given(text=any_text)
@example(text="\ufeff\ud83c")
def test_storable_text_survives_the_database_and_the_wire(text: str) -> None:
    repaired = storable(text)
    assert "\0" not in repaired
    assert storable(repaired) == repaired
    assert json.loads(json.dumps(repaired, ensure_ascii=False).encode()) == repaired
    with closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute("SELECT ? || ''", (repaired,)).fetchone() == (repaired,)


@given(text=well_formed)
def test_storable_leaves_well_formed_text_as_it_is(text: str) -> None:
    assert storable(text) == text


def test_fold_replaces_yo_and_capital_letters() -> None:
    assert fold("Ёлка и ёж, Ей и её") == "елка и еж, ей и ее"
    assert fold("Йод, ELK, elk") == "йод, elk, elk"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("\u0439", "\u0438\u0306"),  # й, composed and decomposed, as macOS writes it
        ("ё", "е\u0308"),
        ("\u00b5", "\u03bc"),  # the micro sign and the Greek letter
        ("ΟΔΟΣ", "οδος"),
        ("οδοσ", "οδος"),
        ("Straße", "STRASSE"),
        ("\ufb01n", "fin"),  # a ligature
        ("\u212b", "a\u030a"),  # the sign of the ångström
        ("\uac01", "\u1100\u1161\u11a8"),  # a Hangul syllable and its letters
    ],
)
def test_fold_makes_different_encodings_of_a_text_equal(text: str, same: str) -> None:
    assert fold(text) == fold(same)


@given(
    text=st.text(st.characters() | st.sampled_from("еЕ\u0308\u0306\u0345иßİ\ufb01\u1100\u1161\u11a8\u09c7\u09be"))
)
def test_each_folded_character_comes_from_a_place_in_the_text(text: str) -> None:
    folded, starts, ends = fold_with_positions(text)
    assert folded == fold(text)
    assert len(starts) == len(ends) == len(folded)
    places = sorted(set(zip(starts, ends, strict=True)))
    assert "".join(text[start:end] for start, end in places) == text
    assert "".join(fold(text[start:end]) for start, end in places) == folded


@pytest.mark.parametrize(
    ("text", "length"), [("", 0), ("abc", 3), ("где", 3), ("🎄", 2), ("a🎄б", 4), ("e\u0301", 2), ("\ud83c", 1)]
)
def test_utf16_length(text: str, length: int) -> None:
    assert utf16_length(text) == length


@given(text=well_formed)
def test_utf16_length_agrees_with_the_encoding(text: str) -> None:
    assert utf16_length(text) == sum(2 if ord(character) > 0xFFFF else 1 for character in text)


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("привет", 6, "привет"),
        ("привет", 5, "приве"),
        ("🎄🎄", 4, "🎄🎄"),
        ("🎄🎄", 3, "🎄"),
        ("🎄🎄", 1, ""),
        ("а🎄", 2, "а"),
        ("текст", 0, ""),
    ],
)
def test_truncate_utf16_never_cuts_a_character(text: str, limit: int, expected: str) -> None:
    assert truncate_utf16(text, limit) == expected


@given(text=well_formed, limit=st.integers(0, 60))
def test_truncate_utf16_returns_the_longest_beginning_that_fits(text: str, limit: int) -> None:
    beginning = truncate_utf16(text, limit)
    assert text.startswith(beginning)
    assert utf16_length(beginning) <= limit
    if beginning != text:
        assert utf16_length(text[: len(beginning) + 1]) > limit


@given(text=any_text, limit=st.integers(0, 60))
def test_truncate_utf16_accepts_text_that_was_not_repaired(text: str, limit: int) -> None:
    assert utf16_length(truncate_utf16(text, limit)) <= limit
