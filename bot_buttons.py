"""What happens when somebody taps a button, one short handler each.

A handler receives the tap and the numbers in the button's data, and returns what the tap changes. Data always hold
a number: it is 0 where a button needs none. Like the handler of a command, it runs inside the transaction of its
update.
"""

import bot_messages
import clock
import journal
import storage
import texts
from bot_messages import zone_of
from llm import conversations, model_menu, settings_menu
from notes import editing, listing, note_card, plain_texts, reminders, transcripts, trash
from notes.note_card import Place
from telegram import dispatcher
from telegram.messages import CallbackQuery
from telegram.replies import ButtonResult, Job, Reply
from telegram.router import Router

SEARCH_JOBS = ("find", "turn_page")

router = Router()


# Lists of notes --------------------------------------------------------------------------------------


@router.button("older", numbers=2)
@router.button("page", numbers=2)
def show_older_notes(query: CallbackQuery, listing_id: int, position: int) -> ButtonResult:
    """Turn to the page of older notes, or return from a note to its page."""
    return _turn_page(query, listing_id, position, to_older=True)


@router.button("newer", numbers=2)
def show_newer_notes(query: CallbackQuery, listing_id: int, position: int) -> ButtonResult:
    """Turn to the page of newer notes."""
    return _turn_page(query, listing_id, position, to_older=False)


@router.button("list")
def show_list(query: CallbackQuery, listing_id: int) -> ButtonResult:
    """Show the notes of a tag."""
    return _turn_page(query, listing_id, 0, to_older=True)


@router.button("open", numbers=3)
def open_note(query: CallbackQuery, listing_id: int, position: int, number: int) -> ButtonResult:
    """Open a note of a list."""
    return note_card.open_note(query.user_id, number, Place(listing_id, position), zone_of(query))


def _turn_page(query: CallbackQuery, listing_id: int, position: int, *, to_older: bool) -> ButtonResult:
    job = Job("turn_page", {"listing_id": listing_id, "position": position, "to_older": to_older})
    if journal.has_job(query.user_id, SEARCH_JOBS):
        return ButtonResult(texts.SEARCHING, job=job)
    zone = zone_of(query)
    try:
        return listing.turn_page(
            query.user_id, listing_id, position, zone, to_older=to_older, deadline=listing.deadline()
        )
    except storage.DeadlinePassed:
        return ButtonResult(texts.SEARCHING, job=job)


# A note ----------------------------------------------------------------------------------------------


@router.button("edit", numbers=3)
def ask_for_new_text(query: CallbackQuery, listing_id: int, position: int, number: int) -> ButtonResult:
    """Ask for the new text of a note; the next message is it."""
    prompt = note_card.ask_for_text(query.user_id, number, Place(listing_id, position), zone_of(query))
    if prompt is None:
        return ButtonResult(note_card.why_missing(query.user_id, number))
    bot_messages.await_new_text(query, number, clock.now())
    return ButtonResult(edit=prompt)


@router.button("keep_text", numbers=3)
def keep_text(query: CallbackQuery, listing_id: int, position: int, number: int) -> ButtonResult:
    """Stop waiting for the new text of a note."""
    dispatcher.stop_waiting(query)
    return note_card.open_note(query.user_id, number, Place(listing_id, position), zone_of(query))


@router.button("unedit")
def undo_edit(query: CallbackQuery, edit_id: int) -> ButtonResult:
    """Restore the text before an edit."""
    return editing.undo_edit(query.user_id, edit_id)


@router.button("reedit")
def redo_edit(query: CallbackQuery, edit_id: int) -> ButtonResult:
    """Restore the text before an edit was undone."""
    return editing.redo_edit(query.user_id, edit_id)


@router.button("pin", numbers=3)
def pin_note(query: CallbackQuery, listing_id: int, position: int, number: int) -> ButtonResult:
    """Pin a note."""
    return note_card.pin_in_place(query.user_id, number, Place(listing_id, position), zone_of(query))


@router.button("unpin", numbers=3)
def unpin_note(query: CallbackQuery, listing_id: int, position: int, number: int) -> ButtonResult:
    """Unpin a note."""
    return note_card.unpin_in_place(query.user_id, number, Place(listing_id, position), zone_of(query))


@router.button("del", numbers=3)
def delete_note(query: CallbackQuery, listing_id: int, position: int, number: int) -> ButtonResult:
    """Delete a note."""
    return note_card.delete(query.user_id, number, Place(listing_id, position))


@router.button("restore")
def restore_note(query: CallbackQuery, number: int) -> ButtonResult:
    """Restore a deleted note."""
    return ButtonResult(edit=Reply(editing.restore_note(query.user_id, number)))


@router.button("restore_all")
def restore_all(query: CallbackQuery, deletion_id: int) -> ButtonResult:
    """Restore notes that were deleted together."""
    return trash.restore_several(query.user_id, deletion_id)


@router.button("untrash")
def restore_from_trash(query: CallbackQuery, number: int) -> ButtonResult:
    """Restore a note of the trash."""
    return trash.restore(query.user_id, number, zone_of(query))


@router.button("untranscribe")
def remove_transcript(query: CallbackQuery, attachment_id: int) -> ButtonResult:
    """Remove the transcript of a recording from its note."""
    return transcripts.remove(query.user_id, attachment_id)


