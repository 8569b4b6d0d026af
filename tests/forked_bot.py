"""The bot, started many times in a row: a server process imports it once and forks a process for each run.

A start then takes a few milliseconds instead of half a second, so a proof can afford thousands. Everything else
is the real bot: main() in a process of its own, with real threads, files and sockets. POSIX only.

`python forked_bot.py` is the server. It forks a keeper for each run, which forks the bot and waits for its end.
ForkedBot is a bot for tests that observe its calls; other tests use BotProcess (see conftest.py).
"""

import gc
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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINT_PAGES = 40
# A thread that waits for the network at exit cannot close its connection to the database.
UNCLOSED_AT_EXIT = "ignore:unclosed database:ResourceWarning"
CALL_LETTERS = {"write": b"w", "sync": b"s", "truncate": b"t", "delete": b"d", "send": b"n"}


# In the tests' process -----------------------------------------------------------------------------------


class ForkServer:
    """The process that forks the bots."""

    def __init__(self) -> None:
        self._socket, server_side = socket.socketpair()
        command = [sys.executable, "-X", "utf8", "-W", "error", "-W", UNCLOSED_AT_EXIT, __file__]
        with server_side:
            self._process = subprocess.Popen(command, stdin=server_side.fileno())

    def fork(self, run: dict[str, Any]) -> "Child":
        """Fork a bot."""
        ours, of_the_child = socket.socketpair()
        with of_the_child:
            socket.send_fds(self._socket, [b"f"], [of_the_child.fileno()])
        return Child(ours, run)

    def close(self) -> None:
        """End the server."""
        self._socket.close()
        self._process.wait()


class Child:
    """A forked process."""

    def __init__(self, connection: socket.socket, run: dict[str, Any]) -> None:
        self._connection = connection
        self._connection.sendall(json.dumps(run).encode() + b"\n")
        self._messages = connection.makefile("r")
        self.pid = int(self._messages.readline())
        self._exit_code: int | None = None

    def poll(self, timeout_s: float | None = 0) -> int | None:
        """Return the exit code, negative after a signal; None if the process still runs after a time."""
        if self._exit_code is None and select.select([self._connection], [], [], timeout_s)[0]:
            self._exit_code = os.waitstatus_to_exitcode(int(self._messages.readline()))
            self._messages.close()
            self._connection.close()
        return self._exit_code

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the end of the process and return the exit code."""
        exit_code = self.poll(timeout_s)
        assert exit_code is not None, "the process does not end"
        return exit_code

    def send_signal(self, number: int) -> None:
        """Send a signal unless the process has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(signal.SIGKILL)


class ForkedBot:
    """A bot that can be started again and again in one folder; one at a time per server."""

    def __init__(self, server: ForkServer, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.db_path = folder / "bot.db"
        self.calls_path = folder / "calls"  # one letter for each point that the process has passed
        self._server = server
        self._env = {**os.environ, "DB_PATH": str(self.db_path), **env}
        self._child: Child | None = None

    def start(self, **options: Any) -> None:
        """Start the bot; the options are those of _Run."""
        self.calls_path.write_bytes(b"")
        run = {"env": self._env, "folder": str(self.folder), "log": "bot.log", **options}
        self._child = self._server.fork(run)

    def has_ended(self) -> bool:
        """Return whether the process has ended."""
        assert self._child
        return self._child.poll() is not None

    def wait(self) -> int:
        """Wait for the end of the process; return the exit code, negative after a signal."""
        assert self._child, "the bot does not run"
        exit_code = self._child.wait()
        self._child = None
        return exit_code

    def send_signal(self, number: int) -> int:
        """Send a signal and return the exit code."""
        assert self._child
        self._child.send_signal(number)
        return self.wait()

    def kill(self) -> None:
        """Kill the process if it runs."""
        if self._child is not None:
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


class _ObservedCalls:
    """The calls of one run of the bot; meanwhile SQLite makes a checkpoint every 40 pages.

    Options: `counts` counts the calls that write; `kill_at` kills the process at this point; `records` writes each
    call to a file `record`.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._kill_at = options.get("kill_at", 0)
        self._lock = threading.RLock()
        self._passed = 0
        self._calls = os.open("calls", os.O_WRONLY | os.O_APPEND)
        self._record = (
            os.open("record", os.O_WRONLY | os.O_CREAT | os.O_APPEND) if options.get("records") else None
        )
        self._observe_calls()

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
    """Fork a bot whenever a connection arrives at the standard input, until that is closed."""
    sys.path.insert(0, str(ROOT))
    import bot  # noqa: F401  # every run has it already
    from telegram import pacing  # noqa: F401

    gc.freeze()  # these objects stay; a collection would copy their pages into every run
    with socket.socket(fileno=0) as requests:
        while True:
            data, connections, _, _ = socket.recv_fds(requests, 1, 1)
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:  # keepers that have ended
                    pass
            if not data:
                return
            with socket.socket(fileno=connections[0]) as connection:
                if os.fork() == 0:
                    _keep(connection)


def _keep(connection: socket.socket) -> None:
    """Fork the bot, tell its process ID, wait for its end, and tell its exit status."""
    with connection.makefile() as lines:
        run = json.loads(lines.readline())
    pid = os.fork()
    if pid == 0:
        connection.close()
        sys.exit(_run(run))
    with suppress(BrokenPipeError):  # the test does not want to know
        connection.sendall(b"%d\n" % pid)
        connection.sendall(b"%d\n" % os.waitpid(pid, 0)[1])
    os._exit(0)


def _run(run: dict[str, Any]) -> int:
    """Run the bot in a folder, with an environment, a log and arguments, and with the options of _ObservedCalls.

    `clock` has it read the offset of its clock from a file `clock`; `hurries` makes the waits between two attempts
    short.
    """
    import bot
    from telegram.pacing import NO_LIMITS

    os.chdir(run["folder"])
    os.environ.clear()
    os.environ.update(run["env"])
    log = os.open(run["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in enumerate((nothing, log, log)):
        os.dup2(source, target)
    if run.get("counts") or run.get("kill_at") or run.get("records"):
        _ObservedCalls(run)
    if run.get("clock"):
        _follow_clock()
    if run.get("hurries"):
        _hurry()
    return bot.main(run.get("arguments", []), NO_LIMITS)


if __name__ == "__main__":
    _serve()
