"""What the bot says: one short handler per command, and main().

A handler gets the message and the text after its command, and returns what to say. It may call db.py and
nothing slower: it runs inside the transaction of its update.
"""

import sys
import time
from collections.abc import Callable
from datetime import timedelta

import config
import db
import texts
from runtime import listing, logs, service, status
from runtime.answers import Question
from runtime.attempts import is_paid
from runtime.outbox import Button, Reply
from runtime.router import Message, Misuse, Router, Said, Tap, Tapped, number, number_and_text
from runtime.telegram import DOWNLOAD_MOST

LIST_DEFAULT, LIST_MOST = 10, 50
FOUND_A_PAGE = 10
EXPORTS, EXPORT_DEFAULT = ("txt", "md", "json"), "txt"
MODELS_A_PAGE = 10
STATS_DEFAULT_DAYS, STATS_MOST_DAYS = 30, 366

router = Router()
command = router.command


@command("start", "начать")
def start(message: Message, text: str) -> Said:
    """Greet, and list the commands."""
    return f"{texts.GREETING}\n\n{router.help(message.from_user.id)}"


@command("help", "все команды")
def help_(message: Message, text: str) -> Said:
    """List the commands."""
    return router.help(message.from_user.id)


@command("note_add", "добавить заметку", usage="<текст>")
def note_add(message: Message, text: str) -> Said:
    """Store a note and say its number."""
    if not text:
        raise Misuse
    return texts.note_added(
        db.add_note(message.from_user.id, message.chat.id, message.message_id, text, created_at=message.date)
    )


@router.edit("note_add")
def note_add_edited(message: Message, text: str) -> Said:
    """Have a note say what its message says now; a mistyped /note_add that is put right adds one."""
    if not text:
        raise Misuse
    note = db.note_of_message(message.from_user.id, message.chat.id, message.message_id)
    return _edit_from_message(note, text) if note else note_add(message, text)


@command("note_list", "последние заметки", usage="[сколько]")
def note_list(message: Message, text: str) -> Said:
    """Show the newest notes, page by page."""
    page_size = number(text, default=LIST_DEFAULT)
    if page_size == 0:
        raise Misuse
    return listing.first_page(message.from_user.id, "", min(page_size, LIST_MOST)) or texts.NO_NOTES


@command("note_show", "показать заметку целиком", usage="<id>")
def note_show(message: Message, text: str) -> Said:
    """Show one note whole."""
    note_id = number(text)
    note = db.get_note(message.from_user.id, note_id)
    if note is None:
        return texts.note_missing(note_id)
    return texts.note(note) if note["deleted_at"] is None else texts.note_is_deleted(note_id)


@command("note_find", "найти заметки", usage="<слова или «фраза»>")
def note_find(message: Message, text: str) -> Said:
    """Show the notes that hold some pieces of text, page by page."""
    if not text:
        raise Misuse
    return listing.first_page(message.from_user.id, text, FOUND_A_PAGE) or texts.NOTHING_FOUND


@router.button("older", numbers=2)
def older(tap: Tap, listing_id: int, note_id: int) -> Tapped:
    """Turn to the page of the notes before one."""
    return listing.turn(tap.from_user.id, listing_id, older_than=note_id)


@router.button("newer", numbers=2)
def newer(tap: Tap, listing_id: int, note_id: int) -> Tapped:
    """Turn to the page of the notes after one."""
    return listing.turn(tap.from_user.id, listing_id, newer_than=note_id)


@command("note_edit", "изменить заметку", usage="<id> <текст>")
def note_edit(message: Message, text: str) -> Said:
    """Replace a note's text."""
    note_id, new_text = number_and_text(text)
    edit_id = db.edit_note(message.from_user.id, note_id, new_text)
    return texts.note_missing(note_id) if edit_id is None else _edited(note_id, edit_id)


