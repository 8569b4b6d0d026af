"""The formatting of a text: MessageEntity objects, checked, found and trimmed as Telegram does it.

Offsets and lengths count UTF-16 units. See https://core.telegram.org/bots/api#messageentity; the words of the
refusals are those of api.telegram.org.
"""

import itertools
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, ClassVar

Json = dict[str, Any]

STYLES = ("bold", "italic", "underline", "strikethrough", "spoiler", "blockquote", "expandable_blockquote")
REQUIRED_FIELDS = {
    "text_link": "url",
    "text_mention": "user",
    "custom_emoji": "custom_emoji_id",
    "date_time": "unix_time",
}
FORMATTING = frozenset([*STYLES, "code", "pre", *REQUIRED_FIELDS])
# Telegram finds these in every text by itself, and ignores them in a call.
FOUND = {
    "url": r"https?://[^\s<>«»\"]*[^\s<>«»\".,:;!?)\]]",
    "email": r"(?<![\w.+-])[a-zA-Z0-9][\w.+-]*@[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+",
    "mention": r"(?<![\w@])@[a-zA-Z]\w{3,31}\b",
    "hashtag": r"(?<![\w#&])#\w*[^\W\d]\w*",
    "bot_command": r"(?<![\w/<])/[a-zA-Z0-9_]{1,64}(?:@\w{3,32})?(?![\w/])",
}
NAMES_OF_FOUND = frozenset([*FOUND, "cashtag", "phone_number", "bank_card_number"])
_PATTERN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in FOUND.items()))
NOTHING_FOUND_IN = frozenset(["code", "pre", "text_link", "text_mention", *NAMES_OF_FOUND])
MAX_ENTITIES = 100


class Refusal(Exception):
    """An error response of the Bot API: a status, a description and optional parameters."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


def utf16_length(text: str) -> int:
    """Return the length of a text in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def is_well_formed(entity: Any) -> bool:
    """Return whether this is an entity that has a place in a text; tests also send what is none."""
    return isinstance(entity, dict) and all(type(entity.get(name)) is int for name in ("offset", "length"))


