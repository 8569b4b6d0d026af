"""The whole bot: `python bot.py` with real HTTP on both sides and a real database.

- a conversation with every command
- questions while notes are added, after a restart, in a group
- stopping within seconds, also in the middle of a long poll
- errors at start: one Russian sentence, exit code 2, no traceback, no token
"""

import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from conftest import DATA, PATIENCE_S, ROOT, BotProcess, Person, eventually, text_of, without_times

import texts
from bot import router
from sandbox import telegram
from sandbox.openrouter import EmulatedGateway
from sandbox.telegram import Faults, World, entities

MakePerson = Callable[..., Person]
GROUP = -100500


Turn = tuple[str, list[str]]  # what the person says, and the lines of the reply


def read_conversation(text: str) -> list[Turn]:
    """Read a conversation in which the lines of the person start with "> "; "…" means that the reply goes on."""
    turns: list[Turn] = []
    previous_is_person = False
    for line in text.splitlines():
        is_person = line.startswith("> ")
        if is_person and previous_is_person:
            said, _ = turns.pop()
            turns.append((f"{said}\n{line[2:]}", []))
        elif is_person:
            turns.append((line[2:], []))
        else:
            turns[-1][1].append(line)
        previous_is_person = is_person
    return turns


def readme_conversation() -> list[Turn]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    transcript = re.search("```text\n(.*?)```", readme, re.DOTALL)
    assert transcript
    return read_conversation(transcript[1])


def full_conversation() -> list[Turn]:
    return read_conversation((DATA / "conversation.txt").read_text(encoding="utf-8"))


def hold(conversation: list[Turn], ann: Person) -> None:
    """Say what the person says in a conversation, and compare the replies."""
    for said, expected in conversation:
        reply = without_times(ann.asks(said)).split("\n")
        if expected[-1] == "…":
            assert reply[: len(expected) - 1] == expected[:-1]
        else:
            assert reply == expected, said


@pytest.fixture
def bot_process(bot_process: BotProcess) -> BotProcess:
    """Return a bot that starts with its command: these tests are about the whole process."""
    bot_process.is_forked = False
    return bot_process


def test_the_conversation_of_the_readme(bot_process: BotProcess, person: MakePerson) -> None:
    bot_process.start()
    hold(readme_conversation(), person())
    assert bot_process.stop() == 0
    assert "Traceback" not in bot_process.log


def test_a_conversation_with_every_command(bot_process: BotProcess, person: MakePerson, world: World) -> None:
    bot_process.start()
    ann = person()
    hold(full_conversation(), ann)
    used = {said.split()[0][1:] for said, _ in full_conversation() if said.startswith("/")}
    assert used <= set(router.commands)
    for name in set(router.commands) - used:
        assert ann.asks(f"/{name}") not in ("", texts.FAILED)
    [document] = [event["message"]["document"] for event in world.events if event["method"] == "sendDocument"]
    exported = json.loads(world.files[document["file_id"]])["notes"]
    assert [note["text"] for note in exported] == ["Купить кефир", "Ёлка:\n- гирлянда\n- звезда"]
    [picture] = [event["message"]["photo"][-1] for event in world.events if event["method"] == "sendPhoto"]
    assert world.files[picture["file_id"]].startswith(b"\x89PNG")
    assert [command["command"] for command in world.commands] == list(router.commands)
    assert bot_process.stop() == 0
    assert "Traceback" not in bot_process.log
    assert "кефир" not in bot_process.log


def test_a_slow_model_does_not_delay_a_note(
    bot_process: BotProcess, person: MakePerson, gateway: EmulatedGateway
) -> None:
    gateway.think_s = 600
    bot_process.start()
    person(1).says("/ask Почему небо голубое?")
    person(1).says("/note_add раз")
    assert person(1).hears()["text"] == "Заметка #1 добавлена."
    assert person(2).asks("/note_add два") == "Заметка #1 добавлена."
    assert bot_process.stop() == 0


def test_a_question_survives_a_restart(
    bot_process: BotProcess, person: MakePerson, gateway: EmulatedGateway
) -> None:
    gateway.think_s = 600
    bot_process.start()
    ann = person()
    ann.says("/ask Почему небо голубое?")
    eventually(lambda: gateway.requests)
    assert bot_process.stop() == 0
    gateway.think_s = 0
    bot_process.start()
    answer = ann.hears()
    assert "Вы спросили: «Почему небо голубое?»" in text_of(answer)
    assert answer["reply_to_message"]["text"] == "/ask Почему небо голубое?"


