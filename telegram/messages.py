"""The values that handlers receive: messages and button taps, already validated."""

from dataclasses import dataclass

from config import Settings


@dataclass(frozen=True)
class Document:
    """A file attached to a message."""

    file_id: str
    file_size: int  # bytes; 0 if Telegram does not say


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message from a person, new or edited."""

    user_id: int
    is_anonymous: bool = False  # sent by a group or a channel: user_id is the same for everybody
    chat_id: int
    thread_id: int | None = None  # the topic of the chat; None outside of topics
    message_id: int
    sent_at: int  # Unix seconds; an edit does not change it
    text: str  # the text or the caption; "" without either
    is_private: bool  # sent in a private chat, not in a group
    is_forwarded: bool = False
    replied_to_message_id: int | None = None
    replied_to_username: str = ""  # the author of the message replied to; "" if unknown
    document: Document | None = None
    has_media: bool = False  # a photo, contact, poll, …: neither a text nor a report of an event
    media_group_id: str = ""  # messages of one album share it
    settings: Settings


@dataclass(frozen=True, kw_only=True)
class CallbackQuery:
    """A tap on a button."""

    query_id: str
    user_id: int  # the person who tapped
    chat_id: int
    thread_id: int | None = None  # the topic of the chat; None outside of topics
    message_id: int  # the message with the button
    data: str  # the button's data
    is_private: bool
    settings: Settings
