"""storage: the database is ours, whole, and brought up to date; a transaction is all or nothing.

- transactions: a part is rolled back alone, on_commit, threads
- opening: fresh, again, of an older version, foreign, newer, not a database, in no folder, locked
"""

import re
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import DATA

import db
import storage
from config import SetupError

ANN, BOB = 1, 2


def add(text: str) -> int:
    return db.add_note(ANN, ANN, 7, text, created_at=1_700_000_000)


def found(piece: str) -> list[str]:
    return [row["text"] for row in db.find_notes(ANN, [piece], 100)]


# Transactions


@pytest.mark.usefixtures("database")
def test_a_part_is_rolled_back_alone() -> None:
    with db.transaction():
        add("раз")
        with pytest.raises(ZeroDivisionError), db.transaction():
            add("два")
            _ = 1 / 0
        add("три")
    assert [row["text"] for row in db.all_notes(ANN)] == ["раз", "три"]


@pytest.mark.usefixtures("database")
def test_on_commit_is_called_after_the_commit_and_never_after_a_rollback() -> None:
    called: list[int] = []
    with db.transaction():
        with db.transaction():
            db.on_commit(lambda: called.append(db.count_notes(ANN)))
        add("раз")
        assert called == []
    assert called == [1]
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.on_commit(lambda: called.append(0))
        _ = 1 / 0
    with db.transaction():
        add("два")
    assert called == [1]


@pytest.mark.usefixtures("database")
def test_threads_write_side_by_side_and_lose_nothing() -> None:
    def write() -> None:
        for n in range(50):
            add(f"из потока {n}")
        db.close_thread()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.count_notes(ANN) == 400


# Opening


def test_what_was_written_is_there_after_opening_again(database: Path) -> None:
    add("останется")
    db.close()
    db.open(database)
    assert found("останется") == ["останется"]
    assert len(db.list_models()) == 10


@pytest.mark.usefixtures("database")
def test_settings_of_a_connection() -> None:
    assert storage.read("PRAGMA journal_mode") == [{"journal_mode": "wal"}]
    assert storage.read("PRAGMA synchronous") == [{"synchronous": 2}]
    assert storage.read("PRAGMA foreign_keys") == [{"foreign_keys": 1}]


def test_two_bots_may_make_the_database_at_once(tmp_path: Path) -> None:
    errors: list[Exception] = []

    def make() -> None:
        try:
            db.open(tmp_path / "new.db")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.close()
    assert errors == []


@pytest.fixture(params=range(1, storage.VERSION + 1))
def old_path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a database that the code of a version wrote."""
    return Path(shutil.copy(DATA / f"version-{request.param}.sqlite", tmp_path / "old.db"))


def test_a_database_of_any_version_is_brought_up_to_date_and_keeps_everything(
    old_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_now", lambda: 1_795_300_000)  # the day when these were made
    with closing(sqlite3.connect(old_path)) as old:
        tables = [name for (name,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = [name for name in tables if not name.startswith(("notes_fts", "people", "sqlite_"))]
        before = {name: old.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in kept}
        sequences = dict(old.execute("SELECT * FROM sqlite_sequence").fetchall())
    for _ in range(2):  # the second time there is nothing to do
        db.open(old_path)
        assert storage.read("PRAGMA user_version") == [{"user_version": storage.VERSION}]
        for name, rows in before.items():
            after = [tuple(row.values()) for row in storage.read(f"SELECT * FROM {name} ORDER BY 1")]
            assert after == rows, name
        counted = {row["name"]: row["seq"] for row in storage.read("SELECT * FROM sqlite_sequence")}
        assert {name: counted[name] for name in sequences} == sequences
        assert storage.read("PRAGMA foreign_key_check") == []
    assert found("елка") == ["Ёлка:\n- гирлянда"]
    assert found("ку") == ["ъё в конце ку", "Купить кефир"]
    assert (db.count_notes(ANN), db.count_notes(BOB)) == (4, 1)
    assert db.restore_note(ANN, 4)
    assert add("новая") == 7
    assert db.lanes_waiting() == [ANN]
    assert [turn["answer"] for turn in db.talk_before(3)] == ["Путь длиннее.", "Рассеяние."]
    assert db.chats_waiting() == [1]
    db.close()


def shape(path: Path) -> dict[str, Any]:
    """Return what a database is made of, whatever way its statements are written."""
    db.open(path)
    made = {
        row["name"]: _bare(row["sql"])
        for row in storage.read("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL")
    }
    columns = {name: storage.read(f"PRAGMA table_xinfo({name})") for name in made}
    db.close()
    return {"made": made, "columns": columns}


def _bare(sql: str) -> str:
    return re.sub(r'\s|"', "", re.sub(r"--.*", "", sql))


def test_a_fresh_database_equals_a_migrated_one(old_path: Path, tmp_path: Path) -> None:
    assert shape(old_path) == shape(tmp_path / "fresh.db")


def test_every_migration_has_its_number() -> None:
    names = sorted(path.name for path in storage.MIGRATIONS.iterdir())
    assert names == [f"{number}.sql" for number in range(2, storage.VERSION + 1)]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_path = Path(shutil.copy(DATA / "version-1.sqlite", tmp_path / "old.db"))
    before = old_path.read_bytes()
    (tmp_path / "2.sql").write_text("CREATE TABLE tags (note_id INTEGER);\nSELECT nonsense;", encoding="utf-8")
    monkeypatch.setattr(storage, "MIGRATIONS", tmp_path)
    with pytest.raises(SetupError):
        db.open(old_path)
    assert old_path.read_bytes() == before


def foreign_sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")


def newer(path: Path) -> None:
    db.open(path)
    storage.write(f"PRAGMA user_version = {storage.VERSION + 1}")
    db.close()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (foreign_sqlite, "не база этого бота"),
        (lambda path: path.write_bytes(b"not a database, but long enough to be looked at" * 100), "не база этого"),
        (newer, "более новой версией"),
    ],
    ids=["another program's", "not a database", "newer"],
)
def test_a_database_that_is_not_ours_is_refused_and_left_as_it_was(
    tmp_path: Path, make: object, sentence: str
) -> None:
    path = tmp_path / "other.db"
    make(path)  # type: ignore[operator]
    before = path.read_bytes()
    with pytest.raises(SetupError, match=sentence):
        db.open(path)
    assert path.read_bytes() == before


def test_a_path_that_cannot_be_a_database_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no such folder" / "notes.db"):
        with pytest.raises(SetupError, match="DB_PATH"):
            db.open(path)


def test_a_locked_database_is_told_from_a_broken_one(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        storage.connection().execute("PRAGMA busy_timeout = 10")
        with pytest.raises(sqlite3.OperationalError) as locked:
            add("не сейчас")
    with pytest.raises(sqlite3.OperationalError) as broken:
        storage.read("SELECT nonsense")
    assert db.is_unavailable(locked.value)
    assert not db.is_unavailable(broken.value)
