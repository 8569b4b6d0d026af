"""db: notes, lists and plain texts are private; notes are found; one model is active.

- notes: any text comes back unchanged, numbers are never reused, another person's note looks missing
- search: any case, ё = е, a part of a word, % and _ as letters, SQL and FTS syntax as text
- lists and plain texts: only their owner sees them; what is old is deleted
- models: switching, unknown ids, an empty table, catalogs
"""

import math
import sqlite3
import time
import unicodedata
from pathlib import Path

import pytest
from conftest import catalog_model, clean_up, store_question
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import clock
import db
import db_cleanup
import db_messages
import db_search
import journal
import storage
from db_search import Query

ANN, BOB = 1, 2
NO_LIMIT = 10**9

note_texts = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=300
)  # anything that unicode_text.storable() returns
one_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def add(text: str, user_id: int = ANN) -> int:
    """Add a note and return its number."""
    return db.add_note(user_id, user_id, 7, text, created_at=1_700_000_000)["number"]


EMPTY_IMPORT: db.ImportedNote = {
    "text": "",
    "created_at": 5,
    "updated_at": 6,
    "chat_id": 0,
    "message_id": 0,
    "question_id": None,
    "pinned_at": None,
    "entities": [],
    "attachments": [],
    "source": None,
}


def found(phrase: str, user_id: int = ANN) -> list[str]:
    return [note["text"] for note in db_search.find_notes(user_id, Query(phrases=[phrase]), NO_LIMIT)]


# Notes


@one_database
@given(text=note_texts)
@example(text='"; DROP TABLE notes; --')
@example(text="ИЕЁйЙ ẞßſ İıI ǅ")
@pytest.mark.usefixtures("database")
def test_any_text_is_listed_found_and_deleted_unchanged(text: str) -> None:
    note_id = add(text)
    [listed] = db.list_notes(ANN, 1)
    assert (listed["number"], listed["text"], listed["created_at"]) == (note_id, text, 1_700_000_000)
    assert text in found(text)
    assert list(db.iterate_notes(ANN))[-1]["text"] == text
    assert db.delete_note(ANN, note_id)
    assert db_search.find_notes(ANN, Query(phrases=[text]), NO_LIMIT) == []


@one_database
@given(text=note_texts, data=st.data())
@pytest.mark.usefixtures("database")
def test_any_part_of_a_text_finds_it(text: str, data: st.DataObject) -> None:
    text = unicodedata.normalize("NFC", text)  # a part of a decomposed letter is another letter
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    add(text)
    assert text in found(text[start:end])


@pytest.mark.usefixtures("database")
def test_numbers_are_never_reused() -> None:
    first = add("раз")
    assert db.delete_note(ANN, first)
    assert add("два") == first + 1
    assert db.delete_note(ANN, first + 1)
    list(db_cleanup.steps(clock.now() + db_cleanup.DELETED_KEPT_S + 1))
    assert db.get_note(ANN, first + 1) is None
    assert add("три") == first + 2


@pytest.mark.usefixtures("database")
def test_everybody_counts_their_own_notes_from_1() -> None:
    assert [add("раз"), add("секрет", BOB), add("два"), add("ещё секрет", BOB), add("три")] == [1, 1, 2, 2, 3]
    db.import_note(BOB, {**EMPTY_IMPORT, "text": "из файла"})
    assert [note["number"] for note in db.iterate_notes(BOB)] == [1, 2, 3]
    question_id = add_answered_question()
    assert db.save_answer(ANN, ANN, 2, question_id, "да") == (4, True)
    assert db.edit_note(ANN, 2, "изменена")
    assert db.delete_note(ANN, 3)
    assert [note["text"] for note in db.list_notes(ANN, 9)] == ["да", "изменена", "раз"]
    assert [note["text"] for note in db.list_notes(BOB, 9)] == ["из файла", "ещё секрет", "секрет"]
    assert [note["number"] for note in db_search.find_notes(BOB, Query(phrases=["секрет"]), 9, older_than=2)] == [
        1
    ]
    assert [note["number"] for note in db_search.find_notes(BOB, Query(phrases=["секрет"]), 9, newer_than=1)] == [
        2
    ]
    assert [note["number"] for note in db_search.find_notes(BOB, Query(phrases=[]), 9, older_than=3)] == [2, 1]
    assert [note["number"] for note in db_search.find_notes(BOB, Query(phrases=[]), 9, newer_than=1)] == [3, 2]


