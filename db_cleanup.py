"""Delete for good what people can no longer restore or use: deleted notes, edits, lists, pending messages."""

from collections.abc import Iterator
from itertools import chain

import clock
import storage

DELETED_KEPT_S = 30 * clock.DAY_S  # how long a deletion or an edit can be undone, at least


def steps(now: int) -> Iterator[None]:
    """Delete what is too old at a moment, a little in each step."""
    limit = now - DELETED_KEPT_S
    return chain(
        storage.in_steps(
            "SELECT id FROM notes WHERE deleted_at < ?",
            limit,
            "DELETE FROM notes WHERE id = :id AND deleted_at IS NOT NULL",
        ),
        storage.in_steps("SELECT id FROM edits WHERE created_at < ?", limit, "DELETE FROM edits WHERE id = :id"),
        storage.in_steps(
            "SELECT id FROM listings WHERE created_at < ?", limit, "DELETE FROM listings WHERE id = :id"
        ),
        storage.in_steps(
            "SELECT id FROM reminders WHERE is_waiting = 0 AND due_at < ?",
            limit,
            "DELETE FROM reminders WHERE id = :id AND is_waiting = 0",
        ),
        storage.in_steps(
            "SELECT id FROM deletions WHERE created_at < ?", limit, "DELETE FROM deletions WHERE id = :id"
        ),
        storage.in_steps(
            "SELECT id FROM plain_texts WHERE sent_at < ?", limit, "DELETE FROM plain_texts WHERE id = :id"
        ),
        storage.in_steps(
            "SELECT chat_id, message_id FROM message_parts WHERE sent_at < ?",
            limit,
            "DELETE FROM message_parts WHERE chat_id = :chat_id AND message_id = :message_id",
        ),
    )
