"""The state of the emulated Telegram, and what people do in it."""

import copy
import time
from collections import defaultdict
from typing import Any

from sandbox.telegram import checks
from sandbox.telegram import entities as formatting
from sandbox.telegram.checks import Json
from sandbox.telegram.faults import Faults
from sandbox.telegram.files import FileStore, sample
from sandbox.telegram.flood_limits import FloodLimits
from sandbox.telegram.people import ANONYMOUS_ADMIN, CHANNEL_USER, person
from sandbox.telegram.update_queue import UpdateQueue

TOKEN = "100000001:the-sandbox-is-not-the-real-telegram"
BOT: Json = {"id": 100000001, "is_bot": True, "first_name": "Заметки", "username": "sandbox_notes_bot"}

# What a message without a file holds; a sample of each.
PLACES_AND_PEOPLE: dict[str, Json] = {
    "location": {"latitude": 59.9398, "longitude": 30.3146},
    "venue": {
        "location": {"latitude": 59.9398, "longitude": 30.3146},
        "title": "Эрмитаж",
        "address": "Дворцовая площадь, 2",
    },
    "contact": {"phone_number": "+79001234567", "first_name": "Мария", "last_name": "Иванова", "user_id": 77},
}
CONTENT_FIELDS = (  # what a forwarded message keeps
    *("text", "entities", "caption", "caption_entities", "rich_message", "media_group_id"),
    *("photo", "document", "video", "animation", "audio", "voice", "video_note", "sticker"),
    *("location", "venue", "contact"),
)


