"""The cost of a search: `python -m bench.bench_search [sizes]` prints a table (some minutes, 1 GB of disk).

The notes are Russian and of usual length. A search is what the bot does for the first page of results.
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
from notes import finding, listing, search
from notes.finding import Search

SIZES = [(1_000, 1), (10_000, 1), (100_000, 1), (1_000_000, 1), (1_000_000, 1000)]  # notes, people
PAGE_SIZE = 10
REPEATS = 40
SETTLING_NOTES = 500  # added one by one after the fill, so that the index merges what the fill has left
# fmt: off
SYLLABLES = [
    "ма", "ло", "ко", "ре", "ти", "на", "во", "ся", "пе", "до", "ки", "ше", "ры", "бу", "ню", "га", "зе", "ча",
    "ли", "по", "сто", "пра", "гра", "сту", "кно", "вре", "мен",
]
# fmt: on
COMMON, RARE, OTHER_FORM, MISSING = "купить", "хризантема", "хризантемой", "отсутствующее"
SEARCHES = {
    "rare word": RARE,
    "another form of it": OTHER_FORM,
    "common word": COMMON,
    "no match": MISSING,
    "two letters": "ку",
    "two rare letters": "хр",
    "two words": f"мало {COMMON}",
}


# Searches that read most of the indexes: a handler stops them at its deadline, and a job repeats them.
SLOW_SEARCHES = ("ъ", "ъы", "ма ъ", "хр зъ", "мамамамама", "стостосто гамага", f"стумен {COMMON} прамен")


def make_words() -> list[str]:
    """Return a vocabulary that looks Russian."""
    generator = random.Random(1)
    return ["".join(generator.choices(SYLLABLES, k=generator.randint(2, 4))) for _ in range(20_000)]


def fill(notes: int, people: int) -> None:
    """Add notes; one in 10 has the common word, one in 5000 the rare word."""
    generator, words = random.Random(2), make_words()
    for start in range(0, notes, 20_000):
        with storage.transaction():
            for n in range(start, min(start + 20_000, notes)):
                text = " ".join(generator.choices(words, k=generator.randint(4, 12)))
                if n % 10 == 0:
                    text = f"{COMMON} {text}"
                if n % 5000 == 17:
                    text = f"{text} {RARE}"
                db.add_note(1 + n % people, 1, 1, text, 1_700_000_000 + n)


def measure_ms(
    function: Callable[..., object], *args: object, clock: Callable[[], float] = time.thread_time
) -> tuple[float, float]:
    """Return the median and the 95th percentile of repeated calls, in milliseconds.

    Searches are measured in CPU time: they wait for nothing, and other programs on the machine do not count.
    """
    times_ms = []
    for _ in range(REPEATS):
        started = clock()
        function(*args)
        times_ms.append((clock() - started) * 1000)
    return statistics.median(times_ms), statistics.quantiles(times_ms, n=20)[-1]


def add_note() -> object:
    """Add a note as the bot does."""
    return db.add_note(1, 1, 1, "купить молоко и позвонить маме", 1_700_000_000)


def find(query: str) -> object:
    """Search as the bot does."""
    return finding.find_after(1, Search(search.parse_query(query)), PAGE_SIZE + 1)


def find_until_deadline(query: str) -> object:
    """Search as a handler does."""
    try:
        with storage.interrupted_at(listing.deadline()):
            return find(query)
    except storage.DeadlinePassed:
        return None


def find_with_like(phrase: str) -> object:
    """Search with LIKE, as most bots do; it finds less, because LIKE does not fold the case of Russian letters."""
    return storage.fetch_all(
        "SELECT id, text, created_at FROM notes WHERE user_id = 1 AND deleted_at IS NULL AND text LIKE ?"
        " ORDER BY id DESC LIMIT ?",
        (f"%{phrase}%", PAGE_SIZE + 1),
    )


def row(notes: int, people: int) -> list[str]:
    """Measure one size."""
    with tempfile.TemporaryDirectory() as folder:
        db.open(Path(folder, "notes.db"), max_notes=2 * notes)
        fill(notes, people)
        cells = [f"{notes:,} / {people:,}".replace(",", " ")]
        for query in SEARCHES.values():
            p50_ms, p95_ms = measure_ms(find, query)
            cells.append(f"{p50_ms:.2f} / {p95_ms:.2f}")
        slow_ms = [measure_ms(find_until_deadline, query, clock=time.perf_counter) for query in SLOW_SEARCHES]
        cells.append(f"{max(p50_ms for p50_ms, _ in slow_ms):.1f}")
        for query in (RARE, MISSING):
            like_ms, _ = measure_ms(find_with_like, query)
            index_ms, _ = measure_ms(find, query)
            cells.append(f"{like_ms / index_ms:.0f} ×")
        for _ in range(SETTLING_NOTES):
            add_note()
        add_ms, _ = measure_ms(add_note, clock=time.perf_counter)
        storage.close()
        return [*cells, f"{add_ms:.2f}"]


def main() -> None:
    """Measure all sizes, or the first few: `python -m bench.bench_search 3`."""
    sizes = SIZES[: int(sys.argv[1])] if len(sys.argv) > 1 else SIZES
    header = [
        "notes / people",
        *SEARCHES,
        "slowest in a handler",
        "`LIKE`, rare word",
        "`LIKE`, no match",
        "adding a note",
    ]
    print_table("A search, p50 / p95 in ms", header, [row(*size) for size in sizes])


if __name__ == "__main__":
    main()
