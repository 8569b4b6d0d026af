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
from runtime.attempts import is_paid
from runtime.outbox import Button, Reply
from runtime.router import Message, Misuse, Router, Said, Tap, Tapped, number, number_and_text

LIST_DEFAULT, LIST_MOST = 10, 50
MODELS_A_PAGE = 10
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
    return Reply(texts.EXPORT_CAPTION, attachment={"kind": "notes.txt", "user_id": message.from_user.id})


@command("note_stats", "заметки по дням", usage="[дней]")
def note_stats(message: Message, text: str) -> Said:
    """Count the notes of the last days, day by day."""
    days = _days(text)
    times = db.note_times(message.from_user.id, _first_moment(days))
    return texts.note_stats(Counter(datetime.fromtimestamp(t).date() for t in times), days)


@command("models", "список моделей")
def models(message: Message, text: str) -> Said:
    """List the models, with a button each."""
    rows = db.list_models()
    return models_page(rows, _page_of_active(rows)) if rows else texts.NO_MODELS


@command("model", "показать или сменить модель", usage="<ID из /models>")
def model(message: Message, text: str) -> Said:
    """Show the active model, or switch to another."""
    try:
        if not text:
            return texts.model_active(db.get_active_model())
        return _switch(number(text))
    except RuntimeError:
        return texts.NO_MODELS


@command("models_refresh", "обновить список моделей")
def models_refresh(message: Message, text: str) -> Said:
    """Have the lists of all gateways fetched, and say what changed once they are here."""
    return Reply(attachment={"kind": "models"})


@command("providers", "провайдеры RVFreeLLM", usage="[имя]")
def providers(message: Message, text: str) -> Said:
    """Show the providers of the gateway that has some, or the models of one."""
    return Reply(attachment={"kind": "providers", "name": text})


@router.button("model")
def tap_model(tap: Tap, model_id: int) -> Tapped:
    """Switch to a model, and show the page with the star in its new place."""
    said = _switch(model_id)
    rows = db.list_models()
    return Tapped(said, edit=models_page(rows, _page_of_active(rows)) if rows else None)


@router.button("models")
def tap_models_page(tap: Tap, page: int) -> Tapped:
    """Turn to another page of the models."""
    rows = db.list_models()
    return Tapped(edit=models_page(rows, page) if rows else None)


def models_page(rows: list[db.Row], page: int) -> Reply:
    """Show a page of the models: those that can be chosen have a button."""
    pages = -(-len(rows) // MODELS_A_PAGE)
    page = min(max(page, 1), pages)
    shown = rows[(page - 1) * MODELS_A_PAGE : page * MODELS_A_PAGE]
    buttons = [[Button(texts.model_button(row), f"model:{row['id']}")] for row in shown if row["available"]]
    turns = [(texts.PREVIOUS, page - 1), (texts.NEXT, page + 1)]
    buttons.append([Button(label, f"models:{to}") for label, to in turns if 1 <= to <= pages])
    said = texts.model_list(shown, page, pages)
    return Reply(said, buttons=[row for row in buttons if row], is_list_of_models=True)


def _page_of_active(rows: list[db.Row]) -> int:
    place = next((place for place, row in enumerate(rows) if row["active"]), 0)
    return place // MODELS_A_PAGE + 1


def _switch(model_id: int) -> str:
    """Make a model the active one, if it may be, and say so."""
    try:
        if not config.allows_paid_models() and is_paid(wanted := db.get_model(model_id)):
            return texts.model_paid(wanted)
        return texts.model_switched(db.set_active_model(model_id))
    except ValueError:
        return texts.UNKNOWN_MODEL if db.list_models() else texts.NO_MODELS


@command("ask", "спросить модель", usage="<вопрос>")
def ask(message: Message, text: str) -> Said:
    """Have the active model answer a question."""
    return _question(text)


@command("compare", "спросить три модели сразу", usage="<вопрос>")
def compare(message: Message, text: str) -> Said:
    """Have up to three models answer the same question."""
    return _question(text, kind="compare")


@command("web", "спросить с поиском в интернете", usage="<вопрос>")
def web(message: Message, text: str) -> Said:
    """Have the active model answer after a search of the web."""
    return _question(text, kind="web")


@command("usage", "запросы к моделям", usage="[дней]")
def usage(message: Message, text: str) -> Said:
    """Show a person's requests to models, and how much of the account's free day is spent."""
    days = _days(text)
    midnight = int(time.time()) // 86400 * 86400  # OpenRouter counts days in UTC
    free_today = len(db.free_requests_since(midnight))
    rows = db.usage_by_model(message.from_user.id, _first_moment(days))
    return texts.usage(rows, days, free_today, config.free_requests_per_day())


@router.text
def plain_text(message: Message, text: str) -> Said:
    """Go on with a talk when an answer is replied to; else give a hint."""
    replied = message.reply_to_message
    question = replied and db.question_answered_by(message.chat.id, replied.message_id)
    if not question:
        return texts.HINT if message.chat.type == "private" else None
    if question["user_id"] != message.from_user.id:
        return texts.NOT_YOUR_TALK
    return Question(text, parent_id=question["id"])


@router.button("again")
def ask_again(tap: Tap, question_id: int) -> Tapped:
    """Ask the same question once more, of the model that is active now."""
    question = db.get_question(tap.message.chat.id, question_id)
    if question is None:
        return Tapped(texts.ANSWER_GONE)
    own = question["user_id"] == tap.from_user.id
    parent_id = question["parent_id"] if own else None
    kind = "web" if question["kind"] == "web" else "ask"
    return Tapped(texts.ASKED_AGAIN, Question(question["text"], parent_id=parent_id, kind=kind))


@router.button("save")
def save_answer(tap: Tap, question_id: int) -> Tapped:
    """Keep an answer as a note; only once, however often the button is tapped."""
    chat_id, message_id = tap.message.chat.id, tap.message.message_id
    try:
        note_id, is_new = db.save_answer(tap.from_user.id, chat_id, message_id, question_id)
    except ValueError:
        return Tapped(texts.ANSWER_GONE)
    return Tapped(texts.answer_saved(note_id, is_new=is_new))


def _question(text: str, kind: str = "ask") -> Said:
    """Ask, if there is anything to ask and anybody to be asked."""
    if not text:
        raise Misuse
    return Question(text, kind=kind) if db.list_models() else texts.NO_MODELS


def _days(text: str) -> int:
    """Read for how many days something is to be shown."""
    days = min(number(text, default=STATS_DEFAULT_DAYS), STATS_MOST_DAYS)
    if days == 0:
        raise Misuse
    return days


def _first_moment(days: int) -> int:
    """Return when the first of the last so many local days began, in Unix seconds."""
    return int(time.mktime((date.today() - timedelta(days=days - 1)).timetuple()))


def main() -> int:
    """Run the bot until it is told to stop; return the exit code."""
    try:
        settings = config.load()
        config.check_the_rest()
        logs.start(settings.log_level, secrets=config.secrets())
        db.open(settings.db_path)
        service.run(settings, router)
    except config.SetupError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the owner reads it in the terminal
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
