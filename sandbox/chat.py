"""One person's private chat as the page shows it: the news of it, and what the person may do."""

import math
import time
from typing import Any

from sandbox import rendering
from sandbox.checks import Json
from sandbox.telegram import BOT, World

QUOTE_MOST = 200  # letters of a message that is replied to
LASTS_S = {"draft": 60.0, "typing": 6.0, "toast": 6.0}  # these pass; messages stay


class Chat:
    """One person's private chat: what happened in it, in order, and what the person may do."""

    def __init__(self, world: World, user_id: int) -> None:
        self._world = world
        self._user_id = user_id
        self._messages: dict[int, Json] = {}  # as they are now
        self._news: list[Json] = []
        self._seq = 0

    def since(self, seq: int) -> list[Json]:
        """Return the news after a number, but for what has passed meanwhile."""
        return [news for news in self._news if news["seq"] > seq and not _has_passed(news)]

    def has_file(self, file_id: str) -> bool:
        """Return whether a file was sent in this chat."""
        return any(file_id in (_document(message)[0], _photo(message)) for message in self._messages.values())

    # What the bot does

    def take(self, event: Json) -> None:
        """Take an event of the world over."""
        if message := event.get("message"):
            if message["message_id"] not in self._messages:  # else it is an edit
                self._forget("draft", "typing")  # as Telegram does, whatever message it is
            self._take_message(message)
        elif draft := event.get("draft"):
            is_rich = event["method"] == "sendRichMessageDraft"
            content = {"html": rendering.html(draft["text"])} if is_rich else {"text": draft["text"]}
            self._tell("draft", **content, draft_id=draft["draft_id"], can_stop=draft["can_stop"])
        elif event["method"] == "sendChatAction":
            self._tell("typing", action=event["action"])
        elif event["method"] == "answerCallbackQuery" and event["text"]:
            self._tell("toast", text=event["text"])

    # What the person does

    def say(self, body: Json) -> Json:
        """Send a text, in reply to a message or not."""
        return self._take_message(self._world.say(self._user_id, str(body["text"]), **self._reply(body)))

    def send_file(self, name: str, content: bytes, caption: str, *, is_picture: bool) -> Json:
        """Send a file, or a picture."""
        return self._take_message(
            self._world.send_file(self._user_id, name, content, caption, is_picture=is_picture)
        )

    def edit(self, body: Json) -> Json:
        """Change an own message."""
        if not _is_own(self._messages[body["message_id"]]):
            raise ValueError("the bot's message")
        return self._take_message(self._world.edit(self._user_id, body["message_id"], str(body["text"])))

    def tap(self, body: Json) -> Json:
        """Press a button under a message."""
        buttons = [button for row in _buttons(self._messages[body["message_id"]]) for button in row]
        if not any(button.get("callback_data") == body["data"] for button in buttons):
            raise ValueError("no such button")
        self._world.tap(self._user_id, self._user_id, body["message_id"], body["data"])
        return {}

    def stop(self, body: Json) -> Json:
        """Press Stop under a draft."""
        self._world.stop_draft(self._user_id, int(body["draft_id"]))
        return {}

    def _reply(self, body: Json) -> Json:
        if not body.get("reply_to"):
            return {}
        target = self._messages[body["reply_to"]]
        return {"reply_to_message": {key: value for key, value in target.items() if key != "reply_to_message"}}

    def _take_message(self, message: Json) -> Json:
        self._messages[message["message_id"]] = message
        self._tell("message", message=shown(message))
        return {"message_id": message["message_id"]}

    def _tell(self, kind: str, **what: Any) -> None:
        if kind in LASTS_S:
            self._forget(kind)
        self._seq += 1
        self._news.append({"seq": self._seq, "kind": kind, "at": time.time(), **what})

    def _forget(self, *kinds: str) -> None:
        self._news = [news for news in self._news if news["kind"] not in kinds]


def _has_passed(news: Json) -> bool:
    return time.time() - float(news["at"]) > LASTS_S.get(news["kind"], math.inf)


# How a message is shown -------------------------------------------------------------------------------------


def shown(message: Json) -> Json:
    """Return a message as the page takes it."""
    view: Json = {
        "message_id": message["message_id"],
        "at": message["date"],
        "is_own": _is_own(message),
        "is_edited": _is_own(message) and "edit_date" in message,
        "buttons": _buttons(message),
        "reply": _quote(message.get("reply_to_message")),
        "photo": _photo(message),
        "text": message.get("text") or message.get("caption") or "",
        "entities": message.get("entities") or message.get("caption_entities") or [],
    }
    if "rich_message" in message:
        view["html"] = rendering.html(message["rich_message"]["markdown"])
    file_id, document = _document(message)
    if file_id:
        view["document"] = {"file_id": file_id, "name": document["file_name"], "size": document["file_size"]}
    return view


def _quote(message: Json | None) -> Json | None:
    if not message:
        return None
    text = message.get("rich_message", {}).get("markdown") or message.get("text") or message.get("caption")
    text = text or message.get("document", {}).get("file_name") or "Картинка"
    return {"message_id": message["message_id"], "is_own": _is_own(message), "text": text[:QUOTE_MOST]}


def _is_own(message: Json) -> bool:
    return bool(message["from"]["id"] != BOT["id"])


def _buttons(message: Json) -> list[list[Json]]:
    rows: list[list[Json]] = message.get("reply_markup", {}).get("inline_keyboard", [])
    return rows


def _document(message: Json) -> tuple[str, Json]:
    document: Json = message.get("document", {})
    return document.get("file_id", ""), document


def _photo(message: Json) -> str:
    sizes: list[Json] = message.get("photo", [])
    return str(sizes[-1]["file_id"]) if sizes else ""
