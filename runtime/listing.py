"""Lists of notes that are turned page by page: each page begins at a note, not at a count.

So a note that is added or deleted meanwhile makes no other one come twice, or be passed over.
"""

from collections.abc import Sequence

import db
import texts
from runtime import search
from runtime.outbox import MESSAGE_LIMIT, Button, Reply
from runtime.router import Tapped

SHOWN_MOST = 300  # characters of a note
HEADINGS_ROOM, NOTE_HEAD_ROOM = 200, 36  # characters: of a page's heading and foot, of a note's number and date


def first_page(user_id: int, query: str, page_size: int) -> Reply | None:
    """Show the newest of all notes, or of those that a query means; None if there are none."""
    pieces = search.pieces(query) if query else []
    rows = db.find_notes(user_id, pieces, page_size + 1)
    if not rows:
        return None
    shown = rows[:page_size]
    if len(rows) == len(shown):
        return Reply(_page(user_id, shown, pieces, is_first=True, is_last=True), is_html=True)
    listing_id = db.add_listing(user_id, query, page_size)
    text = _page(user_id, shown, pieces, is_first=True, is_last=False)
    return Reply(text, is_html=True, buttons=_buttons(listing_id, shown, is_first=True, is_last=False))


def turn(user_id: int, listing_id: int, *, older_than: int = 0, newer_than: int | None = None) -> Tapped:
    """Show the page next to a note, or say why there is none."""
    listing = db.get_listing(user_id, listing_id)
    if listing is None:
        return Tapped(texts.LIST_GONE)
    pieces = search.pieces(listing["query"]) if listing["query"] else []
    size = listing["page_size"]
    if newer_than is not None:
        rows = db.find_notes(user_id, pieces, size + 1, newer_than=newer_than)
        shown, is_first = rows[-size:], len(rows) <= size
        is_last = not (rows and db.find_notes(user_id, pieces, 1, older_than=shown[-1]["id"]))
    else:
        rows = db.find_notes(user_id, pieces, size + 1, older_than=older_than)
        shown, is_last = rows[:size], len(rows) <= size
        is_first = not (rows and db.find_notes(user_id, pieces, 1, newer_than=shown[0]["id"]))
    if not rows:
        return Tapped(texts.NO_MORE)
    text = _page(user_id, shown, pieces, is_first=is_first, is_last=is_last)
    buttons = _buttons(listing_id, shown, is_first=is_first, is_last=is_last)
    return Tapped(edit=Reply(text, is_html=True, buttons=buttons))


def _page(user_id: int, rows: list[db.Row], pieces: Sequence[str], *, is_first: bool, is_last: bool) -> str:
    if pieces:
        heading = texts.found(len(rows), more=not (is_first and is_last))
    else:
        total = db.count_notes(user_id)
        heading = texts.latest(len(rows), total) if is_first else texts.further(total)
    room = min(SHOWN_MOST, (MESSAGE_LIMIT - HEADINGS_ROOM) // len(rows) - NOTE_HEAD_ROOM)
    excerpts = [(row, search.excerpt(row["text"], pieces, room)) for row in rows]
    return texts.note_list(heading, excerpts, is_cut=any(len(row["text"]) > room for row in rows))


def _buttons(listing_id: int, rows: list[db.Row], *, is_first: bool, is_last: bool) -> list[list[Button]]:
    back = [] if is_first else [Button(texts.PREVIOUS, f"newer:{listing_id}:{rows[0]['id']}")]
    on = [] if is_last else [Button(texts.NEXT, f"older:{listing_id}:{rows[-1]['id']}")]
    return [[*back, *on]] if back or on else []