@router.edit("note_edit")
def note_edit_edited(message: Message, text: str) -> Said:
    """Edit a note once more, if that changes it."""
    note_id, new_text = number_and_text(text)
    edit_id = db.edit_note(message.from_user.id, note_id, new_text)
    return _edited(note_id, edit_id) if edit_id else None


@router.button("unedit")
def unedit(tap: Tap, edit_id: int) -> Tapped:
    """Bring back the text before an edit."""
    return _turned_back(tap, edit_id, texts.edit_undone, texts.REDO_EDIT, "reedit")


@router.button("reedit")
def reedit(tap: Tap, edit_id: int) -> Tapped:
    """Bring back the text before an edit was undone."""
    return _turned_back(tap, edit_id, texts.edit_redone, texts.UNDO_EDIT, "unedit")


def _turned_back(tap: Tap, edit_id: int, done: Callable[[int], str], label: str, name: str) -> Tapped:
    """Undo an edit by another edit, which a button undoes in its turn."""
    try:
        note_id, undone_by = db.undo_edit(tap.from_user.id, edit_id)
    except ValueError:
        return Tapped(texts.EDIT_GONE)
    if not undone_by:
        return Tapped(texts.EDIT_UNDONE_ALREADY if undone_by == 0 else texts.note_is_deleted(note_id))
    return Tapped(edit=Reply(done(note_id), buttons=[[Button(label, f"{name}:{undone_by}")]]))


def _edited(note_id: int, edit_id: int) -> Said:
    undo = [[Button(texts.UNDO_EDIT, f"unedit:{edit_id}")]] if edit_id else []
    return Reply(texts.note_edited(note_id), buttons=undo)


def _edit_from_message(note: db.Row, text: str) -> Said:
    """Have a note say what the message that brought it says now, if that is something else."""
    edit_id = db.edit_note(note["user_id"], note["id"], text)
    if edit_id is None:
        return texts.note_is_deleted(note["id"])
    return _edited(note["id"], edit_id) if edit_id else None


@command("note_del", "удалить заметку", usage="<id>")
def note_del(message: Message, text: str) -> Said:
    """Delete a note, with a button that brings it back."""
    note_id = number(text)
    if not db.delete_note(message.from_user.id, note_id):
        return texts.note_missing(note_id)
    return Reply(texts.note_deleted(note_id), buttons=[[Button(texts.RESTORE, f"restore:{note_id}")]])


@command("note_restore", "вернуть удалённую заметку", usage="<id>")
def note_restore(message: Message, text: str) -> Said:
    """Bring a deleted note back."""
    return _restore(message.from_user.id, number(text))


@router.button("restore")
def tap_restore(tap: Tap, note_id: int) -> Tapped:
    """Bring a deleted note back."""
    return Tapped(edit=Reply(_restore(tap.from_user.id, note_id)))


def _restore(user_id: int, note_id: int) -> str:
    if db.restore_note(user_id, note_id):
        return texts.note_restored(note_id)
    note = db.get_note(user_id, note_id)
    return texts.note_not_deleted(note_id) if note and note["deleted_at"] is None else texts.note_missing(note_id)


@command("note_count", "сколько заметок")
def note_count(message: Message, text: str) -> Said:
    """Count the notes."""
    return texts.note_count(db.count_notes(message.from_user.id))


@command("note_stats", "график заметок по дням", usage="[дней]")
def note_stats(message: Message, text: str) -> Said:
    """Draw how many notes each of the last days brought, when it is sent."""
    days = _days(text)
    if not db.count_notes(message.from_user.id):
        return texts.NO_NOTES
    return Reply(attachment={"kind": "stats", "user_id": message.from_user.id, "days": days})


@command("note_export", "все заметки файлом", usage="[txt|md|json]")
def note_export(message: Message, text: str) -> Said:
    """Send all notes as a file, made when it is sent."""
    kind = text.lower() or EXPORT_DEFAULT
    if kind not in EXPORTS:
        raise Misuse
    if not db.count_notes(message.from_user.id):
        return texts.NO_NOTES
    return Reply(attachment={"kind": "notes", "user_id": message.from_user.id, "format": kind})


