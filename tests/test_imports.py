"""notes.imports: notes come back from an exported file.

- into the same bot and into another one: nothing is lost or doubled, and edited notes are recognized
- files that are wrong, too large or hostile change nothing
- from end to end: sent, downloaded, imported
"""

import io
import json
import random
import sqlite3
import threading
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import BotProcess, Person, eventually, next_delivered, store_question, text_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_db import EMPTY_IMPORT
from test_exports import ANN, BOB, NOW, add_notes, export

import db
import db_search
import journal
import storage
import texts
from db_search import Query
from notes import exports, imports
from sandbox.telegram import World

MakePerson = Callable[..., Person]


def import_file(content: bytes, user_id: int = ANN) -> str:
    return imports.import_notes(user_id, io.BytesIO(content))


def document(*notes: Any) -> bytes:
    return json.dumps({"format": "notes-bot", "version": 1, "notes": notes}).encode()


def notes_without_numbers(user_id: int = ANN) -> list[dict[str, Any]]:
    return [{key: value for key, value in note.items() if key != "number"} for note in db.iterate_notes(user_id)]


@pytest.fixture
def _notes(database: Path) -> None:  # noqa: ARG001
    add_notes()


@pytest.mark.usefixtures("_notes")
@pytest.mark.parametrize("is_zipped", [False, True])
def test_importing_into_the_same_bot_doubles_nothing(is_zipped: bool) -> None:
    _, content = export("json")
    before = notes_without_numbers()
    if is_zipped:
        content = zipped(("notes.json", content))
    assert import_file(content) == "Добавлено заметок: 0. Уже было: 2."
    db.edit_note(ANN, 3, "переписана")  # it is still the same note
    assert import_file(content) == "Добавлено заметок: 0. Уже было: 2."
    db.delete_note(ANN, 1)
    assert import_file(content) == "Добавлено заметок: 1. Уже было: 1."
    assert sorted(note["text"] for note in notes_without_numbers()) == ["переписана", "раз\nи ещё"]
    assert len(notes_without_numbers()) == len(before)


@pytest.mark.usefixtures("_notes")
def test_importing_into_another_bot_adds_every_note_once(tmp_path: Path) -> None:
    _, content = export("json")
    before = notes_without_numbers()
    db.open(tmp_path / "another.db")
    assert import_file(content) == "Добавлено заметок: 2. Уже было: 0."
    assert notes_without_numbers() == before
    assert import_file(content) == "Добавлено заметок: 0. Уже было: 2."
    assert [note["text"] for note in db_search.find_notes(ANN, Query(phrases=["ещё"]), 5)] == ["раз\nи ещё"]
    assert db.count_notes(ANN) == 2
    # Another person may import the file, too.
    assert import_file(content, BOB) == "Добавлено заметок: 2. Уже было: 0."


storable_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=50)


@pytest.mark.usefixtures("database")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    notes=st.lists(st.tuples(storable_text.map(str.strip).filter(bool), st.integers(NOW, NOW + 3)), max_size=20)
)
def test_any_notes_survive_an_export_and_an_import(notes: list[tuple[str, int]]) -> None:
    storage.execute("DELETE FROM notes")
    for message_id, (text, created_at) in enumerate(notes, 1):
        db.add_note(ANN, ANN, message_id, text, created_at)
    if not notes:
        return
    _, content = export("json")
    before = notes_without_numbers()
    assert import_file(content) == texts.imported(0, len(notes), 0)
    storage.execute("DELETE FROM notes")
    assert import_file(content) == texts.imported(len(notes), 0, 0)
    assert notes_without_numbers() == before


@pytest.mark.usefixtures("database")
def test_a_file_without_notes_adds_none() -> None:
    assert import_file(document()) == texts.imported(0, 0, 0)


