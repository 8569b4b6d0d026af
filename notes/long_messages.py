"""Long messages: a client splits a text of more than 4096 characters into several messages that arrive together.

The first part becomes a note, a plain text or a question, or it changes a note; the others continue it.
"""

from itertools import pairwise
from typing import NamedTuple

import db
import db_messages
import entities
from entities import FormattedText
from notes.editing import MAX_LENGTH
from telegram.limits import MAX_MESSAGE_LENGTH
from telegram.messages import Message
from unicode_text import utf16_length

# A client cuts at the end of a paragraph, a sentence or a word, so a part may be much shorter than the limit.
MIN_FULL_LENGTH = 3000  # UTF-16 units of every part but the last
MAX_GAP_S = 2  # between two parts
SENTENCE_ENDS = (".", "!", "?", ":", ";", "…", "»", ")")


class JoinedText(NamedTuple):
    """The text of a message, or of all the messages that a long text was sent as."""

    message_id: int  # of the first message
    sent_at: int  # of the first message; Unix seconds
    text: FormattedText


def may_go_on(message: Message) -> bool:
    """Return whether a message may be the first part of a long one."""
    return utf16_length(message.text) >= MIN_FULL_LENGTH


def start(message: Message, text: FormattedText, note_id: int | None = None) -> None:
    """Remember a message if it may be the first part of a long one.

    `text` is what was stored of it. note_id is the note that it has changed, whose whole text is then `text`.
    """
    if may_go_on(message):
        db_messages.put_message_part(
            {
                "chat_id": message.chat_id,
                "message_id": message.message_id,
                "user_id": message.user_id,
                "first_message_id": message.message_id,
                "text": text.text,
                "length": utf16_length(message.text),
                "sent_at": message.sent_at,
                "entities": entities.dumps(text.entities),
                "note_id": note_id,
            }
        )


def join(message: Message) -> JoinedText | None:
    """Append a text to the note or the plain text that it continues; return None if it continues nothing.

    A text that would make a note too long does not continue it.
    """
    user_id, chat_id = message.user_id, message.chat_id
    previous = db_messages.latest_message_part(user_id, chat_id)
    if (
        previous is None
        or previous["length"] < MIN_FULL_LENGTH
        or not 0 <= message.sent_at - previous["sent_at"] <= MAX_GAP_S
        or message.message_id <= previous["message_id"]
    ):
        return None
    columns = _columns_of(message.formatted(message.text))
    part: db_messages.MessagePart = {
        **previous,
        "message_id": message.message_id,
        "sent_at": message.sent_at,
        **columns,  # type: ignore[typeddict-item]
    }
    parts = [*db_messages.list_message_parts(user_id, chat_id, previous["first_message_id"]), part]
    first, whole = parts[0], _join_texts(parts)
    if len(whole.text) > MAX_LENGTH:
        return None
    db_messages.put_message_part(part)
    if first["note_id"] is not None:
        note = db.get_note_by_id(user_id, first["note_id"])
    else:
        note = db.get_note_by_message(user_id, chat_id, first["message_id"], first["sent_at"])
    if note is not None:
        db.complete_note(note["id"], whole.text, whole.entities)
    db_messages.update_plain_text(user_id, chat_id, first["message_id"], whole.text, whole.entities)
    return JoinedText(first["message_id"], first["sent_at"], whole)


def replace_part(message: Message, text: FormattedText) -> JoinedText:
    """Return the text that a message is a part of after an edit of the message."""
    part = db_messages.get_message_part(message.user_id, message.chat_id, message.message_id, message.sent_at)
    if part is None or part["length"] == 0:
        return JoinedText(message.message_id, message.sent_at, text)
    db_messages.put_message_part({**part, **_columns_of(text)})  # type: ignore[typeddict-item]
    parts = db_messages.list_message_parts(message.user_id, message.chat_id, part["first_message_id"])
    return JoinedText(parts[0]["message_id"], parts[0]["sent_at"], _join_texts(parts))


def _columns_of(text: FormattedText) -> dict[str, str | int]:
    return {"text": text.text, "length": utf16_length(text.text), "entities": entities.dumps(text.entities)}


def _join_texts(parts: list[db_messages.MessagePart]) -> FormattedText:
    whole = _formatted(parts[0])
    for part, following in pairwise(parts):
        whole = whole + FormattedText(_separator(part)) + _formatted(following)
    return whole


def _formatted(part: db_messages.MessagePart) -> FormattedText:
    return FormattedText(part["text"], entities.loads(part["entities"]))


def _separator(part: db_messages.MessagePart) -> str:
    """Return what the client has most likely removed between a part and the next one.

    A part of the full length was cut in the middle of a word. Otherwise it was cut at white space.
    """
    if part["length"] >= MAX_MESSAGE_LENGTH - 1:  # a surrogate pair is not cut
        return ""
    return "\n" if part["text"].endswith(SENTENCE_ENDS) else " "