@router.button("ask_note", numbers=3)
def ask_about_note(query: CallbackQuery, listing_id: int, position: int, number: int) -> ButtonResult:
    """Ask the model what a note says, once at a time."""
    if journal.has_pending_question(query.user_id, query.chat_id, query.message_id):
        return ButtonResult(texts.ALREADY_ASKED)
    return note_card.ask(query.user_id, number)


# Texts without a command -----------------------------------------------------------------------------


@router.button("keep")
def save_plain_text(query: CallbackQuery, text_id: int) -> ButtonResult:
    """Save a text as a note."""
    return plain_texts.save(query.user_id, text_id)


@router.button("ask")
def ask_plain_text(query: CallbackQuery, text_id: int) -> ButtonResult:
    """Ask the active model what a text says."""
    return plain_texts.ask(query.user_id, text_id)


# Models ----------------------------------------------------------------------------------------------


@router.button("models")
def turn_model_page(query: CallbackQuery, page_number: int) -> ButtonResult:
    """Turn to another page of the models."""
    return model_menu.turn_to(page_number)


@router.button("model", admin_only=True)
def switch_model(query: CallbackQuery, model_id: int) -> ButtonResult:
    """Switch to a model."""
    return model_menu.switch_from_list(query.settings, model_id)


# Reminders -------------------------------------------------------------------------------------------


@router.button("remind_menu", numbers=3)
def show_reminder_choices(query: CallbackQuery, listing_id: int, position: int, number: int) -> ButtonResult:
    """Ask when to remind of a note."""
    return reminders.choices(number, Place(listing_id, position))


@router.button("remind", numbers=4)
def remind_of_note(query: CallbackQuery, listing_id: int, position: int, number: int, choice: int) -> ButtonResult:
    """Set a reminder of a note."""
    return reminders.choose(query, number, Place(listing_id, position), choice, zone_of(query))


@router.button("unremind")
def cancel_reminder(query: CallbackQuery, reminder_id: int) -> ButtonResult:
    """Cancel a reminder."""
    return reminders.cancel(query, reminder_id, zone_of(query))


@router.button("reminded")
def finish_reminder(query: CallbackQuery, reminder_id: int) -> ButtonResult:
    """Remove the buttons under a reminder that has come."""
    return reminders.finish(query, reminder_id)


@router.button("postpone", numbers=2)
def postpone_reminder(query: CallbackQuery, reminder_id: int, choice: int) -> ButtonResult:
    """Let a reminder come again."""
    return reminders.postpone(query, reminder_id, choice, zone_of(query))


# Answers ---------------------------------------------------------------------------------------------


@router.button("again")
def ask_again(query: CallbackQuery, question_id: int) -> ButtonResult:
    """Ask the active model the same question again."""
    return conversations.ask_again(query, question_id)


@router.button("save")
def save_answer(query: CallbackQuery, question_id: int) -> ButtonResult:
    """Save an answer as a note, once."""
    question = journal.get_question(query.chat_id, question_id)
    saved = bot_messages.save_answer(question, query.user_id, query.chat_id, query.message_id)
    return ButtonResult(saved or texts.ANSWER_UNAVAILABLE)


# Personal settings -----------------------------------------------------------------------------------


@router.button("settings")
def show_settings(query: CallbackQuery, _: int) -> ButtonResult:
    """Return to the settings."""
    return ButtonResult(edit=settings_menu.overview(query.user_id, query.settings.timezone))


@router.button("reset_settings")
def reset_settings(query: CallbackQuery, _: int) -> ButtonResult:
    """Forget all settings of the person."""
    return settings_menu.reset(query.user_id, query.settings.timezone)


@router.button("plain_text_mode")
def switch_plain_text(query: CallbackQuery, _: int) -> ButtonResult:
    """Switch what becomes of a text without a command."""
    return settings_menu.switch_plain_text(query.settings, query.user_id)


@router.button("confirmation")
def switch_confirmation(query: CallbackQuery, _: int) -> ButtonResult:
    """Switch how the bot confirms a note."""
    return settings_menu.switch_confirmation(query.settings, query.user_id)


@router.button("zones")
def show_zones(query: CallbackQuery, _: int) -> ButtonResult:
    """Show the time zones to choose from."""
    return ButtonResult(edit=settings_menu.zone_page())


@router.button("zone")
def choose_zone(query: CallbackQuery, number: int) -> ButtonResult:
    """Set the person's time zone."""
    return settings_menu.choose_zone(query.user_id, number, query.settings.timezone)


@router.button("own_models")
def show_own_models(query: CallbackQuery, page_number: int) -> ButtonResult:
    """Show a page of the models to choose from."""
    return ButtonResult(edit=settings_menu.model_page(query.settings, query.user_id, page_number))


@router.button("own_model", numbers=2)
def choose_own_model(query: CallbackQuery, model_id: int, is_own: int) -> ButtonResult:
    """Set the model that answers the person."""
    return settings_menu.choose_model(query.settings, query.user_id, model_id, is_own=bool(is_own))


@router.button("own_prompt")
def show_prompt(query: CallbackQuery, _: int) -> ButtonResult:
    """Show the person's instructions for models."""
    return ButtonResult(edit=settings_menu.prompt_page(query.user_id))


@router.button("remove_prompt")
def remove_prompt(query: CallbackQuery, _: int) -> ButtonResult:
    """Forget the person's instructions for models."""
    return settings_menu.remove_prompt(query.user_id)
