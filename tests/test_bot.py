"""bot: the reply to every command, with a real database and real updates, without the network.

- the table: dispatch, @names, case, newlines, hints, what is not for the bot
- notes: adding, listing, showing, finding, editing, deleting, counting, exporting
- undo: of deletions and edits; edits of the messages themselves; plain texts
- models and questions
- any text after any command gets a reply
"""

import re
import runpy
import sys
import time
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, clean_up, store_question, without_times
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_db import EMPTY_IMPORT
from test_updates import SETTINGS

import clock
import db
import db_people
import db_search
import journal
import storage
import texts
from bot import router
from notes import exports
from telegram.dispatcher import Dispatcher
from telegram.replies import ButtonResult, File, HandlerResult, Job, Question, Reply
from telegram.updates import Update, parse_update

pytestmark = pytest.mark.usefixtures("database")

ANN, BOB, GROUP = 1, 2, -100500
storable_text = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
one_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
dispatcher = Dispatcher(router, SETTINGS, "Our_Bot")


def message(text: str | None, user_id: int | None = ANN, chat_id: int = ANN, **fields: Any) -> dict[str, Any]:
    """Return a message as Telegram sends it (https://core.telegram.org/bots/api#message), with more fields."""
    raw: dict[str, Any] = {
        "message_id": 5,
        "date": int(time.time()),
        "chat": {"id": chat_id, "type": "private" if chat_id > 0 else "supergroup"},
        **fields,
    }
    if text is not None:
        raw["text"] = text
    if user_id is not None:
        raw["from"] = {"id": user_id, "is_bot": False, "first_name": "Анна"}
    return raw


def update(**kind: Any) -> Update:
    return parse_update({"update_id": 1, **kind}, SETTINGS)


def handle(text: str | None, user_id: int | None = ANN, chat_id: int = ANN, **fields: Any) -> HandlerResult:
    """Send a message to the bot; return what its handler returns."""
    received = update(message=message(text, user_id, chat_id, **fields)).message
    return dispatcher.handle_message(received) if received else None


def handle_edited(text: str | None, user_id: int = ANN, chat_id: int = ANN, **fields: Any) -> HandlerResult:
    """Edit a message; return what its handler returns."""
    received = update(edited_message=message(text, user_id, chat_id, **fields)).edited_message
    return dispatcher.handle_edited_message(received) if received else None


def ask_bot(text: str, user_id: int = ANN) -> str:
    """Send a text to the bot; return what the person reads."""
    return said(handle(text, user_id))


def said(result: HandlerResult) -> str:
    """Return what a person reads."""
    if isinstance(result, Reply):
        return unescape(re.sub("<[^>]+>", "", result.text)) if result.is_html else result.text
    return str(result)


def buttons(result: HandlerResult) -> dict[str, str]:
    """Return the buttons under a reply: label → data."""
    assert isinstance(result, Reply)
    return {button.label: button.data for row in result.buttons for button in row}


def tap(data: str, user_id: int = ANN, chat_id: int = ANN) -> ButtonResult:
    """Tap a button; return what its handler returns."""
    under = {"message_id": 6, "date": 1_700_000_000, "chat": {"id": chat_id, "type": "private"}}
    person = {"id": user_id, "is_bot": False, "first_name": "Анна"}
    query = {"id": "1", "from": person, "message": under, "chat_instance": "1", "data": data}
    received = update(callback_query=query).callback_query
    assert received
    return dispatcher.handle_button(received)


def exported(format: str, user_id: int = ANN) -> str:
    """Return the content of an exported file."""
    file = exports.export_notes(user_id, format, None)
    assert isinstance(file, File)
    with file.content as content:
        content.seek(0)
        return content.read().decode()


# The table of commands


def test_help_the_menu_and_the_dispatcher_use_one_table() -> None:
    names = list(router.commands)
    assert [command.command for command in router.menu(has_admins=False)] == names
    help_text = handle("/help")
    assert isinstance(help_text, str)
    assert [line.split()[0] for line in help_text.split("\n")[1:]] == [f"/{name}" for name in names]
    start_lines = str(handle("/start")).split("\n\n")[1].split("\n")
    assert len(start_lines) < 10  # all of it is to fit on a phone's screen
    assert {line.split()[0] for line in start_lines} < {f"/{name}" for name in names}
    assert start_lines[-1] in help_text
    for name in names:
        result = handle(f"/{name}")
        assert result is not None
        assert result != texts.unknown_command(name)