class World(UpdateQueue):
    """The state of the emulated Telegram, and what people do in it.

    Every method may be called from any thread.
    """

    def __init__(self, token: str = TOKEN) -> None:
        super().__init__()
        self.token = token
        self.bot = BOT  # what getMe returns
        self.faults = Faults()
        self.blocked: set[int] = set()  # people who blocked the bot
        self.hanging_chats: set[int] = set()  # calls for them get no answer while they are here
        self.flood_limits: FloodLimits | None = None  # refuses calls that come too often
        self.commands: list[Json] = []  # the bot's menu
        self.events: list[Json] = []  # what the bot did: {"seq", "at", "method", "chat_id", "message", …}
        self.calls: list[tuple[str, Json]] = []  # method and parameters of every call, refused calls included
        self.paths: list[str] = []  # the URL path and query of every call
        self.file_store = FileStore(BOT["id"])
        self.files = self.file_store.contents  # file_id → content
        self.chats: dict[int, Json] = {}
        self.messages: dict[int, dict[int, Json]] = defaultdict(dict)  # chat_id → message_id → message
        self.upgraded: dict[int, int] = {}  # the old id of a group that became a supergroup → the new one
        self.topics: dict[int, set[int]] = {}  # a chat with topics → the ids of its topics, without General
        self.closed_general: set[int] = set()  # chats whose topic General is closed
        self.reactions: dict[tuple[int, int], list[Json]] = {}  # (chat_id, message_id) → reactions of the bot
        self.open_queries: dict[str, int] = {}  # callback_query_id → chat_id, until the bot answers it
        self._group_count = 0
        self._next_message: dict[int, int] = defaultdict(lambda: 1)

    # What people do

    def say(self, user_id: int, text: str, *, chat_id: int | None = None, **fields: Any) -> Json:
        """Send a text message from a person, in private or in a group; return the message as the bot gets it.

        Like a client, split a text that is too long for one message; return the first of its messages then.
        """
        entities = fields.pop("entities", [])
        with self._changed:
            first, *others = checks.split_text(text)
            end = formatting.utf16_length(first)
            own = formatting.part(entities, 0, end) if others else entities
            message = self.send(user_id, {"text": first, "entities": own, **fields}, chat_id=chat_id)
            for part in others:
                start, end = end, end + formatting.utf16_length(part)
                own = formatting.part(entities, start, end)
                self.send(user_id, {"text": part, "entities": own}, chat_id=chat_id)
            return message

    def say_as_chat(self, sender_chat: Json, text: str, chat_id: int, **fields: Any) -> Json:
        """Send a text to a group in the name of a channel, or of the group as an anonymous administrator."""
        fake_user = ANONYMOUS_ADMIN if sender_chat["id"] == chat_id else CHANNEL_USER
        content = {"text": text, "from": fake_user, "sender_chat": sender_chat, **fields}
        return self.send(fake_user["id"], content, chat_id=chat_id)

    def upgrade_group(self, chat_id: int, *, is_announced: bool = True) -> int:
        """Make a group a supergroup, with or without the two service messages; return its new id."""
        with self._changed:
            new_id = -(10**12) + chat_id
            self.upgraded[chat_id] = new_id
            self.chats[chat_id]["type"] = "group"
            self.chats[new_id] = {**self.chats[chat_id], "id": new_id, "type": "supergroup"}
            if is_announced:
                self.send(ANONYMOUS_ADMIN["id"], {"migrate_to_chat_id": new_id}, chat_id=chat_id)
                self.send(ANONYMOUS_ADMIN["id"], {"migrate_from_chat_id": chat_id}, chat_id=new_id)
            return new_id

    def send(self, user_id: int, content: Json, *, chat_id: int | None = None) -> Json:
        """Send a message with any content from a person; return the message as the bot gets it."""
        with self._changed:
            chat = self._chat(user_id, chat_id)
            message = self.add_message(chat, {"from": person(user_id), **_as_received(content)})
            self.update({"message": message})
            return message

    def media(self, kind: str, content: bytes = b"", **details: Any) -> Json:
        """Return the content of a message with a photo, document, video, animation, audio, voice, video_note,
        sticker, location, venue or contact; without `content` it is a sample. `details` are fields of its object.
        """
        if kind in PLACES_AND_PEOPLE:
            about = {**PLACES_AND_PEOPLE[kind], **details}
            return {kind: about, "location": about["location"]} if kind == "venue" else {kind: about}
        if kind == "document":
            details = {"file_name": "образец.txt", **details}
        return _media_fields(kind, self.file_store.add(kind, content or sample(kind), **details))

    def known_media(self, kind: str, file_id: str) -> Json:
        """Return the content of a message with a file that was sent before; refuse a file_id as Telegram would."""
        return _media_fields(kind, self.file_store.find(kind, file_id))

    def send_media(
        self,
        user_id: int,
        kind: str,
        content: bytes = b"",
        *,
        details: Json | None = None,
        chat_id: int | None = None,
        **fields: Any,
    ) -> Json:
        """Send a file, a place or a contact from a person; `fields` are those of the message: caption, …"""
        with self._changed:
            return self.send(user_id, {**self.media(kind, content, **details or {}), **fields}, chat_id=chat_id)

    def send_album(
        self, user_id: int, parts: list[Json], *, captioned: int = 0, chat_id: int | None = None, **fields: Any
    ) -> list[Json]:
        """Send contents made by media() as an album; one of the messages gets the `fields`: caption, …

        `batch_sizes` decides in which batches the bot gets them.
        """
        with self._changed:
            group = {"media_group_id": self.new_group_id()}
            return [
                self.send(user_id, {**part, **group, **(fields if n == captioned else {})}, chat_id=chat_id)
                for n, part in enumerate(parts)
            ]

    def forward(
        self, user_id: int, message: Json, origin: Json, *, chat_id: int | None = None, **fields: Any
    ) -> Json:
        """Forward a message, or its content; `origin` comes from from_user(), from_channel(), …"""
        content = {name: message[name] for name in CONTENT_FIELDS if name in message}
        return self.send(user_id, {**content, "forward_origin": origin, **fields}, chat_id=chat_id)

    def edit(
        self,
        user_id: int,
        message_id: int,
        text: str,
        *,
        entities: list[Json] | None = None,
        chat_id: int | None = None,
    ) -> Json:
        """Edit the text or the caption of a person's own message; return the message as the bot gets it."""
        with self._changed:
            chat = self._chat(user_id, chat_id)
            old = self.messages[chat["id"]][message_id]
            name, entities_name = ("text", "entities") if "text" in old else ("caption", "caption_entities")
            kept = {key: value for key, value in old.items() if key not in (name, entities_name)}
            edited = _as_received({name: text, entities_name: entities or []})
            message = {**kept, **edited, "edit_date": int(time.time())}
            self.messages[chat["id"]][message_id] = message
            self.update({"edited_message": message})
            return message

    def send_file(
        self,
        user_id: int,
        name: str,
        content: bytes,
        caption: str = "",
        *,
        chat_id: int | None = None,
        is_picture: bool = False,
    ) -> Json:
        """Send a document or a picture from a person; return the message as the bot gets it."""
        kind, details = ("photo", {}) if is_picture else ("document", {"file_name": name})
        return self.send_media(user_id, kind, content, details=details, caption=caption, chat_id=chat_id)

    def tap(self, user_id: int, chat_id: int, message_id: int, data: str) -> str:
        """Tap a button under a message; return the ID of the callback query."""
        with self._changed:
            query_id = f"{self._next_update}00"
            self.open_queries[query_id] = chat_id
            query = {
                "id": query_id,
                "from": person(user_id),
                "message": self.messages[chat_id][message_id],
                "chat_instance": str(chat_id),
                "data": data,
            }
            self.update({"callback_query": query})
            return query_id

    def stop_draft(self, chat_id: int, draft_id: int) -> None:
        """Tap Stop under a draft."""
        with self._changed:
            stopped = {"chat": self.chats[chat_id], "draft_id": draft_id, "field_of_a_future_version": True}
            self.update({"stopped_message_generation": stopped})

    def _chat(self, user_id: int, chat_id: int | None) -> Json:
        if chat_id is None or chat_id == user_id:
            chat = {"id": user_id, "type": "private", "first_name": person(user_id)["first_name"]}
        else:
            chat = {"id": chat_id, "type": "supergroup", "title": "Общий чат"}
        return self.chats.setdefault(int(chat["id"]), chat)

    # Messages, files and events

    def add_message(self, chat: Json, content: Json) -> Json:
        """Store a message from anybody and return it."""
        message_id = self._next_message[chat["id"]]
        self._next_message[chat["id"]] += 1
        message = {"message_id": message_id, "date": int(time.time()), "chat": chat, **content}
        self.messages[chat["id"]][message_id] = message
        return message

    def new_group_id(self) -> str:
        """Return the media_group_id of a new album."""
        self._group_count += 1
        return str(13_000_000_000_000_000 + self._group_count)

    def add_event(self, method: str, chat_id: int, **details: Any) -> None:
        """Record what the bot did."""
        event = {"seq": len(self.events) + 1, "at": time.time(), "method": method, "chat_id": chat_id}
        self.events.append({**event, **details})

    def events_of(self, chat_id: int) -> list[Json]:
        """Return what the bot did in a chat."""
        with self._changed:
            return [event for event in self.events if event["chat_id"] == chat_id]


def _media_fields(kind: str, media: Any) -> Json:
    """Return the fields of a message with a file; clients that know no animations see a document."""
    if kind != "animation":
        return {kind: media}
    names = ("file_id", "file_unique_id", "file_name", "mime_type", "file_size")
    return {kind: media, "document": {name: media[name] for name in names}}


def _as_received(content: Json) -> Json:
    """Return the content of a message as the bot gets it: without spaces around texts, with what Telegram adds."""
    content = dict(content)
    for name, entities_name in (("text", "entities"), ("caption", "caption_entities")):
        entities = content.get(entities_name) or []
        if isinstance(content.get(name), str) and all(map(formatting.is_well_formed, entities)):
            content[name], content[entities_name] = formatting.normalize(content[name], entities)
        if not content.get(entities_name):
            content.pop(entities_name, None)
    if content.get("caption") == "":
        del content["caption"]
    target = content.get("reply_to_message")
    if isinstance(target, dict):
        content["reply_to_message"] = without_reply(target)
    return content


def without_reply(message: Json) -> Json:
    """Return a message as the target of a reply: Telegram shows one level only."""
    return {name: copy.deepcopy(value) for name, value in message.items() if name != "reply_to_message"}
