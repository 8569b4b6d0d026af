"""llm.queue_positions: people beyond the threads that answer see their position; a person takes at most three."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import eventually

import config
import storage
import texts
from llm import answers, queue_positions
from llm.answers import Answers
from llm.catalog import Catalog
from llm.speech import SpeechToText
from sandbox import telegram as sandbox
from sandbox.openrouter import EmulatedGateway
from sandbox.telegram import World
from telegram.outbox import Outbox
from telegram.pacing import NO_LIMITS
from telegram.replies import Question
from telegram.transport import Telegram

PEOPLE = (1, 2, 3)


@pytest.fixture
def asking(
    database: Path,  # noqa: ARG001
    telegram_url: str,
    openrouter_url: str,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Answers]:
    monkeypatch.setenv("TOKEN", sandbox.TOKEN)
    monkeypatch.setenv("TELEGRAM_API_URL", telegram_url)
    monkeypatch.setenv("OPENROUTER_API_KEY", "key")
    monkeypatch.setenv("OPENROUTER_BASE_URL", openrouter_url)
    monkeypatch.setattr(answers, "MAX_QUESTIONS_IN_PROGRESS", 1)
    monkeypatch.setattr(queue_positions, "SHOW_POSITION_AFTER_S", 0.01)
    monkeypatch.setattr(queue_positions, "POSITION_INTERVAL_S", 0.01)
    for user_id in PEOPLE:
        world.say(user_id, "/start")
    settings = config.load_settings()
    telegram = Telegram(settings, NO_LIMITS)
    outbox = Outbox(telegram)
    asking = Answers(settings, telegram, outbox, Catalog(settings), SpeechToText(settings, telegram))
    yield asking
    asking.stop()
    outbox.stop(0, 30)


def ask(asking: Answers, user_id: int, kind: str = "ask") -> None:
    with storage.transaction():
        asking.ask(
            Question("раз", kind=kind), user_id=user_id, chat_id=user_id, message_id=1, asked_at=1, is_private=True
        )


def drafts(world: World, user_id: int) -> list[str]:
    return [event["draft"]["text"] for event in world.events_of(user_id) if event.get("draft")]


def test_who_waits_for_a_thread_sees_the_queue_position(
    asking: Answers, world: World, gateway: EmulatedGateway
) -> None:
    gateway.think_s = 30.0
    ask(asking, 1)
    eventually(lambda: gateway.requests)
    ask(asking, 2)
    ask(asking, 3)
    eventually(lambda: drafts(world, 2)[-1:] == [texts.queue_position(1)])
    eventually(lambda: drafts(world, 3)[-1:] == [texts.queue_position(2)])
    asking.stop_question(1, 1)
    eventually(lambda: drafts(world, 3)[-1] == texts.queue_position(1))


def test_a_question_is_answered_when_no_thread_can_start_for_the_model(
    asking: Answers, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers.threading, "Thread", refuse_thread)  # type: ignore[attr-defined]
    ask(asking, 1)
    eventually(lambda: any(event.get("message") for event in world.events_of(1)))
    assert storage.connection().execute("SELECT state FROM questions").fetchone()["state"] == "answered"


def refuse_thread(**_: object) -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists the open files of a process")
def test_a_question_in_progress_keeps_no_connection_to_the_database_open(
    asking: Answers, database: Path, gateway: EmulatedGateway
) -> None:
    """Hundreds of questions may wait at the same time, and a process may usually open 1024 files."""
    gateway.think_s = 30.0
    own = count_connections(database)
    ask(asking, 1)
    eventually(lambda: gateway.requests)
    eventually(lambda: count_connections(database) <= own)


def count_connections(path: Path) -> int:
    """Return how many connections have the write-ahead log open; SQLite keeps some other files for later ones."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(os.path.realpath(link) == f"{path}-wal" for link in links)
