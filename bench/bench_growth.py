"""The size of a database over the years: `python -m bench.bench_growth [people] [years]` prints a table (minutes).

Days pass on a simulated clock. On each, every person writes, edits, deletes and lists notes and asks questions;
then old rows are deleted as the cleaner does it. Each of its steps is timed: nobody else can write during a step.
"""

import gc
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

import clock
import db
import db_attachments
import db_cleanup
import db_messages
import db_reminders
import journal
import journal_awaited
import journal_cleanup
import storage
from bench.bench_search import make_words
from bench.measure import print_table

PEOPLE, YEARS = 10, 10
NOTES_A_DAY, QUESTIONS_A_DAY = 10, 8  # per person
WORDS_PER_NOTE, WORDS_PER_ANSWER = 10, 250
START = 1_800_000_000
QUESTIONS_KEPT_S = 365 * clock.DAY_S
REPORTED_YEARS = (1, 2, 3, 5, 10, 20)

generator = random.Random(1)
words = make_words()
real_transaction = storage.relaxed_transaction


def text(count: int) -> str:
    """Return Russian-looking text of so many words."""
    return " ".join(generator.choices(words, k=count))


def live_a_day(user_id: int, day: int) -> None:
    """Store what a person causes on a day."""
    first_message = day * 100
    for n in range(NOTES_A_DAY):
        message_id = first_message + n
        words_in_note = text(WORDS_PER_NOTE)
        note = db.add_note(user_id, user_id, message_id, words_in_note, clock.now())
        number = note["number"]
        journal.remember_message_text(user_id, message_id, words_in_note, clock.now())
        journal.set_note_of_message(user_id, 10**6 + message_id, note["id"])
        if n % 3 == 0:
            add_parts(user_id, message_id, note["id"])
    remind(user_id, number)
    journal_awaited.await_text(user_id, None, user_id, "note_add", "", clock.now())
    if day % 7 == 0:
        journal.begin_conversation(user_id, day)
    db.edit_note(user_id, number, text(WORDS_PER_NOTE))
    db.delete_note(user_id, number - 1)
    for n in range(3):
        db_messages.add_listing(user_id, "", 10)
        db_messages.add_plain_text(user_id, user_id, first_message + 50 + n, text(WORDS_PER_NOTE), clock.now())
    parent_id = None
    for n in range(QUESTIONS_A_DAY):
        parent_id = ask(user_id, first_message + 60 + n, parent_id if n % 2 else None)


def add_parts(user_id: int, message_id: int, note_id: int) -> None:
    """Give a note an album of three photos, a voice message with a transcript, and a source."""
    for n, kind in enumerate(["photo", "photo", "photo", "voice"]):
        attachment_id = db_attachments.add_attachment(
            note_id,
            {
                "chat_id": user_id,
                "message_id": message_id,
                "position": n,
                "kind": kind,
                "file_id": f"{generator.getrandbits(400):070x}",
                "file_unique_id": f"{generator.getrandbits(60):016x}",
                "bot_id": 1,
                "file_name": None,
                "mime_type": None,
                "file_size": 100_000,
                "duration_s": None,
                "width": None,
                "height": None,
                "details": {},
            },
        )
    db_attachments.set_transcript(attachment_id, text(3 * WORDS_PER_NOTE))
    db_attachments.set_source(note_id, {"name": text(2), "url": None, "sent_at": clock.now()})
    journal.mark_album_seen(user_id, str(message_id), message_id)


def remind(user_id: int, number: int) -> None:
    """Set a reminder of a note, which comes at once."""
    note = db.get_note(user_id, number)
    assert note
    reminder_id = db_reminders.add_reminder(
        {
            "user_id": user_id,
            "chat_id": user_id,
            "thread_id": None,
            "note_id": note["id"],
            "text": "",
            "starts_at": "2026-11-21T16:00:00",
            "repeat": "",
            "due_at": clock.now(),
        }
    )
    db_reminders.end_reminder(reminder_id)


