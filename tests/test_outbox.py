"""outbox: replies arrive in order, once the transaction is committed, whatever Telegram answers.

- order within a chat, chats side by side, after a restart
- 429, 5xx, broken connections, a chat that blocked the bot, a message that is refused
- files, and files that cannot be made
- answers: rich, refused, long
"""

import io
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import eventually

import config
import db
import storage
import texts
from runtime import files, lanes, outbox
from runtime.outbox import Button, Outbox, Reply
from runtime.telegram import Telegram, TelegramError, Upload
from sandbox import telegram as sandbox
from sandbox.checks import REFUSED_MARKDOWN
from sandbox.telegram import Faults, World

ANN, BOB = 1, 2


@pytest.fixture
def telegram(telegram_url: str, monkeypatch: pytest.MonkeyPatch) -> Telegram:
    monkeypatch.setenv("TOKEN", sandbox.TOKEN)
    monkeypatch.setenv("TELEGRAM_API_URL", telegram_url)
    return Telegram(config.load())


@pytest.fixture
def sender(telegram: Telegram, database: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outbox]:  # noqa: ARG001
    monkeypatch.setattr(outbox, "BACKOFF_FIRST_S", 0.01)
    monkeypatch.setattr(outbox, "BACKOFF_CAP_S", 0.05)
    for user_id in (ANN, BOB):
        world.say(user_id, "/start")
    sender = Outbox(telegram)
    yield sender
    sender.stop(0, 30)


def said(world: World, chat_id: int = ANN) -> list[str]:
    return [event["message"].get("text", "") for event in world.events_of(chat_id)]


def test_a_reply_leaves_after_the_commit_and_the_outbox_is_empty_then(sender: Outbox, world: World) -> None:
    with db.transaction():
        sender.put(ANN, Reply("раз"))
        assert db.chats_waiting() == [ANN]
    eventually(lambda: said(world) == ["раз"])
    eventually(lambda: db.chats_waiting() == [])


def test_a_reply_of_a_transaction_that_failed_never_leaves(sender: Outbox, world: World) -> None:
    with pytest.raises(ZeroDivisionError), db.transaction():
        sender.put(ANN, Reply("раз"))
        _ = 1 / 0
    sender.put(ANN, Reply("два"))
    eventually(lambda: said(world) == ["два"])


def test_order_within_a_chat(sender: Outbox, world: World) -> None:
    for n in range(50):
        sender.put(ANN, Reply(f"Анне {n}"))
        sender.put(BOB, Reply(f"Бобу {n}"))
    eventually(lambda: db.chats_waiting() == [])
    assert said(world, ANN) == [f"Анне {n}" for n in range(50)]
    assert said(world, BOB) == [f"Бобу {n}" for n in range(50)]


def test_what_an_earlier_run_left_is_sent(sender: Outbox, world: World) -> None:
    db.add_reply(ANN, [("sendMessage", {"chat_id": ANN, "text": "раз"})])
    sender.start()
    eventually(lambda: said(world) == ["раз"])


@pytest.mark.parametrize(
    "faults",
    [Faults(drop_before=0.5), Faults(bad_gateway=0.5), Faults(too_many=0.5, retry_after=0)],
    ids=["drop_before", "bad_gateway", "too_many"],
)
def test_what_did_not_go_through_is_sent_again(sender: Outbox, world: World, faults: Faults) -> None:
    world.faults = faults
    for n in range(20):
        sender.put(ANN, Reply(f"{n}"))
    eventually(lambda: db.chats_waiting() == [])
    assert said(world) == [f"{n}" for n in range(20)]


def test_a_chat_that_must_wait_does_not_stop_the_others(sender: Outbox, world: World) -> None:
    world.faults = Faults(too_many=1.0, retry_after=2)
    sender.put(ANN, Reply("Анне"))
    eventually(lambda: ("sendMessage", ANN) in [(method, params["chat_id"]) for method, params in world.calls])
    world.faults = Faults()
    asked_to_wait = time.monotonic()
    sender.put(BOB, Reply("Бобу"))
    eventually(lambda: said(world, BOB) == ["Бобу"])
    assert said(world, ANN) == []
    eventually(lambda: said(world, ANN) == ["Анне"])
    assert time.monotonic() - asked_to_wait > 1.5


