"""The state of the emulated Telegram: chats, messages, files and the queue of updates."""

import asyncio
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.telegram import checks
from sandbox.telegram.checks import Json, Refusal
from sandbox.telegram.faults import Faults
from sandbox.telegram.flood_limits import FloodLimits

TOKEN = "100000001:the-sandbox-is-not-the-real-telegram"
BOT: Json = {"id": 100000001, "is_bot": True, "first_name": "Заметки", "username": "sandbox_notes_bot"}
MAX_UPDATES_PER_POLL = 100
MAX_POLL_S = 50


ANONYMOUS_ADMIN: Json = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
CHANNEL_USER: Json = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}


def person(user_id: int) -> Json:
    """Return a person as a User object of the Bot API."""
    return {"id": user_id, "is_bot": False, "first_name": f"Гость {user_id}", "language_code": "ru"}


class World:
    """The state of the emulated Telegram, and what people do in it.

    Every method may be called from any thread.
    """

    def __init__(self, token: str = TOKEN) -> None:
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
        self.files: dict[str, bytes] = {}  # file_id → content
        self.chats: dict[int, Json] = {}
        self.messages: dict[int, dict[int, Json]] = defaultdict(dict)  # chat_id → message_id → message
        self.upgraded: dict[int, int] = {}  # the old id of a group that became a supergroup → the new one
        self.topics: dict[int, set[int]] = {}  # a chat with topics → the ids of its topics, without General
        self.closed_general: set[int] = set()  # chats whose topic General is closed
        self.open_queries: dict[str, int] = {}  # callback_query_id → chat_id, until the bot answers it
        self.poll_number = 0  # the number of getUpdates calls
        self._updates: list[Json] = []
        self._next_update = random.Random(2).randrange(10**8, 10**9)
        self._next_message: dict[int, int] = defaultdict(lambda: 1)
        self._allowed_updates: list[str] | None = None
        self._changed = threading.Condition(threading.RLock())
        self._watchers: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    # What people do

    def say(self, user_id: int, text: str, *, chat_id: int | None = None, **fields: Any) -> Json:
        """Send a text message from a person, in private or in a group; return the message as the bot gets it.

        Like a client, split a text that is too long for one message; return the first of its messages then.
        """
        with self._changed:
            first, *others = checks.split_text(text.strip()) or [""]
            message = self.send(user_id, {"text": first, **fields}, chat_id=chat_id)
            for part in others:
                self.send(user_id, {"text": part}, chat_id=chat_id)
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
            message = self.add_message(chat, {"from": person(user_id), **content})
            self.update({"message": message})
            return message

    def edit(self, user_id: int, message_id: int, text: str, *, chat_id: int | None = None) -> Json:
        """Edit the text or the caption of a person's own message; return the message as the bot gets it."""
        with self._changed:
            chat = self._chat(user_id, chat_id)
            old = self.messages[chat["id"]][message_id]
            field = "text" if "text" in old else "caption"
            message = {**old, field: text.strip(), "edit_date": int(time.time())}
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
        with self._changed:
            if is_picture:
                fields: Json = {"photo": [self.add_photo(content)]}
            else:
                fields = {"document": self.add_document(name, content)}
            if caption.strip():
                fields["caption"] = caption.strip()
            return self.send(user_id, fields, chat_id=chat_id)

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

    def add_document(self, name: str, content: bytes) -> Json:
        """Store a file and return it as a Document object."""
        return {**self._add_file(content), "file_name": name}

    def add_photo(self, content: bytes) -> Json:
        """Store a PNG or JPEG picture and return it as a PhotoSize object."""
        if not content.startswith((b"\x89PNG\r\n", b"\xff\xd8")):
            raise Refusal(400, "Bad Request: IMAGE_PROCESS_FAILED")
        return {**self._add_file(content), "width": 1, "height": 1}

    def _add_file(self, content: bytes) -> Json:
        file_id = f"file{len(self.files) + 1}"
        self.files[file_id] = content
        return {"file_id": file_id, "file_unique_id": file_id, "file_size": len(content)}

    def add_event(self, method: str, chat_id: int, **details: Any) -> None:
        """Record what the bot did."""
        event = {"seq": len(self.events) + 1, "at": time.time(), "method": method, "chat_id": chat_id}
        self.events.append({**event, **details})

    def events_of(self, chat_id: int) -> list[Json]:
        """Return what the bot did in a chat."""
        with self._changed:
            return [event for event in self.events if event["chat_id"] == chat_id]

    # Changes that other threads see

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Make all changes of the block visible at once, as when many people write at the same moment."""
        with self._changed:
            yield

    @contextmanager
    def changes(self) -> Iterator[None]:
        """Hold the lock during the block, then wake up everybody who waits for a change."""
        with self._changed:
            try:
                yield
            finally:
                self._wake()

    def wait(self, condition: Callable[[], object], timeout_s: float = 60.0) -> None:
        """Wait until condition() is true; it is checked after every change."""
        with self._changed:
            if not self._changed.wait_for(condition, timeout_s):
                raise TimeoutError("the awaited condition did not become true")

    @contextmanager
    def watch(self) -> Iterator[asyncio.Event]:
        """Yield an event of the running loop that is set after every change."""
        watcher = (asyncio.get_running_loop(), asyncio.Event())
        with self._changed:
            self._watchers.append(watcher)
        try:
            yield watcher[1]
        finally:
            with self._changed:
                self._watchers.remove(watcher)

    def _wake(self) -> None:
        self._changed.notify_all()
        for loop, event in self._watchers:
            loop.call_soon_threadsafe(event.set)

    # Updates and polling

    def update(self, update: Json) -> int:
        """Queue an update of any shape for the bot; return its ID."""
        with self._changed:
            update_type = next(iter(update), "")
            update = {"update_id": self._next_update, **update}
            self._next_update += 1
            if self._allowed_updates is None or update_type in self._allowed_updates:
                self._updates.append(update)
            self._wake()
            return int(update["update_id"])

    def pending(self) -> int:
        """Return the number of updates that the bot has not confirmed."""
        with self._changed:
            return len(self._updates)

    async def get_updates(self, params: Json) -> list[Json]:
        """Confirm the updates below the offset, then return the queued ones or wait for one."""
        with self.watch() as changed:
            with self._changed:
                if params.get("allowed_updates") is not None:
                    self._allowed_updates = params["allowed_updates"]
                self._confirm(checks.to_integer(params.get("offset") or 0))
                self.poll_number += 1
                poll_number = self.poll_number
                self._wake()  # an older poll ends with 409
            return await self._wait_for_updates(params, changed, poll_number)

    async def _wait_for_updates(self, params: Json, changed: asyncio.Event, poll_number: int) -> list[Json]:
        limit = min(max(checks.to_integer(params.get("limit") or MAX_UPDATES_PER_POLL), 1), MAX_UPDATES_PER_POLL)
        deadline = time.monotonic() + min(checks.to_integer(params.get("timeout") or 0), MAX_POLL_S)
        while True:
            changed.clear()
            with self._changed:
                if self.poll_number != poll_number:
                    raise Refusal(
                        409,
                        "Conflict: terminated by other getUpdates request; make sure that only one bot instance"
                        " is running",
                    )
                remaining_s = deadline - time.monotonic()
                if self._updates or remaining_s <= 0:
                    return self._updates[:limit]
            try:
                await asyncio.wait_for(changed.wait(), remaining_s)
            except TimeoutError:
                continue

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            self._updates = self._updates[offset:]
        elif offset:
            self._updates = [update for update in self._updates if update["update_id"] >= offset]
