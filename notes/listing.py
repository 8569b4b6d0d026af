"""Lists of notes in pages, which buttons turn.

A page starts at a note, not at an offset, so a note that is added or deleted meanwhile does not make another one
appear twice or be skipped.
"""

from dataclasses import dataclass
from html import escape

import db
import db_attachments
import db_messages
import db_search
import texts
from clock import TimeZone
from notes import contents, search
from telegram.limits import MAX_MESSAGE_LENGTH
from telegram.replies import Button, ButtonResult, Reply

NOTES_PER_ROW = 5  # buttons
MAX_EXCERPT_LENGTH = 300  # characters of a note
HEADING_LENGTH = 200  # characters reserved for the heading and the hint under the list
NOTE_HEAD_LENGTH = 36  # characters reserved for the number and the date of a note
MAX_SOURCE_LENGTH = 24  # characters of the name that a forward came from
SOURCE_MARK_LENGTH = 5  # characters around that name


@dataclass(frozen=True)
class _Page:
    notes: list[db_search.FoundNote]  # newest first, after the pinned ones
    pinned: list[db_search.FoundNote]  # only on the first page of all notes
    has_newer: bool  # whether newer notes come before this page
    has_older: bool  # whether older notes come after this page

    @property
    def start(self) -> int:
        """Return the number of the first note, 0 on the first page: there, newer notes may precede it soon."""
        return self.notes[0]["number"] if self.has_newer else 0


def first_page(user_id: int, query: str, page_size: int, zone: TimeZone) -> Reply | None:
    """Return the newest notes that match a query, or of all notes if it is ""; None if there are none."""
    phrases = _phrases(query)
    page = _first_page(user_id, phrases, page_size)
    if page is None:
        return None
    listing_id = db_messages.add_listing(user_id, query, page_size)
    return _page_reply(user_id, listing_id, page, phrases, zone)


def page_at(user_id: int, listing_id: int, start: int, zone: TimeZone) -> ButtonResult:
    """Turn to the page that starts at a note, or to the first page (0)."""
    if start:
        return older_page(user_id, listing_id, start + 1, zone)
    listing = db_messages.get_listing(user_id, listing_id)
    if listing is None:
        return ButtonResult(texts.LIST_UNAVAILABLE)
    phrases = _phrases(listing["query"])
    page = _first_page(user_id, phrases, listing["page_size"])
    if page is None:
        return ButtonResult(texts.NO_MORE_NOTES)
    return ButtonResult(edit=_page_reply(user_id, listing_id, page, phrases, zone))


def older_page(user_id: int, listing_id: int, number: int, zone: TimeZone) -> ButtonResult:
    """Turn to the page of notes that are older than a note."""
    listing = db_messages.get_listing(user_id, listing_id)
    if listing is None:
        return ButtonResult(texts.LIST_UNAVAILABLE)
    phrases, page_size = _phrases(listing["query"]), listing["page_size"]
    found = _find(user_id, phrases, page_size + 1, older_than=number)
    if not found:
        return ButtonResult(texts.NO_MORE_NOTES)
    notes = found[:page_size]
    newer = _find(user_id, phrases, 1, newer_than=notes[0]["number"])
    pinned = [] if phrases or newer else db.list_pinned_notes(user_id)
    page = _Page(notes, pinned, has_newer=bool(newer), has_older=len(found) > page_size)
    return ButtonResult(edit=_page_reply(user_id, listing_id, page, phrases, zone))


def newer_page(user_id: int, listing_id: int, number: int, zone: TimeZone) -> ButtonResult:
    """Turn to the page of notes that are newer than a note."""
    listing = db_messages.get_listing(user_id, listing_id)
    if listing is None:
        return ButtonResult(texts.LIST_UNAVAILABLE)
    phrases, page_size = _phrases(listing["query"]), listing["page_size"]
    found = _find(user_id, phrases, page_size + 1, newer_than=number)
    if not found:
        return ButtonResult(texts.NO_MORE_NOTES)
    notes = found[-page_size:]
    older = _find(user_id, phrases, 1, older_than=notes[-1]["number"])
    has_newer = len(found) > page_size
    pinned = [] if phrases or has_newer else db.list_pinned_notes(user_id)
    page = _Page(notes, pinned, has_newer=has_newer, has_older=bool(older))
    return ButtonResult(edit=_page_reply(user_id, listing_id, page, phrases, zone))


