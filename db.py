"""What the bot remembers: every statement about its tables, as plain functions.

Call open() once; after that any thread may call anything. A function runs inside the transaction that its thread
has open, or commits by itself; a row is a dict.
"""

import json
import math
import sqlite3
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import storage
import texts
from storage import (
    Row,
    begun,
    close,
    close_thread,
    connection,
    copy,
    inspected,
    is_unavailable,
    on_commit,
    read,
    read_one,
    relaxed,
    size,
    transaction,
    write,
)

__all__ = ["Row", "close", "close_thread", "is_unavailable", "on_commit", "size", "transaction"]  # of the storage

NOTES_MAX = 100_000
NOTES_A_PERSON = 1 << 40  # numbers of the search index that belong to one person: see schema.sql
INDEXED_LETTERS = 3  # the search index knows pieces of so many and more
SCANNED_MOST = 2000  # notes are looked through for a shorter piece, before the index is asked for it
HANDLED_UPDATES_KEPT_S = 14 * 86400  # Telegram keeps an update for a day; ids may start anew after a week
DELETED_KEPT_S = 30 * 86400  # for so long what was deleted or edited can be brought back

_notes_max = NOTES_MAX


class NotesFull(Exception):
    """A person has as many notes as allowed; str() is a sentence for them."""


def open(path: Path | str, notes_max: int = NOTES_MAX) -> None:
    """Make or upgrade the database at path and use it from now on; SetupError if it cannot be ours.

    notes_max is how many notes a person may have.
    """
    global _notes_max
    storage.open(path)
    _notes_max = notes_max


def _now() -> int:
    return int(time.time())


# Notes: every function sees only the notes of user_id -----------------------------------------------------


def add_note(user_id: int, chat_id: int, message_id: int, text: str, created_at: int) -> int:
    """Store a note and return its number; created_at is when the person sent it, in Unix seconds.

    NotesFull if it is one too many.
    """
    _check_room(user_id)
    cursor = write(
        "INSERT INTO notes (user_id, chat_id, message_id, text, created_at, updated_at) VALUES (?,?,?,?,?,?)",
        *(user_id, chat_id, message_id, text, created_at, created_at),
    )
    return int(cursor.lastrowid or 0)


def has_room(user_id: int) -> bool:
    """Return whether a person may have one more note."""
    return count_notes(user_id) < _notes_max


def _check_room(user_id: int) -> None:
    if not has_room(user_id):
        raise NotesFull(texts.notes_full(_notes_max))


def import_note(user_id: int, note: Row) -> None:
    """Store a note that comes from an export; the columns of the table but id, user_id and deleted_at."""
    # The question whose answer it keeps may be another database's; and one note keeps an answer.
    write(
        "INSERT INTO notes (user_id, chat_id, message_id, text, created_at, updated_at, question_id)"
        " VALUES (:user_id, :chat_id, :message_id, :text, :created_at, :updated_at, ("
        " SELECT id FROM questions WHERE id = :question_id AND chat_id = :chat_id AND NOT EXISTS ("
        " SELECT 1 FROM notes WHERE user_id = :user_id AND question_id = :question_id AND deleted_at IS NULL)))",
        **note,
        user_id=user_id,
    )


def get_note(user_id: int, note_id: int) -> Row | None:
    """Return all there is to know of a note, a deleted one too: see deleted_at."""
    return read_one("SELECT * FROM notes WHERE id = ? AND user_id = ?", note_id, user_id)


def note_of_message(user_id: int, chat_id: int, message_id: int) -> Row | None:
    """Return the note that a message of the person's brought, a deleted one too."""
    return read_one(
        "SELECT * FROM notes WHERE chat_id = ? AND message_id = ? AND user_id = ? ORDER BY id LIMIT 1",
        *(chat_id, message_id, user_id),
    )


def list_notes(user_id: int, limit: int) -> list[Row]:
    """Return the newest notes, newest first."""
    return find_notes(user_id, [], limit)


def all_notes(user_id: int) -> Iterator[Row]:
    """Yield all notes, oldest first, without holding them all in memory."""
    yield from connection().execute(
        "SELECT id, chat_id, message_id, text, created_at, updated_at, question_id FROM notes"
        " WHERE user_id = ? AND deleted_at IS NULL ORDER BY id",
        (user_id,),
    )


