"""What a search costs: `python -m bench.bench_search` prints the table of the README (some minutes, 1 GB of disk).

Russian notes of ordinary length; a search goes the bot's way, through db.find_notes(), for the first page.
"""

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import db
import storage
from bench.measure import print_table
from runtime import search

SIZES = [(1_000, 1), (10_000, 1), (100_000, 1), (1_000_000, 1), (1_000_000, 1000)]  # notes, people
PAGE = 10
REPEATS = 40
SETTLING = 500  # notes added one by one: the index puts in order what came by thousands
# fmt: off
SYLLABLES = [
    "ма", "ло", "ко", "ре", "ти", "на", "во", "ся", "пе", "до", "ки", "ше", "ры", "бу", "ню", "га", "зе", "ча",
    "ли", "по", "сто", "пра", "гра", "сту", "кно", "вре", "мен",
]
# fmt: on
COMMON, RARE, NONE = "купить", "хризантема", "отсутствующее"
SEARCHES = {
    "a rare word": RARE,
    "a common word": COMMON,
    "none": NONE,
    "two letters": "ку",
    "two rare letters": "хр",
    "two words": f"мало {COMMON}",
}


def words() -> list[str]:
    """Make a vocabulary that sounds Russian."""
    dice = random.Random(1)
    return ["".join(dice.choices(SYLLABLES, k=dice.randint(2, 4))) for _ in range(20_000)]


def fill(notes: int, people: int) -> None:
    """Write so many notes of so many people; one in ten has the common word, one in 5000 the rare one."""
    dice, vocabulary = random.Random(2), words()
    for start in range(0, notes, 20_000):
        with db.transaction():
            for n in range(start, min(start + 20_000, notes)):
                text = " ".join(dice.choices(vocabulary, k=dice.randint(4, 12)))
                if n % 10 == 0:
                    text = f"{COMMON} {text}"
                if n % 5000 == 17:
                    text = f"{text} {RARE}"
                db.add_note(1 + n % people, 1, 1, text, 1_700_000_000 + n)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the median and the 95th percentile of some calls, in milliseconds."""
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken), statistics.quantiles(taken, n=20)[-1]


def add() -> object:
    """Add a note as the bot does."""
    return db.add_note(1, 1, 1, "купить молоко и позвонить маме", 1_700_000_000)


def find(query: str) -> object:
    """Search as the bot does."""
    return db.find_notes(1, search.pieces(query), PAGE + 1)


def like(piece: str) -> object:
    """Search as most bots do; it finds less, for LIKE knows no case of Russian letters."""
    return storage.read(
        "SELECT id, text, created_at FROM notes WHERE user_id = 1 AND deleted_at IS NULL AND text LIKE ?"
        " ORDER BY id DESC LIMIT ?",
        *(f"%{piece}%", PAGE + 1),
    )


def row(notes: int, people: int) -> list[str]:
    """Measure one size."""
    with tempfile.TemporaryDirectory() as folder:
        db.open(Path(folder, "notes.db"), notes_max=2 * notes)
        fill(notes, people)
        cells = [f"{notes:,} / {people:,}".replace(",", " ")]
        for piece in SEARCHES.values():
            p50, p95 = timed(lambda piece=piece: find(piece))  # type: ignore[misc]
            cells.append(f"{p50:.2f} / {p95:.2f}")
        for piece in (RARE, NONE):
            by_like, _ = timed(lambda piece=piece: like(piece))  # type: ignore[misc]
            ours, _ = timed(lambda piece=piece: find(piece))  # type: ignore[misc]
            cells.append(f"{by_like / ours:.0f} ×")
        for _ in range(SETTLING):
            add()
        added, _ = timed(add)
        cells.append(f"{added:.2f}")
        db.close()
        return cells


def main() -> None:
    """Measure all sizes, or the first ones: `python -m bench.bench_search 3`."""
    sizes = SIZES[: int(sys.argv[1])] if len(sys.argv) > 1 else SIZES
    header = ["notes / people", *SEARCHES, "LIKE, rare, to ours", "LIKE, none, to ours", "adding a note"]
    print_table("A search, p50 / p95 in ms", header, [row(*size) for size in sizes])


if __name__ == "__main__":
    main()
