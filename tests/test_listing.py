"""notes.listing: pages of notes, turned by buttons that edit the message.

- forward and back, page sizes, headings; long notes are cut, and a page fits into one message
- notes that are added or deleted meanwhile make no other note appear twice or be skipped
- a list belongs to the person who asked for it
"""

import re
from datetime import UTC, date, datetime
from html import unescape

import pytest
from conftest import clean_up
from hypothesis import given, settings
from hypothesis import strategies as st

import clock
import db
import storage
import texts
from notes import listing
from telegram.replies import Reply

pytestmark = pytest.mark.usefixtures("database")

ANN, BOB = 1, 2


def add(text: str) -> int:
    return db.add_note(ANN, ANN, 1, text, 1_700_000_000)["number"]


def fill(count: int) -> None:
    with storage.transaction():
        for n in range(count):
            add(f"номер {n}")


def first_page(query: str = "", page_size: int = 10) -> Reply:
    page = listing.first_page(ANN, query, page_size, None)
    assert page
    return page


def numbers(page: Reply | str) -> list[int]:
    """Return the numbers of the notes on a page."""
    assert isinstance(page, Reply)
    return [int(number) for number in re.findall(r"^#(\d+) ·", page.text, re.MULTILINE)]


def tap(page: Reply, label: str, user_id: int = ANN) -> Reply | str:
    """Tap a button under a page; return the new page, or the sentence that says why there is none."""
    [data] = [button.data for row in page.buttons for button in row if button.label == label]
    name, listing_id, position = (*data.split(":"), "0")[:3]
    result = listing.turn_page(user_id, int(listing_id), int(position), None, to_older=name != "newer")
    return result.edit or result.toast


def turn_page(page: Reply, label: str) -> Reply:
    other = tap(page, label)
    assert isinstance(other, Reply)
    return other


def labels(page: Reply) -> list[str]:
    """Return the labels of the buttons, without those that open a note."""
    return [button.label for row in page.buttons for button in row if not button.label.isdecimal()]


@pytest.mark.parametrize("query", ["", "номер", "но", "н"])
def test_pages_turn_forward_and_back(query: str) -> None:
    fill(25)
    pages = [first_page(query)]
    for _ in range(2):
        pages.append(turn_page(pages[-1], "▶"))
    assert [numbers(page) for page in pages] == [
        list(range(25, 15, -1)),
        list(range(15, 5, -1)),
        list(range(5, 0, -1)),
    ]
    assert [labels(page) for page in pages] == [["▶"], ["◀", "▶"], ["◀"]]
    back = turn_page(pages[2], "◀")
    assert (back.text, labels(back)) == (pages[1].text, ["◀", "▶"])
    assert turn_page(back, "◀").text == pages[0].text


def test_the_heading_shows_the_position() -> None:
    fill(12)
    page = first_page()
    assert page.text.startswith("Последние заметки (10 из 12):")
    page = turn_page(page, "▶")
    assert page.text.startswith("Более ранние заметки (всего 12):")
    assert turn_page(page, "◀").text.startswith("Последние заметки (10 из 12):")
    assert first_page("номер").text.startswith("Найденные заметки, сначала новые:")
    assert first_page("номер 11").text.startswith("Найдено: 1 заметка.")


def test_a_single_page_does_not_turn() -> None:
    fill(10)
    assert labels(first_page()) == []


def opening(page: Reply) -> dict[str, str]:
    """Return the buttons that open a note: label → data."""
    rows = [row for row in page.buttons if not {"◀", "▶"} & {button.label for button in row}]
    assert all(len(row) <= 5 for row in rows)
    return {button.label: button.data for row in rows for button in row}


def test_each_note_of_a_page_has_a_button_and_there_is_a_way_back() -> None:
    fill(12)
    first = first_page(page_size=5)
    assert list(opening(first)) == ["12", "11", "10", "9", "8"]
    second = turn_page(first, "▶")
    for page in (first, second):
        number, data = next(iter(opening(page).items()))
        listing_id, start, opened = map(int, data.split(":")[1:])
        assert str(opened) == number
        back = listing.turn_page(ANN, listing_id, start, None, to_older=True).edit
        assert back
        assert (back.text, back.buttons) == (page.text, page.buttons)
    assert listing.turn_page(BOB, listing_id, start, None, to_older=True).toast == texts.LIST_UNAVAILABLE


