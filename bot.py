"""The commands of the bot, one short handler each, and main().

A handler receives the message and the text after the command, and returns what to send. It runs inside the
transaction of its update, so it uses the database and nothing slower. It returns a Job for work that takes long or
needs the network.
"""

import sys

import texts

if sys.version_info < (3, 11):
    sys.exit(texts.PYTHON_TOO_OLD)

import json
from dataclasses import replace

import bot_messages
import clock
import config
import db
import db_messages
import db_people
import journal
import journal_awaited
import storage
from app import checks, service
from bot_messages import zone_of
from llm import model_menu, settings_menu
from notes import (
    capture,
    editing,
    exports,
    listing,
    long_messages,
    note_card,
    plain_texts,
    reminders,
    transcripts,
    trash,
)
from notes.note_card import NO_PLACE, Place
from telegram.access import check_access, is_admin
from telegram.limits import MAX_DOWNLOAD_BYTES
from telegram.messages import CallbackQuery, Document, Message
from telegram.pacing import Limits
from telegram.replies import Button, ButtonResult, HandlerResult, Job, Question, Reply, UsageError
from telegram.router import Router, parse_number
from unicode_text import let_streams_print

NOTES_PER_PAGE, MAX_NOTES_PER_PAGE = 10, 50
DEFAULT_DAYS, MAX_DAYS = 30, 366
SEARCH_JOBS = ("find", "turn_page")
MAX_USAGE_DAYS = 3660
FIRST_COMMANDS = ("note_list", "note_find", "remind", "models", "settings", "help")

router = Router()


@router.command("start", "начать")
def start(message: Message, text: str) -> HandlerResult:
    """Greet the person and name the commands to begin with."""
    return f"{texts.GREETING}\n\n{router.short_help(FIRST_COMMANDS)}"


@router.command("help", "все команды")
def help_(message: Message, text: str) -> HandlerResult:
    """List the commands."""
    return router.help(is_admin=is_admin(message.settings, message.user_id))


# Notes -------------------------------------------------------------------------------------------------


@router.command("note_add", "добавить заметку", usage="<текст>")
def note_add(message: Message, text: str) -> HandlerResult:
    """Add a note; it may span several lines."""
    if text or message.attachments:
        bot_messages.expect_more_parts(message, text)
        return bot_messages.keep(message, text)
    if message.replied_to is None:
        raise UsageError
    return bot_messages.keep_replied(message, message.replied_to)


@router.edited("note_add")
def note_add_edited(message: Message, text: str) -> HandlerResult:
    """Edit the note when its message is edited; add it if the command was mistyped at first."""
    if text or message.attachments:
        note, whole_text = bot_messages.find_edited_note(message, text)
        return bot_messages.follow_message(note, message, whole_text) if note else note_add(message, text)
    return note_add(message, text)


@router.command("note_list", "последние заметки или заметки за день", usage="[сколько или день]")
def note_list(message: Message, text: str) -> HandlerResult:
    """List the newest notes, ten per page or as many as you say, or those of a day, a month or another period."""
    page = listing.period_page(message.user_id, text, NOTES_PER_PAGE, zone_of(message))
    if page:
        return page
    page_size = parse_number(text, default=NOTES_PER_PAGE)
    if page_size == 0:
        raise UsageError
    page_size = min(page_size, MAX_NOTES_PER_PAGE)
    return listing.first_page(message.user_id, "", page_size, zone_of(message)) or texts.NO_NOTES


@router.command("note_show", "показать заметку целиком", usage="<номер>")
def note_show(message: Message, text: str) -> HandlerResult:
    """Show a whole note; in reply to a note, without its number."""
    number = bot_messages.note_number(message, text)
    note = db.get_note(message.user_id, number)
    if note is None:
        return texts.note_missing(number)
    if note["deleted_at"] is not None:
        return texts.note_is_deleted(number)
    return note_card.show(note, zone_of(message))


