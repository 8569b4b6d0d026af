"""The commands of the bot, one short handler each, and main().

A handler receives the message and the text after the command, and returns what to send. It runs inside the
transaction of its update, so it uses the database and nothing slower. It returns a Job for work that takes long or
needs the network.
"""

import sys

import texts

if sys.version_info < (3, 11):
    sys.exit(texts.PYTHON_TOO_OLD)

from dataclasses import replace

import bot_buttons
import bot_messages
import clock
import config
import db
import db_messages
import db_people
import journal
import storage
from app import checks, service
from bot_messages import zone_of
from llm import conversations, model_menu, settings_menu
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
from notes.note_card import NO_PLACE
from telegram import dispatcher
from telegram.access import check_access, is_admin
from telegram.limits import MAX_DOWNLOAD_BYTES
from telegram.messages import Message
from telegram.pacing import Limits
from telegram.replies import Button, HandlerResult, Job, Question, Reply, UsageError
from telegram.router import Router, parse_number
from unicode_text import let_streams_print

NOTES_PER_PAGE, MAX_NOTES_PER_PAGE = 10, 50
DEFAULT_DAYS, MAX_DAYS = 30, 366
MAX_USAGE_DAYS = 3660
FIRST_COMMANDS = ("note_list", "note_find", "remind", "models", "settings", "help")

router = Router()
router.add_buttons(bot_buttons.router)


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
        long_messages.start(message, message.formatted(text))
        return bot_messages.keep(message, text)
    if message.replied_to is None:
        raise UsageError
    return bot_messages.keep_replied(message, message.replied_to)


@router.edited("note_add")
def note_add_edited(message: Message, text: str) -> HandlerResult:
    """Edit the note when its message is edited; add it if the command was mistyped at first."""
    if text or message.attachments:
        note, whole = bot_messages.find_edited_note(message, text)
        if note is not None:
            return bot_messages.follow_message(note, message, whole)
    return note_add(message, text)


@router.command("note_list", "последние заметки или заметки за день", usage="[сколько или день]")
def note_list(message: Message, text: str) -> HandlerResult:
    """List the newest notes, ten per page or as many as you say, or those of a day, a month or another period."""
    zone = zone_of(message)
    page = listing.period_page(message.user_id, text, NOTES_PER_PAGE, zone)
    if page:
        return page
    page_size = min(parse_number(text, default=NOTES_PER_PAGE), MAX_NOTES_PER_PAGE)
    if page_size == 0:
        raise UsageError
    return listing.first_page(message.user_id, "", page_size, zone) or texts.NO_NOTES


@router.command("note_show", "показать заметку целиком", usage="<номер>")
def note_show(message: Message, text: str) -> HandlerResult:
    """Show a whole note; in reply to a note, without its number."""
    number = bot_messages.note_number(message, text)
    note = note_card.existing(message.user_id, number)
    return note_card.show(note, zone_of(message)) if note else note_card.why_missing(message.user_id, number)


@router.command("note_find", "найти заметки", usage="<слова или «фраза»>")
def note_find(message: Message, text: str) -> HandlerResult:
    """Find notes that contain all the words, or a "quoted phrase"."""
    if not text:
        raise UsageError
    zone = zone_of(message)
    page = listing.period_page(message.user_id, text, NOTES_PER_PAGE, zone, is_search=True)
    if page:
        return page
    job = Job("find", {"query": text, "page_size": NOTES_PER_PAGE})
    if journal.has_job(message.user_id, bot_buttons.SEARCH_JOBS):
        return job  # searches are slow for this person, and their results come in order
    try:
        page = listing.first_page(message.user_id, text, NOTES_PER_PAGE, zone, deadline=listing.deadline())
    except storage.DeadlinePassed:
        return job
    return page or texts.NOTHING_FOUND


@router.command("tags", "теги заметок")
def tags(message: Message, text: str) -> HandlerResult:
    """List the #tags in your notes, with a button for the notes of each."""
    try:
        return listing.tags_page(message.user_id, NOTES_PER_PAGE, listing.deadline()) or texts.NO_TAGS
    except storage.DeadlinePassed:
        return Job("tags", {"page_size": NOTES_PER_PAGE})


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
    result = editing.edit_note(message.user_id, number, message.formatted(new_text))
    return bot_messages.expect_more_parts(message, result)


