"""storage: opening and upgrading a database, transactions, statements.

- transactions: nested ones roll back alone, callbacks after the commit, the shared connection, threads
- opening: a new database, the same one again, a newer one, another program's, a locked one, no database at all
- upgrades: a database of every older version gets the schema of a new one and keeps its rows
"""

import json
import logging
import os
import re
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import DATA

import clock
import db
import db_search
import journal
import storage
from config import SetupError
from db_search import Query

ANN, BOB = 1, 2


def add(text: str) -> int:
    return db.add_note(ANN, ANN, 7, text, created_at=1_700_000_000)["number"]


def found(phrase: str) -> list[str]:
    return [note["text"] for note in db_search.find_notes(ANN, Query(phrases=[phrase]), 100)]


def note_texts() -> list[str]:
    return [note["text"] for note in db.iterate_notes(ANN)]


# Transactions


@pytest.mark.usefixtures("database")
def test_a_nested_transaction_rolls_back_alone() -> None:
    with storage.transaction():
        add("раз")
        with pytest.raises(ZeroDivisionError), storage.transaction():
            add("два")
            _ = 1 / 0
        add("три")
    assert note_texts() == ["раз", "три"]


@pytest.mark.usefixtures("database")
def test_a_transaction_rolls_back_with_its_nested_ones() -> None:
    add("раз")
    with pytest.raises(ZeroDivisionError), storage.transaction():
        with storage.transaction():
            add("два")
        _ = 1 / 0
    assert note_texts() == ["раз"]


@pytest.mark.usefixtures("database")
def test_on_commit_calls_back_after_the_commit_and_never_after_a_rollback() -> None:
    called: list[int] = []
    with storage.transaction():
        with storage.transaction():
            storage.on_commit(lambda: called.append(db.count_notes(ANN)))
        add("раз")
        assert called == []
    assert called == [1]
    with pytest.raises(ZeroDivisionError), storage.transaction():
        storage.on_commit(lambda: called.append(0))
        _ = 1 / 0
    with storage.transaction():
        add("два")
    assert called == [1]