def test_a_job_survives_a_restart(bot_process: BotProcess, person: MakePerson, world: World) -> None:
    world.faults.bad_gateway, world.faults.methods = 1.0, frozenset(["sendDocument"])
    bot_process.start()
    ann = person()
    ann.asks("/note_add раз")
    ann.says("/note_export")
    eventually(lambda: [method for method, _ in world.calls if method == "sendDocument"])
    assert bot_process.stop() == 0
    world.faults.bad_gateway = 0.0
    bot_process.start()
    assert ann.hears()["document"]["file_name"] == "notes.txt"


def test_one_persons_questions_are_answered_in_order(
    bot_process: BotProcess, person: MakePerson, gateway: EmulatedGateway
) -> None:
    gateway.think_s = 0.05
    bot_process.start()
    ann = person()
    for n in range(5):
        ann.says(f"/ask вопрос {n}")
    assert [re.findall(r"вопрос \d", text_of(ann.hears())) for _ in range(5)] == [
        [f"вопрос {n}"] for n in range(5)
    ]


def test_a_failed_question_is_explained(bot_process: BotProcess, person: MakePerson) -> None:
    del bot_process.env["OPENROUTER_API_KEY"]
    bot_process.start()
    assert person().asks("/ask раз") == "Ошибка: [401] Не задан OPENROUTER_API_KEY: впишите его в .env."


def test_in_a_group_replies_refer_to_the_message(bot_process: BotProcess, person: MakePerson) -> None:
    bot_process.start()
    ann, bob = person(1, GROUP), person(2, GROUP)
    ann.says("/note_add@sandbox_notes_bot раз")
    reply = ann.hears()
    assert (reply["text"], reply["reply_to_message"]["from"]["id"]) == ("Заметка #1 добавлена.", 1)
    bob.says("/wat")
    bob.says("/note_add@other_bot два")
    bob.says("/note_list")
    assert ann.hears()["text"].startswith("Заметок пока нет")


def test_pages_turn_within_one_message(bot_process: BotProcess, person: MakePerson, world: World) -> None:
    bot_process.start()
    ann = person()
    for n in range(12):
        ann.asks(f"/note_add <номер> {n}")
    ann.says("/note_find номер")
    first = ann.hears()
    assert first["text"].count("<номер>") == 10
    assert {entity["type"] for entity in first["entities"]} == {"bold"}
    ann.taps(first, "▶")
    second = ann.hears()
    assert (second["message_id"], second["text"].count("<номер>")) == (first["message_id"], 2)
    ann.taps(second, "◀")
    assert ann.hears()["text"] == first["text"]
    assert world.calls[-1][1].get("parse_mode") in (None, "HTML")


