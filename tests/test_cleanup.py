"""db_cleanup, journal_cleanup and app.cleaner: what is old goes, in small steps, and everything else stays.

- questions, with their answers, after the days that the owner sets
- requests to models: the sums of /usage stay the same
- what edited messages said
- no row that others refer to stops the deletion
- the running cleaner
"""

import time
from collections.abc import Iterator

import pytest
from conftest import clean_up, eventually, store_question, store_request

import clock
import db
import db_cleanup
import journal
import journal_cleanup
import storage
from app import cleaner
from app.cleaner import Cleaner

ANN, BOB = 1, 2
NOW = 2_000_000_000
DAY = clock.DAY_S

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _at_a_fixed_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    set_time(monkeypatch, NOW)


def set_time(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    monkeypatch.setattr(clock, "now", lambda: moment)


def ask(parent_id: int | None = None) -> int:
    return store_question(ANN, parent_id=parent_id, model_id=5, text="вопрос", asked_at=NOW)


def answered_question(parent_id: int | None = None) -> int:
    question_id = ask(parent_id)
    reply_id = journal.add_reply(ANN, [("sendMessage", {})], question_id)
    answered = (ANN, 100 + question_id, question_id)
    journal.finish_replies([{"reply_id": reply_id, "remaining_calls": [], "answered": answered, "note": None}])
    journal.finish_question(question_id, "answered", "ответ")
    return question_id


def questions() -> list[int]:
    return [row["id"] for row in storage.fetch_all("SELECT id FROM questions ORDER BY id")]


# Questions


def test_an_old_question_goes_with_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    old = answered_question()
    set_time(monkeypatch, NOW + 10 * DAY)
    new = answered_question(parent_id=old)
    clean_up(NOW + 10 * DAY, 10 * DAY)
    assert questions() == [old, new]
    clean_up(NOW + 10 * DAY + 1, 10 * DAY)
    assert questions() == [new]
    assert journal.question_answered_by(ANN, 100 + old) is None
    answered = journal.question_answered_by(ANN, 100 + new)
    assert answered
    assert answered["parent_id"] is None
    assert journal.conversation_before(new) == []
    assert storage.fetch_all("SELECT question_id FROM answer_messages") == [{"question_id": new}]
    assert storage.fetch_all("PRAGMA foreign_key_check") == []


def test_a_question_that_waits_stays_however_old_it_is() -> None:
    pending = ask()
    clean_up(NOW + 1000 * DAY, DAY)
    assert questions() == [pending]


def test_a_cached_answer_goes_with_its_question() -> None:
    question_id = answered_question()
    question = journal.question_answered_by(ANN, 100 + question_id)
    assert question
    journal.add_cached_answer(question, "ключ", 5, "m")
    clean_up(NOW + 1, 0)
    assert storage.fetch_all("SELECT * FROM answer_cache") == []


def test_a_note_made_of_an_answer_stays() -> None:
    question_id = answered_question()
    note_id, _ = db.save_answer(ANN, ANN, 1, question_id, "ответ")
    clean_up(NOW + 1000 * DAY, DAY)
    assert questions() == []
    note = db.get_note(ANN, note_id)
    assert note
    assert note["text"] == "ответ"
    assert db.delete_note(ANN, note_id)
    assert db.restore_note(ANN, note_id)


# Requests to models


def test_old_requests_are_summed_and_usage_stays_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for days in (0, 0.4, 1, 100, 371, 400):
        set_time(monkeypatch, int(NOW + days * DAY))
        store_request(ANN)
        store_request(BOB, prompt_tokens=None, cost=None)
        store_request(ANN, model="other")
    moments = (0, NOW - NOW % DAY, NOW + DAY - NOW % DAY, NOW + 300 * DAY)

    def usage() -> list[object]:
        return [
            (journal.usage_by_model(since), journal.usage_by_model(since, ANN), journal.usage_by_person(since))
            for since in moments
        ]

    before = usage()
    clean_up(NOW + 371 * DAY + DAY // 2)
    assert usage() == before
    assert storage.fetch_one("SELECT count(*) AS n FROM llm_requests")["n"] == 9
    clean_up(NOW + 800 * DAY)
    assert usage() == before
    assert storage.fetch_all("SELECT * FROM llm_requests") == []
    assert len(storage.fetch_all("SELECT DISTINCT day FROM llm_usage_days")) == 5


# What edited messages said


def test_an_edit_of_a_message_whose_text_is_forgotten_counts_as_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert journal.remember_message_text(ANN, 1, "раз", NOW)
    assert journal.remember_edited_text(ANN, 1, "два", NOW)
    assert not journal.remember_edited_text(ANN, 1, "два", NOW)
    set_time(monkeypatch, NOW + 31 * DAY)
    assert journal.remember_edited_text(ANN, 1, "три", NOW), "it is still known what the message said"
    clean_up(NOW + 31 * DAY)
    assert not journal.remember_edited_text(ANN, 1, "четыре", NOW)
    assert journal.remember_edited_text(ANN, 2, "раз", NOW + 30 * DAY)


# Steps


def test_each_step_is_short_and_others_write_between_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "STEP_S", 0.0005)
    monkeypatch.setattr(storage, "ROWS_IN_MEMORY", 1000)
    for n in range(2500):
        storage.execute("INSERT INTO handled_updates VALUES (?, ?)", (n, n))
    steps = journal_cleanup.steps(NOW, 0)
    next(steps)
    left = 2500 - len(journal.unhandled_updates(range(2500)))
    assert 0 < left < 2500
    db.add_note(ANN, ANN, 1, "между двумя шагами", NOW)
    assert len(list(steps)) > 3
    assert len(journal.unhandled_updates(range(2500))) == 2500


def test_a_note_that_was_restored_meanwhile_stays() -> None:
    for n in range(2):
        db.add_note(ANN, ANN, n, "раз", NOW)
    storage.execute("UPDATE notes SET deleted_at = ?", (NOW,))
    steps = db_cleanup.steps(NOW + 31 * DAY)
    storage.execute("UPDATE notes SET deleted_at = NULL WHERE id = 2")
    list(steps)
    assert [note["number"] for note in db.iterate_notes(ANN)] == [2]
    storage.execute("INSERT INTO notes_fts(notes_fts, rank) VALUES ('integrity-check', 1)")


# Tables whose rows in_steps() deletes, and the columns of others that it clears before.
CLEARED = {("questions", "parent_id"), ("answer_messages", "question_id")}


def references() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each foreign key that points to a row that is deleted, with the table it belongs to."""
    tables = storage.fetch_all("SELECT name FROM sqlite_master WHERE type = 'table'")
    for table in (row["name"] for row in tables):
        for key in storage.fetch_all(f"PRAGMA foreign_key_list({table})"):
            if key["table"] in ("questions", "notes"):
                yield table, key


def test_no_reference_stops_the_deletion() -> None:
    found = {(table, key["from"]): key["on_delete"] for table, key in references()}
    assert set(found) >= CLEARED
    assert {name for name, on_delete in found.items() if on_delete == "NO ACTION"} == CLEARED


# The running cleaner


def test_the_running_cleaner_deletes_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaner, "FIRST_AFTER_S", 0.0)
    monkeypatch.setattr(cleaner, "INTERVAL_S", 0.01)
    journal.mark_updates_handled([1])
    set_time(monkeypatch, NOW + 15 * DAY)
    running = Cleaner(questions_kept_s=DAY)
    running.start()
    eventually(lambda: storage.fetch_all("SELECT * FROM purge_clock"))
    assert journal.unhandled_updates([1]) == set(), "at a start nothing gets old"
    monkeypatch.setattr(running, "_cleaned_at", time.monotonic() - 3600 * 24)
    eventually(lambda: journal.unhandled_updates([1]) == {1})
    running.stop()
    assert not running._thread.is_alive()


def test_a_failure_does_not_end_the_cleaner(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cleaner, "FIRST_AFTER_S", 0.0)
    monkeypatch.setattr(cleaner, "INTERVAL_S", 0.01)
    storage.execute("ALTER TABLE purge_clock RENAME TO elsewhere")
    running = Cleaner(questions_kept_s=DAY)
    running.start()
    eventually(lambda: "old rows are not deleted" in caplog.text)
    storage.execute("ALTER TABLE elsewhere RENAME TO purge_clock")
    eventually(lambda: storage.fetch_all("SELECT * FROM purge_clock"))
    running.stop()
