"""What is made when it is sent, off the polling thread: documents, and texts that need the network."""

from collections.abc import Callable

import db
import texts
from runtime import catalogue
from runtime.telegram import Files


def make(kind: str, user_id: int) -> Files | str:
    """Make what a kind names for a person: a file, as the field of the call that carries it, or a text."""
    return MAKERS[kind](user_id)


def notes_txt(user_id: int) -> Files:
    """Write all notes into a text file: number, local date, text."""
    content = "\n".join(texts.exported_note(row) for row in db.all_notes(user_id))
    return {"document": ("notes.txt", content.encode())}


MAKERS: dict[str, Callable[[int], Files | str]] = {
    "notes.txt": notes_txt,
    "models": lambda _: catalogue.refresh_now(),
    "providers": lambda _: catalogue.providers_now(),
}
