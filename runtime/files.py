"""What is made when it is sent: documents, off the polling thread."""

import db
import texts
from runtime.telegram import Files


def make(kind: str, user_id: int) -> Files:
    """Make a file of a person's notes, named by its kind, as the field of the call that carries it."""
    return MAKERS[kind](user_id)


def notes_txt(user_id: int) -> Files:
    """Write all notes into a text file: number, local date, text."""
    content = "\n".join(texts.exported_note(row) for row in db.all_notes(user_id))
    return {"document": ("notes.txt", content.encode())}


MAKERS = {"notes.txt": notes_txt}
