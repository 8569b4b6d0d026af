"""The plain text of rich messages, which people type in newer clients or forward, also from the bot itself.

The shapes follow https://core.telegram.org/bots/api#richmessage. Unknown kinds of blocks lose only what is in
fields that no known kind has.
"""

from typing import Any

from json_values import as_list

TEXT_FIELDS = ("summary", "text", "expression")  # of a block, before its content
END_FIELDS = ("caption", "credit")  # of a block, after its content


def rich_message_text(message: Any) -> str:
    """Return the text of a rich message, one empty line between its blocks; "" for anything else."""
    return _blocks_text(message.get("blocks"), "\n\n") if isinstance(message, dict) else ""


def _blocks_text(blocks: Any, separator: str) -> str:
    return separator.join(filter(None, map(_block_text, as_list(blocks))))


def _block_text(block: Any) -> str:
    if not isinstance(block, dict):
        return ""
    lines = [_text(block.get(name)) for name in TEXT_FIELDS]
    lines.append(_blocks_text(block.get("blocks"), "\n"))
    lines += map(_list_item_text, as_list(block.get("items")))
    lines += map(_table_row_text, as_list(block.get("cells")))
    lines += [_text(block.get(name)) for name in END_FIELDS]
    return "\n".join(filter(None, lines))


def _list_item_text(item: Any) -> str:
    text = _block_text(item)
    label = _text(item.get("label")) if isinstance(item, dict) else ""
    return f"{label} {text}".strip()


def _table_row_text(row: Any) -> str:
    return " | ".join(map(_text, as_list(row)))


def _text(value: Any) -> str:
    """Return a text that is a string, a list of texts, or an object with a text, such as a link."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(_text, value))
    if not isinstance(value, dict):
        return ""
    names = ("text", "alternative_text", "expression", "button", "credit")
    text = "".join(_text(value.get(name)) for name in names)
    url = value.get("url")
    is_hidden_link = value.get("type") == "url" and isinstance(url, str) and text not in url
    return f"{text} ({url})" if is_hidden_link else text
