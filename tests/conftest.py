"""What tests share: a temporary database, the emulated services, the bot as a process, people who chat with it."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any, cast

import pytest
from forked_bot import UNCLOSED_AT_EXIT, Child, ForkServer
from hypothesis import HealthCheck, settings

import clock
import db
import db_cleanup
import journal
import journal_cleanup
import storage
from journal import LlmRequest, NewQuestion
from notes import listing
from sandbox import bot_without_limits, openrouter, telegram
from sandbox.openrouter import EmulatedGateway
from sandbox.server import Server
from sandbox.telegram import World

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"
# Benchmarks measure time, tests do not: the machine may be busy.
settings.register_profile("no-deadline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no-deadline")

PATIENCE_S = 180.0  # how long a test waits for a condition before it fails; the machine may be busy
WORKERS = 4  # more than two cores have, as most tests wait for a process or a server most of the time


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads its options
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run the whole suite in parallel; named files and tests run in this process, where a debugger works.

    `-n` decides otherwise, and without pytest-xdist everything runs in this process.
    """
    runs_whole_suite = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    is_worker = hasattr(config, "workerinput")
    if not runs_whole_suite or is_worker or not config.pluginmanager.hasplugin("xdist"):
        return
    if config.option.numprocesses is None and not config.option.usepdb:
        config.option.numprocesses = WORKERS
        config.option.dist = "worksteal"  # neighbors stay together: they share a browser
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # otherwise every worker compiles all tests in every run