@command("note_import", "вернуть заметки из файла json")
def note_import(message: Message, text: str) -> Said:
    """Store the notes of a file that came with this command as its caption."""
    if not message.document:
        return texts.IMPORT_NO_FILE
    if (message.document.file_size or 0) > DOWNLOAD_MOST:
        return texts.IMPORT_TOO_LARGE
    return Reply(
        attachment={"kind": "import", "user_id": message.from_user.id, "file_id": message.document.file_id}
    )


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
        router.access.check(message.from_user.id, for_admin=True)
        return _switch(number(text))
    except RuntimeError:
        return texts.NO_MODELS


@command("models_refresh", "обновить список моделей", for_admin=True)
def models_refresh(message: Message, text: str) -> Said:
    """Have the lists of all gateways fetched, and say what changed once they are here."""
    return Reply(attachment={"kind": "models"})


@command("providers", "провайдеры RVFreeLLM", usage="[имя]")
def providers(message: Message, text: str) -> Said:
    """Show the providers of the gateway that has some, or the models of one."""
    return Reply(attachment={"kind": "providers", "name": text})


@router.button("model", for_admin=True)
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


@command("note_ask", "спросить модель о своих заметках", usage="<вопрос>")
def note_ask(message: Message, text: str) -> Said:
    """Have the active model answer from the notes that are nearest to a question."""
    return _question(text, kind="note_ask")


@command("usage", "запросы к моделям", usage="[дней] [all]")
def usage(message: Message, text: str) -> Said:
    """Show a person's requests to models and what is spent of the account's free day; to an admin, everybody's."""
    words = text.split()
    since = _first_moment(days := _days(" ".join(word for word in words if word != "all")))
    if "all" in words:
        router.access.check(message.from_user.id, for_admin=True)
        return texts.usage_of_all(db.usage_by_model(since), db.usage_by_person(since), days)
    midnight = int(time.time()) // 86400 * 86400  # OpenRouter counts days in UTC
    free_today = len(db.free_requests_since(midnight))
    rows = db.usage_by_model(since, message.from_user.id)
    return texts.usage(rows, days, free_today, config.free_requests_per_day())


@command("status", "что с ботом", for_admin=True)
def bot_status(message: Message, text: str) -> Said:
    """Tell the owner what is going on; what the gateway says of the key is asked when it is sent."""
    return Reply(attachment={"kind": "status", "state": status.now()})


@router.text
def plain_text(message: Message, text: str) -> Said:
    """Go on with a talk when an answer is replied to; else offer what can be done with a text."""
    replied = message.reply_to_message
    question = replied and db.question_answered_by(message.chat.id, replied.message_id)
    if question:
        if question["user_id"] != message.from_user.id:
            return texts.NOT_YOUR_TALK
        return Question(text, parent_id=question["id"], kind=_kind_of_next(question))
    if message.chat.type != "private":
        return None
    if text.startswith("/") and not message.forward_origin:
        return texts.HINT
    text_id = db.keep_plain_text(message.from_user.id, message.chat.id, message.message_id, text, message.date)
    return _offer(texts.PLAIN_TEXT, text_id)


@router.text_edit
def plain_text_edited(message: Message, text: str) -> Said:
    """Have the note, or the offer, that a text brought follow its new wording."""
    note = db.note_of_message(message.from_user.id, message.chat.id, message.message_id)
    if note:
        return _edit_from_message(note, text)
    db.update_plain_text(message.from_user.id, message.chat.id, message.message_id, text)
    return None