@router.edited("note_edit")
def note_edit_edited(message: Message, text: str) -> HandlerResult:
    """Edit the note again when the message with the command is edited."""
    number, new_text = bot_messages.number_and_text(message, text)
    if not new_text:
        raise UsageError
    joined = long_messages.replace_part(message, message.formatted(new_text))
    return editing.edit_note_again(message.user_id, number, joined.text)


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


@router.command("note_trash", "удалённые заметки")
def note_trash(message: Message, text: str) -> HandlerResult:
    """Show the notes deleted in the last 30 days, with a button to restore each."""
    return trash.page(message.user_id, zone_of(message))


@router.command("note_restore", "вернуть удалённую заметку", usage="<номер>")
def note_restore(message: Message, text: str) -> HandlerResult:
    """Restore a note that was deleted in the last 30 days."""
    return editing.restore_note(message.user_id, bot_messages.note_number(message, text))


@router.command("note_pin", "закрепить заметку в начале списка", usage="<номер>")
def note_pin(message: Message, text: str) -> HandlerResult:
    """Pin a note: pinned notes lead the list."""
    number = bot_messages.note_number(message, text)
    problem = note_card.pin(message.user_id, number)
    unpin = Button(texts.UNPIN, f"unpin:0:0:{number}")
    return problem or Reply(texts.note_pinned(number), buttons=[[unpin]])


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


@router.command("note_import", "вернуть заметки из файла json или zip", takes_file=True)
def note_import(message: Message, text: str) -> HandlerResult:
    """Import an exported json or zip file: sent next, with this command as its caption, or replied to."""
    document = message.document
    if document is None and message.replied_to is not None:
        document = message.replied_to.document
    if document is None:
        dispatcher.await_text(message, "note_import", message.sent_at)
        return texts.IMPORT_NO_FILE
    if (document.file_size or 0) > MAX_DOWNLOAD_BYTES:
        return texts.IMPORT_TOO_LARGE
    return Job("import", {"file_id": document.file_id})


# Messages without a command ----------------------------------------------------------------------------


@router.text
def plain_text(message: Message, text: str) -> HandlerResult:
    """Continue a conversation, in reply to an answer or in a topic; otherwise save the text or offer to ask."""
    previous = conversations.replied_question(message)
    if previous is not None:
        return conversations.follow_up(message, conversations.question_in(message, text), previous)
    note = None if message.is_forwarded else bot_messages.replied_note(message)
    if note is not None:
        return bot_messages.expect_more_parts(message, editing.append(note, message.formatted(text)))
    if not message.is_private:
        return None
    if not message.is_forwarded:
        if text.startswith("/"):
            return texts.HINT
        previous = conversations.latest_in_topic(message)
        if previous is not None:
            return conversations.follow_up(message, conversations.question_in(message, text), previous)
        long_messages.start(message, message.formatted(text))
    mode = db_people.get_settings(message.user_id)["plain_text"] or message.settings.plain_text
    return bot_messages.confirm(message, plain_texts.receive(message, asks_first=mode == "ask_first"))


@router.media
def media(message: Message, text: str) -> HandlerResult:
    """Keep a photo, a file, a place, … as a note; continue a conversation with a caption or speech in a reply."""
    previous = conversations.replied_question(message)
    if previous is not None and (text or transcripts.speech_of(message)):
        return conversations.follow_up(message, conversations.question_in(message, text), previous)
    return bot_messages.keep(message, text) if message.is_private else None


@router.album_part
def album_part(message: Message, text: str) -> HandlerResult:
    """Add a further photo or file of an album to its note, or to the question in its caption."""
    return bot_messages.add_album_part(message, text)


@router.continuation
def continue_long_message(message: Message) -> bool:
    """Append the next part of a long message to the note, the text or the question that the first part became."""
    return bot_messages.continue_long_message(message)


@router.edited_text
def plain_text_edited(message: Message, text: str) -> HandlerResult:
    """Edit the note that was made from a message when the message is edited."""
    note, whole = bot_messages.find_edited_note(message, text)
    if note is not None:
        return bot_messages.follow_message(note, message, whole)
    joined = long_messages.replace_part(message, message.formatted(text))
    db_messages.update_plain_text(
        message.user_id, message.chat_id, joined.message_id, joined.text.text, joined.text.entities
    )
    return None


# Models ------------------------------------------------------------------------------------------------