def find_notes(
    user_id: int,
    pieces: Sequence[str],
    limit: int,
    *,
    older_than: int = NOTES_A_PERSON,
    newer_than: int | None = None,
) -> list[Row]:
    """Return the newest notes that hold all these pieces of text, in any case, ё as е; newest first.

    older_than gives the first ones older than a note (its number); newer_than the last ones newer than it.
    """
    span = _Span(newer_than or 0, older_than, is_upward=newer_than is not None)
    with closing(_matching(user_id, [texts.without_yo(piece) for piece in pieces], span)) as rows:
        return sorted(islice(rows, limit), key=itemgetter("id"), reverse=True)


class _Span(NamedTuple):
    """Numbers of notes, both ends excluded, and in which direction they are gone through."""

    above: int
    below: int
    is_upward: bool

    def after(self, note_id: int) -> "_Span":
        """Return what is left of it after this note."""
        return self._replace(above=note_id) if self.is_upward else self._replace(below=note_id)


def _matching(user_id: int, pieces: list[str], span: _Span) -> Generator[Row, None, None]:
    """Walk a person's notes that hold all pieces of text."""
    indexed = [_quoted(piece) for piece in pieces if len(piece) >= INDEXED_LETTERS]
    short = [piece.lower() for piece in pieces if len(piece) < INDEXED_LETTERS]
    if not short:
        yield from _notes_in(user_id, indexed, span)
        return
    # What is frequent is found soonest by looking through the next notes; what is rare, by the index.
    looked_through = 0
    for row in islice(_notes_in(user_id, indexed, span), SCANNED_MOST):
        looked_through += 1
        if _holds(row["text"], short):
            yield row
        span = span.after(row["id"])
    beginnings = [_beginning(piece) for piece in short] if looked_through == SCANNED_MOST else [""]
    if all(beginnings):
        yield from _notes_in(user_id, [*indexed, *beginnings], span)


def _notes_in(user_id: int, expressions: list[str], span: _Span) -> sqlite3.Cursor:
    """Walk a person's notes that match all expressions of the index."""
    order = "ASC" if span.is_upward else "DESC"
    if not expressions:
        return connection().execute(
            "SELECT id, text, created_at FROM notes WHERE user_id = ? AND deleted_at IS NULL"
            f" AND id > ? AND id < ? ORDER BY id {order}",
            (user_id, span.above, span.below),
        )
    first = _first_of(user_id)
    # CROSS JOIN: begin with the index. Left to itself SQLite walks the person's notes for the sake of ORDER BY.
    return connection().execute(
        "SELECT notes.id, notes.text, notes.created_at FROM notes_fts CROSS JOIN notes"
        " ON notes.id = notes_fts.rowid - ? WHERE notes_fts MATCH ? AND notes_fts.rowid BETWEEN ? AND ?"
        f" AND notes.user_id = ? AND notes.deleted_at IS NULL ORDER BY notes_fts.rowid {order}",
        (first, " AND ".join(expressions), first + span.above + 1, first + span.below - 1, user_id),
    )


def _first_of(user_id: int) -> int:
    """Return where a person's notes begin in the search index; where nobody's are, if there are none."""
    person = read_one("SELECT number << 40 AS first FROM people WHERE user_id = ?", user_id)
    return int(person["first"]) if person else 0


def _quoted(piece: str) -> str:
    """Return the expression of the index for a piece of text as it is: no letter of it means anything."""
    return '"' + piece.replace('"', '""') + '"'


def _beginning(letters: str) -> str:
    """Return the expression of the index for what begins with one or two letters; "" if nothing does."""
    terms = read(
        "SELECT term FROM notes_terms WHERE term >= :letters AND term < :letters || char(0x10FFFF)",
        letters=letters,
    )
    return "(" + " OR ".join(_quoted(row["term"]) for row in terms) + ")" if terms else ""


def _holds(text: str, pieces: list[str]) -> bool:
    folded = texts.without_yo(text).lower()
    return all(piece in folded for piece in pieces)


