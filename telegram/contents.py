"""What a message holds: formatted text, attachments, the source of a forward.

The shapes follow https://core.telegram.org/bots/api#message. A field that is missing or strange loses only itself.
The details of an attachment hold what only one kind has, under the names of the Bot API, and of a photo its
"preview_file_id": about 800 pixels, enough for a model to look at.
"""

import math
import re
from collections.abc import Iterable
from typing import Any

import entities
from json_values import MAX_INTEGER, as_dict, as_list, as_string
from telegram.messages import Attachment, ForwardSource
from telegram.rich_text import rich_message_text
from unicode_text import storable

# The kinds in the order in which they are looked for: an animation has a document, too, and a venue a location.
FILE_KINDS = ("animation", "document", "video", "audio", "voice", "video_note", "sticker")
FILE_DETAILS = ("performer", "title", "emoji", "set_name", "length")
PLACE_DETAILS = {
    "venue": ("title", "address", "foursquare_id", "foursquare_type", "google_place_id", "google_place_type"),
    "location": ("horizontal_accuracy",),
    "contact": ("phone_number", "first_name", "last_name", "vcard"),
}
REQUIRED_PLACE_DETAILS = {
    "venue": ("latitude", "longitude", "title", "address"),
    "location": ("latitude", "longitude"),
    "contact": ("phone_number", "first_name"),
}
NUMBERS = ("length", "horizontal_accuracy")  # the other details are texts
APPEARANCE = {  # detail → field of a message
    "has_spoiler": "has_media_spoiler",
    "show_caption_above_media": "show_caption_above_media",
}
FILE_ID = re.compile("[A-Za-z0-9_-]{1,256}")  # anything else, such as a URL, would mean something else to Telegram
UNSUPPORTED_KINDS = ("poll", "checklist", "game", "dice", "story", "paid_media", "invoice", "giveaway")
PREVIEW_SIZE = 800  # pixels


