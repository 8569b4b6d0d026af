"""telegram.outbox: replies are sent in order, after the commit, whatever Telegram answers.

- the order within a chat, several chats at once, after a restart
- 429, 5xx, broken connections, a chat that blocked the bot, a refused message
- answers of models: rich, refused, long
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import eventually, store_question

import config
import journal
import storage
import texts
from sandbox import telegram as sandbox
from sandbox.telegram import Faults, World
from sandbox.telegram.checks import REFUSED_MARKDOWN, Json, Refusal
from telegram import due_replies, failures, keyed_executor, transport
from telegram import outbox as outbox_module
from telegram.calls import callback_answer, edit_call
from telegram.outbox import PLAIN_TEXT_FAILURES, Outbox
from telegram.pacing import NO_LIMITS
from telegram.replies import Button, Reply
from telegram.transport import Telegram

ANN, BOB = 1, 2


@pytest.fixture
def telegram(telegram_url: str, monkeypatch: pytest.MonkeyPatch) -> Telegram:
    monkeypatch.setenv("TOKEN", sandbox.TOKEN)
    monkeypatch.setenv("TELEGRAM_API_URL", telegram_url)
    return Telegram(config.load_settings(), NO_LIMITS)


@pytest.fixture
def outbox(telegram: Telegram, database: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outbox]:  # noqa: ARG001
    monkeypatch.setattr(transport, "FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr(transport, "MAX_BACKOFF_S", 0.05)
    for user_id in (ANN, BOB):
        world.say(user_id, "/start")
    outbox = Outbox(telegram)
    yield outbox
    outbox.stop(0, 30)


def sent_texts(world: World, chat_id: int = ANN) -> list[str]:
    return [event["message"].get("text", "") for event in world.events_of(chat_id) if "message" in event]


def is_empty() -> bool:
    return journal.chats_with_replies() == {}


def test_a_reply_is_sent_after_the_commit_and_then_removed(outbox: Outbox, world: World) -> None:
    with storage.transaction():
        outbox.put(ANN, Reply("раз"))
        assert list(journal.chats_with_replies()) == [ANN]
    eventually(lambda: sent_texts(world) == ["раз"])
    eventually(is_empty)


def test_a_reply_of_a_failed_transaction_is_never_sent(outbox: Outbox, world: World) -> None:
    with pytest.raises(ZeroDivisionError), storage.transaction():
        outbox.put(ANN, Reply("раз"))
        _ = 1 / 0
    outbox.put(ANN, Reply("два"))
    eventually(lambda: sent_texts(world) == ["два"])


def test_a_blank_reply_is_an_error_and_blocks_nothing(outbox: Outbox, world: World) -> None:
    with pytest.raises(ValueError, match="needs a text"):
        outbox.put(ANN, Reply(" \n"))
    outbox.put(ANN, Reply("раз"))
    eventually(lambda: sent_texts(world) == ["раз"])


def test_the_order_within_a_chat(outbox: Outbox, world: World) -> None:
    for n in range(50):
        outbox.put(ANN, Reply(f"Анне {n}"))
        outbox.put(BOB, Reply(f"Бобу {n}"))
    eventually(is_empty)
    assert sent_texts(world, ANN) == [f"Анне {n}" for n in range(50)]
    assert sent_texts(world, BOB) == [f"Бобу {n}" for n in range(50)]


def test_replies_that_an_earlier_run_left_are_sent(outbox: Outbox, world: World) -> None:
    journal.add_reply(ANN, [("sendMessage", {"chat_id": ANN, "text": "раз"})])
    outbox.start()
    eventually(lambda: sent_texts(world) == ["раз"])


@pytest.mark.parametrize(
    "faults",
    [Faults(drop_before=0.5), Faults(bad_gateway=0.5), Faults(too_many=0.5, retry_after=0)],
    ids=["drop_before", "bad_gateway", "too_many"],
)
def test_failed_calls_are_repeated(outbox: Outbox, world: World, faults: Faults) -> None:
    world.faults = faults
    for n in range(20):
        outbox.put(ANN, Reply(f"{n}"))
    eventually(is_empty)
    assert sent_texts(world) == [f"{n}" for n in range(20)]


def test_a_chat_that_has_to_wait_does_not_delay_the_others(outbox: Outbox, world: World) -> None:
    world.faults = Faults(too_many=1.0, retry_after=600)
    outbox.put(ANN, Reply("Анне"))
    eventually(lambda: ("sendMessage", ANN) in [(method, params["chat_id"]) for method, params in world.calls])
    world.faults = Faults()
    outbox.put(BOB, Reply("Бобу"))
    eventually(lambda: sent_texts(world, BOB) == ["Бобу"])
    assert sent_texts(world, ANN) == []


def test_a_chat_waits_as_long_as_telegram_asks(outbox: Outbox, world: World) -> None:
    world.faults = Faults(too_many=1.0, retry_after=1)
    put_at = time.monotonic()
    outbox.put(ANN, Reply("Анне"))
    eventually(lambda: world.calls)
    world.faults = Faults()
    eventually(lambda: sent_texts(world, ANN) == ["Анне"])
    assert time.monotonic() - put_at >= 1


def test_replies_to_a_chat_that_blocked_the_bot_are_dropped(
    outbox: Outbox, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    world.blocked.add(ANN)
    outbox.put(ANN, Reply("раз"))
    outbox.put(BOB, Reply("два"))
    eventually(is_empty)
    assert sent_texts(world, BOB) == ["два"]
    assert "blocked" in caplog.text
    assert {record.levelname for record in caplog.records} == {"INFO"}


def test_a_refused_message_does_not_block_the_next(
    outbox: Outbox, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.put_calls(ANN, [("sendMessage", {"chat_id": ANN, "text": "секрет" * 1000})])
    outbox.put_calls(ANN, [("noSuchMethod", {"chat_id": ANN})])
    outbox.put(ANN, Reply("раз"))
    eventually(lambda: sent_texts(world) == ["раз"])
    assert "секрет" not in caplog.text
    assert caplog.text.count("refused") == 2


def test_a_repeated_edit_is_no_problem(outbox: Outbox, world: World, caplog: pytest.LogCaptureFixture) -> None:
    outbox.put(ANN, Reply("раз"))
    eventually(lambda: sent_texts(world) == ["раз"])
    [event] = world.events_of(ANN)
    edit = edit_call(ANN, event["message"]["message_id"], Reply("два"))
    outbox.put_calls(ANN, [edit, edit])
    eventually(is_empty)
    assert sent_texts(world) == ["раз", "два"]
    assert caplog.records == []


def test_refused_html_is_sent_as_plain_text(outbox: Outbox, world: World) -> None:
    outbox.put(ANN, Reply("<b>раз</b> &lt;два&gt; <x>три", is_html=True, buttons=[[Button("кнопка", "x:1")]]))
    eventually(lambda: sent_texts(world) == ["раз <два> три"])
    [event] = world.events_of(ANN)
    assert event["message"]["reply_markup"]["inline_keyboard"][0][0]["text"] == "кнопка"


def test_an_edit_with_refused_html_becomes_plain_text(outbox: Outbox, world: World) -> None:
    outbox.put(ANN, Reply("раз"))
    eventually(lambda: sent_texts(world) == ["раз"])
    [event] = world.events_of(ANN)
    reply = Reply("<x>" + "&amp;" * 5000, is_html=True, buttons=[[Button("кнопка", "x:1")]])
    outbox.put_calls(ANN, [edit_call(ANN, event["message"]["message_id"], reply)])
    eventually(is_empty)
    assert sent_texts(world) == ["раз", "&" * 4096]
    assert world.events_of(ANN)[-1]["message"]["reply_markup"]["inline_keyboard"][0][0]["text"] == "кнопка"


def test_an_edit_with_a_long_text_is_truncated(outbox: Outbox, world: World) -> None:
    outbox.put(ANN, Reply("раз"))
    eventually(lambda: sent_texts(world) == ["раз"])
    [event] = world.events_of(ANN)
    outbox.put_calls(ANN, [edit_call(ANN, event["message"]["message_id"], Reply("а" * 5000))])
    eventually(lambda: sent_texts(world) == ["раз", "а" * 4096])


def test_a_sent_reply_that_cannot_be_removed_is_not_sent_again(
    outbox: Outbox, world: World, database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keyed_executor, "RETRY_AFTER_ERROR_S", 0.05)
    journal.add_reply(ANN, [("sendMessage", {"chat_id": ANN, "text": "раз"})])
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        journal.stored_replies(ANN, 0, 1)  # opens the recorder's connection
        assert storage._relaxed_connection
        storage._relaxed_connection.execute("PRAGMA busy_timeout = 10")
        other.execute("BEGIN IMMEDIATE")
        outbox.start()
        eventually(lambda: caplog.text.count("will try again") >= 3)
        assert sent_texts(world) == ["раз"]
        other.execute("ROLLBACK")
    eventually(is_empty)
    assert sent_texts(world) == ["раз"]
    assert "Traceback" not in caplog.text


# Replies in memory and in the journal


def test_replies_leave_the_journal_in_groups(
    outbox: Outbox, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "RECORD_INTERVAL_S", 0.2)
    groups: list[int] = []
    finish = journal.finish_replies

    def count_and_finish(sent: list[journal.SentCall]) -> None:
        groups.append(len(sent))
        finish(sent)

    monkeypatch.setattr(journal, "finish_replies", count_and_finish)
    with storage.transaction():
        for n in range(20):
            outbox.put(ANN if n % 2 else BOB, Reply(f"{n}"))
    eventually(is_empty)
    assert sum(groups) == 20
    assert len(groups) <= 5
    assert sent_texts(world, ANN) == [f"{n}" for n in range(1, 20, 2)]


def test_nothing_is_sent_while_too_much_is_unrecorded(
    outbox: Outbox, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a crash, only what is unrecorded is sent again."""
    monkeypatch.setattr(outbox_module, "RECORD_INTERVAL_S", 0.01)
    monkeypatch.setattr(outbox_module, "MAX_UNRECORDED", 3)
    monkeypatch.setattr(keyed_executor, "RETRY_AFTER_ERROR_S", 0.05)
    finish = journal.finish_replies
    attempts: list[int] = []

    def fail(sent: list[journal.SentCall]) -> None:
        attempts.append(len(sent))
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(journal, "finish_replies", fail)
    for n in range(10):
        outbox.put(ANN, Reply(f"{n}"))
    eventually(lambda: len(attempts) > 5)
    assert sent_texts(world) == ["0", "1", "2"]
    monkeypatch.setattr(journal, "finish_replies", finish)
    eventually(is_empty)
    assert sent_texts(world) == [f"{n}" for n in range(10)]


