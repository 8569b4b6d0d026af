"""telegram.contents: what a message holds is read field by field; what is strange is left out.

The shapes follow https://core.telegram.org/bots/api#message.
"""

from typing import Any

import pytest
from test_updates import MESSAGE, NOW, OLD_MESSAGE, parse_message, without

from telegram.messages import Attachment, ForwardSource

SIZES = [
    {"file_id": "s", "file_unique_id": "1", "width": 90, "height": 67, "file_size": 1000},
    {"file_id": "m", "file_unique_id": "2", "width": 800, "height": 600},
    {"file_id": "x", "file_unique_id": "3", "width": 1280, "height": 960, "file_size": 90_000},
]
CHANNEL = {"id": -100900, "type": "channel", "title": "Новости", "username": "news"}


def attachment_of(**fields: Any) -> Attachment | None:
    attachments = parse_message(**{**without(MESSAGE, "text"), "text": None, **fields}).attachments
    return attachments[0] if attachments else None


def test_the_largest_size_of_a_photo_is_kept_and_a_middle_one_for_models() -> None:
    assert attachment_of(photo=SIZES, has_media_spoiler=True) == Attachment(
        kind="photo",
        file_id="x",
        file_unique_id="3",
        file_size=90_000,
        width=1280,
        height=960,
        details={"preview_file_id": "m", "has_spoiler": True},
    )


def test_an_animation_is_no_document_and_a_venue_no_location() -> None:
    file = {"file_id": "a", "file_unique_id": "1", "file_name": "кот.mp4", "mime_type": "video/mp4", "duration": 3}
    location = {"latitude": 59.9, "longitude": 30}
    animation = attachment_of(animation=file, document=file)
    assert animation
    assert (animation.kind, animation.file_name, animation.duration_s) == ("animation", "кот.mp4", 3)
    venue = attachment_of(venue={"location": location, "title": "Кафе", "address": "Лесная, 1"}, location=location)
    assert venue
    assert venue.kind == "venue"
    assert venue.details == {"latitude": 59.9, "longitude": 30.0, "title": "Кафе", "address": "Лесная, 1"}


@pytest.mark.parametrize(
    "fields",
    [
        {"photo": []},
        {"photo": "x"},
        {"photo": [None, {"file_id": 5}]},
        {"voice": {"duration": 3}},
        {"video": ["x"]},
        {"location": {"latitude": 91, "longitude": 0}},
        {"location": {"latitude": True, "longitude": 0}},
        {"venue": {"title": "Кафе", "address": "Лесная, 1"}},
        {"contact": {"first_name": "Боб"}},
    ],
)
def test_what_could_not_be_sent_again_is_no_attachment(fields: dict[str, Any]) -> None:
    assert attachment_of(**fields) is None


def test_strange_fields_lose_only_themselves() -> None:
    voice = attachment_of(voice={"file_id": "v", "file_unique_id": 7, "duration": -1, "file_size": 2**70})
    assert voice == Attachment(kind="voice", file_id="v")


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        (
            {"type": "user", "sender_user": {"id": 2, "first_name": "Анна", "username": "anna"}, "date": NOW},
            ForwardSource("Анна", "https://t.me/anna", NOW),
        ),
        ({"type": "hidden_user", "sender_user_name": "Боб", "date": NOW}, ForwardSource("Боб", None, NOW)),
        (
            {"type": "chat", "sender_chat": CHANNEL, "date": NOW},
            ForwardSource("Новости", "https://t.me/news", NOW),
        ),
        (
            {"type": "channel", "chat": CHANNEL, "message_id": 42, "date": NOW},
            ForwardSource("Новости", "https://t.me/news/42", NOW),
        ),
        (
            {"type": "channel", "chat": without(CHANNEL, "username"), "message_id": 42},
            ForwardSource("Новости", None, 0),
        ),
        ({"type": "of_the_future"}, None),
    ],
)
def test_sources_of_forwards(origin: dict[str, Any], source: ForwardSource | None) -> None:
    assert parse_message(forward_origin=origin).source == source


def test_the_message_replied_to_is_read_like_any_other() -> None:
    bold = {"type": "bold", "offset": 0, "length": 5}
    replied_to = parse_message(reply_to_message={**OLD_MESSAGE, "entities": [bold]}).replied_to
    assert replied_to
    assert (replied_to.text, replied_to.entities, replied_to.is_bot) == ("ответ", (bold,), True)
    assert parse_message(reply_to_message={"message_id": 4, "date": "вчера"}).replied_to


def test_of_a_message_in_another_chat_the_media_and_the_quote_are_known() -> None:
    origin = {"type": "channel", "chat": CHANNEL, "message_id": 42, "date": NOW}
    replied_to = parse_message(
        external_reply={"origin": origin, "photo": SIZES}, quote={"text": "цитата", "position": 0}
    ).replied_to
    assert replied_to
    assert (replied_to.text, replied_to.source) == (
        "цитата",
        ForwardSource("Новости", "https://t.me/news/42", NOW),
    )
    assert replied_to.attachments[0].file_id == "x"