def parse_content(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of Content of a message."""
    text, raw_entities = as_string(raw.get("text")), raw.get("entities")
    if not text:
        text, raw_entities = as_string(raw.get("caption")), raw.get("caption_entities")
    if not text:
        text, raw_entities = storable(rich_message_text(raw.get("rich_message"))), None
    attachments = _parse_attachments(raw)
    unsupported = next((kind for kind in UNSUPPORTED_KINDS if kind in raw), "") if not attachments else ""
    return {
        "text": text or _unsupported_text(unsupported, raw.get(unsupported)),
        "entities": tuple(entities.parse(raw_entities, text)),
        "attachments": attachments,
        "source": parse_source(raw.get("forward_origin")),
        "unsupported": unsupported,
    }


def parse_external_reply(raw: dict[str, Any], quote: Any) -> dict[str, Any]:
    """Return the fields of Content of a message in another chat: its media and the quoted part of its text."""
    quoted = as_dict(quote)
    fields = parse_content({**raw, "text": quoted.get("text"), "entities": quoted.get("entities")})
    return {**fields, "source": parse_source(raw.get("origin"))}


def parse_exported_attachment(raw: dict[str, Any]) -> Attachment | None:
    """Return an attachment from an exported file, whose fields are those of Attachment; None if it is none."""
    kind, details = as_string(raw.get("kind")), as_dict(raw.get("details"))
    if kind in PLACE_DETAILS:
        return _place(kind, details, details)
    if kind not in ("photo", *FILE_KINDS) or not FILE_ID.fullmatch(as_string(raw.get("file_id"))):
        return None
    found = _details(details, FILE_DETAILS)
    found.update({name: True for name in APPEARANCE if details.get(name) is True})
    preview_id = as_string(details.get("preview_file_id"))
    if FILE_ID.fullmatch(preview_id):
        found["preview_file_id"] = preview_id
    return _file(kind, {**raw, "duration": raw.get("duration_s")}, found)


# Attachments


def _parse_attachments(raw: dict[str, Any]) -> tuple[Attachment, ...]:
    attachment = _parse_photo(raw) or _parse_file(raw) or _parse_place(raw)
    return (attachment,) if attachment else ()


def _parse_photo(raw: dict[str, Any]) -> Attachment | None:
    """Return the largest size of a photo."""
    sizes = [size for size in as_list(raw.get("photo")) if as_string(as_dict(size).get("file_id"))]
    if not sizes:
        return None
    largest = max(sizes, key=_side)
    preview = min(sizes, key=lambda size: abs(_side(size) - PREVIEW_SIZE))
    return _file("photo", largest, {"preview_file_id": as_string(preview["file_id"]), **_appearance(raw)})


def _side(size: dict[str, Any]) -> int:
    return max(_integer(size.get("width")) or 0, _integer(size.get("height")) or 0)


def _parse_file(raw: dict[str, Any]) -> Attachment | None:
    for kind in FILE_KINDS:
        file = as_dict(raw.get(kind))
        if as_string(file.get("file_id")):
            return _file(kind, file, {**_details(file, FILE_DETAILS), **_appearance(raw)})
    return None


def _file(kind: str, raw: dict[str, Any], details: dict[str, Any]) -> Attachment:
    return Attachment(
        kind=kind,
        file_id=as_string(raw.get("file_id")),
        file_unique_id=as_string(raw.get("file_unique_id")),
        file_name=as_string(raw.get("file_name")) or None,
        mime_type=as_string(raw.get("mime_type")) or None,
        file_size=_integer(raw.get("file_size")),
        duration_s=_integer(raw.get("duration")),
        width=_integer(raw.get("width")),
        height=_integer(raw.get("height")),
        details=details,
    )


def _appearance(raw: dict[str, Any]) -> dict[str, Any]:
    """Return how the message shows its media, under the names that the sending methods use."""
    return {name: True for name, field in APPEARANCE.items() if raw.get(field) is True}


def _parse_place(raw: dict[str, Any]) -> Attachment | None:
    """Return a venue, a location or a contact."""
    for kind in PLACE_DETAILS:
        place = as_dict(raw.get(kind))
        attachment = _place(kind, place, as_dict(place.get("location")) if kind == "venue" else place)
        if attachment:
            return attachment
    return None


def _place(kind: str, raw: dict[str, Any], location: dict[str, Any]) -> Attachment | None:
    details = {**_coordinates(location), **_details(raw, PLACE_DETAILS[kind])}
    is_complete = all(name in details for name in REQUIRED_PLACE_DETAILS[kind])
    return Attachment(kind=kind, details=details) if is_complete else None


def _coordinates(raw: dict[str, Any]) -> dict[str, float]:
    found = {}
    for name, limit in (("latitude", 90), ("longitude", 180)):
        value = raw.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= limit:
            found[name] = float(value)
    return found


def _details(raw: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the texts and numbers among these fields."""
    found: dict[str, Any] = {}
    for name in names:
        value: Any = raw.get(name)
        if name not in NUMBERS:
            if isinstance(value, str) and value:
                found[name] = storable(value)
        elif (isinstance(value, float) and math.isfinite(value)) or _integer(value) is not None:
            found[name] = value
    return found


# Sources


def parse_source(raw: Any) -> ForwardSource | None:
    """Return a MessageOrigin object as a source; None if it names nobody."""
    origin = as_dict(raw)
    author = as_dict(origin.get("sender_user"))
    chat = as_dict(origin.get("chat")) or as_dict(origin.get("sender_chat"))
    names = [as_string(author.get("first_name")), as_string(author.get("last_name"))]
    full_name = " ".join(filter(None, names))
    name = as_string(origin.get("sender_user_name")) or as_string(chat.get("title")) or full_name
    if not name:
        return None
    username = as_string(chat.get("username")) or as_string(author.get("username"))
    url = f"https://t.me/{username}" if username else None
    post_id = _integer(origin.get("message_id"))
    if url and chat and post_id:
        url = f"{url}/{post_id}"
    return ForwardSource(name, url, _integer(origin.get("date")) or 0)


# What cannot be kept


def _unsupported_text(kind: str, raw: Any) -> str:
    """Return the text of what the bot cannot keep: the question and the options of a poll, …"""
    content = as_dict(raw)
    lines = [as_string(content.get(name)) for name in ("question", "title", "description")]
    items = [*as_list(content.get("options")), *as_list(content.get("tasks"))]
    lines += [f"- {as_string(as_dict(item).get('text'))}" for item in items]
    return "\n".join(filter(None, lines)) if kind else ""


def _integer(value: Any) -> int | None:
    """Return a number that can be stored, None for anything else."""
    return value if type(value) is int and 0 <= value <= MAX_INTEGER else None