def test_pinned_notes_lead_the_list_and_only_there() -> None:
    fill(12)
    for number in (3, 7):
        assert db.pin_note(ANN, number, is_pinned=True)
    first = first_page(page_size=5)
    assert numbers(first) == [7, 3, 12, 11, 10, 9, 8]
    assert first.text.count("📌") == 2
    second = turn_page(first, "▶")
    assert numbers(second) == [6, 5, 4, 2, 1]
    assert labels(second) == ["◀"]
    assert turn_page(second, "◀").text == first.text
    assert numbers(first_page("номер")) == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]
    db.delete_note(ANN, 7)
    assert numbers(first_page(page_size=5))[:2] == [3, 12]


def test_a_list_of_nothing_but_pinned_notes() -> None:
    fill(2)
    for number in (1, 2):
        db.pin_note(ANN, number, is_pinned=True)
    page = first_page()
    assert sorted(numbers(page)) == [1, 2]
    assert labels(page) == []


@pytest.mark.parametrize("page_size", [1, 7, 50])
@pytest.mark.parametrize("letters", ["а", "<&>", "🎄", "а\n"])
def test_a_page_fits_into_one_message_whatever_the_notes(page_size: int, letters: str) -> None:
    for _ in range(page_size + 1):
        add((letters * 4096)[:4096])
    page = first_page(page_size=page_size)
    text = unescape(re.sub("</?b>", "", page.text))
    assert len(text) <= 4096
    assert len(numbers(page)) == page_size
    assert text.endswith("Целиком: /note_show <номер>")


@settings(max_examples=60)
@given(
    count=st.integers(1, 40),
    page_size=st.integers(1, 7),
    turns=st.lists(st.sampled_from("▶▶▶◀"), max_size=15),
    data=st.data(),
)
def test_added_and_deleted_notes_make_no_other_note_skipped_or_repeated(
    count: int, page_size: int, turns: list[str], data: st.DataObject
) -> None:
    storage.execute("DELETE FROM notes")
    fill(count)
    page = first_page(page_size=page_size)
    for label in turns:
        seen = numbers(page)
        existing = [note["number"] for note in db.list_notes(ANN, 10**6)]
        for note_id in data.draw(st.lists(st.sampled_from(existing or [0]), max_size=3, unique=True)):
            db.delete_note(ANN, note_id)
        if data.draw(st.booleans()):
            add("новая")
        existing = [note["number"] for note in db.list_notes(ANN, 10**6)]
        older = [note_id for note_id in existing if note_id < seen[-1]]
        newer = [note_id for note_id in existing if note_id > seen[0]]
        if label not in labels(page):
            continue
        other = tap(page, label)
        expected = older[:page_size] if label == "▶" else newer[-page_size:]
        if not expected:
            assert other == texts.NO_MORE_NOTES
            continue
        assert isinstance(other, Reply)
        assert numbers(other) == expected
        assert ("▶" in labels(other)) == any(note_id < expected[-1] for note_id in existing)
        assert ("◀" in labels(other)) == any(note_id > expected[0] for note_id in existing)
        page = other


@pytest.mark.parametrize(("label", "back"), [("▶", "◀"), ("◀", "▶")])
def test_a_page_without_neighbors_has_no_buttons(label: str, back: str) -> None:
    fill(20)
    pages = {"▶": first_page()}
    pages["◀"] = turn_page(pages["▶"], "▶")
    assert back in labels(turn_page(pages[label], label))
    for note_id in numbers(pages[label]):
        db.delete_note(ANN, note_id)
    assert labels(turn_page(pages[label], label)) == []


def test_a_list_belongs_to_its_owner() -> None:
    fill(12)
    db.add_note(BOB, BOB, 1, "секрет", 1_700_000_000)
    assert tap(first_page(), "▶", BOB) == texts.LIST_UNAVAILABLE


def test_an_old_list_is_purged(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(12)
    page = first_page()
    monkeypatch.setattr(clock, "now", lambda: 2_000_000_000)
    clean_up(clock.now())
    assert tap(page, "▶") == texts.LIST_UNAVAILABLE


# Days and periods


def add_on(day: str, text: str = "раз") -> None:
    """Add a note at noon of a day, UTC."""
    db.add_note(ANN, ANN, 1, text, int(datetime.fromisoformat(f"{day}T12:00+00:00").timestamp()))


def test_the_notes_of_a_period_have_pages_in_the_order_of_their_creation(monkeypatch: pytest.MonkeyPatch) -> None:
    for day in ("2026-11-19", "2026-11-21", "2026-11-20", "2026-11-20", "2026-10-01", "2026-11-20"):
        add_on(day)
    db.add_note(BOB, BOB, 1, "секрет", int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()))
    today = date(2026, 11, 21)
    monkeypatch.setattr(clock, "today", lambda zone: today)  # noqa: ARG005

    def page_of(text: str, page_size: int = 10) -> Reply:
        page = listing.period_page(ANN, text, page_size, UTC)
        assert page
        return page

    assert numbers(page_of("вчера")) == [6, 4, 3]
    assert page_of("вчера").text.startswith("Заметки за 20.11.2026: 3.")
    page = page_of("ноябрь", 2)
    assert page.text.startswith("Заметки за 01.11.2026 – 30.11.2026, сначала новые:")
    pages = [page, turn_page(page, "▶")]
    today = date(2027, 1, 1)  # the list keeps its period
    pages.append(turn_page(pages[1], "▶"))
    assert [numbers(page) for page in pages] == [[2, 6], [4, 3], [1]]
    assert [labels(page) for page in pages] == [["▶"], ["◀", "▶"], ["◀"]]
    assert numbers(turn_page(pages[2], "◀")) == [4, 3]
    assert page_of("02.11").text == "Заметок за это время нет: 02.11"
    assert listing.period_page(ANN, "раз", 10, UTC) is None


