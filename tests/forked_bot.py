"""The bot, started many times in a row: a server process imports it once and forks a process for each run.

A start then takes a few milliseconds instead of half a second, so a proof can afford thousands. Everything else
is the real bot: main() in a process of its own, with real threads, files and sockets. POSIX only.

`python forked_bot.py` is the server; ForkedBot is a run of the bot, for tests.
"""

import json
import mmap
import os
import pickle
import select
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINT_PAGES = 40
CALL_LETTERS = {"write": b"w", "sync": b"s", "truncate": b"t", "delete": b"d", "send": b"n"}


# In the tests' process -----------------------------------------------------------------------------------


class ForkServer:
    """The process that forks the bots."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def fork(self, run: dict[str, Any]) -> int:
        """Fork a bot; return its process ID."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(run).encode() + b"\n")
        return self.read_number()

    def read_number(self) -> int:
        """Wait for the next message of the server: a process ID or an exit status."""
        assert self._process.stdout
        return int(self._process.stdout.readline())

    def has_message(self) -> bool:
        """Return whether the server has written something: the exit status of the bot."""
        assert self._process.stdout
        return bool(select.select([self._process.stdout], [], [], 0)[0])

    def close(self) -> None:
        """End the server."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()
        self._process.wait()


class ForkedBot:
    """A bot that can be started again and again in one folder; one at a time per server."""

    def __init__(self, server: ForkServer, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.db_path = folder / "bot.db"
        self.calls_path = folder / "calls"  # one letter for each point that the process has passed
        self._server = server
        self._env = {"DB_PATH": str(self.db_path), **env}
        self._pid: int | None = None

    def start(self, **options: Any) -> None:
        """Start the bot; the options are those of _Run."""
        self.calls_path.write_bytes(b"")
        self._pid = self._server.fork({"env": self._env, "folder": str(self.folder), **options})

    def has_ended(self) -> bool:
        """Return whether the process has ended."""
        return self._server.has_message()

    def wait(self) -> int:
        """Wait for the end of the process; return the exit code, negative after a signal."""
        assert self._pid, "the bot does not run"
        self._pid = None
        return os.waitstatus_to_exitcode(self._server.read_number())

    def send_signal(self, number: int) -> int:
        """Send a signal and return the exit code."""
        assert self._pid
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(self._pid, number)
        return self.wait()

    def kill(self) -> None:
        """Kill the process if it runs."""
        if self._pid is not None:
            self.send_signal(signal.SIGKILL)

    @property
    def passed_calls(self) -> str:
        """Return a letter for each point that the process has passed: before and after each call, see the top."""
        return self.calls_path.read_text(encoding="ascii")

    @property
    def log(self) -> str:
        """Return the log so far."""
        return (self.folder / "bot.log").read_text(encoding="utf-8")


# In the bot's process ------------------------------------------------------------------------------------


class _Run:
    """What is observed and changed in one run of the bot.

    Options: `counts` counts the calls that write; `kill_at` kills the process at this point; `records` writes each
    call to a file `record`; `clock` has the process read the offset of its clock from a file `clock`; `hurries`
    makes the waits between two attempts short. While calls are observed, SQLite makes a checkpoint every 40 pages.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._kill_at = options.get("kill_at", 0)
        self._lock = threading.RLock()
        self._passed = 0
        os.chdir(options["folder"])
        os.environ.update(options["env"])
        log = os.open("bot.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        self._calls = os.open("calls", os.O_WRONLY | os.O_APPEND)
        self._record = (
            os.open("record", os.O_WRONLY | os.O_CREAT | os.O_APPEND) if options.get("records") else None
        )
        if options.get("counts") or options.get("kill_at") or options.get("records"):
            self._observe_calls()
        if options.get("clock"):
            _follow_clock()
        if options.get("hurries"):
            _hurry()

    def _observe_calls(self) -> None:
        import disk

        disk.install(self._around)
        really_connect: Any = sqlite3.connect
        really_send = socket.socket.sendall

        def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = really_connect(*arguments, **options)
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            return connection

        def sendall(connection: socket.socket, data: Any, *flags: int) -> None:
            call = disk.DiskCall("send", str(threading.get_ident()), 0, bytes(data))
            with self._around(call):
                really_send(connection, data, *flags)

        sqlite3.connect = connect  # type: ignore[assignment]
        socket.socket.sendall = sendall  # type: ignore[method-assign, assignment]

    @contextmanager
    def _around(self, call: Any) -> Iterator[None]:
        # What is synced is on the disk only afterwards; everything else may get there, or out, at once.
        is_sync = call.kind == "sync"
        self._pass(call, records=not is_sync)
        yield
        if call.kind != "write":  # after a write there is nothing but the next write, or the sync
            self._pass(call, records=is_sync)

    def _pass(self, call: Any, *, records: bool) -> None:
        with self._lock:
            if records and self._record is not None:
                data = pickle.dumps((call.kind, call.path, call.offset, call.data))
                os.write(self._record, struct.pack("I", len(data)) + data)
            self._passed += 1
            os.write(self._calls, CALL_LETTERS[call.kind])
            if self._passed == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)


def _follow_clock() -> None:
    """Add the number in the file `clock` to the time of day, now and whenever it changes."""
    with open("clock", "rb") as file:
        shared = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    real_time = time.time
    time.time = lambda: real_time() + struct.unpack("d", shared[:8])[0]


def _hurry() -> None:
    from telegram import transport

    transport.FIRST_BACKOFF_S, transport.MAX_BACKOFF_S = 0.01, 0.1


def _serve() -> None:
    """Fork a bot for each line of the standard input, one after another."""
    sys.path.insert(0, str(ROOT))
    import bot
    from telegram.pacing import NO_LIMITS

    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                _Run(json.loads(line))
                code = bot.main([], NO_LIMITS)
            except BaseException:
                traceback.print_exc()
            os._exit(code)
        print(pid, flush=True)
        print(os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    _serve()
