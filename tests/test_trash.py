"""notes.trash: several notes deleted at once, and the trash."""

import pytest
from conftest import clean_up
from test_bot import ANN, BOB, ask_bot, buttons, handle, tap
from test_note_card import text_and_buttons

import clock
import db
import db_cleanup
import texts
from notes import trash
from telegram.limits import MAX_MESSAGE_LENGTH
from telegram.replies import ButtonResult
from unicode_text import utf16_length

pytestmark = pytest.mark.usefixtures("database")


def add(count: int) -> None:
    for n in range(1, count + 1):
        handle(f"/note_add номер {n}")


def left() -> list[int]:
    return [note["number"] for note in db.list_notes(ANN, 99)]


def test_several_notes_are_deleted_with_one_undo() -> None:
    add(5)
    text, under = text_and_buttons(handle("/note_del 2, #4 4 77"))
    assert text == "Удалены заметки: #2, #4. Не найдены: #77."
    assert left() == [5, 3, 1]
    [data] = under.values()
    assert tap(data, BOB) == ButtonResult(texts.NOTHING_TO_RESTORE)
    edit = tap(data).edit
    assert edit
    assert edit.text == "Снова на месте: #2, #4."
    assert left() == [5, 4, 3, 2, 1]
    assert tap(data) == ButtonResult(texts.NOTHING_TO_RESTORE)
    assert text_and_buttons(handle("/note_del 77 78")) == ("Не найдены: #77, #78.", {})
    assert str(handle("/note_del " + "1 " * 51)).startswith("Напишите так:")


def test_one_undo_does_not_exceed_the_limit_of_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    add(3)
    [data] = buttons(handle("/note_del 1 2")).values()
    monkeypatch.setattr(db, "_max_notes", 2)
    with pytest.raises(db.NotesFull):
        tap(data)


def test_the_trash_restores_one_note_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask_bot("/note_trash") == texts.TRASH_EMPTY
    add(3)
    handle("/note_add секрет", BOB)
    now = clock.now()
    for seconds, command in enumerate(("/note_del 3", "/note_del 1")):
        monkeypatch.setattr(clock, "now", lambda now=now + seconds: now)
        handle(command)
    handle("/note_del 1", BOB)
    text, under = text_and_buttons(handle("/note_trash"))
    assert [line.split(" ")[0] for line in text.split("\n") if line.startswith("#")] == ["#1", "#3"]
    assert list(under) == ["↩️ 1", "↩️ 3"]
    restored = tap(under["↩️ 1"])
    assert restored.toast == "Заметка #1 снова на месте."
    text, others = text_and_buttons(restored.edit)
    assert list(others) == ["↩️ 3"]
    again = tap(under["↩️ 1"])
    assert (again.toast, text_and_buttons(again.edit)[0]) == (texts.NOTHING_TO_RESTORE, text)
    clean_up(now + db_cleanup.DELETED_KEPT_S + 10)
    assert ask_bot("/note_trash") == texts.TRASH_EMPTY


def test_a_wrong_clock_takes_nothing_out_of_the_trash(monkeypatch: pytest.MonkeyPatch) -> None:
    handle("/note_add раз")
    under = buttons(handle("/note_del 1"))
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + 400 * clock.DAY_S)
    _, in_trash = text_and_buttons(handle("/note_trash"))
    assert list(in_trash) == ["↩️ 1"]
    tap(under[texts.RESTORE])
    assert ask_bot("/note_show 1").endswith("раз")


def test_the_trash_fits_into_one_message() -> None:
    for n in range(trash.MAX_SHOWN + 1):
        db.add_note(ANN, ANN, n, "🎄" * 4000, 1_700_000_000)
        db.delete_note(ANN, n + 1)
    text, under = text_and_buttons(handle("/note_trash"))
    assert len(under) == trash.MAX_SHOWN
    assert utf16_length(text) <= MAX_MESSAGE_LENGTH
