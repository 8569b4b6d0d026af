"""telegram.markdown: long texts are split into messages that are valid Markdown each, without loss."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    assert list(split_markdown("**а**\n\nб", 4096)) == ["**а**\n\nб"]


# Markdown

words = st.sampled_from(
    ["слово", "**жирно**", "🎄🎄", "", "", "```a``` b", "- пункт", "# Глава", "| a | b |", "x" * 50]
)
code = st.sampled_from(["```python", "```", "~~~", "````", "    code", "print(1)"])


@given(lines=st.lists(words | code, max_size=60), limit=st.integers(40, 200))
def test_markdown_parts_fit_and_lose_no_letter(lines: list[str], limit: int) -> None:
    text = "\n".join(lines)
    parts = list(split_markdown(text, limit))
    for part in parts:
        assert utf16_length(part) <= limit
    # Only the marks of closed and reopened code blocks may differ.
    joined = "".join("\n".join(parts).split())
    marks = re.compile(r"[`~]+(python)?")
    assert marks.sub("", joined) == marks.sub("", "".join(text.split()))


def test_markdown_is_split_between_paragraphs() -> None:
    text = "Первый абзац.\nЕго вторая строка.\n\nВторой абзац.\n\nТретий абзац."
    assert list(split_markdown(text, 60)) == [
        "Первый абзац.\nЕго вторая строка.\n\nВторой абзац.",
        "Третий абзац.",
    ]


@pytest.mark.parametrize("marks", ["```", "~~~", "````"])
def test_a_code_block_that_is_split_is_closed_and_reopened(marks: str) -> None:
    code = "\n".join(f"строка {n}" for n in range(30))
    parts = list(split_markdown(f"Вот:\n\n{marks}python\n{code}\n{marks}\n\nВсё.", 120))
    assert len(parts) > 2
    assert parts[0].startswith(f"Вот:\n\n{marks}python\nстрока 0")
    assert all(part.endswith(f"\n{marks}") for part in parts[:-1])
    assert all(part.startswith(f"{marks}python\n") for part in parts[1:-1])
    lines = [line for part in parts for line in part.split("\n") if line.startswith("строка")]
    assert "\n".join(lines) == code
    assert parts[-1].endswith("Всё.")


@pytest.mark.parametrize(
    "text",
    [
        "`" * 100_000,
        "```" + "x" * 40_000 + "\n" + "слово\n" * 20_000,
        "слово" + "\n" * 500_000 + "слово",
        "```\n" + "\n" * 500_000 + "```",
        ">" * 5_000 + "слово",
        "*" * 10_000 + "слово" + "_[](" * 10_000,
    ],
    ids=["backticks", "a long fence", "blank lines", "blank code", "quotes", "marks"],
)
def test_broken_markdown_is_split_into_parts_that_fit(text: str) -> None:
    parts = list(split_markdown(text, 32768))
    assert max(map(utf16_length, parts)) <= 32768
    assert "".join(parts).count("слово") == text.count("слово")
