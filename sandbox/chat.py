"""One person's private chat with the bot, as the page shows it.

The page gets numbered events: a message (new or changed), a draft, a chat action ("typing") or a toast.
"""

import math
import time
from typing import Any

from sandbox import rendering
from sandbox.telegram import BOT, World
from sandbox.telegram.checks import Json

MAX_QUOTE_LENGTH = 200  # characters
LIFETIME_S = {"draft": 60.0, "typing": 6.0, "toast": 6.0}  # kind of event → how long it is shown; messages stay


class Chat:
    """A person's chat: the events so far, and what the person can do."""

    def __init__(self, world: World, user_id: int) -> None:
        self._world = world
        self._user_id = user_id
        self._messages: dict[int, Json] = {}  # message_id → its latest version
        self._events: list[Json] = []
        self._seq = 0

    def events_after(self, seq: int) -> list[Json]:
        """Return the events after a sequence number, without those that are no longer shown."""
        return [event for event in self._events if event["seq"] > seq and not _is_expired(event)]

    def has_file(self, file_id: str) -> bool:
        """Return whether a file was sent in this chat."""
        return any(file_id in (_document_id(message), _photo_id(message)) for message in self._messages.values())

    # What the bot does

    def add_bot_event(self, event: Json) -> None:
        """Turn an event of the world into an event of the page."""
        if message := event.get("message"):
            is_new = message["message_id"] not in self._messages
            if is_new:  # as in Telegram, a new message ends the draft
                self._remove("draft", "typing")
            self._add_message(message)
        elif draft := event.get("draft"):
            is_rich = event["method"] == "sendRichMessageDraft"
            content = {"html": rendering.html(draft["text"])} if is_rich else {"text": draft["text"]}
            self._add("draft", **content, draft_id=draft["draft_id"], can_stop=draft["can_stop"])
        elif event["method"] == "sendChatAction":
            self._add("typing", action=event["action"])
        elif event["method"] == "answerCallbackQuery" and event["text"]:
            self._add("toast", text=event["text"])

    # What the person does. `body` is the JSON that the page posts.

    def say(self, body: Json) -> Json:
        """Send a text, possibly as a reply to a message."""
        return self._add_message(self._world.say(self._user_id, str(body["text"]), **self._reply_fields(body)))

    def send_file(self, name: str, content: bytes, caption: str, *, is_picture: bool) -> Json:
        """Send a document or a picture."""
        message = self._world.send_file(self._user_id, name, content, caption, is_picture=is_picture)
        return self._add_message(message)

    def edit(self, body: Json) -> Json:
        """Edit one of the person's own messages."""
        if not _is_own(self._messages[body["message_id"]]):
            raise ValueError("the bot's message")
        return self._add_message(self._world.edit(self._user_id, body["message_id"], str(body["text"])))

    def tap(self, body: Json) -> Json:
        """Tap a button under a message."""
        buttons = [button for row in _buttons(self._messages[body["message_id"]]) for button in row]
        if not any(button.get("callback_data") == body["data"] for button in buttons):
            raise ValueError("no such button")
        self._world.tap(self._user_id, self._user_id, body["message_id"], body["data"])
        return {}

    def stop(self, body: Json) -> Json:
        """Tap Stop under a draft."""
        self._world.stop_draft(self._user_id, int(body["draft_id"]))
        return {}

    def _reply_fields(self, body: Json) -> Json:
        if not body.get("reply_to"):
            return {}
        target = self._messages[body["reply_to"]]
        return {"reply_to_message": {key: value for key, value in target.items() if key != "reply_to_message"}}

    # Events

    def _add_message(self, message: Json) -> Json:
        self._messages[message["message_id"]] = message
        self._add("message", message=page_message(message))
        return {"message_id": message["message_id"]}

    def _add(self, kind: str, **fields: Any) -> None:
        if kind in LIFETIME_S:
            self._remove(kind)
        self._seq += 1
        self._events.append({"seq": self._seq, "kind": kind, "at": time.time(), **fields})

    def _remove(self, *kinds: str) -> None:
        self._events = [event for event in self._events if event["kind"] not in kinds]


def _is_expired(event: Json) -> bool:
    return time.time() - float(event["at"]) > LIFETIME_S.get(event["kind"], math.inf)


# Messages of the Bot API in the form that the page shows


def page_message(message: Json) -> Json:
    """Convert a message of the Bot API for the page."""
    view: Json = {
        "message_id": message["message_id"],
        "at": message["date"],
        "is_own": _is_own(message),
        "is_edited": _is_own(message) and "edit_date" in message,
        "buttons": _buttons(message),
        "reply": _quote(message.get("reply_to_message")),
        "photo": _photo_id(message),
        "text": message.get("text") or message.get("caption") or "",
        "entities": message.get("entities") or message.get("caption_entities") or [],
    }
    if "rich_message" in message:
        view["html"] = rendering.html(message["rich_message"]["markdown"])
    if document := message.get("document"):
        name, size = document["file_name"], document["file_size"]
        view["document"] = {"file_id": document["file_id"], "name": name, "size": size}
    return view


def _quote(message: Json | None) -> Json | None:
    if not message:
        return None
    text = message.get("rich_message", {}).get("markdown") or message.get("text") or message.get("caption")
    text = text or message.get("document", {}).get("file_name") or "Картинка"
    return {"message_id": message["message_id"], "is_own": _is_own(message), "text": text[:MAX_QUOTE_LENGTH]}


def _is_own(message: Json) -> bool:
    return bool(message["from"]["id"] != BOT["id"])


def _buttons(message: Json) -> list[list[Json]]:
    rows: list[list[Json]] = message.get("reply_markup", {}).get("inline_keyboard", [])
    return rows


def _document_id(message: Json) -> str:
    return str(message.get("document", {}).get("file_id", ""))


def _photo_id(message: Json) -> str:
    sizes: list[Json] = message.get("photo", [])
    return str(sizes[-1]["file_id"]) if sizes else ""