def normalize(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """Return a text without white space around it, and its entities: those given and those that Telegram finds.

    White space at the start stays if an entity covers it.
    """
    entities = _sorted([entity for entity in entities if entity["length"] > 0 and entity["offset"] >= 0])
    stripped = text.lstrip()
    start = utf16_length(text) - utf16_length(stripped)
    if entities and entities[0]["offset"] < start:
        start = entities[0]["offset"]
        stripped = text[start:]  # white space has one unit for each character
    stripped = stripped.rstrip()
    end = utf16_length(stripped)
    moved = [
        {
            **entity,
            "offset": entity["offset"] - start,
            "length": min(entity["length"], end - entity["offset"] + start),
        }
        for entity in entities
    ]
    kept = [entity for entity in moved if entity["length"] > 0]
    return stripped, _sorted([*kept, *_found(stripped, kept)])[:MAX_ENTITIES]


def part(entities: list[Json], start: int, end: int) -> list[Json]:
    """Return the entities of a part of a text, with offsets that count from the start of the part."""
    parts = []
    for entity in entities:
        first, last = max(entity["offset"], start), min(entity["offset"] + entity["length"], end)
        if first < last:
            parts.append({**entity, "offset": first - start, "length": last - first})
    return parts


def check(text: str, entities: Any) -> list[Json]:
    """Return the entities that a call gives for a text; refuse what Telegram cannot parse."""
    if not isinstance(entities, list):
        return []  # Telegram takes anything but an array as no entities
    for entity in entities:
        _check_fields(entity)
    used: list[Json] = [entity for entity in entities if entity["type"] in FORMATTING and entity["length"] > 0]
    boundaries = _boundaries(text)
    text_end = max(boundaries)
    for entity in used:
        offset, end = entity["offset"], entity["offset"] + entity["length"]
        if offset > text_end:
            raise Refusal(400, f"Bad Request: entity begins after the end of the text at UTF-16 offset {offset}")
        if end > text_end:
            raise Refusal(
                400,
                f"Bad Request: entity beginning at UTF-16 offset {offset} ends after the end of the text at UTF-16"
                f" offset {end}",
            )
        for place, verb in ((offset, "begins"), (end, "ends")):
            if place not in boundaries:
                raise Refusal(
                    400, f"Bad Request: entity {verb} in a middle of a UTF-16 symbol at byte offset {place}"
                )
    return used


def _check_fields(entity: Any) -> None:
    place = "Bad Request: can't parse MessageEntity"
    if not isinstance(entity, dict):
        raise Refusal(400, f"{place}: expected an Object")
    for name in ("offset", "length"):
        if not isinstance(entity.get(name), int):
            raise Refusal(400, f'{place}: Can\'t find field "{name}"')
    if entity.get("type") not in FORMATTING | NAMES_OF_FOUND:
        raise Refusal(400, f"{place}: Unsupported type specified")
    field = REQUIRED_FIELDS.get(entity["type"])
    if field and not entity.get(field):
        raise Refusal(400, f'{place}: Can\'t find field "{field}"')


def _boundaries(text: str) -> set[int]:
    """Return the offsets at which a character begins, and that of the end."""
    lengths = (2 if ord(character) > 0xFFFF else 1 for character in text)
    return {0, *itertools.accumulate(lengths)}


def _sorted(entities: list[Json]) -> list[Json]:
    return sorted(entities, key=lambda entity: (entity["offset"], -entity["length"]))


def _found(text: str, entities: list[Json]) -> Iterator[Json]:
    """Yield the links, commands and tags of a text, except in code and in links."""
    taken = [
        (entity["offset"], entity["offset"] + entity["length"])
        for entity in entities
        if entity["type"] in NOTHING_FOUND_IN
    ]
    for match in _PATTERN.finditer(text):
        offset, length = utf16_length(text[: match.start()]), utf16_length(match[0])
        if all(offset + length <= start or end <= offset for start, end in taken):
            yield {"type": match.lastgroup, "offset": offset, "length": length}


class TelegramHTML(HTMLParser):
    """Parser of the few HTML tags that Telegram accepts; every tag must be closed."""

    TAGS = frozenset(["b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre", "a"])
    TAGS |= {"tg-spoiler", "blockquote"}
    ENTITY_TYPES: ClassVar = {
        "b": "bold",
        "strong": "bold",
        "i": "italic",
        "em": "italic",
        "u": "underline",
        "ins": "underline",
        "s": "strikethrough",
        "strike": "strikethrough",
        "del": "strikethrough",
        "a": "text_link",
        "tg-spoiler": "spoiler",
    }  # other tags are named as their entities

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open_tags: list[tuple[str, int, Json]] = []  # tag, offset of its text, address of a link
        self.text = ""
        self.entities: list[Json] = []  # offsets and lengths in UTF-16 units

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        """Open an entity."""
        if tag not in self.TAGS:
            raise Refusal(400, f"Bad Request: can't parse entities: unsupported start tag {tag}")
        link = {"url": dict(attributes).get("href") or ""} if tag == "a" else {}
        self.open_tags.append((tag, utf16_length(self.text), link))

    def handle_endtag(self, tag: str) -> None:
        """Close the last entity."""
        if not self.open_tags or self.open_tags[-1][0] != tag:
            raise Refusal(400, "Bad Request: can't parse entities: unexpected end tag")
        _, offset, link = self.open_tags.pop()
        entity_type = self.ENTITY_TYPES.get(tag, tag)
        length = utf16_length(self.text) - offset
        self.entities.append({"type": entity_type, "offset": offset, "length": length, **link})

    def handle_data(self, data: str) -> None:
        """Add text."""
        self.text += data


def parse_html(html: str) -> tuple[str, list[Json]]:
    """Return the text and the entities of HTML that Telegram accepts."""
    for rest in html.split("<")[1:]:
        if not re.match(r"/?[a-z-]+(\s[^<>]*)?>", rest, re.IGNORECASE):
            raise Refusal(400, "Bad Request: can't parse entities: unsupported start tag")
    parser = TelegramHTML()
    parser.feed(html)
    parser.close()
    if parser.open_tags:
        raise Refusal(400, "Bad Request: can't parse entities: can't find end tag")
    return parser.text, parser.entities
