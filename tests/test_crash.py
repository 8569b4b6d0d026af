"""The promises, against the real process: killed, stopped, cut off, refused, locked out and poisoned.

- SIGKILL at random instants: every note stored once and in order, every question answered, every reply arrives
- SIGTERM at random instants: the same, and nothing twice
- faults of Telegram, Telegram away, chats that refuse
- a locked and a full database, a poison update, a second copy
"""

import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from conftest import ROOT, BotProcess, Person, eventually, text_of

from runtime.outbox import SENDERS
from sandbox.openrouter import Gateway
from sandbox.telegram import Faults, World

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX knows them")

PEOPLE = range(1, 21)


class Crowd:
    """Many people who write without a pause, and what became of it."""

    def __init__(self, world: World, command: str) -> None:
        self.world = world
        self._command = command
        self._sent: dict[int, list[str]] = defaultdict(list)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write in bursts while the block runs."""
        over = threading.Event()
        thread = threading.Thread(target=self._write, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def write(self, count: int) -> None:
        """Write so many messages at once."""
        with self.world.frozen():
            for _ in range(count):
                user_id = random.choice(PEOPLE)
                text = f"от {user_id} номер {len(self._sent[user_id])}"
                self._sent[user_id].append(text)
                self.world.say(user_id, f"/{self._command} {text}")

    def _write(self, over: threading.Event) -> None:
        while not over.wait(random.uniform(0, 0.1)):
            self.write(random.randrange(1, 30))

    def wait_until_served(self, db_path: Path) -> None:
        """Wait until nothing is left to handle, to answer or to send."""
        self.world.wait(lambda: self.world.pending() == 0)
        with closing(sqlite3.connect(db_path, timeout=60)) as db:
            for left in ("FROM questions WHERE state = 'pending'", "FROM outbox"):
                query = f"SELECT count(*) {left}"
                eventually(partial(lambda query: db.execute(query).fetchone() == (0,), query))

    def check_stored_once_and_in_order(self, db_path: Path) -> None:
        table = "notes" if self._command == "note_add" else "questions"
        with closing(sqlite3.connect(db_path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            stored: dict[int, list[str]] = defaultdict(list)
            for user_id, text in db.execute(f"SELECT user_id, text FROM {table} ORDER BY id"):
                stored[user_id].append(text)
        assert stored == self._sent

    def count_double_replies(self, db_path: Path) -> int:
        """Check that everyone got every reply, in order; return how many came twice."""
        double = 0
        for user_id, expected in self._expected(db_path).items():
            messages = [event["message"] for event in self.world.events_of(user_id) if "message" in event]
            got = [text_of(message).split("\n")[0] for message in messages]
            assert list(dict.fromkeys(got)) == expected
            double += len(got) - len(expected)
        return double

    def _expected(self, db_path: Path) -> dict[int, list[str]]:
        replies: dict[int, list[str]] = defaultdict(list)
        with closing(sqlite3.connect(db_path)) as db:
            if self._command == "note_add":
                for user_id, note_id in db.execute("SELECT user_id, id FROM notes ORDER BY id"):
                    replies[user_id].append(f"Заметка #{note_id} добавлена.")
            else:
                for user_id, text in db.execute("SELECT user_id, text FROM questions ORDER BY id"):
                    replies[user_id].append(text)
        return replies


def survive(bot: BotProcess, crowd: Crowd, ends: int, number: int) -> int:
    """End the bot so many times at random instants while the crowd writes; return how many replies came twice."""
    bot.env["FREE_REQUESTS_PER_MINUTE"] = "1000000"
    bot.env["ASK_PER_DAY"] = "1000000"
    with crowd.writing():
        for _ in range(ends):
            bot.start()
            time.sleep(
                random.uniform(0, 0.6)
            )  # the instant is what is drawn: from start-up to the middle of a flood
            code = bot.send_signal(number)
            # A signal may come before the bot listens to it.
            assert code in ((-number,) if number == signal.SIGKILL else (0, -number))
    polls = crowd.world.poll_number
    bot.start()
    crowd.world.wait(lambda: crowd.world.poll_number > polls)
    crowd.wait_until_served(bot.db_path)
    assert bot.stop() == 0
    crowd.check_stored_once_and_in_order(bot.db_path)
    return crowd.count_double_replies(bot.db_path)


@pytest.fixture
def gateway() -> Gateway:
    """Give a model that repeats the question, after a moment."""
    gateway = Gateway()
    gateway.think_s = 0.02
    gateway.answer_to = lambda body: str(body["messages"][-1]["content"])
    return gateway


@pytest.mark.parametrize("command", ["note_add", "ask"])
@pytest.mark.parametrize("kills", [12, pytest.param(120, marks=pytest.mark.long)])
def test_kill_at_random_instants(bot_process: BotProcess, world: World, command: str, kills: int) -> None:
    double = survive(bot_process, Crowd(world, command), kills, signal.SIGKILL)
    print(f"{double} replies came twice in {kills} kills")
    assert double <= kills * SENDERS


@pytest.mark.parametrize("command", ["note_add", "ask"])
def test_stop_at_random_instants_and_nothing_comes_twice(
    bot_process: BotProcess, world: World, command: str
) -> None:
    assert survive(bot_process, Crowd(world, command), 8, signal.SIGTERM) == 0


# Telegram


def test_faulty_calls_lose_nothing_and_keep_order(bot_process: BotProcess, world: World) -> None:
    crowd = Crowd(world, "note_add")
    bot_process.start()
    world.faults = Faults(drop_before=0.03, drop_after=0.03, too_many=0.03, bad_gateway=0.03)
    for _ in range(20):
        crowd.write(20)
        world.wait(lambda: world.pending() < 200)
    crowd.wait_until_served(bot_process.db_path)
    crowd.check_stored_once_and_in_order(bot_process.db_path)
    crowd.count_double_replies(bot_process.db_path)


def test_telegram_goes_away_and_comes_back(bot_process: BotProcess, world: World) -> None:
    crowd = Crowd(world, "note_add")
    bot_process.start()
    crowd.write(50)
    world.faults.away = True
    crowd.write(50)
    failed = len(world.calls)
    eventually(lambda: len(world.calls) > failed + 4)
    world.faults.away = False
    crowd.wait_until_served(bot_process.db_path)
    crowd.check_stored_once_and_in_order(bot_process.db_path)
    crowd.count_double_replies(bot_process.db_path)


def test_a_chat_that_refuses_does_not_stop_the_others(bot_process: BotProcess, world: World) -> None:
    bot_process.start()
    world.blocked.add(1)
    world.say(1, "/note_add раз")
    assert Person(world, 2).asks("/note_add два") == "Заметка #2 добавлена."
    eventually(lambda: "refused" in bot_process.log)
    world.blocked.clear()
    assert Person(world, 1).asks("/note_count") == "У вас 1 заметка."


# The database


def test_a_locked_database_is_waited_for(bot_process: BotProcess, world: World) -> None:
    bot_process.start()
    ann = Person(world, 1)
    ann.asks("/start")
    with closing(sqlite3.connect(bot_process.db_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ann.says("/note_add раз")
        eventually(lambda: "the database is unavailable" in bot_process.log)
        assert world.pending() == 1
        other.execute("COMMIT")
    assert ann.hears()["text"] == "Заметка #1 добавлена."
    assert "Traceback" not in bot_process.log


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit is Linux's")
def test_a_full_disk_is_waited_for(bot_process: BotProcess, world: World) -> None:
    import resource

    bot_process.start()
    ann = Person(world, 1)
    ann.asks("/start")
    wal = bot_process.db_path.with_name(bot_process.db_path.name + "-wal")
    full = wal.stat().st_size
    resource.prlimit(bot_process.pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
    ann.says(f"/note_add {'раз ' * 900}")
    eventually(lambda: "the database is unavailable" in bot_process.log)
    assert world.pending() == 1
    resource.prlimit(bot_process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert ann.hears()["text"] == "Заметка #1 добавлена."


# Poison, and a second copy


POISONED = """
import sys, bot, db
@bot.command("poison", "…")
def poison(message, text):
    db.add_note(message.from_user.id, message.chat.id, 1, "to be rolled back", 0)
    raise ZeroDivisionError