@pytest.mark.usefixtures("database")
def test_the_newest_notes_come_first_up_to_the_limit() -> None:
    for text in ("раз", "два", "три"):
        add(text)
    assert [note["text"] for note in db.list_notes(ANN, 2)] == ["три", "два"]
    assert db.count_notes(ANN) == 3


@pytest.mark.usefixtures("database")
def test_another_persons_note_looks_missing() -> None:
    note_id = add("секрет Анны")
    assert found("секрет", BOB) == []
    assert found("се", BOB) == []
    assert db.list_notes(BOB, 10) == []
    assert list(db.iterate_notes(BOB)) == []
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
    ("text", "phrase"),
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
        ("мои\u0306 и\u0306од", "ЙОД"),
        ("мой йод", "и\u0306од"),
        ("и\u0306", "й"),
        ("е\u0308лка", "елка"),
        ("5 µg", "\u03bcg"),
        ("5 µ", "\u03bc"),
        ("ΟΔΟΣ", "οδός".replace("ό", "ο")),
        ("Straße", "STRASSE"),
    ],
)
def test_search_finds(text: str, phrase: str) -> None:
    add("что-то другое")
    add(text)
    assert found(phrase) == [text]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("text", "phrase"),
    [("молоко", "молоко2"), ("скидка 100 рублей", "100%"), ("snakeXcase", "e_c"), ("сто", "%"), ("сто", "с_о")],
)
def test_percent_and_underscore_are_ordinary_characters(text: str, phrase: str) -> None:
    add(text)
    assert found(phrase) == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("phrase", ["заметка", "за"])
def test_search_returns_the_newest_notes_up_to_the_limit(phrase: str) -> None:
    for n in range(5):
        add(f"заметка {n}")
    assert [note["text"] for note in db_search.find_notes(ANN, Query(phrases=[phrase]), 2)] == [
        "заметка 4",
        "заметка 3",
    ]


@pytest.mark.usefixtures("database")
def test_the_index_matches_the_notes_after_every_kind_of_change() -> None:
    ids = [add(f"ёлка номер {n}") for n in range(20)]
    for note_id in ids[::2]:
        db.edit_note(ANN, note_id, f"берёза {note_id}")
    for note_id in ids[::3]:
        db.delete_note(ANN, note_id)
    storage.execute("DELETE FROM notes WHERE id = ?", (ids[1],))
    for note_id in ids[::6]:
        assert db.restore_note(ANN, note_id)
    storage.execute("INSERT INTO notes_fts(notes_fts, rank) VALUES ('integrity-check', 1)")
    counted = storage.fetch_one("SELECT count(*) AS notes FROM notes WHERE deleted_at IS NULL")
    assert db.count_notes(ANN) == counted["notes"]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("phrases", "expected"),
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
def test_all_phrases_must_occur_in_any_order(phrases: list[str], expected: list[int]) -> None:
    for text in ("купить молоко", "купить сыр", "молоко тоже купить", "молоко скисло, увы, ошибка", "ёж летит"):
        add(text)
    assert [note["id"] for note in db_search.find_notes(ANN, Query(phrases=phrases), NO_LIMIT)] == expected


@pytest.mark.usefixtures("database")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    notes=st.lists(st.text(st.sampled_from("абвёе Её.-"), min_size=1, max_size=8), min_size=1, max_size=30),
    phrases=st.lists(st.text(st.sampled_from("абвёе."), min_size=1, max_size=4), min_size=1, max_size=3),
    scanned=st.sampled_from([0, 3, 2000]),
    limit=st.integers(1, 5),
    data=st.data(),
)
def test_the_index_finds_what_reading_every_note_finds(
    notes: list[str], phrases: list[str], scanned: int, limit: int, data: st.DataObject
) -> None:
    storage.execute("DELETE FROM notes")
    ids = [add(text) for text in notes]
    at = data.draw(st.sampled_from(ids))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db_search, "MAX_SCANNED_NOTES", scanned)
        older = db_search.find_notes(ANN, Query(phrases=phrases), limit, older_than=at)
        newer = db_search.find_notes(ANN, Query(phrases=phrases), limit, newer_than=at)

    def matches(text: str) -> bool:
        return all(phrase.replace("ё", "е") in text.lower().replace("ё", "е") for phrase in phrases)

    hits = [note_id for note_id, text in zip(ids, notes, strict=True) if matches(text)]
    assert [note["id"] for note in older] == [n for n in reversed(hits) if n < at][:limit]
    assert [note["id"] for note in newer] == list(reversed([n for n in hits if n > at][:limit]))


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("phrase", ["новая", "но"])
def test_a_search_sees_the_notes_of_one_person_only(phrase: str) -> None:
    for user_id in (ANN, BOB, 3):
        add(f"новая {user_id}", user_id)
    assert found(phrase, BOB) == ["новая 2"]
    assert [note["text"] for note in db_search.similar_notes(BOB, ["нов", "ова"], NO_LIMIT)] == ["новая 2"]
    assert db_search.similar_notes(4, ["нов", "ова"], NO_LIMIT) == []
    assert found(phrase, 4) == []