@pytest.mark.usefixtures("database")
def test_a_callback_that_fails_after_the_commit_keeps_nothing_from_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    called: list[int] = []
    with storage.transaction():
        storage.on_commit(lambda: called.append(1))
        storage.on_commit(lambda: called.append(1 // 0))
        storage.on_commit(lambda: called.append(2))
    assert called == [1, 2]
    assert "a callback after a commit failed" in caplog.text
    with storage.transaction():
        pass
    assert called == [1, 2]


@pytest.mark.usefixtures("database")
def test_on_commit_calls_back_at_once_outside_a_transaction() -> None:
    called: list[bool] = []
    storage.on_commit(lambda: called.append(True))
    assert called == [True]


@pytest.mark.usefixtures("database")
def test_a_callback_may_open_a_transaction_with_a_callback_of_its_own() -> None:
    called: list[str] = []

    def first() -> None:
        with storage.transaction():
            storage.on_commit(lambda: called.append("second"))
            called.append("first")

    with storage.transaction():
        storage.on_commit(first)
    assert called == ["first", "second"]


@pytest.mark.usefixtures("database")
def test_the_shared_connection_commits_and_rolls_back() -> None:
    def add_update(update_id: int) -> None:
        connection.execute("INSERT INTO handled_updates VALUES (?, 0)", (update_id,))

    with storage.relaxed_transaction() as connection:
        add_update(1)
    with pytest.raises(ZeroDivisionError), storage.relaxed_transaction() as connection:
        add_update(2)
        _ = 1 / 0
    with storage.relaxed_connection() as connection:
        assert not connection.in_transaction
        assert connection is not storage.connection()
        assert connection.execute("PRAGMA synchronous").fetchone() == {"synchronous": 1}
    assert journal.unhandled_updates([1, 2]) == {2}


@pytest.mark.usefixtures("database")
def test_threads_write_at_the_same_time_and_lose_nothing() -> None:
    def write() -> None:
        for n in range(50):
            add(f"из потока {n}")
        storage.close_thread()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.count_notes(ANN) == 400


# Statements


@pytest.mark.usefixtures("database")
def test_parameters_are_a_sequence_or_a_mapping() -> None:
    assert storage.fetch_all("SELECT ? AS a, ? AS b", (1, "два")) == [{"a": 1, "b": "два"}]
    assert storage.fetch_one("SELECT :a AS a, :b AS b", {"b": "два", "a": 1}) == {"a": 1, "b": "два"}
    assert storage.fetch_one("SELECT 1 AS a WHERE 0") is None
    assert storage.fetch_all("SELECT 1 AS a WHERE 0") == []


@pytest.mark.usefixtures("database")
def test_execute_commits_by_itself_or_belongs_to_the_open_transaction(database: Path) -> None:
    def committed() -> int:
        with closing(sqlite3.connect(database)) as other:
            return int(other.execute("SELECT count(*) FROM handled_updates").fetchone()[0])

    assert storage.execute("INSERT INTO handled_updates VALUES (?, 0)", (1,)).rowcount == 1
    assert committed() == 1
    with storage.transaction():
        storage.execute("INSERT INTO handled_updates VALUES (:id, 0)", {"id": 2})
        assert committed() == 1
    assert committed() == 2


def test_statements_need_an_open_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_path", None)
    with pytest.raises(RuntimeError):
        storage.fetch_all("SELECT 1")
    with pytest.raises(RuntimeError):
        storage.size()


# Opening


def test_notes_are_still_there_after_opening_again(database: Path) -> None:
    add("останется")
    storage.close()
    db.open(database)
    assert found("останется") == ["останется"]
    assert len(db.list_models()) == 11


@pytest.mark.usefixtures("database")
def test_settings_of_a_connection() -> None:
    assert storage.fetch_all("PRAGMA journal_mode") == [{"journal_mode": "wal"}]
    assert storage.fetch_all("PRAGMA synchronous") == [{"synchronous": 2}]
    assert storage.fetch_all("PRAGMA foreign_keys") == [{"foreign_keys": 1}]


def test_the_size_includes_the_write_ahead_log(database: Path) -> None:
    before = storage.size()
    assert before >= database.stat().st_size > 0
    add("слово " * 10_000)
    assert storage.size() >= before + 60_000


def test_two_bots_may_create_the_database_at_once(tmp_path: Path) -> None:
    errors: list[Exception] = []

    def create() -> None:
        try:
            db.open(tmp_path / "new.db")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    storage.close()
    assert errors == []


def test_the_switch_to_the_write_ahead_log_waits_for_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, switches = storage._connect, list[str]()
    with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as other:

        def lock_during_the_switch(statement: str) -> None:
            if "WAL" in statement:
                switches.append(statement)
                if len(switches) in (1, 3):
                    other.execute("BEGIN IMMEDIATE" if len(switches) == 1 else "COMMIT")

        def connect_and_watch(path: Path, synchronous: str = "FULL") -> sqlite3.Connection:
            connection = connect(path, synchronous)
            connection.set_trace_callback(lock_during_the_switch)
            return connection

        monkeypatch.setattr(storage, "_connect", connect_and_watch)
        db.open(tmp_path / "new.db")
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    storage.close()
    assert len(switches) >= 3


# Upgrades

RENAMED_TABLES = {"catalogues": "catalogs", "switches": "model_replacements"}
DROPPED_COLUMNS = {"questions": {"lane"}, "outbox": {"attachment"}}
DERIVED_TABLES = ("notes_fts", "notes_terms", "notes_words", "note_tags", "people", "sqlite_")
ADDED_MODEL = 0  # the entry that picks a free model


@pytest.fixture(params=range(1, storage.SCHEMA_VERSION))
def old_path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a database that the code of an earlier version wrote."""
    return Path(shutil.copy(DATA / f"version-{request.param}.sqlite", tmp_path / "old.db"))


def rows_of(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each table; derived tables and the bookkeeping of SQLite excluded."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        names = [table["name"] for table in tables]
        kept = [name for name in names if not name.startswith(DERIVED_TABLES)]
        return {
            name: [dict(row) for row in connection.execute(f"SELECT * FROM {name} ORDER BY 1")] for name in kept
        }


def sequences_of(path: Path) -> dict[str, int]:
    """Return the latest number of each table with AUTOINCREMENT."""
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())


def test_an_upgraded_database_keeps_everything(old_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: 1_795_300_000)  # the day on which the old databases were written
    before = rows_of(old_path)
    sequences = sequences_of(old_path)
    for _ in range(2):  # the second time there is nothing to do
        db.open(old_path)
        assert storage.fetch_all("PRAGMA user_version") == [{"user_version": storage.SCHEMA_VERSION}]
        after = rows_of(old_path)
        for table, old_rows in before.items():
            new_rows = after[RENAMED_TABLES.get(table, table)]
            if table == "models":
                added = {ADDED_MODEL} - {row["id"] for row in old_rows}
                new_rows = [row for row in new_rows if row["id"] not in added]
            dropped = DROPPED_COLUMNS.get(table, set())
            expected = [{name: row[name] for name in row if name not in dropped} for row in old_rows]
            columns = expected[0] if expected else {}
            assert [{name: row[name] for name in columns} for row in new_rows] == expected, table
        assert {name: sequences_of(old_path)[name] for name in sequences} == sequences
        assert storage.fetch_all("PRAGMA foreign_key_check") == []
    assert found("елка") == ["Ёлка:\n- гирлянда"]
    assert found("ку") == ["ъё в конце ку", "Купить кефир"]
    assert (db.count_notes(ANN), db.count_notes(BOB)) == (4, 1)
    assert [note["number"] for note in db.iterate_notes(ANN)] == [1, 2, 5, 6]
    assert [note["number"] for note in db.iterate_notes(BOB)] == [3]
    assert db.restore_note(ANN, 4)
    assert add("новая") == 7
    assert db.add_note(BOB, BOB, 7, "новая", created_at=1_700_000_000)["number"] == 4
    assert journal.pending_question_keys() == [(ANN, 0)]
    assert [turn["answer"] for turn in journal.conversation_before(3)] == ["Путь длиннее.", "Рассеяние."]
    assert list(journal.chats_with_replies()) == [1]
    assert len(journal.free_request_times(0)) == 1
    storage.close()


def schema_of(path: Path) -> dict[str, Any]:
    """Return the tables, indexes, views and triggers, without the layout of their statements."""
    db.open(path)
    statements = {
        row["name"]: _without_layout(row["sql"])
        for row in storage.fetch_all("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL")
    }
    columns = {name: storage.fetch_all(f"PRAGMA table_xinfo({name})") for name in statements}
    storage.close()
    return {"statements": statements, "columns": columns}


def _without_layout(sql: str) -> str:
    return re.sub(r'\s|"', "", re.sub(r"--.*", "", sql))


def test_an_upgraded_database_has_the_schema_of_a_new_one(old_path: Path, tmp_path: Path) -> None:
    assert schema_of(old_path) == schema_of(tmp_path / "new.db")


@pytest.mark.parametrize("version", [1, 2])  # their upgrade indexes all notes anew
def test_a_long_upgrade_logs_its_progress(
    version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    old_path = Path(shutil.copy(DATA / f"version-{version}.sqlite", tmp_path / "old.db"))
    monkeypatch.setattr(storage, "PROGRESS_INTERVAL_S", 0.0)
    monkeypatch.setattr(storage, "PROGRESS_INSTRUCTIONS", 50)
    caplog.set_level(logging.INFO)
    db.open(old_path)
    lines = [record.getMessage() for record in caplog.records if record.name == "storage"]
    assert re.fullmatch(rf"upgrading the database from version \d to {storage.SCHEMA_VERSION}", lines[0])
    counts = [re.fullmatch(r"upgrading the database: \d+ s, (\d+) index entries", line) for line in lines]
    assert {"0", "6", "12"} <= {match[1] for match in counts if match}
    assert re.fullmatch(r"the database is upgraded: \d\.\d s", lines[-1])
    caplog.clear()
    db.open(old_path)
    assert caplog.records == []
    storage.close()


def test_the_migrations_are_numbered_without_gaps() -> None:
    names = sorted(path.name for path in storage.MIGRATIONS.iterdir())
    assert names == [f"{number}.sql" for number in range(2, storage.SCHEMA_VERSION + 1)]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_path = Path(shutil.copy(DATA / "version-1.sqlite", tmp_path / "old.db"))
    before = old_path.read_bytes()
    (tmp_path / "2.sql").write_text("CREATE TABLE tags (note_id INTEGER);\nSELECT nonsense;", encoding="utf-8")
    monkeypatch.setattr(storage, "MIGRATIONS", tmp_path)
    with pytest.raises(SetupError):
        db.open(old_path)
    assert old_path.read_bytes() == before


# From version 2 to 3: the attachments of replies become jobs

GROUP = -100
PENDING_REPLY = {"reply_parameters": {"message_id": 40, "allow_sending_without_reply": True}}
ATTACHMENTS: list[tuple[dict[str, Any], dict[str, Any]]] = [  # as version 2 wrote them, and the job of each
    (
        {"kind": "notes", "user_id": ANN, "format": "json"},
        {"user_id": ANN, "name": "export", "arguments": {"format": "json"}},
    ),
    (
        {"kind": "import", "user_id": ANN, "file_id": "BQAC-Я"},
        {"user_id": ANN, "name": "import", "arguments": {"file_id": "BQAC-Я"}},
    ),
    (
        {"kind": "stats", "user_id": BOB, "days": 7},
        {"user_id": BOB, "name": "stats", "arguments": {"days": 7}},
    ),
    (
        {"kind": "status", "state": {"uptime_s": 5, "problems": [], "notes": 3}},
        {"user_id": GROUP, "name": "status", "arguments": {}},
    ),
    ({"kind": "models"}, {"user_id": GROUP, "name": "refresh_models", "arguments": {}}),
    (
        {"kind": "providers", "name": "Яндекс"},
        {"user_id": GROUP, "name": "providers", "arguments": {"name": "Яндекс"}},
    ),
]


@pytest.fixture
def version_2(tmp_path: Path) -> Path:
    return Path(shutil.copy(DATA / "version-2.sqlite", tmp_path / "old.db"))


def add_old_reply(old: sqlite3.Connection, calls: object, attachment: object = None) -> None:
    """Add a reply in the way of version 2."""
    packed = json.dumps(attachment) if attachment else None
    sql = "INSERT INTO outbox (chat_id, calls, attachment, created_at) VALUES (?,?,?,?)"
    old.execute(sql, (GROUP, json.dumps(calls), packed, 1_795_231_300))


def test_attachments_become_jobs(version_2: Path) -> None:
    text_call = ["sendMessage", {"chat_id": GROUP, "text": "просто текст"}]
    with closing(sqlite3.connect(version_2)) as old, old:
        for attachment, _ in ATTACHMENTS:
            add_old_reply(old, [["sendDocument", {"chat_id": GROUP, **PENDING_REPLY}]], attachment)
        add_old_reply(old, [["sendDocument", {"chat_id": GROUP}]], ATTACHMENTS[0][0])
        add_old_reply(old, [text_call])
    db.open(version_2)
    jobs = storage.fetch_all("SELECT * FROM jobs ORDER BY id")
    expected = [
        {
            "id": number,
            "chat_id": GROUP,
            "reply_to": 40,
            "created_at": 1_795_231_300,
            "attempts": 0,
            "progress": "{}",
            "thread_id": None,
            **job,
        }
        for number, (_, job) in enumerate(ATTACHMENTS, 1)
    ]
    expected.append({**expected[0], "id": len(expected) + 1, "reply_to": None})
    assert [{**job, "arguments": json.loads(job["arguments"])} for job in jobs] == expected
    assert journal.users_with_jobs() == [ANN, BOB, GROUP]
    # A reply without an attachment stays.
    assert list(journal.chats_with_replies()) == [1, GROUP]
    [reply] = journal.stored_replies(GROUP, 0, 10)
    assert reply["calls"] == [tuple(text_call)]
    storage.close()
    assert schema_of(version_2) == schema_of(version_2.with_name("new.db"))


def test_the_search_index_of_an_older_database_is_folded_anew(version_2: Path) -> None:
    text = "мои\u0306 йод 5 \u00b5g"
    with closing(sqlite3.connect(version_2)) as old, old:
        old.execute(
            "INSERT INTO notes (user_id, chat_id, message_id, text, created_at, updated_at) VALUES (?,?,?,?,?,?)",
            (77, 77, 1, text, 1, 1),
        )
    db.open(version_2)
    for phrase in ("МОЙ", "и\u0306од", "\u03bcg"):
        assert [note["text"] for note in db_search.find_notes(77, Query(phrases=[phrase]), 10)] == [text]
    storage.execute("INSERT INTO notes_fts(notes_fts, rank) VALUES ('integrity-check', 1)")


def test_lanes_become_parallel_questions(version_2: Path) -> None:
    with closing(sqlite3.connect(version_2)) as old, old:
        for user_id, lane in ((ANN, ANN), (ANN, -331), (ANN, -332), (BOB, BOB), (BOB, ANN)):
            old.execute(
                "INSERT INTO questions (user_id, chat_id, message_id, is_private, kind, lane, model_id, text,"
                " asked_at) VALUES (?, ?, 33, 1, 'compare', ?, 6, 'Кто прав?', 1795231300)",
                (user_id, user_id, lane),
            )
    db.open(version_2)
    rows = storage.fetch_all("SELECT id, user_id, is_parallel FROM questions WHERE id > 4 ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [
        (5, ANN, 0),
        (6, ANN, 1),
        (7, ANN, 1),
        (8, BOB, 0),
        (9, BOB, 1),
    ]
    assert journal.pending_question_keys() == [(ANN, 0), (ANN, 1), (ANN, 2), (BOB, 0), (BOB, 2)]
    storage.close()


@pytest.mark.parametrize(
    ("gateway", "model", "is_free"),
    [
        ("openrouter", "google/gemma-4-31b-it:free", 1),
        ("openrouter", "openrouter/free", 1),
        ("openrouter", "openai/gpt-5", 0),
        ("openrouter", "freedom/model", 0),
        ("rvfreellm", "some/model:free", 0),
        ("local", "openrouter/free", 0),
    ],
)
def test_old_requests_to_free_models_are_marked(version_2: Path, gateway: str, model: str, is_free: int) -> None:
    with closing(sqlite3.connect(version_2)) as old, old:
        old.execute(
            "INSERT INTO llm_requests (created_at, user_id, module, gateway, model, status, latency_ms)"
            " VALUES (1795231300, 1, 'ask', ?, ?, 200, 5)",
            (gateway, model),
        )
    db.open(version_2)
    assert storage.fetch_all("SELECT is_free FROM llm_requests WHERE id = 2") == [{"is_free": is_free}]
    storage.close()


# Databases that cannot be used


def foreign_sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")


def newer(path: Path) -> None:
    db.open(path)
    storage.execute(f"PRAGMA user_version = {storage.SCHEMA_VERSION + 1}")
    storage.close()


def not_a_database(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)


@pytest.mark.parametrize(
    ("create", "sentence"),
    [
        (foreign_sqlite, "не база этого бота"),
        (not_a_database, "не база этого"),
        (newer, "более новой версией.*замените базу копией"),
    ],
    ids=["another program's", "not a database", "newer"],
)
def test_a_database_that_is_not_ours_is_refused_and_stays_unchanged(
    tmp_path: Path, create: Callable[[Path], None], sentence: str
) -> None:
    path = tmp_path / "other.db"
    create(path)
    before = path.read_bytes()
    with pytest.raises(SetupError, match=sentence):
        db.open(path)
    assert path.read_bytes() == before


def test_a_path_that_cannot_be_a_database_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no such folder" / "notes.db"):
        with pytest.raises(SetupError, match="DB_PATH"):
            db.open(path)


def test_a_locked_database_is_unavailable_but_a_wrong_statement_is_a_mistake(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        storage.connection().execute("PRAGMA busy_timeout = 10")
        with pytest.raises(sqlite3.OperationalError) as locked:
            add("не сейчас")
    with pytest.raises(sqlite3.OperationalError) as broken:
        storage.fetch_all("SELECT nonsense")
    assert storage.is_unavailable(locked.value)
    assert not storage.is_unavailable(broken.value)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of the file size")
def test_a_full_disk_may_have_room_later(tmp_path: Path) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    try:
        with pytest.raises(storage.DatabaseUnavailable):
            db.open(tmp_path / "new.db")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    db.open(tmp_path / "new.db")
    storage.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_only_the_owner_can_read_the_database_and_its_copies(tmp_path: Path) -> None:
    path, target = tmp_path / "new.db", tmp_path / "copy.db"
    (tmp_path / "copy.db.part").touch(mode=0o644)  # of an earlier copy that failed
    previous = os.umask(0o022)
    try:
        db.open(path)
        add("раз")
        db.backup(path, target)
        files = {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()}
    finally:
        os.umask(previous)
        storage.close()
    names = ["copy.db", "new.db", "new.db-shm", "new.db-wal"]
    assert files == dict.fromkeys(names, "0o600")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not delete an open file")
@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_transaction_in_a_deleted_or_replaced_file_fails(database: Path, is_replaced: bool) -> None:
    add("раз")
    db.backup(database, database.with_name("backup.db"))
    database.unlink()
    if is_replaced:
        database.with_name("backup.db").rename(database)
    woken: list[int] = []
    with pytest.raises(storage.DatabaseReplaced), storage.transaction():
        add("два")
        storage.on_commit(lambda: woken.append(1))
    assert woken == []


def test_the_write_ahead_log_shrinks_after_a_long_reader(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MAX_IDLE_WAL_BYTES", 2**20)
    db.open(database)
    wal = database.with_name(f"{database.name}-wal")
    with closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM notes").fetchall()
        for _ in range(100):
            add("слово " * 10_000)
        assert wal.stat().st_size > 8 * 2**20
    for _ in range(2):  # the first copies the log into the database, the second begins a new one
        add("раз")
    assert wal.stat().st_size <= 2**20
