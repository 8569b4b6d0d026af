"""The formatting of texts: entities, as Telegram describes them.

See https://core.telegram.org/bots/api#messageentity

An entity says what a part of a text is: {"type": "bold", "offset": 0, "length": 4}. Offsets and lengths count
UTF-16 code units. A text is stored, sent, shortened and joined together with its entities.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from json_values import MAX_INTEGER
from unicode_text import storable, utf16_length

Entity = dict[str, Any]

# What Telegram accepts back, and the further fields that a type needs or may have.
REQUIRED_FIELDS: dict[str, dict[str, type]] = {
    "text_link": {"url": str},
    "text_mention": {"user": dict},
    "custom_emoji": {"custom_emoji_id": str},
    "date_time": {"unix_time": int},
}
OPTIONAL_FIELDS: dict[str, dict[str, type]] = {
    "pre": {"language": str},
    "date_time": {"date_time_format": str},
}
_TYPE_NAMES = """
    mention hashtag cashtag bot_command url email phone_number bold italic underline strikethrough spoiler
    blockquote expandable_blockquote code pre text_link text_mention custom_emoji date_time
"""
TYPES = frozenset(_TYPE_NAMES.split())
USER_FIELDS: dict[str, type] = {
    "id": int,
    "is_bot": bool,
    "first_name": str,
    "last_name": str,
    "username": str,
    "language_code": str,
}
MAX_ENTITIES = 10_000  # far more than Telegram allows in a message


@dataclass(frozen=True)
class FormattedText:
    """A text with its entities."""

    text: str
    entities: Sequence[Entity] = ()

    def ending(self, text: str) -> "FormattedText":
        """Return `text`, which this text ends with (white space may follow), with its entities."""
        start = self.text.rfind(text)
        if start < 0:
            return FormattedText(text)
        return FormattedText(text, clip(self.entities, self.text[:start], text))

    def __add__(self, following: "FormattedText") -> "FormattedText":
        entities = [*self.entities, *shift(following.entities, utf16_length(self.text))]
        return FormattedText(self.text + following.text, entities)


def parse(raw: Any, text: str) -> list[Entity]:
    """Return the entities of a text as Telegram sends them, without those that it would not accept back."""
    if not isinstance(raw, list):
        return []
    length = utf16_length(text)
    parsed = (_parse_entity(entity, length) for entity in raw[:MAX_ENTITIES])
    return [entity for entity in parsed if entity is not None]


def loads(stored: str) -> list[Entity]:
    """Return the entities in a column of the database."""
    return list(json.loads(stored)) if stored != "[]" else []


def dumps(entities: Sequence[Entity]) -> str:
    """Return entities as a column of the database holds them."""
    return json.dumps(list(entities), ensure_ascii=False) if entities else "[]"


def shift(entities: Iterable[Entity], distance: int) -> list[Entity]:
    """Return entities moved by this many UTF-16 units."""
    return [{**entity, "offset": entity["offset"] + distance} for entity in entities]


def clip(entities: Iterable[Entity], before: str, text: str) -> list[Entity]:
    """Return the entities of a part of a text: of `text`, which follows `before`."""
    if not entities:
        return []
    begin, clipped = utf16_length(before), []
    end = begin + utf16_length(text)
    for entity in entities:
        start = max(entity["offset"], begin)
        stop = min(entity["offset"] + entity["length"], end)
        if start < stop:
            clipped.append({**entity, "offset": start - begin, "length": stop - start})
    return clipped


def hidden_links(entities: Iterable[Entity]) -> list[str]:
    """Return the URLs that a text links to without showing them."""
    return [entity["url"] for entity in entities if entity["type"] == "text_link"]


def with_links(text: str, entities: Iterable[Entity]) -> str:
    """Return a text as plain text: each hidden link follows its words in parentheses."""
    links = [entity for entity in entities if entity["type"] == "text_link"]
    units = text.encode("utf-16-le", "surrogatepass")
    for link in sorted(links, key=_end, reverse=True):
        end = 2 * _end(link)
        shown = units[2 * link["offset"] : end].decode("utf-16-le", "replace")
        if shown != link["url"]:
            units = units[:end] + f" ({link['url']})".encode("utf-16-le", "surrogatepass") + units[end:]
    return units.decode("utf-16-le", "replace")


def _end(entity: Entity) -> int:
    return int(entity["offset"] + entity["length"])


def _parse_entity(raw: Any, text_length: int) -> Entity | None:
    """Return an entity with its known fields; None if Telegram would not accept it."""
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str) or raw["type"] not in TYPES:
        return None
    offset, length = raw.get("offset"), raw.get("length")
    if not (_is_integer(offset) and _is_integer(length)):
        return None
    if offset < 0 or length <= 0 or offset + length > text_length:
        return None
    required = REQUIRED_FIELDS.get(raw["type"], {})
    fields = _fields(raw, {**required, **OPTIONAL_FIELDS.get(raw["type"], {})})
    if not required.keys() <= fields.keys():
        return None
    if "user" in fields:
        fields["user"] = _fields(fields["user"], USER_FIELDS)
        if "id" not in fields["user"]:
            return None
    return {"type": raw["type"], "offset": offset, "length": length, **fields}


def _fields(raw: dict[str, Any], types: dict[str, type]) -> dict[str, Any]:
    """Return the fields that are of their types, ready to be stored."""
    found = {name: raw[name] for name, type_ in types.items() if _is(raw.get(name), type_)}
    return {name: storable(value) if isinstance(value, str) else value for name, value in found.items()}


def _is(value: Any, type_: type) -> bool:
    return _is_integer(value) if type_ is int else isinstance(value, type_)


def _is_integer(value: Any) -> TypeGuard[int]:
    """Return whether a value is an integer that fits into the database; a bool is not one."""
    return type(value) is int and abs(value) <= MAX_INTEGER