def similar_notes(user_id: int, trigrams: Iterable[str], limit: int) -> list[Row]:
    """Return the notes that share the most, and the rarest, of these three-letter pieces; the nearest first."""
    expression = " OR ".join(map(_quoted, trigrams))
    first = _first_of(user_id)
    if not expression:
        return []
    return read(
        "SELECT notes.id, notes.text, notes.created_at FROM notes_fts CROSS JOIN notes"
        " ON notes.id = notes_fts.rowid - ? WHERE notes_fts MATCH ? AND notes_fts.rowid BETWEEN ? AND ?"
        " AND notes.user_id = ? AND notes.deleted_at IS NULL ORDER BY bm25(notes_fts) LIMIT ?",
        *(first, expression, first, first + NOTES_A_PERSON - 1, user_id, limit),
    )


def edit_note(user_id: int, note_id: int, text: str) -> int | None:
    """Replace a note's text; return the edit's number, 0 if nothing changed, None if there is no such note."""
    with transaction():
        note = read_one(
            "SELECT text FROM notes WHERE id = ? AND user_id = ? AND deleted_at IS NULL", note_id, user_id
        )
        if note is None:
            return None
        if note["text"] == text:
            return 0
        write("UPDATE notes SET text = ?, updated_at = ? WHERE id = ?", text, _now(), note_id)
        cursor = write(
            "INSERT INTO edits (note_id, text_before, created_at) VALUES (?,?,?)", note_id, note["text"], _now()
        )
        return cursor.lastrowid


def undo_edit(user_id: int, edit_id: int) -> tuple[int, int | None]:
    """Bring back the text before an edit, by an edit; return the note's number and what edit_note() does.

    ValueError if there is no such edit.
    """
    with transaction():
        edit = read_one(
            "SELECT note_id, text_before FROM edits JOIN notes ON notes.id = note_id"
            " WHERE edits.id = ? AND user_id = ?",
            *(edit_id, user_id),
        )
        if edit is None:
            raise ValueError(f"no edit {edit_id}")
        return edit["note_id"], edit_note(user_id, edit["note_id"], edit["text_before"])


def delete_note(user_id: int, note_id: int) -> bool:
    """Delete a note, to be brought back or purged later; False if there is no such note."""
    cursor = write(
        "UPDATE notes SET deleted_at = ? WHERE id = ? AND user_id = ? AND deleted_at IS NULL",
        *(_now(), note_id, user_id),
    )
    return cursor.rowcount == 1


def restore_note(user_id: int, note_id: int) -> bool:
    """Bring a deleted note back; False if there is none to bring back, NotesFull if it is one too many."""
    _check_room(user_id)
    # An answer may have been saved anew meanwhile: then that note is the one that keeps it.
    cursor = write(
        "UPDATE notes SET deleted_at = NULL, question_id = iif(EXISTS (SELECT 1 FROM notes AS other"
        " WHERE other.user_id = notes.user_id AND other.question_id = notes.question_id"
        " AND other.deleted_at IS NULL), NULL, question_id)"
        " WHERE id = ? AND user_id = ? AND deleted_at >= ?",
        *(note_id, user_id, _now() - DELETED_KEPT_S),
    )
    return cursor.rowcount == 1


def count_notes(user_id: int) -> int:
    """Return how many notes there are."""
    person = read_one("SELECT notes FROM people WHERE user_id = ?", user_id)
    return int(person["notes"]) if person else 0


def note_times(user_id: int, since: int) -> list[int]:
    """Return when the notes since a moment were made, in Unix seconds."""
    rows = read(
        "SELECT created_at FROM notes WHERE user_id = ? AND deleted_at IS NULL AND created_at >= ?",
        *(user_id, since),
    )
    return [row["created_at"] for row in rows]


def save_answer(user_id: int, chat_id: int, message_id: int, question_id: int) -> tuple[int, bool]:
    """Keep an answer as a note; return its number and whether it is new. ValueError if there is no such answer."""
    with transaction():
        saved = read_one(
            "SELECT id FROM notes WHERE user_id = ? AND question_id = ? AND deleted_at IS NULL",
            *(user_id, question_id),
        )
        if saved:
            return int(saved["id"]), False
        question = get_question(chat_id, question_id)
        if question is None or question["answer"] is None:
            raise ValueError(f"question {question_id} has no answer")
        note_id = add_note(user_id, chat_id, message_id, question["answer"], _now())
        write("UPDATE notes SET question_id = ? WHERE id = ?", question_id, note_id)
        return note_id, True


