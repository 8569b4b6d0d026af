"""Parse and validate the updates that Telegram sends.

The updates are read field by field. The types of the telebot library are stricter than Telegram: one value that
they do not know, such as a new kind of forward_origin, would make the whole update unreadable.
"""

import logging
import re
from dataclasses import dataclass
from typing import Any, TypeGuard

from config import Settings
from json_values import MAX_INTEGER, as_dict
from telegram.contents import parse_content, parse_external_reply
from telegram.messages import CallbackQuery, Message, RepliedMessage
from telegram.transport import TelegramError

log = logging.getLogger(__name__)

ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "stopped_message_generation"]

# The users that Telegram names as the sender when a chat has sent the message: an anonymous administrator, a
# channel, and the forwards of a linked channel. Each is the same for everybody.
FAKE_SENDERS = frozenset([1087968824, 136817688, 777000])

# A message with one of these fields reports an event and has no content.
_SERVICE_FIELD_NAMES = """
    new_chat_members left_chat_member chat_owner_left chat_owner_changed new_chat_title new_chat_photo
    delete_chat_photo group_chat_created supergroup_chat_created channel_chat_created
    message_auto_delete_timer_changed migrate_to_chat_id migrate_from_chat_id pinned_message
    successful_payment refunded_payment users_shared chat_shared user_shared gift unique_gift
    gift_upgrade_sent connected_website write_access_allowed passport_data proximity_alert_triggered
    boost_added chat_background_set checklist_tasks_done checklist_tasks_added
    direct_message_price_changed forum_topic_created forum_topic_edited forum_topic_closed
    forum_topic_reopened general_forum_topic_hidden general_forum_topic_unhidden giveaway_created
    giveaway_completed managed_bot_created paid_message_price_changed poll_option_added
    poll_option_deleted suggested_post_approved suggested_post_approval_failed suggested_post_declined
    suggested_post_paid suggested_post_refunded video_chat_scheduled video_chat_started video_chat_ended
    video_chat_participants_invited web_app_data community_chat_added community_chat_removed
    community_chat_joined
"""
SERVICE_FIELDS = frozenset(_SERVICE_FIELD_NAMES.split())

MAX_DATE = 2**32 - 1  # Unix seconds, in the year 2106

# The beginning of a response to getUpdates with the id of its first update. Only this exact position counts: an id
# found elsewhere, for example in a person's text, would confirm updates that the bot has not handled.
FIRST_UPDATE_ID = re.compile(
    rb'\s*\{\s*"ok"\s*:\s*true\s*,\s*"result"\s*:\s*\[\s*\{\s*"update_id"\s*:\s*([0-9]{1,18})\s*[,}]'
)

RawUpdate = dict[str, Any]  # an update, or an object in it, as parsed from JSON


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
class ChatMigration:
    """A group that has become a supergroup and has a new id now."""

    old_chat_id: int
    new_chat_id: int


@dataclass(frozen=True)
class Update:
    """An update: at most one of the optional fields is set. If none is, there is nothing to handle."""

    update_id: int
    message: Message | None = None
    edited_message: Message | None = None
    callback_query: CallbackQuery | None = None
    orphaned_query: OrphanedQuery | None = None
    stop_request: StopRequest | None = None
    chat_migration: ChatMigration | None = None

    @property
    def thread_id(self) -> int | None:
        """The topic in which to report a failure."""
        source = self.message or self.edited_message or self.callback_query
        return source.thread_id if source else None

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
        if migration := _parse_chat_migration(raw["message"]):
            return Update(update_id, chat_migration=migration)
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


