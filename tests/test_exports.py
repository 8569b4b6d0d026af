"""exports, imports: a person's notes as a file, and back again.

- txt, md, json; zipped where too large; nothing of others, nothing deleted
- back into the same bot and into another: nothing lost, nothing doubled, edited notes recognised
- files that are wrong, huge or hostile change nothing
- the whole way: sent, downloaded, counted
"""

import io
import json
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import BotProcess, Person, eventually, without_times
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import db
import storage
import texts
from runtime import exports, imports
from runtime.telegram import Upload
from sandbox.telegram import World

MakePerson = Callable[..., Person]
ANN, BOB = 1, 2
T = 1_700_000_000


class OneFile:
    """Stands where Telegram stands, and has one file."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def download(self, _: str, into: Any) -> None:
        into.write(self.content)


def exported(kind: str, user_id: int = ANN) -> tuple[str, bytes]:
    upload = exports.export(user_id, kind)
    assert isinstance(upload, Upload)
    with upload.content as content:
        content.seek(0)
        return upload.name, content.read()


def imported(content: bytes, user_id: int = ANN) -> str:
    return imports.import_now(OneFile(content), user_id, "file")  # type: ignore[arg-type]


def document(*notes: Any) -> bytes:
    return json.dumps({"format": "notes-bot", "version": 1, "notes": notes}).encode()


def rows(user_id: int = ANN) -> list[db.Row]:
    return [{key: value for key, value in row.items() if key != "id"} for row in db.all_notes(user_id)]


@pytest.fixture
def _notes(database: Path) -> None:  # noqa: ARG001
    db.add_note(ANN, ANN, 5, "раз\nи ещё", T)
    db.add_note(BOB, BOB, 5, "секрет Бориса", T)
    db.add_note(ANN, ANN, 6, "удалённая", T)
    db.add_note(ANN, ANN, 7, 'два ё 🎄 \\ "', T + 60)
    db.delete_note(ANN, 3)


@pytest.mark.usefixtures("_notes")
def test_text_and_markdown() -> None:
    name, content = exported("txt")
    assert (name, without_times(content.decode())) == (
        "notes.txt",
        '#1 · 21.11.2026 12:00\nраз\nи ещё\n\n#4 · 21.11.2026 12:00\nдва ё 🎄 \\ "\n\n',
    )
    name, content = exported("md")
    assert (name, without_times(content.decode())) == (
        "notes.md",
        '# Заметки\n\n## #1 · 21.11.2026 12:00\n\nраз\nи ещё\n\n## #4 · 21.11.2026 12:00\n\nдва ё 🎄 \\ "\n\n',
    )


@pytest.mark.usefixtures("_notes")
def test_json_holds_everything_a_note_has() -> None:
    name, content = exported("json")
    assert name == "notes.json"
    notes = json.loads(content)["notes"]
    columns = set(storage.read("SELECT * FROM notes")[0]) - {"user_id", "deleted_at"}
    assert all(set(note) == columns for note in notes)
    assert notes == list(db.all_notes(ANN))


@pytest.mark.usefixtures("_notes")
@pytest.mark.parametrize("packed", [False, True])
def test_back_into_the_same_bot_nothing_is_doubled(packed: bool) -> None:
    _, content = exported("json")
    before = rows()
    if packed:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.writestr("notes.json", content)
        content = archive.getvalue()
    assert imported(content) == "Добавлено: 0 заметок. Уже были: 2 заметки."
    db.edit_note(ANN, 4, "переписана")  # it is the same note all the same
    assert imported(content) == "Добавлено: 0 заметок. Уже были: 2 заметки."
    db.delete_note(ANN, 1)
    assert imported(content) == "Добавлено: 1 заметка. Уже были: 1 заметка."
    assert sorted(row["text"] for row in rows()) == ["переписана", "раз\nи ещё"]
    assert len(rows()) == len(before)


@pytest.mark.usefixtures("_notes")
def test_into_another_bot_everything_comes_once(tmp_path: Path) -> None:
    _, content = exported("json")
    before = rows()
    db.open(tmp_path / "another.db")
    assert imported(content) == "Добавлено: 2 заметки. Уже были: 0 заметок."
    assert rows() == before
    assert imported(content) == "Добавлено: 0 заметок. Уже были: 2 заметки."
    assert [row["text"] for row in db.find_notes(ANN, ["ещё"], 5)] == ["раз\nи ещё"]
    assert db.count_notes(ANN) == 2
    assert (
        imported(content, BOB) == "Добавлено: 2 заметки. Уже были: 0 заметок."
    )  # another person's file is a file


@pytest.mark.usefixtures("database")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    notes=st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=50)
            .map(str.strip)
            .filter(bool),
            st.integers(T, T + 3),
        ),
        max_size=20,
    )
)
def test_any_notes_survive_the_way_there_and_back(notes: list[tuple[str, int]]) -> None:
    storage.write("DELETE FROM notes")
    for message_id, (text, moment) in enumerate(notes, 1):
        db.add_note(ANN, ANN, message_id, text, moment)
    _, content = exported("json")
    before = rows()
    assert imported(content) == texts.imported(0, len(notes), 0)
    storage.write("DELETE FROM notes")
    assert imported(content) == texts.imported(len(notes), 0, 0)
    assert rows() == before


@pytest.mark.usefixtures("database")
def test_an_answer_that_was_saved_stays_one() -> None:
    question = {"user_id": ANN, "chat_id": ANN, "message_id": 1, "is_private": True, "kind": "ask", "lane": 1}
    question_id = db.add_question({**question, "model_id": 1, "text": "?", "asked_at": 1})
    db.finish_question(question_id, "answered", "да")
    note_id, _ = db.save_answer(ANN, ANN, 2, question_id)
    _, content = exported("json")
    db.delete_note(ANN, note_id)
    assert imported(content) == "Добавлено: 1 заметка. Уже были: 0 заметок."
    assert db.save_answer(ANN, ANN, 2, question_id) == (note_id + 1, False)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", ["txt", "md", "json"])
def test_what_is_too_large_is_zipped(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(50):
        db.add_note(ANN, ANN, 1, "раз " * 500, T)
    monkeypatch.setattr(exports, "UPLOAD_MOST", 20_000)
    monkeypatch.setattr(exports, "DOWNLOAD_MOST", 10_000)
    name, content = exported(kind)
    assert name == f"notes.{kind}.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == [f"notes.{kind}"]
        assert archive.read(f"notes.{kind}").decode().count("раз раз") == 50 * 250
    monkeypatch.setattr(exports, "UPLOAD_MOST", 100)
    assert exports.export(ANN, kind) == texts.EXPORT_TOO_LARGE


# What is refused

NOTE = {"text": "раз", "created_at": T}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "entry",
    [
        None,
        7,
        "раз",
        [],
        {},
        {"text": "раз"},
        {**NOTE, "text": 7},
        {**NOTE, "text": " \n"},
        {**NOTE, "text": "а" * (imports.NOTE_MOST + 1)},
        {**NOTE, "created_at": "вчера"},
        {**NOTE, "created_at": True},
        {**NOTE, "created_at": -1},
        {**NOTE, "created_at": 10**12},
        {**NOTE, "created_at": 1e9},
    ],
)
def test_an_entry_that_is_no_note_is_counted_and_the_rest_goes_in(entry: Any) -> None:
    said = imported(document(entry, NOTE))
    assert said == "Добавлено: 1 заметка. Уже были: 0 заметок. Не подошли: 1 запись."
    assert [row["text"] for row in rows()] == ["раз"]


@pytest.mark.usefixtures("database")
def test_what_else_an_entry_says_is_taken_only_where_it_makes_sense() -> None:
    odd = {"chat_id": 10**30, "message_id": "7", "updated_at": "x", "question_id": -5, "id": 1, "user_id": BOB}
    imported(document({**NOTE, **odd}, {**NOTE, "text": "\ud83d\0"}, NOTE, NOTE))
    assert rows() == [
        {"text": "раз", "created_at": T, "updated_at": T, "chat_id": 0, "message_id": 0, "question_id": None},
        {"text": "��", "created_at": T, "updated_at": T, "chat_id": 0, "message_id": 0, "question_id": None},
    ]


def zipped(*members: tuple[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members:
            packed.writestr(name, content)
    return archive.getvalue()


GOOD = document(NOTE)
HOSTILE = {
    "empty": b"",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "text": "купить молоко".encode(),
    "another encoding": GOOD.decode().replace("раз", "раз").encode("utf-16"),
    "other json": b'{"notes": []}',
    "another version": GOOD.replace(b'"version": 1', b'"version": 2'),
    "cut": GOOD[:-10],
    "cut at a note's end": GOOD[:-2],
    "cut after many notes": document(*[NOTE] * 1000)[:-2],
    "more after the end": GOOD + b"{}",
    "no comma": GOOD[:-2] + json.dumps(NOTE).encode() + b"]}",
    "two commas": GOOD[:-2] + b",," + json.dumps(NOTE).encode() + b"]}",
    "deeply nested": GOOD[:-2] + b"," + b"[" * 200_000 + b"]" * 200_000 + b"]}",
    "a huge number": GOOD[:-2] + b"," + b"9" * 100_000 + b"]}",
    "an endless note": GOOD[:-2] + b',{"text": "' + b"a" * 3_000_000 + b'"}]}',
    "two files": zipped(("notes.json", GOOD), ("more.json", GOOD)),
    "a bomb": zipped(("notes.json", b" " * 30_000_000)),
    "a broken archive": zipped(("notes.json", GOOD))[:-30] + b"PK\x05\x06" + b"\0" * 18,
    "a damaged archive": zipped(("notes.json", GOOD * 100)).replace(b"notes", b"n0tes", 1),
}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_file_that_is_not_ours_changes_nothing(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "UNPACKED_MOST", 20_000_000)
    assert imported(content) == texts.IMPORT_WRONG
    assert rows() == []


@pytest.mark.usefixtures("database")
@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_in_the_middle_of_a_file_are_survived(junk: bytes) -> None:
    at = len(GOOD) - 2
    assert imported(GOOD[:at] + junk + GOOD[at:])


@pytest.mark.usefixtures("database")
def test_a_file_with_another_layout_is_read_all_the_same() -> None:
    pretty = json.dumps(json.loads(GOOD), indent=8).encode()
    assert imported(b"\xef\xbb\xbf" + pretty) == "Добавлено: 1 заметка. Уже были: 0 заметок."


@pytest.mark.usefixtures("database")
def test_others_may_write_while_a_file_is_imported() -> None:
    """The import is one of many short transactions, so a note of somebody else gets in between."""
    content = document(*({**NOTE, "text": str(n)} for n in range(5000)))

    def work() -> None:
        imported(content)
        db.close_thread()

    importing = threading.Thread(target=work)
    importing.start()
    eventually(lambda: db.count_notes(ANN) > 0)
    db.add_note(BOB, BOB, 1, "между делом", T)
    assert db.count_notes(ANN) < 5000
    importing.join()
    assert db.count_notes(ANN) == 5000


# The whole way


def test_a_file_goes_out_and_comes_back(bot_process: BotProcess, person: MakePerson, world: World) -> None:
    bot_process.start()
    ann, bob = person(1), person(2)
    ann.asks("/note_add раз")
    assert ann.asks("/note_import") == texts.IMPORT_NO_FILE
    ann.says("/note_export json")
    sent = ann.hears()
    assert sent["document"]["file_name"] == "notes.json"
    content = world.files[sent["document"]["file_id"]]
    ann.sends_file("notes.json", content, "/note_import")
    assert ann.hears()["text"] == "Добавлено: 0 заметок. Уже были: 1 заметка."
    bob.sends_file("notes.json", content, "/note_import@sandbox_notes_bot")
    assert bob.hears()["text"] == "Добавлено: 1 заметка. Уже были: 0 заметок."
    assert bob.asks("/note_count") == "У вас 1 заметка."


def test_a_file_that_telegram_does_not_give_is_explained(
    bot_process: BotProcess, person: MakePerson, world: World
) -> None:
    bot_process.start()
    ann = person()
    ann.asks("/start")
    ann.sends_file("notes.json", b" " * (20 * 2**20 + 1), "/note_import")
    assert ann.hears()["text"] == texts.IMPORT_TOO_LARGE
    with world.frozen():
        ann.sends_file("notes.json", GOOD, "/note_import")
        world.files.clear()
    assert ann.hears()["text"] == texts.IMPORT_GONE


def test_a_file_that_is_cut_on_its_way_is_fetched_again(
    bot_process: BotProcess, person: MakePerson, world: World
) -> None:
    bot_process.start()
    ann = person()
    ann.asks("/start")
    world.faults.drop_before, world.faults.methods = 0.5, frozenset(["getFile", "download"])
    ann.sends_file("notes.json", GOOD, "/note_import")
    assert ann.hears()["text"] == "Добавлено: 1 заметка. Уже были: 0 заметок."