@pytest.mark.usefixtures("database")
def test_a_saved_answer_is_recognized_after_an_import() -> None:
    question_id = store_question(ANN)
    journal.finish_question(question_id, "answered", "да")
    note_id, _ = db.save_answer(ANN, ANN, 2, question_id, "да")
    _, content = export("json")
    db.delete_note(ANN, note_id)
    assert import_file(content) == "Добавлено заметок: 1. Уже было: 0."
    assert db.save_answer(ANN, ANN, 2, question_id, "да") == (note_id + 1, False)


# Entries and files that are refused

NOTE = {"text": "раз", "created_at": NOW}


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
        {**NOTE, "text": "а" * (exports.MAX_NOTE_LENGTH + 1)},
        {**NOTE, "created_at": "вчера"},
        {**NOTE, "created_at": True},
        {**NOTE, "created_at": -1},
        {**NOTE, "created_at": 10**12},
        {**NOTE, "created_at": 1e9},
    ],
)
def test_an_entry_that_is_not_a_note_is_counted_and_the_others_are_added(entry: Any) -> None:
    result = import_file(document(entry, NOTE))
    assert result == "Добавлено заметок: 1. Уже было: 0. Не подошло записей: 1."
    assert [note["text"] for note in notes_without_numbers()] == ["раз"]


@pytest.mark.usefixtures("database")
def test_other_fields_of_an_entry_are_used_only_if_they_make_sense() -> None:
    odd = {"chat_id": 10**30, "message_id": "7", "updated_at": "x", "question_id": -5, "id": 1, "user_id": BOB}
    import_file(document({**NOTE, **odd}, {**NOTE, "text": "\ud83d\0"}, NOTE, NOTE))
    expected: dict[str, Any] = {**EMPTY_IMPORT, "created_at": NOW, "updated_at": NOW}
    assert notes_without_numbers() == [{**expected, "text": text} for text in ("раз", "\ufffd\ufffd")]


def test_an_import_respects_the_limit_of_notes(database: Path) -> None:
    db.open(database, max_notes=3)
    for n in range(3):
        db.add_note(ANN, ANN, n, "раз", NOW)
    with pytest.raises(db.NotesFull, match="3 заметки"):
        db.add_note(ANN, ANN, 9, "раз", NOW)
    db.add_note(BOB, BOB, 1, "раз", NOW)
    db.delete_note(ANN, 1)
    db.add_note(ANN, ANN, 9, "раз", NOW)
    with pytest.raises(db.NotesFull):
        db.restore_note(ANN, 1)
    content = document(*({"text": str(n), "created_at": 1} for n in range(3)))
    assert import_file(content) == texts.imported(0, 0, 3) + texts.IMPORT_NO_ROOM
    assert db.count_notes(ANN) == 3