def test_a_command_is_explained_in_russian_and_its_handler_in_english() -> None:
    for name, command in router.commands.items():
        assert re.search("[а-я]", command.summary), name
        first_line = (command.handler.__doc__ or "").split("\n")[0]
        assert re.fullmatch(r"[A-Z].*\.", first_line), name
        assert first_line.isascii(), name


def test_every_handler_has_a_docstring() -> None:
    handlers = [*router.edit_handlers.values(), router.text_handler, router.edited_text_handler]
    button_handlers = [button.handler for button in router.buttons.values()]
    for handler in (*handlers, *button_handlers):
        assert handler.__doc__, handler


def test_the_menu_is_valid_for_telegram() -> None:
    for command in router.menu(has_admins=False):
        assert command.command.islower()
        assert 1 <= len(command.description) <= 256


def test_an_old_python_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 14))
    with pytest.raises(SystemExit, match=r"3\.11"):
        runpy.run_path(str(ROOT / "bot.py"))


@pytest.mark.parametrize(
    "text",
    [
        "/note_add раз",
        "/note_add@Our_Bot раз",
        "/note_add@our_bot раз",
        "/Note_Add раз",
        "/note_add\nраз",
        "/note_add  раз ",
    ],
)
def test_a_command_is_recognized(text: str) -> None:
    assert said(handle(text)) == "Заметка #1 добавлена."
    assert db.list_notes(ANN, 1)[0]["text"] == "раз"


def test_a_note_may_span_lines_and_keeps_its_spaces() -> None:
    handle("/note_add\n  раз\n\n   два  три")
    assert db.list_notes(ANN, 1)[0]["text"] == "раз\n\n   два  три"


def test_a_command_for_another_bot_is_ignored() -> None:
    assert handle("/note_add@OtherBot раз") is None
    assert db.count_notes(ANN) == 0


@pytest.mark.parametrize("text", ["/wat", "/wat раз", "/wat@our_bot", "/modelss 3", "/note_addраз", "/", "//"])
def test_an_unknown_command_gets_a_hint_in_private(text: str) -> None:
    assert "/help" in str(handle(text))


def test_in_a_group_only_commands_for_the_bot_are_answered() -> None:
    for text in ("/wat", "привет", "/"):
        assert handle(text, chat_id=GROUP) is None
    assert "/help" in str(handle("/wat@our_bot", chat_id=GROUP))
    assert said(handle("/note_add раз", chat_id=GROUP)) == "Заметка #1 добавлена."


@pytest.mark.parametrize(
    "raw",
    [
        message("/note_add раз", user_id=None, sender_chat={"id": GROUP, "type": "channel"}),
        message(None, pinned_message={"message_id": 1, "date": 0, "chat": {"id": 1, "type": "private"}}),
        message(None, left_chat_member={"id": 2, "is_bot": False, "first_name": "Боб"}),
    ],
    ids=["no sender", "pinned", "left"],
)
def test_a_service_message_is_ignored(raw: dict[str, Any]) -> None:
    received = update(message=raw).message
    assert received is None or dispatcher.handle_message(received) is None


PHOTO: dict[str, Any] = {"photo": [{"file_id": "1", "file_unique_id": "1", "width": 1, "height": 1}]}
STICKER: dict[str, Any] = {"file_id": "1", "file_unique_id": "1", "width": 1, "height": 1, "type": "regular"}
STICKER |= {"is_animated": False, "is_video": False}


def test_a_caption_may_contain_a_command() -> None:
    assert said(handle(None, **PHOTO, caption="/note_add раз")) == "Заметка #1 добавлена: фото."
    assert db.list_notes(ANN, 1)[0]["text"] == "раз"


def test_media_without_text_become_notes_in_private() -> None:
    assert said(handle(None, **PHOTO)) == "Заметка #1 добавлена: фото."
    assert said(handle(None, sticker=STICKER)) == "Заметка #2 добавлена: стикер."
    assert handle(None, chat_id=GROUP, **PHOTO) is None


FORWARDED: dict[str, Any] = {"forward_origin": {"type": "hidden_user", "sender_user_name": "Боб", "date": 0}}


