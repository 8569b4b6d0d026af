"""telegram.fence: a machine that was replaced does not poll again.

- «fail over, old one returns» with two real processes and two databases: no note is in two histories
- a database from another machine, a gap in polling, and no reason to look
- the signs of another copy: a 409, an update that somebody else confirms
"""

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import BotProcess, Person, eventually
from test_updates import SETTINGS

import clock
import journal
import storage
import texts
from config import SetupError
from sandbox import telegram as sandbox
from sandbox.telegram import World
from telegram import fence
from telegram.fence import Fence
from telegram.transport import Telegram, TelegramError

MakePerson = Callable[..., Person]


def notes_in(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY id")]


def come_from(path: Path, machine: str, polled_s_ago: int) -> None:
    """Make a database that another machine has polled with, or this one some time ago."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE last_poll SET machine = ?, polled_at = polled_at - ?", (machine, polled_s_ago))


@pytest.fixture
def standby(tmp_path: Path, telegram_url: str, openrouter_url: str) -> Iterator[BotProcess]:
    folder = tmp_path / "standby"
    folder.mkdir()
    process = BotProcess(folder, telegram_url, openrouter_url)
    yield process
    process.kill()


def test_a_machine_that_was_replaced_does_not_poll_again(
    bot_process: BotProcess, standby: BotProcess, person: MakePerson, world: World
) -> None:
    ann = person()
    bot_process.start()
    ann.asks("/note_add раз")
    eventually(lambda: world.pending() == 0)
    bot_process.kill()
    shutil.copy(bot_process.db_path, standby.db_path)
    shutil.copy(f"{bot_process.db_path}-wal", f"{standby.db_path}-wal")
    come_from(standby.db_path, "the machine that was lost", 0)
    ann.says("/note_add два")  # while nobody polls
    standby.start()
    assert ann.hears()["text"].endswith("добавлена.")
    assert "looking whether another copy" in standby.log

    with closing(sqlite3.connect(bot_process.db_path)) as connection:
        [(machine,)] = connection.execute("SELECT machine FROM last_poll")
    come_from(bot_process.db_path, machine, 3600)
    assert bot_process.start().wait() == 2  # the old machine is back
    assert texts.REPLACED in bot_process.log
    ann.says("/note_add три")
    eventually(lambda: notes_in(standby.db_path) == ["раз", "два", "три"])
    assert notes_in(bot_process.db_path) == ["раз"]
    assert standby.stop() == 0


# In process


@pytest.fixture
def telegram(telegram_url: str) -> Telegram:
    return Telegram(replace(SETTINGS, token=sandbox.TOKEN, telegram_api_url=telegram_url))


@pytest.mark.usefixtures("database")
def test_a_new_database_and_a_short_stop_are_no_reason_to_look(telegram: Telegram) -> None:
    first = Fence(telegram)
    assert not first.is_due()
    assert first.may_handle(time.sleep)
    assert not Fence(telegram).is_due()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("gap_s", [fence.MAX_GAP_S + 1, -fence.MAX_GAP_S - 1])
def test_a_gap_is_a_reason_to_look(telegram: Telegram, monkeypatch: pytest.MonkeyPatch, gap_s: int) -> None:
    running = Fence(telegram)
    running.record_poll()
    now = clock.now() + gap_s
    monkeypatch.setattr(clock, "now", lambda: now)
    assert running.is_due(), "the machine has slept"
    assert Fence(telegram).is_due(), "it was started again after a while"


@pytest.mark.usefixtures("database")
def test_polls_are_recorded_now_and_then(telegram: Telegram, monkeypatch: pytest.MonkeyPatch) -> None:
    running = Fence(telegram)
    start = clock.now()
    interval_s = fence.RECORD_INTERVAL_S
    for seconds, recorded in ((0, 0), (interval_s - 1, 0), (interval_s, interval_s)):
        monkeypatch.setattr(clock, "now", lambda now=start + seconds: now)
        running.record_poll()
        last_poll = journal.last_poll()
        assert last_poll
        assert last_poll["polled_at"] == start + recorded


@pytest.mark.usefixtures("database")
def test_alone_it_goes_on_and_the_updates_stay(
    telegram: Telegram, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "LOOK_S", 0.2)
    monkeypatch.setattr(fence, "PAUSE_S", 0.01)
    journal.record_poll(clock.now(), "another machine")
    moved = Fence(telegram)
    world.say(1, "раз")
    assert not moved.may_handle(time.sleep), "what was fetched before the look may be outdated"
    assert world.pending() == 1
    assert moved.may_handle(time.sleep)
    assert not Fence(telegram).is_due()


@pytest.mark.usefixtures("database")
def test_another_copy_that_waits_for_updates_is_found(
    telegram: Telegram, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "LOOK_S", 60.0)
    failures: list[TelegramError] = []

    def poll() -> None:
        while not failures or failures[-1].status != 409:
            try:
                telegram.call("getUpdates", {"timeout": 50}, timeout_s=60)
            except TelegramError as error:
                failures.append(error)
        telegram.call("getUpdates", {"timeout": 0}, timeout_s=60)
        storage.close_thread()

    other = threading.Thread(target=poll)
    other.start()
    world.wait(lambda: world.poll_number)
    with pytest.raises(SetupError, match="другая копия бота"):
        Fence(telegram).look()
    other.join()


@pytest.mark.usefixtures("database")
def test_another_copy_that_confirms_updates_is_found(
    telegram: Telegram, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "LOOK_S", 60.0)
    update_id = world.say(1, "раз") and world.update({"message": {}})

    def confirm(seconds: float) -> None:  # noqa: ARG001
        telegram.call("getUpdates", {"timeout": 0, "offset": update_id}, timeout_s=60)

    with pytest.raises(SetupError, match="другая копия бота"):
        Fence(telegram).look(confirm)


@pytest.mark.usefixtures("database")
def test_while_telegram_does_not_answer_nothing_is_decided(telegram: Telegram, world: World) -> None:
    world.faults.bad_gateway = 1.0
    journal.record_poll(clock.now(), "another machine")
    moved = Fence(telegram)
    with pytest.raises(TelegramError):
        moved.look()
    assert moved.is_due()