@pytest.mark.usefixtures("database")
def test_the_most_similar_note_comes_first() -> None:
    for text in ("записан к врачу", "приём у врача в среду", "купить молоко", "в среду дождь"):
        add(text)
    db.delete_note(ANN, add("приём у врача"))
    similar = [note["id"] for note in db_search.similar_notes(ANN, ["при", "рие", "ием", "сре"], NO_LIMIT)]
    assert similar == [2, 4]
    assert [note["id"] for note in db_search.similar_notes(ANN, ["при", "рие", "ием", "сре"], 1)] == [2]
    assert (
        db_search.similar_notes(ANN, ['"при', 'и" '], NO_LIMIT) == db_search.similar_notes(ANN, [], NO_LIMIT) == []
    )


@pytest.mark.usefixtures("database")
def test_scanned_and_indexed_results_together_respect_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db_search, "MAX_SCANNED_NOTES", 3)
    for n in range(1, 11):
        add(f"ёж {n}")
    assert [note["id"] for note in db_search.find_notes(ANN, Query(phrases=["еж"]), 5)] == [10, 9, 8, 7, 6]
    assert [note["id"] for note in db_search.find_notes(ANN, Query(phrases=["еж"]), 5, older_than=8)] == [
        7,
        6,
        5,
        4,
        3,
    ]
    assert [note["id"] for note in db_search.find_notes(ANN, Query(phrases=["еж"]), 5, newer_than=2)] == [
        7,
        6,
        5,
        4,
        3,
    ]


# Answers that are notes


def add_answered_question() -> int:
    question_id = store_question(ANN)
    journal.finish_question(question_id, "answered", "да")
    return question_id


@pytest.mark.usefixtures("database")
def test_an_answer_is_saved_once() -> None:
    question_id = add_answered_question()
    assert db.save_answer(ANN, ANN, 2, question_id, "да") == (1, True)
    assert db.save_answer(ANN, ANN, 2, question_id, "да") == (1, False)
    note = db.get_note(ANN, 1)
    assert note
    assert (note["text"], note["message_id"], note["question_id"]) == ("да", 2, question_id)


@pytest.mark.usefixtures("database")
def test_a_deleted_answer_can_be_restored_after_it_was_saved_again() -> None:
    question_id = add_answered_question()
    first, _ = db.save_answer(ANN, ANN, 2, question_id, "да")
    db.delete_note(ANN, first)
    second, is_new = db.save_answer(ANN, ANN, 2, question_id, "да")
    assert is_new
    assert db.restore_note(ANN, first)
    assert [note["id"] for note in db.list_notes(ANN, 5)] == [second, first]


@pytest.mark.usefixtures("database")
def test_an_imported_answer_keeps_its_question_once_and_only_here() -> None:
    question_id = add_answered_question()

    def import_answer(question: int | None, chat_id: int = ANN) -> int | None:
        note: db.ImportedNote = {**EMPTY_IMPORT, "text": "да", "chat_id": chat_id}
        db.import_note(ANN, {**note, "message_id": 2, "question_id": question})
        exported = list(db.iterate_notes(ANN))[-1]
        assert (exported["text"], exported["created_at"], exported["updated_at"]) == ("да", 5, 6)
        return exported["question_id"]

    assert import_answer(None) is None
    assert import_answer(question_id + 1) is None
    assert import_answer(question_id, chat_id=BOB) is None
    assert import_answer(question_id) == question_id
    assert import_answer(question_id) is None


# Undo


