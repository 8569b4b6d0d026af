"""The parts that tests are made of: a temp database, both services played, the bot as a process, people."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import db
from sandbox import openrouter, telegram
from sandbox.openrouter import Gateway
from sandbox.server import Server
from sandbox.telegram import World

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"
settings.register_profile("patient", deadline=None)  # time limits live in benchmarks
settings.load_profile("patient")

PATIENCE_S = 60.0  # a test waits for a condition; this only ends one that will never come true


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the machine's own settings, .env files and proxies out of the tests."""
    for name in (ROOT / ".env.example").read_text(encoding="utf-8").split():
        monkeypatch.delenv(name.partition("=")[0], raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "notes.db"
    db.open(path)
    yield path
    db.close()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def telegram_url(world: World) -> Iterator[str]:
    with Server(telegram.application(world)) as server:
        yield server.url


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def openrouter_url(gateway: Gateway) -> Iterator[str]:
    with Server(openrouter.application(gateway)) as server:
        yield f"{server.url}/api/v1"


def eventually(condition: Callable[[], object]) -> None:
    """Wait until condition() is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.01)


@pytest.fixture
def rvfreellm() -> Iterator[Gateway]:
    """Give RVFreeLLM, and where it is: .url."""
    yield from _serving(Gateway("rvfreellm"))


@pytest.fixture
def local_llm() -> Iterator[Gateway]:
    """Give a model server on one's own machine, and where it is: .url."""
    yield from _serving(Gateway("local"))


def _serving(gateway: Gateway) -> Iterator[Gateway]:
    with Server(openrouter.application(gateway)) as server:
        gateway.url = f"{server.url}{gateway.prefix}"
        yield gateway


class BotProcess:
    """`python bot.py` in a folder of its own, between the two stand-ins."""

    def __init__(self, folder: Path, telegram_url: str, openrouter_url: str) -> None:
        self.folder = folder
        self.db_path = folder / "bot.db"
        self.log_path = folder / "bot.log"
        self.env = os.environ | {
            "TOKEN": telegram.TOKEN,
            "TELEGRAM_API_URL": telegram_url,
            "OPENROUTER_API_KEY": "sk-or-test-key",
            "OPENROUTER_BASE_URL": openrouter_url,
            "DB_PATH": str(self.db_path),
            "PYTHONUTF8": "1",
            # A thread that waits in the network when the process leaves cannot close what it has open.
            "PYTHONWARNINGS": "error,ignore:unclosed database:ResourceWarning",
        }
        self.command = [sys.executable, str(ROOT / "bot.py")]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> "BotProcess":
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(self.command, cwd=self.folder, env=self.env, stdout=log, stderr=log)
        return self

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def send_signal(self, number: int) -> int:
        """Send a signal and return the exit code."""
        assert self._process
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        assert self._process
        return self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> int:
        return self.send_signal(signal.SIGTERM)

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8")


@pytest.fixture
def bot_process(tmp_path: Path, telegram_url: str, openrouter_url: str) -> Iterator[BotProcess]:
    """Give the bot, not started yet."""
    process = BotProcess(tmp_path, telegram_url, openrouter_url)
    yield process
    process.kill()


class Person:
    """Somebody who writes to the bot and reads what it says."""

    def __init__(self, world: World, user_id: int, chat_id: int | None = None) -> None:
        self.id = user_id
        self.chat_id = chat_id or user_id
        self._world = world
        self._read = 0

    def says(self, text: str, **more: Any) -> dict[str, Any]:
        return self._world.say(self.id, text, chat_id=self.chat_id, **more)

    def edits(self, message: dict[str, Any], text: str) -> None:
        self._world.edit(self.id, message["message_id"], text, chat_id=self.chat_id)

    def sends_file(self, name: str, content: bytes, caption: str = "", *, is_picture: bool = False) -> None:
        self._world.send_file(self.id, name, content, caption, chat_id=self.chat_id, is_picture=is_picture)

    def hears(self) -> dict[str, Any]:
        """Wait for the bot's next message and return it."""
        self._world.wait(lambda: len(self._messages()) > self._read, PATIENCE_S)
        message: dict[str, Any] = self._messages()[self._read]
        self._read += 1
        return message

    def asks(self, text: str) -> str:
        """Say something and return the text of the bot's next message."""
        self.says(text)
        return text_of(self.hears())

    def taps(self, message: dict[str, Any], label: str) -> str:
        """Tap a button under a message; return what pops up."""
        buttons = [b for row in message["reply_markup"]["inline_keyboard"] for b in row]
        [data] = [b["callback_data"] for b in buttons if b["text"] == label]
        return self.taps_data(message, data)

    def taps_data(self, message: dict[str, Any], data: str) -> str:
        """Press a button by what it sends; return what pops up."""
        query_id = self._world.tap(self.id, self.chat_id, message["message_id"], data)
        self._world.wait(lambda: any(e.get("query_id") == query_id for e in self._world.events), PATIENCE_S)
        return next(str(e["text"]) for e in self._world.events if e.get("query_id") == query_id)

    def sees_drafts(self) -> list[dict[str, Any]]:
        """Return the drafts that were shown so far."""
        return [event["draft"] for event in self._world.events_of(self.chat_id) if event.get("draft")]

    def _messages(self) -> list[dict[str, Any]]:
        return [event["message"] for event in self._world.events_of(self.chat_id) if event.get("message")]


def hears_it_out(person: Person, bot: BotProcess) -> dict[str, Any]:
    """Return the bot's next message, once the bot has noted down that it was sent."""
    message = person.hears()
    with closing(sqlite3.connect(bot.db_path)) as connection:
        eventually(lambda: connection.execute("SELECT count(*) FROM outbox").fetchone() == (0,))
    return message


@pytest.fixture
def person(world: World) -> Callable[..., Person]:
    """Give a maker of people: person(user_id)."""
    return lambda user_id=1, chat_id=None: Person(world, user_id, chat_id)


def text_of(message: dict[str, Any]) -> str:
    """Return what a message says, rich or plain."""
    rich = message.get("rich_message", {}).get("markdown")
    return str(rich or message.get("text") or message.get("caption"))


def without_times(text: str) -> str:
    """Put fixed words in place of what differs from run to run."""
    text = re.sub(r"\d\d\.\d\d\.\d{4} \d\d:\d\d", "21.11.2026 12:00", text)
    text = re.sub(r"\d\d\.\d\d\.\d{4}:", "21.11.2026:", text)
    return re.sub(r"^\d+ мс", "812 мс", text, flags=re.MULTILINE)
