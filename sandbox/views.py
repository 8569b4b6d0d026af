"""Messages of the Bot API in the form that the page shows."""

from typing import Any

from sandbox import rendering
from sandbox.telegram import BOT
from sandbox.telegram.checks import Json

MAX_QUOTE_LENGTH = 200  # characters
NAMES = {  # of messages without text
    "photo": "Картинка",
    "video": "Видео",
    "animation": "GIF",
    "audio": "Музыка",
    "voice": "Голосовое",
    "video_note": "Видеосообщение",
    "sticker": "Стикер",
    "venue": "Место",
    "location": "Место",
    "contact": "Контакт",
    "document": "Файл",
}
WITH_CAPTION = ("text", "photo", "video", "animation", "audio", "voice", "document")


def page_message(message: Json, reactions: list[Json], force_reply: Json | None = None) -> Json:
    """Convert a message of the Bot API for the page."""
    view: Json = {
        "message_id": message["message_id"],
        "at": message["date"],
        "is_own": is_own(message),
        "is_edited": is_own(message) and "edit_date" in message,
        "is_editable": is_own(message) and any(name in message for name in WITH_CAPTION),
        "buttons": buttons(message),
        "reply": _quote(message.get("reply_to_message")),
        "origin": _origin(message.get("forward_origin")),
        "group": message.get("media_group_id"),
        "has_spoiler": bool(message.get("has_media_spoiler")),
        "reactions": [reaction["emoji"] for reaction in reactions],
        "force_reply": force_reply,
        "photo": _photo_id(message),
        "text": message.get("text") or message.get("caption") or "",
        "entities": message.get("entities") or message.get("caption_entities") or [],
        "summary": summary(message),
    }
    if "rich_message" in message:
        view["html"] = rendering.html(message["rich_message"]["markdown"])
    for kind in ("video", "animation", "video_note", "audio", "voice", "sticker"):
        if kind in message:
            view["media"] = {"kind": kind, "name": NAMES[kind], **message[kind]}
    if "document" in message and "animation" not in message:
        document = message["document"]
        name, size = document.get("file_name", "file"), document["file_size"]
        view["document"] = {"file_id": document["file_id"], "name": name, "size": size}
    view["place"] = message.get("venue") or ({"location": message["location"]} if "location" in message else None)
    view["contact"] = message.get("contact")
    return view


def summary(message: Json) -> str:
    """Return what a message says, or the name of what it holds."""
    text = message.get("rich_message", {}).get("markdown") or message.get("text") or message.get("caption")
    name = message.get("document", {}).get("file_name") if "animation" not in message else None
    kind = next((NAMES[kind] for kind in NAMES if kind in message), "Сообщение")
    return str(text or name or kind)[:MAX_QUOTE_LENGTH]


def is_own(message: Json) -> bool:
    """Return whether the person sent a message."""
    return bool(message["from"]["id"] != BOT["id"])


def buttons(message: Json) -> list[list[Json]]:
    """Return the rows of buttons under a message."""
    rows: list[list[Json]] = message.get("reply_markup", {}).get("inline_keyboard", [])
    return rows


def file_ids(message: Json) -> set[str]:
    """Return the IDs of all files of a message."""
    media: list[Any] = [message.get(kind) for kind in NAMES if kind != "photo"]
    return {entry["file_id"] for entry in [*media, *message.get("photo", [])] if entry and "file_id" in entry}


def _photo_id(message: Json) -> str:
    sizes: list[Json] = message.get("photo", [])
    return str(sizes[-1]["file_id"]) if sizes else ""


def _quote(message: Json | None) -> Json | None:
    if not message:
        return None
    return {"message_id": message["message_id"], "is_own": is_own(message), "text": summary(message)}


def _origin(origin: Json | None) -> str:
    """Return from whom or where a message was forwarded."""
    if not origin:
        return ""
    chat = origin.get("chat") or origin.get("sender_chat") or {}
    user = origin.get("sender_user", {})
    return str(origin.get("sender_user_name") or chat.get("title") or user.get("first_name", "?"))