@pytest.mark.usefixtures("database")
def test_an_edit_is_undone_by_its_owner_only() -> None:
    note_id = add("раз")
    edit_id = db.edit_note(ANN, note_id, "два")
    assert edit_id
    assert db.edit_note(ANN, note_id, "два") == 0
    assert db.edit_note(ANN, note_id + 1, "два") is None
    with pytest.raises(ValueError, match=str(edit_id)):
        db.undo_edit(BOB, edit_id)
    assert db.undo_edit(ANN, edit_id) == (note_id, edit_id + 1)
    assert db.undo_edit(ANN, edit_id) == (note_id, 0)
    assert found("раз") == ["раз"]
    db.delete_note(ANN, note_id)
    assert db.undo_edit(ANN, edit_id) == (note_id, None)


@pytest.mark.usefixtures("database")
def test_a_person_has_a_maximum_number_of_notes(database: Path) -> None:
    db.open(database, max_notes=2)
    first = add("раз")
    add("два")
    assert not db.has_room(ANN)
    with pytest.raises(db.NotesFull, match="2"):
        add("три")
    add("чужая", BOB)
    assert db.delete_note(ANN, first)
    add("три")
    with pytest.raises(db.NotesFull):
        db.restore_note(ANN, first)
    assert db.note_totals() == {"notes": 3, "people": 2}


# Lists and plain texts


@pytest.mark.usefixtures("database")
def test_only_the_owner_sees_a_list_and_a_plain_text() -> None:
    listing_id = db_messages.add_listing(ANN, "молоко", 10)
    text_id = db_messages.add_plain_text(ANN, ANN, 5, "текст", 1_700_000_000)
    listing, plain = db_messages.get_listing(ANN, listing_id), db_messages.get_plain_text(ANN, text_id)
    assert listing
    assert (listing["query"], listing["page_size"]) == ("молоко", 10)
    assert plain
    assert (plain["text"], plain["message_id"], plain["is_asked"]) == ("текст", 5, 0)
    assert db_messages.get_listing(BOB, listing_id) is None
    assert db_messages.get_plain_text(BOB, text_id) is None


@pytest.mark.usefixtures("database")
def test_a_plain_text_follows_its_message() -> None:
    text_id = db_messages.add_plain_text(ANN, ANN, 5, "текст", 1_700_000_000)
    db_messages.update_plain_text(BOB, ANN, 5, "взлом")
    db_messages.update_plain_text(ANN, ANN, 5, "другой текст")
    db_messages.mark_plain_text_asked(text_id)
    plain = db_messages.get_plain_text(ANN, text_id)
    assert plain
    assert (plain["text"], plain["is_asked"]) == ("другой текст", 1)


@pytest.mark.usefixtures("database")
def test_only_what_is_old_is_purged(monkeypatch: pytest.MonkeyPatch) -> None:
    start = 2_000_000_000
    monkeypatch.setattr(clock, "now", lambda: start)
    kept, deleted = add("останется"), add("удалена")
    edit_id = db.edit_note(ANN, kept, "изменена")
    assert edit_id
    db.delete_note(ANN, deleted)
    listing_id = db_messages.add_listing(ANN, "", 10)
    text_id = db_messages.add_plain_text(ANN, ANN, 5, "текст", start)
    for seconds, is_kept in ((db_cleanup.DELETED_KEPT_S, True), (db_cleanup.DELETED_KEPT_S + 1, False)):
        monkeypatch.setattr(clock, "now", lambda now=start + seconds: now)
        clean_up(clock.now())
        assert (db.get_note(ANN, deleted) is not None) is is_kept
        assert (db_messages.get_listing(ANN, listing_id) is not None) is is_kept
        assert (db_messages.get_plain_text(ANN, text_id) is not None) is is_kept
        assert storage.fetch_one("SELECT count(*) AS edits FROM edits")["edits"] == int(is_kept)
    assert found("изменена") == ["изменена"]


# Models


@pytest.mark.usefixtures("database")
def test_a_new_database_has_ten_models_and_the_first_that_exists_is_active() -> None:
    models = db.list_models()
    assert [model["id"] for model in models] == list(range(11))  # 0 is the free-model router
    assert [model["id"] for model in models if not model["available"]] == [1, 2, 3, 4]
    assert [model["id"] for model in models if model["active"]] == [5]
    assert db.get_model(1)["key"] == "deepseek/deepseek-chat-v3.1:free"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("order", [(5, 2), (2, 5), (10, 1), (3, 3)])
def test_any_model_can_become_active(order: tuple[int, int]) -> None:
    for model_id in order:
        assert db.set_active_model(model_id)["id"] == model_id
        assert [model["id"] for model in db.list_models() if model["active"]] == [model_id]


