"""Commands without their text: the bot asks for it, and the next message is it.

- each command that needs a text asks; the answer, "Отмена", another command, time
- groups: only the reply of the person who was asked
- the client opens the field for the answer; a restart forgets nothing
"""

import pytest
from conftest import BotProcess, Person, text_of
from test_bot import ANN, BOB, FORWARDED, GROUP, ask_bot, handle, handle_edited, said
from test_replies_to_notes import reply_to_bot

import db
import texts
from bot import router
from journal_awaited import ANSWER_WITHIN_S
from sandbox.telegram import World
from telegram.replies import Question, Reply

NOW = 1_795_300_000
REPLY_TO_BOT = reply_to_bot(GROUP)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", texts.COMMAND_QUESTIONS)
def test_a_command_asks_for_its_text(name: str) -> None:
    assert handle(f"/{name}") == Reply(texts.COMMAND_QUESTIONS[name], asks_for_text=True)
    assert handle("Отмена") == texts.CANCELED
    assert ask_bot("заметка").startswith("Заметка #1")


def test_every_command_that_needs_a_text_asks_for_it() -> None:
    needing = {command.name for command in router.commands.values() if "<" in command.usage}
    assert needing == set(texts.COMMAND_QUESTIONS)


@pytest.mark.usefixtures("database")
def test_the_next_message_completes_the_command() -> None:
    handle("/note_add")
    assert said(handle("купить\n\nмолоко")) == "Заметка #1 добавлена."
    assert db.list_notes(ANN, 1)[0]["text"] == "купить\n\nмолоко"
    handle("/ask")
    assert handle("Почему?") == Question("Почему?")
    handle("/note_find")
    assert "Найдено: 1 заметка." in ask_bot("молоко")
    handle("/note_edit")
    assert ask_bot("1").endswith(texts.ASK_FOR_NEW_TEXT)
    assert ask_bot("купить кефир") == "Заметка #1 изменена."
    handle("/note_show")
    assert handle("не номер") == "Напишите так: /note_show 12"
    assert ask_bot("а это заметка") == "Заметка #2 добавлена."


@pytest.mark.usefixtures("database")
def test_another_command_or_time_ends_it() -> None:
    handle("/ask", date=NOW)
    handle("/note_count", date=NOW)
    assert ask_bot("раз").startswith("Заметка #1")
    handle("/ask", date=NOW)
    assert handle("два", date=NOW + ANSWER_WITHIN_S) == Question("два")
    handle("/ask", date=NOW)
    late = handle("три", date=NOW + ANSWER_WITHIN_S + 1)
    assert isinstance(late, Reply)
    assert late.text == "Заметка #2 добавлена."


@pytest.mark.usefixtures("database")
def test_what_is_no_answer() -> None:
    handle("/ask")
    assert isinstance(handle("чужие слова", **FORWARDED, message_id=8), Reply)
    handle("/ask", message_id=9)
    assert handle_edited("/ask что?", message_id=9) is None
    assert handle("раз") == Question("раз")
    handle("/ask", message_thread_id=3, is_topic_message=True)
    assert isinstance(handle("два", message_thread_id=4, is_topic_message=True, message_id=10), Reply)
    assert handle("три", message_thread_id=3, is_topic_message=True) == Question("три")


@pytest.mark.usefixtures("database")
def test_in_a_group_only_a_reply_of_the_same_person_is_the_answer() -> None:
    handle("/ask", ANN, GROUP)
    assert handle("раз", ANN, GROUP) is None
    assert handle("раз", BOB, GROUP, **REPLY_TO_BOT) is None
    assert handle("раз", ANN) != Question("раз")  # in another chat
    assert handle("раз", ANN, GROUP, **REPLY_TO_BOT) == Question("раз")
    assert handle("два", ANN, GROUP, **REPLY_TO_BOT) is None


def test_a_restart_forgets_nothing(bot_process: BotProcess, world: World) -> None:
    bot_process.start()
    ann = Person(world, ANN)
    assert ann.asks("/note_add") == texts.COMMAND_QUESTIONS["note_add"]
    [event] = [event for event in world.events_of(ANN) if "force_reply" in event]
    assert event["force_reply"]["input_field_placeholder"] == texts.ANSWER_PLACEHOLDER
    ann.asks("/note_find")
    bot_process.stop()
    bot_process.start()
    assert ann.asks("молоко") == texts.NOTHING_FOUND
    ann.says("молоко")
    added = ann.hears()
    assert text_of(added) == "Заметка #1 добавлена."
    ann.says("/note_list")
    page = ann.hears()
    ann.taps(page, "1")
    card = ann.hears()
    ann.taps(card, texts.EDIT)
    prompt = ann.hears()
    [copy] = [b for row in prompt["reply_markup"]["inline_keyboard"] for b in row if "copy_text" in b]
    assert copy["copy_text"] == {"text": "молоко"}
    assert {page["message_id"], card["message_id"]} == {prompt["message_id"]}
    bot_process.stop()
    bot_process.start()
    assert ann.asks("кефир") == "Заметка #1 изменена."
    assert ann.asks("/note_show 1").endswith("\nкефир")