def test_a_forwarded_command_is_a_plain_text() -> None:
    result = handle("/note_add раз", **FORWARDED)
    assert isinstance(result, Reply)
    assert result.text == "Заметка #1 добавлена."
    assert db.list_notes(ANN, 1)[0]["text"] == "/note_add раз"
    assert handle("/note_add@our_bot раз", chat_id=GROUP, **FORWARDED) is None


@pytest.mark.parametrize("odd", ["\ud83d", "\0"])
def test_characters_that_cannot_be_stored_are_replaced(odd: str) -> None:
    handle(f"/note_add не{odd}что")
    assert db.list_notes(ANN, 1)[0]["text"] == "не\ufffdчто"
    assert "не\ufffdчто" in ask_bot(f"/note_find не{odd}что")


# Usage


@pytest.mark.parametrize(
    ("text", "usage"),
    [
        ("/note_restore ²", "/note_restore 12"),
        ("/note_export pdf", "/note_export [txt|md|json|zip]"),
        ("/note_list ²", "/note_list [сколько или день]"),
        ("/note_list 0", "/note_list [сколько или день]"),
        ("/note_list " + "9" * 30, "/note_list [сколько или день]"),
        ("/note_edit раз два", "/note_edit 12 <текст>"),
        ("/note_edit ² два", "/note_edit 12 <текст>"),
        ("/note_del ²", "/note_del 12"),
        ("/note_del -1", "/note_del 12"),
        ("/note_del 1 x", "/note_del 12"),
        ("/note_del " + "9" * 30, "/note_del 12"),
        ("/note_stats вчера", "/note_stats [дней]"),
        ("/note_stats 0", "/note_stats [дней]"),
        ("/model ²", "/model [номер]"),
        ("/model x", "/model [номер]"),
        ("/model " + "9" * 30, "/model [номер]"),
        ("/usage много", "/usage [дней] [all]"),
    ],
)
def test_wrong_arguments_get_the_usage_line(text: str, usage: str) -> None:
    assert handle(text) == f"Напишите так: {usage}"


# Notes


def test_adding_listing_editing_deleting_counting() -> None:
    assert said(handle("/note_add раз")) == "Заметка #1 добавлена."
    assert said(handle("/note_add два")) == "Заметка #2 добавлена."
    assert without_times(ask_bot("/note_list")) == (
        "Последние заметки (2 из 2):\n\n#2 · 21.11.2026 12:00\nдва\n\n#1 · 21.11.2026 12:00\nраз"
    )
    assert ask_bot("/note_edit #1 РАЗ\nи ещё") == "Заметка #1 изменена."
    assert "РАЗ\nи ещё" in ask_bot("/note_list")
    assert ask_bot("/note_del 2") == "Заметка #2 удалена."
    assert handle("/note_del 2") == "Заметка #2 не найдена."
    assert handle("/note_count") == "У вас 1 заметка."


def test_a_text_that_is_too_long_for_a_note_goes_on_in_another_one() -> None:
    for part in range(20):  # a client sends them together; one note would grow without end
        handle("ж" * 4096, message_id=10 + part, date=1_700_000_000)
    assert [len(note["text"]) for note in db.list_notes(ANN, 5)] == [4 * 4096, 16 * 4096]


def test_showing_a_whole_note() -> None:
    text = "начало " + "середина " * 100 + "конец"
    db.add_note(ANN, ANN, 5, text, 1_700_000_000)
    assert "конец" not in ask_bot("/note_list")
    assert "Целиком: /note_show <номер>" in ask_bot("/note_list")
    shown = ask_bot("/note_show #1")
    assert shown.startswith("#1 · ")
    assert shown.endswith(text)
    assert "изменена" not in shown
    handle("/note_edit 1 два")
    assert re.fullmatch(r"#1 · [\d.: ]+ · изменена [\d.: ]+\nдва", ask_bot("/note_show 1"))


def test_finding() -> None:
    handle("/note_add Купить Молоко & <сыр>")
    handle("/note_add позвонить")
    assert without_times(ask_bot("/note_find молок")) == (
        "Найдено: 1 заметка.\n\n#1 · 21.11.2026 12:00\nКупить Молоко & <сыр>"
    )
    result = handle("/note_find молок <")
    assert isinstance(result, Reply)
    assert result.text.endswith("Купить <b>Молок</b>о &amp; <b>&lt;</b>сыр&gt;")
    assert handle("/note_find кефир") == "Ничего не нашлось."


