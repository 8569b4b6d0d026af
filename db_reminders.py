"""Reminders: of a note, or of a text of their own.

Each function runs in the open transaction of its thread, or in one of its own.
"""

from typing import TypedDict

import clock
import storage


class NewReminder(TypedDict):
    """A reminder to store; see the table for the columns."""

    user_id: int
    chat_id: int
    thread_id: int | None
    note_id: int | None
    text: str
    starts_at: str
    repeat: str
    due_at: int


class Reminder(NewReminder):
    """A stored reminder."""

    id: int
    is_waiting: int


_NEW_ID = "random() >> 16 & 0xFFFFFFFFFFFF"  # tells nobody how many reminders there are
_COLUMNS = "id, user_id, chat_id, thread_id, note_id, text, starts_at, repeat, due_at, is_waiting"


def add_reminder(reminder: NewReminder) -> int:
    """Store a reminder and return its id."""
    cursor = storage.execute(
        "INSERT INTO reminders (id, user_id, chat_id, thread_id, note_id, text, starts_at, repeat, due_at,"
        f" created_at) VALUES ({_NEW_ID}, :user_id, :chat_id, :thread_id, :note_id, :text,"
        " :starts_at, :repeat, :due_at, :created_at)",
        {**reminder, "created_at": clock.now()},
    )
    return int(cursor.lastrowid or 0)


def get_reminder(user_id: int, reminder_id: int) -> Reminder | None:
    """Return a reminder."""
    return storage.fetch_one(
        f"SELECT {_COLUMNS} FROM reminders WHERE id = ? AND user_id = ?", (reminder_id, user_id)
    )


def list_reminders(user_id: int, chat_id: int, limit: int) -> list[Reminder]:
    """Return the next reminders of a person in a chat, the next one first."""
    return storage.fetch_all(
        f"SELECT {_COLUMNS} FROM reminders WHERE user_id = ? AND chat_id = ? AND is_waiting = 1"
        " ORDER BY due_at, id LIMIT ?",
        (user_id, chat_id, limit),
    )


def count_reminders(user_id: int) -> int:
    """Return how many reminders of a person wait."""
    row = storage.fetch_one("SELECT count(*) AS n FROM reminders WHERE user_id = ? AND is_waiting = 1", (user_id,))
    return int(row["n"])


def first_due(now: int) -> Reminder | None:
    """Return the reminder of all people that has been due longest; None if none is due."""
    return storage.fetch_one(
        f"SELECT {_COLUMNS} FROM reminders WHERE is_waiting = 1 AND due_at <= ? ORDER BY due_at, id LIMIT 1",
        (now,),
    )


def next_due_at() -> int | None:
    """Return when the next reminder of all people is due; None if none waits."""
    row = storage.fetch_one("SELECT min(due_at) AS due_at FROM reminders WHERE is_waiting = 1")
    return row["due_at"] if row else None


def move_reminder(reminder_id: int, due_at: int) -> None:
    """Let a reminder come at another time, also if it has ended."""
    storage.execute("UPDATE reminders SET due_at = ?, is_waiting = 1 WHERE id = ?", (due_at, reminder_id))


def repeat_once(reminder_id: int, due_at: int) -> None:
    """Let a repeated reminder come at another time, too."""
    storage.execute(
        "INSERT INTO reminders (id, user_id, chat_id, thread_id, note_id, text, starts_at, repeat, due_at,"
        f" created_at) SELECT {_NEW_ID}, user_id, chat_id, thread_id, note_id, text,"
        " starts_at, '', ?, ? FROM reminders WHERE id = ?",
        (due_at, clock.now(), reminder_id),
    )


def end_reminder(reminder_id: int) -> None:
    """End a reminder. It can be moved again until db_cleanup deletes it."""
    storage.execute("UPDATE reminders SET is_waiting = 0 WHERE id = ?", (reminder_id,))


def move_chat(old_chat_id: int, new_chat_id: int) -> None:
    """Let the reminders of a group come to the new id that it gets as a supergroup."""
    storage.execute("UPDATE reminders SET chat_id = ? WHERE chat_id = ?", (new_chat_id, old_chat_id))
