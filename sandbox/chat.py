"""One person's private chat with the bot, as the page shows it.

The page gets numbered events: a message (new or changed), a draft, a chat action ("typing") or a toast.
"""

import json
import math
import time
from typing import Any

from sandbox import rendering
from sandbox.telegram import BOT, World, from_channel, from_user, parse_html
from sandbox.telegram.checks import Json
from sandbox.telegram.media_methods import MAX_ALBUM
from sandbox.views import WITH_CAPTION, buttons, file_ids, is_own, page_message

SAMPLE_CAPTION = "Три фото одним альбомом"
SAMPLE_POST = "<b>Вышел Python 3.15</b>\nГлавное — <a href='https://docs.python.org/3/'>в документации</a>."
DAY_S = 24 * 60 * 60
SAMPLE_NOTES = [  # days ago, text
    (13, "Прочитать главу об индексах SQLite #учёба"),
    (12, "Шарлотка: 4 яйца, стакан сахара, стакан муки, 5 яблок"),
    (12, "Размер кольца — 17"),
    (10, "Сдать домашнее задание по Python до пятницы #учёба"),
    (9, "Поменять шины до первого снега"),
    (9, "Билеты на поезд в почте, отправление в 7:12"),
    (7, "Идея: бот, который напоминает полить цветы"),
    (5, "Подарок маме — тёплый шарф, купить заранее #праздник"),
    (5, "К празднику купить: гирлянду, мандарины, звезду на ёлку #праздник"),
    (4, "Врач 3 декабря в 10:30, взять полис"),
    (2, "Фильм на выходные: «Ирония судьбы»"),
    (1, "Спросить Бориса про лыжи"),
]
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
        return any(file_id in file_ids(message) for message in self._messages.values())

    # What the bot does

    def add_bot_event(self, event: Json) -> None:
        """Turn an event of the world into an event of the page."""
        if message := event.get("message"):
            is_new = message["message_id"] not in self._messages
            if is_new:  # as in Telegram, a new message ends the draft
                self._remove("draft", "typing")
            self._add_message(message, event.get("force_reply"))
        elif draft := event.get("draft"):
            is_rich = event["method"] == "sendRichMessageDraft"
            content = {"html": rendering.html(draft["text"])} if is_rich else {"text": draft["text"]}
            self._add("draft", **content, draft_id=draft["draft_id"], can_stop=draft["can_stop"])
        elif event["method"] == "setMessageReaction" and event["message_id"] in self._messages:
            self._add_message(self._messages[event["message_id"]])
        elif event["method"] == "sendChatAction":
            self._add("typing", action=event["action"])
        elif event["method"] == "answerCallbackQuery" and event["text"]:
            self._add("toast", text=event["text"])

    # What the person does. `body` is the JSON that the page posts.

    def say(self, body: Json) -> Json:
        """Send a text, possibly formatted or as a reply to a message."""
        entities = body.get("entities") or []
        first = self._world.say(self._user_id, str(body["text"]), entities=entities, **self._reply_fields(body))
        # A long text is sent as several messages.
        for message_id, message in list(self._world.messages[self._user_id].items()):
            if message_id >= first["message_id"] and is_own(message):
                self._add_message(message)
        return {}

    def send_files(self, kind: str, files: list[tuple[str, str, bytes]], body: Json) -> Json:
        """Send files (name, type, content): one as a message, several as albums of up to ten."""
        parts = [self._media(kind, *file) for file in files]
        fields: Json = {"caption": str(body.get("text", "")), "caption_entities": body.get("entities") or []}
        for start in range(0, len(parts), MAX_ALBUM):
            self._send_parts(parts[start : start + MAX_ALBUM], {**fields, **self._reply_fields(body)})
            fields = {}
        return {}

    def _media(self, kind: str, name: str, content_type: str, content: bytes) -> Json:
        if kind == "voice":
            return self._world.media(kind, content, mime_type=content_type.partition(";")[0])
        if kind == "document":
            return self._world.media(kind, content, file_name=name)
        return self._world.media(kind, content)

    def _send_parts(self, parts: list[Json], fields: Json) -> None:
        if len(parts) == 1:
            self._add_message(self._world.send(self._user_id, {**parts[0], **fields}))
        else:
            for message in self._world.send_album(self._user_id, parts, **fields):
                self._add_message(message)

    def send_sample(self, body: Json) -> Json:
        """Send a sample: a voice message, a place, …, an album, a post of a channel or a file of notes."""
        kind = str(body["kind"])
        if kind == "album":
            self._send_parts([self._world.media("photo") for _ in range(3)], {"caption": SAMPLE_CAPTION})
        elif kind == "post":
            text, entities = parse_html(SAMPLE_POST)
            origin = from_channel("Новости Питона", username="sandbox_news")
            content = {"text": text, "entities": entities}
            self._add_message(self._world.forward(self._user_id, content, origin))
        elif kind == "notes":
            file = self._world.media("document", _sample_notes(), file_name="notes.json")
            self._send_parts([file], {"caption": "/note_import"})
        else:
            self._add_message(self._world.send_media(self._user_id, kind))
        return {}

    def forward(self, body: Json) -> Json:
        """Forward a message of this chat to the bot; a message that was forwarded keeps its origin."""
        message = self._messages[body["message_id"]]
        sender = from_user(self._user_id) if is_own(message) else from_user(BOT["id"], **BOT)
        origin = message.get("forward_origin") or {**sender, "date": message["date"]}
        content = {name: value for name, value in message.items() if name != "media_group_id"}
        return self._add_message(self._world.forward(self._user_id, content, origin))

    def edit(self, body: Json) -> Json:
        """Edit the text or the caption of one of the person's own messages."""
        message = self._messages[body["message_id"]]
        if not is_own(message) or not any(name in message for name in WITH_CAPTION):
            raise ValueError("this message has no text that can be edited")
        entities = body.get("entities") or []
        edited = self._world.edit(self._user_id, body["message_id"], str(body["text"]), entities=entities)
        return self._add_message(edited)

    def tap(self, body: Json) -> Json:
        """Tap a button under a message."""
        found = [button for row in buttons(self._messages[body["message_id"]]) for button in row]
        if not any(button.get("callback_data") == body["data"] for button in found):
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
        return {"reply_to_message": self._messages[body["reply_to"]]}

    # Events

    def _add_message(self, message: Json, force_reply: Json | None = None) -> Json:
        self._messages[message["message_id"]] = message
        reactions = self._world.reactions.get((self._user_id, message["message_id"]), [])
        self._add("message", message=page_message(message, reactions, force_reply))
        return {"message_id": message["message_id"]}

    def _add(self, kind: str, **fields: Any) -> None:
        if kind in LIFETIME_S:
            self._remove(kind)
        self._seq += 1
        self._events.append({"seq": self._seq, "kind": kind, "at": time.time(), **fields})

    def _remove(self, *kinds: str) -> None:
        self._events = [event for event in self._events if event["kind"] not in kinds]


def _sample_notes() -> bytes:
    """Return SAMPLE_NOTES as a file that /note_import reads."""
    noon = int(time.time()) // DAY_S * DAY_S + DAY_S // 2
    notes = [
        {"text": text, "created_at": noon - days * DAY_S + n * 60} for n, (days, text) in enumerate(SAMPLE_NOTES)
    ]
    return json.dumps({"format": "notes-bot", "version": 1, "notes": notes}).encode()


def _is_expired(event: Json) -> bool:
    return time.time() - float(event["at"]) > LIFETIME_S.get(event["kind"], math.inf)