@pytest.fixture(autouse=True)
def _patient_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let searches take longer on a busy machine before they become jobs."""
    monkeypatch.setattr(listing, "MAX_SEARCH_S", 60.0)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the machine's own settings, .env files and proxies out of the tests."""
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").split():
        monkeypatch.delenv(line.partition("=")[0], raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    """Open a new database; return its path."""
    path = tmp_path / "notes.db"
    db.open(path)
    db.use_bot(telegram.BOT["id"])
    yield path
    storage.close()


@pytest.fixture
def world() -> World:
    """Return the state of the emulated Telegram."""
    return World()


@pytest.fixture
def telegram_url(world: World) -> Iterator[str]:
    """Serve the emulated Telegram; return its URL."""
    with Server(telegram.application(world)) as server:
        yield server.url


@pytest.fixture
def gateway() -> EmulatedGateway:
    """Return the emulated OpenRouter."""
    return EmulatedGateway()


@pytest.fixture
def openrouter_url(gateway: EmulatedGateway) -> Iterator[str]:
    """Serve the emulated OpenRouter; return the URL of its API."""
    yield from (served.url for served in _serve(gateway))


@pytest.fixture
def rvfreellm() -> Iterator[EmulatedGateway]:
    """Serve an emulated RVFreeLLM at its `url`."""
    yield from _serve(EmulatedGateway("rvfreellm"))


@pytest.fixture
def local_llm() -> Iterator[EmulatedGateway]:
    """Serve an emulated local model server at its `url`."""
    yield from _serve(EmulatedGateway("local"))


def _serve(gateway: EmulatedGateway) -> Iterator[EmulatedGateway]:
    with Server(openrouter.application(gateway)) as server:
        gateway.url = f"{server.url}{gateway.prefix}"
        yield gateway


def names_of_settings() -> set[str]:
    """Return the settings that .env.example names."""
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    return set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", example, re.MULTILINE))


def eventually(condition: Callable[[], object]) -> None:
    """Wait until condition() is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the awaited condition did not become true"
        time.sleep(0.01)


def clean_up(now: int, questions_kept_s: int = 365 * clock.DAY_S) -> int:
    """Delete what is old at a moment, as the cleaner does; return the number of steps."""
    return len([*db_cleanup.steps(now), *journal_cleanup.steps(now, questions_kept_s)])


@cache
def fork_server() -> ForkServer:
    """Return the process that forks the bots of all tests; it has imported the bot already."""
    return ForkServer()


def pytest_unconfigure() -> None:
    """End the process that forks the bots."""
    if fork_server.cache_info().currsize:
        fork_server().close()


def store_question(user_id: int, **fields: Any) -> int:
    """Store a question of a person, with these fields instead of the usual ones; return its id."""
    question: NewQuestion = {
        "user_id": user_id,
        "chat_id": user_id,
        "message_id": 1,
        "is_private": True,
        "kind": "ask",
        "is_parallel": False,
        "parent_id": None,
        "model_id": 1,
        "text": "?",
        "asked_at": 1,
    }
    return journal.add_question({**question, **fields})  # type: ignore[typeddict-item]


def store_request(user_id: int, **fields: Any) -> int:
    """Store a successful request to a model, with these fields instead of the usual ones; return its id."""
    request: LlmRequest = {
        "user_id": user_id,
        "module": "ask",
        "gateway": "openrouter",
        "model": "m:free",
        "answered_model": None,
        "provider": None,
        "generation_id": None,
        "status": 200,
        "cause": None,
        "finish_reason": "stop",
        "latency_ms": 1,
        "prompt_tokens": 10,
        "completion_tokens": 1,
        "reasoning_tokens": None,
        "cost": 0.5,
        "is_free": True,
    }
    return journal.add_llm_request({**request, **fields})  # type: ignore[typeddict-item]


def catalog_model(key: str, **fields: Any) -> db.CatalogModel:
    """Return a model as a catalog lists it, with these fields instead of the usual ones."""
    model = {"key": key, "label": key, "context_length": None, "category": "text", "sees_images": False}
    return cast(db.CatalogModel, model | fields)


class BotProcess:
    """The bot as a process in a folder of its own, connected to the emulated services.

    Where `is_forked`, it has not to import the code anew; otherwise it starts with a command.
    """

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
            "PYTHONDONTWRITEBYTECODE": "",  # only the first of hundreds of starts compiles the code
            "PYTHONWARNINGS": f"error,{UNCLOSED_AT_EXIT}",
        }
        self.command = [*bot_without_limits.COMMAND]  # the floods of the tests would take hours with pacing
        self.is_forked = sys.platform == "linux"
        self._process: subprocess.Popen[bytes] | Child | None = None

    @property
    def pid(self) -> int:
        """Return the process ID."""
        assert self._process
        return self._process.pid

    def start(self) -> "BotProcess":
        """Start the bot; its log grows from start to start."""
        self.log_path.touch()
        self._process = self._spawn(self.log_path)
        return self

    def run(self, *options: str) -> tuple[int, str]:
        """Run the bot with options; return the exit code and what it prints."""
        output = self.folder / "output.txt"
        output.write_bytes(b"")
        return self._spawn(output, *options).wait(), output.read_text(encoding="utf-8")

    def _spawn(self, log: Path, *options: str) -> "subprocess.Popen[bytes] | Child":
        if self.is_forked:
            run = {"folder": str(self.folder), "env": self.env, "log": str(log), "arguments": options}
            return fork_server().fork(run)
        with log.open("ab") as file:
            return subprocess.Popen(
                [*self.command, *options], cwd=self.folder, env=self.env, stdout=file, stderr=file
            )

    def is_running(self) -> bool:
        """Return whether the process is running."""
        return self._process is not None and self._process.poll() is None

    def send_signal(self, number: int) -> int:
        """Send a signal and return the exit code."""
        assert self._process
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end of the process and return the exit code."""
        assert self._process
        return self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        """Kill the process if it was started."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        return self.send_signal(signal.SIGTERM)

    @property
    def log(self) -> str:
        """Return the log so far."""
        return self.log_path.read_text(encoding="utf-8")

    def rows(self, sql: str) -> list[Any]:
        """Return what a query finds in the database."""
        with closing(sqlite3.connect(self.db_path)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def bot_process(tmp_path: Path, telegram_url: str, openrouter_url: str) -> Iterator[BotProcess]:
    """Return the bot, not started yet."""
    process = BotProcess(tmp_path, telegram_url, openrouter_url)
    yield process
    process.kill()


class Person:
    """A person who writes to the bot, in private or in a group, and reads its messages in order."""

    def __init__(self, world: World, user_id: int, chat_id: int | None = None) -> None:
        self.id = user_id
        self.chat_id = chat_id or user_id
        self._world = world
        self._read = 0

    def says(self, text: str, **fields: Any) -> dict[str, Any]:
        """Send a text and return the message; `fields` are added to it."""
        return self._world.say(self.id, text, chat_id=self.chat_id, **fields)

    def edits(self, message: dict[str, Any], text: str, entities: list[dict[str, Any]] | None = None) -> None:
        """Edit the text or the caption of an own message; its formatting is replaced too."""
        self._world.edit(self.id, message["message_id"], text, entities=entities, chat_id=self.chat_id)

    def sends_file(self, name: str, content: bytes, caption: str = "", *, is_picture: bool = False) -> None:
        """Send a document or a picture."""
        self._world.send_file(self.id, name, content, caption, chat_id=self.chat_id, is_picture=is_picture)

    def sends(
        self, kind: str, content: bytes = b"", *, details: dict[str, Any] | None = None, **fields: Any
    ) -> dict[str, Any]:
        """Send a photo, voice, video, sticker, location, …: a sample without `content`; return the message.

        `details` are fields of its object, like duration; `fields` are added to the message, like caption.
        """
        return self._world.send_media(self.id, kind, content, details=details, chat_id=self.chat_id, **fields)

    def keeps(self, kind: str, content: bytes = b"", **fields: Any) -> dict[str, Any]:
        """Send something as sends() does, and wait until the bot has confirmed the note; return the message."""
        message = self.sends(kind, content, **fields)
        self.hears()
        return message

    def sends_album(self, *kinds: str, **fields: Any) -> list[dict[str, Any]]:
        """Send samples of these kinds as an album; the first message gets the `fields`, like caption."""
        parts = [self._world.media(kind) for kind in kinds]
        return self._world.send_album(self.id, parts, chat_id=self.chat_id, **fields)

    def forwards(self, message: dict[str, Any], origin: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """Forward a message or its content; `origin` is from_user(), from_channel(), … of sandbox.telegram."""
        return self._world.forward(self.id, message, origin, chat_id=self.chat_id, **fields)

    def hears(self) -> dict[str, Any]:
        """Wait for the bot's next message and return it."""
        self._world.wait(lambda: len(self._messages()) > self._read, PATIENCE_S)
        message: dict[str, Any] = self._messages()[self._read]
        self._read += 1
        return message

    def asks(self, text: str) -> str:
        """Send a text and return the text of the bot's next message."""
        self.says(text)
        return text_of(self.hears())

    def taps(self, message: dict[str, Any], label: str) -> str:
        """Tap the button with this label; return the text of the toast."""
        buttons = [button for row in message["reply_markup"]["inline_keyboard"] for button in row]
        [data] = [button["callback_data"] for button in buttons if button["text"] == label]
        return self.taps_data(message, data)

    def taps_data(self, message: dict[str, Any], data: str) -> str:
        """Tap the button with this callback data; return the text of the toast."""
        query_id = self._world.tap(self.id, self.chat_id, message["message_id"], data)
        self._world.wait(lambda: self._answers(query_id), PATIENCE_S)
        return self._answers(query_id)[0]

    def sees_drafts(self) -> list[dict[str, Any]]:
        """Return the drafts shown so far."""
        return [event["draft"] for event in self._world.events_of(self.chat_id) if event.get("draft")]

    def _messages(self) -> list[dict[str, Any]]:
        return [event["message"] for event in self._world.events_of(self.chat_id) if event.get("message")]

    def _answers(self, query_id: str) -> list[str]:
        return [str(event["text"]) for event in self._world.events if event.get("query_id") == query_id]


@pytest.fixture
def person(world: World) -> Callable[..., Person]:
    """Return a function that creates people: person(user_id, chat_id)."""
    return lambda user_id=1, chat_id=None: Person(world, user_id, chat_id)


@pytest.fixture
def ann(world: World) -> Person:
    """Return a person who chats with the bot in private."""
    return Person(world, 1)


def next_delivered(person: Person, bot: BotProcess) -> dict[str, Any]:
    """Return the bot's next message after the bot has recorded that it was delivered."""
    message = person.hears()
    count = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM jobs)"
    with closing(sqlite3.connect(bot.db_path)) as connection:
        eventually(lambda: connection.execute(count).fetchone() == (0,))
    return message


def text_of(message: dict[str, Any]) -> str:
    """Return the text of a message: rich (without the escapes of Markdown), plain or a caption."""
    rich_text = message.get("rich_message", {}).get("markdown")
    if rich_text:
        return unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", rich_text))
    return str(message.get("text") or message.get("caption"))


def without_times(text: str) -> str:
    """Replace dates, times and durations, which differ from run to run, with fixed ones."""
    text = re.sub(r"\d\d\.\d\d\.\d{4} \d\d:\d\d", "21.11.2026 12:00", text)
    text = re.sub(r"\d\d\.\d\d\.\d{4}:", "21.11.2026:", text)
    text = re.sub(r"/note_list \d\d\.\d\d\.\d{4}", "/note_list 21.11.2026", text)
    return re.sub(r"^\d+ мс", "812 мс", text, flags=re.MULTILINE)
