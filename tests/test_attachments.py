"""db_attachments: what notes hold beside their text, and that the search finds it."""

from typing import Any

import pytest
from conftest import clean_up

import db
import db_attachments
import db_search
import storage

pytestmark = pytest.mark.usefixtures("database")

ANN, BOB = 1, 2
DOCUMENT: db_attachments.NewAttachment = {
    "chat_id": ANN,
    "message_id": 7,
    "position": 0,
    "kind": "document",
    "file_id": "BQACAgIAAxkBAAID",
    "file_unique_id": "AgADBQ",
    "bot_id": 100,
    "file_name": "Договор.pdf",
    "mime_type": "application/pdf",
    "file_size": 1000,
    "duration_s": None,
    "width": None,
    "height": None,
    "details": {},
}
SOURCE: db_attachments.Source = {"name": "Канал", "url": "https://t.me/channel/5", "sent_at": 1_700_000_000}
LINK: dict[str, Any] = {"type": "text_link", "offset": 0, "length": 3, "url": "https://example.org/hidden"}


def add(text: str, *entities: dict[str, Any]) -> int:
    return db.add_note(ANN, ANN, 7, text, 1_700_000_000, entities)["id"]


def found(phrase: str, user_id: int = ANN) -> list[int]:
    return [note["id"] for note in db_search.find_notes(user_id, db_search.Query(phrases=[phrase]), 100)]


def stored_note(note_id: int) -> db.Note:
    note = db.get_note(ANN, note_id)
    assert note
    return note


def test_attachments_come_back_as_they_were_stored() -> None:
    note_id, other = add(""), add("раз")
    ids = [
        db_attachments.add_attachment(note_id, {**DOCUMENT, "position": 2}),
        db_attachments.add_attachment(note_id, {**DOCUMENT, "position": 1, "details": {"title": "Песня"}}),
    ]
    [second, first] = db_attachments.attachments_of(note_id)
    assert first == {**DOCUMENT, "position": 2, "id": ids[0], "note_id": note_id, "transcript": None}
    assert second["details"] == {"title": "Песня"}
    assert list(db_attachments.attachments_of_notes([note_id, other])) == [note_id]
    assert db_attachments.attachments_of(other) == []


def test_the_search_finds_links_files_and_sources() -> None:
    by_link, by_file, by_source = add("раз", LINK), add("два"), add("три")
    db_attachments.add_attachment(by_file, {**DOCUMENT, "details": {"title": "Песня"}})
    db_attachments.set_source(by_source, SOURCE)
    assert found("example.org/hidden") == found("hi") == [by_link]
    assert found("договор") == found("песня") == [by_file]
    assert found("канал") == found("t.me/channel") == [by_source]
    assert found("раз") == [by_link]
    assert db_attachments.source_of(by_source) == SOURCE
    assert db_attachments.sources_of_notes([by_link, by_source]) == {by_source: SOURCE}


def test_the_search_forgets_what_is_no_longer_there() -> None:
    note_id = add("раз", LINK)
    db_attachments.add_attachment(note_id, DOCUMENT)
    db.edit_note(ANN, note_id, "два")
    assert found("hidden") == []
    assert found("договор") == [note_id]
    db_attachments.remove_attachments(note_id, ANN, 7)
    assert found("договор") == []
    storage.execute("INSERT INTO notes_fts(notes_fts, rank) VALUES ('integrity-check', 1)")


def test_undo_brings_the_formatting_back() -> None:
    note_id = add("раз", LINK)
    edit_id = db.edit_note(ANN, note_id, "раз")
    assert edit_id, "the same text without its link is an edit"
    assert stored_note(note_id)["entities"] == "[]"
    db.undo_edit(ANN, edit_id)
    assert db.edit_note(ANN, note_id, "раз", [LINK]) == 0
    assert found("hidden") == [note_id]


def test_a_note_is_found_by_the_message_of_any_of_its_attachments() -> None:
    db.use_bot(100)
    note_id = add("раз")
    db_attachments.add_attachment(note_id, {**DOCUMENT, "message_id": 8})
    note = db.get_note_by_attachment(ANN, ANN, 8)
    assert note
    assert note["id"] == note_id
    assert db.get_note_by_attachment(BOB, ANN, 8) is None
    db.use_bot(200)
    assert db.get_note_by_attachment(ANN, ANN, 8) is None, "each bot counts its messages in a private chat"


def test_attachments_and_sources_go_with_their_note() -> None:
    note_id = add("раз")
    db_attachments.add_attachment(note_id, DOCUMENT)
    db_attachments.set_source(note_id, SOURCE)
    db.delete_note(ANN, note_id)
    assert len(db_attachments.attachments_of(note_id)) == 1, "a deleted note can be restored"
    clean_up(2**32)
    assert db_attachments.attachments_of(note_id) == []
    assert db_attachments.source_of(note_id) is None


def test_a_text_note_costs_no_more_statements() -> None:
    add("раз")
    statements: list[str] = []
    storage.connection().set_trace_callback(statements.append)
    add("два")
    storage.connection().set_trace_callback(None)
    assert not [statement for statement in statements if "attachments" in statement or "sources" in statement]
