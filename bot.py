"""What the bot says: one short handler per command, and main().

A handler gets the message and the text after its command, and returns what to say. It may call db.py and
nothing slower: it runs inside the transaction of its update.
"""

import sys
import time
from collections import Counter
from datetime import date, datetime, timedelta

import config
import db
import texts
from runtime import logs, service
from runtime.answers import Question
from runtime.outbox import Reply
from runtime.router import Message, Misuse, Router, Said, number, number_and_text

LIST_DEFAULT, LIST_MOST = 10, 50
STATS_DEFAULT_DAYS, STATS_MOST_DAYS = 30, 366

router = Router()
command = router.command


@command("start", "начать")
def start(message: Message, text: str) -> Said:
    """Greet, and list the commands."""
    return f"{texts.GREETING}\n\n{router.help()}"


@command("help", "все команды")
def help_(message: Message, text: str) -> Said:
    """List the commands."""
    return router.help()


@command("note_add", "добавить заметку", usage="<текст>")
def note_add(message: Message, text: str) -> Said:
    """Store a note and say its number."""
    if not text:
        raise Misuse
    return texts.note_added(
        db.add_note(message.from_user.id, message.chat.id, message.message_id, text, created_at=message.date)
    )


@command("note_list", "последние заметки", usage="[сколько]")
def note_list(message: Message, text: str) -> Said:
    """Show the newest notes."""
    limit = number(text, default=LIST_DEFAULT)
    if limit == 0:
        raise Misuse
    rows = db.list_notes(message.from_user.id, min(limit, LIST_MOST))
    if not rows:
        return texts.NO_NOTES
    return texts.note_list(rows, texts.latest(len(rows), db.count_notes(message.from_user.id)))


@command("note_find", "найти заметки", usage="<подстрока>")
def note_find(message: Message, text: str) -> Said:
    """Show the notes that hold a piece of text."""
    if not text:
        raise Misuse
    rows = db.find_notes(message.from_user.id, text, LIST_MOST + 1)
    if not rows:
        return texts.NOTHING_FOUND
    shown = rows[:LIST_MOST]
    return texts.note_list(shown, texts.found(len(shown), more=len(rows) > LIST_MOST))


@command("note_edit", "изменить заметку", usage="<id> <текст>")
def note_edit(message: Message, text: str) -> Said:
    """Replace a note's text."""
    note_id, new_text = number_and_text(text)
    edited = db.edit_note(message.from_user.id, note_id, new_text)
    return texts.note_edited(note_id) if edited else texts.note_missing(note_id)


@command("note_del", "удалить заметку", usage="<id>")
def note_del(message: Message, text: str) -> Said:
    """Delete a note."""
    note_id = number(text)
    deleted = db.delete_note(message.from_user.id, note_id)
    return texts.note_deleted(note_id) if deleted else texts.note_missing(note_id)


@command("note_count", "сколько заметок")
def note_count(message: Message, text: str) -> Said:
    """Count the notes."""
    return texts.note_count(db.count_notes(message.from_user.id))


@command("note_export", "все заметки файлом")
def note_export(message: Message, text: str) -> Said:
    """Send all notes as a text file, made when it is sent."""
    if not db.count_notes(message.from_user.id):
        return texts.NO_NOTES
    return Reply(texts.EXPORT_CAPTION, {"kind": "notes.txt", "user_id": message.from_user.id})


@command("note_stats", "заметки по дням", usage="[дней]")
def note_stats(message: Message, text: str) -> Said:
    """Count the notes of the last days, day by day."""
    days = min(number(text, default=STATS_DEFAULT_DAYS), STATS_MOST_DAYS)
    if days == 0:
        raise Misuse
    first_day = date.today() - timedelta(days=days - 1)
    since = int(time.mktime(first_day.timetuple()))
    times = db.note_times(message.from_user.id, since)
    return texts.note_stats(Counter(datetime.fromtimestamp(t).date() for t in times), days)


@command("models", "список моделей")
def models(message: Message, text: str) -> Said:
    """List the models."""
    rows = db.list_models()
    return texts.model_list(rows) if rows else texts.NO_MODELS


@command("model", "показать или сменить модель", usage="<ID из /models>")
def model(message: Message, text: str) -> Said:
    """Show the active model, or switch to another."""
    try:
        if not text:
            return texts.model_active(db.get_active_model())
        return texts.model_switched(db.set_active_model(number(text)))
    except RuntimeError:
        return texts.NO_MODELS
    except ValueError:
        return texts.UNKNOWN_MODEL


@command("ask", "спросить модель", usage="<вопрос>")
def ask(message: Message, text: str) -> Said:
    """Have the active model answer a question."""
    if not text:
        raise Misuse
    return Question(text) if db.list_models() else texts.NO_MODELS


def main() -> int:
    """Run the bot until it is told to stop; return the exit code."""
    try:
        settings = config.load()
        logs.start(settings.log_level, secrets=[settings.token, config.openrouter().api_key])
        db.open(settings.db_path)
        service.run(settings, router)
    except config.SetupError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the owner reads it in the terminal
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
