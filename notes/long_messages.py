"""Long messages: a client splits a text of more than 4096 characters into several messages that arrive together.

The first part becomes a note or a plain text, and the others continue it.
"""

from itertools import pairwise

import db
import db_messages
import entities
from entities import FormattedText
from telegram.limits import MAX_MESSAGE_LENGTH
from unicode_text import utf16_length

# A client cuts at the end of a paragraph, a sentence or a word, so a part may be much shorter than the limit.
MIN_FULL_LENGTH = 3000  # UTF-16 units of every part but the last
MAX_GAP_S = 2  # between two parts
SENTENCE_ENDS = (".", "!", "?", ":", ";", "…", "»", ")")


def start(
    user_id: int, chat_id: int, message_id: int, message_text: str, text: FormattedText, sent_at: int
) -> None:
    """Remember a message that may be the first part of a long one; `text` is what was stored of it."""
    length = utf16_length(message_text)
    if length >= MIN_FULL_LENGTH:
        db_messages.put_message_part(
            {
                "chat_id": chat_id,
                "message_id": message_id,
                "user_id": user_id,
                "first_message_id": message_id,
                "text": text.text,
                "length": length,
                "sent_at": sent_at,
                "entities": entities.dumps(text.entities),
            }
        )


def join(user_id: int, chat_id: int, message_id: int, text: FormattedText, sent_at: int) -> bool:
    """Append a text to the note or the plain text that it continues; return False if it continues none."""
    previous = db_messages.latest_message_part(user_id, chat_id)
    if (
        previous is None
        or previous["length"] < MIN_FULL_LENGTH
        or not 0 <= sent_at - previous["sent_at"] <= MAX_GAP_S
        or message_id <= previous["message_id"]
    ):
        return False
    db_messages.put_message_part(
        {**previous, "message_id": message_id, "sent_at": sent_at, **_columns_of(text)}  # type: ignore[typeddict-item]
    )
    parts = db_messages.list_message_parts(user_id, chat_id, previous["first_message_id"])
    first, whole = parts[0], _join_texts(parts)
    note = db.get_note_by_message(user_id, chat_id, first["message_id"], first["sent_at"])
    if note is not None:
        db.complete_note(note["id"], whole.text, whole.entities)
    db_messages.update_plain_text(user_id, chat_id, first["message_id"], whole.text, whole.entities)
    return True


def replace_part(
    user_id: int, chat_id: int, message_id: int, text: FormattedText, sent_at: int
) -> tuple[int, int, FormattedText]:
    """Return the message of a note after an edit of one of its parts: the id, the time and the whole text."""
    part = db_messages.get_message_part(user_id, chat_id, message_id, sent_at)
    if part is None or part["length"] == 0:
        return message_id, sent_at, text
    db_messages.put_message_part({**part, **_columns_of(text)})  # type: ignore[typeddict-item]
    parts = db_messages.list_message_parts(user_id, chat_id, part["first_message_id"])
    return parts[0]["message_id"], parts[0]["sent_at"], _join_texts(parts)


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
