"""notes.note_card and notes.plain_texts: texts without a command become notes, and buttons act on them."""

from dataclasses import replace

import pytest
from test_bot import ANN, BOB, GROUP, ask_bot, buttons, handle, handle_edited, tap
from test_updates import SETTINGS

import db
import journal
import texts
from telegram.replies import ButtonResult, Question, Reply

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
    assert tap(under[texts.DELETE]) == ButtonResult("Заметка #1 не найдена.")
    assert tap(under[texts.ASK_MODEL]) == ButtonResult("Заметка #1 не найдена.")
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
    journal.add_question(
        {
            "user_id": ANN,
            "chat_id": ANN,
            "message_id": 6,  # the message with the button
            "is_private": True,
            "kind": "ask",
            "is_parallel": False,
            "parent_id": None,
            "model_id": 5,
            "text": "купить молоко",
            "asked_at": 1,
        }
    )
    assert tap(under[texts.ASK_MODEL]) == ButtonResult(texts.ALREADY_ASKED)
    journal.finish_question(1, "answered", "да")
    assert tap(under[texts.ASK_MODEL]).question
