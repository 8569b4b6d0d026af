"""Edits and deletions of notes, which can be undone."""

from collections.abc import Callable

import db
import entities
import texts
from entities import FormattedText
from telegram.replies import Button, ButtonResult, HandlerResult, Reply

MAX_LENGTH = 64 * 1024  # characters of a note that grows, and of one that is imported


def edit_note(user_id: int, number: int, text: FormattedText) -> HandlerResult:
    """Replace the text of a note."""
    edit_id = db.edit_note(user_id, number, text.text, text.entities)
    if edit_id is None:
        return texts.note_missing(number)
    return _confirmation(user_id, number, edit_id)


def edit_note_again(user_id: int, number: int, text: FormattedText) -> HandlerResult:
    """Replace the text of a note after the message that edited it was edited itself; None if nothing changes."""
    edit_id = db.edit_note(user_id, number, text.text, text.entities)
    return _confirmation(user_id, number, edit_id) if edit_id else None


def follow_message(note: db.Note, text: FormattedText) -> HandlerResult:
    """Replace the text of a note after the message it came from was edited; None if nothing changes.

    What replies have added stays.
    """
    before = FormattedText(note["text"], entities.loads(note["entities"]))
    added = before.ending(note["text"][len(note["text"]) - note["appended"] :])
    whole = _joined(text, added)
    edit_id = db.edit_note(note["user_id"], note["number"], whole.text, whole.entities, note["appended"])
    if edit_id is None:
        return texts.note_is_deleted(note["number"])
    return _confirmation(note["user_id"], note["number"], edit_id) if edit_id else None


def append(note: db.Note, text: FormattedText) -> HandlerResult:
    """Append a text to a note as a new line."""
    whole = _joined(FormattedText(note["text"], entities.loads(note["entities"])), text)
    if len(whole.text) > MAX_LENGTH:
        return texts.NOTE_TOO_LONG
    appended = len(text.text) + (note["appended"] + 1 if note["appended"] else 0)
    edit_id = db.edit_note(note["user_id"], note["number"], whole.text, whole.entities, appended)
    if edit_id is None:
        return texts.note_is_deleted(note["number"])
    undo = Button(texts.UNDO_EDIT, f"unedit:{edit_id}")
    return Reply(texts.note_appended(note["number"]), buttons=[[undo]], note_id=note["id"])


def _joined(text: FormattedText, following: FormattedText) -> FormattedText:
    """Return two texts on lines of their own; only one of them if the other is empty."""
    return text + FormattedText("\n") + following if text.text and following.text else text + following


def undo_edit(user_id: int, edit_id: int) -> ButtonResult:
    """Restore the text before an edit."""
    return _revert(user_id, edit_id, texts.edit_undone, texts.REDO_EDIT, "reedit")


def redo_edit(user_id: int, edit_id: int) -> ButtonResult:
    """Restore the text before the undo of an edit. The undo is an edit itself."""
    return _revert(user_id, edit_id, texts.edit_redone, texts.UNDO_EDIT, "unedit")


def restore_note(user_id: int, number: int) -> str:
    """Restore a deleted note; return a sentence with the result."""
    if db.restore_note(user_id, number):
        return texts.note_restored(number)
    note = db.get_note(user_id, number)
    if note is not None and note["deleted_at"] is None:
        return texts.note_not_deleted(number)
    return texts.note_missing(number)


def _revert(
    user_id: int, edit_id: int, confirm: Callable[[int], str], button_label: str, button_name: str
) -> ButtonResult:
    """Restore the text before an edit by a new edit, which a button can revert in its turn."""
    try:
        number, new_edit_id = db.undo_edit(user_id, edit_id)
    except ValueError:
        return ButtonResult(texts.EDIT_UNAVAILABLE)
    if new_edit_id is None:
        return ButtonResult(texts.note_is_deleted(number))
    if new_edit_id == 0:
        return ButtonResult(texts.EDIT_ALREADY_UNDONE)
    button = Button(button_label, f"{button_name}:{new_edit_id}")
    return ButtonResult(edit=Reply(confirm(number), buttons=[[button]]))


def _confirmation(user_id: int, number: int, edit_id: int) -> Reply:
    """Confirm an edit; edit_id 0 means that nothing changed, so that there is nothing to undo."""
    undo = Button(texts.UNDO_EDIT, f"unedit:{edit_id}")
    note = db.get_note(user_id, number)
    buttons = [[undo]] if edit_id else []
    return Reply(texts.note_edited(number), buttons=buttons, note_id=note["id"] if note else None)