@router.command("note_find", "найти заметки", usage="<слова или «фраза»>")
def note_find(message: Message, text: str) -> HandlerResult:
    """Find notes that contain all the words, or a "quoted phrase"."""
    if not text:
        raise UsageError
    page = listing.period_page(message.user_id, text, NOTES_PER_PAGE, zone_of(message), is_search=True)
    if page:
        return page
    job = Job("find", {"query": text, "page_size": NOTES_PER_PAGE})
    if journal.has_job(message.user_id, SEARCH_JOBS):
        return job  # searches are slow for this person, and their results come in order
    try:
        page = listing.first_page(
            message.user_id, text, NOTES_PER_PAGE, zone_of(message), deadline=listing.deadline()
        )
    except storage.DeadlinePassed:
        return job
    return page or texts.NOTHING_FOUND


@router.button("older", numbers=2)
def show_older_notes(query: CallbackQuery, listing_id: int, position: int) -> ButtonResult:
    """Turn to the page of older notes."""
    return _turn_page(query, listing_id, position, to_older=True)


@router.button("newer", numbers=2)
def show_newer_notes(query: CallbackQuery, listing_id: int, position: int) -> ButtonResult:
    """Turn to the page of newer notes."""
    return _turn_page(query, listing_id, position, to_older=False)


@router.command("tags", "теги заметок")
def tags(message: Message, text: str) -> HandlerResult:
    """List the #tags in your notes, with a button for the notes of each."""
    try:
        return listing.tags_page(message.user_id, NOTES_PER_PAGE, listing.deadline()) or texts.NO_TAGS
    except storage.DeadlinePassed:
        return Job("tags", {"page_size": NOTES_PER_PAGE})


@router.button("list")
def show_list(query: CallbackQuery, listing_id: int) -> ButtonResult:
    """Show the notes of a tag."""
    return _turn_page(query, listing_id, 0, to_older=True)


@router.button("page", numbers=2)
def show_page(query: CallbackQuery, listing_id: int, position: int) -> ButtonResult:
    """Return from a note to the page of the list."""
    return _turn_page(query, listing_id, position, to_older=True)


@router.button("open", numbers=3)
def open_note(query: CallbackQuery, listing_id: int, position: int, number: int) -> ButtonResult:
    """Open a note of a list."""
    return note_card.open_note(query.user_id, number, Place(listing_id, position), zone_of(query))


@router.command("note_edit", "изменить заметку", usage="<номер> <текст>")
def note_edit(message: Message, text: str) -> HandlerResult:
    """Replace the text of a note, with a button to undo it."""
    number, new_text = bot_messages.number_and_text(message, text)
    if not new_text:
        prompt = note_card.ask_for_text(message.user_id, number, NO_PLACE, zone_of(message))
        if prompt is None:
            return texts.note_missing(number)
        bot_messages.await_new_text(message, number, message.sent_at)
        return prompt
    return editing.edit_note(message.user_id, number, message.formatted(new_text))


@router.edited("note_edit")
def note_edit_edited(message: Message, text: str) -> HandlerResult:
    """Edit the note again when the message with the command is edited."""
    number, new_text = bot_messages.number_and_text(message, text)
    if not new_text:
        raise UsageError
    return editing.edit_note_again(message.user_id, number, message.formatted(new_text))


@router.button("edit", numbers=3)
def ask_for_new_text(query: CallbackQuery, listing_id: int, position: int, number: int) -> ButtonResult:
    """Ask for the new text of a note; the next message is it."""
    prompt = note_card.ask_for_text(query.user_id, number, Place(listing_id, position), zone_of(query))
    if prompt is None:
        return ButtonResult(texts.note_missing(number))
    bot_messages.await_new_text(query, number, clock.now())
    return ButtonResult(edit=prompt)