# Lists and plain texts -------------------------------------------------------------------------------------


def add_listing(user_id: int, query: str, page_size: int) -> int:
    """Remember what a person turns the pages of; return its number."""
    cursor = write(
        "INSERT INTO listings (user_id, query, page_size, created_at) VALUES (?,?,?,?)",
        *(user_id, query, page_size, _now()),
    )
    return int(cursor.lastrowid or 0)


def get_listing(user_id: int, listing_id: int) -> Row | None:
    """Return what a person turns the pages of."""
    return read_one("SELECT * FROM listings WHERE id = ? AND user_id = ?", listing_id, user_id)


def keep_plain_text(user_id: int, chat_id: int, message_id: int, text: str, sent_at: int) -> int:
    """Keep a text that is neither a note nor a question yet; return its number."""
    cursor = write(
        "INSERT OR REPLACE INTO plain_texts (user_id, chat_id, message_id, text, sent_at) VALUES (?,?,?,?,?)",
        *(user_id, chat_id, message_id, text, sent_at),
    )
    return int(cursor.lastrowid or 0)


def update_plain_text(user_id: int, chat_id: int, message_id: int, text: str) -> None:
    """Let a text that was kept follow its message."""
    write(
        "UPDATE plain_texts SET text = ? WHERE chat_id = ? AND message_id = ? AND user_id = ?",
        *(text, chat_id, message_id, user_id),
    )


def get_plain_text(user_id: int, text_id: int) -> Row | None:
    """Return a text that was kept."""
    return read_one("SELECT * FROM plain_texts WHERE id = ? AND user_id = ?", text_id, user_id)


def mark_asked(text_id: int) -> None:
    """Remember that a model was asked what a plain text says."""
    write("UPDATE plain_texts SET is_asked = 1 WHERE id = ?", text_id)


# Models ----------------------------------------------------------------------------------------------------

_MODEL = "SELECT id, key, label, active, gateway, available, context_length, category FROM models"


def list_models() -> list[Row]:
    """Return all models by number."""
    return read(f"{_MODEL} ORDER BY id")


def get_model(model_id: int) -> Row:
    """Return a model; ValueError for an unknown id."""
    row = read_one(f"{_MODEL} WHERE id = ?", model_id)
    if row is None:
        raise ValueError(f"unknown model id {model_id}")
    return row


def get_active_model() -> Row:
    """Return the active model (the first one, if none is); RuntimeError if there are no models."""
    row = read_one(f"{_MODEL} ORDER BY active DESC, id LIMIT 1")
    if row is None:
        raise RuntimeError("the registry of models is empty")
    return row


def set_active_model(model_id: int) -> Row:
    """Make a model the active one and return it; ValueError for an unknown id, RuntimeError if there are none."""
    with transaction():
        get_active_model()
        # Clear first: the unique index is checked row by row, and allows no moment with two active models.
        write("UPDATE models SET active = 0 WHERE active = 1")
        if write("UPDATE models SET active = 1 WHERE id = ?", model_id).rowcount == 0:
            raise ValueError(f"unknown model id {model_id}")
        return get_active_model()


def models_after(model_id: int) -> list[Row]:
    """Return the available models to turn to when this one fails: of its own gateway first, then by number."""
    return read(
        f"{_MODEL} WHERE available = 1 AND id <> :id"
        " ORDER BY gateway <> (SELECT gateway FROM models WHERE id = :id), id < :id, id",
        id=model_id,
    )


def mark_model_gone(model_id: int) -> None:
    """Remember that the gateway does not have a model any more."""
    write("UPDATE models SET available = 0 WHERE id = ?", model_id)


