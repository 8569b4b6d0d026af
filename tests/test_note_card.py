"""notes.note_card and notes.plain_texts: texts without a command become notes, and buttons act on them."""

from dataclasses import replace

import pytest
from conftest import BotProcess, Person, eventually, store_question, text_of
from test_bot import ANN, BOB, GROUP, ask_bot, buttons, handle, handle_edited, tap
from test_updates import SETTINGS

import db
import journal
import texts
from notes import note_card
from sandbox.telegram import World
from telegram.calls import plain_calls, reaction_call
from telegram.replies import ButtonResult, Question, Reaction, Reply

pytestmark = pytest.mark.usefixtures("database")


def text_and_buttons(result: object) -> tuple[str, dict[str, str]]:
    """Return the text of a reply and the buttons under it."""
    assert isinstance(result, Reply)
    return result.text, buttons(result)


# Texts without a command


def test_a_text_in_a_private_chat_is_a_note_at_once() -> None:
    text, under = text_and_buttons(handle("купить молоко"))
    assert text == "Заметка #1 добавлена."
    assert list(under) == [texts.ASK_MODEL, texts.DELETE]
    assert tap(under[texts.ASK_MODEL]).question == Question("купить молоко")
    assert tap(under[texts.ASK_MODEL], BOB) == ButtonResult("Заметка #1 не найдена.")
    assert tap(under[texts.DELETE], BOB) == ButtonResult("Заметка #1 не найдена.")
    edit = tap(under[texts.DELETE]).edit
    assert text_and_buttons(edit) == ("Заметка #1 удалена.", {texts.RESTORE: "restore:1"})
    assert tap(under[texts.DELETE]) == ButtonResult(texts.note_is_deleted(1))
    assert tap(under[texts.ASK_MODEL]) == ButtonResult(texts.note_is_deleted(1))
    tap("restore:1")
    handle_edited("купить кефир")
    assert ask_bot("/note_show 1").endswith("\nкупить кефир")
    assert handle("просто разговор", chat_id=GROUP) is None


@pytest.mark.parametrize("text", ["Почему небо голубое?", "Правда?!", "Успеем? )"])
def test_a_question_mark_offers_asking_first(text: str) -> None:
    offer, under = text_and_buttons(handle(text))
    assert offer == texts.PLAIN_QUESTION
    assert list(under) == [texts.ASK_MODEL, texts.SAVE_AS_NOTE]
    assert db.count_notes(ANN) == 0
    assert tap(under[texts.ASK_MODEL]).question == Question(text)


def test_the_owner_can_have_the_bot_ask_first() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("test_bot.SETTINGS", replace(SETTINGS, plain_text="ask_first"))
        offer, under = text_and_buttons(handle("купить молоко"))
    assert offer == texts.PLAIN_TEXT
    assert list(under) == [texts.SAVE_AS_NOTE, texts.ASK_MODEL]
    assert db.count_notes(ANN) == 0


def test_a_second_tap_asks_nothing_while_the_question_waits() -> None:
    _, under = text_and_buttons(handle("купить молоко"))
    store_question(ANN, message_id=6, model_id=5)  # of the message with the button
    assert tap(under[texts.ASK_MODEL]) == ButtonResult(texts.ALREADY_ASKED)
    journal.finish_question(1, "answered", "да")
    assert tap(under[texts.ASK_MODEL]).question


# A note of a list


def open_from_list(number: int) -> Reply:
    edit = tap(buttons(handle("/note_list"))[str(number)]).edit
    assert edit
    return edit


def test_a_note_of_a_list_is_opened_and_acted_on() -> None:
    handle("/note_add раз")
    handle("/note_add два")
    listed = handle("/note_list")
    card = open_from_list(1)
    text, under = text_and_buttons(card)
    assert text.endswith("\nраз")
    assert list(under) == [texts.EDIT, texts.PIN, texts.REMIND, texts.ASK_MODEL, texts.DELETE, texts.BACK]
    assert tap(under[texts.ASK_MODEL]).question == Question("раз")
    pinned = tap(under[texts.PIN])
    assert pinned.toast == texts.note_pinned(1)
    text, under = text_and_buttons(pinned.edit)
    assert list(under)[1] == texts.UNPIN
    assert tap(under[texts.UNPIN]).edit == card
    assert text_and_buttons(tap(under[texts.BACK]).edit)[0] == text_and_buttons(listed)[0]
    text, under = text_and_buttons(tap(under[texts.DELETE]).edit)
    assert (text, list(under)) == ("Заметка #1 удалена.", [texts.RESTORE, texts.BACK])
    assert text_and_buttons(tap(under[texts.BACK]).edit)[0].startswith("Последние заметки (1 из 1):")


def test_nobody_else_can_act_on_a_note() -> None:
    handle("/note_add секрет")
    under = buttons(open_from_list(1))
    for label in (texts.EDIT, texts.PIN, texts.ASK_MODEL, texts.DELETE):
        assert tap(under[label], BOB) == ButtonResult(texts.note_missing(1))
    assert tap(under[texts.BACK], BOB) == ButtonResult(texts.LIST_UNAVAILABLE)
    assert ask_bot("/note_list").endswith("секрет")


def test_an_old_list_says_that_a_note_was_deleted() -> None:
    handle("/note_add раз")
    listed = handle("/note_list")
    under = buttons(open_from_list(1))
    handle("/note_del 1")
    assert tap(buttons(listed)["1"]) == ButtonResult(texts.note_is_deleted(1))
    for label in (texts.PIN, texts.ASK_MODEL):
        assert tap(under[label]) == ButtonResult(texts.note_is_deleted(1))


