"""Recordings in notes that wait to be turned into text.

Each function runs in the open transaction of its thread, or in one of its own.
"""

from typing import TypedDict

import clock
import storage


class TranscriptionRow(TypedDict):
    """A recording that waits; see the table transcriptions for the columns."""

    attachment_id: int
    user_id: int
    chat_id: int
    message_id: int
    thread_id: int | None


def add_transcription(
    attachment_id: int, *, user_id: int, chat_id: int, message_id: int, thread_id: int | None
) -> None:
    """Store that a recording waits; its transcript goes to the chat, as a reply to the message."""
    storage.execute(
        "INSERT OR IGNORE INTO transcriptions (attachment_id, user_id, chat_id, message_id, thread_id, created_at)"
        " VALUES (?,?,?,?,?,?)",
        (attachment_id, user_id, chat_id, message_id, thread_id, clock.now()),
    )


def users_with_transcriptions() -> list[int]:
    """Return the people whose recordings wait, the longest waiting first."""
    rows = storage.fetch_all("SELECT user_id FROM transcriptions GROUP BY user_id ORDER BY min(attachment_id)")
    return [row["user_id"] for row in rows]


def next_transcription(user_id: int) -> TranscriptionRow | None:
    """Return the recording of a person that has waited longest."""
    return storage.fetch_one(
        "SELECT attachment_id, user_id, chat_id, message_id, thread_id FROM transcriptions"
        " WHERE user_id = ? ORDER BY attachment_id LIMIT 1",
        (user_id,),
    )


def finish_transcription(attachment_id: int) -> TranscriptionRow | None:
    """Remove a recording that waits no longer and return it; None if it is removed already."""
    row: TranscriptionRow | None = storage.execute(
        "DELETE FROM transcriptions WHERE attachment_id = ?"
        " RETURNING attachment_id, user_id, chat_id, message_id, thread_id",
        (attachment_id,),
    ).fetchone()
    return row
