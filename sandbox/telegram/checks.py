"""Parameter checks of the Bot API; a refused call gets the words of api.telegram.org."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token

Json = dict[str, Any]

MAX_TEXT_LENGTH, MAX_CAPTION_LENGTH, MAX_MARKDOWN_LENGTH = 4096, 1024, 32768  # characters
MAX_CALLBACK_DATA_BYTES, MAX_TOAST_LENGTH = 64, 200
MAX_RICH_BLOCKS, MAX_RICH_LEVELS, MAX_RICH_COLUMNS = 500, 16, 20
CHAT_ACTIONS = frozenset(
    [
        *("typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice"),
        *("upload_document", "choose_sticker", "find_location", "record_video_note", "upload_video_note"),
    ]
)
MAX_UPLOAD_BYTES, MAX_PHOTO_BYTES, MAX_DOWNLOAD_BYTES = 50 * 2**20, 10 * 2**20, 20 * 2**20
REFUSED_MARKDOWN = "sandbox:refused"  # a rich message that contains this is refused


_rich_parser = MarkdownIt("commonmark", {"html": True, "maxNesting": 100}).enable(["table", "strikethrough"])


class Refusal(Exception):
    """An error response of the Bot API: a status, a description and optional parameters."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


@dataclass(frozen=True)
class Upload:
    """A file sent within a call."""

    name: str
    content: bytes


def check_upload(file: Upload, max_bytes: int) -> None:
    """Refuse a file that is empty or too large."""
    if not file.content:
        raise Refusal(400, "Bad Request: file must be non-empty")
    if len(file.content) > max_bytes:
        raise Refusal(413, "Request Entity Too Large")


def message_text(params: Json) -> Json:
    """Return the `text` and `entities` of a message."""
    text, entities = _parse_text(params, "text")
    if not text.strip():
        raise Refusal(400, "Bad Request: message text is empty")
    if len(text) > MAX_TEXT_LENGTH:
        raise Refusal(400, "Bad Request: message is too long")
    return {"text": text, "entities": entities} if entities else {"text": text}


def caption(params: Json) -> Json:
    """Return the `caption` and `caption_entities` of a file, or {} without a caption."""
    if not params.get("caption"):
        return {}
    text, entities = _parse_text(params, "caption")
    if not text.strip():
        raise Refusal(400, "Bad Request: message caption is empty")
    if len(text) > MAX_CAPTION_LENGTH:
        raise Refusal(400, "Bad Request: message caption is too long")
    return {"caption": text, "caption_entities": entities} if entities else {"caption": text}


def _parse_text(params: Json, name: str) -> tuple[str, list[Json]]:
    """Return a parameter's text and its entities, as a message stores them."""
    text = str(params.get(name) or "")
    if not params.get("parse_mode"):
        return text.strip(), []
    if params["parse_mode"].upper() != "HTML":
        raise Refusal(400, "Bad Request: unsupported parse_mode")
    text, entities = _parse_html(text)
    # Spaces at the start stay when there are entities: their offsets count them.
    return (text.rstrip() if entities else text.strip()), entities


def rich_markdown(params: Json) -> str:
    """Return the Markdown of a rich message."""
    rich = params.get("rich_message")
    markdown = str(rich.get("markdown") or "").strip() if isinstance(rich, dict) else ""
    if not markdown:
        raise Refusal(400, "Bad Request: rich message is empty")
    if len(markdown) > MAX_MARKDOWN_LENGTH:
        raise Refusal(400, "Bad Request: rich message is too long")
    if REFUSED_MARKDOWN in markdown:
        raise Refusal(400, "Bad Request: can't parse rich message")
    _check_rich_blocks(_rich_parser.parse(markdown))
    return markdown


def split_text(text: str) -> list[str]:
    """Return the messages into which a client splits a text: it cuts at a space near the end, if there is one."""
    parts = []
    while len(text) > MAX_TEXT_LENGTH:
        space = max(text.rfind(" ", MAX_TEXT_LENGTH - 300, MAX_TEXT_LENGTH), text.rfind("\n", 0, MAX_TEXT_LENGTH))
        end = space if space >= MAX_TEXT_LENGTH - 300 else MAX_TEXT_LENGTH
        parts.append(text[:end].strip())
        text = text[end:].strip()
    return [*parts, text] if text else parts


def _check_rich_blocks(tokens: list[Token]) -> None:
    """Refuse Markdown over the limits, and what the bot must never pass on from a model.

    Telegram would fetch an image, and turn HTML into media and buttons. There are no images here, so each one is
    refused like a dead one; HTML is refused because a test would not notice it otherwise.
    """
    inline = [child for token in tokens for child in token.children or []]
    if any(token.type == "image" for token in inline):
        raise Refusal(400, "Bad Request: RICH_MESSAGE_PHOTO_NO_MEDIA_FOUND")
    if any(token.type.startswith("html") for token in (*tokens, *inline)):
        raise Refusal(400, "Bad Request: the sandbox accepts no HTML in rich messages")
    cells = ("th_open", "td_open")
    blocks = [token for token in tokens if token.nesting >= 0 and token.type not in ("inline", *cells)]
    if len(blocks) > MAX_RICH_BLOCKS:
        raise Refusal(400, "Bad Request: RICH_MESSAGE_BLOCKS_TOO_MANY")
    if any(token.level > MAX_RICH_LEVELS for token in tokens):
        raise Refusal(400, "Bad Request: RICH_MESSAGE_DEPTH_TOO_LARGE")
    columns = 0
    for token in tokens:
        columns = 0 if token.type == "tr_open" else columns + (token.type in cells)
        if columns > MAX_RICH_COLUMNS:
            raise Refusal(400, "Bad Request: RICH_MESSAGE_TABLE_TOO_WIDE")


def reply_markup(params: Json) -> Json | None:
    """Return the keyboard under a message, or None."""
    markup: Json | None = params.get("reply_markup")
    for row in (markup or {}).get("inline_keyboard", []):
        for button in row:
            _check_button(button)
    return markup


def _check_button(button: Json) -> None:
    if not button.get("text"):
        raise Refusal(400, "Bad Request: can't parse inline keyboard button: text is empty")
    if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= MAX_CALLBACK_DATA_BYTES:
        raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")


def to_integer(value: Any) -> int:
    """Return a parameter as an integer; like Telegram, take anything that is not a number as 0."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


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
        self.open_tags.append((tag, _utf16_length(self.text), link))

    def handle_endtag(self, tag: str) -> None:
        """Close the last entity."""
        if not self.open_tags or self.open_tags[-1][0] != tag:
            raise Refusal(400, "Bad Request: can't parse entities: unexpected end tag")
        _, offset, link = self.open_tags.pop()
        entity_type = self.ENTITY_TYPES.get(tag, tag)
        length = _utf16_length(self.text) - offset
        self.entities.append({"type": entity_type, "offset": offset, "length": length, **link})

    def handle_data(self, data: str) -> None:
        """Add text."""
        self.text += data


def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _parse_html(html: str) -> tuple[str, list[Json]]:
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
