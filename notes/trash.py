"""Deleted notes: several deleted at once, and the trash with a button to restore each."""

import db
import db_attachments
import db_messages
import texts
from clock import TimeZone
from notes import contents
from telegram.replies import Button, ButtonResult, Reply, in_rows

MAX_DELETED_AT_ONCE = 50
MAX_SHOWN = 20
MAX_LINE_LENGTH = 80  # characters of a note: even if all are emoji, MAX_SHOWN notes fit into a message
BUTTONS_PER_ROW = 5


def delete_several(user_id: int, numbers: list[int]) -> Reply:
    """Delete notes; one button restores them all."""
    deleted = [number for number in numbers if db.delete_note(user_id, number)]
    missing = [number for number in numbers if number not in deleted]
    text = texts.notes_deleted(deleted, missing)
    if not deleted:
        return Reply(text)
    deletion_id = db_messages.add_deletion(user_id, deleted)
    return Reply(text, buttons=[[Button(texts.RESTORE_ALL, f"restore_all:{deletion_id}")]])


def restore_several(user_id: int, deletion_id: int) -> ButtonResult:
    """Restore notes that were deleted together."""
    restored = [n for n in db_messages.get_deletion(user_id, deletion_id) if db.restore_note(user_id, n)]
    if not restored:
        return ButtonResult(texts.NOTHING_TO_RESTORE)
    return ButtonResult(edit=Reply(texts.notes_restored(restored)))


def page(user_id: int, zone: TimeZone) -> Reply:
    """Return the notes that were deleted last, each with a button to restore it."""
    notes = db.list_deleted_notes(user_id, MAX_SHOWN)
    if not notes:
        return Reply(texts.TRASH_EMPTY)
    attachments = db_attachments.attachments_of_notes([note["id"] for note in notes])
    shown = []
    for note in notes:
        line = contents.plain_text(note) or contents.describe(attachments.get(note["id"], []))
        shown.append((note, texts.shorten(line, MAX_LINE_LENGTH)))
    buttons = [Button(texts.restore_button(note["number"]), f"untrash:{note['number']}") for note in notes]
    return Reply(texts.trash(shown, zone), buttons=in_rows(buttons, BUTTONS_PER_ROW))


def restore(user_id: int, number: int, zone: TimeZone) -> ButtonResult:
    """Restore a note of the trash and show what is left."""
    if not db.restore_note(user_id, number):
        return ButtonResult(texts.NOTHING_TO_RESTORE, edit=page(user_id, zone))
    return ButtonResult(texts.note_restored(number), edit=page(user_id, zone))
