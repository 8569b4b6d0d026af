"""telegram.markdown: long texts are split into messages that are valid Markdown each, without loss."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from telegram.markdown import split_markdown, split_plain
from unicode_text import utf16_length

# Plain text


@given(text=st.text(alphabet=st.sampled_from("абв🎄\n "), max_size=300), limit=st.integers(2, 40))
def test_plain_parts_fit_and_lose_only_white_space(text: str, limit: int) -> None:
    parts = list(split_plain(text, limit))
    for part in parts:
        assert part.strip()
        assert utf16_length(part) <= limit
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_plain_text_is_split_at_the_end_of_a_line() -> None:
    assert list(split_plain("раз два\nтри\nчетыре пять", 12)) == ["раз два\nтри", "четыре пять"]


def test_a_text_that_fits_is_not_split() -> None:
    assert list(split_plain("а" * 4096, 4096)) == ["а" * 4096]
    assert list(split_plain("🎄" * 2048, 4096)) == ["🎄" * 2048]
    assert [len(part) for part in split_plain("а" * 4097, 4096)] == [4096, 1]
    assert split_markdown("**а**\n\nб", 4096) == ["**а**\n\nб"]


def test_plain_text_is_split_between_words() -> None:
    assert list(split_plain("раз два три", 9)) == ["раз два", "три"]
    assert list(split_plain("раз\nдва три четыре", 14)) == ["раз\nдва три", "четыре"]
    assert list(split_plain("раз два три", 7)) == ["раз два", "три"]


# Markdown

words = st.sampled_from(
    ["слово", "**жирно**", "🎄🎄", "", "", "```a``` b", "- пункт", "# Глава", "| a | b |", "x" * 50]
)
code = st.sampled_from(["```python", "```", "~~~", "````", "    code", "print(1)"])


def letters(markdown: str) -> str:
    """Return the letters and digits without the languages of code blocks, which are repeated in each part."""
    return "".join(re.findall(r"[^\W_]|🎄", re.sub(r"[`~]+python", "", markdown)))


@given(lines=st.lists(words | code, max_size=60), limit=st.integers(100, 300))
def test_markdown_parts_fit_and_lose_no_letter(lines: list[str], limit: int) -> None:
    text = "\n".join(lines)
    parts = split_markdown(text, limit)
    for part in parts:
        assert utf16_length(part) <= limit
    assert letters("\n".join(parts)) == letters("\n".join(split_markdown(text, 32768)))


def test_markdown_is_split_between_paragraphs() -> None:
    text = "Первый абзац.\nЕго вторая строка.\n\nВторой абзац.\n\nТретий абзац."
    assert split_markdown(text, 60) == [
        "Первый абзац.\nЕго вторая строка.\n\nВторой абзац.",
        "Третий абзац.",
    ]


@pytest.mark.parametrize("marks", ["```", "~~~", "````"])
def test_a_code_block_that_is_split_is_closed_and_reopened(marks: str) -> None:
    code = "\n".join(f"строка {n}" for n in range(30))
    parts = split_markdown(f"Вот:\n\n{marks}python\n{code}\n{marks}\n\nВсё.", 150)
    assert len(parts) > 2
    assert parts[0].startswith("Вот:\n\n```python\nстрока 0")
    assert all(part.count("```") % 2 == 0 for part in parts)
    lines = [line for part in parts for line in part.split("\n") if line.startswith("строка")]
    assert "\n".join(lines) == code
    assert parts[-1].endswith("Всё.")


def test_code_in_a_list_stays_code_when_it_is_split() -> None:
    code = "\n".join(f"   print({n})" for n in range(200))
    parts = split_markdown(f"1. Раз:\n\n   ```python\n{code}\n   ```\n\n2. Два", 500)
    assert len(parts) > 2
    parser = MarkdownIt("commonmark")
    blocks = [token for part in parts for token in parser.parse(part)]
    shown = "\n".join(token.content.strip() for token in blocks if token.type == "fence")
    assert [line.strip() for line in shown.split("\n")] == [line.strip() for line in code.split("\n")]
    assert not [token for token in blocks if token.type == "inline" and "print" in token.content]


def test_a_long_paragraph_is_split_between_words_and_its_marks_are_reopened() -> None:
    text = "**" + "слово " * 299 + "слово**"
    parts = split_markdown(text, 500)
    assert len(parts) > 3
    for part in parts:
        assert set(part.strip("*").split()) == {"слово"}
        assert (part[:2], part[-2:]) == ("**", "**")
    assert "".join(parts).count("слово") == 300


def test_a_heading_is_never_alone_at_the_end_of_a_part() -> None:
    section = "# Глава\n\n## Раздел\n\n" + "слово " * 20
    parts = split_markdown("\n\n".join([section] * 10), 400)
    assert len(parts) > 2
    for part in parts:
        assert not part.split("\n\n")[-1].startswith("#")
    assert "".join(parts).count("слово") == 200


def test_a_table_that_is_split_repeats_its_head() -> None:
    rows = "".join(f"| {n} | слово |\n" for n in range(100))
    parts = split_markdown(f"| № | что |\n|---|---|\n{rows}", 500)
    assert len(parts) > 2
    assert all(part.startswith("| № | что |\n| --- | --- |\n") for part in parts)
    assert "".join(parts).count("слово") == 100


def test_a_numbered_list_that_is_split_goes_on_counting() -> None:
    parts = split_markdown("\n".join(f"{n}. пункт" for n in range(1, 101)), 500)
    assert len(parts) > 2
    assert [int(number) for part in parts for number in re.findall(r"(?m)^(\d+)\.", part)] == list(range(1, 101))


@pytest.mark.parametrize(
    "text",
    [
        "`" * 100_000,
        "```" + "x" * 40_000 + "\n" + "слово\n" * 20_000,
        "слово" + "\n" * 500_000 + "слово",
        "```\n" + "\n" * 500_000 + "```",
        ">" * 5_000 + "слово",
        "*" * 10_000 + "слово" + "_[](" * 10_000,
        "~~~\n" + "`" * 100_000,
        "| " + "слово " * 20_000 + "|\n|-|",
        "- " * 5_000 + "слово",
        "[" * 10_000 + "слово",
        "\\[\n" * 10_000 + "слово",
    ],
    ids=lambda text: text[:4] + text[-4:],
)
def test_broken_markdown_is_split_into_parts_that_fit(text: str) -> None:
    parts = split_markdown(text, 32768)
    assert max(map(utf16_length, parts)) <= 32768
    assert "".join(parts).count("слово") == text.count("слово")
