"""notes.import_entries: everything that a note holds comes back from a file; what makes no sense does not.

The shapes of attachments follow https://core.telegram.org/bots/api#message.
"""

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_entities import formatted_texts
from test_exports import ANN, NOW, export

import db
import db_attachments
import db_search
import storage
import texts
from db_attachments import ExportedAttachment, Source
from db_search import Query
from entities import FormattedText
from notes import imports
from notes.import_entries import MAX_ATTACHMENTS, parse_note
from notes.note_card import MAX_PINS
from telegram.contents import FILE_KINDS

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
BOT = 100
numbers = st.integers(0, 2**40)
file_ids = st.from_regex(r"[A-Za-z0-9_-]{20,60}", fullmatch=True)
FILE: dict[str, Any] = {"kind": "document", "file_id": "BQACAgIAAxkBAAID"}
LINK = {"type": "text_link", "offset": 0, "length": 3, "url": "https://example.org/hidden"}

places: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "location": {"latitude": st.floats(-90, 90), "longitude": st.floats(-180, 180)},
    "venue": {
        "latitude": st.floats(-90, 90),
        "longitude": st.floats(-180, 180),
        "title": words,
        "address": words,
        "google_place_id": words,
    },
    "contact": {"phone_number": words, "first_name": words, "vcard": words},
}
file_details: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "photo": {"preview_file_id": file_ids, "has_spoiler": st.just(True)},
    "video": {"show_caption_above_media": st.just(True)},
    "audio": {"title": words, "performer": words},
    "sticker": {"emoji": words, "set_name": words},
    "video_note": {"length": st.integers(1, 640)},
}


def attachments_of_kind(kind: str) -> st.SearchStrategy[ExportedAttachment]:
    """Return attachments as captured messages bring them."""
    has_file = kind not in places
    details = file_details.get(kind, {}) if has_file else places[kind]
    fields: dict[str, Any] = {
        "kind": st.just(kind),
        "chat_id": st.integers(-(2**40), 2**40),
        "message_id": numbers,
        "position": numbers,
        "bot_id": st.none() | st.integers(1, 2**40),
        "file_id": file_ids if has_file else st.just(""),
        "file_unique_id": words if has_file else st.just(""),
        "transcript": st.none() | words,
        "details": st.fixed_dictionaries(details),
    }
    for name, values in (("file_name", words), ("mime_type", words)):
        fields[name] = st.none() | values if has_file else st.none()
    for name in ("file_size", "duration_s", "width", "height"):
        fields[name] = st.none() | numbers if has_file else st.none()
    return st.fixed_dictionaries(fields)  # type: ignore[return-value]


sources: st.SearchStrategy[Source] = st.fixed_dictionaries(  # type: ignore[assignment]
    {
        "name": words,
        "url": st.none() | words.map(lambda word: f"https://t.me/{word}"),
        "sent_at": st.integers(0, NOW),
    }
)
kinds = ("photo", *FILE_KINDS, *places)
contents = st.fixed_dictionaries(
    {
        "formatted": formatted_texts.filter(lambda formatted: bool(formatted.text.strip())),
        "attachments": st.lists(st.sampled_from(kinds).flatmap(attachments_of_kind), max_size=4),
        "source": st.none() | sources,
        "is_pinned": st.booleans(),
    }
)


def add(
    message_id: int, formatted: FormattedText, attachments: Any, source: Source | None, is_pinned: bool
) -> None:
    """Store a note as messages with these parts do."""
    note = db.add_note(ANN, ANN, message_id, formatted.text, NOW, formatted.entities)
    for attachment in sorted(attachments, key=lambda attachment: attachment["position"]):
        attachment_id = db_attachments.add_attachment(note["id"], attachment)
        storage.execute(
            "UPDATE attachments SET transcript = ? WHERE id = ?", (attachment["transcript"], attachment_id)
        )
    if source:
        db_attachments.set_source(note["id"], source)
    db.pin_note(ANN, note["number"], is_pinned=is_pinned)
    db_attachments.update_search_extra(note["id"])


def everything() -> tuple[list[Any], list[Any]]:
    """Return all notes as an export holds them, and what the search finds beside their texts."""
    return list(db.iterate_notes(ANN)), storage.fetch_all("SELECT number, search_extra FROM notes ORDER BY number")


