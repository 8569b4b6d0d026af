"""sandbox/telegram: what people send besides text, and the methods that send it again.

The shapes are those of https://core.telegram.org/bots/api (Bot API 10.3); the words of the refusals are those of
api.telegram.org. With aiogram installed, every message is parsed by its types as well (see test_schema.py).
"""

import importlib
import importlib.util
import io
from collections.abc import Callable
from typing import Any

import pytest
import requests
from PIL import Image

from sandbox.telegram import (
    TOKEN,
    World,
    from_channel,
    from_chat,
    from_hidden_user,
    from_user,
    parse_html,
)
from sandbox.telegram.files import make_file_id, sample

ANN = 1
Json = dict[str, Any]
Call = Callable[..., Any]
FILES = ["photo", "document", "video", "animation", "audio", "voice", "video_note", "sticker"]
METHODS = {kind: f"send{kind.title().replace('_', '')}" for kind in FILES}
WITHOUT_CAPTION = {"video_note", "sticker"}


@pytest.fixture
def call(world: World, telegram_url: str) -> Call:
    """Return a function that calls a method and returns its result, or the description of an error."""
    world.say(ANN, "/start")

    def call(method: str, files: Any = None, **params: Any) -> Any:
        url = f"{telegram_url}/bot{TOKEN}/{method}"
        body: Json = {"data": params, "files": files} if files else {"json": params}
        response = requests.post(url, timeout=60, **body).json()
        if response["ok"]:
            return response["result"]
        assert response["error_code"] == 400
        return response["description"].removeprefix("Bad Request: ")

    return call


def file_id(message: Json, kind: str) -> str:
    media = message[kind]
    return str(media[-1]["file_id"] if isinstance(media, list) else media["file_id"])


def check_schema(messages: list[Json]) -> None:
    """Parse messages with the types of aiogram, if it is installed; a field that it does not know is an error."""
    if importlib.util.find_spec("aiogram") is None:
        return
    types = importlib.import_module("aiogram.types")
    for message in messages:
        parsed = types.Message.model_validate(message)
        assert not unknown_fields(parsed), message


def unknown_fields(value: Any) -> list[str]:
    if isinstance(value, list):
        return [name for entry in value for name in unknown_fields(entry)]
    if not hasattr(value, "model_extra"):
        return []
    inner = [name for field in type(value).model_fields for name in unknown_fields(getattr(value, field))]
    return [*(value.model_extra or {}), *inner]


# What people send


def test_everything_that_people_send_has_the_shape_of_the_bot_api(world: World, call: Call) -> None:
    for kind in [*FILES, "location", "venue", "contact"]:
        world.send_media(ANN, kind)
    world.send_album(ANN, [world.media("photo"), world.media("video")], captioned=1, caption="море")
    for origin in (from_user(), from_hidden_user(), from_chat(), from_channel(username="news", signature="Ред.")):
        world.forward(ANN, world.media("photo"), origin, caption="переслано")
    first = world.say(ANN, "/note_add жирно", entities=[{"type": "bold", "offset": 10, "length": 5}])
    world.say(ANN, "ответ", reply_to_message=first)
    world.edit(ANN, world.send_media(ANN, "photo", caption="было")["message_id"], "стало")
    updates = call("getUpdates")
    messages = [update.get("message") or update["edited_message"] for update in updates]
    check_schema(messages)
    found = set().union(*messages)
    assert found >= {*FILES, "location", "venue", "contact", "media_group_id", "forward_origin", "caption"}
    assert messages[-1]["caption"] == "стало"


def test_a_photo_comes_in_sizes_and_an_animation_also_as_a_document(world: World) -> None:
    sizes = world.send_media(ANN, "photo")["photo"]
    assert [size["width"] for size in sizes] == [90, 320, 800, 1280]
    for size in sizes:
        with Image.open(io.BytesIO(world.files[size["file_id"]])) as picture:
            assert picture.size == (size["width"], size["height"])
    animation = world.send_media(ANN, "animation")
    assert animation["document"]["file_id"] == animation["animation"]["file_id"]
    venue = world.send_media(ANN, "venue")
    assert venue["location"] == venue["venue"]["location"]


def test_an_album_arrives_in_any_batches(world: World, call: Call) -> None:
    for update in call("getUpdates"):
        call("getUpdates", offset=update["update_id"] + 1, timeout=0)
    world.batch_sizes = [1, 2]
    parts = world.send_album(ANN, [world.media("photo") for _ in range(4)], captioned=2, caption="море")
    assert len({part["media_group_id"] for part in parts}) == 1
    assert [part.get("caption") for part in parts] == [None, None, "море", None]
    batches, offset = [], 0
    for _ in range(3):
        updates = call("getUpdates", offset=offset)
        batches.append(len(updates))
        offset = updates[-1]["update_id"] + 1
    assert batches == [1, 2, 1]


