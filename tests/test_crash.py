"""The guarantees, checked against the real process.

- SIGKILL at random moments: every note is stored once and in order, every question answered, every reply delivered
- the same with albums: each is one note with all its parts; and with voice: each has one note and one transcript
- SIGTERM at random moments: the same, and no reply is repeated
- Telegram fails, is offline, or refuses a chat
- the database is locked, the disk is full
- a handler fails, an update cannot be read, two copies of the bot run
"""

import math
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

import texts
from sandbox.openrouter import EmulatedGateway
from sandbox.telegram import Faults, World
from telegram.outbox import MAX_UNRECORDED

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

PEOPLE = range(1, 21)
MAX_UNANSWERED = 60  # a crowd that does not wait would write more, the slower the machine is
UNFINISHED = (
    "SELECT (SELECT count(*) FROM questions WHERE state = 'pending')"
    " + (SELECT count(*) FROM outbox) + (SELECT count(*) FROM jobs) + (SELECT count(*) FROM transcriptions)"
)


class Crowd:
    """Many people who send one command without a pause, and checks of what the bot did."""

    def __init__(self, world: World, command: str) -> None:
        self.world = world
        self._command = command
        self._sent: dict[int, list[str]] = defaultdict(list)  # user_id → texts

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write in bursts while the block runs."""
        stopped = threading.Event()
        thread = threading.Thread(target=self._write_until, args=(stopped,))
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()

    def write(self, count: int) -> None:
        """Send this many messages at once."""
        with self.world.batch():
            for _ in range(count):
                user_id = random.choice(PEOPLE)
                text = f"от {user_id} номер {len(self._sent[user_id])}"
                self._sent[user_id].append(text)
                self.world.say(user_id, f"/{self._command} {text}")

    def _write_until(self, stopped: threading.Event) -> None:
        while not stopped.wait(random.uniform(0, 0.1)):
            if self._count_unanswered() < MAX_UNANSWERED:
                self.write(random.randrange(1, 30))

    def _count_unanswered(self) -> int:
        """Return how many replies are still to come; repeated ones count as new."""
        with self.world.batch():
            return self._count_replies() - sum("message" in event for event in self.world.events)

    def _count_replies(self) -> int:
        """Return how many replies all messages will get."""
        return sum(map(len, self._sent.values()))

    def wait_until_served(self, db_path: Path) -> None:
        """Wait until no update, question, job or reply is left; only a standstill is a failure."""
        self.world.wait(lambda: self.world.pending() == 0)
        unfinished = count_unfinished(db_path)
        while unfinished:
            eventually(partial(has_fewer_unfinished, db_path, unfinished))
            unfinished = count_unfinished(db_path)

    def check_stored_once_and_in_order(self, db_path: Path) -> None:
        table = "notes" if self._command == "note_add" else "questions"
        with closing(sqlite3.connect(db_path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            stored: dict[int, list[str]] = defaultdict(list)
            for user_id, text in db.execute(f"SELECT user_id, text FROM {table} ORDER BY id"):
                stored[user_id].append(text)
        assert stored == self._sent

    def count_repeated_replies(self, db_path: Path) -> int:
        """Check that everyone got every reply in order; return how many replies were repeated."""
        repeated = 0
        for user_id, expected in self._expected_replies(db_path).items():
            messages = [event["message"] for event in self.world.events_of(user_id) if "message" in event]
            replies = [text_of(message).split("\n")[0] for message in messages]
            assert list(dict.fromkeys(replies)) == expected
            repeated += len(replies) - len(expected)
        return repeated

    def _expected_replies(self, db_path: Path) -> dict[int, list[str]]:
        replies: dict[int, list[str]] = defaultdict(list)
        with closing(sqlite3.connect(db_path)) as db:
            if self._command == "note_add":
                for user_id, number in db.execute("SELECT user_id, number FROM notes ORDER BY id"):
                    replies[user_id].append(f"Заметка #{number} добавлена.")
            else:
                for user_id, text in db.execute("SELECT user_id, text FROM questions ORDER BY id"):
                    replies[user_id].append(text)
        return replies


def count_unfinished(db_path: Path) -> int:
    with closing(sqlite3.connect(db_path, timeout=60)) as db:
        [count] = db.execute(UNFINISHED).fetchone()
        return int(count)


def has_fewer_unfinished(db_path: Path, count: int) -> bool:
    return count_unfinished(db_path) < count


def interrupt_repeatedly(bot: BotProcess, crowd: Crowd, times: int, signal_number: int) -> int:
    """Send a signal at random moments while the crowd writes; return how many replies were repeated."""
    bot.env["FREE_REQUESTS_PER_MINUTE"] = "1000000"
    bot.env["ASK_PER_DAY"] = "1000000"
    with crowd.writing():
        for _ in range(times):
            bot.start()
            time.sleep(random.uniform(0, 0.4))  # from the first line of main() to the middle of a flood
            exit_code = bot.send_signal(signal_number)
            # SIGTERM ends the process if it arrives before the bot handles it.
            assert exit_code in ((-signal_number,) if signal_number == signal.SIGKILL else (0, -signal_number))
    polls = crowd.world.poll_number
    bot.start()
    crowd.world.wait(lambda: crowd.world.poll_number > polls)
    crowd.wait_until_served(bot.db_path)
    assert bot.stop() == 0
    crowd.check_stored_once_and_in_order(bot.db_path)
    return crowd.count_repeated_replies(bot.db_path)


@pytest.fixture
def gateway() -> EmulatedGateway:
    """Return a gateway whose models repeat the question after a moment."""
    gateway = EmulatedGateway()
    gateway.think_s = 0.02
    gateway.answer_to = lambda body: str(body["messages"][-1]["content"])
    return gateway


class AlbumCrowd(Crowd):
    """People who send albums; the messages of one arrive in any split of batches, one of them with a caption."""

    def __init__(self, world: World) -> None:
        super().__init__(world, "note_add")
        self._albums: dict[str, list[str]] = {}  # caption → the files in their order

    def write(self, count: int) -> None:
        """Send about this many messages as albums at once."""
        with self.world.batch():
            self.world.batch_sizes += [random.randrange(1, 4) for _ in range(count)]
            for _ in range(math.ceil(count / 6)):
                caption = f"альбом {len(self._albums)}"
                parts = [self.world.media("photo") for _ in range(random.randrange(2, 8))]
                user_id, captioned = random.choice(PEOPLE), random.randrange(len(parts))
                self.world.send_album(user_id, parts, captioned=captioned, caption=caption)
                self._albums[caption] = [part["photo"][-1]["file_unique_id"] for part in parts]

    def _count_replies(self) -> int:
        return len(self._albums)

    def check_stored_once_and_in_order(self, db_path: Path) -> None:
        with closing(sqlite3.connect(db_path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            stored: dict[str, list[str]] = {}
            for note_id, text in db.execute("SELECT id, text FROM notes").fetchall():
                assert text not in stored, "an album has become two notes"
                sql = "SELECT file_unique_id FROM attachments WHERE note_id = ? ORDER BY position"
                stored[text] = [file for (file,) in db.execute(sql, (note_id,))]
        assert stored == self._albums

    def _expected_replies(self, db_path: Path) -> dict[int, list[str]]:
        replies: dict[int, list[str]] = defaultdict(list)
        with closing(sqlite3.connect(db_path)) as db:
            for user_id, number in db.execute("SELECT user_id, number FROM notes ORDER BY id"):
                replies[user_id].append(f"Заметка #{number} добавлена: альбом.")
        return replies


@pytest.mark.parametrize("kills", [6, pytest.param(120, marks=pytest.mark.long)])
def test_sigkill_at_random_moments_leaves_every_album_one_note(
    bot_process: BotProcess, world: World, kills: int
) -> None:
    repeated = interrupt_repeatedly(bot_process, AlbumCrowd(world), kills, signal.SIGKILL)
    print(f"{repeated} repeated replies in {kills} kills")
    assert repeated <= kills * (MAX_UNRECORDED + len(PEOPLE))


class VoiceCrowd(Crowd):
    """People who send voice messages; the transcript of each tells which one it is."""

    def __init__(self, world: World, gateway: EmulatedGateway) -> None:
        super().__init__(world, "note_add")
        gateway.transcript_of = lambda asked: str(asked["audio"].decode())
        self._voices: list[tuple[int, str, str]] = []  # user_id, file, what it says

    def write(self, count: int) -> None:
        """Send a third of this many voice messages at once."""
        with self.world.batch():
            for _ in range(math.ceil(count / 3)):
                user_id, words = random.choice(PEOPLE), f"голос номер {len(self._voices)}"
                voice = self.world.send_media(user_id, "voice", words.encode())["voice"]
                self._voices.append((user_id, voice["file_unique_id"], words))

    def _count_replies(self) -> int:
        return 2 * len(self._voices)

    def check_stored_once_and_in_order(self, db_path: Path) -> None:
        with closing(sqlite3.connect(db_path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            stored = db.execute(
                "SELECT user_id, file_unique_id, transcript FROM notes"
                " LEFT JOIN attachments ON attachments.note_id = notes.id ORDER BY notes.id"
            ).fetchall()
            assert sorted(stored) == sorted(self._voices)
            paid = "SELECT count(*) FROM llm_requests WHERE module = 'transcribe' AND status = 200"
            assert db.execute(paid).fetchone() == (len(self._voices),), "a transcript is stored with its cost"

    def count_repeated_replies(self, db_path: Path) -> int:
        """Check that everyone got every confirmation and transcript; return how many were repeated."""
        expected: dict[int, set[str]] = defaultdict(set)
        with closing(sqlite3.connect(db_path)) as db:
            sql = (
                "SELECT user_id, number, transcript FROM notes JOIN attachments ON attachments.note_id = notes.id"
            )
            for user_id, number, words in db.execute(sql):
                expected[user_id] |= {f"Заметка #{number} добавлена", texts.transcript_of_note(number, words)}
        repeated = 0
        for user_id in PEOPLE:
            messages = [event["message"] for event in self.world.events_of(user_id) if "message" in event]
            replies = [text_of(message).partition(":")[0] for message in messages]
            got = [
                reply if reply.startswith("Заметка") else text_of(message)
                for reply, message in zip(replies, messages, strict=True)
            ]
            assert set(got) == expected[user_id]
            repeated += len(got) - len(expected[user_id])
        return repeated


@pytest.mark.parametrize("kills", [6, pytest.param(120, marks=pytest.mark.long)])
def test_sigkill_at_random_moments_leaves_every_voice_one_note_and_one_transcript(
    bot_process: BotProcess, world: World, gateway: EmulatedGateway, kills: int
) -> None:
    bot_process.env |= {"TRANSCRIBE_MODEL": "openrouter/openai/whisper-1", "ALLOW_PAID_MODELS": "1"}
    repeated = interrupt_repeatedly(bot_process, VoiceCrowd(world, gateway), kills, signal.SIGKILL)
    print(f"{repeated} repeated replies in {kills} kills")
    assert repeated <= kills * (MAX_UNRECORDED + len(PEOPLE))


@pytest.mark.parametrize("command", ["note_add", "ask"])
@pytest.mark.parametrize("kills", [12, pytest.param(120, marks=pytest.mark.long)])
def test_sigkill_at_random_moments_loses_nothing(
    bot_process: BotProcess, world: World, command: str, kills: int
) -> None:
    repeated = interrupt_repeatedly(bot_process, Crowd(world, command), kills, signal.SIGKILL)
    print(f"{repeated} repeated replies in {kills} kills")
    assert repeated <= kills * (MAX_UNRECORDED + len(PEOPLE))  # a group, and a call of each chat


@pytest.mark.parametrize("command", ["note_add", "ask"])
def test_sigterm_at_random_moments_repeats_nothing(bot_process: BotProcess, world: World, command: str) -> None:
    assert interrupt_repeatedly(bot_process, Crowd(world, command), 8, signal.SIGTERM) == 0


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
    crowd.count_repeated_replies(bot_process.db_path)


def test_telegram_goes_offline_and_comes_back(bot_process: BotProcess, world: World) -> None:
    crowd = Crowd(world, "note_add")
    bot_process.start()
    crowd.write(50)
    world.faults.offline = True
    crowd.write(50)
    calls = len(world.calls)
    eventually(lambda: len(world.calls) > calls + 4)
    world.faults.offline = False
    crowd.wait_until_served(bot_process.db_path)
    crowd.check_stored_once_and_in_order(bot_process.db_path)
    crowd.count_repeated_replies(bot_process.db_path)


def test_a_chat_that_blocked_the_bot_does_not_delay_the_others(bot_process: BotProcess, world: World) -> None:
    bot_process.start()
    world.blocked.add(1)
    world.say(1, "/note_add раз")
    assert Person(world, 2).asks("/note_add два") == "Заметка #1 добавлена."
    eventually(lambda: "refused" in bot_process.log)
    world.blocked.clear()
    assert Person(world, 1).asks("/note_count") == "У вас 1 заметка."


# The database


def test_the_bot_waits_for_a_locked_database(bot_process: BotProcess, world: World) -> None:
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


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit")
def test_the_bot_waits_for_space_on_a_full_disk(bot_process: BotProcess, world: World) -> None:
    import resource

    bot_process.start()
    ann = Person(world, 1)
    ann.asks("/start")
    wal = bot_process.db_path.with_name(bot_process.db_path.name + "-wal")
    full_size = wal.stat().st_size
    resource.prlimit(bot_process.pid, resource.RLIMIT_FSIZE, (full_size, resource.RLIM_INFINITY))
    ann.says(f"/note_add {'раз ' * 900}")
    eventually(lambda: "the database is unavailable" in bot_process.log)
    assert world.pending() == 1
    resource.prlimit(bot_process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert ann.hears()["text"] == "Заметка #1 добавлена."


# A handler that fails, an update that cannot be read, a second copy


BOT_WITH_FAILING_COMMAND = """
import sys, bot, db
@bot.router.command("failing", "…")
def failing(message, text):
    db.add_note(message.user_id, message.chat_id, 1, "to be rolled back", 0)
    raise ZeroDivisionError