def test_a_stop_records_what_was_sent(outbox: Outbox, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "RECORD_INTERVAL_S", 1000.0)
    outbox.put(ANN, Reply("раз"))
    eventually(lambda: sent_texts(world) == ["раз"])
    assert not is_empty()
    outbox.stop(0, 30)
    assert is_empty()


def test_very_many_replies_stay_in_the_journal_until_it_is_their_turn(
    outbox: Outbox, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_replies, "MAX_IN_MEMORY", 5)
    monkeypatch.setattr(due_replies, "PAGE", 3)
    for n in range(8):
        journal.add_reply(ANN, [("sendMessage", {"chat_id": ANN, "text": f"старое {n}"})])
    outbox.start()
    for n in range(40):
        outbox.put(ANN, Reply(f"{n}"))
        outbox.put(BOB, Reply(f"{n}"))
    eventually(is_empty)
    assert sent_texts(world, ANN) == [f"старое {n}" for n in range(8)] + [f"{n}" for n in range(40)]
    assert sent_texts(world, BOB) == [f"{n}" for n in range(40)]
    assert outbox._due._in_memory == 0
    assert outbox._due._chats == {}


def test_replies_of_a_second_copy_keep_the_order_of_the_chat(outbox: Outbox, world: World) -> None:
    outbox.start()
    outbox.put(ANN, Reply("0"))
    eventually(lambda: sent_texts(world) == ["0"])
    eventually(is_empty)
    for n in range(1, 20, 2):
        chat_id = BOB if n % 3 else ANN
        journal.add_reply(chat_id, [("sendMessage", {"chat_id": chat_id, "text": f"{n}"})])  # by another process
        outbox.put(ANN, Reply(f"{n + 1}"))
    outbox.put(BOB, Reply("21"))
    eventually(is_empty)
    assert sorted(map(int, sent_texts(world, ANN))) == list(map(int, sent_texts(world, ANN)))
    assert sorted(map(int, sent_texts(world, BOB))) == list(map(int, sent_texts(world, BOB)))
    assert len(sent_texts(world, ANN) + sent_texts(world, BOB)) == 22


