"""telegram.updates: raw updates become validated messages, taps and stops, or are unreadable.

The shapes follow https://core.telegram.org/bots/api#update.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config import Settings
from telegram.messages import Attachment, CallbackQuery, Message
from telegram.transport import TelegramError
from telegram.updates import (
    ChatMigration,
    OrphanedQuery,
    StopRequest,
    Update,
    first_update_id,
    parse_update,
    updates_by_id,
)

ANN, GROUP = 1, -100500
NOW = 1_700_000_000
SETTINGS = Settings(
    token="1:x",
    telegram_api_url="https://api.telegram.org",
    telegram_proxy=None,
    db_path=Path("notes.db"),
    log_level="INFO",
    plain_text="note",
    timezone=None,
    allowed_user_ids=frozenset(),
    admin_user_ids=frozenset(),
    max_notes=1,
    questions_kept_days=1,
    health_address=None,
    questions_per_day=1,
    free_requests_per_minute=1,
    free_requests_per_day=1,
    allow_paid_models=False,
    transcribe_model=None,
)

USER = {"id": ANN, "is_bot": False, "first_name": "Анна"}
BOT = {"id": 100, "is_bot": True, "first_name": "Заметки", "username": "Our_Bot"}
PRIVATE_CHAT = {"id": ANN, "type": "private"}
GROUP_CHAT = {"id": GROUP, "type": "supergroup", "title": "Общий чат"}
MESSAGE = {"message_id": 7, "date": NOW, "chat": PRIVATE_CHAT, "from": USER, "text": "раз"}
OLD_MESSAGE = {"message_id": 4, "date": NOW, "chat": PRIVATE_CHAT, "from": BOT, "text": "ответ"}
QUERY = {"id": "99", "from": USER, "message": OLD_MESSAGE, "chat_instance": "1", "data": "keep:1"}
PHOTO = [{"file_id": "1", "file_unique_id": "1", "width": 1, "height": 1}]


def without(raw: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if key != name}


def parse(**kinds: Any) -> Update:
    return parse_update({"update_id": 5, **kinds}, SETTINGS)


def parse_message(**fields: Any) -> Message:
    message = parse(message={**MESSAGE, **fields}).message
    assert message
    return message


def is_unreadable(**kinds: Any) -> bool:
    try:
        parse(**kinds)
    except Exception:
        return True
    return False


# Messages


def test_a_private_message() -> None:
    expected = Message(
        user_id=ANN,
        chat_id=ANN,
        message_id=7,
        sent_at=NOW,
        text="раз",
        is_private=True,
        is_forwarded=False,
        replied_to_message_id=None,
        replied_to_username="",
        has_media=False,
        media_group_id="",
        settings=SETTINGS,
    )
    assert parse(message=MESSAGE) == Update(5, message=expected)
    assert parse(edited_message=MESSAGE) == Update(5, edited_message=expected)


def test_a_message_in_a_group() -> None:
    message = parse_message(chat=GROUP_CHAT)
    assert (message.chat_id, message.user_id, message.is_private) == (GROUP, ANN, False)


def test_a_reply() -> None:
    message = parse_message(reply_to_message=OLD_MESSAGE)
    assert (message.replied_to_message_id, message.replied_to_username) == (4, "Our_Bot")
    message = parse_message(reply_to_message={**OLD_MESSAGE, "from": USER})
    assert (message.replied_to_message_id, message.replied_to_username) == (4, "")
    message = parse_message(reply_to_message=without(OLD_MESSAGE, "from"))
    assert (message.replied_to_message_id, message.replied_to_username) == (4, "")


def test_a_forwarded_message() -> None:
    origin = {"type": "hidden_user", "sender_user_name": "Боб", "date": NOW}
    assert parse_message(forward_origin=origin).is_forwarded


def test_a_document_with_a_caption() -> None:
    document = {"file_id": "f", "file_unique_id": "u", "file_name": "notes.json", "file_size": 12}
    message = parse(message={**without(MESSAGE, "text"), "document": document, "caption": "/note_import"}).message
    assert message
    attached = Attachment(kind="document", file_id="f", file_unique_id="u", file_name="notes.json", file_size=12)
    assert (message.document, message.text, message.has_media) == (attached, "/note_import", True)
    assert parse_message(document=without(document, "file_size")).document == replace(attached, file_size=None)
    assert parse_message(document=without(document, "file_id")).document is None


def test_an_album_without_captions() -> None:
    message = parse(message={**without(MESSAGE, "text"), "photo": PHOTO, "media_group_id": "3"}).message
    assert message
    assert (message.text, message.has_media, message.media_group_id, message.document) == ("", True, "3", None)


def test_a_service_message_has_neither_text_nor_media() -> None:
    message = parse(message={**without(MESSAGE, "text"), "left_chat_member": USER}).message
    assert message
    assert (message.text, message.has_media) == ("", False)


@pytest.mark.parametrize("character", ["\ud83d", "\0"])
def test_text_that_cannot_be_stored_is_repaired(character: str) -> None:
    assert parse_message(text=f"не{character}что").text == "не\ufffdчто"


def test_a_message_without_a_sender_is_not_handled() -> None:
    channel = {"id": GROUP, "type": "channel", "title": "Канал"}
    assert parse(message=without({**MESSAGE, "sender_chat": channel}, "from")) == Update(5)


def test_other_kinds_of_updates_are_not_handled() -> None:
    assert parse(a_kind_of_the_future={"id": 1}) == parse() == Update(5)


# Taps and stops


def test_a_tap_on_a_button() -> None:
    expected = CallbackQuery(
        query_id="99", user_id=ANN, chat_id=ANN, message_id=4, data="keep:1", is_private=True, settings=SETTINGS
    )
    assert parse(callback_query=QUERY) == Update(5, callback_query=expected)


def test_a_tap_on_a_button_of_an_old_message() -> None:
    inaccessible = {"message_id": 4, "date": 0, "chat": GROUP_CHAT}
    query = parse(callback_query={**QUERY, "message": inaccessible}).callback_query
    assert query
    assert (query.chat_id, query.message_id, query.is_private) == (GROUP, 4, False)


def test_a_tap_without_data() -> None:
    query = parse(callback_query=without(QUERY, "data")).callback_query
    assert query
    assert query.data == ""


def test_a_tap_without_a_message_can_still_be_answered() -> None:
    assert parse(callback_query=without(QUERY, "message")) == Update(5, orphaned_query=OrphanedQuery("99", ANN))


def test_a_stop_request() -> None:
    assert parse(stopped_message_generation={"chat": PRIVATE_CHAT, "draft_id": 3}) == Update(
        5, stop_request=StopRequest(ANN, 3)
    )


def test_where_a_failure_is_reported() -> None:
    assert parse(message={**MESSAGE, "chat": GROUP_CHAT}).chat_id == GROUP
    assert parse(edited_message={**MESSAGE, "chat": GROUP_CHAT}).chat_id == GROUP
    assert parse(callback_query={**QUERY, "message": {**OLD_MESSAGE, "chat": GROUP_CHAT}}).chat_id == GROUP
    assert parse(callback_query=without(QUERY, "message")).chat_id == ANN
    assert parse(stopped_message_generation={"chat": PRIVATE_CHAT, "draft_id": 3}).chat_id is None


# What a future version of the Bot API may send

UNKNOWN = {"field_of_the_future": {"a": [1]}, "entities": [{"type": "unknown"}], "sticker": {"file_id": "1"}}


def test_unknown_fields_of_what_an_update_refers_to_do_no_harm() -> None:
    message = parse_message(reply_to_message={**OLD_MESSAGE, **UNKNOWN})
    assert message.replied_to_message_id == 4
    query = parse(callback_query={**QUERY, "message": {**OLD_MESSAGE, **UNKNOWN}}).callback_query
    assert query
    assert query.message_id == 4
    stopped = {"chat": {**PRIVATE_CHAT, **UNKNOWN}, "draft_id": 3, **UNKNOWN}
    assert parse(stopped_message_generation=stopped).stop_request == StopRequest(ANN, 3)


def test_an_unknown_kind_of_forward_drops_no_message() -> None:
    message = parse_message(forward_origin={"type": "of_the_future"}, reply_to_message=[], entities=[{"type": 1}])
    assert (message.text, message.is_forwarded) == ("раз", True)


# Senders, topics, groups


def test_a_chat_as_the_sender() -> None:
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    assert parse_message(**{"from": anonymous}, sender_chat=GROUP_CHAT).is_anonymous
    assert parse_message(**{"from": anonymous}).is_anonymous
    assert not parse_message().is_anonymous


def test_the_topic_of_a_message_and_of_a_button() -> None:
    topic = {"message_thread_id": 12, "is_topic_message": True}
    assert parse_message(chat=GROUP_CHAT, **topic).thread_id == 12
    assert parse_message(chat=GROUP_CHAT, message_thread_id=12).thread_id is None
    query = parse(callback_query={**QUERY, "message": {**OLD_MESSAGE, **topic}}).callback_query
    assert query
    assert query.thread_id == 12


def test_a_group_that_becomes_a_supergroup() -> None:
    new_chat = {**GROUP_CHAT, "id": -1001}
    migration = ChatMigration(GROUP, -1001)
    old_message = {**without(MESSAGE, "text"), "chat": GROUP_CHAT, "migrate_to_chat_id": -1001}
    new_message = {**without(MESSAGE, "text"), "chat": new_chat, "migrate_from_chat_id": GROUP}
    assert parse(message=old_message) == parse(message=new_message) == Update(5, chat_migration=migration)


# Unreadable updates

WRONG_NUMBERS: list[Any] = [2**63, -(2**64), 10**30, 1.0, "7", True, None]


@pytest.mark.parametrize("number", WRONG_NUMBERS, ids=str)
@pytest.mark.parametrize("field", ["from", "chat", "message_id", "date"])
def test_a_number_that_cannot_be_stored_makes_an_update_unreadable(field: str, number: Any) -> None:
    value = MESSAGE[field]
    message = {**MESSAGE, field: {**value, "id": number} if isinstance(value, dict) else number}
    query_of_wrong_sender = {**QUERY, "from": {**USER, "id": number}}
    for kinds in (
        {"message": message},
        {"edited_message": message},
        {"callback_query": query_of_wrong_sender if field == "from" else {**QUERY, "message": message}},
        {"stopped_message_generation": {"chat": {**PRIVATE_CHAT, "id": number}, "draft_id": 3}},
        {"stopped_message_generation": {"chat": PRIVATE_CHAT, "draft_id": number}},
    ):
        assert is_unreadable(**kinds)


@pytest.mark.parametrize("date", [-1, 2**32])
def test_a_date_outside_of_the_calendar_makes_an_update_unreadable(date: int) -> None:
    with pytest.raises(ValueError, match="not a date"):
        parse_message(date=date)


@pytest.mark.parametrize("value", [5, ["раз"], {"a": 1}])
def test_a_text_that_is_none_makes_an_update_unreadable(value: Any) -> None:
    for kinds in ({"message": {**MESSAGE, "text": value}}, {"callback_query": {**QUERY, "data": value}}):
        assert is_unreadable(**kinds)


# Ids of updates


@pytest.mark.parametrize("wrong_id", [None, "5", "", -1, 2**63, 1.5, True, [], {}], ids=str)
def test_updates_without_a_valid_id_are_dropped(wrong_id: Any, caplog: pytest.LogCaptureFixture) -> None:
    good = {"update_id": 7}
    assert updates_by_id([{"update_id": wrong_id}, good, {}, None, "?"]) == {7: good}
    assert "4 of 5 updates have no id" in caplog.text
    with pytest.raises(TelegramError, match="no update has an id"):
        updates_by_id([{"update_id": wrong_id}])


def test_no_updates() -> None:
    assert updates_by_id([]) == {}


@pytest.mark.parametrize(
    ("body", "update_id"),
    [
        (b'{"ok":true,"result":[{"update_id":5,"message":[[[', 5),
        (b' {"ok" : true , "result" : [ { "update_id" : 5 }', 5),
        (b'{"ok":true,"result":[{"message":"\\"update_id\\": 5,"', None),
        (b'{"ok":true,"result":[{"message":{"update_id":5}', None),
        (b'{"ok":true,"result":[{"update_id":"5"', None),
        (b'not json {"ok":true,"result":[{"update_id":5,', None),
        (b'{"ok":true,"result":[{"update_id":5', None),
        (b'{"ok":true,"result":[{"update_id":' + b"9" * 19 + b",", None),
        (b"", None),
    ],
)
def test_the_first_id_of_an_unreadable_response(body: bytes, update_id: int | None) -> None:
    assert first_update_id(body) == update_id
