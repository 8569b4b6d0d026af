"""db: notes are private and found; one model is active; the database is ours and whole.

- notes: any text comes back unchanged, numbers are never reused, another person's note looks missing
- search: any case, ё = е, a piece of a word, % and _ as letters, SQL and FTS syntax as text
- models: switching up and down, unknown ids, an empty registry
"""

import sqlite3

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import db
import storage

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
    storage.write("DELETE FROM notes WHERE id = ?", ids[1])
    for note_id in ids[::6]:
        assert db.restore_note(ANN, note_id)
    storage.write("INSERT INTO notes_fts(notes_fts, rank) VALUES ('integrity-check', 1)")
    [alive] = storage.read("SELECT count(*) AS n FROM notes WHERE deleted_at IS NULL")
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
    storage.write("DELETE FROM notes")
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
    storage.write("DELETE FROM models")
    with pytest.raises(RuntimeError):
        db.get_active_model()
    with pytest.raises(RuntimeError):
        db.set_active_model(1)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("sql", ["UPDATE models SET active = 1 WHERE id = 2", "UPDATE models SET active = 2"])
def test_the_schema_itself_allows_no_second_active_model(sql: str) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        storage.write(sql)
