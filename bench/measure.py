"""The parts that benchmarks share: the machine's facts, a bot as a process, a table."""

import os
import platform
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import db
from sandbox import openrouter, telegram
from sandbox.openrouter import Gateway
from sandbox.server import Server
from sandbox.telegram import World

ROOT = Path(__file__).resolve().parent.parent
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Bot:
    """A process that polls, and what the kernel knows of it (Linux only)."""

    def __init__(self, command: Sequence[str], env: dict[str, str], folder: str) -> None:
        self.started_at = time.perf_counter()
        with open(Path(folder, "bot.log"), "ab") as log:
            self._process = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)
        self._proc = Path("/proc", str(self._process.pid))

    def stop(self) -> None:
        """Stop it as systemd would."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)

    def cpu_s(self) -> float:
        """Return the processor time used so far, of all threads, in seconds."""
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def memory_mib(self, name: str = "VmRSS") -> float:
        """Return the memory in use; with name="VmHWM", at its peak."""
        lines = (self._proc / "status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))

    def open_files(self) -> int:
        """Return how many file descriptors are open."""
        return len(os.listdir(self._proc / "fd"))


OURS = (sys.executable, str(ROOT / "bot.py"))


@contextmanager
def bot_between(world: World, gateway: Gateway, command: Sequence[str] = OURS, model: str = "") -> Iterator[Bot]:
    """Start a bot between the two stand-ins, in a folder of its own; it is polling when the block begins.

    With a model, that one is active from the start.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(telegram.application(world)) as telegram_server,
        Server(openrouter.application(gateway)) as openrouter_server,
    ):
        env = os.environ | {
            "TOKEN": telegram.TOKEN,
            "TELEGRAM_API_URL": telegram_server.url,
            "OPENROUTER_API_KEY": "bench",
            "ASK_PER_DAY": "1000000",
            "OPENROUTER_BASE_URL": f"{openrouter_server.url}/api",
            "DB_PATH": str(Path(folder, "notes.db")),
            "NO_PROXY": "127.0.0.1",
        }
        if model:
            gateway.catalogue = 500  # the list stays as it is
            db.open(env["DB_PATH"])
            db.close()
            with closing(sqlite3.connect(env["DB_PATH"])) as connection, connection:
                connection.execute("UPDATE models SET key = ?, label = ? WHERE active = 1", (model, model))
        bot = Bot(command, env, folder)
        try:
            world.wait(lambda: world.poll_number)
            yield bot
        finally:
            bot.stop()


def median_of(runs: int, measure: Callable[[], float]) -> float:
    """Return the median of several runs."""
    return statistics.median(measure() for _ in range(runs))


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table under a title and the machine's facts."""
    print(f"### {title}\n\n{machine()}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def machine() -> str:
    """Describe the machine in a line."""
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next(
        (line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")),
        platform.processor(),
    )
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    return f"{model}, {os.cpu_count()} cores, {system}, Python {platform.python_version()}"