# The course's slides "СОЗДАНИЕ ФУНКЦИЙ ДЛЯ РАБОТЫ С ДАННЫМИ" name the types and the sentences of these four tests.


@pytest.mark.usefixtures("database")
def test_the_active_flag_is_a_bool() -> None:
    assert {type(model["active"]) for model in db.list_models()} == {bool}
    assert db.get_active_model()["active"] is True
    assert db.set_active_model(2)["active"] is True
    assert db.get_model(1)["active"] is False


@pytest.mark.usefixtures("database")
def test_the_first_model_becomes_active_if_none_is() -> None:
    storage.execute("UPDATE models SET active = 0")
    assert db.get_active_model()["id"] == 1
    assert [model["id"] for model in db.list_models() if model["active"]] == [1]


@pytest.mark.usefixtures("database")
def test_an_unknown_model_changes_nothing() -> None:
    db.set_active_model(4)
    with pytest.raises(ValueError, match=r"^Неизвестный ID модели$"):
        db.set_active_model(99)
    assert db.get_active_model()["id"] == 4


@pytest.mark.usefixtures("database")
def test_an_empty_registry_has_no_active_model() -> None:
    storage.execute("DELETE FROM models")
    with pytest.raises(RuntimeError, match=r"^В реестре моделей нет записей$"):
        db.get_active_model()
    with pytest.raises(ValueError, match=r"^Неизвестный ID модели$"):
        db.set_active_model(1)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("sql", ["UPDATE models SET active = 1 WHERE id = 2", "UPDATE models SET active = 2"])
def test_the_schema_allows_only_one_active_model(sql: str) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        storage.execute(sql)


def offered(key: str, **changes: object) -> db.CatalogModel:
    return catalog_model(key, **{"label": key.upper(), **changes})


def models_of(gateway: str) -> list[tuple[str, str, int | None, int]]:
    models = [model for model in db.list_models() if model["gateway"] == gateway]
    return [(model["key"], model["label"], model["context_length"], model["available"]) for model in models]


@pytest.mark.usefixtures("database")
def test_a_catalog_adds_updates_and_retires_models() -> None:
    assert db.update_catalog("local", [offered("a", context_length=8192), offered("b")]) == (2, 0)
    assert models_of("local") == [("a", "A", 8192, 1), ("b", "B", None, 1)]
    assert db.update_catalog("local", [offered("a", label="Alpha"), offered("c")]) == (1, 1)
    assert models_of("local") == [("a", "Alpha", 8192, 1), ("b", "B", None, 0), ("c", "C", None, 1)]
    assert db.update_catalog("local", [offered("b", category="image"), offered("c")]) == (0, 1)
    assert models_of("local") == [("a", "Alpha", 8192, 0), ("b", "B", None, 1), ("c", "C", None, 1)]
    assert db.get_model(12)["category"] == "image"
    assert [model["id"] for model in db.list_models()] == list(range(14))
    assert len(models_of("openrouter")) == 10
    db.forget_catalog("local")
    assert models_of("local") == [("a", "Alpha", 8192, 0), ("b", "B", None, 0), ("c", "C", None, 0)]


@pytest.mark.usefixtures("database")
def test_a_catalog_does_not_choose_the_active_model() -> None:
    db.update_catalog("openrouter", [offered("new")])
    assert db.get_active_model()["id"] == 5
    assert db.get_active_model()["available"] == 0


@pytest.mark.usefixtures("database")
def test_the_age_of_a_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    assert db.catalog_age_s("local") == math.inf
    db.update_catalog("local", [])
    now = clock.now()
    monkeypatch.setattr(time, "time", lambda: now + 100.0)
    assert 100 <= db.catalog_age_s("local") <= 105
    assert db.catalog_age_s("openrouter") == math.inf
    db.forget_catalog("local")
    assert db.catalog_age_s("local") == math.inf


@pytest.mark.usefixtures("database")
def test_a_model_replacement_is_taken_once() -> None:
    assert db.take_model_replacement() is None
    db.record_model_replacement("А", "Б")
    db.record_model_replacement("Б", "В")
    assert db.take_model_replacement() == {"vanished": "Б", "active": "В"}
    assert db.take_model_replacement() is None


@pytest.mark.usefixtures("database")
def test_an_unavailable_model_stays_known() -> None:
    db.mark_model_unavailable(6)
    assert db.get_model(6)["available"] == 0
    with pytest.raises(ValueError, match="Неизвестный ID модели"):
        db.get_model(99)
