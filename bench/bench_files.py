"""What a file of a hundred thousand notes costs, out and back: `python -m bench.bench_files` prints the table."""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import db
import storage
from bench.bench_search import fill
from bench.measure import print_table
from runtime import exports, imports
from runtime.telegram import Upload

NOTES = 100_000


class OneFile:
    """Stands where Telegram stands, and has one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def download(self, _: str, into: Any) -> None:
        """Give the file."""
        with self._path.open("rb") as file:
            shutil.copyfileobj(file, into)


@contextmanager
def another_database(path: Path) -> Iterator[None]:
    """Work on another database for a while."""
    before = storage._path
    db.open(path, notes_max=10**9)
    yield
    assert before
    db.open(before)


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Return how long a call took, in seconds, and how much memory it added at its peak, in MiB (Linux only)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before, began = memory_kib("VmRSS"), time.perf_counter()
    work()
    return time.perf_counter() - began, (memory_kib("VmHWM") - before) / 1024


def memory_kib(name: str) -> int:
    """Return what the kernel knows of this process's memory."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def export_to(path: Path, kind: str) -> None:
    """Write the file that is sent."""
    upload = exports.export(1, kind)
    assert isinstance(upload, Upload)
    with upload.content as content, path.open("wb") as file:
        content.seek(0)
        shutil.copyfileobj(content, file)


def main() -> None:
    """Measure all kinds, of so many notes: `python -m bench.bench_files 100000`."""
    notes = int(sys.argv[1]) if len(sys.argv) > 1 else NOTES
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db.open(folder / "notes.db", notes_max=2 * notes)
        fill(notes, people=1)
        for kind in ("txt", "md", "json"):
            taken_s, memory_mib = measured(lambda kind=kind: export_to(folder / kind, kind))  # type: ignore[misc]
            size = f"{(folder / kind).stat().st_size / 2**20:.1f} MiB"
            rows.append([f"out, {kind}", size, f"{taken_s:.2f} s", f"{memory_mib:.0f} MiB"])
        file: Any = OneFile(folder / "json")
        taken_s, memory_mib = measured(lambda: imports.import_now(file, 1, ""))
        rows.append(["back, all there already", "", f"{taken_s:.2f} s", f"{memory_mib:.0f} MiB"])
        with another_database(folder / "another.db"):
            taken_s, memory_mib = measured(lambda: imports.import_now(file, 1, ""))
        rows.append(["back, all new", "", f"{taken_s:.2f} s", f"{memory_mib:.0f} MiB"])
        db.close()
    print_table(f"{notes:,} notes as a file".replace(",", " "), ["way", "file", "time", "memory added"], rows)


if __name__ == "__main__":
    main()
