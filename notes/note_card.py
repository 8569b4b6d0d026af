"""A note with the buttons that act on it."""

from dataclasses import replace
from typing import NamedTuple

import db
import db_attachments
import texts
from clock import TimeZone
from entities import clip
from notes import contents
from telegram.limits import MAX_MESSAGE_LENGTH
from telegram.replies import Button, ButtonResult, Question, Reply
from unicode_text import truncate_utf16, utf16_length

MAX_PINS = 10
MAX_COPY_LENGTH = 256  # UTF-16 units that a button can copy
ROOM_FOR_HINT = 300  # UTF-16 units for what is below the text of a note


class Place(NamedTuple):
    """The page of a list from which a note was opened, for the way back; see notes.listing."""

    listing_id: int = 0  # 0: not from a list
    position: int = 0  # the page follows this position; 0: it begins the list


NO_PLACE = Place()


def existing(user_id: int, number: int) -> db.Note | None:
    """Return a note that is not deleted; see why_missing() if there is none."""
    note = db.get_note(user_id, number)
    return note if note and note["deleted_at"] is None else None


def why_missing(user_id: int, number: int) -> str:
    """Return the sentence about a note that is deleted or was never there."""
    is_deleted = db.get_note(user_id, number) is not None
    return texts.note_is_deleted(number) if is_deleted else texts.note_missing(number)


def confirm_new(note: db.AddedNote) -> Reply:
    """Confirm a note that was made from a message without a command."""
    data = button_data(NO_PLACE, note["number"])
    ask = Button(texts.ASK_MODEL, f"ask_note:{data}")
    delete = Button(texts.DELETE, f"del:{data}")
    return Reply(texts.note_added(note["number"]), buttons=[[ask, delete]], note_id=note["id"])


def show(note: db.Note, zone: TimeZone) -> Reply:
    """Return a whole note with its attachments; with buttons, unless it is an album, which can have none."""
    whole = contents.whole_note(note, zone)
    buttons = [] if len(whole.media) > 1 else _buttons(note, NO_PLACE)
    return replace(whole, buttons=buttons, note_id=note["id"])


def open_note(user_id: int, number: int, place: Place, zone: TimeZone) -> ButtonResult:
    """Show a note in place of the list."""
    note = existing(user_id, number)
    return ButtonResult(edit=_card(note, place, zone)) if note else ButtonResult(why_missing(user_id, number))


def pin(user_id: int, number: int) -> str:
    """Pin a note; return why it cannot be pinned, "" if it is."""
    note = existing(user_id, number)
    if note is None:
        return why_missing(user_id, number)
    if note["pinned_at"] is None and len(db.list_pinned_notes(user_id)) >= MAX_PINS:
        return texts.too_many_pins(MAX_PINS)
    db.pin_note(user_id, number, is_pinned=True)
    return ""


def pin_in_place(user_id: int, number: int, place: Place, zone: TimeZone) -> ButtonResult:
    """Pin the note that is shown."""
    problem = pin(user_id, number)
    if problem:
        return ButtonResult(problem)
    return ButtonResult(texts.note_pinned(number), edit=open_note(user_id, number, place, zone).edit)


def unpin_in_place(user_id: int, number: int, place: Place, zone: TimeZone) -> ButtonResult:
    """Unpin the note that is shown."""
    if not db.pin_note(user_id, number, is_pinned=False):
        return ButtonResult(why_missing(user_id, number))
    return ButtonResult(texts.note_unpinned(number), edit=open_note(user_id, number, place, zone).edit)


def delete(user_id: int, number: int, place: Place = NO_PLACE) -> ButtonResult:
    """Delete a note; a button restores it."""
    if not db.delete_note(user_id, number):
        return ButtonResult(why_missing(user_id, number))
    return ButtonResult(edit=deleted(number, place))


def deleted(number: int, place: Place = NO_PLACE) -> Reply:
    """Confirm a deletion, with a button to restore the note."""
    restore = [Button(texts.RESTORE, f"restore:{number}")]
    return Reply(texts.note_deleted(number), buttons=[restore, *_back(place)])


def ask(user_id: int, number: int) -> ButtonResult:
    """Ask the model what a note says."""
    note = existing(user_id, number)
    if note is None:
        return ButtonResult(why_missing(user_id, number))
    if not db.list_models():
        return ButtonResult(texts.NO_MODELS)
    attachments = db_attachments.attachments_of(note["id"])
    pictures = contents.pictures([contents.sent_attachment(attachment) for attachment in attachments])
    words = contents.words(note, attachments)
    if not words and not pictures:
        return ButtonResult(texts.NOTHING_TO_ASK)
    question = Question(words or texts.WHAT_IS_IN_THE_PICTURE, pictures=pictures)
    return ButtonResult(texts.PLAIN_TEXT_ASKED, question)


def ask_for_text(user_id: int, number: int, place: Place, zone: TimeZone) -> Reply | None:
    """Ask for the new text of a note below the old one; None if there is no such note."""
    note = existing(user_id, number)
    if note is None:
        return None
    card = _card(note, place, zone)
    buttons = [[Button(texts.CANCEL, f"keep_text:{button_data(place, number)}")]]
    if 0 < utf16_length(note["text"]) <= MAX_COPY_LENGTH:
        buttons[0].insert(0, Button(texts.COPY_TEXT, copy_text=note["text"]))
    return replace(card, text=f"{card.text}\n\n{texts.ASK_FOR_NEW_TEXT}", buttons=buttons, note_id=None)


def buttons(user_id: int, number: int, place: Place) -> list[list[Button]]:
    """Return the buttons under a note that is shown; none if it is deleted."""
    note = existing(user_id, number)
    return _buttons(note, place) if note else []


def _card(note: db.Note, place: Place, zone: TimeZone) -> Reply:
    """Return a note that fits into one message; a hint says how to see what does not."""
    whole = contents.whole_note(note, zone)
    text = truncate_utf16(whole.text, MAX_MESSAGE_LENGTH - ROOM_FOR_HINT)
    entities = clip(whole.entities, "", text)
    if whole.media or text != whole.text:
        text += f"\n\n{texts.continued_in(note['number'])}"
    return Reply(text, entities, buttons=_buttons(note, place), note_id=note["id"])


def _buttons(note: db.Note, place: Place) -> list[list[Button]]:
    """Return a button for everything that can be done with a note."""
    data = button_data(place, note["number"])
    pin_or_unpin = Button(texts.UNPIN, f"unpin:{data}") if note["pinned_at"] else Button(texts.PIN, f"pin:{data}")
    return [
        [Button(texts.EDIT, f"edit:{data}"), pin_or_unpin],
        [Button(texts.REMIND, f"remind_menu:{data}"), Button(texts.ASK_MODEL, f"ask_note:{data}")],
        [Button(texts.DELETE, f"del:{data}")],
        *_back(place),
    ]


def _back(place: Place) -> list[list[Button]]:
    if not place.listing_id:
        return []
    return [[Button(texts.BACK, f"page:{place.listing_id}:{place.position}")]]


def button_data(place: Place, number: int) -> str:
    """Return the data of a button that acts on a note, behind the button's name."""
    return f"{place.listing_id}:{place.position}:{number}"