@settings(max_examples=40)  # each with two new databases
@given(notes=st.lists(contents, min_size=1, max_size=6))
def test_any_note_is_the_same_in_another_database(notes: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        db.open(Path(folder, "one.db"))
        for message_id, note in enumerate(notes, 1):
            add(message_id, **note)
        before, (_, content) = everything(), export("json")
        db.open(Path(folder, "another.db"))
        attachments = [attachment for note in notes for attachment in note["attachments"]]
        foreign = sum(item["bot_id"] is not None and item["file_id"] != "" for item in attachments)
        result = imports.import_notes(ANN, io.BytesIO(content))
        assert result == texts.imported(len(notes), 0, 0) + texts.import_remarks(0, foreign)
        assert everything() == before
        assert imports.import_notes(ANN, io.BytesIO(content)).startswith(texts.imported(0, len(notes), 0))
        assert everything() == before
        storage.execute("INSERT INTO notes_fts(notes_fts, rank) VALUES ('integrity-check', 1)")
        storage.close()


def import_entries(*entries: Any) -> str:
    content = json.dumps({"format": "notes-bot", "version": 2, "notes": entries})
    return imports.import_notes(ANN, io.BytesIO(content.encode()))


@pytest.mark.usefixtures("database")
def test_the_search_finds_what_an_imported_note_holds() -> None:
    file = {**FILE, "file_name": "Договор.pdf", "transcript": "сказанное"}
    entry = {"text": "раз", "created_at": NOW, "entities": [LINK], "attachments": [file]}
    source = {"name": "Канал", "url": "https://t.me/channel/5", "sent_at": NOW}
    assert import_entries({**entry, "source": source}) == texts.imported(1, 0, 0)
    for phrase in ("example.org/hidden", "договор", "сказанное", "канал"):
        assert len(db_search.find_notes(ANN, Query(phrases=[phrase]), 9)) == 1, phrase


@pytest.mark.usefixtures("database")
def test_notes_without_a_text_and_of_the_same_second_are_different() -> None:
    entries = [
        {"text": "", "created_at": NOW, "attachments": [{**FILE, "file_unique_id": unique_id}]}
        for unique_id in ("a", "b", "b")
    ]
    assert import_entries(*entries) == texts.imported(2, 1, 0)
    assert import_entries({"text": " ", "created_at": NOW}) == texts.imported(0, 0, 1)


@pytest.mark.usefixtures("database")
def test_files_of_another_bot_are_counted() -> None:
    db.use_bot(BOT)
    entry = {"text": "раз", "created_at": NOW}
    own, foreign = {**FILE, "bot_id": BOT}, {**FILE, "bot_id": BOT + 1}
    place = {"kind": "location", "details": {"latitude": 59.9, "longitude": 30.3}, "bot_id": BOT + 1}
    result = import_entries({**entry, "attachments": [own, foreign, place]})
    assert result == texts.imported(1, 0, 0) + texts.import_remarks(0, 1)
    assert "Вложений из другого бота: 1." in result


STRANGE_PARTS: list[dict[str, Any]] = [
    {"entities": "bold"},
    {"entities": [None]},
    {"entities": [{**LINK, "length": 4}]},
    {"entities": [{**LINK, "offset": -1}]},
    {"entities": [{**LINK, "offset": 10**30}]},
    {"entities": [{**LINK, "type": "hologram"}]},
    {"entities": [{**LINK, "type": ["bold"]}]},
    {"attachments": {"kind": "photo"}},
    {"attachments": [None]},
    {"attachments": [{**FILE, "kind": "hologram"}]},
    {"attachments": [{**FILE, "kind": ["photo"]}]},
    {"attachments": [{**FILE, "file_id": "https://example.org/picture.jpg"}]},
    {"attachments": [{**FILE, "file_id": "attach://file"}]},
    {"attachments": [{**FILE, "file_id": ""}]},
    {"attachments": [{**FILE, "file_id": "x" * 1000}]},
    {"attachments": [{"kind": "location", "details": {"latitude": 1e300, "longitude": 1}}]},
    {"attachments": [{"kind": "contact", "details": {"first_name": "Боб", "phone_number": 5}}]},
    {"source": {"name": ""}},
    {"source": "Канал"},
]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("parts", STRANGE_PARTS, ids=repr)
def test_a_strange_part_loses_only_itself_and_is_reported(parts: dict[str, Any]) -> None:
    result = import_entries({"text": "раз", "created_at": NOW, **parts})
    assert (
        result
        == "Добавлено заметок: 1. Уже было: 0. Не полностью, без части оформления, вложений или источника: 1."
    )
    [note] = db.iterate_notes(ANN)
    assert (note["text"], note["entities"], note["attachments"], note["source"]) == ("раз", [], [], None)


@pytest.mark.usefixtures("database")
def test_no_more_notes_are_pinned_than_people_may_pin() -> None:
    entries = [{"text": str(n), "created_at": NOW, "pinned_at": NOW} for n in range(2 * MAX_PINS)]
    assert import_entries(*entries) == texts.imported(2 * MAX_PINS, 0, 0)
    assert len(db.list_pinned_notes(ANN)) == MAX_PINS


def test_strange_fields_lose_only_themselves() -> None:
    file = {**FILE, "file_size": 2**70, "duration_s": "x", "bot_id": True, "position": 10**30, "file_name": 5}
    details = {"title": 5, "chat_id": 7, "has_spoiler": 1, "preview_file_id": "https://example.org/"}
    note, is_incomplete = parse_note(
        {"text": "раз", "created_at": NOW, "attachments": [{**file, "details": details, "transcript": ["x"]}]}
    )
    assert note
    assert not is_incomplete
    assert note["attachments"] == [
        {
            **FILE,
            "file_unique_id": "",
            "file_name": None,
            "mime_type": None,
            "file_size": None,
            "duration_s": None,
            "width": None,
            "height": None,
            "details": {},
            "chat_id": 0,
            "message_id": 0,
            "position": 0,
            "bot_id": None,
            "transcript": None,
        }
    ]


def test_a_place_cannot_bring_parameters_of_another_kind() -> None:
    details = {"latitude": 59.9, "longitude": 30, "chat_id": 7, "business_connection_id": "x"}
    note, _ = parse_note(
        {"text": "", "created_at": NOW, "attachments": [{"kind": "location", "details": details}]}
    )
    assert note
    assert note["attachments"][0]["details"] == {"latitude": 59.9, "longitude": 30.0}


def test_a_note_has_a_limit_of_attachments() -> None:
    note, is_incomplete = parse_note({"text": "", "created_at": NOW, "attachments": [FILE] * 5000})
    assert note
    assert (len(note["attachments"]), is_incomplete) == (MAX_ATTACHMENTS, True)
