"""The buttons under a note, and what they do."""

import db
import texts
from telegram.replies import Button, ButtonResult, Question, Reply


def confirm_new(note: db.AddedNote) -> Reply:
    """Confirm a note that was made from a message without a command."""
    number = note["number"]
    ask = Button(texts.ASK_MODEL, f"ask_note:{number}")
    delete = Button(texts.DELETE, f"del:{number}")
    return Reply(texts.note_added(number), buttons=[[ask, delete]])


def delete(user_id: int, number: int) -> ButtonResult:
    """Delete a note; a button restores it."""
    if not db.delete_note(user_id, number):
        return ButtonResult(texts.note_missing(number))
    return ButtonResult(edit=deleted(number))


def deleted(number: int) -> Reply:
    """Confirm a deletion, with a button to restore the note."""
    return Reply(texts.note_deleted(number), buttons=[[Button(texts.RESTORE, f"restore:{number}")]])


def ask(user_id: int, number: int) -> ButtonResult:
    """Ask the model what a note says."""
    note = db.get_note(user_id, number)
    if note is None or note["deleted_at"] is not None:
        return ButtonResult(texts.note_missing(number))
    if not db.list_models():
        return ButtonResult(texts.NO_MODELS)
    return ButtonResult(texts.PLAIN_TEXT_ASKED, Question(note["text"]))