def test_telegram_finds_links_and_commands_and_moves_entities_with_the_text(world: World) -> None:
    text, entities = parse_html("  /note_add <b>хлеб</b> @baker_bot https://a.example/x. #еда <code>/no</code>")
    message = world.say(ANN, text, entities=entities)
    spans = {
        entity["type"]: message["text"][entity["offset"] : entity["offset"] + entity["length"]]
        for entity in message["entities"]
    }
    assert spans == {
        "bot_command": "/note_add",
        "bold": "хлеб",
        "mention": "@baker_bot",
        "url": "https://a.example/x",
        "hashtag": "#еда",
        "code": "/no",
    }


def test_a_long_text_is_split_with_its_entities(world: World, call: Call) -> None:
    first = world.say(ANN, "я" * 5000, entities=[{"type": "bold", "offset": 4000, "length": 500}])
    second = call("getUpdates")[-1]["message"]
    assert first["entities"] == [{"type": "bold", "offset": 4000, "length": 96}]
    assert second["entities"] == [{"type": "bold", "offset": 0, "length": 404}]


def test_a_reply_shows_the_whole_message_but_one_level_only(world: World) -> None:
    photo = world.send_media(ANN, "photo", caption="кот", caption_entities=[])
    reply = world.say(ANN, "раз", reply_to_message=photo)
    assert world.say(ANN, "два", reply_to_message=reply)["reply_to_message"]["text"] == "раз"
    assert reply["reply_to_message"]["photo"] == photo["photo"]
    assert "reply_to_message" not in world.say(ANN, "два", reply_to_message=reply)["reply_to_message"]


# Sending again, downloading


@pytest.mark.parametrize("kind", FILES)
def test_a_file_is_sent_again_downloaded_and_refused(
    world: World, call: Call, telegram_url: str, kind: str
) -> None:
    known = file_id(world.send_media(ANN, kind), kind)
    params: Json = {"chat_id": ANN, "caption": "вот"}
    params = {"chat_id": ANN} if kind in WITHOUT_CAPTION else params
    sent = call(METHODS[kind], **params, **{kind: known})
    check_schema([sent])
    assert file_id(sent, kind) == known
    assert sent.get("caption", "вот") == "вот"
    uploaded = call(METHODS[kind], files={kind: ("имя.bin", sample(kind))}, **params)
    check_schema([uploaded])
    assert world.files[file_id(uploaded, kind)] == sample(kind)
    path = call("getFile", file_id=known)["file_path"]
    assert requests.get(f"{telegram_url}/file/bot{TOKEN}/{path}", timeout=60).content == sample(kind)
    foreign = make_file_id(kind, 2, 1)
    assert call(METHODS[kind], chat_id=ANN, **{kind: foreign}) == "wrong file identifier/HTTP URL specified"
    assert "wrong remote file identifier" in call(METHODS[kind], chat_id=ANN, **{kind: "no such file"})
    other = "voice" if kind != "voice" else "photo"
    other_id = file_id(world.send_media(ANN, other), other)
    assert "can't use file of type" in call(METHODS[kind], chat_id=ANN, **{kind: other_id})


def test_places_and_contacts_are_sent(call: Call) -> None:
    place = {"chat_id": ANN, "latitude": 59.9, "longitude": 30.3}
    sent = [
        call("sendLocation", **place),
        call("sendVenue", **place, title="Эрмитаж", address="Дворцовая, 2"),
        call("sendContact", chat_id=ANN, phone_number="+7900", first_name="[Мария"),
    ]
    check_schema(sent)
    assert sent[1]["location"] == sent[0]["location"]
    assert "latitude" in call("sendLocation", chat_id=ANN, latitude=91, longitude=0)
    assert call("sendContact", chat_id=ANN, phone_number="+7900") == "first_name is empty"


def test_an_album_is_sent_by_file_id_and_by_upload(world: World, call: Call) -> None:
    known = file_id(world.send_media(ANN, "photo"), "photo")
    entities = [{"type": "bold", "offset": 0, "length": 4}]
    media = [{"type": "photo", "media": known, "caption": "море", "caption_entities": entities}]
    sent = call("sendMediaGroup", chat_id=ANN, media=[*media, {"type": "photo", "media": known}])
    check_schema(sent)
    assert sent[0]["caption_entities"] == entities
    assert sent[0]["media_group_id"] == sent[1]["media_group_id"]
    uploads = '[{"type": "document", "media": "attach://a"}, {"type": "document", "media": "attach://b"}]'
    sent = call("sendMediaGroup", files={"a": ("a.txt", b"1"), "b": ("b.txt", b"2")}, chat_id=ANN, media=uploads)
    assert [world.files[file_id(message, "document")] for message in sent] == [b"1", b"2"]


