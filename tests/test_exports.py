"""notes.exports: all notes of a person as a file, txt, md or json, zipped if it is too large."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import without_times

import db
import storage
import texts
from notes import exports
from telegram.replies import File

ANN, BOB = 1, 2
NOW = 1_700_000_000


def export(format: str, user_id: int = ANN) -> tuple[str, bytes]:
    """Return the name and the content of an exported file."""
    file = exports.export_notes(user_id, format, None)
    assert isinstance(file, File)
    assert file.caption in (texts.EXPORT_CAPTION, texts.EXPORT_NOT_IMPORTABLE)
    with file.content as content:
        content.seek(0)
        return file.name, content.read()


def add_notes() -> None:
    """Add two notes of Ann, one that she has deleted, and one of Bob."""
    db.add_note(ANN, ANN, 5, "раз\nи ещё", NOW)
    db.add_note(BOB, BOB, 5, "секрет Бориса", NOW)
    db.add_note(ANN, ANN, 6, "удалённая", NOW)
    db.add_note(ANN, ANN, 7, 'два ё 🎄 \\ "', NOW + 60)
    db.delete_note(ANN, 2)


@pytest.fixture
def _notes(database: Path) -> None:  # noqa: ARG001
    add_notes()


@pytest.mark.usefixtures("_notes")
def test_text_and_markdown() -> None:
    name, content = export("txt")
    assert (name, without_times(content.decode())) == (
        "notes.txt",
        '#1 · 21.11.2026 12:00\nраз\nи ещё\n\n#3 · 21.11.2026 12:00\nдва ё 🎄 \\ "\n\n',
    )
    name, content = export("md")
    assert (name, without_times(content.decode())) == (
        "notes.md",
        '# Заметки\n\n## #1 · 21.11.2026 12:00\n\nраз\nи ещё\n\n## #3 · 21.11.2026 12:00\n\nдва ё 🎄 \\ "\n\n',
    )


@pytest.mark.usefixtures("_notes")
def test_json_contains_all_columns_of_a_note() -> None:
    name, content = export("json")
    assert name == "notes.json"
    document: dict[str, Any] = json.loads(content)
    assert (document["format"], document["version"]) == ("notes-bot", 2)
    notes = document["notes"]
    hidden = {"id", "user_id", "deleted_at", "bot_id", "search_extra", "appended"}
    columns = set(storage.fetch_all("SELECT * FROM notes")[0]) - hidden
    assert all(set(note) == columns - {"entities", "pinned_at"} for note in notes), (
        "plain texts have no formatting"
    )
    nothing_else: dict[str, Any] = {"pinned_at": None, "entities": [], "attachments": [], "source": None}
    assert [{**note, **nothing_else} for note in notes] == list(db.iterate_notes(ANN))


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("format", exports.FORMATS)
def test_without_notes_there_is_a_sentence_instead_of_an_empty_file(format: str) -> None:
    assert exports.export_notes(ANN, format, None) == texts.NO_NOTES
    db.add_note(BOB, BOB, 1, "чужая", NOW)
    note = db.add_note(ANN, ANN, 1, "раз", NOW)
    db.delete_note(ANN, note["number"])
    assert exports.export_notes(ANN, format, None) == texts.NO_NOTES


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("format", exports.FORMATS)
def test_a_file_that_is_too_large_is_zipped(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(50):
        db.add_note(ANN, ANN, 1, "раз " * 500, NOW)
    monkeypatch.setattr(exports, "MAX_UPLOAD_BYTES", 20_000)
    monkeypatch.setattr(exports, "MAX_DOWNLOAD_BYTES", 10_000)
    name, content = export(format)
    assert name == f"notes.{format}.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == [f"notes.{format}"]
        assert archive.read(f"notes.{format}").decode().count("раз раз") == 50 * 250
    monkeypatch.setattr(exports, "MAX_UPLOAD_BYTES", 100)
    assert exports.export_notes(ANN, format, None) == texts.EXPORT_TOO_LARGE


@pytest.mark.usefixtures("_notes")
def test_only_json_must_be_small_enough_to_be_sent_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MAX_DOWNLOAD_BYTES", 10)
    assert [export(format)[0] for format in exports.FORMATS] == ["notes.txt", "notes.md", "notes.json.zip"]


@pytest.mark.usefixtures("_notes")
@pytest.mark.parametrize(
    ("limit", "value"),
    [("MAX_DOWNLOAD_BYTES", 10), ("MAX_UNPACKED_BYTES", 10), ("MAX_ENTRIES", 1), ("MAX_NOTE_LENGTH", 10)],
)
def test_an_export_that_cannot_be_imported_says_so(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(exports, limit, value)
    for format in exports.FORMATS:
        file = exports.export_notes(ANN, format, None)
        assert isinstance(file, File)
        file.content.close()
        assert file.caption == (texts.EXPORT_NOT_IMPORTABLE if format == "json" else texts.EXPORT_CAPTION)