def update_catalogue(gateway: str, models: list[Row]) -> tuple[int, int]:
    """Take over what a gateway tells of its models; return how many are new, and how many have vanished.

    A model is {"key", "label", "context_length", "category"}. One that has vanished is kept, for its number, and
    marked; if it was the active one, the next available takes its place, and that is remembered to be told.
    """
    with transaction():
        known = {row["key"]: row for row in read(f"{_MODEL} WHERE gateway = ?", gateway)}
        for model in models:
            if model["key"] in known:
                write(
                    "UPDATE models SET label = :label, context_length = coalesce(:context_length, context_length),"
                    " category = :category, available = 1 WHERE gateway = :gateway AND key = :key",
                    **model,
                    gateway=gateway,
                )
            else:
                write(
                    "INSERT INTO models (key, label, context_length, category, gateway)"
                    " VALUES (:key, :label, :context_length, :category, :gateway)",
                    **model,
                    gateway=gateway,
                )
        there = {model["key"] for model in models}
        vanished = [row for key, row in known.items() if row["available"] and key not in there]
        for row in vanished:
            mark_model_gone(row["id"])
        write("INSERT OR REPLACE INTO catalogues VALUES (?,?)", gateway, _now())
        _leave_vanished_model()
    return len(there - set(known)), len(vanished)


def forget_catalogue(gateway: str) -> None:
    """Mark all models of a gateway that is no longer set up; it may come back."""
    with transaction():
        write("UPDATE models SET available = 0 WHERE gateway = ?", gateway)
        write("DELETE FROM catalogues WHERE gateway = ?", gateway)
        _leave_vanished_model()


def _leave_vanished_model() -> None:
    """Put the next available model into the place of an active one that is gone, if there is any."""
    active = read_one(f"{_MODEL} WHERE active = 1")
    if active is None:
        return
    after = [] if active["available"] else models_after(active["id"])
    texts_first = sorted(after, key=lambda model: model["category"] != "text")
    if texts_first:
        set_active_model(texts_first[0]["id"])
        write("INSERT OR REPLACE INTO switches VALUES (1,?,?)", active["label"], texts_first[0]["label"])


def take_switch() -> Row | None:
    """Return which active model vanished and which took its place, once; None if that has been told."""
    with transaction():
        row = read_one("SELECT vanished, active FROM switches")
        write("DELETE FROM switches")
    return row


def catalogue_age_s(gateway: str) -> float:
    """Return how long ago a gateway told its models, in seconds; infinity if it never did."""
    row = read_one("SELECT fetched_at FROM catalogues WHERE gateway = ?", gateway)
    return time.time() - row["fetched_at"] if row else math.inf


# Questions -------------------------------------------------------------------------------------------------


def add_question(question: Row) -> int:
    """Write a question down (the columns of the table that are known when it is asked); return its number."""
    columns = ", ".join(question)
    values = ", ".join(f":{column}" for column in question)
    cursor = write(f"INSERT INTO questions ({columns}) VALUES ({values})", **question)
    return int(cursor.lastrowid or 0)


def get_question(chat_id: int, question_id: int) -> Row | None:
    """Return a question that was asked in this chat."""
    return read_one("SELECT * FROM questions WHERE id = ? AND chat_id = ?", question_id, chat_id)


def question_times(user_id: int, since: int) -> list[int]:
    """Return when a person asked since a moment, in Unix seconds, oldest first."""
    rows = read(
        "SELECT asked_at FROM questions WHERE user_id = ? AND asked_at > ? ORDER BY asked_at", user_id, since
    )
    return [row["asked_at"] for row in rows]


def next_question(lane: int) -> Row | None:
    """Return the oldest unanswered question of a lane."""
    return read_one(
        "SELECT * FROM questions WHERE lane = ? AND state = 'pending' ORDER BY id LIMIT 1",
        lane,
    )


def lanes_waiting() -> list[int]:
    """Return the lanes that have unanswered questions, the longest waiting first."""
    rows = read("SELECT lane FROM questions WHERE state = 'pending' GROUP BY lane ORDER BY min(id)")
    return [row["lane"] for row in rows]


def stop_question(chat_id: int, question_id: int) -> bool:
    """Remember that a person pressed Stop; False if there is nothing to stop."""
    cursor = write(
        "UPDATE questions SET stop_at = ? WHERE id = ? AND chat_id = ? AND state = 'pending'",
        *(_now(), question_id, chat_id),
    )
    return cursor.rowcount == 1


def is_stopped(question_id: int) -> bool:
    """Return whether Stop was pressed before the answer was there."""
    row = read_one("SELECT stop_at FROM questions WHERE id = ?", question_id)
    return bool(row and row["stop_at"] is not None)