def test_albums_are_checked(world: World, call: Call) -> None:
    ids = {kind: file_id(world.send_media(ANN, kind), kind) for kind in FILES}
    items = {kind: {"type": kind, "media": ids[kind]} for kind in FILES}
    for kinds, reason in (
        (["photo"], "2-10 items, not 1"),
        (["photo"] * 11, "2-10 items, not 11"),
        (["document", "photo"], "Document can't be mixed"),
        (["audio", "video"], "Audio can't be mixed"),
        (["photo", "animation"], "not allowed in an album"),
        (["photo", "voice"], "not allowed in an album"),
    ):
        assert reason in call("sendMediaGroup", chat_id=ANN, media=[items[kind] for kind in kinds])
    gone = {"type": "photo", "media": make_file_id("photo", 2, 1)}
    assert call("sendMediaGroup", chat_id=ANN, media=[items["photo"], gone]) == (
        'failed to send message #2 with the error message "wrong file identifier/HTTP URL specified"'
    )
    assert len(call("sendMediaGroup", chat_id=ANN, media=[items["photo"], items["video"]])) == 2


def test_messages_are_copied_without_their_source(world: World, call: Call) -> None:
    photo = world.forward(ANN, world.media("photo"), from_user(), caption="кот")
    ids = {"chat_id": ANN, "from_chat_id": ANN}
    copy = world.messages[ANN][call("copyMessage", **ids, message_id=photo["message_id"])["message_id"]]
    assert (copy["photo"], copy["caption"], "forward_origin" in copy) == (photo["photo"], "кот", False)
    other = call("copyMessage", **ids, message_id=photo["message_id"], caption="пёс")
    assert world.messages[ANN][other["message_id"]]["caption"] == "пёс"
    assert call("copyMessage", **ids, message_id=999) == "message to copy not found"
    album = world.send_album(ANN, [world.media("photo") for _ in range(3)])
    copies = call("copyMessages", **ids, message_ids=[message["message_id"] for message in album])
    groups = {world.messages[ANN][copy["message_id"]]["media_group_id"] for copy in copies}
    assert len(copies) == 3
    assert len(groups) == 1
    assert groups != {album[0]["media_group_id"]}


def test_captions_and_entities_are_checked(world: World, call: Call) -> None:
    known = file_id(world.send_media(ANN, "photo"), "photo")
    assert call("sendPhoto", chat_id=ANN, photo=known, caption="я" * 1025) == "message caption is too long"
    assert len(call("sendPhoto", chat_id=ANN, photo=known, caption="я" * 1024)["caption"]) == 1024
    for entity, reason in (
        ({"type": "bold", "offset": 0, "length": 9}, "entity beginning at UTF-16 offset 0 ends after the end"),
        ({"type": "bold", "offset": 9, "length": 1}, "entity begins after the end of the text"),
        ({"type": "bold", "offset": 1, "length": 1}, "entity begins in a middle of a UTF-16 symbol"),
        ({"type": "bold", "offset": 0, "length": 1}, "entity ends in a middle of a UTF-16 symbol"),
        ({"type": "sparkle", "offset": 0, "length": 2}, "can't parse MessageEntity: Unsupported type specified"),
        ({"type": "text_link", "offset": 0, "length": 2}, "can't parse MessageEntity: Can't find field \"url\""),
        ({"type": "bold", "length": 2}, "can't parse MessageEntity: Can't find field \"offset\""),
    ):
        assert reason in call("sendMessage", chat_id=ANN, text="😀да", entities=[entity])
        assert reason in call("sendPhoto", chat_id=ANN, photo=known, caption="😀да", caption_entities=[entity])
    bold = [{"type": "bold", "offset": 2, "length": 2}]
    assert "not both" in call("sendMessage", chat_id=ANN, text="😀да", entities=bold, parse_mode="HTML")
    assert call("sendMessage", chat_id=ANN, text="😀да", entities=bold)["entities"] == bold


def test_reactions_copy_buttons_and_forced_replies(world: World, call: Call) -> None:
    message_id = world.say(ANN, "раз")["message_id"]
    react = {"chat_id": ANN, "message_id": message_id}
    assert call("setMessageReaction", **react, reaction=[{"type": "emoji", "emoji": "👍"}]) is True
    assert world.reactions[ANN, message_id] == [{"type": "emoji", "emoji": "👍"}]
    assert call("setMessageReaction", **react, reaction=[{"type": "emoji", "emoji": "🥕"}]) == "REACTION_INVALID"
    assert call("setMessageReaction", chat_id=ANN, message_id=99, reaction=[]) == "message to react not found"
    for size, is_accepted in ((1, True), (256, True), (257, False), (0, False)):
        button = {"text": "копия", "copy_text": {"text": "я" * size}}
        sent = call("sendMessage", chat_id=ANN, text="раз", reply_markup={"inline_keyboard": [[button]]})
        assert isinstance(sent, dict) is is_accepted
    markup = {"force_reply": True, "input_field_placeholder": "Текст"}
    assert "reply_markup" not in call("sendMessage", chat_id=ANN, text="раз", reply_markup=markup)
    assert world.events[-1]["force_reply"] == markup
