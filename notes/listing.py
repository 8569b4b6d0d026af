"""Lists of notes in pages, which buttons turn.

A page starts at a note, not at an offset, so a note that is added or deleted meanwhile does not make another one
appear twice or be skipped.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html import escape

import clock
import db
import db_attachments
import db_messages
import db_search
import storage
import texts
from clock import TimeZone
from db_messages import Listing
from db_search import FoundNote
from notes import contents, dates, finding, search
from notes.finding import Hit, Search
from telegram.limits import MAX_MESSAGE_LENGTH
from telegram.replies import Button, ButtonResult, Reply, in_rows

NOTES_PER_ROW = 5  # buttons
MAX_EXCERPT_LENGTH = 300  # characters of a note
HEADING_LENGTH = 200  # characters reserved for the heading and the hint under the list
NOTE_HEAD_LENGTH = 36  # characters reserved for the number and the date of a note
MAX_SOURCE_LENGTH = 24  # characters of the name that a forward came from
SOURCE_MARK_LENGTH = 5  # characters around that name
MAX_TAGS, TAGS_PER_ROW = 30, 3
MAX_SEARCH_S = 0.01  # of a search in the transaction of an update, which others wait for; see deadline()


@dataclass(frozen=True)
class _Page:
    hits: list[Hit]  # in the order of the list
    has_newer: bool  # whether notes come before this page
    has_older: bool  # whether notes come after this page
    position: int = 0  # the page follows this position, for the way back; 0: the list begins with it
    pinned: list[FoundNote] = field(default_factory=list)  # they lead the first page of all notes

    @property
    def notes(self) -> list[FoundNote]:
        """Return all notes of the page."""
        return [*self.pinned, *(hit.note for hit in self.hits)]


def deadline() -> float:
    """Return the deadline of a search that others wait for; if it passes, the search is repeated as a job."""
    return time.monotonic() + MAX_SEARCH_S


def first_page(
    user_id: int,
    query: str,
    page_size: int,
    zone: TimeZone,
    *,
    period: tuple[int, int] | None = None,
    deadline: float = math.inf,
) -> Reply | None:
    """Return the first notes that match a query ("" matches all) or of a period; None if there are none.

    storage.DeadlinePassed if the search takes longer than until the deadline, on time.monotonic().
    """
    listed = _search(query, period)
    with storage.interrupted_at(deadline):
        page = _find_page(user_id, listed, page_size, 0, to_older=True)
    if not page.notes:
        return None
    text = _page_text(user_id, page, listed, zone)
    listing_id = db_messages.add_listing(user_id, query, page_size, period)
    return Reply(text, is_html=True, buttons=_page_buttons(listing_id, page))


def turn_page(
    user_id: int,
    listing_id: int,
    position: int,
    zone: TimeZone,
    *,
    to_older: bool,
    deadline: float = math.inf,
) -> ButtonResult:
    """Turn to the page that follows a position, or the one that precedes it; see Hit.position. 0: the beginning.

    storage.DeadlinePassed if the search takes longer than until the deadline, on time.monotonic().
    """
    listing = db_messages.get_listing(user_id, listing_id)
    if listing is None:
        return ButtonResult(texts.LIST_UNAVAILABLE)
    listed = _search(listing["query"], _period(listing))
    with storage.interrupted_at(deadline):
        page = _find_page(user_id, listed, listing["page_size"], position, to_older=to_older)
    if not page.notes or (position and not page.hits):
        return ButtonResult(texts.NO_MORE_NOTES)
    text = _page_text(user_id, page, listed, zone)
    return ButtonResult(edit=Reply(text, is_html=True, buttons=_page_buttons(listing_id, page)))


def period_page(
    user_id: int, text: str, page_size: int, zone: TimeZone, *, is_search: bool = False
) -> Reply | None:
    """Return the notes of the day or the period that a text names.

    None if it names none, and for a search also if there are no such notes, or the text is rather a word.
    """
    period = dates.parse_period(text, clock.today(zone))
    if period is None or (is_search and dates.is_bare_name(text)):
        return None
    page = first_page(user_id, "", page_size, zone, period=period.moments(zone))
    if not is_search:
        return page or Reply(texts.no_notes_in_period(text))
    return replace(page, text=f"{page.text}\n\n{texts.search_hint(escape(text))}") if page else None


def tags_page(user_id: int, page_size: int, deadline: float = math.inf) -> Reply | None:
    """Return the most frequent tags of a person, each with a button for its notes; None if there are none.

    storage.DeadlinePassed if counting takes longer than until the deadline, on time.monotonic().
    """
    with storage.interrupted_at(deadline):
        tags = db_search.list_tags(user_id, MAX_TAGS)
    if not tags:
        return None
    buttons = []
    for tag in tags:
        listing_id = db_messages.add_listing(user_id, f"#{tag['tag']}", page_size)
        buttons.append(Button(texts.tag_button(tag["label"], tag["notes"]), f"list:{listing_id}"))
    heading = texts.tags_heading(len(tags), has_more=len(tags) == MAX_TAGS)
    return Reply(heading, buttons=in_rows(buttons, TAGS_PER_ROW))


def _find_page(user_id: int, listed: Search, page_size: int, position: int, *, to_older: bool) -> _Page:
    pinned = db.list_pinned_notes(user_id) if listed == Search() else []
    if to_older:
        found = _find_after(user_id, listed, pinned, page_size + 1, position or None)
        hits = found[:page_size]
        has_newer = bool(position and hits and _find_before(user_id, listed, pinned, 1, hits[0].position))
        has_older = len(found) > page_size
    else:
        found = _find_before(user_id, listed, pinned, page_size + 1, position)
        hits = found[-page_size:]
        has_newer = len(found) > page_size
        has_older = bool(hits and _find_after(user_id, listed, pinned, 1, hits[-1].position))
        position = found[0].position if has_newer else 0
    return _Page(hits, has_newer, has_older, position, [] if has_newer else pinned)


def _find_after(
    user_id: int, listed: Search, pinned: list[FoundNote], limit: int, position: int | None
) -> list[Hit]:
    """Return the first notes after a position without the pinned ones."""
    found = finding.find_after(user_id, listed, limit + len(pinned), position)
    return _without(pinned, found)[:limit]


def _find_before(user_id: int, listed: Search, pinned: list[FoundNote], limit: int, position: int) -> list[Hit]:
    """Return the last notes before a position without the pinned ones."""
    found = finding.find_before(user_id, listed, limit + len(pinned), position)
    return _without(pinned, found)[-limit:]


def _without(pinned: list[FoundNote], hits: list[Hit]) -> list[Hit]:
    ids = {note["id"] for note in pinned}
    return [hit for hit in hits if hit.note["id"] not in ids]


def _search(query: str, period: tuple[int, int] | None) -> Search:
    return Search(search.parse_query(query), period) if query else Search(period=period)


def _period(listing: Listing) -> tuple[int, int] | None:
    if listing["since"] is None or listing["until"] is None:
        return None
    return listing["since"], listing["until"]


def _page_text(user_id: int, page: _Page, listed: Search, zone: TimeZone) -> str:
    """Return the heading and an excerpt of each note, as HTML that fits into one message."""
    notes = page.notes
    length_per_note = (MAX_MESSAGE_LENGTH - HEADING_LENGTH) // len(notes) - NOTE_HEAD_LENGTH
    ids = [note["id"] for note in notes]
    attachments = db_attachments.attachments_of_notes(ids)
    sources = _source_names(ids)
    excerpts, is_cut = [], False
    for note in notes:
        shown = contents.line(note, attachments.get(note["id"], []))
        source_length = len(sources[note["id"]]) + SOURCE_MARK_LENGTH if note["id"] in sources else 0
        excerpt_length = min(MAX_EXCERPT_LENGTH, length_per_note - source_length)
        excerpt = search.note_excerpt(shown, note["search_extra"], listed.query, excerpt_length)
        excerpts.append((note, texts.PIN_MARK + excerpt if note in page.pinned else excerpt))
        is_cut = is_cut or len(shown) > excerpt_length
    names = {note_id: escape(name, quote=False) for note_id, name in sources.items()}
    heading = _heading(user_id, page, listed, zone)
    return texts.note_list(heading, excerpts, zone, is_cut=is_cut, sources=names)


def _source_names(note_ids: list[int]) -> dict[int, str]:
    """Return where notes were forwarded from, by note."""
    sources = db_attachments.sources_of_notes(note_ids)
    return {note_id: texts.shorten(source["name"], MAX_SOURCE_LENGTH) for note_id, source in sources.items()}


def _heading(user_id: int, page: _Page, listed: Search, zone: TimeZone) -> str:
    has_more = page.has_newer or page.has_older
    if listed.period:
        since, until = listed.period
        return texts.period_heading(since, until, len(page.notes), zone, has_more=has_more)
    if listed != Search():
        return texts.found_notes_heading(len(page.notes), has_more=has_more)
    if page.has_newer:
        return texts.more_notes_heading(db.count_notes(user_id))
    return texts.latest_notes_heading(len(page.notes), db.count_notes(user_id))


def _page_buttons(listing_id: int, page: _Page) -> list[Sequence[Button]]:
    """Return a button for each note, which opens it, and those that turn the page."""
    to_open = [
        Button(str(note["number"]), f"open:{listing_id}:{page.position}:{note['number']}") for note in page.notes
    ]
    rows = in_rows(to_open, NOTES_PER_ROW)
    buttons = []
    if page.has_newer:
        buttons.append(Button(texts.PREVIOUS, f"newer:{listing_id}:{page.hits[0].position}"))
    if page.has_older:
        buttons.append(Button(texts.NEXT, f"older:{listing_id}:{page.hits[-1].position}"))
    return [*rows, buttons] if buttons else rows