def test_a_reply_that_is_rolled_back_alone_is_never_sent(outbox: Outbox, world: World) -> None:
    with storage.transaction():
        outbox.put(ANN, Reply("раз"))
        with pytest.raises(ZeroDivisionError), storage.transaction():
            outbox.put(ANN, Reply("секрет"))
            _ = 1 / 0
        outbox.put(ANN, Reply("два"))
    eventually(is_empty)
    assert sent_texts(world) == ["раз", "два"]


def test_two_hundred_chats_that_hang_do_not_delay_the_others(outbox: Outbox, world: World) -> None:
    hanging = range(1000, 1200)
    for chat_id in hanging:
        world.say(chat_id, "/start")
    world.hanging_chats.update(hanging)
    for chat_id in hanging:
        outbox.put(chat_id, Reply("раз"))
    eventually(lambda: len(world.calls) == 200)
    outbox.put(BOB, Reply("два"))
    eventually(lambda: sent_texts(world, BOB) == ["два"])
    world.hanging_chats.clear()
    eventually(is_empty)


# A reply at which Telegram fails while everything else works


def fail_at(monkeypatch: pytest.MonkeyPatch, method: str, text: str = "") -> None:
    """Let Telegram fail at the calls of a method whose text contains this text."""
    handler = sandbox.METHODS[method]

    def fail(world: World, params: Json) -> Any:
        if text in str(params):
            raise Refusal(500, "Internal Server Error")
        return handler(world, params)

    monkeypatch.setitem(sandbox.METHODS, method, fail)


