"""What the bot has asked people for: the next message of a person completes a command.

Each function runs in the open transaction of its thread, or in one of its own.
"""

from typing import TypedDict

import storage

ANSWER_WITHIN_S = 600  # a message that comes later is no answer


class AwaitedText(TypedDict):
    """A command that waits for a text; see the table awaited_texts for the columns."""

    command: str
    text_before: str
    asked_at: int


def await_text(
    chat_id: int, thread_id: int | None, user_id: int, command: str, text_before: str, asked_at: int
) -> None:
    """Record that the next message of a person completes a command, instead of an earlier one."""
    storage.execute(
        "INSERT OR REPLACE INTO awaited_texts (chat_id, thread_id, user_id, command, text_before, asked_at)"
        " VALUES (?,?,?,?,?,?)",
        (chat_id, thread_id or 0, user_id, command, text_before, asked_at),
    )


def awaited_command(chat_id: int, thread_id: int | None, user_id: int) -> str | None:
    """Return the name of the command that waits, even for too long; None if there is none."""
    row = storage.fetch_one(
        "SELECT command FROM awaited_texts WHERE chat_id = ? AND thread_id = ? AND user_id = ?",
        (chat_id, thread_id or 0, user_id),
    )
    return str(row["command"]) if row else None


def take(chat_id: int, thread_id: int | None, user_id: int, sent_at: int) -> AwaitedText | None:
    """Return the command that a message sent at a moment completes, and wait for it no longer."""
    key = (chat_id, thread_id or 0, user_id)
    awaited: AwaitedText | None = storage.fetch_one(
        "SELECT command, text_before, asked_at FROM awaited_texts"
        " WHERE chat_id = ? AND thread_id = ? AND user_id = ?",
        key,
    )
    if awaited is None:
        return None
    storage.execute("DELETE FROM awaited_texts WHERE chat_id = ? AND thread_id = ? AND user_id = ?", key)
    return awaited if sent_at - awaited["asked_at"] <= ANSWER_WITHIN_S else None
