"""Messages without a command: buttons offer to save them as a note or to ask a model."""

import db
import db_messages
import texts
from telegram.replies import Button, ButtonResult, Question, Reply


def offer(user_id: int, chat_id: int, message_id: int, text: str, sent_at: int) -> Reply:
    """Remember a text and ask the person what to do with it; sent_at in Unix seconds."""
    text_id = db_messages.add_plain_text(user_id, chat_id, message_id, text, sent_at)
    return _reply(texts.PLAIN_TEXT, text_id, can_save=True, can_ask=True)


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
    added = db.add_note(user_id, chat_id, message_id, plain_text["text"], sent_at)
    can_ask = not plain_text["is_asked"]
    return ButtonResult(edit=_reply(texts.note_added(added["number"]), text_id, can_save=False, can_ask=can_ask))


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
    reply = _reply(texts.PLAIN_TEXT_ASKED, text_id, can_save=note is None, can_ask=False)
    return ButtonResult(question=Question(plain_text["text"]), edit=reply)


def _reply(text: str, text_id: int, *, can_save: bool, can_ask: bool) -> Reply:
    """Return a reply with a button for each thing that can be done with a text."""
    buttons = []
    if can_save:
        buttons.append([Button(texts.SAVE_AS_NOTE, f"keep:{text_id}")])
    if can_ask:
        buttons.append([Button(texts.ASK_MODEL, f"ask:{text_id}")])
    return Reply(text, buttons=buttons)
