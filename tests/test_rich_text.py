"""telegram.rich_text: the text of rich messages; shapes of https://core.telegram.org/bots/api#richmessage."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram.rich_text import rich_message_text

LINK = {"type": "url", "text": "сайт", "url": "https://example.org/a"}
BLOCKS: list[tuple[Any, str]] = [
    (
        {"type": "paragraph", "text": ["раз ", {"type": "bold", "text": {"type": "italic", "text": "два"}}]},
        "раз два",
    ),
    ({"type": "heading", "size": 1, "text": "раз"}, "раз"),
    ({"type": "paragraph", "text": ["наш ", LINK]}, "наш сайт (https://example.org/a)"),
    ({"type": "paragraph", "text": {"type": "url", "text": "a.ru", "url": "http://a.ru/"}}, "a.ru"),
    (
        {"type": "paragraph", "text": {"type": "custom_emoji", "custom_emoji_id": "1", "alternative_text": "👍"}},
        "👍",
    ),
    ({"type": "paragraph", "text": {"type": "mathematical_expression", "expression": "x^2"}}, "x^2"),
    ({"type": "mathematical_expression", "expression": "x^2"}, "x^2"),
    ({"type": "pre", "text": "a = 1\nb = 2", "language": "python"}, "a = 1\nb = 2"),
    (
        {
            "type": "list",
            "items": [
                {"label": "1.", "blocks": [{"type": "paragraph", "text": "раз"}]},
                {"label": "2.", "blocks": [{"type": "paragraph", "text": "два"}]},
            ],
        },
        "1. раз\n2. два",
    ),
    (
        {"type": "blockquote", "blocks": [{"type": "paragraph", "text": "раз"}], "credit": "Боб"},
        "раз\nБоб",
    ),
    ({"type": "details", "summary": "о чём", "blocks": [{"type": "paragraph", "text": "раз"}]}, "о чём\nраз"),
    (
        {"type": "table", "cells": [[{"text": "а"}, {"text": ["б"]}], [{"text": "1"}, {}]], "caption": "итог"},
        "а | б\n1 | \nитог",
    ),
    ({"type": "photo", "photo": [], "caption": {"text": "подпись"}}, "подпись"),
    ({"type": "divider"}, ""),
    ({"type": "block_of_the_future", "text": "раз"}, "раз"),
]


@pytest.mark.parametrize(("block", "text"), BLOCKS)
def test_the_text_of_a_block(block: Any, text: str) -> None:
    assert rich_message_text({"blocks": [block]}) == text


def test_blocks_are_paragraphs() -> None:
    blocks = [{"type": "paragraph", "text": "раз"}, {"type": "divider"}, {"type": "paragraph", "text": "два"}]
    assert rich_message_text({"blocks": blocks}) == "раз\n\nдва"


names = st.sampled_from(["blocks", "text", "type", "items", "cells", "label", "url", "summary", "caption", "x"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(names, children, max_size=4),
)


@given(message=anything)
def test_any_shape_gives_a_text(message: Any) -> None:
    assert isinstance(rich_message_text(message), str)
