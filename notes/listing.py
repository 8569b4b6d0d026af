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

MAX_EXCERPT_LENGTH = 300  # characters of a note
HEADING_LENGTH = 200  # characters reserved for the heading and the hint under the list
NOTE_HEAD_LENGTH = 36  # characters reserved for the number and the date of a note
MAX_SOURCE_LENGTH = 24  # characters of the name that a forward came from
SOURCE_MARK_LENGTH = 5  # characters around that name


@dataclass(frozen=True)
class _Page:
    notes: list[db_search.FoundNote]  # newest first
    has_newer: bool  # whether newer notes come before this page
    has_older: bool  # whether older notes come after this page


def first_page(user_id: int, query: str, page_size: int, zone: TimeZone) -> Reply | None:
    """Return the newest notes that match a query, or of all notes if it is ""; None if there are none."""
    phrases = _phrases(query)
    found = db_search.find_notes(user_id, phrases, page_size + 1)
    if not found:
        return None
    page = _Page(found[:page_size], has_newer=False, has_older=len(found) > page_size)
    text = _page_text(user_id, page, phrases, zone)
    if not page.has_older:
        return Reply(text, is_html=True)
    listing_id = db_messages.add_listing(user_id, query, page_size)
    return Reply(text, is_html=True, buttons=_page_buttons(listing_id, page))


def older_page(user_id: int, listing_id: int, number: int, zone: TimeZone) -> ButtonResult:
    """Turn to the page of notes that are older than a note."""
    listing = db_messages.get_listing(user_id, listing_id)
    if listing is None:
        return ButtonResult(texts.LIST_UNAVAILABLE)
    phrases, page_size = _phrases(listing["query"]), listing["page_size"]
    found = db_search.find_notes(user_id, phrases, page_size + 1, older_than=number)
    if not found:
        return ButtonResult(texts.NO_MORE_NOTES)
    notes = found[:page_size]
    newer = db_search.find_notes(user_id, phrases, 1, newer_than=notes[0]["number"])
    page = _Page(notes, has_newer=bool(newer), has_older=len(found) > page_size)
    return _turn_to(user_id, listing_id, page, phrases, zone)


def newer_page(user_id: int, listing_id: int, number: int, zone: TimeZone) -> ButtonResult:
    """Turn to the page of notes that are newer than a note."""
    listing = db_messages.get_listing(user_id, listing_id)
    if listing is None:
        return ButtonResult(texts.LIST_UNAVAILABLE)
    phrases, page_size = _phrases(listing["query"]), listing["page_size"]
    found = db_search.find_notes(user_id, phrases, page_size + 1, newer_than=number)
    if not found:
        return ButtonResult(texts.NO_MORE_NOTES)
    notes = found[-page_size:]
    older = db_search.find_notes(user_id, phrases, 1, older_than=notes[-1]["number"])
    page = _Page(notes, has_newer=len(found) > page_size, has_older=bool(older))
    return _turn_to(user_id, listing_id, page, phrases, zone)


def _turn_to(user_id: int, listing_id: int, page: _Page, phrases: list[str], zone: TimeZone) -> ButtonResult:
    text = _page_text(user_id, page, phrases, zone)
    return ButtonResult(edit=Reply(text, is_html=True, buttons=_page_buttons(listing_id, page)))


def _phrases(query: str) -> list[str]:
    return search.parse_query(query) if query else []


def _page_text(user_id: int, page: _Page, phrases: list[str], zone: TimeZone) -> str:
    """Return the heading and an excerpt of each note, as HTML that fits into one message."""
    notes = page.notes
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
        excerpts.append((note, search.excerpt(line, phrases, excerpt_length)))
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
    buttons = []
    if page.has_newer:
        buttons.append(Button(texts.PREVIOUS, f"newer:{listing_id}:{page.notes[0]['number']}"))
    if page.has_older:
        buttons.append(Button(texts.NEXT, f"older:{listing_id}:{page.notes[-1]['number']}"))
    return [buttons] if buttons else []
