"""What the next messages and taps of a person refer to: lists with pages, texts without a command, long messages.

Each function runs in the open transaction of its thread, or in one of its own.
"""

import json
from collections.abc import Sequence
from typing import Any, TypedDict

import clock
import entities
import storage
from entities import Entity


class Listing(TypedDict):
    """A list or a search that has pages; see the table for the columns."""

    id: int
    user_id: int
    query: str
    page_size: int
    created_at: int
    since: int | None
    until: int | None


class PlainText(TypedDict):
    """A message without a command; see the table for the columns."""

    id: int
    user_id: int
    chat_id: int
    message_id: int
    text: str
    is_asked: int
    sent_at: int
    entities: str  # JSON, see entities.loads()
    source: Any  # a db_attachments.Source; None if the message was not forwarded


class MessagePart(TypedDict):
    """A part of a long message; see the table for the columns."""

    chat_id: int
    message_id: int
    user_id: int
    first_message_id: int
    text: str
    length: int
    sent_at: int
    entities: str  # JSON, see entities.loads()
    note_id: int | None


def add_listing(user_id: int, query: str, page_size: int, period: tuple[int, int] | None = None) -> int:
    """Store a list ("" as the query) or a search that has pages; return its id.

    A period is its start and its end in Unix seconds.
    """
    since, until = period or (None, None)
    cursor = storage.execute(
        "INSERT INTO listings (user_id, query, page_size, created_at, since, until) VALUES (?,?,?,?,?,?)",
        (user_id, query, page_size, clock.now(), since, until),
    )
    return int(cursor.lastrowid or 0)


def get_listing(user_id: int, listing_id: int) -> Listing | None:
    """Return a list or a search that has pages."""
    return storage.fetch_one("SELECT * FROM listings WHERE id = ? AND user_id = ?", (listing_id, user_id))


def add_deletion(user_id: int, numbers: Sequence[int]) -> int:
    """Record notes that were deleted together; return the id."""
    cursor = storage.execute(
        "INSERT INTO deletions (user_id, numbers, created_at) VALUES (?,?,?)",
        (user_id, json.dumps(list(numbers)), clock.now()),
    )
    return int(cursor.lastrowid or 0)


def get_deletion(user_id: int, deletion_id: int) -> list[int]:
    """Return the numbers of notes that were deleted together; [] if there is no such record."""
    row = storage.fetch_one("SELECT numbers FROM deletions WHERE id = ? AND user_id = ?", (deletion_id, user_id))
    return list(json.loads(row["numbers"])) if row else []


def add_plain_text(
    user_id: int,
    chat_id: int,
    message_id: int,
    text: str,
    sent_at: int,
    text_entities: Sequence[Entity] = (),
    source: Any = None,
) -> int:
    """Store the text of a message without a command; return its id. source is a db_attachments.Source or None."""
    cursor = storage.execute(
        "INSERT OR REPLACE INTO plain_texts (user_id, chat_id, message_id, text, sent_at, entities, source)"
        " VALUES (?,?,?,?,?,?,?)",
        (
            *(user_id, chat_id, message_id, text, sent_at, entities.dumps(text_entities)),
            json.dumps(source, ensure_ascii=False) if source else None,
        ),
    )
    return int(cursor.lastrowid or 0)


def update_plain_text(
    user_id: int, chat_id: int, message_id: int, text: str, text_entities: Sequence[Entity] = ()
) -> None:
    """Replace a plain text after its message was edited."""
    storage.execute(
        "UPDATE plain_texts SET text = ?, entities = ? WHERE chat_id = ? AND message_id = ? AND user_id = ?",
        (text, entities.dumps(text_entities), chat_id, message_id, user_id),
    )


def get_plain_text(user_id: int, text_id: int) -> PlainText | None:
    """Return a plain text."""
    row: PlainText | None = storage.fetch_one(
        "SELECT * FROM plain_texts WHERE id = ? AND user_id = ?", (text_id, user_id)
    )
    if row is not None and row["source"] is not None:
        row["source"] = json.loads(row["source"])
    return row


def mark_plain_text_asked(text_id: int) -> None:
    """Record that a plain text was sent to a model as a question."""
    storage.execute("UPDATE plain_texts SET is_asked = 1 WHERE id = ?", (text_id,))


# Long messages -------------------------------------------------------------------------------------------


def put_message_part(part: MessagePart) -> None:
    """Store a part of a long message, or replace it."""
    storage.execute(
        "INSERT OR REPLACE INTO message_parts (chat_id, message_id, user_id, first_message_id, text, length,"
        " sent_at, entities, note_id) VALUES (:chat_id, :message_id, :user_id, :first_message_id, :text, :length,"
        " :sent_at, :entities, :note_id)",
        part,
    )


def latest_message_part(user_id: int, chat_id: int) -> MessagePart | None:
    """Return the part that a person has sent last in a chat."""
    return storage.fetch_one(
        "SELECT * FROM message_parts WHERE user_id = ? AND chat_id = ?"
        " ORDER BY sent_at DESC, message_id DESC LIMIT 1",
        (user_id, chat_id),
    )


def get_message_part(user_id: int, chat_id: int, message_id: int, sent_at: int) -> MessagePart | None:
    """Return a part of a long message."""
    return storage.fetch_one(
        "SELECT * FROM message_parts WHERE user_id = ? AND chat_id = ? AND message_id = ? AND sent_at = ?",
        (user_id, chat_id, message_id, sent_at),
    )


def list_message_parts(user_id: int, chat_id: int, first_message_id: int) -> list[MessagePart]:
    """Return all parts of a long message in their order."""
    return storage.fetch_all(
        "SELECT * FROM message_parts WHERE user_id = ? AND chat_id = ? AND first_message_id = ?"
        " ORDER BY message_id",
        (user_id, chat_id, first_message_id),
    )