sys.exit(bot.main())
"""


def test_a_handler_that_raises_is_undone_said_and_not_repeated(bot_process: BotProcess, world: World) -> None:
    bot_process.command = [sys.executable, "-c", POISONED]
    bot_process.env["PYTHONPATH"] = str(ROOT)
    ann = Person(world, 1)
    with world.frozen():
        for text in ("/note_add раз", "/poison", "/note_add два"):
            ann.says(text)
    bot_process.start()
    heard = [ann.hears()["text"] for _ in range(3)]
    assert heard[0] == "Заметка #1 добавлена."
    assert heard[1].startswith("Что-то пошло не так")
    assert heard[2] == "Заметка #2 добавлена."
    bot_process.stop()
    bot_process.start()
    assert ann.asks("/note_count") == "У вас 2 заметки."
    assert len(re.findall(r"update \d+ failed\n", bot_process.log)) == 1


def test_an_update_that_cannot_be_read_is_skipped_once(bot_process: BotProcess, world: World) -> None:
    world.update({"message": {"message_id": "?", "text": "/note_add раз"}})
    bot_process.start()
    assert Person(world, 1).asks("/note_add два") == "Заметка #1 добавлена."
    bot_process.stop()
    bot_process.start()
    assert Person(world, 2).asks("/note_count") == "У вас 0 заметок."
    assert bot_process.log.count("cannot be read") == 1


def test_a_second_copy_is_told_of_and_neither_doubles_a_note(
    bot_process: BotProcess, world: World, tmp_path: Path
) -> None:
    crowd = Crowd(world, "note_add")
    bot_process.start()
    with (tmp_path / "second.log").open("wb") as log:
        second = subprocess.Popen(bot_process.command, cwd=tmp_path, env=bot_process.env, stdout=log, stderr=log)
    with crowd.writing():
        eventually(lambda: "another copy" in bot_process.log + (tmp_path / "second.log").read_text("utf-8"))
    second.terminate()
    assert second.wait() == 0
    crowd.wait_until_served(bot_process.db_path)
    crowd.check_stored_once_and_in_order(bot_process.db_path)
    crowd.count_double_replies(bot_process.db_path)
