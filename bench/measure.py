"""What the benchmarks share: a bot as a process, a table, a description of the machine."""

import os
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import db
import storage
from sandbox import bot_without_limits, openrouter, telegram
from sandbox.openrouter import EmulatedGateway
from sandbox.server import Server
from sandbox.telegram import World

ROOT = Path(__file__).resolve().parent.parent
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
BOT_COMMAND = bot_without_limits.COMMAND  # what the machine can do, not what Telegram permits
PACED_BOT_COMMAND = (sys.executable, str(ROOT / "bot.py"))


class Bot:
    """A running bot, and what the kernel knows about its process (Linux only)."""

    def __init__(self, command: Sequence[str], env: dict[str, str], folder: str) -> None:
        self.started_at = time.perf_counter()
        with open(Path(folder, "bot.log"), "ab") as log:
            self._process = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)
        self._proc = Path("/proc", str(self._process.pid))

    def stop(self) -> None:
        """Stop the bot as systemd does."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)

    def kill(self) -> None:
        """Kill the bot."""
        self._process.kill()
        self._process.wait()

    def cpu_s(self) -> float:
        """Return the processor time that all threads have used so far, in seconds."""
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def memory_mib(self, name: str = "VmRSS") -> float:
        """Return the memory in use, or its peak with name="VmHWM"."""
        return memory_mib(name, self._proc / "status")

    def open_files(self) -> int:
        """Return the number of open file descriptors."""
        return len(os.listdir(self._proc / "fd"))


def memory_mib(name: str = "VmRSS", status: Path = Path("/proc/self/status")) -> float:
    """Return a memory figure of a process, of this one by default."""
    for line in status.read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise ValueError(name)


@contextmanager
def running_bot(
    world: World, gateway: EmulatedGateway, command: Sequence[str] = BOT_COMMAND, model: str = ""
) -> Iterator[Bot]:
    """Run a bot between the emulated services, in a folder of its own; it polls when the block begins.

    With a model, that model is active from the start.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(telegram.application(world)) as telegram_server,
        Server(openrouter.application(gateway)) as openrouter_server,
    ):
        db_path = Path(folder, "notes.db")
        env = os.environ | {
            "TOKEN": telegram.TOKEN,
            "TELEGRAM_API_URL": telegram_server.url,
            "OPENROUTER_API_KEY": "bench",
            "ASK_PER_DAY": "1000000",
            "OPENROUTER_BASE_URL": f"{openrouter_server.url}/api",
            "DB_PATH": str(db_path),
            "NO_PROXY": "127.0.0.1",
        }
        if model:
            gateway.catalog = 500  # so that the bot keeps its list of models
            activate_model(db_path, model)
        bot = Bot(command, env, folder)
        try:
            world.wait(lambda: world.poll_number)
            yield bot
        finally:
            bot.stop()


def activate_model(db_path: Path, key: str) -> None:
    """Create a database whose active model has this key."""
    db.open(db_path)
    storage.close()
    with closing(sqlite3.connect(db_path)) as connection, connection:
        connection.execute("UPDATE models SET key = ?, label = ? WHERE active = 1", (key, key))


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table below a title and a description of the machine."""
    print(f"### {title}\n\n{describe_machine()}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def describe_machine() -> str:
    """Describe this machine in one line."""
    processor = platform.processor()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    return f"{processor}, {os.cpu_count()} cores, {system}, Python {platform.python_version()}"
