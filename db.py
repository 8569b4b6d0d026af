"""What the bot remembers: every SQL statement, as plain functions.

Call open() once; after that any thread may call anything. A thread has a connection of its own; a function
runs inside the transaction that its thread has open, or commits by itself.
"""

import json
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import texts
from config import SetupError

Row = dict[str, Any]

APPLICATION_ID = 0x6E6F7465  # "note" in ASCII, in the file's header: tells our database from any other
SCHEMA = Path(__file__).with_name("schema.sql")

# migrations/N.sql brings a database from version N - 1 to version N. A fresh one is made from schema.sql, which
# always has the newest shape.
MIGRATIONS = SCHEMA.with_name("migrations")
VERSION = 2

NOTES_MAX = 100_000
NOTES_A_PERSON = 1 << 40  # numbers of the search index that belong to one person: see schema.sql
INDEXED_LETTERS = 3  # the search index knows pieces of so many and more
SCANNED_MOST = 2000  # notes are looked through for a shorter piece, before the index is asked for it
HANDLED_UPDATES_KEPT_S = 14 * 86400  # Telegram keeps an update for a day; ids may start anew after a week
DELETED_KEPT_S = 30 * 86400  # for so long what was deleted or edited can be brought back


class NotesFull(Exception):
    """A person has as many notes as allowed; str() is a sentence for them."""


class _Thread(threading.local):
    """A thread's connection and what it wants done after its commit."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        self.path: Path | None = None
        self.after_commit: list[Callable[[], None]] = []


_path: Path | None = None
_notes_max = NOTES_MAX
_thread = _Thread()
_courier: sqlite3.Connection | None = None
# Writers of this process queue here. SQLite's own lock would do, but who meets it sleeps and tries again:
# slower, and in no order.
_write_lock = threading.RLock()


# Opening -----------------------------------------------------------------------------------------------


def open(path: Path | str, notes_max: int = NOTES_MAX) -> None:
    """Make or upgrade the database at path and use it from now on; SetupError if it cannot be ours.

    notes_max is how many notes a person may have.
    """
    global _path, _notes_max
    close()
    path = Path(path)
    try:
        with closing(_connect(path)) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")  # a migration may make anew what others point to
            # The lock comes first: two bots started at once look and upgrade one after the other.
            connection.execute("BEGIN IMMEDIATE")
            _check_ours(connection, path)
            _upgrade(connection)
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.DatabaseError as error:
        raise SetupError(_why_not(error, path)) from error
    _path, _notes_max = path, notes_max


def close() -> None:
    """Close this thread's connection and the couriers' one; the next call opens them again."""
    global _courier
    close_thread()
    with _write_lock:
        if _courier:
            _courier.close()
            _courier = None


def close_thread() -> None:
    """Close this thread's connection; the thread is about to end."""
    if _thread.connection:
        _thread.connection.close()
        _thread.connection = None


def _connect(path: Path, synchronous: str = "FULL") -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    connection.row_factory = _as_dict
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    return connection


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    if _pragma(connection, "application_id") != APPLICATION_ID:
        if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise SetupError(texts.db_foreign(path))
    elif _pragma(connection, "user_version") > VERSION:
        raise SetupError(texts.db_newer(path))


