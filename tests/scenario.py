"""A short scenario for the proofs: notes, an edit, a deletion, a question, an import, an export, an album.

What the bot did is read at Telegram's side. The same scenario without a crash is the measure: with a crash, each
chat must show the same replies in the same order, and only the last few before the crash may come twice. In the
middle the scenario waits until the bot has recorded all that is sent: of this, nothing may come again.
"""

import json
import logging
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from conftest import PATIENCE_S, text_of, without_times
from forked_bot import ForkedBot, ForkServer

import texts
from sandbox import openrouter, telegram
from sandbox.openrouter import EmulatedGateway
from sandbox.server import Server
from sandbox.telegram import World

ANN, BOB, CID, GROUP = 1, 2, 3, -1000
IMPORTED = ["дуб", "клён", "ясень"]
IMPORT_REPORT = texts.imported(len(IMPORTED), 0, 0)
GIVEN_UP = "given up"  # the kind of event that says that a job is given up
PICTURE = b"\xff\xd8\xff picture "

Condition = Callable[[], object]
Streams = dict[tuple[int, str], list[str]]  # (chat, kind of event) → what the bot did, in order


class Scenario:
    """People who use the bot for a while."""

    def __init__(self, world: World, db_path: Path) -> None:
        self.world = world
        self._db_path = db_path
        self._middle = 0  # the number of events until the middle

    def steps(self) -> Iterator[Condition]:
        """Do one thing after another; each condition has to become true before the next."""
        world = self.world
        world.update({"of_a_future_version": {}})
        with world.batch():
            first = world.say(ANN, "/note_add яблоко")
            world.say(ANN, "/note_add груша")
            world.say(BOB, "/note_add вишня", chat_id=GROUP)
        yield self._is_handled
        with world.batch():
            world.edit(ANN, first["message_id"], "/note_add яблоко и слива")
            world.say(BOB, "/ask сколько звёзд")
            world.say(ANN, "/note_del 2")
        yield lambda: self._button(ANN, texts.RESTORE)
        message_id, data = self._button(ANN, texts.RESTORE)
        world.tap(ANN, ANN, message_id, data)
        yield self._is_handled
        self._send_album(CID)
        notes = [{"text": text, "created_at": 1_700_000_000} for text in IMPORTED]
        file = json.dumps({"format": "notes-bot", "version": 1, "notes": notes}).encode()
        yield self._after_job(
            CID,
            lambda: world.send_file(CID, "notes.json", file, "/note_import"),
            lambda: IMPORT_REPORT in self.streams()[CID, "messages"],
        )
        yield self._after_job(
            ANN, lambda: world.say(ANN, "/note_export json"), lambda: self.streams()[ANN, "files"]
        )
        yield lambda: self.streams()[BOB, "messages"]
        yield self._is_recorded
        self._middle = len(world.events)
        for user_id, chat_id in ((ANN, ANN), (BOB, BOB), (CID, CID), (BOB, GROUP)):
            with world.batch():
                world.say(user_id, "/note_list 50", chat_id=chat_id)
                world.say(user_id, "/help", chat_id=chat_id)
        yield lambda: all(self._has_help(chat_id) for chat_id in (ANN, BOB, CID, GROUP))
        yield self._is_handled

    def _after_job(self, chat_id: int, ask: Callable[[], object], is_done: Condition) -> Condition:
        """Ask for a job, and again if the bot gives it up, as it does after two crashes during the job."""
        ask()
        asked = 1

        def condition() -> object:
            nonlocal asked
            if len(self.streams()[chat_id, GIVEN_UP]) == asked:
                asked += 1
                ask()
            return is_done()

        return condition

    def _send_album(self, user_id: int) -> None:
        """Send two pictures as one album."""
        self.world.send_album(user_id, [self.world.media("photo", PICTURE + number) for number in (b"1", b"2")])

    def _is_handled(self) -> bool:
        return self.world.pending() == 0

    def _is_recorded(self) -> bool:
        """Return whether the bot remembers all that it has sent."""
        with closing(sqlite3.connect(f"file:{self._db_path}?mode=ro", uri=True)) as database:
            return database.execute("SELECT id FROM outbox UNION ALL SELECT id FROM jobs").fetchone() is None

    def _has_help(self, chat_id: int) -> bool:
        return any("/note_add" in text and "/note_list" in text for text in self.streams()[chat_id, "messages"])

    def _button(self, chat_id: int, label: str) -> Any:
        """Return the message and the data of the newest button with this label; None if there is none."""
        for event in reversed(self.world.events_of(chat_id)):
            keyboard = event.get("message", {}).get("reply_markup", {}).get("inline_keyboard", [])
            for button in (button for row in keyboard for button in row):
                if button["text"] == label:
                    return event["message"]["message_id"], button["callback_data"]
        return None

    def halves(self) -> tuple[Streams, Streams]:
        """Return what the bot did in each chat until the middle, and from there on."""
        return self.streams(last=self._middle), self.streams(first=self._middle)

    def streams(self, first: int = 0, last: int | None = None) -> Streams:
        """Return what the bot did in each chat, without what differs from run to run."""
        streams: Streams = defaultdict(list)
        with self.world.batch():
            for event in self.world.events[first:last]:
                if event["method"] == "answerCallbackQuery":
                    streams[event["chat_id"], "toasts"].append(event["text"])
                elif "document" in event.get("message", {}):
                    content = json.loads(self.world.files[event["message"]["document"]["file_id"]])
                    streams[event["chat_id"], "files"].append(str([note["text"] for note in content["notes"]]))
                elif "message" in event:
                    kind = "edits" if event["method"] == "editMessageText" else "messages"
                    text = without_times(text_of(event["message"]))
                    if text == texts.JOB_GIVEN_UP:
                        kind = GIVEN_UP
                    elif text == texts.imported(0, len(IMPORTED), 0):  # the job that was given up had added them
                        text = IMPORT_REPORT
                    is_answer = event["chat_id"] == BOB and "звёзд" in text
                    streams[event["chat_id"], kind].append(text.split("\n")[0] if is_answer else text)
        return streams