@router.button("keep_text", numbers=3)
def keep_text(query: CallbackQuery, listing_id: int, position: int, number: int) -> ButtonResult:
    """Wait no longer for the new text of a note."""
    journal_awaited.take(query.chat_id, query.thread_id, query.user_id, clock.now())
    return note_card.open_note(query.user_id, number, Place(listing_id, position), zone_of(query))


@router.button("unedit")
def undo_edit(query: CallbackQuery, edit_id: int) -> ButtonResult:
    """Restore the text before an edit."""
    return editing.undo_edit(query.user_id, edit_id)


@router.button("reedit")
def redo_edit(query: CallbackQuery, edit_id: int) -> ButtonResult:
    """Restore the text before an edit was undone."""
    return editing.redo_edit(query.user_id, edit_id)


@router.command("note_del", "удалить заметку", usage="<номер>")
def note_del(message: Message, text: str) -> HandlerResult:
    """Delete a note, or several (3 5 8), with a button to restore them; in reply to a note, without its number."""
    words = text.replace(",", " ").split()
    if len(words) > trash.MAX_DELETED_AT_ONCE:
        raise UsageError
    if len(words) > 1:
        numbers = dict.fromkeys(parse_number(word) for word in words)
        return trash.delete_several(message.user_id, list(numbers))
    number = bot_messages.note_number(message, text)
    if not db.delete_note(message.user_id, number):
        return texts.note_missing(number)
    return note_card.deleted(number)


@router.button("restore_all")
def restore_all(query: CallbackQuery, deletion_id: int) -> ButtonResult:
    """Restore notes that were deleted together."""
    return trash.restore_several(query.user_id, deletion_id)


@router.command("note_trash", "удалённые заметки")
def note_trash(message: Message, text: str) -> HandlerResult:
    """Show the notes deleted in the last 30 days, with a button to restore each."""
    return trash.page(message.user_id, zone_of(message))


@router.button("untrash")
def restore_from_trash(query: CallbackQuery, number: int) -> ButtonResult:
    """Restore a note of the trash."""
    return trash.restore(query.user_id, number, zone_of(query))


@router.button("del", numbers=3)
def delete_note(query: CallbackQuery, listing_id: int, position: int, number: int) -> ButtonResult:
    """Delete a note."""
    return note_card.delete(query.user_id, number, Place(listing_id, position))


@router.command("note_restore", "вернуть удалённую заметку", usage="<номер>")
def note_restore(message: Message, text: str) -> HandlerResult:
    """Restore a note that was deleted in the last 30 days."""
    return editing.restore_note(message.user_id, bot_messages.note_number(message, text))


@router.button("restore")
def restore_note(query: CallbackQuery, number: int) -> ButtonResult:
    """Restore a deleted note."""
    return ButtonResult(edit=Reply(editing.restore_note(query.user_id, number)))


@router.command("note_pin", "закрепить заметку в начале списка", usage="<номер>")
def note_pin(message: Message, text: str) -> HandlerResult:
    """Pin a note: pinned notes lead the list."""
    number = bot_messages.note_number(message, text)
    problem = note_card.pin(message.user_id, number)
    unpin = Button(texts.UNPIN, f"unpin:0:0:{number}")
    return problem or Reply(texts.note_pinned(number), buttons=[[unpin]])


@router.button("pin", numbers=3)
def pin_note(query: CallbackQuery, listing_id: int, position: int, number: int) -> ButtonResult:
    """Pin a note."""
    return note_card.pin_in_place(query.user_id, number, Place(listing_id, position), zone_of(query))


@router.button("unpin", numbers=3)
def unpin_note(query: CallbackQuery, listing_id: int, position: int, number: int) -> ButtonResult:
    """Unpin a note."""
    return note_card.unpin_in_place(query.user_id, number, Place(listing_id, position), zone_of(query))


@router.command("note_count", "сколько заметок")
def note_count(message: Message, text: str) -> HandlerResult:
    """Count the notes."""
    return texts.note_count(db.count_notes(message.user_id))