def test_without_notes() -> None:
    assert handle("/note_list") == handle("/note_export") == handle("/note_stats") == texts.NO_NOTES
    assert handle("/note_count") == "У вас 0 заметок."


def test_another_persons_note_looks_like_a_missing_one() -> None:
    handle("/note_add секрет", ANN)
    handle("/note_add тайна", ANN)
    handle("/note_del 2", ANN)
    for text in ("/note_edit 1 взлом", "/note_del 1", "/note_show 1", "/note_restore 1", "/note_restore 2"):
        number = text.split()[1]
        assert handle(text, BOB) == f"Заметка #{number} не найдена."
        assert handle(text.replace(number, "77", 1), BOB) == "Заметка #77 не найдена."
    assert handle("/note_find секрет", BOB) == "Ничего не нашлось."
    assert handle("/note_list", BOB) == texts.NO_NOTES
    assert "секрет" in ask_bot("/note_list", ANN)


def test_nothing_that_a_person_sees_tells_how_much_others_write() -> None:
    for n in range(12):
        handle(f"/note_add секрет {n}", BOB)
    for n in range(11):
        assert said(handle(f"/note_add молоко {n}")) == f"Заметка #{n + 1} добавлена."
    assert handle("/note_edit 11 кефир")
    assert tap(buttons(handle("/note_del 11"))[texts.RESTORE]).edit == Reply("Заметка #11 снова на месте.")
    saved = handle("сыр", message_id=9)
    assert isinstance(saved, Reply)
    assert saved.text == "Заметка #12 добавлена."
    assert list(buttons(saved).values()) == ["ask_note:0:0:12", "del:0:0:12"]
    seen = [ask_bot("/note_list 50"), ask_bot("/note_find молоко"), ask_bot("/note_show 12")]
    seen += [exported(format) for format in exports.FORMATS]
    for text in seen:
        numbers = re.findall(r'(?:#|"id": |"number": )([0-9]+)', text)
        assert numbers
        assert max(map(int, numbers)) <= 12
    *_, older = buttons(handle("/note_list 3")).values()
    assert older.split(":")[2] == "10"


# Which message a note comes from


def import_again(text: str, date: int) -> None:
    """Import a note as an export of this or another bot contains it."""
    note: db.ImportedNote = {**EMPTY_IMPORT, "text": text, "created_at": date, "updated_at": date}
    db.import_note(ANN, {**note, "chat_id": ANN, "message_id": 5})


def live_notes() -> list[str]:
    return [note["text"] for note in db.list_notes(ANN, 10)]


def test_a_message_of_another_bot_with_the_same_number_is_another_message() -> None:
    handle("/note_add раз")
    db.use_bot(2)
    assert said(handle_edited("/note_add два")) == "Заметка #2 добавлена."
    handle_edited("/note_add три")
    assert live_notes() == ["три", "раз"]


def test_an_imported_note_does_not_belong_to_a_new_message_with_its_number() -> None:
    import_again("старая", 1_700_000_000)
    assert said(handle_edited("/note_add новая")) == "Заметка #2 добавлена."
    handle("просто текст", message_id=6)
    handle_edited("другой текст", message_id=5)
    assert live_notes() == ["просто текст", "другой текст", "старая"]


@pytest.mark.parametrize("is_deleted_for_good", [False, True])
def test_a_note_that_was_deleted_and_imported_follows_its_message(is_deleted_for_good: bool) -> None:
    date = 1_700_000_000
    handle("/note_add раз", date=date)
    db.delete_note(ANN, 1)
    if is_deleted_for_good:
        storage.execute("DELETE FROM notes")
    import_again("раз", date)
    handle_edited("/note_add два", date=date, edit_date=date + 60)
    assert live_notes() == ["два"]


@one_database
@given(text=storable_text.filter(lambda text: text.strip()))
@example(text="'); DROP TABLE notes; --")
@example(text='"" «»')
@example(text="<b>жирно</b> & <script>")
def test_any_text_is_stored_found_exported_and_edited_unchanged(text: str) -> None:
    text = text.strip()
    number = str(handle(f"/note_add {text}")).split("#")[1].split()[0]
    assert text in ask_bot(f"/note_show {number}")
    assert text in ask_bot("/note_list 1")
    assert f"#{number} " in ask_bot(f"/note_find {text}")
    assert text in exported("txt")
    assert ask_bot(f"/note_edit {number} {text}!") == f"Заметка #{number} изменена."
    assert f"{text}!" in ask_bot("/note_list 1")
    assert ask_bot(f"/note_del {number}") == f"Заметка #{number} удалена."
    assert f"#{number} " not in ask_bot(f"/note_find {text}")


