"""The values that handlers receive: messages and button taps, already validated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from config import Settings
from entities import Entity, FormattedText


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A photo, a file, a place, … in a message; the fields are those of the table attachments."""

    kind: str
    file_id: str = ""  # "" without a file: a location, a venue, a contact
    file_unique_id: str = ""
    file_name: str | None = None
    mime_type: str | None = None
    file_size: int | None = None  # bytes
    duration_s: int | None = None
    width: int | None = None
    height: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)  # what only one kind has


@dataclass(frozen=True)
class ForwardSource:
    """Where a forwarded message comes from."""

    name: str
    url: str | None  # a link to the post or the profile, if it has a public one
    sent_at: int  # Unix seconds


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a message holds, apart from who sent it, where and when."""

    text: str = ""  # the text or the caption; "" without either
    entities: Sequence[Entity] = ()  # of the text
    attachments: Sequence[Attachment] = ()
    source: ForwardSource | None = None  # of a forward
    unsupported: str = ""  # the kind of content that the bot cannot keep: "poll", "game", …

    @property
    def document(self) -> Attachment | None:
        """The file that is neither a photo nor something to play."""
        return next((attachment for attachment in self.attachments if attachment.kind == "document"), None)


@dataclass(frozen=True, kw_only=True)
class RepliedMessage(Content):
    """The message that a message replies to."""

    chat_id: int
    message_id: int
    sent_at: int  # Unix seconds
    is_bot: bool  # the bot's own, or that of another bot


@dataclass(frozen=True, kw_only=True)
class Message(Content):
    """A message from a person, new or edited."""

    user_id: int
    is_anonymous: bool = False  # sent by a group or a channel: user_id is the same for everybody
    chat_id: int
    thread_id: int | None = None  # the topic of the chat; None outside of topics
    message_id: int
    sent_at: int  # Unix seconds; an edit does not change it
    is_private: bool  # sent in a private chat, not in a group
    is_forwarded: bool = False
    replied_to_message_id: int | None = None
    replied_to_username: str = ""  # the author of the message replied to; "" if unknown
    replied_to: RepliedMessage | None = None
    has_media: bool = False  # a photo, contact, poll, …: neither a text nor a report of an event
    media_group_id: str = ""  # messages of one album share it
    is_further_part: bool = False  # of an album whose other messages have got the reply
    settings: Settings

    def formatted(self, text: str) -> FormattedText:
        """Return the text after a command with its formatting."""
        return FormattedText(self.text, self.entities).ending(text)


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