@router.command("models", "список моделей")
def models(message: Message, text: str) -> HandlerResult:
    """List the models, with a button to switch to each."""
    return model_menu.active_page()


@router.command("model", "показать или сменить модель", usage="[номер]")
def model(message: Message, text: str) -> HandlerResult:
    """Show the active model, or switch to another."""
    if text:
        check_access(message.settings, message.user_id, admin_only=True)
        return model_menu.switch(message.settings, parse_number(text))
    return model_menu.active_model(message.settings, message.user_id, message.chat_id)


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
    note = bot_messages.replied_note(message)
    if text:
        note_number = note["number"] if note else None
        result = reminders.set_by_command(message, text, note_number, zone_of(message))
        return result or bot_messages.ask_for_rest(message, "remind", text, texts.REMIND_WHAT)
    if note is None:
        raise UsageError
    return bot_messages.ask_for_rest(message, "remind", str(note["number"]), texts.REMIND_OF_NOTE_WHEN)


@router.command("reminders", "ближайшие напоминания")
def list_reminders(message: Message, text: str) -> HandlerResult:
    """List the next reminders, with a button to cancel each."""
    return reminders.upcoming(message.user_id, message.chat_id, zone_of(message))


# Questions ---------------------------------------------------------------------------------------------


@router.command("ask", "спросить модель", usage="<вопрос>")
def ask(message: Message, text: str) -> HandlerResult:
    """Ask the active model; in a caption or a reply, about that photo or text. A recording is the question."""
    answered = conversations.own_answered_question(message)
    note = bot_messages.replied_note(message)
    if answered is None:
        text = "\n\n".join(filter(None, [text, bot_messages.replied_text(message, note)]))
    pictures = capture.pictures(message, note)
    if pictures and not text:
        text = texts.WHAT_IS_IN_THE_PICTURE
    question = replace(conversations.question_in(message, text), pictures=pictures)
    if any(map(transcripts.is_speech, message.attachments)) and not question.speech and not text:
        return texts.TRANSCRIPTION_OFF
    previous = answered or conversations.latest_in_topic(message)
    if previous is not None and (question.text or question.speech):
        return conversations.follow_up(message, question, previous)
    return conversations.begin(message, question)


@router.command("compare", "спросить три модели сразу", usage="<вопрос>")
def compare(message: Message, text: str) -> HandlerResult:
    """Ask three models the same question at once."""
    return conversations.begin(message, Question(text, kind="compare"))


@router.command("web", "спросить с поиском в интернете", usage="<вопрос>")
def web(message: Message, text: str) -> HandlerResult:
    """Ask the active model to search the web and answer."""
    return conversations.begin(message, Question(text, kind="web"))


@router.command("note_ask", "спросить модель о своих заметках", usage="<вопрос>")
def note_ask(message: Message, text: str) -> HandlerResult:
    """Ask the active model about your notes; it gets the notes that are similar to the question."""
    return conversations.begin(message, Question(text, kind="note_ask"))


@router.command("new", "начать разговор с моделью заново", usage="[вопрос]")
def new(message: Message, text: str) -> HandlerResult:
    """Begin a new conversation; in a topic of a private chat, the one before it ends."""
    reply = texts.ALWAYS_NEW_CONVERSATION
    if message.is_private and message.thread_id is not None:
        journal.begin_conversation(message.chat_id, message.thread_id)
        reply = texts.NEW_CONVERSATION
    return conversations.begin(message, Question(text)) if text else reply


# Personal settings -------------------------------------------------------------------------------------


@router.command("settings", "личные настройки", usage="[часовой пояс]")
def settings(message: Message, text: str) -> HandlerResult:
    """Show and change your own settings: time zone, model, instructions for models."""
    if not message.is_private:
        return texts.SETTINGS_ONLY_IN_PRIVATE
    if text:
        return settings_menu.set_zone_by_name(message.user_id, text, message.settings.timezone)
    return settings_menu.overview(message.user_id, message.settings.timezone)


@router.command("prompt", "указания модели: как вам отвечать", usage="[текст]")
def prompt(message: Message, text: str) -> HandlerResult:
    """Tell the models how to answer you."""
    if not message.is_private:
        return texts.SETTINGS_ONLY_IN_PRIVATE
    return settings_menu.set_prompt(message.user_id, text) if text else settings_menu.prompt_page(message.user_id)


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
