"""What attachments cost: `python -m bench.bench_attachments [notes]` prints a table (default: 100 000 notes).

It compares notes of which half have an attachment with texts. The figures are CPU time: lists and searches wait for
nothing, and other programs on the machine do not count.
"""

import sys
import tempfile
import time
from pathlib import Path

import db
import db_attachments
import storage
from bench.bench_search import COMMON, PAGE_SIZE, RARE, fill, measure_ms
from bench.measure import print_table
from db_attachments import NewAttachment
from notes import exports, listing
from telegram.replies import File

NOTES = 100_000
BATCH_SIZE = 20_000  # notes in a transaction
USER_ID = 1
PHOTO: NewAttachment = {
    "chat_id": USER_ID,
    "message_id": 1,
    "position": 1,
    "kind": "photo",
    "file_id": "A" * 80,
    "file_unique_id": "A" * 16,
    "bot_id": 100,
    "file_name": None,
    "mime_type": None,
    "file_size": 90_000,
    "duration_s": None,
    "width": 1280,
    "height": 960,
    "details": {"preview_file_id": "A" * 80},
}
DOCUMENT: NewAttachment = {**PHOTO, "kind": "document", "mime_type": "application/pdf", "details": {}}


def attach(notes: int) -> None:
    """Give every second note an attachment: a photo, or a document whose name the search finds."""
    for start in range(0, notes, BATCH_SIZE):
        with storage.transaction():
            for number in range(start + 1, min(start + BATCH_SIZE, notes) + 1, 2):
                note = db.get_note(USER_ID, number)
                assert note
                is_document = number % 4 == 1
                document: NewAttachment = {**DOCUMENT, "file_name": f"Договор {number}.pdf"}
                db_attachments.add_attachment(note["id"], document if is_document else PHOTO)


def export_s() -> float:
    """Return the time that an export takes."""
    started = time.thread_time()
    file = exports.export_notes(USER_ID, "json", None)
    assert isinstance(file, File)
    file.content.close()
    return time.thread_time() - started


def row(name: str) -> list[str]:
    """Measure the open database."""
    cells = [name]
    for query in ("", RARE, COMMON):
        p50_ms, p95_ms = measure_ms(listing.first_page, USER_ID, query, PAGE_SIZE, None)
        cells.append(f"{p50_ms:.2f} / {p95_ms:.2f}")
    return [*cells, f"{export_s():.2f}"]


def main() -> None:
    """Measure the number of notes on the command line."""
    notes = int(sys.argv[1]) if len(sys.argv) > 1 else NOTES
    with tempfile.TemporaryDirectory() as folder:
        db.open(Path(folder, "notes.db"), max_notes=2 * notes)
        fill(notes, people=1)
        rows = [row("texts only")]
        attach(notes)
        rows.append(row("half with an attachment"))
        storage.close()
    header = ["notes", "list, ms", "search, rare word, ms", "search, common word, ms", "export, json, s"]
    print_table(f"{notes:,} notes: the first page, p50 / p95".replace(",", " "), header, rows)


if __name__ == "__main__":
    main()