def test_a_file_to_import_must_be_attached_and_not_too_large() -> None:
    assert handle("/note_import") == texts.IMPORT_NO_FILE
    document = {"file_id": "abc", "file_unique_id": "1", "file_size": 20 * 2**20}
    assert handle(None, document=document, caption="/note_import") == Job("import", {"file_id": "abc"})
    document["file_size"] = 20 * 2**20 + 1
    assert handle(None, document=document, caption="/note_import") == texts.IMPORT_TOO_LARGE


# Undo


def test_a_deleted_note_can_be_restored_by_button_and_by_command() -> None:
    handle("/note_add раз")
    restored = tap(buttons(handle("/note_del 1"))["↩️ Вернуть"])
    assert restored.edit
    assert restored.edit.text == "Заметка #1 снова на месте."
    assert "раз" in ask_bot("/note_list")
    handle("/note_del 1")
    assert handle("/note_restore #1") == "Заметка #1 снова на месте."
    assert handle("/note_count") == "У вас 1 заметка."
    assert handle("/note_restore 1") == "Заметка #1 на месте, её не удаляли: /note_show 1"


def test_a_deleted_note_appears_nowhere() -> None:
    handle("/note_add раз два три")
    handle("/note_add другая")
    handle("/note_del 1")
    assert "раз" not in ask_bot("/note_list")
    assert handle("/note_find раз") == handle("/note_find ра") == texts.NOTHING_FOUND
    assert handle("/note_count") == "У вас 1 заметка."
    assert handle("/note_edit 1 снова") == handle("/note_del 1") == "Заметка #1 не найдена."
    assert handle("/note_show 1") == "Заметка #1 удалена. Вернуть её: /note_restore 1"
    for kind in ("txt", "md", "json"):
        assert "раз два" not in exported(kind)
    assert len(db.note_times(ANN, 0)) == 1
    assert db_search.similar_notes(ANN, ["раз"], 5) == []


def test_a_deleted_note_is_purged_after_thirty_days_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    handle("/note_add раз")
    handle("/note_edit 1 два")
    handle("/note_del 1")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 29.9 * 86400)
    clean_up(clock.now())
    assert handle("/note_restore 1") == "Заметка #1 снова на месте."
    handle("/note_del 1")
    monkeypatch.setattr(time, "time", lambda: now + 60 * 86400)
    clean_up(clock.now())
    assert storage.fetch_all("SELECT * FROM notes") == storage.fetch_all("SELECT * FROM edits") == []
    storage.execute("INSERT INTO notes_fts(notes_fts, rank) VALUES ('integrity-check', 1)")


def test_an_edit_can_be_undone_and_redone() -> None:
    handle("/note_add раз")
    undo = buttons(handle("/note_edit 1 два"))["↩️ Отменить правку"]
    undone = tap(undo).edit
    assert undone
    assert undone.text == "Заметка #1: прежний текст вернулся."
    assert "раз" in ask_bot("/note_list")
    assert tap(undo).toast == "В заметке уже этот текст."
    redone = tap(buttons(undone)["↪️ Вернуть правку"]).edit
    assert redone
    assert redone.text == "Заметка #1: правка вернулась."
    assert "два" in ask_bot("/note_list")
    tap(buttons(redone)["↩️ Отменить правку"])
    assert "раз" in ask_bot("/note_list")


def test_an_edit_without_a_change_has_no_undo_button() -> None:
    handle("/note_add раз")
    assert buttons(handle("/note_edit 1 раз")) == {}


def test_the_edit_of_a_deleted_note_cannot_be_undone() -> None:
    handle("/note_add раз")
    undo = buttons(handle("/note_edit 1 два"))["↩️ Отменить правку"]
    handle("/note_del 1")
    assert tap(undo) == ButtonResult("Заметка #1 удалена. Вернуть её: /note_restore 1")


def test_nobody_else_can_use_these_buttons() -> None:
    handle("/note_add раз")
    undo = buttons(handle("/note_edit 1 два"))["↩️ Отменить правку"]
    assert tap(undo, BOB).toast == "Эту правку уже не отменить."
    restore = buttons(handle("/note_del 1"))["↩️ Вернуть"]
    assert (result := tap(restore, BOB).edit)
    assert result.text == "Заметка #1 не найдена."
    assert handle("/note_list") == texts.NO_NOTES