@router.command("note_stats", "график заметок по дням", usage="[дней]")
def note_stats(message: Message, text: str) -> HandlerResult:
    """Draw a chart of notes per day."""
    days = _parse_days(text)
    if not db.count_notes(message.user_id):
        return texts.NO_NOTES
    return Job("stats", {"days": days})


@router.command("note_export", "все заметки файлом", usage="[txt|md|json|zip]")
def note_export(message: Message, text: str) -> HandlerResult:
    """Send all notes as a file; with zip also the files in them."""
    format = text.lower() or exports.DEFAULT_FORMAT
    if format not in (*exports.FORMATS, exports.FORMAT_WITH_FILES):
        raise UsageError
    if not db.count_notes(message.user_id):
        return texts.NO_NOTES
    return Job("export", {"format": format})


@router.command("note_import", "вернуть заметки из файла json", takes_file=True)
def note_import(message: Message, text: str) -> HandlerResult:
    """Import an exported json or zip file: sent next, with this command as its caption, or replied to."""
    document = message.document or _replied_document(message)
    if document is None:
        journal_awaited.await_text(
            message.chat_id, message.thread_id, message.user_id, "note_import", "", message.sent_at
        )
        return texts.IMPORT_NO_FILE
    if document.file_size > MAX_DOWNLOAD_BYTES:
        return texts.IMPORT_TOO_LARGE
    return Job("import", {"file_id": document.file_id})


def _replied_document(message: Message) -> Document | None:
    """Return the file in the message that a message replies to."""
    for attachment in message.replied_to.attachments if message.replied_to else ():
        if attachment.kind == "document":
            return Document(attachment.file_id, attachment.file_size or 0)
    return None


# Messages without a command ----------------------------------------------------------------------------


@router.text
def plain_text(message: Message, text: str) -> HandlerResult:
    """Continue a conversation, in reply to an answer or in a topic; otherwise save the text or offer to ask."""
    if message.replied_to_message_id is not None:
        question = journal.question_answered_by(message.chat_id, message.replied_to_message_id)
        if question is not None:
            return _continue_conversation(message, bot_messages.question(message, text), question)
        note = None if message.is_forwarded else bot_messages.replied_note(message)
        if note is not None:
            return editing.append(note, message.formatted(text))
    if not message.is_private:
        return None
    topic_question = None if message.is_forwarded else _latest_question_in_topic(message)
    if topic_question is not None and not text.startswith("/"):
        return _continue_conversation(message, bot_messages.question(message, text), topic_question)
    if text.startswith("/") and not message.is_forwarded:
        return texts.HINT
    if not message.is_forwarded:
        bot_messages.expect_more_parts(message, text)
    mode = db_people.get_settings(message.user_id)["plain_text"] or message.settings.plain_text
    return bot_messages.confirm(message, plain_texts.receive(message, asks_first=mode == "ask_first"))


@router.media
def media(message: Message, text: str) -> HandlerResult:
    """Keep a photo, a file, a place, … as a note; continue a conversation with a caption or speech in a reply."""
    if message.replied_to_message_id is not None and (text or transcripts.speech_of(message)):
        question = journal.question_answered_by(message.chat_id, message.replied_to_message_id)
        if question is not None:
            return _continue_conversation(message, bot_messages.question(message, text), question)
    return bot_messages.keep(message, text) if message.is_private else None


@router.album_part
def album_part(message: Message, text: str) -> HandlerResult:
    """Add a further photo or file of an album to its note."""
    note_id = journal.album_note(message.chat_id, message.media_group_id)
    if note_id is None:
        bot_messages.add_picture_to_question(message)
        return None
    capture.add_album_part(note_id, message, message.formatted(text))
    return transcripts.request(note_id, message, message, None)


@router.continuation
def continue_long_message(message: Message) -> bool:
    """Append the next part of a long message to the note or the text that the first part became."""
    text = message.formatted(message.text)
    return long_messages.join(message.user_id, message.chat_id, message.message_id, text, message.sent_at)