def zipped(*members: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", compression) as packed:
        for name, content in members:
            packed.writestr(name, content)
    return archive.getvalue()


def encrypted(archive: bytes) -> bytes:
    """Set the bit that marks a file as encrypted, in its local header and in the directory."""
    content = bytearray(archive)
    content[6] |= 1
    content[archive.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def with_damaged_content(archive: bytes) -> bytes:
    content_start = 30 + len("notes.json")  # after the local header
    return archive[:content_start] + b"\xff" * 8 + archive[content_start + 8 :]


GOOD = document(NOTE)
WRONG_FILES = {
    "empty": b"",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "text": "купить молоко".encode(),
    "another encoding": GOOD.decode().encode("utf-16"),
    "other json": b'{"notes": []}',
    "a list": b"[]",
    "notes that are not a list": b'{"format": "notes-bot", "version": 1, "notes": {}}',
    "another format": GOOD.replace(b'"notes-bot"', b'"notes"'),
    "another version": GOOD.replace(b'"version": 1', b'"version": 3'),
    "cut": GOOD[:-10],
    "cut at the end of a note": GOOD[:-2],
    "cut after many notes": document(*[NOTE] * 1000)[:-2],
    "more after the end": GOOD + b"{}",
    "no comma": GOOD[:-2] + json.dumps(NOTE).encode() + b"]}",
    "two commas": GOOD[:-2] + b",," + json.dumps(NOTE).encode() + b"]}",
    "nested deeply": GOOD[:-2] + b"," + b"[" * 200_000 + b"]" * 200_000 + b"]}",
    "two files of notes": zipped(("notes.json", GOOD), ("nutes.json", GOOD)).replace(b"nutes", b"notes"),
    **{
        f"an archive with {name}": zipped(("notes.json", GOOD), (name, b"x"))
        for name in ("../notes.db", "files/../../x", "files/..", "files/a\\b", "files/C:x", "/etc/passwd", "files")
    },
    "a huge number": GOOD[:-2] + b"," + b"9" * 100_000 + b"]}",
    "two files": zipped(("notes.json", GOOD), ("more.json", GOOD)),
    "an empty archive": zipped(),
    "an encrypted archive": encrypted(zipped(("notes.json", GOOD))),
    "another compression": zipped(("notes.json", GOOD), compression=zipfile.ZIP_LZMA),
    "a broken archive": zipped(("notes.json", GOOD))[:-30] + b"PK\x05\x06" + b"\0" * 18,
    "a damaged archive": zipped(("notes.json", GOOD * 100)).replace(b"notes", b"n0tes", 1),
    "an archive with damaged content": with_damaged_content(zipped(("notes.json", GOOD * 100))),
}


def lines(*entries: bytes) -> bytes:
    """Return a file with one entry per line, as an export writes it."""
    return b'{"format": "notes-bot", "version": 1, "notes": [\n' + b",\n".join(entries) + b"\n]}\n"


LINE = json.dumps(NOTE).encode()
LARGE = lines(*[LINE] * 50_000)  # too large to be read as a whole
WRONG_LARGE_FILES = {
    "spaces": b" " * 3_000_000,
    "empty lines": b"\n" * 3_000_000,
    "one line": document(*[NOTE] * 50_000),
    "another version": LARGE.replace(b'"version": 1', b'"version": 3', 1),
    "cut at the end of a line": LARGE[: LARGE.rindex(b"]}")],
    "cut within a line": LARGE[:-10],
    "more after the end": LARGE + LARGE,
    "no comma": LARGE.replace(b"},\n", b"}\n", 1),
    "two commas": LARGE.replace(b"},\n", b"},,\n", 1),
    "a long line": LARGE.replace(b"\n", b"\n" + b" " * 2_000_000, 1),
    "nested deeply": lines(*[LINE] * 50_000, b"[" * 200_000 + b"]" * 200_000),
    "another encoding": LARGE.decode().encode("utf-16"),
    "many files": zipped(*((str(n), b"") for n in range(200)), ("notes.json", LARGE)),
}
TOO_LARGE_FILES = {
    "a file": LARGE,
    "a zip bomb": zipped(("notes.json", lines(*[LINE + b" " * 500_000] * 60))),
}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "content", [*WRONG_FILES.values(), *WRONG_LARGE_FILES.values()], ids=[*WRONG_FILES, *WRONG_LARGE_FILES]
)
def test_a_wrong_file_changes_nothing(content: bytes) -> None:
    assert import_file(content) == texts.IMPORT_WRONG
    assert notes_without_numbers() == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("content", TOO_LARGE_FILES.values(), ids=TOO_LARGE_FILES.keys())
def test_a_file_that_is_too_large_when_unpacked_changes_nothing(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "MAX_UNPACKED_BYTES", 1_500_000)
    assert import_file(content) == texts.IMPORT_UNPACKED_TOO_LARGE
    assert notes_without_numbers() == []


@pytest.mark.usefixtures("database")
def test_a_note_of_any_length_is_refused_without_the_others() -> None:
    long_note = b'{"text": "' + b"a" * 900_000 + b'", "created_at": 1}'
    assert import_file(lines(LINE, long_note, long_note)) == texts.imported(1, 0, 2)
    storage.execute("DELETE FROM notes")
    assert import_file(lines(LINE, long_note)) == "Добавлено заметок: 1. Уже было: 0. Не подошло записей: 1."


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("is_zipped", [False, True])
def test_a_large_file_is_imported_line_by_line(is_zipped: bool) -> None:
    notes = [{**NOTE, "text": f"{n} " + "слово " * 400} for n in range(500)]
    content = lines(*(json.dumps(note, ensure_ascii=False).encode() for note in notes))
    assert len(content) > imports.MAX_WHOLE_BYTES
    if is_zipped:
        content = zipped(("notes.json", content))
    assert import_file(content) == texts.imported(500, 0, 0)
    assert import_file(content) == texts.imported(0, 500, 0)


def list_of_lists_in_each_line() -> bytes:
    return lines(*[b"[" + b"{}," * 300_000 + b"{}]"] * 5)


MEMORY_BOMBS: dict[str, Callable[[], bytes]] = {  # functions, because the largest takes a second to make
    "a list of lists in each line": list_of_lists_in_each_line,
    "one list of lists": lambda: lines(b"[" + b"{}," * 1_500_000 + b"{}]"),
    "a zipped list of lists in each line": lambda: zipped(("notes.json", list_of_lists_in_each_line())),
    "many tiny files": lambda: zipped(*((str(n), b"") for n in range(30_000))),
}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", MEMORY_BOMBS)
def test_an_import_needs_little_memory_whatever_is_in_the_file(kind: str) -> None:
    content = MEMORY_BOMBS[kind]()
    tracemalloc.start()
    try:
        import_file(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**26 + len(content)  # the file itself is in memory here


@pytest.mark.usefixtures("database")
def test_an_import_stops_at_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "MAX_ENTRIES", 1)
    assert import_file(document(NOTE, NOTE)) == texts.IMPORT_UNPACKED_TOO_LARGE
    monkeypatch.setattr(imports, "MAX_DOWNLOAD_BYTES", 10)
    assert import_file(GOOD) == texts.IMPORT_UNPACKED_TOO_LARGE
    monkeypatch.setattr(imports, "MAX_CHECK_S", -1.0)
    monkeypatch.setattr(imports, "MAX_DOWNLOAD_BYTES", 10_000)
    assert import_file(GOOD) == texts.IMPORT_UNPACKED_TOO_LARGE
    assert notes_without_numbers() == []


@pytest.mark.usefixtures("database")
def test_an_import_that_takes_too_long_goes_on_when_the_file_is_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = document(*({**NOTE, "text": str(n)} for n in range(3 * imports.BATCH_SIZE)))
    monkeypatch.setattr(imports, "MAX_STORE_S", -1.0)
    assert import_file(content) == texts.import_unfinished(1, 0, 0)
    monkeypatch.undo()
    assert import_file(content) == texts.imported(3 * imports.BATCH_SIZE - 1, 1, 0)


@pytest.mark.usefixtures("database")
@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_in_the_middle_of_a_file_get_a_reply(junk: bytes) -> None:
    middle = len(GOOD) - 2
    assert import_file(GOOD[:middle] + junk + GOOD[middle:])


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_any_damage_to_an_archive_gets_a_reply(compression: int) -> None:
    archive = zipped(("заметки.json", GOOD), compression=compression)
    generator = random.Random(1)
    possible = {texts.IMPORT_WRONG, texts.imported(1, 0, 0), texts.imported(0, 1, 0)}
    for _ in range(5000):
        damaged = bytearray(archive)
        for _ in range(generator.randint(1, 3)):
            position = generator.randrange(len(damaged))
            damaged[position] = generator.choice([0, 1, 127, 128, 255, generator.randrange(256)])
            if generator.random() < 0.2:
                del damaged[position : position + generator.randint(1, 8)]
        assert import_file(bytes(damaged)) in possible


@pytest.mark.usefixtures("database")
def test_a_file_with_another_layout_is_accepted() -> None:
    pretty = json.dumps(json.loads(GOOD), indent=8).encode()
    assert import_file(b"\xef\xbb\xbf" + pretty) == "Добавлено заметок: 1. Уже было: 0."


@pytest.mark.usefixtures("database")
def test_other_people_can_write_during_an_import() -> None:
    """The import consists of many short transactions, so that a note of another person gets in between."""
    content = document(*({**NOTE, "text": str(n)} for n in range(5000)))

    def work() -> None:
        import_file(content)
        storage.close_thread()

    importing = threading.Thread(target=work)
    importing.start()
    eventually(lambda: db.count_notes(ANN) > 0)
    db.add_note(BOB, BOB, 1, "между делом", NOW)
    assert db.count_notes(ANN) < 5000
    importing.join()
    assert db.count_notes(ANN) == 5000


@pytest.mark.usefixtures("database")
def test_an_import_that_was_interrupted_reports_what_it_did() -> None:
    content = document(NOTE, NOTE, *({**NOTE, "text": str(n)} for n in range(3 * imports.BATCH_SIZE)), "?")
    progress: list[int] = []

    class Killed(BaseException):
        pass

    def stop_at_the_third(added: int) -> None:
        if len(progress) == 2:
            raise Killed
        progress.append(added)

    with pytest.raises(Killed):
        imports.import_notes(ANN, io.BytesIO(content), on_added=stop_at_the_third)
    assert (db.count_notes(ANN), progress[-1]) == (2 * imports.BATCH_SIZE, 2 * imports.BATCH_SIZE)
    report = imports.import_notes(ANN, io.BytesIO(content), added_before=progress[-1])
    assert report == texts.imported(3 * imports.BATCH_SIZE + 1, 1, 1)
    report = imports.import_notes(ANN, io.BytesIO(content), added_before=3 * imports.BATCH_SIZE + 1)
    assert report == texts.imported(3 * imports.BATCH_SIZE + 1, 1, 1)


# From end to end


def test_an_import_that_was_killed_before_its_report_reports_what_it_did(
    bot_process: BotProcess, person: MakePerson
) -> None:
    """The trigger kills the import between its last batch and its report, as a crash would."""
    bot_process.start()
    ann = person()
    ann.says("/note_count")
    next_delivered(ann, bot_process)  # otherwise the reply may come again after the kill
    with closing(sqlite3.connect(bot_process.db_path)) as connection:
        connection.execute("CREATE TRIGGER t BEFORE DELETE ON jobs BEGIN SELECT raise(ABORT, 'not yet'); END")
        connection.commit()
        ann.sends_file("notes.json", document(*({**NOTE, "text": str(n)} for n in range(5))), "/note_import")
        count = "SELECT count(*) FROM notes"
        eventually(lambda: connection.execute(count).fetchone() == (5,))
        bot_process.kill()
        connection.execute("DROP TRIGGER t")
        connection.commit()
    bot_process.start()
    assert text_of(ann.hears()) == texts.imported(5, 0, 0)


def test_an_exported_file_can_be_sent_back(bot_process: BotProcess, person: MakePerson, world: World) -> None:
    bot_process.start()
    ann, bob = person(1), person(2)
    ann.asks("/note_add раз")
    assert ann.asks("/note_import") == texts.IMPORT_NO_FILE
    ann.says("/note_export json")
    sent = ann.hears()
    assert sent["document"]["file_name"] == "notes.json"
    content = world.files[sent["document"]["file_id"]]
    ann.sends_file("notes.json", content, "/note_import")
    assert ann.hears()["text"] == "Добавлено заметок: 0. Уже было: 1."
    ann.says("/note_import", reply_to_message=sent)
    assert ann.hears()["text"] == "Добавлено заметок: 0. Уже было: 1."
    ann.says("/note_import", reply_to_message=ann.sends("photo"))
    assert texts.IMPORT_NO_FILE in {text_of(ann.hears()) for _ in range(2)}
    bob.sends_file("notes.json", content, "/note_import@sandbox_notes_bot")
    assert bob.hears()["text"] == "Добавлено заметок: 1. Уже было: 0."
    assert bob.asks("/note_count") == "У вас 1 заметка."


def test_the_file_may_follow_the_command(bot_process: BotProcess, person: MakePerson) -> None:
    bot_process.start()
    ann = person()
    assert ann.asks("/note_import") == texts.IMPORT_NO_FILE
    ann.sends_file("Notes.JSON", GOOD)
    assert ann.hears()["text"] == "Добавлено заметок: 1. Уже было: 0."
    ann.sends_file("notes.json", GOOD)
    assert text_of(ann.hears()).startswith("Заметка #2 добавлена: файл «notes.json»"), "the wait is over"
    ann.asks("/note_import")
    ann.sends_file("договор.pdf", GOOD)
    assert text_of(ann.hears()).startswith("Заметка #3 добавлена: файл «договор.pdf»"), "any other file is a note"
    assert ann.asks("купить хлеб").startswith("Заметка #4 добавлена"), "a text is a note"
    ann.asks("/note_import")
    assert ann.asks("отмена") == texts.CANCELED
    ann.says("/note_del")
    ann.hears()
    ann.sends_file("notes.json", GOOD)
    assert text_of(ann.hears()).startswith("Заметка #5 добавлена")
    assert ann.asks("4").startswith("Заметка #4 удалена"), "a file does not end another wait"


@pytest.mark.parametrize("format", ["txt", "md", "json"])
def test_an_export_of_a_note_deleted_meanwhile_says_so(
    bot_process: BotProcess, person: MakePerson, world: World, format: str
) -> None:
    bot_process.start()
    ann = person()
    ann.asks("/note_add раз")
    with world.batch():  # both commands arrive in one batch
        ann.says(f"/note_export {format}")
        ann.says("/note_del 1")
    assert {ann.hears()["text"] for _ in range(2)} == {"Заметка #1 удалена.", texts.NO_NOTES}
    assert world.files == {}


def test_a_file_that_telegram_does_not_return_is_explained(
    bot_process: BotProcess, person: MakePerson, world: World
) -> None:
    bot_process.start()
    ann = person()
    ann.asks("/start")
    ann.sends_file("notes.json", b" " * (20 * 2**20 + 1), "/note_import")
    assert ann.hears()["text"] == texts.IMPORT_TOO_LARGE
    with world.batch():
        ann.sends_file("notes.json", GOOD, "/note_import")
        world.files.clear()
    assert ann.hears()["text"] == texts.IMPORT_UNAVAILABLE


def test_an_interrupted_download_is_repeated(bot_process: BotProcess, person: MakePerson, world: World) -> None:
    bot_process.start()
    ann = person()
    ann.asks("/start")
    world.faults.drop_before, world.faults.methods = 0.5, frozenset(["getFile", "download"])
    ann.sends_file("notes.json", GOOD, "/note_import")
    assert ann.hears()["text"] == "Добавлено заметок: 1. Уже было: 0."


def test_a_note_above_the_limit_is_refused_with_a_sentence(bot_process: BotProcess, person: MakePerson) -> None:
    bot_process.env["NOTES_MAX"] = "1"
    bot_process.start()
    ann = person()
    ann.asks("/note_add раз")
    refusal = texts.notes_full(1)
    assert ann.asks("/note_add два") == refusal
    assert ann.asks("просто текст") == refusal
    ann.says("Правда?")
    assert ann.taps(ann.hears(), texts.SAVE_AS_NOTE) == refusal
    assert ann.asks("/note_count") == "У вас 1 заметка."
