"""Parameter checks of the Bot API; a refused call gets the words of api.telegram.org."""

import re
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from sandbox.telegram import entities as formatting
from sandbox.telegram.entities import Json as Json
from sandbox.telegram.entities import Refusal as Refusal

MAX_TEXT_LENGTH, MAX_CAPTION_LENGTH, MAX_MARKDOWN_LENGTH = 4096, 1024, 32768  # characters
MAX_CALLBACK_DATA_BYTES, MAX_TOAST_LENGTH = 64, 200
MAX_COPY_TEXT_LENGTH, MAX_PLACEHOLDER_LENGTH = 256, 64
BUTTON_ACTIONS = frozenset(
    [
        *(
            "url",
            "callback_data",
            "web_app",
            "login_url",
            "switch_inline_query",
            "switch_inline_query_current_chat",
        ),
        *("switch_inline_query_chosen_chat", "copy_text", "callback_game", "pay"),
    ]
)
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
    text, entities = _parse_text(params, "text", "entities")
    if not text:
        raise Refusal(400, "Bad Request: message text is empty")
    if len(text) > MAX_TEXT_LENGTH:
        raise Refusal(400, "Bad Request: message is too long")
    return {"text": text, "entities": entities} if entities else {"text": text}


def caption(params: Json) -> Json:
    """Return the `caption` and `caption_entities` of a file, or {} without a caption."""
    text, entities = _parse_text(params, "caption", "caption_entities")
    if len(text) > MAX_CAPTION_LENGTH:
        raise Refusal(400, "Bad Request: message caption is too long")
    if not text:
        return {}
    return {"caption": text, "caption_entities": entities} if entities else {"caption": text}


def _parse_text(params: Json, name: str, entities_name: str) -> tuple[str, list[Json]]:
    """Return a parameter's text and its entities, as a message stores them."""
    text, parse_mode = str(params.get(name) or ""), params.get("parse_mode")
    if parse_mode and params.get(entities_name):
        raise Refusal(400, "Bad Request: the sandbox accepts parse_mode or entities, not both")
    if not parse_mode:
        return formatting.normalize(text, formatting.check(text, params.get(entities_name)))
    if parse_mode.upper() != "HTML":
        raise Refusal(400, "Bad Request: unsupported parse_mode")
    return formatting.normalize(*formatting.parse_html(text))


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
        parts.append(text[:end])
        text = text[end:]
    return [*parts, text]


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


def reply_markup(params: Json) -> Json:
    """Return the keyboard under a message, or {}."""
    markup: Json = params.get("reply_markup") or {}
    for row in markup.get("inline_keyboard", []):
        for button in row:
            _check_button(button)
    placeholder = markup.get("input_field_placeholder", "")
    if "force_reply" in markup and (
        markup["force_reply"] is not True or len(placeholder) > MAX_PLACEHOLDER_LENGTH
    ):
        raise Refusal(400, "Bad Request: object expected as reply markup")
    return markup


def _check_button(button: Json) -> None:
    if not button.get("text"):
        raise Refusal(400, "Bad Request: can't parse inline keyboard button: text is empty")
    actions = BUTTON_ACTIONS & set(button)
    if not actions:
        raise Refusal(
            400,
            "Bad Request: can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        )
    if len(actions) > 1:
        raise Refusal(400, f"Bad Request: the sandbox accepts one action of a button, not {sorted(actions)}")
    if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= MAX_CALLBACK_DATA_BYTES:
        raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")
    if "url" in button and not re.match(r"(https?|tg)://\S+$", button["url"]):
        raise Refusal(400, "Bad Request: BUTTON_URL_INVALID")
    if "copy_text" in button and not 1 <= len(button["copy_text"].get("text", "")) <= MAX_COPY_TEXT_LENGTH:
        raise Refusal(400, "Bad Request: BUTTON_COPY_TEXT_INVALID")


def to_integer(value: Any) -> int:
    """Return a parameter as an integer; like Telegram, take anything that is not a number as 0."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