def finish_question(question_id: int, state: str, answer: str | None) -> None:
    """Store what became of a question: answered, stopped or failed."""
    write(
        "UPDATE questions SET state = ?, answer = ?, finished_at = ? WHERE id = ?",
        *(state, answer, _now(), question_id),
    )


def question_answered_by(chat_id: int, message_id: int) -> Row | None:
    """Return the question that a message of ours answers."""
    return read_one(
        "SELECT questions.* FROM answer_messages JOIN questions ON questions.id = question_id"
        " WHERE answer_messages.chat_id = ? AND answer_messages.message_id = ?",
        *(chat_id, message_id),
    )


def talk_before(question_id: int) -> list[Row]:
    """Return the answered questions that led to this one, with their answers, the latest first."""
    return read(
        "WITH RECURSIVE talk(id, parent_id, depth) AS ("
        " SELECT id, parent_id, 0 FROM questions WHERE id = ?"
        " UNION ALL SELECT questions.id, questions.parent_id, depth + 1"
        " FROM questions JOIN talk ON questions.id = talk.parent_id)"
        " SELECT text, answer FROM talk JOIN questions USING (id)"
        " WHERE depth > 0 AND answer IS NOT NULL ORDER BY depth",
        question_id,
    )


# The ledger --------------------------------------------------------------------------------------------------

_FREE = "gateway = 'openrouter' AND (model LIKE '%:free' OR model = 'openrouter/free')"


def add_llm_request(request: Row) -> int:
    """Write a request into the ledger (the columns of the table, without id and created_at); return its number."""
    columns = ", ".join(request)
    values = ", ".join(f":{column}" for column in request)
    cursor = write(f"INSERT INTO llm_requests (created_at, {columns}) VALUES ({_now()}, {values})", **request)
    return int(cursor.lastrowid or 0)


def set_llm_cost(request_id: int, cost: float, prompt_tokens: int | None, completion_tokens: int | None) -> None:
    """Complete a request in the ledger with what the gateway told later; cost in USD."""
    write(
        "UPDATE llm_requests SET cost = ?, prompt_tokens = ?, completion_tokens = ? WHERE id = ?",
        *(cost, prompt_tokens, completion_tokens, request_id),
    )


def requests_without_cost(since: int) -> list[Row]:
    """Return the requests since a moment that were stopped or cut, and whose cost can still be asked for."""
    return read(
        "SELECT id, generation_id FROM llm_requests WHERE cost IS NULL AND generation_id IS NOT NULL"
        " AND finish_reason IN ('stopped', 'cut') AND created_at >= ? AND gateway = 'openrouter'",
        since,
    )


def free_requests_since(moment: int) -> list[int]:
    """Return when requests to free models were made since a moment, oldest first, in Unix seconds."""
    rows = read(f"SELECT created_at FROM llm_requests WHERE created_at >= ? AND {_FREE} ORDER BY id", moment)
    return [row["created_at"] for row in rows]


_USED = "count(*) AS requests, total(prompt_tokens) + total(completion_tokens) AS tokens, total(cost) AS cost"


def usage_by_model(since: int, user_id: int | None = None) -> list[Row]:
    """Return requests, tokens and cost (USD) since a moment by model, of a person or all; the most used first."""
    return read(
        f"SELECT model, {_USED} FROM llm_requests WHERE created_at >= :since"
        " AND (:user_id IS NULL OR user_id = :user_id) GROUP BY model ORDER BY requests DESC, model",
        since=since,
        user_id=user_id,
    )


def usage_by_person(since: int) -> list[Row]:
    """Return requests, tokens and cost (USD) since a moment by person, the most active first."""
    return read(
        f"SELECT user_id, {_USED} FROM llm_requests WHERE created_at >= ?"
        " GROUP BY user_id ORDER BY requests DESC, user_id LIMIT 50",
        since,
    )


# Outbox ----------------------------------------------------------------------------------------------------

Call = tuple[str, Row]  # a method of Telegram's and its parameters


def add_reply(
    chat_id: int, calls: list[Call], attachment: Row | None = None, question_id: int | None = None
) -> None:
    """Put calls to Telegram, a message each, into the outbox."""
    write(
        "INSERT INTO outbox (chat_id, calls, attachment, question_id, created_at) VALUES (?,?,?,?,?)",
        *(chat_id, json.dumps(calls), attachment and json.dumps(attachment), question_id, _now()),
    )