INVALID_BUTTONS = ["unedit:99", "restore:99", "keep:99", "ask:99", "older:1", "older:1:2:3", "newer:9:9", "save:9"]
INVALID_BUTTONS += ["x:1", "", "unedit", "unedit:", "unedit:-1", "unedit:" + "9" * 40]


@pytest.mark.parametrize("data", INVALID_BUTTONS)
def test_an_outdated_or_invalid_button_changes_nothing(data: str) -> None:
    handle("/note_add раз")
    tap(data)
    assert "раз" in ask_bot("/note_list")


# Edits of the messages themselves


def test_editing_a_message_edits_its_note() -> None:
    handle("/note_add раз", message_id=7)
    handle("/note_add другая", message_id=8)
    result = handle_edited("/note_add@our_bot два", message_id=7)
    assert isinstance(result, Reply)
    assert result.text == "Заметка #1 изменена."
    assert [row["text"] for row in db.list_notes(ANN, 5)] == ["другая", "два"]
    tap(buttons(result)["↩️ Отменить правку"])
    assert db.list_notes(ANN, 5)[1]["text"] == "раз"


def test_an_edited_message_with_the_same_text_gets_no_reply() -> None:
    handle("/note_add раз", message_id=7)
    assert handle_edited("/note_add раз", message_id=7) is None
    assert handle_edited("/note_list", message_id=9) is None
    assert handle_edited("привет", message_id=9) is None
    assert handle_edited("/note_add@OtherBot раз", message_id=7) is None
    assert handle_edited(None, message_id=9, **PHOTO) is None
    assert db.count_notes(ANN) == 1


def test_an_edited_message_without_text_gets_the_usage_line_and_the_note_stays() -> None:
    handle("/note_add раз", message_id=7)
    assert handle_edited("/note_add", message_id=7) == "Напишите так: /note_add <текст>"
    assert db.list_notes(ANN, 5)[0]["text"] == "раз"


@pytest.mark.parametrize("text", ["/note_add раз", "раз"])
def test_an_edit_that_leaves_the_message_as_it_was_does_not_revert_a_later_edit(text: str) -> None:
    """Telegram sends edited_message also for a reaction; the text is that of the message, not of the note."""
    handle(text, message_id=7)
    handle("/note_edit 1 два", message_id=8)
    handle("/note_edit 1 три", message_id=9)
    assert handle_edited(text, message_id=7) is None
    assert handle_edited("/note_edit 1 два", message_id=8) is None
    assert db.list_notes(ANN, 5)[0]["text"] == "три"
    assert handle_edited(text + "!", message_id=7)
    handle("/note_edit 1 четыре", message_id=10)
    assert handle_edited(text + "!", message_id=7) is None
    assert db.list_notes(ANN, 5)[0]["text"] == "четыре"


def test_an_edit_that_leaves_the_message_as_it_was_does_not_bring_back_a_purged_note() -> None:
    handle("/note_add раз", message_id=7)
    handle("/note_del 1")
    storage.execute("UPDATE notes SET deleted_at = 1")
    clean_up(clock.now())
    assert handle_edited("/note_add раз", message_id=7) is None
    assert db.count_notes(ANN) == 0


def test_correcting_a_mistyped_command_adds_a_note() -> None:
    handle("/note_ad раз", message_id=7)
    assert said(handle_edited("/note_add раз", message_id=7)) == "Заметка #1 добавлена."


def test_editing_the_message_of_a_deleted_note_reports_the_deletion() -> None:
    handle("/note_add раз", message_id=7)
    handle("/note_del 1")
    result = handle_edited("/note_add два", message_id=7)
    assert result == "Заметка #1 удалена. Вернуть её: /note_restore 1"


def test_editing_a_caption_edits_its_note() -> None:
    handle(None, message_id=7, **PHOTO, caption="/note_add раз")
    handle_edited(None, message_id=7, **PHOTO, caption="/note_add два")
    assert db.list_notes(ANN, 5)[0]["text"] == "два"


