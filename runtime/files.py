"""What is made when it is sent, off the polling thread: documents, and texts that need the network."""

from collections.abc import Callable
from typing import Any

import db
import texts
from runtime import catalogue
from runtime.telegram import Files


def make(kind: str, **about: Any) -> Files | str:
    """Make what a kind names: a file, as the field of the call that carries it, or a text."""
    return MAKERS[kind](**about)


def notes_txt(user_id: int) -> Files:
    """Write all notes into a text file: number, local date, text."""
    content = "\n".join(texts.exported_note(row) for row in db.all_notes(user_id))
    return {"document": ("notes.txt", content.encode())}


MAKERS: dict[str, Callable[..., Files | str]] = {
    "notes.txt": notes_txt,
    "models": catalogue.refresh_now,
    "providers": catalogue.providers_now,
}
