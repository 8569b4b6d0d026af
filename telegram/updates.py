"""Parse and validate the updates that Telegram sends. The types of the telebot library stay in this module.

The library parses strictly: one field that it does not know can make the whole update unreadable. So a message to
which an update only refers (the message replied to, the message with a tapped button) is first reduced to the
fields that the bot needs.
"""

import logging
import re
from dataclasses import dataclass
from typing import Any

from telebot import types

from config import Settings
from telegram.messages import CallbackQuery, Document, Message
from telegram.transport import TelegramError
from unicode_text import storable

log = logging.getLogger(__name__)

ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "stopped_message_generation"]
MEDIA_TYPES = frozenset(["photo", "document", "video", "animation", "audio", "voice", "video_note", "sticker"])
REFERENCE_FIELDS = ("message_id", "date", "chat", "from")  # kept of a message that an update refers to
MAX_INTEGER = 2**63 - 1  # the largest that SQLite can store
MAX_DATE = 2**32 - 1  # Unix seconds, in the year 2106

# The beginning of a response to getUpdates with the id of its first update. Only this exact position counts: an id
# found elsewhere, for example in a person's text, would confirm updates that the bot has not handled.
FIRST_UPDATE_ID = re.compile(
    rb'\s*\{\s*"ok"\s*:\s*true\s*,\s*"result"\s*:\s*\[\s*\{\s*"update_id"\s*:\s*([0-9]{1,18})\s*[,}]'
)

RawUpdate = dict[str, Any]  # an update as parsed from JSON


@dataclass(frozen=True)
class OrphanedQuery:
    """A tap on a button whose message is no longer available: it needs an answer, but has no effect."""

    query_id: str
    user_id: int


@dataclass(frozen=True)
class StopRequest:
    """A tap on Stop under a draft."""

    chat_id: int
    draft_id: int


@dataclass(frozen=True)
class Update:
    """An update: at most one of the optional fields is set. If none is, there is nothing to handle."""

    update_id: int
    message: Message | None = None
    edited_message: Message | None = None
    callback_query: CallbackQuery | None = None
    orphaned_query: OrphanedQuery | None = None
    stop_request: StopRequest | None = None

    @property
    def chat_id(self) -> int | None:
        """The chat in which to report a failure; None if there is nobody to tell."""
        source = self.message or self.edited_message or self.callback_query
        if source:
            return source.chat_id
        return self.orphaned_query.user_id if self.orphaned_query else None


def updates_by_id(raw_updates: Any) -> dict[int, RawUpdate]:
    """Return the updates of a getUpdates result by id; TelegramError if none of them has an id.

    Updates without a valid id are dropped: the id of a later update confirms them, too.
    """
    entries = raw_updates if isinstance(raw_updates, list) else [raw_updates]
    valid = [entry for entry in entries if isinstance(entry, dict) and _is_update_id(entry.get("update_id"))]
    if len(valid) < len(entries):
        log.error("%d of %d updates have no id and are dropped", len(entries) - len(valid), len(entries))
    if entries and not valid:
        raise TelegramError(502, "no update has an id")
    return {update["update_id"]: update for update in valid}


def first_update_id(body: bytes) -> int | None:
    """Return the id of the first update in a getUpdates response that is not valid JSON."""
    match = FIRST_UPDATE_ID.match(body)
    return int(match[1]) if match else None


def parse_update(raw: RawUpdate, settings: Settings) -> Update:
    """Return an update in the bot's own types; any exception means that the update is unreadable."""
    update_id = raw["update_id"]
    if raw.get("message") is not None:
        return Update(update_id, message=_parse_message(raw["message"], settings))
    if raw.get("edited_message") is not None:
        return Update(update_id, edited_message=_parse_message(raw["edited_message"], settings))
    if raw.get("callback_query") is not None:
        query = _parse_callback_query(raw["callback_query"], settings)
        if isinstance(query, OrphanedQuery):
            return Update(update_id, orphaned_query=query)
        return Update(update_id, callback_query=query)
    if raw.get("stopped_message_generation") is not None:
        return Update(update_id, stop_request=_parse_stop_request(raw["stopped_message_generation"]))
    return Update(update_id)


def _parse_message(raw: dict[str, Any], settings: Settings) -> Message | None:
    """Return a message; None if it has no sender, as no person wrote it then."""
    parsed: Any = types.Message.de_json(_reduce_reference(raw, "reply_to_message"))  # type: ignore[no-untyped-call]
    message_id, sent_at = _check_integer(parsed.message_id), _check_date(parsed.date)
    chat_id = _check_integer(parsed.chat.id)
    if parsed.from_user is None:
        return None
    replied_to = parsed.reply_to_message
    replied_to_user = replied_to.from_user if replied_to else None
    document = parsed.document
    return Message(
        user_id=_check_integer(parsed.from_user.id),
        chat_id=chat_id,
        message_id=message_id,
        sent_at=sent_at,
        text=storable(_check_text(parsed.text) or _check_text(parsed.caption)),
        is_private=parsed.chat.type == "private",
        is_forwarded=parsed.forward_origin is not None,
        replied_to_message_id=_check_integer(replied_to.message_id) if replied_to else None,
        replied_to_username=_check_text(replied_to_user.username) if replied_to_user else "",
        document=_parse_document(document) if document else None,
        has_media=parsed.content_type in MEDIA_TYPES,
        media_group_id=_check_text(parsed.media_group_id),
        settings=settings,
    )


def _parse_document(parsed: types.Document) -> Document:
    file_size = 0 if parsed.file_size is None else _check_integer(parsed.file_size)
    return Document(_check_text(parsed.file_id), file_size)


def _parse_callback_query(raw: dict[str, Any], settings: Settings) -> CallbackQuery | OrphanedQuery:
    parsed: Any = types.CallbackQuery.de_json(_reduce_reference(raw, "message"))  # type: ignore[no-untyped-call]
    query_id, user_id = _check_text(parsed.id), _check_integer(parsed.from_user.id)
    message = parsed.message
    if message is None:
        return OrphanedQuery(query_id, user_id)
    _check_date(message.date)
    return CallbackQuery(
        query_id=query_id,
        user_id=user_id,
        chat_id=_check_integer(message.chat.id),
        message_id=_check_integer(message.message_id),
        data=_check_text(parsed.data),
        is_private=message.chat.type == "private",
        settings=settings,
    )


def _parse_stop_request(raw: dict[str, Any]) -> StopRequest:
    return StopRequest(_check_integer(raw["chat"]["id"]), _check_integer(raw["draft_id"]))


def _reduce_reference(raw: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an object whose field `name`, a message, has only the fields that the bot needs."""
    referred = raw.get(name)
    if not isinstance(referred, dict):
        return raw
    reduced = {field: referred[field] for field in REFERENCE_FIELDS if field in referred}
    return {**raw, name: reduced}


def _is_update_id(value: Any) -> bool:
    # A negative offset would make Telegram drop the updates that wait.
    return type(value) is int and 0 <= value <= MAX_INTEGER


def _check_integer(value: Any) -> int:
    """Return an id or a size; ValueError if SQLite could not store it."""
    if type(value) is not int or abs(value) > MAX_INTEGER:
        raise ValueError("not an integer of 64 bits")
    return value


def _check_date(value: Any) -> int:
    """Return a time in Unix seconds; ValueError if it is not a date."""
    if type(value) is not int or not 0 <= value <= MAX_DATE:
        raise ValueError("not a date")
    return value


def _check_text(value: Any) -> str:
    """Return a text, "" for None; ValueError for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value