def test_editing_a_note_edit_message_edits_the_note_again() -> None:
    handle("/note_add раз")
    handle("/note_edit 1 два", message_id=7)
    result = handle_edited("/note_edit 1 три", message_id=7)
    assert isinstance(result, Reply)
    assert result.text == "Заметка #1 изменена."
    assert db.list_notes(ANN, 5)[0]["text"] == "три"
    assert handle_edited("/note_edit 1 три", message_id=7) is None
    assert handle_edited("/note_edit", message_id=7) == "Напишите так: /note_edit 12 <текст>"


def test_an_edit_by_somebody_else_does_not_change_a_note() -> None:
    handle("/note_add раз", ANN, GROUP, message_id=7)
    handle_edited("/note_add два", BOB, GROUP, message_id=7)
    assert db.list_notes(ANN, 5)[0]["text"] == "раз"


# Plain texts


@pytest.fixture
def _ask_first(database: Path) -> None:  # noqa: ARG001
    db_people.save_settings(ANN, {**db_people.DEFAULTS, "plain_text": "ask_first"})


@pytest.mark.usefixtures("_ask_first")
@pytest.mark.parametrize("fields", [{}, FORWARDED], ids=["typed", "forwarded"])
def test_a_plain_text_becomes_a_note_once(fields: dict[str, Any]) -> None:
    offer = handle("купить молоко", message_id=7, **fields)
    kept = tap(buttons(offer)["📝 В заметки"])
    assert kept.edit
    assert kept.edit.text == "Заметка #1 добавлена."
    assert list(buttons(kept.edit)) == ["🤖 Спросить модель"]
    assert tap(buttons(offer)["📝 В заметки"]).toast == "Уже в заметках: #1."
    assert [row["text"] for row in db.list_notes(ANN, 5)] == ["купить молоко"]


@pytest.mark.usefixtures("_ask_first")
def test_a_plain_text_whose_note_was_deleted_is_not_saved_again() -> None:
    offer = handle("купить молоко", message_id=7)
    tap(buttons(offer)["📝 В заметки"])
    handle("/note_del 1")
    assert tap(buttons(offer)["📝 В заметки"]) == ButtonResult("Заметка #1 удалена. Вернуть её: /note_restore 1")
    assert db.count_notes(ANN) == 0


def test_a_plain_text_becomes_a_question_once() -> None:
    offer = handle("Почему небо голубое?", message_id=7)
    asked = tap(buttons(offer)["🤖 Спросить модель"])
    assert asked.question == Question("Почему небо голубое?")
    assert asked.edit
    assert list(buttons(asked.edit)) == ["📝 В заметки"]
    assert tap(buttons(offer)["🤖 Спросить модель"]) == ButtonResult("Уже спросили.")


@pytest.mark.usefixtures("_ask_first")
def test_a_plain_text_follows_the_edits_of_its_message() -> None:
    offer = handle("рас", message_id=7)
    assert handle_edited("раз", message_id=7) is None
    tap(buttons(offer)["📝 В заметки"])
    assert db.list_notes(ANN, 5)[0]["text"] == "раз"
    result = handle_edited("раз, два", message_id=7)
    assert isinstance(result, Reply)
    assert result.text == "Заметка #1 изменена."


@pytest.mark.usefixtures("_ask_first")
def test_a_plain_text_belongs_to_its_author() -> None:
    offer = handle("секрет", message_id=7)
    for data in buttons(offer).values():
        assert tap(data, BOB) == ButtonResult(texts.PLAIN_TEXT_UNAVAILABLE)


# Models and questions


def test_the_list_of_models() -> None:
    result = handle("/models")
    assert isinstance(result, Reply)
    lines = result.text.split("\n")
    assert lines[0] == "Доступные модели:"
    assert lines[1] == "★ 5. Gemma 4 31B (free) [google/gemma-4-31b-it:free]"
    assert lines[2] == "  1. DeepSeek V3.1 (free) — недоступна"
    assert lines[-1] == "Активировать: кнопкой или /model <номер>"
    assert len(lines) == 7
    # Each of the eleven entries appears once: as a line or as a button.
    in_lines = [int(line.split(".")[0].strip("★ ")) for line in lines[1:-1]]
    in_buttons = [int(label.split(".")[0]) for label in buttons(result)]
    assert in_buttons == [0, 6, 7, 8, 9, 10]  # what can be chosen comes first
    assert sorted(in_lines + in_buttons) == list(range(11))