def check_streams(streams: Streams, expected: Streams) -> int:
    """Check that each chat got everything, in order; return how many events came again after a crash.

    After a crash the bot goes back and repeats the last messages, also in order.
    """
    repeated = 0
    for key in expected.keys() | streams.keys():
        position, wanted = 0, expected[key]
        for text in streams[key]:
            if position < len(wanted) and text == wanted[position]:
                position += 1
            elif text in wanted[:position]:
                repeated += 1
                position = wanted.index(text) + 1
            else:
                raise AssertionError(f"{key}: not expected after {position}: {text!r}; expected: {wanted}")
        assert position == len(wanted), f"{key}: missing: {wanted[position:]}"
    return repeated


@contextmanager
def services() -> Iterator[tuple[World, EmulatedGateway, dict[str, str]]]:
    """Serve a new Telegram and a new gateway; yield them, and the settings of a bot that uses them."""
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # a killed bot does not finish its requests
    world, gateway = World(), EmulatedGateway()
    gateway.answer_to = lambda body: str(body["messages"][-1]["content"])
    with Server(telegram.application(world)) as at_telegram, Server(openrouter.application(gateway)) as at_gateway:
        yield (
            world,
            gateway,
            {
                "TOKEN": telegram.TOKEN,
                "TELEGRAM_API_URL": at_telegram.url,
                "OPENROUTER_API_KEY": "sk-or-test-key",
                "OPENROUTER_BASE_URL": f"{at_gateway.url}{gateway.prefix}",
                "FREE_REQUESTS_PER_MINUTE": "1000000",
                "FREE_REQUESTS_PER_DAY": "1000000",
                "ASK_PER_DAY": "1000000",
                "NO_PROXY": "127.0.0.1",
            },
        )


def play(
    server: ForkServer, folder: Path, kill_at: tuple[int, ...] = (), **options: Any
) -> tuple[tuple[Streams, Streams], str]:
    """Play the scenario with a bot in a folder; kill the bot at a point of its first run, and so on.

    Return what the bot did in the two halves, and the points that its last run has passed.
    """
    kills = list(kill_at)
    with services() as (world, _, env):
        bot = ForkedBot(server, folder, env)
        scenario = Scenario(world, bot.db_path)
        bot.start(kill_at=kills.pop(0) if kills else 0, **options)
        try:
            for condition in scenario.steps():
                deadline = time.monotonic() + PATIENCE_S
                while not condition():
                    assert time.monotonic() < deadline, f"the bot stands still:\n{bot.log}"
                    if bot.has_ended():
                        assert bot.wait() == -9, bot.log
                        bot.start(kill_at=kills.pop(0) if kills else 0, **options)
                    time.sleep(0.002)
            if not bot.has_ended():
                assert bot.send_signal(15) in (0, -9), bot.log
        finally:
            bot.kill()
        return scenario.halves(), bot.passed_calls
