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
    units = text.encode("utf-16-le", "surrogatepass")
    ends, starts = _word_ends(text)
    # (place, order at the place, Markdown, change of the depth of quotes): a part that begins later ends earlier.
    changes: list[tuple[int, tuple[int, int, int], str, int]] = []
    for index, entity in enumerate(text_entities):
        before, after, quotes = _marks(entity)
        start = starts[entity["offset"]]
        end = ends[entity["offset"] + entity["length"]]
        if start < end and (before or after):
            changes += [(start, (1, -end, index), before, quotes), (end, (0, -start, -index), after, -quotes)]
    parts, depth, place = [], 0, 0
    for position, _, mark, quotes in sorted(changes):
        parts.append(_quoted(units[2 * place : 2 * position], depth))
        depth, place = depth + quotes, position
        parts.append(mark)
    parts.append(_quoted(units[2 * place :], depth))
    return "".join(parts)


def _marks(entity: Entity) -> tuple[str, str, int]:
    """Return the Markdown before and after an entity, and how many quotes it opens."""
    if entity["type"] in QUOTES:
        return "> ", "", 1
    if entity["type"] == "pre":
        return f"```{entity.get('language', '')}\n", "\n```", 0
    if entity["type"] == "text_link":
        return "[", f"](<{entity['url']}>)", 0
    if entity["type"] == "text_mention":
        return "[", f"](tg://user?id={entity['user']['id']})", 0
    return *MARKS.get(entity["type"], ("", "")), 0


def _quoted(units: bytes, depth: int) -> str:
    text = units.decode("utf-16-le", "replace")
    return text.replace("\n", "\n> ") if depth else text


def _word_ends(text: str) -> tuple[list[int], list[int]]:
    """Return for each place the last end of a word up to it, and the first start of a word from it on.

    Markdown takes ** for bold only if no white space is on its inner side. A place within a character is neither.
    """
    may_begin: list[bool] = []  # for each UTF-16 unit: whether a word may begin with it, or end with it
    may_end: list[bool] = []
    for character in text:
        if ord(character) > 0xFFFF:
            may_begin += [True, False]
            may_end += [False, True]
        else:
            may_begin.append(not character.isspace())
            may_end.append(not character.isspace())
    ends, starts = [0], [len(may_begin)]
    for place, is_end in enumerate(may_end, 1):
        ends.append(place if is_end else ends[-1])
    for place in reversed(range(len(may_begin))):
        starts.append(place if may_begin[place] else starts[-1])
    return ends, starts[::-1]
