"""db: notes are private and found; one model is active; the database is ours and whole.

- notes: any text comes back unchanged, numbers are never reused, another person's note looks missing
- search: any case, ё = е, a piece of a word, % and _ as letters, SQL and FTS syntax as text
- models: switching up and down, unknown ids, an empty registry
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
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import db
from config import SetupError

ANN, BOB = 1, 2
FOREVER = 10**9

texts_of_notes = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=300
)  # anything but what the router replaces
one_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def add(text: str, user_id: int = ANN) -> int:
    return db.add_note(user_id, user_id, 7, text, created_at=1_700_000_000)


def found(piece: str, user_id: int = ANN) -> list[str]:
    return [row["text"] for row in db.find_notes(user_id, [piece], FOREVER)]


# Notes


@one_database
@given(text=texts_of_notes)
@example(text='"; DROP TABLE notes; --')
@example(text="ИЕЁйЙ ẞßſ İıI ǅ")
@pytest.mark.usefixtures("database")
def test_any_text_is_listed_found_and_deleted_unchanged(text: str) -> None:
    note_id = add(text)
    assert db.list_notes(ANN, 1) == [{"id": note_id, "text": text, "created_at": 1_700_000_000}]
    assert text in found(text)
    assert next(iter(reversed(list(db.all_notes(ANN)))))["text"] == text
    assert db.delete_note(ANN, note_id)
    assert db.find_notes(ANN, [text], FOREVER) == []


@one_database
@given(text=texts_of_notes, data=st.data())
@pytest.mark.usefixtures("database")
def test_any_piece_of_a_text_finds_it(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    add(text)
    assert text in found(text[start:end])


@pytest.mark.usefixtures("database")
def test_numbers_are_never_reused() -> None:
    first = add("раз")
    assert db.delete_note(ANN, first)
    assert add("два") == first + 1


@pytest.mark.usefixtures("database")
def test_the_newest_come_first_and_no_more_than_asked_for() -> None:
    for text in ("раз", "два", "три"):
        add(text)
    assert [row["text"] for row in db.list_notes(ANN, 2)] == ["три", "два"]
    assert db.count_notes(ANN) == 3


@pytest.mark.usefixtures("database")
def test_another_persons_note_looks_missing() -> None:
    note_id = add("секрет Анны")
    assert found("секрет", BOB) == []
    assert found("се", BOB) == []
    assert db.list_notes(BOB, 10) == list(db.all_notes(BOB)) == []
    assert db.note_times(BOB, 0) == []
    assert db.count_notes(BOB) == 0
    assert not db.edit_note(BOB, note_id, "взлом")
    assert not db.delete_note(BOB, note_id)
    assert found("секрет") == ["секрет Анны"]


@pytest.mark.usefixtures("database")
def test_an_edited_note_is_found_by_its_new_text_only() -> None:
    note_id = add("купить молоко")
    assert db.edit_note(ANN, note_id, "купить кефир")
    assert found("кефир") == ["купить кефир"]
    assert found("молоко") == []


# Search


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("Купить Молоко", "молоко"),
        ("купить молоко", "МОЛОКО"),
        ("перемолоть", "МоЛо"),
        ("Ёлка и ёж", "елка"),
        ("елка", "ЁЛКА"),
        ("ёж", "еж"),
        ("еж", "ёЖ"),
        ("скидка 100%", "100%"),
        ("snake_case", "e_c"),
        ('он сказал "да"', 'л "да"'),
        ("NEAR(a b)", "NEAR(a"),
        ("a AND b*", "AND b*"),
        ("две\nстроки", "е\nс"),
    ],
)
def test_search_finds(text: str, piece: str) -> None:
    add("что-то другое")
    add(text)
    assert found(piece) == [text]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("text", "piece"),
    [("молоко", "молоко2"), ("скидка 100 рублей", "100%"), ("snakeXcase", "e_c"), ("сто", "%"), ("сто", "с_о")],
)
def test_search_takes_percent_and_underscore_as_letters(text: str, piece: str) -> None:
    add(text)
    assert found(piece) == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("piece", ["заметка", "за"])
def test_search_gives_the_newest_and_no_more_than_asked_for(piece: str) -> None:
    for n in range(5):
        add(f"заметка {n}")
    assert [row["text"] for row in db.find_notes(ANN, [piece], 2)] == ["заметка 4", "заметка 3"]


@pytest.mark.usefixtures("database")
def test_the_index_agrees_with_the_notes_after_every_kind_of_change() -> None:
    ids = [add(f"ёлка номер {n}") for n in range(20)]
    for note_id in ids[::2]:
        db.edit_note(ANN, note_id, f"берёза {note_id}")
    for note_id in ids[::3]:
        db.delete_note(ANN, note_id)
    db._write("DELETE FROM notes WHERE id = ?", ids[1])
    for note_id in ids[::6]:
        assert db.restore_note(ANN, note_id)
    db._write("INSERT INTO notes_fts(notes_fts, rank) VALUES ('integrity-check', 1)")
    [alive] = db._read("SELECT count(*) AS n FROM notes WHERE deleted_at IS NULL")
    assert db.count_notes(ANN) == alive["n"]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["купить", "молоко"], [3, 1]),
        (["молоко", "купить"], [3, 1]),
        (["купить молоко"], [1]),
        (["ку", "сы"], [2]),
        (["т", "молоко"], [3, 1]),
        (["молоко", "ш"], [4]),
        (["еж", "ЁЖ", "лет"], [5]),
        (["купить", "ракета"], []),
    ],
)
def test_all_pieces_must_occur_in_any_order(pieces: list[str], expected: list[int]) -> None:
    for text in ("купить молоко", "купить сыр", "молоко тоже купить", "молоко скисло, увы, ошибка", "ёж летит"):
        add(text)
    assert [row["id"] for row in db.find_notes(ANN, pieces, FOREVER)] == expected


@pytest.mark.usefixtures("database")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    notes=st.lists(st.text(st.sampled_from("абвёе Её.-"), min_size=1, max_size=8), min_size=1, max_size=30),
    pieces=st.lists(st.text(st.sampled_from("абвёе."), min_size=1, max_size=4), min_size=1, max_size=3),
    scanned=st.sampled_from([0, 3, 2000]),
    limit=st.integers(1, 5),
    data=st.data(),
)
def test_search_by_index_finds_what_a_look_at_every_note_finds(
    notes: list[str], pieces: list[str], scanned: int, limit: int, data: st.DataObject
) -> None:
    db._write("DELETE FROM notes")
    ids = [add(text) for text in notes]
    at = data.draw(st.sampled_from(ids))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "SCANNED_MOST", scanned)
        older = db.find_notes(ANN, pieces, limit, older_than=at)
        newer = db.find_notes(ANN, pieces, limit, newer_than=at)

    def holds(text: str) -> bool:
        return all(piece.replace("ё", "е") in text.lower().replace("ё", "е") for piece in pieces)

    hits = [note_id for note_id, text in zip(ids, notes, strict=True) if holds(text)]
    assert [row["id"] for row in older] == [n for n in reversed(hits) if n < at][:limit]
    assert [row["id"] for row in newer] == list(reversed([n for n in hits if n > at][:limit]))


@pytest.mark.usefixtures("database")
def test_an_answer_that_was_saved_anew_does_not_keep_the_old_note_from_coming_back() -> None:
    question = {"user_id": ANN, "chat_id": ANN, "message_id": 1, "is_private": True, "kind": "ask", "lane": 1}
    question_id = db.add_question({**question, "model_id": 1, "text": "?", "asked_at": 1})
    db.finish_question(question_id, "answered", "да")
    first, _ = db.save_answer(ANN, ANN, 2, question_id)
    db.delete_note(ANN, first)
    second, is_new = db.save_answer(ANN, ANN, 2, question_id)
    assert is_new
    assert db.restore_note(ANN, first)
    assert [row["id"] for row in db.list_notes(ANN, 5)] == [second, first]


# Models


@pytest.mark.usefixtures("database")
def test_ten_models_and_the_courses_first_is_active() -> None:
    models = db.list_models()
    assert [model["id"] for model in models] == list(range(1, 11))
    assert [model["id"] for model in models if model["active"]] == [1]
    assert db.get_active_model()["key"] == "deepseek/deepseek-chat-v3.1:free"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("order", [(5, 2), (2, 5), (10, 1), (3, 3)])
def test_switching_goes_up_and_down(order: tuple[int, int]) -> None:
    for model_id in order:
        assert db.set_active_model(model_id)["id"] == model_id
        assert [model["id"] for model in db.list_models() if model["active"]] == [model_id]


@pytest.mark.usefixtures("database")
def test_an_unknown_model_changes_nothing() -> None:
    db.set_active_model(4)
    with pytest.raises(ValueError, match="99"):
        db.set_active_model(99)
    assert db.get_active_model()["id"] == 4


@pytest.mark.usefixtures("database")
def test_without_models_there_is_no_active_one() -> None:
    db._write("DELETE FROM models")
    with pytest.raises(RuntimeError):
        db.get_active_model()
    with pytest.raises(RuntimeError):
        db.set_active_model(1)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("sql", ["UPDATE models SET active = 1 WHERE id = 2", "UPDATE models SET active = 2"])
def test_the_schema_itself_allows_no_second_active_model(sql: str) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        db._write(sql)


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
    assert db._read("PRAGMA journal_mode") == [{"journal_mode": "wal"}]
    assert db._read("PRAGMA synchronous") == [{"synchronous": 2}]
    assert db._read("PRAGMA foreign_keys") == [{"foreign_keys": 1}]


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


@pytest.fixture(params=range(1, db.VERSION + 1))
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
        assert db._read("PRAGMA user_version") == [{"user_version": db.VERSION}]
        for name, rows in before.items():
            after = [tuple(row.values()) for row in db._read(f"SELECT * FROM {name} ORDER BY 1")]
            assert after == rows, name
        counted = {row["name"]: row["seq"] for row in db._read("SELECT * FROM sqlite_sequence")}
        assert {name: counted[name] for name in sequences} == sequences
        assert db._read("PRAGMA foreign_key_check") == []
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
        for row in db._read("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL")
    }
    columns = {name: db._read(f"PRAGMA table_xinfo({name})") for name in made}
    db.close()
    return {"made": made, "columns": columns}


def _bare(sql: str) -> str:
    return re.sub(r'\s|"', "", re.sub(r"--.*", "", sql))


def test_a_fresh_database_equals_a_migrated_one(old_path: Path, tmp_path: Path) -> None:
    assert shape(old_path) == shape(tmp_path / "fresh.db")


def test_every_migration_has_its_number() -> None:
    names = sorted(path.name for path in db.MIGRATIONS.iterdir())
    assert names == [f"{number}.sql" for number in range(2, db.VERSION + 1)]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_path = Path(shutil.copy(DATA / "version-1.sqlite", tmp_path / "old.db"))
    before = old_path.read_bytes()
    (tmp_path / "2.sql").write_text("CREATE TABLE tags (note_id INTEGER);\nSELECT nonsense;", encoding="utf-8")
    monkeypatch.setattr(db, "MIGRATIONS", tmp_path)
    with pytest.raises(SetupError):
        db.open(old_path)
    assert old_path.read_bytes() == before


def foreign_sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")


def newer(path: Path) -> None:
    db.open(path)
    db._write(f"PRAGMA user_version = {db.VERSION + 1}")
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
        db._connection().execute("PRAGMA busy_timeout = 10")
        with pytest.raises(sqlite3.OperationalError) as locked:
            add("не сейчас")
    with pytest.raises(sqlite3.OperationalError) as broken:
        db._read("SELECT nonsense")
    assert db.is_unavailable(locked.value)
    assert not db.is_unavailable(broken.value)