def test_a_page_refused_as_html_is_sent_as_plain_text(
    bot_process: BotProcess, person: MakePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot_process.start()
    ann = person()
    for n in range(12):
        ann.asks(f"/note_add раз & <два> {n}")
    monkeypatch.setattr(entities.TelegramHTML, "TAGS", frozenset())
    ann.says("/note_find два 1")
    first = ann.hears()
    assert "раз & <два> 1" in first["text"]
    assert "entities" not in first
    ann.says("/note_find два")
    first = ann.hears()
    ann.taps(first, "▶")
    second = ann.hears()
    assert second["message_id"] == first["message_id"]
    assert "раз & <два> 0" in second["text"]


def test_editing_a_message_edits_its_note(bot_process: BotProcess, person: MakePerson) -> None:
    bot_process.start()
    ann = person()
    message = ann.says("/note_add раз")
    assert ann.hears()["text"] == "Заметка #1 добавлена."
    ann.edits(message, "/note_add два")
    reply = ann.hears()
    assert reply["text"] == "Заметка #1 изменена."
    ann.taps(reply, "↩️ Отменить правку")
    assert ann.hears()["text"] == "Заметка #1: прежний текст вернулся."
    ann.sends_file("a.png", b"\x89PNG\r\n", "/note_add подпись", is_picture=True)
    assert ann.hears()["text"] == "Заметка #2 добавлена: фото."
    assert "раз" in ann.asks("/note_show 1")
    assert "подпись" in ann.asks("/note_show 2")


def test_a_plain_text_can_be_asked_and_then_saved(bot_process: BotProcess, person: MakePerson) -> None:
    bot_process.start()
    ann = person()
    ann.says("Почему небо голубое?")
    offer = ann.hears()
    ann.taps(offer, "🤖 Спросить модель")
    messages = [ann.hears(), ann.hears()]
    [asked] = [message for message in messages if message["message_id"] == offer["message_id"]]
    [answer] = [message for message in messages if message["message_id"] != offer["message_id"]]
    assert "Вы спросили: «Почему небо голубое?»" in text_of(answer)
    ann.taps(asked, "📝 В заметки")
    assert ann.hears()["text"] == "Заметка #1 добавлена."


def test_a_long_note_is_shown_in_several_messages(bot_process: BotProcess, person: MakePerson) -> None:
    bot_process.start()
    ann = person()
    ann.asks(f"/note_add {'а' * 4086}")
    ann.says("/note_show 1")
    assert "".join(ann.hears()["text"] for _ in range(2)).count("а") == 4086


def test_the_first_chart_loads_the_drawing_library(bot_process: BotProcess, person: MakePerson) -> None:
    """matplotlib is large and slow to import, so a bot that draws no chart must not load it."""
    bot_process.start()
    ann = person()
    ann.asks("/note_add раз")
    maps = Path(f"/proc/{bot_process.pid}/maps")
    if not maps.exists():
        pytest.skip("only Linux lists the files that a process has loaded")
    assert "matplotlib" not in maps.read_text(encoding="utf-8")
    ann.says("/note_stats")
    assert ann.hears()["caption"].startswith("Заметки за 30 дней: 1.")
    assert "matplotlib" in maps.read_text(encoding="utf-8")


def test_unusual_updates_do_not_stop_the_bot(bot_process: BotProcess, person: MakePerson, world: World) -> None:
    bot_process.start()
    ann = person()
    ann.asks("/start")
    chat, sender = {"id": 1, "type": "private"}, telegram.person(1)
    base = {"message_id": 900, "date": 1_700_000_000, "chat": chat}
    for update in (
        {"message": {**base, "from": sender, "sticker": {"file_id": "1"}}},  # incomplete
        {"message": {**base, "from": sender, "location": {"latitude": 1.0, "longitude": 1.0}}},
        {"message": {**base, "text": "/note_add без отправителя"}},
        {"message": {"message_id": "?"}},
        {"channel_post": {**base, "chat": {"id": GROUP, "type": "channel"}, "text": "/note_add канал"}},
        {"edited_message": {**base, "from": sender, "text": "/note_count", "edit_date": 1_700_000_001}},
        {"something_new": {"id": 1}},
        {},
    ):
        world.update(update)
    assert [text_of(ann.hears()) for _ in range(2)] == [
        "Заметка #1 добавлена: стикер.",
        "Заметка #2 добавлена: геопозиция, 1.00000, 1.00000.",
    ]
    assert ann.asks("/note_count") == "У вас 2 заметки."


# Stopping


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_the_middle_of_a_long_poll(
    bot_process: BotProcess, person: MakePerson, world: World, number: int
) -> None:
    bot_process.start()
    person().asks("/note_add раз")
    world.wait(lambda: world.pending() == 0)
    assert bot_process.send_signal(number) == 0
    assert "Traceback" not in bot_process.log
    assert "another copy" not in bot_process.log
    with sqlite3.connect(bot_process.db_path) as connection:
        assert connection.execute("SELECT text FROM notes").fetchall() == [("раз",)]
        assert connection.execute("SELECT * FROM outbox").fetchall() == []
    connection.close()


def test_repeated_signals_stop_it_just_as_well(bot_process: BotProcess, world: World) -> None:
    for _ in range(4):
        polls = world.poll_number
        bot_process.start()
        world.wait(partial(lambda polls: world.poll_number > polls, polls))
        deadline = time.monotonic() + PATIENCE_S
        while bot_process.is_running() and time.monotonic() < deadline:
            os.kill(bot_process.pid, signal.SIGTERM)
        # The last one may arrive after the interpreter has removed its handlers.
        assert bot_process.wait() in (0, -signal.SIGTERM)


def test_a_signal_stops_it_while_telegram_is_unreachable(bot_process: BotProcess, world: World) -> None:
    world.faults.offline = True
    bot_process.start()
    eventually(lambda: len(world.calls) > 2)
    assert bot_process.stop() == 0


@pytest.mark.parametrize("method", ["getMe", "deleteWebhook", "setMyCommands"])
def test_a_signal_stops_it_while_telegram_is_silent_at_the_start(
    bot_process: BotProcess, world: World, method: str
) -> None:
    world.faults = Faults(delay_s=600, methods=frozenset([method]))
    bot_process.start()
    eventually(lambda: method in [called for called, _ in world.calls])
    assert bot_process.stop() == 0
    assert "Telegram does not respond" not in bot_process.log  # it has not waited until the call failed
    assert "is not set" not in bot_process.log


# Errors at start


def error_at_start(bot_process: BotProcess) -> str:
    """Start the bot, which must fail, and return the sentence it prints."""
    bot_process.start()
    assert bot_process.wait() == 2
    output = bot_process.log
    assert output.strip()
    assert "Traceback" not in output
    if bot_process.env["TOKEN"]:
        assert bot_process.env["TOKEN"] not in output
    [sentence] = [line for line in output.strip().split("\n") if not re.match(r"\d{4}-\d\d-\d\d ", line)]
    assert re.search("[а-я]", sentence)
    return sentence


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"TOKEN": ""}, "Не задан TOKEN"),
        ({"TOKEN": "not-a-token"}, "TOKEN записан неверно"),
        ({"TOKEN": "123456:this-one-telegram-does-not-know"}, "Telegram не принял TOKEN"),
        ({"DB_PATH": "/"}, "Не удаётся открыть базу"),
        ({"DB_PATH": "no such folder/notes.db"}, "Не удаётся открыть базу"),
        ({"DB_PATH": str(ROOT / "README.md")}, "не база этого бота"),
        ({"TELEGRAM_API_URL": "api.telegram.org"}, "TELEGRAM_API_URL"),
        ({"OPENROUTER_BASE_URL": "openrouter.ai"}, "OPENROUTER_BASE_URL"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_error_is_one_russian_sentence(bot_process: BotProcess, changes: dict[str, str], sentence: str) -> None:
    bot_process.env |= changes
    assert sentence in error_at_start(bot_process)


def test_a_database_that_is_locked_at_the_start_is_waited_for(bot_process: BotProcess, person: MakePerson) -> None:
    with closing(sqlite3.connect(bot_process.db_path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        bot_process.start()
        eventually(lambda: "the database is unavailable, trying again: database is locked" in bot_process.log)
        other.execute("ROLLBACK")
    assert person().asks("/note_add раз") == "Заметка #1 добавлена."


def test_a_stop_ends_the_wait_for_a_locked_database(bot_process: BotProcess) -> None:
    with closing(sqlite3.connect(bot_process.db_path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        bot_process.start()
        eventually(lambda: "the database is unavailable" in bot_process.log)
        assert bot_process.stop() == 0


def test_another_network_at_the_start_is_not_telegram(
    bot_process: BotProcess, person: MakePerson, world: World
) -> None:
    world.faults.captive_portal, world.faults.portal_status = 1.0, 404
    bot_process.start()
    eventually(lambda: len(world.calls) > 2)
    world.faults.captive_portal = 0.0
    assert person().asks("/note_add раз") == "Заметка #1 добавлена."


def test_a_token_refused_once_at_the_start_does_not_end_the_bot(
    bot_process: BotProcess, person: MakePerson, world: World
) -> None:
    world.token, token = "1:another", world.token
    bot_process.start()
    eventually(lambda: world.calls)
    world.token = token
    assert person().asks("/note_add раз") == "Заметка #1 добавлена."


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete an open file")
def test_a_deleted_database_ends_the_bot_and_nothing_is_confirmed(
    bot_process: BotProcess, person: MakePerson, world: World
) -> None:
    bot_process.start()
    ann = person()
    ann.asks("/note_add раз")
    bot_process.db_path.unlink()
    ann.says("/note_add два")
    assert bot_process.wait() == 1
    assert "the database file was deleted or replaced" in bot_process.log
    assert world.pending() == 1
    for name in ("-wal", "-shm"):
        bot_process.db_path.with_name(bot_process.db_path.name + name).unlink(missing_ok=True)
    bot_process.start()
    assert ann.hears()["text"] == "Заметка #1 добавлена."


def test_a_revoked_token_ends_the_bot(bot_process: BotProcess, world: World, person: MakePerson) -> None:
    bot_process.start()
    person().asks("/start")
    world.token = "1:another"
    world.say(1, "/start")
    assert bot_process.wait() == 2
    assert "Telegram не принял TOKEN" in bot_process.log


def test_the_settings_may_come_from_a_file(bot_process: BotProcess, person: MakePerson, tmp_path: Path) -> None:
    names = ("TOKEN", "TELEGRAM_API_URL", "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "DB_PATH")
    lines = [f"{name}={bot_process.env.pop(name)}\n" for name in names]
    (tmp_path / ".env").write_text("".join(lines), encoding="utf-8")
    bot_process.start()
    assert person().asks("/note_add раз") == "Заметка #1 добавлена."