def _upgrade(connection: sqlite3.Connection) -> None:
    """Bring an empty or older database to VERSION, inside the caller's transaction."""
    version = _pragma(connection, "user_version")
    steps = [MIGRATIONS / f"{n}.sql" for n in range(version + 1, VERSION + 1)] if version else [SCHEMA]
    for step in steps:
        for statement in _statements(step.read_text(encoding="utf-8")):
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _statements(script: str) -> Iterator[str]:
    """Cut a script into statements: executescript() would commit the transaction it is run in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[name])


def _why_not(error: sqlite3.DatabaseError, path: Path) -> str:
    code = _primary_code(error)
    if code == sqlite3.SQLITE_NOTADB:
        return texts.db_foreign(path)
    if code == sqlite3.SQLITE_CORRUPT:
        return texts.db_damaged(path)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return texts.db_busy(path)
    return texts.db_unusable(path)


# Transactions --------------------------------------------------------------------------------------------


@contextmanager
def transaction() -> Iterator[None]:
    """Run a block as one transaction; inside another one, as a part of it that is rolled back alone."""
    connection = _connection()
    is_part = connection.in_transaction
    if is_part:
        with _savepoint(connection):
            yield
        return
    with _write_lock:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            _thread.after_commit.clear()
            if connection.in_transaction:  # SQLite has rolled back by itself when the disk is full
                connection.execute("ROLLBACK")
            raise
    callbacks, _thread.after_commit = _thread.after_commit, []
    for callback in callbacks:
        callback()


@contextmanager
def _savepoint(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK TO part")
            connection.execute("RELEASE part")
        raise
    connection.execute("RELEASE part")


def on_commit(callback: Callable[[], None]) -> None:
    """Call back once what this transaction wrote is on disk; never, if it is rolled back."""
    if _connection().in_transaction:
        _thread.after_commit.append(callback)
    else:
        callback()


def is_unavailable(error: BaseException) -> bool:
    """Tell a database that cannot be used now (locked, full, failing disk) from a mistake in our code."""
    return isinstance(error, sqlite3.DatabaseError) and _primary_code(error) in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_CORRUPT,
    )


def _primary_code(error: sqlite3.DatabaseError) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the higher bits tell the variety


def _connection() -> sqlite3.Connection:
    if _path is None:
        raise RuntimeError("db.open() has not been called")
    if _thread.path is not _path:
        close_thread()
    if not _thread.connection:
        _thread.connection, _thread.path = _connect(_path), _path
    return _thread.connection


def _read(sql: str, *values: Any, **named: Any) -> list[Row]:
    return _connection().execute(sql, named or values).fetchall()


def _read_one(sql: str, *values: Any) -> Row | None:
    row: Row | None = _connection().execute(sql, values).fetchone()
    return row


def _write(sql: str, *values: Any, **named: Any) -> sqlite3.Cursor:
    connection = _connection()
    if connection.in_transaction:
        return connection.execute(sql, named or values)
    with transaction():
        return connection.execute(sql, named or values)


def _as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


def _now() -> int:
    return int(time.time())


# Notes: every function sees only the notes of user_id -----------------------------------------------------


def add_note(user_id: int, chat_id: int, message_id: int, text: str, created_at: int) -> int:
    """Store a note and return its number; created_at is when the person sent it, in Unix seconds.

    NotesFull if it is one too many.
    """
    _check_room(user_id)
    cursor = _write(
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
    _write(
        "INSERT INTO notes (user_id, chat_id, message_id, text, created_at, updated_at, question_id)"
        " VALUES (:user_id, :chat_id, :message_id, :text, :created_at, :updated_at, ("
        " SELECT id FROM questions WHERE id = :question_id AND chat_id = :chat_id AND NOT EXISTS ("
        " SELECT 1 FROM notes WHERE user_id = :user_id AND question_id = :question_id AND deleted_at IS NULL)))",
        **note,
        user_id=user_id,
    )


def get_note(user_id: int, note_id: int) -> Row | None:
    """Return all there is to know of a note, a deleted one too: see deleted_at."""
    return _read_one("SELECT * FROM notes WHERE id = ? AND user_id = ?", note_id, user_id)


def note_of_message(user_id: int, chat_id: int, message_id: int) -> Row | None:
    """Return the note that a message of the person's brought, a deleted one too."""
    return _read_one(
        "SELECT * FROM notes WHERE chat_id = ? AND message_id = ? AND user_id = ? ORDER BY id LIMIT 1",
        *(chat_id, message_id, user_id),
    )