def ask(user_id: int, message_id: int, parent_id: int | None) -> int:
    """Store a question with its answer, the message of the answer, and the request to the model."""
    question_id = journal.add_question(
        {
            "user_id": user_id,
            "chat_id": user_id,
            "message_id": message_id,
            "is_private": True,
            "kind": "ask",
            "is_parallel": False,
            "parent_id": parent_id,
            "model_id": 5,
            "text": text(WORDS_PER_NOTE),
            "asked_at": clock.now(),
        }
    )
    journal.finish_question(question_id, "answered", text(WORDS_PER_ANSWER))
    storage.execute("INSERT INTO answer_messages VALUES (?,?,?)", (user_id, 10**6 + message_id, question_id))
    journal.add_llm_request(
        {
            "user_id": user_id,
            "module": "ask",
            "gateway": "openrouter",
            "status": 200,
            "cause": None,
            "model": f"some/model-{generator.randint(1, 3)}:free",
            "generation_id": f"gen-{question_id:020}",
            "finish_reason": "stop",
            "latency_ms": 2000,
            "prompt_tokens": 100,
            "completion_tokens": 500,
            "reasoning_tokens": 0,
            "cost": 0.0,
            "is_free": True,
            "provider": "p",
            "answered_model": None,
        }
    )
    return question_id


@contextmanager
def timed_transaction(step_ms: list[float], cpu_ms: list[float]) -> Iterator[sqlite3.Connection]:
    """Do what storage.relaxed_transaction() does, and record how long nobody else could write."""
    with real_transaction() as connection:
        started, cpu_started = time.perf_counter(), time.thread_time()
        yield connection
    step_ms.append((time.perf_counter() - started) * 1000)
    cpu_ms.append((time.thread_time() - cpu_started) * 1000)


def simulate(path: Path, people: int, years: int) -> None:
    """Let the years pass and print the table."""
    db.open(path, max_notes=10**9)
    gc.freeze()  # a collection of garbage that looks through all words would count as a part of a step
    rows: list[list[str]] = []
    step_ms: list[float] = []
    cpu_ms: list[float] = []
    storage.relaxed_transaction = partial(timed_transaction, step_ms, cpu_ms)
    for day in range(1, years * 365 + 1):
        moment = START + day * clock.DAY_S
        clock.now = lambda moment=moment: moment  # type: ignore[misc]
        with storage.transaction():
            for user_id in range(1, people + 1):
                live_a_day(user_id, day)
            journal.mark_updates_handled(range(day * people * 30, (day + 1) * people * 30))
        # What the day wrote goes into the database first, so that no step waits for that.
        storage.connection().execute("PRAGMA wal_checkpoint(PASSIVE)")
        for _ in chain(db_cleanup.steps(clock.now()), journal_cleanup.steps(clock.now(), QUESTIONS_KEPT_S)):
            pass
        if day % 365 == 0 and day // 365 in REPORTED_YEARS:
            storage.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            notes = db.note_totals()["notes"]
            questions = storage.fetch_one("SELECT count(*) AS questions FROM questions")["questions"]
            rows.append([str(day // 365), str(notes), str(questions), f"{storage.size() / 2**20:.0f} MiB"])
    print_table(f"Growth: {people} people", ["years", "notes", "questions", "database"], rows)
    for name, times_ms in (("time", sorted(step_ms)), ("processor time", sorted(cpu_ms))):
        usual, most = times_ms[len(times_ms) // 2], times_ms[-len(times_ms) // 1000 - 1]
        print(
            f"\n{name} of a step: median {usual:.1f} ms, 99.9 % below {most:.1f} ms, longest {times_ms[-1]:.1f} ms"
        )
    storage.close()


def main(arguments: list[str]) -> None:
    """Run the simulation in a temporary folder."""
    people, years = [*map(int, arguments), *(PEOPLE, YEARS)[len(arguments) :]]
    with tempfile.TemporaryDirectory() as folder:
        simulate(Path(folder, "notes.db"), people, years)


if __name__ == "__main__":
    main(sys.argv[1:])