@router.button("untranscribe")
def remove_transcript(query: CallbackQuery, attachment_id: int) -> ButtonResult:
    """Remove the transcript of a recording from its note."""
    return transcripts.remove(query.user_id, attachment_id)


@router.edited_text
def plain_text_edited(message: Message, text: str) -> HandlerResult:
    """Edit the note that was made from a message when the message is edited."""
    note, whole = bot_messages.find_edited_note(message, text)
    if note is not None:
        return bot_messages.follow_message(note, message, whole)
    message_id, _, whole = bot_messages.replace_part(message, message.formatted(text))
    db_messages.update_plain_text(message.user_id, message.chat_id, message_id, whole.text, whole.entities)
    return None


@router.button("keep")
def save_plain_text(query: CallbackQuery, text_id: int) -> ButtonResult:
    """Save a text as a note."""
    return plain_texts.save(query.user_id, text_id)


@router.button("ask")
def ask_plain_text(query: CallbackQuery, text_id: int) -> ButtonResult:
    """Ask the active model what a text says."""
    return plain_texts.ask(query.user_id, text_id)


@router.button("ask_note", numbers=3)
def ask_about_note(query: CallbackQuery, listing_id: int, position: int, number: int) -> ButtonResult:
    """Ask the model what a note says, once at a time."""
    if journal.has_pending_question(query.user_id, query.chat_id, query.message_id):
        return ButtonResult(texts.ALREADY_ASKED)
    return note_card.ask(query.user_id, number)


# Models ------------------------------------------------------------------------------------------------


@router.command("models", "список моделей")
def models(message: Message, text: str) -> HandlerResult:
    """List the models, with a button to switch to each."""
    return model_menu.active_page()


@router.button("models")
def turn_model_page(query: CallbackQuery, page_number: int) -> ButtonResult:
    """Turn to another page of the models."""
    return model_menu.turn_to(page_number)


@router.command("model", "показать или сменить модель", usage="[номер]")
def model(message: Message, text: str) -> HandlerResult:
    """Show the active model, or switch to another."""
    if text:
        check_access(message.settings, message.user_id, admin_only=True)
        return model_menu.switch(message.settings, parse_number(text))
    return model_menu.active_model(message.settings, message.user_id, message.chat_id)


@router.button("model", admin_only=True)
def switch_model(query: CallbackQuery, model_id: int) -> ButtonResult:
    """Switch to a model."""
    return model_menu.switch_from_list(query.settings, model_id)


@router.command("models_refresh", "обновить список моделей", admin_only=True)
def models_refresh(message: Message, text: str) -> HandlerResult:
    """Fetch the lists of models anew and report what changed."""
    return Job("refresh_models")


@router.command("providers", "провайдеры RVFreeLLM", usage="[имя]")
def providers(message: Message, text: str) -> HandlerResult:
    """List the providers of RVFreeLLM, or the models of one of them."""
    return Job("providers", {"name": text})


# Reminders ---------------------------------------------------------------------------------------------


@router.command("remind", "напомнить о заметке или деле", usage="[номер] <когда> [текст]")
def remind(message: Message, text: str) -> HandlerResult:
    """Set a reminder of a note or of a text, once or repeatedly."""
    if not text:
        return texts.REMIND_WHEN
    note = bot_messages.replied_note(message)
    return reminders.set_by_command(message, text, note["number"] if note else None, zone_of(message))


@router.command("reminders", "ближайшие напоминания")
def list_reminders(message: Message, text: str) -> HandlerResult:
    """List the next reminders, with a button to cancel each."""
    return reminders.upcoming(message.user_id, message.chat_id, zone_of(message))


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
    """Take the buttons away under a reminder that has come."""
    return reminders.finish(query, reminder_id)