def test_markdown_at_which_telegram_fails_is_sent_as_plain_text(
    outbox: Outbox, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(monkeypatch, "sendRichMessage")
    outbox.put(ANN, Reply("**да**", is_markdown=True))
    outbox.put(ANN, Reply("потом"))
    eventually(lambda: sent_texts(world) == ["**да**", "потом"])
    assert [method for method, _ in world.calls].count("sendRichMessage") == PLAIN_TEXT_FAILURES
    assert outbox.dropped_replies == 0


def test_a_reply_at_which_telegram_fails_makes_way_for_the_next(
    outbox: Outbox, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(failures, "DROP_AFTER_S", 0.2)
    fail_at(monkeypatch, "sendMessage", "секрет")
    outbox.put(ANN, Reply("секрет"), reply_to=1)
    outbox.put(ANN, Reply("потом"))
    eventually(is_empty)
    first, second = [event["message"] for event in world.events_of(ANN) if "message" in event]
    assert (first["text"], first["reply_to_message"]["message_id"]) == (texts.REPLY_DROPPED, 1)
    assert second["text"] == "потом"
    assert outbox.dropped_replies == 1
    assert "dropped" in caplog.text
    assert "секрет" not in caplog.text


def test_an_outage_drops_nothing(outbox: Outbox, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "DROP_AFTER_S", 0.0)
    world.faults = Faults(bad_gateway=1.0)
    outbox.put(ANN, Reply("раз"))
    eventually(lambda: len(world.calls) > 20)
    world.faults = Faults()
    eventually(lambda: "раз" in sent_texts(world))
    assert outbox.dropped_replies == 0


def test_a_reply_that_failed_until_the_end_of_an_outage_is_sent(
    outbox: Outbox, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "DROP_AFTER_S", 0.0)
    send_message = sandbox.METHODS["sendMessage"]
    fail_at(monkeypatch, "sendMessage")
    send_action = sandbox.METHODS["sendChatAction"]

    def end_outage(world: World, params: Json) -> Any:
        sandbox.METHODS["sendMessage"] = send_message
        return send_action(world, params)

    monkeypatch.setitem(sandbox.METHODS, "sendChatAction", end_outage)
    outbox.put(ANN, Reply("раз"))
    eventually(is_empty)
    assert sent_texts(world) == ["раз"]
    assert outbox.dropped_replies == 0


def test_an_answer_to_a_tap_is_dropped_silently(
    outbox: Outbox, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "DROP_AFTER_S", 0.2)
    fail_at(monkeypatch, "answerCallbackQuery")
    outbox.put(ANN, Reply("раз"))
    eventually(lambda: sent_texts(world) == ["раз"])
    [event] = world.events_of(ANN)
    edit = edit_call(ANN, event["message"]["message_id"], Reply("два"))
    outbox.put_calls(ANN, [callback_answer("1", "готово"), edit])
    eventually(is_empty)
    assert [event["message"]["text"] for event in world.events_of(ANN) if "message" in event] == ["раз", "два"]


def test_a_toast_is_no_longer_than_telegram_allows(outbox: Outbox, world: World) -> None:
    outbox.put(ANN, Reply("раз"))
    eventually(lambda: sent_texts(world) == ["раз"])
    query_id = world.tap(ANN, ANN, world.events_of(ANN)[0]["message"]["message_id"], "x:1")
    outbox.put_calls(ANN, [callback_answer(query_id, "слово " * 100)])
    eventually(lambda: len(world.events_of(ANN)) == 2)
    assert len(world.events_of(ANN)[1]["text"]) == 200


def test_an_older_server_is_noticed_once(
    outbox: Outbox, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sandbox.METHODS, "sendRichMessage")
    for number in range(3):
        outbox.put(ANN, Reply(f"**{number}**", is_markdown=True))
    eventually(lambda: sent_texts(world) == ["**0**", "**1**", "**2**"])
    assert [method for method, _ in world.calls].count("sendRichMessage") == 1
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1


# Answers of models


def test_an_answer_is_one_rich_message_with_buttons(outbox: Outbox, world: World) -> None:
    question_id = store_question(ANN)
    buttons = [[Button("🔁", "again:1"), Button("📝", "save:1")]]
    answer = Reply("# Да\n\n| a | b |\n| --- | --- |", is_markdown=True, buttons=buttons, question_id=question_id)
    outbox.put(ANN, answer, reply_to=1)
    eventually(is_empty)
    [event] = world.events_of(ANN)
    assert event["message"]["rich_message"]["markdown"] == "# Да\n\n| a | b |\n| --- | --- |"
    assert event["message"]["reply_to_message"]["message_id"] == 1
    assert len(event["message"]["reply_markup"]["inline_keyboard"][0]) == 2
    question = journal.question_answered_by(ANN, event["message"]["message_id"])
    assert question
    assert question["id"] == question_id


def test_a_refused_rich_message_is_sent_as_plain_text_before_the_next_reply(outbox: Outbox, world: World) -> None:
    text = f"{REFUSED_MARKDOWN}\n" + "слово\n" * 1000
    buttons = [[Button("🔁", "again:1")]]
    with storage.transaction():
        outbox.put(
            ANN, Reply(text, is_markdown=True, buttons=buttons, question_id=store_question(ANN)), reply_to=1
        )
        outbox.put(ANN, Reply("потом"))
    eventually(is_empty)
    *parts, last = [event["message"] for event in world.events_of(ANN)]
    assert [len(part["text"]) <= 4096 for part in parts] == [True, True]
    assert "".join("".join(part["text"] for part in parts).split()) == "".join(text.split())
    assert ["reply_to_message" in part for part in parts] == [True, False]
    assert ["reply_markup" in part for part in parts] == [False, True]
    assert all(journal.question_answered_by(ANN, part["message_id"]) for part in parts)
    assert last["text"] == "потом"


def test_an_older_server_gets_plain_text(outbox: Outbox, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sandbox.METHODS, "sendRichMessage")
    outbox.put(ANN, Reply("**да**", is_markdown=True))
    eventually(lambda: sent_texts(world) == ["**да**"])


def test_a_picture_that_cannot_be_loaded_is_sent_as_its_link(outbox: Outbox, world: World) -> None:
    outbox.put(ANN, Reply("812 мс", photo="https://pictures.example/cat.png"))
    outbox.put(ANN, Reply("812 мс", photo="https://pictures.example/broken.png"))
    eventually(is_empty)
    first, second = [event["message"] for event in world.events_of(ANN)]
    assert (first["photo"][0]["file_id"], first["caption"]) == ("https://pictures.example/cat.png", "812 мс")
    assert second["text"] == "https://pictures.example/broken.png\n\n812 мс"


def test_a_long_answer_is_sent_as_several_messages(outbox: Outbox, world: World) -> None:
    text = "\n\n".join(f"Абзац {n} " + "слово " * 50 for n in range(300))
    outbox.put(ANN, Reply(text, is_markdown=True))
    eventually(is_empty)
    parts = [event["message"]["rich_message"]["markdown"] for event in world.events_of(ANN)]
    assert len(parts) == 3
    assert "\n\n".join(part.strip() for part in parts).split() == text.split()