def _first_page(user_id: int, phrases: list[str], page_size: int) -> _Page | None:
    pinned = [] if phrases else db.list_pinned_notes(user_id)
    found = _find(user_id, phrases, page_size + 1)
    if not found and not pinned:
        return None
    return _Page(found[:page_size], pinned, has_newer=False, has_older=len(found) > page_size)


def _find(
    user_id: int,
    phrases: list[str],
    limit: int,
    *,
    older_than: int | None = None,
    newer_than: int | None = None,
) -> list[db_search.FoundNote]:
    """Return notes as db_search.find_notes() does; a list of all notes leaves out the pinned ones."""
    pinned = set() if phrases else {note["number"] for note in db.list_pinned_notes(user_id)}
    found = db_search.find_notes(
        user_id, phrases, limit + len(pinned), older_than=older_than, newer_than=newer_than
    )
    others = [note for note in found if note["number"] not in pinned]
    return others[:limit] if newer_than is None else others[-limit:]


def _page_reply(user_id: int, listing_id: int, page: _Page, phrases: list[str], zone: TimeZone) -> Reply:
    text = _page_text(user_id, page, phrases, zone)
    return Reply(text, is_html=True, buttons=_page_buttons(listing_id, page))


def _phrases(query: str) -> list[str]:
    return search.parse_query(query) if query else []


def _page_text(user_id: int, page: _Page, phrases: list[str], zone: TimeZone) -> str:
    """Return the heading and an excerpt of each note, as HTML that fits into one message."""
    notes = page.pinned + page.notes
    if phrases:
        heading = texts.found_notes_heading(len(notes), has_more=page.has_newer or page.has_older)
    elif page.has_newer:
        heading = texts.more_notes_heading(db.count_notes(user_id))
    else:
        heading = texts.latest_notes_heading(len(notes), db.count_notes(user_id))
    length_per_note = (MAX_MESSAGE_LENGTH - HEADING_LENGTH) // len(notes) - NOTE_HEAD_LENGTH
    ids = [note["id"] for note in notes]
    attachments = db_attachments.attachments_of_notes(ids)
    sources = _source_names(ids)
    excerpts, is_cut = [], False
    for note in notes:
        line = contents.line(note, attachments.get(note["id"], []), phrases)
        source_length = len(sources[note["id"]]) + SOURCE_MARK_LENGTH if note["id"] in sources else 0
        excerpt_length = min(MAX_EXCERPT_LENGTH, length_per_note - source_length)
        mark = texts.PIN_MARK if note in page.pinned else ""
        excerpts.append((note, mark + search.excerpt(line, phrases, excerpt_length)))
        is_cut = is_cut or len(line) > excerpt_length
    names = {note_id: escape(name, quote=False) for note_id, name in sources.items()}
    return texts.note_list(heading, excerpts, zone, is_cut=is_cut, sources=names)


def _source_names(note_ids: list[int]) -> dict[int, str]:
    """Return where notes were forwarded from, by note."""
    sources = db_attachments.sources_of_notes(note_ids)
    return {note_id: _shortened(source["name"]) for note_id, source in sources.items()}


def _shortened(name: str) -> str:
    return name if len(name) <= MAX_SOURCE_LENGTH else name[: MAX_SOURCE_LENGTH - 1] + texts.ELLIPSIS


def _page_buttons(listing_id: int, page: _Page) -> list[list[Button]]:
    """Return a button for each note, which opens it, and those that turn the page."""
    to_open = [
        Button(str(note["number"]), f"open:{listing_id}:{page.start}:{note['number']}")
        for note in page.pinned + page.notes
    ]
    rows = [to_open[first : first + NOTES_PER_ROW] for first in range(0, len(to_open), NOTES_PER_ROW)]
    buttons = []
    if page.has_newer:
        buttons.append(Button(texts.PREVIOUS, f"newer:{listing_id}:{page.notes[0]['number']}"))
    if page.has_older:
        buttons.append(Button(texts.NEXT, f"older:{listing_id}:{page.notes[-1]['number']}"))
    return [*rows, buttons] if buttons else rows