@pytest.mark.parametrize("length", [256, 257, 5000])
def test_the_new_text_of_a_note_is_the_next_message(length: int) -> None:
    old = "ж" * length
    note = db.add_note(ANN, ANN, 1, old, 1_700_000_000)
    prompt = tap(buttons(open_from_list(note["number"]))[texts.EDIT]).edit
    assert prompt
    assert prompt.text.endswith(texts.ASK_FOR_NEW_TEXT)
    assert len(prompt.text) <= 4096
    copied = [button.copy_text for row in prompt.buttons for button in row if button.copy_text]
    assert copied == ([old] if length <= 256 else [])
    assert text_and_buttons(handle("новый\nтекст", message_id=9))[0] == "Заметка #1 изменена."
    assert ask_bot("/note_show 1").endswith("\nновый\nтекст")
    assert ask_bot("другая заметка") == "Заметка #2 добавлена."


def test_the_new_text_is_not_awaited_after_cancel() -> None:
    handle("/note_add раз")
    card = open_from_list(1)
    prompt = tap(buttons(card)[texts.EDIT]).edit
    assert tap(buttons(prompt)[texts.CANCEL]).edit == card
    assert ask_bot("другая заметка") == "Заметка #2 добавлена."
    assert ask_bot("/note_edit 1").endswith(texts.ASK_FOR_NEW_TEXT)
    assert ask_bot("отмена") == texts.CANCELED
    assert ask_bot("ещё заметка").startswith("Заметка #3")
    assert ask_bot("/note_edit 77") == texts.note_missing(77)
    assert ask_bot("это не новый текст").startswith("Заметка #4")


def test_a_pin_is_confirmed_and_limited() -> None:
    for n in range(note_card.MAX_PINS + 1):
        handle(f"/note_add {n}")
    for n in range(note_card.MAX_PINS):
        text, under = text_and_buttons(handle(f"/note_pin {n + 1}"))
        assert text == texts.note_pinned(n + 1)
        assert list(under) == [texts.UNPIN]
    assert ask_bot("/note_pin 11") == texts.too_many_pins(note_card.MAX_PINS)
    assert ask_bot("/note_pin 1") == texts.note_pinned(1)
    assert ask_bot("/note_pin 77") == texts.note_missing(77)
    tap(under[texts.UNPIN])
    assert ask_bot("/note_pin 11") == texts.note_pinned(11)


def test_a_note_without_text_cannot_be_asked_about() -> None:
    db.add_note(ANN, ANN, 1, "", 1_700_000_000)
    under = buttons(open_from_list(1))
    assert tap(under[texts.ASK_MODEL]) == ButtonResult(texts.NOTHING_TO_ASK)


def test_a_whole_note_has_the_same_buttons() -> None:
    handle("/note_add раз")
    _, under = text_and_buttons(handle("/note_show 1"))
    assert list(under) == [texts.EDIT, texts.PIN, texts.REMIND, texts.ASK_MODEL, texts.DELETE]


# Settings of the person


def test_a_person_can_have_notes_confirmed_by_a_reaction() -> None:
    under = buttons(handle("/settings"))
    edit = tap(under[texts.CONFIRMATION_MODE]).edit
    assert edit
    assert "Подтверждение заметки: реакцией 👍" in edit.text
    for text in ("раз", "/note_add два"):
        assert handle(text, message_id=len(text)) == Reaction("👍")
    assert ask_bot("Почему?") == texts.PLAIN_QUESTION
    assert ask_bot("/note_del 1") == "Заметка #1 удалена."
    assert isinstance(handle("/note_add три", chat_id=GROUP), Reply), "the own settings hold in private only"
    assert isinstance(handle("/note_add раз", BOB), Reply)
    tap(under[texts.CONFIRMATION_MODE])
    assert ask_bot("четыре") == "Заметка #4 добавлена."


def test_a_person_can_have_the_bot_ask_first() -> None:
    under = buttons(handle("/settings"))
    tap(under[texts.PLAIN_TEXT_MODE])
    assert ask_bot("раз") == texts.PLAIN_TEXT
    edit = tap(under[texts.PLAIN_TEXT_MODE]).edit
    assert edit
    assert "Текст без команды: сразу заметка" in edit.text
    assert ask_bot("раз") == "Заметка #1 добавлена."


def test_a_refused_reaction_becomes_a_reply() -> None:
    method, params = reaction_call(ANN, 5, Reaction("👍"))
    [(fallback, fallback_params)] = plain_calls(method, params)
    assert fallback == "sendMessage"
    assert (fallback_params["chat_id"], fallback_params["text"]) == (ANN, texts.NOTE_KEPT)
    assert fallback_params["reply_parameters"]["message_id"] == 5


def test_the_real_reaction(bot_process: BotProcess, world: World) -> None:
    bot_process.start()
    ann = Person(world, ANN)
    ann.says("/settings")
    ann.taps(ann.hears(), texts.CONFIRMATION_MODE)
    ann.hears()
    message = ann.says("раз")
    key = (ANN, message["message_id"])
    eventually(lambda: world.reactions.get(key) == [{"type": "emoji", "emoji": "👍"}])
    ann.says("/note_show", reply_to_message=message)
    assert text_of(ann.hears()).startswith("#1 ·")
