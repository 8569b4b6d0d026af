"""listing: pages of notes, turned by buttons that edit the message.

- there and back again, sizes, headings; long notes shortened, a page fits one message
- notes that come and go meanwhile make no other one come twice, or be passed over
- a list is its owner's
"""

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import db
import storage
import texts
from runtime import listing
from runtime.outbox import Reply

pytestmark = pytest.mark.usefixtures("database")

ANN, BOB = 1, 2


def add(text: str) -> int:
    return db.add_note(ANN, ANN, 1, text, 1_700_000_000)


def fill(count: int) -> None:
    with db.transaction():
        for n in range(count):
            add(f"номер {n}")


def first(query: str = "", page_size: int = 10) -> Reply:
    page = listing.first_page(ANN, query, page_size)
    assert page
    return page


def numbers(page: Reply | str) -> list[int]:
    assert isinstance(page, Reply)
    return [int(number) for number in re.findall(r"^#(\d+) ·", page.text, re.MULTILINE)]


def press(page: Reply, label: str, user_id: int = ANN) -> Reply | str:
    [data] = [button.data for row in page.buttons for button in row if button.label == label]
    name, listing_id, note_id = data.split(":")
    ways = {"older": "older_than", "newer": "newer_than"}
    tapped = listing.turn(user_id, int(listing_id), **{ways[name]: int(note_id)})
    return tapped.edit or tapped.toast


def turned(page: Reply, label: str) -> Reply:
    other = press(page, label)
    assert isinstance(other, Reply)
    return other


def labels(page: Reply) -> list[str]:
    return [button.label for row in page.buttons for button in row]


@pytest.mark.parametrize("query", ["", "номер", "но", "н"])
def test_there_and_back_again(query: str) -> None:
    fill(25)
    pages = [first(query)]
    for _ in range(2):
        pages.append(turned(pages[-1], "▶"))
    assert [numbers(page) for page in pages] == [
        list(range(25, 15, -1)),
        list(range(15, 5, -1)),
        list(range(5, 0, -1)),
    ]
    assert [labels(page) for page in pages] == [["▶"], ["◀", "▶"], ["◀"]]
    back = turned(pages[2], "◀")
    assert (back.text, labels(back)) == (pages[1].text, ["◀", "▶"])
    assert turned(back, "◀").text == pages[0].text


def test_the_heading_tells_where_one_is() -> None:
    fill(12)
    page = first()
    assert page.text.startswith("Последние заметки (10 из 12):")
    page = turned(page, "▶")
    assert page.text.startswith("Заметки дальше (всего 12):")
    assert turned(page, "◀").text.startswith("Последние заметки (10 из 12):")
    assert first("номер").text.startswith("Найденные заметки, сначала новые:")
    assert first("номер 11").text.startswith("Найдено: 1 заметка.")


def test_one_page_needs_no_buttons() -> None:
    fill(10)
    assert labels(first()) == []
    assert storage.read("SELECT * FROM listings") == []


@pytest.mark.parametrize("size", [1, 7, 50])
@pytest.mark.parametrize("letters", ["а", "<&>", "🎄", "а\n"])
def test_a_page_fits_one_message_whatever_its_notes_are(size: int, letters: str) -> None:
    for _ in range(size + 1):
        add((letters * 4096)[:4096])
    page = first(page_size=size)
    text = unescape(re.sub("</?b>", "", page.text))
    assert len(text) <= 4096
    assert len(numbers(page)) == size
    assert text.endswith("Целиком: /note_show <id>")


@settings(max_examples=60)
@given(
    count=st.integers(1, 40),
    page_size=st.integers(1, 7),
    turns=st.lists(st.sampled_from("▶▶▶◀"), max_size=15),
    data=st.data(),
)
def test_notes_that_come_and_go_make_no_other_skipped_or_repeated(
    count: int, page_size: int, turns: list[str], data: st.DataObject
) -> None:
    storage.write("DELETE FROM notes")
    fill(count)
    page = first(page_size=page_size)
    for label in turns:
        seen = numbers(page)
        alive = [row["id"] for row in db.list_notes(ANN, 10**6)]
        for note_id in data.draw(st.lists(st.sampled_from(alive or [0]), max_size=3, unique=True)):
            db.delete_note(ANN, note_id)
        if data.draw(st.booleans()):
            add("новая")
        alive = [row["id"] for row in db.list_notes(ANN, 10**6)]
        older = [note_id for note_id in alive if note_id < seen[-1]]
        newer = [note_id for note_id in alive if note_id > seen[0]]
        if label not in labels(page):
            continue
        other = press(page, label)
        expected = older[:page_size] if label == "▶" else newer[-page_size:]
        if not expected:
            assert other == texts.NO_MORE
            continue
        assert isinstance(other, Reply)
        assert numbers(other) == expected
        assert ("▶" in labels(other)) == any(note_id < expected[-1] for note_id in alive)
        assert ("◀" in labels(other)) == any(note_id > expected[0] for note_id in alive)
        page = other


def test_a_list_is_its_owners() -> None:
    fill(12)
    db.add_note(BOB, BOB, 1, "секрет", 1_700_000_000)
    assert press(first(), "▶", BOB) == texts.LIST_GONE


def test_an_old_list_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(12)
    page = first()
    monkeypatch.setattr(db, "_now", lambda: 2_000_000_000)
    db.forget_the_old()
    assert press(page, "▶") == texts.LIST_GONE
