"""Notes as people read them in an exported file: as plain text, or as Markdown with links."""

import db
import entities
import texts
from entities import Entity

# entity type → the Markdown before and after it; other types have none
MARKS = {
    "bold": ("**", "**"),
    "italic": ("_", "_"),
    "strikethrough": ("~~", "~~"),
    "code": ("`", "`"),
}
QUOTES = ("blockquote", "expandable_blockquote")


def plain(note: db.ExportedNote) -> str:
    """Return a note as plain text: where it comes from, its text with hidden links visible, what it holds."""
    source, text = note["source"], note["text"]
    if note["entities"]:
        text = entities.with_links(text, note["entities"])
    if not source and not note["attachments"]:
        return text
    lines = [texts.forwarded_from(source["name"]), source["url"]] if source else []
    lines += [text, *(texts.exported_attachment(attachment) for attachment in note["attachments"])]
    return "\n".join(filter(None, lines))


def markdown(note: db.ExportedNote) -> str:
    """Return a note as Markdown."""
    parts = []
    if source := note["source"]:
        name = texts.forwarded_from(source["name"])
        parts.append(f"[{name}]({source['url']})" if source["url"] else name)
    if note["text"]:
        parts.append(formatted(note["text"], note["entities"]))
    if note["attachments"]:
        parts.append("\n".join(f"- {texts.exported_attachment(item)}" for item in note["attachments"]))
    return "\n\n".join(parts)


def formatted(text: str, text_entities: list[Entity]) -> str:
    """Return a text as Markdown. Its own characters stay as they are: people type Markdown, too."""
    if not text_entities:
        return text
    # The Markdown before each character, and that after the previous one.
    opening, closing = [""] * len(text), [""] * (len(text) + 1)
    is_quoted = bytearray(len(text))  # of each character: 1 in a quote
    for start, end, entity in _spans(text, text_entities):
        before, after = _marks(entity)
        opening[start] += before
        closing[end] = after + closing[end]  # what begins later ends earlier
        if entity["type"] in QUOTES:
            is_quoted[start:end] = b"\1" * (end - start)
    parts: list[str] = []
    for place, character in enumerate(text):
        parts += [closing[place], opening[place], character]
        if character == "\n" and is_quoted[place]:
            parts.append("> ")
    return "".join([*parts, closing[-1]])


def _spans(text: str, text_entities: list[Entity]) -> list[tuple[int, int, Entity]]:
    """Return entities with the characters at which they begin and end: the outer ones before those inside them.

    Markdown takes ** for bold only if no white space is on its inner side, so an entity begins and ends at a word.
    """
    characters = _characters_of_units(text)
    spans = []
    for entity in text_entities:
        start, end = characters[entity["offset"]], characters[entity["offset"] + entity["length"]]
        words = text[start:end].strip()
        if words:
            start = text.index(words, start)
            spans.append((start, start + len(words), entity))
    return sorted(spans, key=lambda span: (span[0], -span[1]))


def _characters_of_units(text: str) -> list[int]:
    """Return for each UTF-16 unit of a text, and for its end, the character that begins there or next."""
    characters = []
    for place, character in enumerate(text):
        characters.append(place)
        if ord(character) > 0xFFFF:  # two units
            characters.append(place + 1)
    return [*characters, len(text)]


def _marks(entity: Entity) -> tuple[str, str]:
    """Return the Markdown before and after an entity."""
    if entity["type"] in QUOTES:
        return "> ", ""
    if entity["type"] == "pre":
        return f"```{entity.get('language', '')}\n", "\n```"
    if entity["type"] == "text_link":
        return "[", f"](<{entity['url']}>)"
    if entity["type"] == "text_mention":
        return "[", f"](tg://user?id={entity['user']['id']})"
    return MARKS.get(entity["type"], ("", ""))