sys.exit(bot.main([]))
"""


def test_a_failed_handler_is_rolled_back_and_reported_once(bot_process: BotProcess, world: World) -> None:
    bot_process.is_forked = False
    bot_process.command = [sys.executable, "-c", BOT_WITH_FAILING_COMMAND]
    bot_process.env["PYTHONPATH"] = str(ROOT)
    ann = Person(world, 1)
    with world.batch():
        for text in ("/note_add раз", "/failing", "/note_add два"):
            ann.says(text)
    bot_process.start()
    replies = [ann.hears()["text"] for _ in range(3)]
    assert replies[0] == "Заметка #1 добавлена."
    assert replies[1].startswith("Что-то пошло не так")
    assert replies[2] == "Заметка #2 добавлена."
    bot_process.stop()
    bot_process.start()
    assert ann.asks("/note_count") == "У вас 2 заметки."
    assert len(re.findall(r"update \d+ failed\n", bot_process.log)) == 1


def test_an_unreadable_update_is_skipped_once(bot_process: BotProcess, world: World) -> None:
    world.update({"message": {"message_id": "?", "text": "/note_add раз"}})
    bot_process.start()
    assert Person(world, 1).asks("/note_add два") == "Заметка #1 добавлена."
    bot_process.stop()
    bot_process.start()
    assert Person(world, 2).asks("/note_count") == "У вас 0 заметок."
    assert bot_process.log.count("cannot be read") == 1


def test_a_second_copy_is_reported_and_notes_are_stored_once(
    bot_process: BotProcess, world: World, tmp_path: Path
) -> None:
    crowd = Crowd(world, "note_add")
    bot_process.start()
    with (tmp_path / "second.log").open("wb") as log:
        second = subprocess.Popen(bot_process.command, cwd=tmp_path, env=bot_process.env, stdout=log, stderr=log)
    # Telegram refuses a poll while another one waits, so the copies meet at the latest when nobody writes.
    eventually(lambda: "another copy" in bot_process.log + (tmp_path / "second.log").read_text("utf-8"))
    with crowd.writing():
        world.wait(lambda: sum("message" in event for event in world.events) > 200)
    second.terminate()
    assert second.wait() == 0
    crowd.wait_until_served(bot_process.db_path)
    crowd.check_stored_once_and_in_order(bot_process.db_path)
    crowd.count_repeated_replies(bot_process.db_path)