def _parse_message(raw: RawUpdate, settings: Settings) -> Message | None:
    """Return a message; None if it has no sender, as no person wrote it then."""
    message_id, sent_at = _check_integer(raw["message_id"]), _check_date(raw["date"])
    chat_id = _check_integer(raw["chat"]["id"])
    if raw.get("from") is None:
        return None
    user_id = _check_integer(raw["from"]["id"])
    _check_text(raw.get("text"))
    _check_text(raw.get("caption"))
    replied_to = as_dict(raw.get("reply_to_message"))
    return Message(
        user_id=user_id,
        is_anonymous=raw.get("sender_chat") is not None or user_id in FAKE_SENDERS,
        chat_id=chat_id,
        thread_id=_parse_thread_id(raw),
        message_id=message_id,
        sent_at=sent_at,
        is_private=raw["chat"].get("type") == "private",
        is_forwarded=raw.get("forward_origin") is not None and not raw.get("is_automatic_forward"),
        replied_to_message_id=_check_integer(replied_to["message_id"]) if replied_to else None,
        replied_to_username=_check_text(as_dict(replied_to.get("from")).get("username")),
        replied_to=_parse_replied_message(raw, chat_id, message_id, sent_at),
        has_media=not (raw.get("text") or SERVICE_FIELDS & raw.keys()),
        media_group_id=_check_text(raw.get("media_group_id")),
        settings=settings,
        **parse_content(raw),
    )


def _parse_replied_message(raw: RawUpdate, chat_id: int, message_id: int, sent_at: int) -> RepliedMessage | None:
    """Return the message replied to. What Telegram tells of one in another chat counts as part of this message."""
    replied_to = as_dict(raw.get("reply_to_message"))
    if replied_to:
        date = replied_to.get("date")
        return RepliedMessage(
            chat_id=chat_id,
            message_id=_check_integer(replied_to["message_id"]),
            sent_at=date if _is_date(date) else 0,
            is_bot=as_dict(replied_to.get("from")).get("is_bot") is True,
            **parse_content(replied_to),
        )
    external = as_dict(raw.get("external_reply"))
    if not external:
        return None
    content = parse_external_reply(external, raw.get("quote"))
    return RepliedMessage(chat_id=chat_id, message_id=message_id, sent_at=sent_at, is_bot=False, **content)


def _parse_thread_id(raw: RawUpdate) -> int | None:
    """Return the topic of a message; None outside of topics, where Telegram accepts no thread of a reply."""
    thread_id = raw.get("message_thread_id")
    return _check_integer(thread_id) if raw.get("is_topic_message") and thread_id is not None else None


def _parse_callback_query(raw: RawUpdate, settings: Settings) -> CallbackQuery | OrphanedQuery:
    query_id, user_id = _check_text(raw["id"]), _check_integer(raw["from"]["id"])
    message = raw.get("message")
    if message is None:
        return OrphanedQuery(query_id, user_id)
    _check_date(message["date"])
    return CallbackQuery(
        query_id=query_id,
        user_id=user_id,
        chat_id=_check_integer(message["chat"]["id"]),
        thread_id=_parse_thread_id(message),
        message_id=_check_integer(message["message_id"]),
        data=_check_text(raw.get("data")),
        is_private=message["chat"].get("type") == "private",
        settings=settings,
    )


def _parse_chat_migration(raw: RawUpdate) -> ChatMigration | None:
    """Return what a service message about an upgrade says: one comes in the old chat, one in the new."""
    if raw.get("migrate_to_chat_id") is not None:
        return ChatMigration(_check_integer(raw["chat"]["id"]), _check_integer(raw["migrate_to_chat_id"]))
    if raw.get("migrate_from_chat_id") is not None:
        return ChatMigration(_check_integer(raw["migrate_from_chat_id"]), _check_integer(raw["chat"]["id"]))
    return None


def _parse_stop_request(raw: RawUpdate) -> StopRequest:
    return StopRequest(_check_integer(raw["chat"]["id"]), _check_integer(raw["draft_id"]))


def _is_update_id(value: Any) -> bool:
    # A negative offset would make Telegram drop the updates that wait.
    return type(value) is int and 0 <= value <= MAX_INTEGER


def _check_integer(value: Any) -> int:
    """Return an id; ValueError if SQLite could not store it."""
    if type(value) is not int or abs(value) > MAX_INTEGER:
        raise ValueError("not an integer of 64 bits")
    return value


def _check_date(value: Any) -> int:
    """Return a time in Unix seconds; ValueError if it is not a date."""
    if not _is_date(value):
        raise ValueError("not a date")
    return value


def _is_date(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= MAX_DATE


def _check_text(value: Any) -> str:
    """Return a text, "" for None; ValueError for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value
