"""entities: formatting is validated, shortened and joined together with its text; offsets count UTF-16 units."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import entities
from entities import FormattedText
from unicode_text import utf16_length

BOLD = {"type": "bold", "offset": 0, "length": 4}
LINK = {"type": "text_link", "offset": 0, "length": 3, "url": "https://example.org/"}
ACCEPTED: list[dict[str, Any]] = [
    *(
        {"type": name, "offset": 0, "length": 3}
        for name in sorted(entities.TYPES - entities.REQUIRED_FIELDS.keys())
    ),
    LINK,
    {"type": "pre", "offset": 0, "length": 3, "language": "python"},
    {"type": "text_mention", "offset": 0, "length": 3, "user": {"id": 1, "is_bot": False, "first_name": "Анна"}},
    {"type": "custom_emoji", "offset": 0, "length": 2, "custom_emoji_id": "5368324170671202286"},
    {"type": "date_time", "offset": 0, "length": 3, "unix_time": 1_700_000_000, "date_time_format": "wDT"},
]

storable_texts = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40
)


def storable_entities(text: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return lists of entities that Telegram may send with a text."""
    length = utf16_length(text)

    def one_of_kind(fields: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        starts = st.integers(0, length - 1)
        return starts.flatmap(
            lambda start: st.integers(1, length - start).map(
                lambda size: {**fields, "offset": start, "length": size}
            )
        )

    return st.lists(st.sampled_from(ACCEPTED).flatmap(one_of_kind), max_size=5)


formatted_texts = storable_texts.flatmap(
    lambda text: storable_entities(text).map(lambda found: FormattedText(text, found))
)


@pytest.mark.parametrize("entity", ACCEPTED)
def test_what_telegram_accepts_is_kept_unchanged(entity: dict[str, Any]) -> None:
    assert entities.parse([entity], "раз") == [entity]


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {},
        "bold",
        [None],
        [{"type": "hologram", "offset": 0, "length": 3}],
        [{"type": ["bold"], "offset": 0, "length": 3}],
        [{"type": "bold", "offset": -1, "length": 3}],
        [{"type": "bold", "offset": 0, "length": 0}],
        [{"type": "bold", "offset": 0, "length": 4}],
        [{"type": "bold", "offset": True, "length": 1}],
        [{"type": "bold", "offset": 0, "length": 10**30}],
        [{"type": "bold"}],
        [{"type": "text_link", "offset": 0, "length": 3}],
        [{"type": "text_link", "offset": 0, "length": 3, "url": 5}],
        [{"type": "text_mention", "offset": 0, "length": 3, "user": {}}],
        [{"type": "date_time", "offset": 0, "length": 3, "unix_time": 2**70}],
    ],
)
def test_what_telegram_would_not_accept_is_dropped(raw: Any) -> None:
    assert entities.parse(raw, "раз") == []


def test_unknown_fields_are_dropped_and_the_rest_is_made_storable() -> None:
    raw = [{**LINK, "url": "https://example.org/\0", "hologram": 1}]
    assert entities.parse(raw, "раз") == [{**LINK, "url": "https://example.org/\ufffd"}]


def test_the_text_after_a_command_keeps_its_formatting() -> None:
    whole = FormattedText("/note_add  😀 молоко ", [{"type": "bold", "offset": 0, "length": 16}])
    rest = whole.ending("😀 молоко")
    assert rest == FormattedText("😀 молоко", [{"type": "bold", "offset": 0, "length": 5}])


def test_offsets_count_utf_16_units() -> None:
    joined = FormattedText("😀") + FormattedText("раз", [{"type": "bold", "offset": 1, "length": 2}])
    assert joined == FormattedText("😀раз", [{"type": "bold", "offset": 3, "length": 2}])


def test_hidden_links_follow_their_words() -> None:
    text = "😀 сайт и https://a.example"
    links = [
        {"type": "bold", "offset": 0, "length": 2},
        {"type": "text_link", "offset": 3, "length": 4, "url": "https://example.org/"},
        {"type": "text_link", "offset": 10, "length": 17, "url": "https://a.example"},
    ]
    assert entities.with_links(text, links) == "😀 сайт (https://example.org/) и https://a.example"
    assert entities.hidden_links(links) == ["https://example.org/", "https://a.example"]


@given(formatted=formatted_texts, following=formatted_texts)
def test_any_two_texts_are_joined_and_taken_apart_again(
    formatted: FormattedText, following: FormattedText
) -> None:
    whole = formatted + following
    own, others = len(formatted.entities), len(following.entities)
    assert entities.parse(whole.entities, whole.text) == whole.entities
    assert entities.clip(whole.entities[:own], "", formatted.text) == formatted.entities
    assert entities.clip(whole.entities[own:], formatted.text, following.text) == following.entities
    assert len(whole.entities) == own + others
    assert entities.loads(entities.dumps(whole.entities)) == whole.entities