@router.button("keep")
def keep_text(tap: Tap, text_id: int) -> Tapped:
    """Keep a plain text as a note; only once, however often the button is tapped."""
    kept = db.get_plain_text(tap.from_user.id, text_id)
    if kept is None:
        return Tapped(texts.PLAIN_TEXT_GONE)
    origin = (kept["user_id"], kept["chat_id"], kept["message_id"])
    note = db.note_of_message(*origin)
    if note:
        is_alive = note["deleted_at"] is None
        return Tapped(texts.note_kept(note["id"], is_new=False) if is_alive else texts.note_is_deleted(note["id"]))
    said = texts.note_kept(db.add_note(*origin, kept["text"], kept["sent_at"]), is_new=True)
    return Tapped(edit=_offer(said, text_id, keep=False, ask=not kept["is_asked"]))


@router.button("ask")
def ask_text(tap: Tap, text_id: int) -> Tapped:
    """Ask a model what a plain text says; only once, however often the button is tapped."""
    kept = db.get_plain_text(tap.from_user.id, text_id)
    if kept is None:
        return Tapped(texts.PLAIN_TEXT_GONE)
    if kept["is_asked"]:
        return Tapped(texts.ASKED_ALREADY)
    if not db.list_models():
        return Tapped(texts.NO_MODELS)
    db.mark_asked(text_id)
    is_kept = db.note_of_message(kept["user_id"], kept["chat_id"], kept["message_id"]) is not None
    offer = _offer(texts.PLAIN_TEXT_ASKED, text_id, keep=not is_kept, ask=False)
    return Tapped(question=Question(kept["text"]), edit=offer)


def _offer(said: str, text_id: int, *, keep: bool = True, ask: bool = True) -> Reply:
    """Say something with the buttons for what can still be done with a plain text."""
    buttons = [(texts.KEEP, "keep", keep), (texts.ASK_MODEL, "ask", ask)]
    return Reply(said, buttons=[[Button(label, f"{name}:{text_id}") for label, name, can in buttons if can]])


@router.button("again")
def ask_again(tap: Tap, question_id: int) -> Tapped:
    """Ask the same question once more, of the model that is active now."""
    question = db.get_question(tap.message.chat.id, question_id)
    if question is None:
        return Tapped(texts.ANSWER_GONE)
    own = question["user_id"] == tap.from_user.id
    parent_id = question["parent_id"] if own else None
    return Tapped(texts.ASKED_AGAIN, Question(question["text"], parent_id=parent_id, kind=_kind_again(question)))


@router.button("save")
def save_answer(tap: Tap, question_id: int) -> Tapped:
    """Keep an answer as a note; only once, however often the button is tapped."""
    chat_id, message_id = tap.message.chat.id, tap.message.message_id
    try:
        note_id, is_new = db.save_answer(tap.from_user.id, chat_id, message_id, question_id)
    except ValueError:
        return Tapped(texts.ANSWER_GONE)
    return Tapped(texts.note_kept(note_id, is_new=is_new))


def _kind_again(question: db.Row) -> str:
    """Return how to ask a question again: of one model, if it was of several."""
    return "ask" if question["kind"] == "compare" else str(question["kind"])


def _kind_of_next(question: db.Row) -> str:
    """Return how to ask what follows an answer: from the notes again, if it was from them."""
    return "note_ask" if question["kind"] == "note_ask" else "ask"


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
    return texts.midnight(texts.local(time.time()).date() - timedelta(days=days - 1))


def main() -> int:
    """Do what the command line asks for: run until told to stop, check, or back up; return the exit code."""
    try:
        match sys.argv[1:]:
            case []:
                run()
            case ["--check"]:
                table, is_well = status.check()
                print(table)
                return 0 if is_well else 1
            case ["--backup", file]:
                print(texts.backup_made(file, db.backup(config.db_path(), file)))
            case _:
                print(texts.COMMAND_LINE, file=sys.stderr)
                return 2
    except config.SetupError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def run() -> None:
    """Run the bot until it is told to stop; SetupError if the owner has to mend something."""
    settings = config.load()
    config.check_the_rest()
    logs.start(settings.log_level, secrets=config.secrets())
    texts.use_timezone(settings.timezone)
    db.open(settings.db_path, settings.notes_max)
    service.run(settings, router)


if __name__ == "__main__":
    sys.exit(main())
