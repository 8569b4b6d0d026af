"""Messages without a command: they become notes at once, or buttons offer to save them or to ask a model."""

from dataclasses import replace

import db
import db_attachments
import db_messages
import entities
import texts
from notes import capture, note_card
from telegram.messages import Message
from telegram.replies import Button, ButtonResult, Question, Reply


def receive(message: Message, *, asks_first: bool) -> Reply:
    """Save a text as a note, or ask the person what to do with it."""
    text = message.formatted(message.text)
    is_question = text.text.rstrip("!) ").endswith("?")
    if not asks_first and not is_question:
        return note_card.confirm_new(capture.keep(replace(message, replied_to=None), text))
    text_id = db_messages.add_plain_text(
        message.user_id,
        message.chat_id,
        message.message_id,
        text.text,
        message.sent_at,
        text.entities,
        capture.stored_source(message.source),
    )
    buttons = _buttons(text_id, can_save=True, can_ask=True)
    if is_question:
        return Reply(texts.PLAIN_QUESTION, buttons=buttons[::-1])
    return Reply(texts.PLAIN_TEXT, buttons=buttons)


def save(user_id: int, text_id: int) -> ButtonResult:
    """Save a text as a note, once."""
    plain_text = db_messages.get_plain_text(user_id, text_id)
    if plain_text is None:
        return ButtonResult(texts.PLAIN_TEXT_UNAVAILABLE)
    chat_id, message_id, sent_at = plain_text["chat_id"], plain_text["message_id"], plain_text["sent_at"]
    note = db.get_note_by_message(user_id, chat_id, message_id, sent_at)
    if note is not None and note["deleted_at"] is not None:
        return ButtonResult(texts.note_is_deleted(note["number"]))
    if note is not None:
        return ButtonResult(texts.note_already_saved(note["number"]))
    text_entities = entities.loads(plain_text["entities"])
    added = db.add_note(user_id, chat_id, message_id, plain_text["text"], sent_at, text_entities)
    if plain_text["source"]:
        db_attachments.set_source(added["id"], plain_text["source"])
    can_ask = not plain_text["is_asked"]
    buttons = _buttons(text_id, can_save=False, can_ask=can_ask)
    return ButtonResult(edit=Reply(texts.note_added(added["number"]), buttons=buttons, note_id=added["id"]))


def ask(user_id: int, text_id: int) -> ButtonResult:
    """Ask the active model what a text says, once."""
    plain_text = db_messages.get_plain_text(user_id, text_id)
    if plain_text is None:
        return ButtonResult(texts.PLAIN_TEXT_UNAVAILABLE)
    if plain_text["is_asked"]:
        return ButtonResult(texts.ALREADY_ASKED)
    if not db.list_models():
        return ButtonResult(texts.NO_MODELS)
    db_messages.mark_plain_text_asked(text_id)
    note = db.get_note_by_message(user_id, plain_text["chat_id"], plain_text["message_id"], plain_text["sent_at"])
    reply = Reply(texts.PLAIN_TEXT_ASKED, buttons=_buttons(text_id, can_save=note is None, can_ask=False))
    return ButtonResult(question=Question(plain_text["text"]), edit=reply)


def _buttons(text_id: int, *, can_save: bool, can_ask: bool) -> list[list[Button]]:
    """Return a button for each thing that can be done with a text."""
    buttons = []
    if can_save:
        buttons.append([Button(texts.SAVE_AS_NOTE, f"keep:{text_id}")])
    if can_ask:
        buttons.append([Button(texts.ASK_MODEL, f"ask:{text_id}")])
    return buttons