def list_notes(user_id: int, limit: int) -> list[Row]:
    """Return the newest notes, newest first."""
    return find_notes(user_id, [], limit)


def all_notes(user_id: int) -> Iterator[Row]:
    """Yield all notes, oldest first, without holding them all in memory."""
    yield from _connection().execute(
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
        return _connection().execute(
            "SELECT id, text, created_at FROM notes WHERE user_id = ? AND deleted_at IS NULL"
            f" AND id > ? AND id < ? ORDER BY id {order}",
            (user_id, span.above, span.below),
        )
    first = _first_of(user_id)
    # CROSS JOIN: begin with the index. Left to itself SQLite walks the person's notes for the sake of ORDER BY.
    return _connection().execute(
        "SELECT notes.id, notes.text, notes.created_at FROM notes_fts CROSS JOIN notes"
        " ON notes.id = notes_fts.rowid - ? WHERE notes_fts MATCH ? AND notes_fts.rowid BETWEEN ? AND ?"
        f" AND notes.user_id = ? AND notes.deleted_at IS NULL ORDER BY notes_fts.rowid {order}",
        (first, " AND ".join(expressions), first + span.above + 1, first + span.below - 1, user_id),
    )


def _first_of(user_id: int) -> int:
    """Return where a person's notes begin in the search index; where nobody's are, if there are none."""
    person = _read_one("SELECT number << 40 AS first FROM people WHERE user_id = ?", user_id)
    return int(person["first"]) if person else 0


def _quoted(piece: str) -> str:
    """Return the expression of the index for a piece of text as it is: no letter of it means anything."""
    return '"' + piece.replace('"', '""') + '"'


def _beginning(letters: str) -> str:
    """Return the expression of the index for what begins with one or two letters; "" if nothing does."""
    terms = _read(
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
    return _read(
        "SELECT notes.id, notes.text, notes.created_at FROM notes_fts CROSS JOIN notes"
        " ON notes.id = notes_fts.rowid - ? WHERE notes_fts MATCH ? AND notes_fts.rowid BETWEEN ? AND ?"
        " AND notes.user_id = ? AND notes.deleted_at IS NULL ORDER BY bm25(notes_fts) LIMIT ?",
        *(first, expression, first, first + NOTES_A_PERSON - 1, user_id, limit),
    )


def edit_note(user_id: int, note_id: int, text: str) -> int | None:
    """Replace a note's text; return the edit's number, 0 if nothing changed, None if there is no such note."""
    with transaction():
        note = _read_one(
            "SELECT text FROM notes WHERE id = ? AND user_id = ? AND deleted_at IS NULL", note_id, user_id
        )
        if note is None:
            return None
        if note["text"] == text:
            return 0
        _write("UPDATE notes SET text = ?, updated_at = ? WHERE id = ?", text, _now(), note_id)
        cursor = _write(
            "INSERT INTO edits (note_id, text_before, created_at) VALUES (?,?,?)", note_id, note["text"], _now()
        )
        return cursor.lastrowid


def undo_edit(user_id: int, edit_id: int) -> tuple[int, int | None]:
    """Bring back the text before an edit, by an edit; return the note's number and what edit_note() does.

    ValueError if there is no such edit.
    """
    with transaction():
        edit = _read_one(
            "SELECT note_id, text_before FROM edits JOIN notes ON notes.id = note_id"
            " WHERE edits.id = ? AND user_id = ?",
            *(edit_id, user_id),
        )
        if edit is None:
            raise ValueError(f"no edit {edit_id}")
        return edit["note_id"], edit_note(user_id, edit["note_id"], edit["text_before"])


def delete_note(user_id: int, note_id: int) -> bool:
    """Delete a note, to be brought back or purged later; False if there is no such note."""
    cursor = _write(
        "UPDATE notes SET deleted_at = ? WHERE id = ? AND user_id = ? AND deleted_at IS NULL",
        *(_now(), note_id, user_id),
    )
    return cursor.rowcount == 1


def restore_note(user_id: int, note_id: int) -> bool:
    """Bring a deleted note back; False if there is none to bring back, NotesFull if it is one too many."""
    _check_room(user_id)
    # An answer may have been saved anew meanwhile: then that note is the one that keeps it.
    cursor = _write(
        "UPDATE notes SET deleted_at = NULL, question_id = iif(EXISTS (SELECT 1 FROM notes AS other"
        " WHERE other.user_id = notes.user_id AND other.question_id = notes.question_id"
        " AND other.deleted_at IS NULL), NULL, question_id)"
        " WHERE id = ? AND user_id = ? AND deleted_at >= ?",
        *(note_id, user_id, _now() - DELETED_KEPT_S),
    )
    return cursor.rowcount == 1


def count_notes(user_id: int) -> int:
    """Return how many notes there are."""
    person = _read_one("SELECT notes FROM people WHERE user_id = ?", user_id)
    return int(person["notes"]) if person else 0


def note_times(user_id: int, since: int) -> list[int]:
    """Return when the notes since a moment were made, in Unix seconds."""
    rows = _read(
        "SELECT created_at FROM notes WHERE user_id = ? AND deleted_at IS NULL AND created_at >= ?",
        *(user_id, since),
    )
    return [row["created_at"] for row in rows]


def save_answer(user_id: int, chat_id: int, message_id: int, question_id: int) -> tuple[int, bool]:
    """Keep an answer as a note; return its number and whether it is new. ValueError if there is no such answer."""
    with transaction():
        saved = _read_one(
            "SELECT id FROM notes WHERE user_id = ? AND question_id = ? AND deleted_at IS NULL",
            *(user_id, question_id),
        )
        if saved:
            return int(saved["id"]), False
        question = get_question(chat_id, question_id)
        if question is None or question["answer"] is None:
            raise ValueError(f"question {question_id} has no answer")
        note_id = add_note(user_id, chat_id, message_id, question["answer"], _now())
        _write("UPDATE notes SET question_id = ? WHERE id = ?", question_id, note_id)
        return note_id, True


# Lists and plain texts -------------------------------------------------------------------------------------


def add_listing(user_id: int, query: str, page_size: int) -> int:
    """Remember what a person turns the pages of; return its number."""
    cursor = _write(
        "INSERT INTO listings (user_id, query, page_size, created_at) VALUES (?,?,?,?)",
        *(user_id, query, page_size, _now()),
    )
    return int(cursor.lastrowid or 0)


def get_listing(user_id: int, listing_id: int) -> Row | None:
    """Return what a person turns the pages of."""
    return _read_one("SELECT * FROM listings WHERE id = ? AND user_id = ?", listing_id, user_id)


def keep_plain_text(user_id: int, chat_id: int, message_id: int, text: str, sent_at: int) -> int:
    """Keep a text that is neither a note nor a question yet; return its number."""
    cursor = _write(
        "INSERT OR REPLACE INTO plain_texts (user_id, chat_id, message_id, text, sent_at) VALUES (?,?,?,?,?)",
        *(user_id, chat_id, message_id, text, sent_at),
    )
    return int(cursor.lastrowid or 0)


def update_plain_text(user_id: int, chat_id: int, message_id: int, text: str) -> None:
    """Let a text that was kept follow its message."""
    _write(
        "UPDATE plain_texts SET text = ? WHERE chat_id = ? AND message_id = ? AND user_id = ?",
        *(text, chat_id, message_id, user_id),
    )


def get_plain_text(user_id: int, text_id: int) -> Row | None:
    """Return a text that was kept."""
    return _read_one("SELECT * FROM plain_texts WHERE id = ? AND user_id = ?", text_id, user_id)


def mark_asked(text_id: int) -> None:
    """Remember that a model was asked what a plain text says."""
    _write("UPDATE plain_texts SET is_asked = 1 WHERE id = ?", text_id)


# Models ----------------------------------------------------------------------------------------------------

_MODEL = "SELECT id, key, label, active, gateway, available, context_length, category FROM models"


def list_models() -> list[Row]:
    """Return all models by number."""
    return _read(f"{_MODEL} ORDER BY id")


def get_model(model_id: int) -> Row:
    """Return a model; ValueError for an unknown id."""
    row = _read_one(f"{_MODEL} WHERE id = ?", model_id)
    if row is None:
        raise ValueError(f"unknown model id {model_id}")
    return row


def get_active_model() -> Row:
    """Return the active model (the first one, if none is); RuntimeError if there are no models."""
    row = _read_one(f"{_MODEL} ORDER BY active DESC, id LIMIT 1")
    if row is None:
        raise RuntimeError("the registry of models is empty")
    return row


def set_active_model(model_id: int) -> Row:
    """Make a model the active one and return it; ValueError for an unknown id, RuntimeError if there are none."""
    with transaction():
        get_active_model()
        # Clear first: the unique index is checked row by row, and allows no moment with two active models.
        _write("UPDATE models SET active = 0 WHERE active = 1")
        if _write("UPDATE models SET active = 1 WHERE id = ?", model_id).rowcount == 0:
            raise ValueError(f"unknown model id {model_id}")
        return get_active_model()


def models_after(model_id: int) -> list[Row]:
    """Return the available models to turn to when this one fails: of its own gateway first, then by number."""
    return _read(
        f"{_MODEL} WHERE available = 1 AND id <> :id"
        " ORDER BY gateway <> (SELECT gateway FROM models WHERE id = :id), id < :id, id",
        id=model_id,
    )


def mark_model_gone(model_id: int) -> None:
    """Remember that the gateway does not have a model any more."""
    _write("UPDATE models SET available = 0 WHERE id = ?", model_id)


def update_catalogue(gateway: str, models: list[Row]) -> tuple[int, int]:
    """Take over what a gateway tells of its models; return how many are new, and how many have vanished.

    A model is {"key", "label", "context_length", "category"}. One that has vanished is kept, for its number, and
    marked; if it was the active one, the next available takes its place, and that is remembered to be told.
    """
    with transaction():
        known = {row["key"]: row for row in _read(f"{_MODEL} WHERE gateway = ?", gateway)}
        for model in models:
            if model["key"] in known:
                _write(
                    "UPDATE models SET label = :label, context_length = coalesce(:context_length, context_length),"
                    " category = :category, available = 1 WHERE gateway = :gateway AND key = :key",
                    **model,
                    gateway=gateway,
                )
            else:
                _write(
                    "INSERT INTO models (key, label, context_length, category, gateway)"
                    " VALUES (:key, :label, :context_length, :category, :gateway)",
                    **model,
                    gateway=gateway,
                )
        there = {model["key"] for model in models}
        vanished = [row for key, row in known.items() if row["available"] and key not in there]
        for row in vanished:
            mark_model_gone(row["id"])
        _write("INSERT OR REPLACE INTO catalogues VALUES (?,?)", gateway, _now())
        _leave_vanished_model()
    return len(there - set(known)), len(vanished)


def forget_catalogue(gateway: str) -> None:
    """Mark all models of a gateway that is no longer set up; it may come back."""
    with transaction():
        _write("UPDATE models SET available = 0 WHERE gateway = ?", gateway)
        _write("DELETE FROM catalogues WHERE gateway = ?", gateway)
        _leave_vanished_model()


def _leave_vanished_model() -> None:
    """Put the next available model into the place of an active one that is gone, if there is any."""
    active = _read_one(f"{_MODEL} WHERE active = 1")
    if active is None:
        return
    after = [] if active["available"] else models_after(active["id"])
    texts_first = sorted(after, key=lambda model: model["category"] != "text")
    if texts_first:
        set_active_model(texts_first[0]["id"])
        _write("INSERT OR REPLACE INTO switches VALUES (1,?,?)", active["label"], texts_first[0]["label"])


def take_switch() -> Row | None:
    """Return which active model vanished and which took its place, once; None if that has been told."""
    with transaction():
        row = _read_one("SELECT vanished, active FROM switches")
        _write("DELETE FROM switches")
    return row


def catalogue_age_s(gateway: str) -> float:
    """Return how long ago a gateway told its models, in seconds; infinity if it never did."""
    row = _read_one("SELECT fetched_at FROM catalogues WHERE gateway = ?", gateway)
    return time.time() - row["fetched_at"] if row else math.inf


# Questions -------------------------------------------------------------------------------------------------


def add_question(question: Row) -> int:
    """Write a question down (the columns of the table that are known when it is asked); return its number."""
    columns = ", ".join(question)
    values = ", ".join(f":{column}" for column in question)
    cursor = _write(f"INSERT INTO questions ({columns}) VALUES ({values})", **question)
    return int(cursor.lastrowid or 0)


def get_question(chat_id: int, question_id: int) -> Row | None:
    """Return a question that was asked in this chat."""
    return _read_one("SELECT * FROM questions WHERE id = ? AND chat_id = ?", question_id, chat_id)


def question_times(user_id: int, since: int) -> list[int]:
    """Return when a person asked since a moment, in Unix seconds, oldest first."""
    rows = _read(
        "SELECT asked_at FROM questions WHERE user_id = ? AND asked_at > ? ORDER BY asked_at", user_id, since
    )
    return [row["asked_at"] for row in rows]


def next_question(lane: int) -> Row | None:
    """Return the oldest unanswered question of a lane."""
    return _read_one(
        "SELECT * FROM questions WHERE lane = ? AND state = 'pending' ORDER BY id LIMIT 1",
        lane,
    )


def lanes_waiting() -> list[int]:
    """Return the lanes that have unanswered questions, the longest waiting first."""
    rows = _read("SELECT lane FROM questions WHERE state = 'pending' GROUP BY lane ORDER BY min(id)")
    return [row["lane"] for row in rows]


def stop_question(chat_id: int, question_id: int) -> bool:
    """Remember that a person pressed Stop; False if there is nothing to stop."""
    cursor = _write(
        "UPDATE questions SET stop_at = ? WHERE id = ? AND chat_id = ? AND state = 'pending'",
        *(_now(), question_id, chat_id),
    )
    return cursor.rowcount == 1


def is_stopped(question_id: int) -> bool:
    """Return whether Stop was pressed before the answer was there."""
    row = _read_one("SELECT stop_at FROM questions WHERE id = ?", question_id)
    return bool(row and row["stop_at"] is not None)


def finish_question(question_id: int, state: str, answer: str | None) -> None:
    """Store what became of a question: answered, stopped or failed."""
    _write(
        "UPDATE questions SET state = ?, answer = ?, finished_at = ? WHERE id = ?",
        *(state, answer, _now(), question_id),
    )


def question_answered_by(chat_id: int, message_id: int) -> Row | None:
    """Return the question that a message of ours answers."""
    return _read_one(
        "SELECT questions.* FROM answer_messages JOIN questions ON questions.id = question_id"
        " WHERE answer_messages.chat_id = ? AND answer_messages.message_id = ?",
        *(chat_id, message_id),
    )


def talk_before(question_id: int) -> list[Row]:
    """Return the answered questions that led to this one, with their answers, the latest first."""
    return _read(
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
    cursor = _write(f"INSERT INTO llm_requests (created_at, {columns}) VALUES ({_now()}, {values})", **request)
    return int(cursor.lastrowid or 0)


def set_llm_cost(request_id: int, cost: float, prompt_tokens: int | None, completion_tokens: int | None) -> None:
    """Complete a request in the ledger with what the gateway told later; cost in USD."""
    _write(
        "UPDATE llm_requests SET cost = ?, prompt_tokens = ?, completion_tokens = ? WHERE id = ?",
        *(cost, prompt_tokens, completion_tokens, request_id),
    )


def requests_without_cost(since: int) -> list[Row]:
    """Return the requests since a moment that were stopped or cut, and whose cost can still be asked for."""
    return _read(
        "SELECT id, generation_id FROM llm_requests WHERE cost IS NULL AND generation_id IS NOT NULL"
        " AND finish_reason IN ('stopped', 'cut') AND created_at >= ? AND gateway = 'openrouter'",
        since,
    )


def free_requests_since(moment: int) -> list[int]:
    """Return when requests to free models were made since a moment, oldest first, in Unix seconds."""
    rows = _read(f"SELECT created_at FROM llm_requests WHERE created_at >= ? AND {_FREE} ORDER BY id", moment)
    return [row["created_at"] for row in rows]


_USED = "count(*) AS requests, total(prompt_tokens) + total(completion_tokens) AS tokens, total(cost) AS cost"


def usage_by_model(since: int, user_id: int | None = None) -> list[Row]:
    """Return requests, tokens and cost (USD) since a moment by model, of a person or all; the most used first."""
    return _read(
        f"SELECT model, {_USED} FROM llm_requests WHERE created_at >= :since"
        " AND (:user_id IS NULL OR user_id = :user_id) GROUP BY model ORDER BY requests DESC, model",
        since=since,
        user_id=user_id,
    )


def usage_by_person(since: int) -> list[Row]:
    """Return requests, tokens and cost (USD) since a moment by person, the most active first."""
    return _read(
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
    _write(
        "INSERT INTO outbox (chat_id, calls, attachment, question_id, created_at) VALUES (?,?,?,?,?)",
        *(chat_id, json.dumps(calls), attachment and json.dumps(attachment), question_id, _now()),
    )


def chats_waiting() -> list[int]:
    """Return the chats that replies are waiting for, the longest waiting first."""
    return [row["chat_id"] for row in _read("SELECT chat_id FROM outbox GROUP BY chat_id ORDER BY min(id)")]


def next_reply(chat_id: int) -> Row | None:
    """Return a chat's oldest reply, its calls and attachment unpacked."""
    with _write_lock:
        sql = "SELECT id, calls, attachment, question_id FROM outbox WHERE chat_id = ? ORDER BY id LIMIT 1"
        row: Row | None = _courier_connection().execute(sql, (chat_id,)).fetchone()
    if row:
        row["calls"] = json.loads(row["calls"])
        row["attachment"] = json.loads(row["attachment"]) if row["attachment"] else None
    return row


def reply_done(reply_id: int, calls_left: list[Call], answered: tuple[int, int, int] | None = None) -> None:
    """Take a reply out of the outbox, or leave in it the calls that are still to be made.

    answered is (chat, message, question) when a message that answers a question has been sent.
    """
    with _write_lock:
        courier = _courier_connection()
        courier.execute("BEGIN IMMEDIATE")
        try:
            if answered:
                courier.execute("INSERT OR REPLACE INTO answer_messages VALUES (?,?,?)", answered)
            if calls_left:
                sql = "UPDATE outbox SET calls = ?, attachment = NULL WHERE id = ?"  # it went with the first call
                courier.execute(sql, (json.dumps(calls_left), reply_id))
            else:
                courier.execute("DELETE FROM outbox WHERE id = ?", (reply_id,))
            courier.execute("COMMIT")
        except BaseException:
            if courier.in_transaction:
                courier.execute("ROLLBACK")
            raise


def _courier_connection() -> sqlite3.Connection:
    """Return the connection that all senders of replies share; the caller holds the write lock.

    Its commits do not wait for the disk: a power cut may send a reply twice, but loses nothing, and a process
    that is killed not even that. And forty senders with a connection each would be eighty open files.
    """
    global _courier
    if _path is None:
        raise RuntimeError("db.open() has not been called")
    if not _courier:
        _courier = _connect(_path, synchronous="NORMAL")
    return _courier


# The whole ------------------------------------------------------------------------------------------------


def state(updates_since: int) -> Row:
    """Return how much waits and how much was done: counts, and moments in Unix seconds."""
    row = _read_one(
        "SELECT (SELECT count(*) FROM handled_updates WHERE handled_at >= ?) AS updates,"
        " (SELECT count(*) FROM outbox) AS replies,"
        " (SELECT min(created_at) FROM outbox) AS oldest_reply_at,"
        " (SELECT count(*) FROM questions WHERE state = 'pending') AS questions,"
        " (SELECT sum(notes) FROM people) AS notes, (SELECT count(*) FROM people) AS people",
        updates_since,
    )
    assert row
    return row


def size() -> int:
    """Return how many bytes the database takes, with what it has not merged yet."""
    assert _path
    files = (_path, _path.with_name(f"{_path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def check(path: Path | str) -> int:
    """Look at the database at path without a change to it; return how many notes it has.

    SetupError if it is missing, not ours, or damaged.
    """
    path = Path(path)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            connection.row_factory = _as_dict
            _check_ours(connection, path)
            if connection.execute("PRAGMA quick_check(1)").fetchone() != {"quick_check": "ok"}:
                raise SetupError(texts.db_damaged(path))
            count = connection.execute("SELECT count(*) AS notes FROM notes WHERE deleted_at IS NULL").fetchone()
            return int(count["notes"])
    except sqlite3.DatabaseError as error:
        raise SetupError(_why_not(error, path)) from error


def backup(path: Path | str, target: Path | str) -> int:
    """Copy the database at path into a file, whole and consistent while a bot runs; return how many notes it has.

    An older copy under that name stays until the new one is complete. SetupError if there is nothing to copy, or
    no room for it.
    """
    path, target = Path(path), Path(target)
    check(path)
    if target.exists() and target.samefile(path):
        raise SetupError(texts.backup_onto_itself(target))
    part = target.with_name(f"{target.name}.part")
    try:
        with closing(_connect(path)) as source, closing(sqlite3.connect(part, isolation_level=None)) as copy:
            source.backup(copy)  # in one step: a bot that writes meanwhile would make a slower copy begin anew
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a companion
        notes = check(part)
        part.replace(target)
    except (sqlite3.DatabaseError, OSError) as error:
        part.unlink(missing_ok=True)
        raise SetupError(texts.backup_failed(target)) from error
    return notes


# Updates ---------------------------------------------------------------------------------------------------


def unhandled(update_ids: Iterable[int]) -> set[int]:
    """Return those of the updates that have not been handled yet."""
    ids = set(update_ids)
    rows = _read(
        "SELECT update_id FROM handled_updates WHERE update_id IN (SELECT value FROM json_each(?))",
        json.dumps(list(ids)),
    )
    return ids - {row["update_id"] for row in rows}


def mark_handled(update_ids: Iterable[int]) -> None:
    """Remember that updates were handled."""
    _write(
        "INSERT OR IGNORE INTO handled_updates (update_id, handled_at) SELECT value, ? FROM json_each(?)",
        *(_now(), json.dumps(list(update_ids))),
    )


def forget_the_old() -> None:
    """Drop what cannot be asked for any more: updates, deleted notes, texts before edits, pages, plain texts."""
    now = _now()
    with transaction():
        _write("DELETE FROM handled_updates WHERE handled_at < ?", now - HANDLED_UPDATES_KEPT_S)
        _write("DELETE FROM notes WHERE deleted_at < ?", now - DELETED_KEPT_S)
        _write("DELETE FROM edits WHERE created_at < ?", now - DELETED_KEPT_S)
        _write("DELETE FROM listings WHERE created_at < ?", now - DELETED_KEPT_S)
        _write("DELETE FROM plain_texts WHERE sent_at < ?", now - DELETED_KEPT_S)
