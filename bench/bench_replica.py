"""What is lost with a machine: `python -m bench.bench_replica [repetitions]` prints a table (minutes).

People write to the bot while Litestream replicates its database. Then the machine is lost: the bot and Litestream
are killed, and their folder is deleted. The database is restored into another folder, and a bot starts there.
Telegram repeats what the lost bot had not confirmed; a note is missing if it was confirmed but not yet replicated.

Needs `litestream` (requirements-replica.txt) and `moto_server` (pip install 'moto[server,s3]'), which plays the
bucket, in the PATH.
"""

import os
import random
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.measure import BOT_COMMAND, ROOT, Bot, print_table
from sandbox import openrouter, telegram
from sandbox.openrouter import EmulatedGateway
from sandbox.server import Server
from sandbox.telegram import World

REPETITIONS = 20
PEOPLE, NOTES_PER_S = 20, 100
CONFIG = str(ROOT / "deploy" / "litestream.yml")
PATIENCE_S = 60.0


class Machine:
    """A folder with a bot and Litestream, which can be lost."""

    def __init__(self, folder: Path, env: dict[str, str], replica_url: str) -> None:
        folder.mkdir()
        self.folder = folder
        self.db_path = folder / "notes.db"
        self._env = {**env, "DB_PATH": str(self.db_path), "REPLICA_URL": replica_url}

    def start_bot(self) -> None:
        """Start the bot."""
        self._bot = Bot(BOT_COMMAND, self._env, str(self.folder))

    def start_litestream(self) -> None:
        """Start the replication."""
        with open(self.folder / "litestream.log", "wb") as log:
            command = ["litestream", "replicate", "-config", CONFIG]
            self._litestream = subprocess.Popen(command, env=self._env, stdout=log, stderr=log)

    def restore(self) -> None:
        """Get the database from the replica."""
        command = ["litestream", "restore", "-config", CONFIG, str(self.db_path)]
        subprocess.run(command, env=self._env, check=True, capture_output=True)

    def stop_bot(self) -> None:
        """Stop the bot as systemd does."""
        self._bot.stop()

    def lose(self) -> None:
        """Kill everything at once and delete the folder."""
        self._bot.kill()
        self._litestream.kill()
        self._litestream.wait()
        shutil.rmtree(self.folder)


def lose_a_machine(base: Path, replica_url: str) -> tuple[int, int, float]:
    """Lose a machine; return how many notes were sent, how many are missing, and the age of the oldest of these.

    The age is in seconds before the loss.
    """
    world = World()
    with (
        Server(telegram.application(world)) as telegram_server,
        Server(openrouter.application(EmulatedGateway())) as openrouter_server,
    ):
        env = os.environ | {
            "TOKEN": telegram.TOKEN,
            "TELEGRAM_API_URL": telegram_server.url,
            "OPENROUTER_BASE_URL": f"{openrouter_server.url}/api",
            "NO_PROXY": "127.0.0.1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
        }
        env.pop("AWS_CA_BUNDLE", None)  # Litestream fails with it
        old = Machine(base / "old", env, replica_url)
        old.start_bot()
        world.wait(lambda: world.poll_number)
        old.start_litestream()
        sent_at = flood(world, random.uniform(3.0, 6.0))
        lost_at = time.monotonic()
        old.lose()
        new = Machine(base / "new", env, replica_url)
        new.restore()
        new.start_bot()
        world.wait(lambda: world.pending() == 0, PATIENCE_S)
        new.stop_bot()
        stored = read_notes(new.db_path)
    missing = sent_at.keys() - stored
    return len(sent_at), len(missing), max((lost_at - sent_at[text] for text in missing), default=0.0)


def flood(world: World, seconds: float) -> dict[str, float]:
    """Write notes for a while; return when each was sent."""
    sent_at: dict[str, float] = {}
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        text = f"заметка {len(sent_at)}"
        world.say(1 + len(sent_at) % PEOPLE, f"/note_add {text}")
        sent_at[text] = time.monotonic()
        time.sleep(1 / NOTES_PER_S)
    return sent_at


def read_notes(path: Path) -> set[str]:
    """Return the texts of all notes of an intact database, each of which must be there once and in order."""
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("fold", 1, lambda text: text)
        if connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            raise SystemExit("the restored database is damaged")
        rows = connection.execute("SELECT user_id, text FROM notes ORDER BY id").fetchall()
    if [text for text, count in Counter(text for _, text in rows).items() if count > 1]:
        raise SystemExit("a note is stored twice")
    for user_id in {user_id for user_id, _ in rows}:
        numbers = [int(text.split()[1]) for owner, text in rows if owner == user_id]
        if numbers != sorted(numbers):
            raise SystemExit("notes are out of order")
    return {text for _, text in rows}


@contextmanager
def s3_server() -> Iterator[str]:
    """Serve an empty bucket; yield the start and the end of the URL of a replica, with {} between them."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = subprocess.DEVNULL
    server = subprocess.Popen(["moto_server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not _create_bucket(f"{endpoint}/notes") and time.monotonic() < deadline:
            time.sleep(0.1)
        yield f"s3://notes/{{}}?endpoint={endpoint}&region=us-east-1&forcePathStyle=true"
    finally:
        server.terminate()
        server.wait()


def _create_bucket(url: str) -> bool:
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="PUT")).close()
    except OSError:
        return False
    return True


def measure(name: str, replica_url: str, repetitions: int) -> list[str]:
    """Lose machines; return a row of the table. The URL contains {} for the number of the repetition."""
    sent, missing, ages_s = [], [], []
    for number in range(repetitions):
        with tempfile.TemporaryDirectory() as folder:
            notes, lost, age_s = lose_a_machine(Path(folder), replica_url.format(number))
        print(f"{name} {number}: {notes} notes, {lost} missing, {age_s:.2f} s", file=sys.stderr)
        sent.append(notes)
        missing.append(lost)
        ages_s.append(age_s)
    median, most = statistics.median(missing), max(missing)
    return [name, str(repetitions), str(sum(sent)), f"{median:g} / {most}", f"{max(ages_s):.2f} s"]


def main(arguments: list[str]) -> None:
    """Measure with a folder and with a bucket."""
    repetitions = int(arguments[0]) if arguments else REPETITIONS
    with tempfile.TemporaryDirectory() as folder, s3_server() as bucket_url:
        rows = [
            measure("folder", f"file://{folder}/{{}}", repetitions),
            measure("S3", bucket_url, repetitions),
        ]
    header = ["replica", "machines lost", "notes written", "missing, median / most", "oldest missing note"]
    print_table(f"Losing a machine at {NOTES_PER_S} notes per second", header, rows)


if __name__ == "__main__":
    main(sys.argv[1:])
