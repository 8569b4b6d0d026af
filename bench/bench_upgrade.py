"""The upgrade of a large database: `python -m bench.bench_upgrade [notes]` prints time and memory (minutes).

The database of version 2 from the tests gets a million notes in the way of that version, and is then opened in a
process of its own.
"""

import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from bench.bench_search import make_words
from bench.measure import ROOT, describe_machine

NOTES, PEOPLE = 1_000_000, 1000
UPGRADE = """
import logging, resource, sys, time
import db, storage
logging.basicConfig(level=logging.INFO, format="%(message)s")
started = time.perf_counter()
db.open(sys.argv[1], max_notes=10**9)
peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{time.perf_counter() - started:.1f} s, {peak_mib:.0f} MiB of memory")
storage.close()
"""


def fill(path: Path, notes: int) -> None:
    """Add notes in the way of version 2; its triggers keep the index."""
    generator, words = random.Random(2), make_words()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        for n in range(notes):
            text = " ".join(generator.choices(words, k=generator.randint(4, 12)))
            connection.execute(
                "INSERT INTO notes (user_id, chat_id, message_id, text, created_at, updated_at)"
                " VALUES (?, 1, 1, ?, 1700000000, 1700000000)",
                (1 + n % PEOPLE, text),
            )


def main(arguments: list[str]) -> None:
    """Fill and upgrade a database in a temporary folder."""
    notes = int(arguments[0]) if arguments else NOTES
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(ROOT / "tests" / "data" / "version-2.sqlite", Path(folder, "notes.db")))
        fill(path, notes)
        size = path.stat().st_size
        print(
            f"Upgrade of {notes} notes, {size / 2**20:.0f} MiB, from version 2\n\n{describe_machine()}\n",
            flush=True,
        )
        subprocess.run([sys.executable, "-c", UPGRADE, str(path)], cwd=ROOT, check=True)
        print(f"afterwards {path.stat().st_size / 2**20:.0f} MiB")


if __name__ == "__main__":
    main(sys.argv[1:])
