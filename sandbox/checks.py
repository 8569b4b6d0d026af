"""What api.telegram.org checks in a call, and refuses in its own words."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, ClassVar

Json = dict[str, Any]

UPLOAD_MOST, PHOTO_MOST, DOWNLOAD_MOST = 50 * 2**20, 10 * 2**20, 20 * 2**20  # bytes; the last: to the bot
REFUSED_MARKDOWN = "<sandbox:refused>"  # a rich message that holds this is refused


class Refusal(Exception):
    """A call is refused, as Telegram would refuse it."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.status, self.description, self.parameters = status, description, parameters


@dataclass(frozen=True)
class Upload:
    """A file that came with a call."""

    name: str
    content: bytes


def check_upload(file: Upload, most: int) -> None:
    """Refuse a file that is empty, or larger than so many bytes."""
    if not file.content:
        raise Refusal(400, "Bad Request: file must be non-empty")
    if len(file.content) > most:
        raise Refusal(413, "Request Entity Too Large")


def message_text(params: Json) -> Json:
    """Return the text of a message, and its entities."""
    return _text(params, "text", 4096, "message text is empty", "message is too long")


def caption(params: Json) -> Json:
    """Return the caption of a file, if it has one, and its entities."""
    if not params.get("caption"):
        return {}
    return _text(params, "caption", 1024, "", "message caption is too long")


def _text(params: Json, name: str, limit: int, empty: str, too_long: str) -> Json:
    """Return a text and its entities as a message holds them; Refusal if it is none, or too long."""
    text, entities = str(params.get(name) or ""), list[Json]()
    if params.get("parse_mode"):
        if params["parse_mode"].upper() != "HTML":
            raise Refusal(400, "Bad Request: unsupported parse_mode")
        text, entities = _parsed(text)
    if not text.strip():
        raise Refusal(400, f"Bad Request: {empty}")
    text = text.strip() if not entities else text.rstrip()
    if len(text) > limit:
        raise Refusal(400, f"Bad Request: {too_long}")
    return {name: text} | ({"caption_entities" if name == "caption" else "entities": entities} if entities else {})


def markdown(params: Json) -> str:
    """Return the Markdown of a rich message."""
    rich = params.get("rich_message")
    markdown = str(rich.get("markdown") or "").strip() if isinstance(rich, dict) else ""
    if not markdown:
        raise Refusal(400, "Bad Request: rich message is empty")
    if len(markdown) > 32768:
        raise Refusal(400, "Bad Request: rich message is too long")
    if REFUSED_MARKDOWN in markdown:
        raise Refusal(400, "Bad Request: can't parse rich message")
    return markdown


class TelegramHTML(HTMLParser):
    """Takes the few tags that Telegram knows, every one of them closed."""

    TAGS = frozenset(["b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre", "a"])
    TAGS |= {"tg-spoiler", "blockquote"}
    NAMES: ClassVar = {"b": "bold", "strong": "bold", "i": "italic", "em": "italic", "a": "text_link"}
    NAMES |= {"u": "underline", "ins": "underline", "tg-spoiler": "spoiler"}
    NAMES |= dict.fromkeys(["s", "strike", "del"], "strikethrough")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, int, Json]] = []  # tag, where its text begins, the address of a link
        self.text = ""
        self.entities: list[Json] = []  # as a message holds them: in UTF-16 units

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        if tag not in self.TAGS:
            raise Refusal(400, f"Bad Request: can't parse entities: unsupported start tag {tag}")
        link = {"url": dict(attributes).get("href") or ""} if tag == "a" else {}
        self.open.append((tag, _units(self.text), link))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1][0] != tag:
            raise Refusal(400, "Bad Request: can't parse entities: unexpected end tag")
        _, offset, link = self.open.pop()
        kind = self.NAMES.get(tag, tag)
        self.entities.append({"type": kind, "offset": offset, "length": _units(self.text) - offset, **link})

    def handle_data(self, data: str) -> None:
        self.text += data


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _parsed(html: str) -> tuple[str, list[Json]]:
    """Return the text and the entities of HTML as Telegram takes it; Refusal where it does not."""
    for rest in html.split("<")[1:]:
        if not re.match(r"/?[a-z-]+(\s[^<>]*)?>", rest, re.IGNORECASE):
            raise Refusal(400, "Bad Request: can't parse entities: unsupported start tag")
    parser = TelegramHTML()
    parser.feed(html)
    parser.close()
    if parser.open:
        raise Refusal(400, "Bad Request: can't parse entities: can't find end tag")
    return parser.text, parser.entities


def markup(params: Json) -> Json | None:
    """Return the keyboard under a message."""
    markup: Json | None = params.get("reply_markup")
    for row in (markup or {}).get("inline_keyboard", []):
        for button in row:
            if not button.get("text"):
                raise Refusal(400, "Bad Request: can't parse inline keyboard button: text is empty")
            if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= 64:
                raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")
    return markup


def integer(value: Any) -> int:
    """Read a number as Telegram does: what is none is 0."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