def test_a_chat_that_blocked_the_bot_is_let_go(
    sender: Outbox, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    world.blocked.add(ANN)
    sender.put(ANN, Reply("раз"))
    sender.put(BOB, Reply("два"))
    eventually(lambda: db.chats_waiting() == [])
    assert said(world, BOB) == ["два"]
    assert "blocked" in caplog.text


def test_a_refused_message_does_not_stop_the_next(
    sender: Outbox, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    db.add_reply(ANN, [("sendMessage", {"chat_id": ANN, "text": "секрет" * 1000})])
    db.add_reply(ANN, [("noSuchMethod", {"chat_id": ANN})])
    sender.put(ANN, Reply("раз"))
    eventually(lambda: said(world) == ["раз"])
    assert "секрет" not in caplog.text
    assert caplog.text.count("refused") == 2


def test_what_telegram_quotes_is_not_logged() -> None:
    for quoted in (
        'can\'t parse entities: "секрет" at byte 3',
        "can't parse entities: секрет",
        "URL 'секрет' is bad",
    ):
        error = TelegramError(400, f"Bad Request: {quoted}")
        assert "секрет" not in str(error)
        assert str(error).startswith("[400] Bad Request: ")
        assert "секрет" in error.description


def test_a_file_is_made_when_it_is_sent(sender: Outbox, world: World) -> None:
    sender.put(ANN, Reply(attachment={"kind": "notes", "user_id": ANN, "format": "txt"}))
    db.add_note(ANN, ANN, 1, "раз", 1_700_000_000)
    eventually(lambda: world.events_of(ANN))
    [event] = world.events_of(ANN)
    document = event["message"]["document"]
    assert (document["file_name"], event["message"]["caption"]) == ("notes.txt", texts.EXPORT_CAPTION)
    assert world.files[document["file_id"]].decode().endswith("раз\n\n")


def test_a_file_is_sent_again_from_its_beginning(sender: Outbox, world: World) -> None:
    db.add_note(ANN, ANN, 1, "раз", 1_700_000_000)
    world.faults.bad_gateway = 1.0
    sender.put(ANN, Reply(attachment={"kind": "notes", "user_id": ANN, "format": "txt"}))
    eventually(lambda: len(world.calls) >= 2)
    world.faults.bad_gateway = 0.0
    eventually(lambda: world.events_of(ANN))
    [content] = world.files.values()
    assert content.decode().endswith("раз\n\n")


def test_html_that_is_refused_comes_plain(sender: Outbox, world: World) -> None:
    sender.put(ANN, Reply("<b>раз</b> &lt;два&gt; <x>три", is_html=True, buttons=[[Button("кнопка", "x:1")]]))
    eventually(lambda: said(world) == ["раз <два> три"])
    [event] = world.events_of(ANN)
    assert event["message"]["reply_markup"]["inline_keyboard"][0][0]["text"] == "кнопка"


def test_a_picture_that_is_refused_leaves_its_caption(
    sender: Outbox, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = files.Made(Upload("photo", "stats.png", io.BytesIO(b"no picture")), "подпись")
    monkeypatch.setitem(files.MAKERS, "picture", lambda _: made)
    sender.put(ANN, Reply(attachment={"kind": "picture"}))
    eventually(lambda: said(world) == ["подпись"])


def test_a_file_that_cannot_be_made_is_said_and_does_not_stop_the_chat(
    sender: Outbox, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(files.MAKERS, "broken", lambda _, user_id: user_id / 0)
    sender.put(ANN, Reply(attachment={"kind": "broken", "user_id": ANN}))
    sender.put(ANN, Reply("раз"))
    eventually(lambda: len(said(world)) == 2)
    assert said(world)[0].startswith("Что-то пошло не так")
    assert said(world)[1] == "раз"
    assert "cannot be made" in caplog.text


def test_a_reply_that_was_sent_but_cannot_be_removed_is_not_sent_again(
    sender: Outbox, world: World, database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lanes, "AFTER_FAILURE_S", 0.05)
    db.add_reply(ANN, [("sendMessage", {"chat_id": ANN, "text": "раз"})])
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        db.next_reply(ANN)  # opens the couriers' connection
        assert storage._relaxed
        storage._relaxed.execute("PRAGMA busy_timeout = 10")
        other.execute("BEGIN IMMEDIATE")
        sender.start()
        eventually(lambda: caplog.text.count("will try again") == 3)
        other.execute("ROLLBACK")
    eventually(lambda: db.chats_waiting() == [])
    assert said(world) == ["раз"]
    assert "Traceback" not in caplog.text


def test_the_text_is_not_in_the_address(telegram: Telegram, world: World) -> None:
    world.say(ANN, "/start")
    telegram.call("sendMessage", {"chat_id": ANN, "text": "секрет"})
    telegram.bot.send_message(ANN, "секрет библиотеки")
    assert said(world) == ["секрет", "секрет библиотеки"]
    assert world.paths[-2:] == [f"/bot{sandbox.TOKEN}/sendMessage"] * 2


# Answers


def test_an_answer_is_one_rich_message_with_buttons(sender: Outbox, world: World) -> None:
    question_id = a_question()
    buttons = [[Button("🔁", "again:1"), Button("📝", "save:1")]]
    sender.put(
        ANN, Reply("# Да\n\n| a | b |", is_markdown=True, buttons=buttons, question_id=question_id), reply_to=1
    )
    eventually(lambda: db.chats_waiting() == [])
    [event] = world.events_of(ANN)
    assert event["message"]["rich_message"]["markdown"] == "# Да\n\n| a | b |"
    assert event["message"]["reply_to_message"]["message_id"] == 1
    assert len(event["message"]["reply_markup"]["inline_keyboard"][0]) == 2
    found = db.question_answered_by(ANN, event["message"]["message_id"])
    assert found
    assert found["id"] == question_id


def test_a_refused_rich_message_comes_as_plain_text_before_what_follows(sender: Outbox, world: World) -> None:
    text = f"{REFUSED_MARKDOWN}\n" + "слово\n" * 1000
    buttons = [[Button("🔁", "again:1")]]
    with db.transaction():
        sender.put(ANN, Reply(text, is_markdown=True, buttons=buttons, question_id=a_question()), reply_to=1)
        sender.put(ANN, Reply("потом"))
    eventually(lambda: db.chats_waiting() == [])
    *parts, last = [event["message"] for event in world.events_of(ANN)]
    assert [len(part["text"]) <= 4096 for part in parts] == [True, True]
    assert "".join("".join(part["text"] for part in parts).split()) == "".join(text.split())
    assert ["reply_to_message" in part for part in parts] == [True, False]
    assert ["reply_markup" in part for part in parts] == [False, True]
    assert all(db.question_answered_by(ANN, part["message_id"]) for part in parts)
    assert last["text"] == "потом"


def test_an_older_server_gets_plain_text(sender: Outbox, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sandbox.METHODS, "sendRichMessage")
    sender.put(ANN, Reply("**да**", is_markdown=True))
    eventually(lambda: said(world) == ["**да**"])


def test_a_picture_that_does_not_load_comes_as_its_link(sender: Outbox, world: World) -> None:
    sender.put(ANN, Reply("812 мс", photo="https://pictures.example/cat.png"))
    sender.put(ANN, Reply("812 мс", photo="https://pictures.example/broken.png"))
    eventually(lambda: db.chats_waiting() == [])
    first, second = [event["message"] for event in world.events_of(ANN)]
    assert (first["photo"][0]["file_id"], first["caption"]) == ("https://pictures.example/cat.png", "812 мс")
    assert second["text"] == "https://pictures.example/broken.png\n\n812 мс"


def test_an_answer_of_many_pages_comes_whole(sender: Outbox, world: World) -> None:
    text = "\n\n".join(f"Абзац {n} " + "слово " * 50 for n in range(300))
    sender.put(ANN, Reply(text, is_markdown=True))
    eventually(lambda: db.chats_waiting() == [])
    parts = [event["message"]["rich_message"]["markdown"] for event in world.events_of(ANN)]
    assert len(parts) == 3
    assert "\n\n".join(part.strip() for part in parts).split() == text.split()


def a_question() -> int:
    return db.add_question(
        {"user_id": ANN, "chat_id": ANN, "message_id": 1, "is_private": 1, "kind": "ask", "lane": ANN}
        | {"model_id": 1, "text": "?", "asked_at": 0}
    )


def test_backoff_doubles_and_is_capped() -> None:
    for failures in range(1, 100):
        longest = min(30.0, 0.5 * 2.0 ** (failures - 1))
        assert longest / 2 <= outbox.backoff_s(failures) <= longest
