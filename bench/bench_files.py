"""The cost of exports and imports: `python -m bench.bench_files [notes]` prints a table (default: 100 000 notes).

Every row is measured in a process of its own, because Python keeps freed memory for later use.
"""

import itertools
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import db
import storage
from bench.bench_search import fill
from bench.measure import memory_mib, print_table
from notes import exports, imports
from telegram.limits import MAX_DOWNLOAD_BYTES
from telegram.replies import File

NOTES = 100_000
HOSTILE_LINES = 40
MAX_NOTES = 10**9
USER_ID = 1

Cost = tuple[float, float]  # time in seconds, peak of added memory in MiB


def export_cost(db_path: Path, target: Path, format: str) -> Cost:
    """Measure an export to a file."""
    return measure(db_path, lambda: export_to(target, format))


def export_to(target: Path, format: str) -> None:
    """Write the file that the bot would send."""
    file = exports.export_notes(USER_ID, format, None)
    assert isinstance(file, File)
    with file.content as content, target.open("wb") as copy:
        content.seek(0)
        shutil.copyfileobj(content, copy)


def import_cost(db_path: Path, source: Path) -> Cost:
    """Measure an import of a file."""
    return measure(db_path, lambda: import_from(source))


def import_from(source: Path) -> None:
    """Import a file and check that it was accepted."""
    with source.open("rb") as file:
        result = imports.import_notes(USER_ID, file)
    assert result.startswith("Добавлено"), result


def measure(db_path: Path, work: Callable[[], object]) -> Cost:
    """Return what a call costs with a database open (Linux only)."""
    db.open(db_path, max_notes=MAX_NOTES)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets the peak
    memory_before, started = memory_mib("VmRSS"), time.perf_counter()
    work()
    cost = time.perf_counter() - started, memory_mib("VmHWM") - memory_before
    storage.close()
    return cost


def in_new_process(function: Callable[..., Cost], *args: Any) -> Cost:
    """Call a function in a new process and return its result."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, args)


def write_hostile_import(target: Path) -> None:
    """Write the file whose import needs the most memory: lines full of tiny objects."""
    line = b"[" + b"{}," * ((exports.MAX_LINE_BYTES - 10) // 3) + b"{}]"
    head = f'{{"format": "{exports.JSON_FORMAT}", "version": {exports.JSON_VERSION}, "notes": [\n'.encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notes.json", head + b",\n".join([line] * HOSTILE_LINES) + b"\n]}\n")


def write_largest_import(db_path: Path, target: Path) -> None:
    """Repeat a person's notes in a JSON file of the largest size that an import accepts without an archive."""
    db.open(db_path)
    notes = list(db.iterate_notes(USER_ID))
    storage.close()
    head = f'{{"format": "{exports.JSON_FORMAT}", "version": {exports.JSON_VERSION}, "notes": [\n'
    tail = b"\n]}\n"
    separator = b""
    with target.open("wb") as file:
        file.write(head.encode())
        for created_at, note in enumerate(itertools.cycle(notes)):  # the moment makes every note a new one
            line = separator + json.dumps({**note, "created_at": created_at}, ensure_ascii=False).encode()
            if file.tell() + len(line) + len(tail) > MAX_DOWNLOAD_BYTES:
                break
            file.write(line)
            separator = b",\n"
        file.write(tail)


def row(name: str, path: Path, cost: Cost) -> list[str]:
    """Format a row of the table."""
    time_s, added_mib = cost
    return [name, f"{path.stat().st_size / 2**20:.1f} MiB", f"{time_s:.2f} s", f"{added_mib:.0f} MiB"]


def main() -> None:
    """Measure all formats with the number of notes on the command line."""
    notes = int(sys.argv[1]) if len(sys.argv) > 1 else NOTES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db_path = folder / "notes.db"
        db.open(db_path, max_notes=MAX_NOTES)
        fill(notes, people=1)
        storage.close()
        rows = []
        for format in exports.FORMATS:
            path = folder / format
            rows.append(row(f"export, {format}", path, in_new_process(export_cost, db_path, path, format)))
        exported, largest = folder / "json", folder / "largest.json"
        cost = in_new_process(import_cost, db_path, exported)
        rows.append(row("import, all notes already present", exported, cost))
        cost = in_new_process(import_cost, folder / "new.db", exported)
        rows.append(row("import, all notes new", exported, cost))
        write_largest_import(db_path, largest)
        cost = in_new_process(import_cost, folder / "largest.db", largest)
        rows.append(row("import, the largest file accepted", largest, cost))
        hostile = folder / "hostile.zip"
        write_hostile_import(hostile)
        cost = in_new_process(import_cost, folder / "hostile.db", hostile)
        rows.append(row("import, a file made to exhaust the memory", hostile, cost))
    print_table(f"{notes:,} notes as a file".replace(",", " "), ["", "file", "time", "memory added"], rows)


if __name__ == "__main__":
    main()