def chats_waiting() -> list[int]:
    """Return the chats that replies are waiting for, the longest waiting first."""
    return [row["chat_id"] for row in read("SELECT chat_id FROM outbox GROUP BY chat_id ORDER BY min(id)")]


def next_reply(chat_id: int) -> Row | None:
    """Return a chat's oldest reply, its calls and attachment unpacked."""
    with relaxed() as courier:
        sql = "SELECT id, calls, attachment, question_id FROM outbox WHERE chat_id = ? ORDER BY id LIMIT 1"
        row: Row | None = courier.execute(sql, (chat_id,)).fetchone()
    if row:
        row["calls"] = json.loads(row["calls"])
        row["attachment"] = json.loads(row["attachment"]) if row["attachment"] else None
    return row


def reply_done(reply_id: int, calls_left: list[Call], answered: tuple[int, int, int] | None = None) -> None:
    """Take a reply out of the outbox, or leave in it the calls that are still to be made.

    answered is (chat, message, question) when a message that answers a question has been sent. Forty senders share
    the relaxed connection: one each would be eighty open files, and a power cut may at worst send a reply twice.
    """
    with relaxed() as courier, begun(courier):
        if answered:
            courier.execute("INSERT OR REPLACE INTO answer_messages VALUES (?,?,?)", answered)
        if calls_left:
            sql = "UPDATE outbox SET calls = ?, attachment = NULL WHERE id = ?"  # it went with the first call
            courier.execute(sql, (json.dumps(calls_left), reply_id))
        else:
            courier.execute("DELETE FROM outbox WHERE id = ?", (reply_id,))


# The whole ------------------------------------------------------------------------------------------------


def state(updates_since: int) -> Row:
    """Return how much waits and how much was done: counts, and moments in Unix seconds."""
    row = read_one(
        "SELECT (SELECT count(*) FROM handled_updates WHERE handled_at >= ?) AS updates,"
        " (SELECT count(*) FROM outbox) AS replies,"
        " (SELECT min(created_at) FROM outbox) AS oldest_reply_at,"
        " (SELECT count(*) FROM questions WHERE state = 'pending') AS questions,"
        " (SELECT sum(notes) FROM people) AS notes, (SELECT count(*) FROM people) AS people",
        updates_since,
    )
    assert row
    return row


def check(path: Path | str) -> int:
    """Look at the database at path without a change to it; return how many notes it has.

    SetupError if it is missing, not ours, or damaged.
    """
    with inspected(path) as connection:
        count = connection.execute("SELECT count(*) AS notes FROM notes WHERE deleted_at IS NULL").fetchone()
    return int(count["notes"])


def backup(path: Path | str, target: Path | str) -> int:
    """Copy the database at path into a file while a bot runs; return how many notes the copy has. See copy()."""
    copy(path, target)
    return check(target)


# Updates ---------------------------------------------------------------------------------------------------


def unhandled(update_ids: Iterable[int]) -> set[int]:
    """Return those of the updates that have not been handled yet."""
    ids = set(update_ids)
    rows = read(
        "SELECT update_id FROM handled_updates WHERE update_id IN (SELECT value FROM json_each(?))",
        json.dumps(list(ids)),
    )
    return ids - {row["update_id"] for row in rows}


def mark_handled(update_ids: Iterable[int]) -> None:
    """Remember that updates were handled."""
    write(
        "INSERT OR IGNORE INTO handled_updates (update_id, handled_at) SELECT value, ? FROM json_each(?)",
        *(_now(), json.dumps(list(update_ids))),
    )


def forget_the_old() -> None:
    """Drop what cannot be asked for any more: updates, deleted notes, texts before edits, pages, plain texts."""
    now = _now()
    with transaction():
        write("DELETE FROM handled_updates WHERE handled_at < ?", now - HANDLED_UPDATES_KEPT_S)
        write("DELETE FROM notes WHERE deleted_at < ?", now - DELETED_KEPT_S)
        write("DELETE FROM edits WHERE created_at < ?", now - DELETED_KEPT_S)
        write("DELETE FROM listings WHERE created_at < ?", now - DELETED_KEPT_S)
        write("DELETE FROM plain_texts WHERE sent_at < ?", now - DELETED_KEPT_S)
