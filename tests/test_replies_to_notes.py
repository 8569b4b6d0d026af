"""A reply to a message that shows or confirms a note acts on that note without its number."""

from collections.abc import Callable
from typing import Any

import pytest
from conftest import BotProcess, Person, next_delivered, text_of
from test_bot import ANN, BOB, GROUP, ask_bot, buttons, handle, handle_edited, said, tap

import db
import journal
import texts
from telegram.replies import Reply

MakePerson = Callable[..., Person]
SHOWN = 900  # a message of the bot


def reply_to_bot(chat_id: int = ANN, message_id: int = SHOWN) -> dict[str, Any]:
    bot = {"id": 100, "is_bot": True, "first_name": "Бот", "username": "Our_Bot"}
    chat = {"id": chat_id, "type": "private" if chat_id > 0 else "supergroup"}
    return {"reply_to_message": {"message_id": message_id, "date": 1, "chat": chat, "from": bot, "text": "?"}}


@pytest.fixture
def _note(database: object) -> None:  # noqa: ARG001
    """A note #2 of Ann that the message SHOWN shows, in private and in the group."""
    handle("/note_add раз", message_id=1)
    note = db.add_note(ANN, ANN, 2, "два", 1_700_000_000)
    for chat_id in (ANN, GROUP):
        journal.set_note_of_message(chat_id, SHOWN, note["id"])


@pytest.mark.usefixtures("_note")
def test_commands_need_no_number() -> None:
    assert said(handle("/note_show", **reply_to_bot())).endswith("\nдва")
    assert said(handle("/note_edit 5 литров", **reply_to_bot(), message_id=7)) == "Заметка #2 изменена."
    assert ask_bot("/note_show 2").endswith("\n5 литров")
    assert said(handle("/note_edit #2 десять", **reply_to_bot())) == "Заметка #2 изменена."
    assert ask_bot("/note_show 2").endswith("\nдесять")
    assert said(handle_edited("/note_edit 6 литров", **reply_to_bot(), message_id=7)) == "Заметка #2 изменена."
    assert ask_bot("/note_show 2").endswith("\n6 литров")
    assert said(handle("/note_edit", **reply_to_bot())).endswith(texts.ASK_FOR_NEW_TEXT)
    assert ask_bot("семь") == "Заметка #2 изменена."
    assert said(handle("/note_pin", **reply_to_bot())) == texts.note_pinned(2)
    assert said(handle("/note_show 1", **reply_to_bot())).endswith("\nраз")
    assert said(handle("/note_del", **reply_to_bot())) == "Заметка #2 удалена."
    assert said(handle("ещё", **reply_to_bot())) == texts.note_is_deleted(2)
    assert said(handle("/note_restore", **reply_to_bot())) == "Заметка #2 снова на месте."


@pytest.mark.usefixtures("_note")
def test_a_text_is_appended_with_its_formatting() -> None:
    bold = [{"type": "bold", "offset": 0, "length": 3}]
    result = handle("три", **reply_to_bot(), entities=bold)
    assert said(result) == "Дописано в заметку #2."
    note = db.get_note(ANN, 2)
    assert note
    assert note["text"] == "два\nтри"
    assert '"offset": 4' in note["entities"]
    tap(buttons(result)[texts.UNDO_EDIT])
    assert ask_bot("/note_show 2").endswith("\nдва")
    note = db.get_note(ANN, 2)
    assert note
    assert note["entities"] == "[]"
    assert db.count_notes(ANN) == 2


@pytest.mark.usefixtures("_note")
def test_a_reply_to_ones_own_message_is_about_its_note() -> None:
    own = {"message_id": 1, "date": 1, "chat": {"id": ANN, "type": "private"}, "text": "/note_add раз"}
    own["from"] = {"id": ANN, "is_bot": False, "first_name": "Анна"}
    assert said(handle("/note_show", reply_to_message=own)).endswith("\nраз")
    assert said(handle("и ещё", reply_to_message=own, message_id=9)) == "Дописано в заметку #1."


@pytest.mark.usefixtures("_note")
def test_nobody_else_acts_on_the_note() -> None:
    assert handle("взлом", BOB, GROUP, **reply_to_bot(GROUP)) is None
    for command in ("/note_show", "/note_del", "/note_pin"):
        result = handle(command, BOB, GROUP, **reply_to_bot(GROUP))
        assert isinstance(result, Reply)
        assert result.asks_for_text
    assert said(handle("три", ANN, GROUP, **reply_to_bot(GROUP))) == "Дописано в заметку #2."


@pytest.mark.usefixtures("_note")
def test_a_reply_to_a_note_is_no_answer_to_what_the_bot_asks() -> None:
    handle("/ask")
    assert said(handle("три", **reply_to_bot())) == "Дописано в заметку #2."
    assert said(handle("Отмена")) == texts.CANCELED


@pytest.mark.usefixtures("_note")
def test_a_reminder_of_the_note_asks_when() -> None:
    assert handle("/remind", **reply_to_bot()) == Reply(texts.REMIND_OF_NOTE_WHEN, asks_for_text=True)
    assert said(handle("завтра в 9")).startswith("Напомню ")
    assert "заметка #2" in ask_bot("/reminders")


def test_the_real_messages_of_the_bot(bot_process: BotProcess, person: MakePerson) -> None:
    bot_process.start()
    ann = person()
    ann.says("/note_add раз")
    confirmation = next_delivered(ann, bot_process)
    ann.says("/note_show", reply_to_message=confirmation)
    whole = next_delivered(ann, bot_process)
    assert text_of(whole).endswith("\nраз")
    ann.says("два", reply_to_message=whole)
    assert text_of(next_delivered(ann, bot_process)) == "Дописано в заметку #1."
    ann.says("/note_list")
    page = next_delivered(ann, bot_process)
    ann.taps(page, "1")
    card = next_delivered(ann, bot_process)
    assert card["message_id"] == page["message_id"]
    ann.says("три", reply_to_message=card)
    assert text_of(next_delivered(ann, bot_process)) == "Дописано в заметку #1."
    ann.taps(card, texts.BACK)
    page = next_delivered(ann, bot_process)
    ann.says("просто текст", reply_to_message=page)
    assert text_of(next_delivered(ann, bot_process)) == "Заметка #2 добавлена."
    ann.says("/note_edit четыре", reply_to_message=confirmation)
    assert text_of(next_delivered(ann, bot_process)) == "Заметка #1 изменена."
    assert ann.asks("/note_show 1").endswith("\nчетыре")