@router.button("postpone", numbers=2)
def postpone_reminder(query: CallbackQuery, reminder_id: int, choice: int) -> ButtonResult:
    """Let a reminder come again."""
    return reminders.postpone(query, reminder_id, choice, zone_of(query))


# Questions ---------------------------------------------------------------------------------------------


@router.command("ask", "спросить модель", usage="<вопрос>")
def ask(message: Message, text: str) -> HandlerResult:
    """Ask the active model; in a caption or in reply to a photo, about that photo. A recording is the question."""
    question = replace(
        bot_messages.question(message, text),
        pictures=capture.pictures(message, bot_messages.replied_note(message)),
    )
    if any(map(transcripts.is_speech, message.attachments)) and not question.speech and not text:
        return texts.TRANSCRIPTION_OFF
    if question.pictures and not text:
        question = replace(question, text=texts.WHAT_IS_IN_THE_PICTURE)
    previous = _latest_question_in_topic(message)
    if previous is not None and (question.text or question.speech):
        return _continue_conversation(message, question, previous)
    return _ask_model(question)


@router.command("compare", "спросить три модели сразу", usage="<вопрос>")
def compare(message: Message, text: str) -> HandlerResult:
    """Ask three models the same question at once."""
    return _ask_model(Question(text, kind="compare"))


@router.command("web", "спросить с поиском в интернете", usage="<вопрос>")
def web(message: Message, text: str) -> HandlerResult:
    """Ask the active model to search the web and answer."""
    return _ask_model(Question(text, kind="web"))


@router.command("note_ask", "спросить модель о своих заметках", usage="<вопрос>")
def note_ask(message: Message, text: str) -> HandlerResult:
    """Ask the active model about your notes; it gets the notes that are similar to the question."""
    return _ask_model(Question(text, kind="note_ask"))


@router.button("again")
def ask_again(query: CallbackQuery, question_id: int) -> ButtonResult:
    """Ask the active model the same question again."""
    question = journal.get_question(query.chat_id, question_id)
    if question is None:
        return ButtonResult(texts.ANSWER_UNAVAILABLE)
    is_own = question["user_id"] == query.user_id
    parent_id = question["parent_id"] if is_own else None
    kind = "ask" if question["kind"] == "compare" else question["kind"]
    pictures = tuple(json.loads(question["pictures"]))
    again = Question(question["text"], parent_id, kind, is_repeat=True, pictures=pictures)
    return ButtonResult(texts.ASKED_AGAIN, again)


@router.button("save")
def save_answer(query: CallbackQuery, question_id: int) -> ButtonResult:
    """Save an answer as a note, once."""
    question = journal.get_question(query.chat_id, question_id)
    if question is None or question["answer"] is None:
        return ButtonResult(texts.ANSWER_UNAVAILABLE)
    number, is_new = db.save_answer(
        query.user_id, query.chat_id, query.message_id, question_id, question["answer"]
    )
    return ButtonResult(texts.note_saved(number, is_new=is_new))


@router.command("new", "начать разговор с моделью заново", usage="[вопрос]")
def new(message: Message, text: str) -> HandlerResult:
    """Begin a new conversation; in a topic of a private chat, the one before it ends."""
    reply = texts.ALWAYS_NEW_CONVERSATION
    if message.is_private and message.thread_id is not None:
        journal.begin_conversation(message.chat_id, message.thread_id)
        reply = texts.NEW_CONVERSATION
    return _ask_model(Question(text)) if text else reply


# Personal settings -------------------------------------------------------------------------------------


@router.command("settings", "личные настройки", usage="[часовой пояс]")
def settings(message: Message, text: str) -> HandlerResult:
    """Show and change your own settings: time zone, model, instructions for models."""
    if not message.is_private:
        return texts.SETTINGS_ONLY_IN_PRIVATE
    if text:
        return settings_menu.set_zone_by_name(message.user_id, text, message.settings.timezone)
    return settings_menu.overview(message.user_id, message.settings.timezone)


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