def test_the_pages_of_the_models_turn_within_the_list() -> None:
    first, last = tap("models:0").edit, tap("models:99").edit
    assert first == tap("models:1").edit == handle("/models")
    assert last == first  # there is only one page
    for n in range(21):
        storage.execute(
            "INSERT INTO models (key, label, gateway) VALUES (?, ?, 'openrouter')",
            (f"some/model-{n}:free", f"Model {n}"),
        )
    for page_number, expected_buttons in ((0, {"▶"}), (2, {"◀", "▶"}), (99, {"◀"})):
        page = tap(f"models:{page_number}").edit
        assert {"◀", "▶"} & set(buttons(page)) == expected_buttons


def test_switching_from_a_higher_model_to_a_lower_one() -> None:
    assert ask_bot("/model 4").startswith(
        "Активная модель переключена: Llama 3.1 8B (free) [meta-llama/llama-3.1-8b-instruct:free]"
    )
    assert ask_bot("/model@our_bot 2").startswith(
        "Активная модель переключена: DeepSeek R1 (free) [deepseek/deepseek-r1:free]"
    )
    assert handle("/model") == (
        "Текущая активная модель: DeepSeek R1 (free) [deepseek/deepseek-r1:free]\n"
        "(сменить: /model <номер> или /models)"
    )
    assert ask_bot("/model\n3").startswith(
        "Активная модель переключена: Mistral Small 24b (free) [mistralai/mistral-small-24b-instruct-2501:free]"
    )


@pytest.mark.parametrize("text", ["/model 98", "/model 99", "/model " + "9" * 18])
def test_an_unknown_model(text: str) -> None:
    assert handle(text) == "Нет модели с таким номером. Список: /models"
    assert db.get_active_model()["id"] == 5


def test_without_models() -> None:
    storage.execute("DELETE FROM models")
    for text in ("/models", "/model", "/model 1", "/ask раз"):
        assert handle(text) == "Список моделей пуст."


def test_ask_returns_a_question() -> None:
    assert handle("/ask Почему\nнебо голубое?") == Question("Почему\nнебо голубое?")


def add_question(kind: str = "ask", parent_id: int | None = None) -> int:
    text = "Почему небо голубое?"
    return store_question(ANN, chat_id=GROUP, is_private=False, kind=kind, parent_id=parent_id, text=text)


@pytest.mark.parametrize(("kind", "kind_again"), [("ask", "ask"), ("web", "web"), ("compare", "ask")])
def test_a_question_can_be_asked_again(kind: str, kind_again: str) -> None:
    question_id = add_question(kind)
    result = tap(f"again:{question_id}", chat_id=GROUP)
    assert result == ButtonResult(
        texts.ASKED_AGAIN, Question("Почему небо голубое?", kind=kind_again, is_repeat=True)
    )
    assert tap(f"again:{question_id}", chat_id=ANN) == ButtonResult(texts.ANSWER_UNAVAILABLE)


def test_only_ones_own_question_is_asked_again_within_its_conversation() -> None:
    first_id = add_question()
    second_id = add_question(parent_id=first_id)
    for user_id, parent_id in ((ANN, first_id), (BOB, None)):
        question = tap(f"again:{second_id}", user_id, chat_id=GROUP).question
        assert question
        assert question.parent_id == parent_id


def test_an_answer_is_saved_once() -> None:
    question_id = add_question()
    assert tap(f"save:{question_id}", chat_id=GROUP) == ButtonResult(texts.ANSWER_UNAVAILABLE)
    journal.finish_question(question_id, "answered", "потому что")
    assert tap(f"save:{question_id}", chat_id=GROUP) == ButtonResult("Заметка #1 добавлена.")
    assert tap(f"save:{question_id}", chat_id=GROUP) == ButtonResult("Уже в заметках: #1.")
    assert tap(f"save:{question_id}", chat_id=ANN) == ButtonResult(texts.ANSWER_UNAVAILABLE)
    assert [note["text"] for note in db.list_notes(ANN, 5)] == ["потому что"]


# Any text


@one_database
@given(name=st.sampled_from(sorted(router.commands)), junk=st.text())
def test_any_text_after_any_command_gets_a_reply(name: str, junk: str) -> None:
    result = handle(f"/{name} {junk}")
    assert result
    if isinstance(result, str):
        assert result.strip()


@one_database
@given(text=st.text())
def test_any_text_gets_a_reply_in_private(text: str) -> None:
    assert handle(text)