def test_a_search_reads_a_date_only_if_it_has_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "today", lambda zone: date(2026, 11, 21))  # noqa: ARG005
    add_on("2026-11-20", "раз")
    add_on("2026-11-10", "вчера, 19.11, ноябрь")
    assert listing.period_page(ANN, "19.11", 10, UTC, is_search=True) is None
    assert listing.period_page(ANN, "ноябрь", 10, UTC, is_search=True) is None, "a word of notes"
    page = listing.period_page(ANN, "вчера", 10, UTC, is_search=True)
    assert page
    assert numbers(page) == [1]
    assert page.text.endswith("Чтобы найти эти слова в тексте: /note_find «вчера»")


# Tags


def test_tags_are_listed_with_counts_and_their_notes() -> None:
    for number in range(12):
        add(f"раз {number} #дом")
    add("#Ёлка и #Дом")
    removed = add("#работа")
    db.add_note(BOB, BOB, 1, "#секрет", 1_700_000_000)
    db.delete_note(ANN, removed)
    page = listing.tags_page(ANN, 10)
    assert page
    assert labels(page) == ["#Дом · 13", "#Ёлка · 1"]
    notes = tap(page, "#Дом · 13")
    assert isinstance(notes, Reply)
    assert (numbers(notes), labels(notes)) == (list(range(13, 3, -1)), ["▶"])
    assert numbers(turn_page(notes, "▶")) == [3, 2, 1]
    assert tap(page, "#Ёлка · 1", BOB) == texts.LIST_UNAVAILABLE
    assert listing.tags_page(3, 10) is None
    db.restore_note(ANN, removed)
    db.edit_note(ANN, 13, "#работа")
    page = listing.tags_page(ANN, 10)
    assert page
    assert labels(page) == ["#дом · 12", "#работа · 2"]
    storage.execute("DELETE FROM notes")
    assert storage.fetch_all("SELECT * FROM note_tags") == []


def test_tags_and_words_are_searched_together() -> None:
    code = [{"type": "code", "offset": 0, "length": 4}]
    add("#дом купить молоко")
    add("#домашнее молоко")
    add("#Дом хлеб")
    db.add_note(ANN, ANN, 1, "#дом молоко в коде", 1_700_000_000, code)
    assert numbers(first_page("#дом")) == [3, 1]
    assert numbers(first_page("#дом молоко")) == [1]
    assert numbers(first_page("молока #Дом")) == [1]
    assert numbers(first_page("«#дом» молоко")) == [4, 2, 1]
    assert listing.first_page(ANN, "#сад", 10, None) is None


def test_exact_hits_come_before_other_forms_on_all_pages() -> None:
    exact = [add(f"молоко {number}") for number in range(4)]
    forms = [add(f"молока {number}") for number in range(4)]
    exact += [add("молоко и молока")]
    expected = exact[::-1] + forms[::-1]
    page = first_page("молоко", page_size=3)
    pages = [page]
    while "▶" in labels(pages[-1]):
        pages.append(turn_page(pages[-1], "▶"))
    assert [numbers(page) for page in pages] == [expected[:3], expected[3:6], expected[6:]]
    for earlier, later in zip(reversed(pages[:-1]), reversed(pages[1:]), strict=True):
        assert turn_page(later, "◀").text == earlier.text


def test_a_hit_beside_the_text_shows_where_it_is() -> None:
    add("ужин на неделю")
    storage.execute("UPDATE notes SET search_extra = ?", ("\nголосовое.ogg\nпро разные рецепты",))
    assert "ужин на неделю\n🔎 про разные <b>рецепт</b>ы" in first_page("рецепт").text
    assert "🔎 про разные <b>рецепты</b>" in first_page("рецептов").text
    assert "🔎" not in first_page("ужин").text
    assert numbers(first_page("о")) == numbers(first_page("ужины рецептам")) == [1]