@router.command("prompt", "указания модели: как вам отвечать", usage="[текст]")
def prompt(message: Message, text: str) -> HandlerResult:
    """Tell the models how to answer you."""
    if not message.is_private:
        return texts.SETTINGS_ONLY_IN_PRIVATE
    return settings_menu.set_prompt(message.user_id, text) if text else settings_menu.prompt_page(message.user_id)


@router.button("own_prompt")
def show_prompt(query: CallbackQuery, _: int) -> ButtonResult:
    """Show the person's instructions for models."""
    return ButtonResult(edit=settings_menu.prompt_page(query.user_id))


@router.button("remove_prompt")
def remove_prompt(query: CallbackQuery, _: int) -> ButtonResult:
    """Forget the person's instructions for models."""
    return settings_menu.remove_prompt(query.user_id)


# The bot itself ----------------------------------------------------------------------------------------


@router.command("usage", "запросы к моделям", usage="[дней] [all]")
def usage(message: Message, text: str) -> HandlerResult:
    """Show your requests to models and the free requests used today; for an admin, `all` shows everybody's."""
    words = text.split()
    days = _parse_days(" ".join(word for word in words if word != "all"), MAX_USAGE_DAYS)
    since = clock.period_start(days, zone_of(message))
    if "all" in words:
        check_access(message.settings, message.user_id, admin_only=True)
        return texts.usage_of_everyone(journal.usage_by_model(since), journal.usage_by_person(since), days)
    free_today = len(journal.free_request_times(clock.utc_midnight()))
    by_model = journal.usage_by_model(since, message.user_id)
    return texts.usage(by_model, days, free_today, message.settings.free_requests_per_day)


@router.command("status", "что с ботом", admin_only=True)
def status(message: Message, text: str) -> HandlerResult:
    """Show how the bot is doing: what waits, the database, the key, the latest errors."""
    return Job("status")


# Helpers -----------------------------------------------------------------------------------------------


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


def _ask_model(question: Question) -> HandlerResult:
    if not question.text and question.speech is None:
        raise UsageError
    return question if db.list_models() else texts.NO_MODELS


def _latest_question_in_topic(message: Message) -> journal.QuestionRow | None:
    """Return the question that a message continues: each topic of a private chat is a conversation."""
    if not message.is_private or message.thread_id is None:
        return None
    return journal.latest_question_in_topic(message.user_id, message.chat_id, message.thread_id)


def _continue_conversation(message: Message, question: Question, previous: journal.QuestionRow) -> HandlerResult:
    if previous["user_id"] != message.user_id:
        return texts.NOT_YOUR_CONVERSATION
    kind = "note_ask" if previous["kind"] == "note_ask" else "ask"
    pictures = question.pictures or tuple(json.loads(previous["pictures"]))
    return replace(question, parent_id=previous["id"], kind=kind, pictures=pictures)


def _parse_days(text: str, max_days: int = MAX_DAYS) -> int:
    """Parse the number of days to show."""
    days = min(parse_number(text, default=DEFAULT_DAYS), max_days)
    if days == 0:
        raise UsageError
    return days


def main(arguments: list[str], limits: Limits | None = None) -> int:
    """Run the bot, check the set-up, copy the database, or print the version; return the exit code."""
    let_streams_print(texts.COMMAND_LINE)
    try:
        if not arguments:
            service.run(router, limits)
        elif arguments == ["--version"]:
            print(config.VERSION)
        elif arguments == ["--check"]:
            table, is_ok = checks.run_checks()
            print(table)
            return 0 if is_ok else 1
        elif len(arguments) == 2 and arguments[0] == "--backup":
            target = arguments[1]
            count = db.backup(config.database_path(), target)
            print(texts.backup_made(target, count))
        else:
            print(texts.COMMAND_LINE, file=sys.stderr)
            return 2
    except config.SetupError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
