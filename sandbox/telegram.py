"""Telegram, played: the Bot API over real HTTP, as strict as the real one, with faults to order.

A person is played through the control API (/control/…, see Person) or, in the same process, by the methods of
World. What the bot may not do is refused in api.telegram.org's own words.
"""

import asyncio
import json
import random
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from sandbox import checks
from sandbox.checks import Json, Refusal, Upload

TOKEN = "100000001:the-sandbox-is-not-the-real-telegram"
BOT = {"id": 100000001, "is_bot": True, "first_name": "Заметки", "username": "sandbox_notes_bot"}


@dataclass
class Faults:
    """What goes wrong, as shares of all calls of the named methods (all methods, if none is named)."""

    drop_before: float = 0.0  # the connection breaks before the call has an effect
    drop_after: float = 0.0  # … and after it
    too_many: float = 0.0  # 429
    bad_gateway: float = 0.0  # 502
    retry_after: int = 1  # what a 429 asks for, in seconds
    delay_s: float = 0.0  # before every answer: the round trip
    methods: frozenset[str] = frozenset()
    away: bool = False  # every connection breaks
    dice: random.Random = field(default_factory=lambda: random.Random(1))

    def draw(self, method: str) -> str:
        """Return what happens to a call: "", or the name of a fault."""
        if self.away:
            return "drop_before"
        if self.methods and method not in self.methods:
            return ""
        at = self.dice.random()
        for name in ("drop_before", "drop_after", "too_many", "bad_gateway"):
            at -= getattr(self, name)
            if at < 0:
                return name
        return ""


class World:
    """Chats, messages and the queue of updates. Every method may be called from any thread."""

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token
        self.faults = Faults()
        self.blocked: set[int] = set()  # people who blocked the bot
        self.commands: list[Json] = []  # the menu
        self.events: list[Json] = []  # what the bot did: {"seq", "method", "chat_id", "message", …}
        self.calls: list[tuple[str, Json]] = []  # every call that came in, refused ones too
        self.paths: list[str] = []  # and their addresses
        self.files: dict[str, bytes] = {}
        self._chats: dict[int, Json] = {}
        self._messages: dict[int, dict[int, Json]] = defaultdict(dict)
        self._updates: list[Json] = []
        self._next_update = random.Random(2).randrange(10**8, 10**9)
        self._next_message: dict[int, int] = defaultdict(lambda: 1)
        self._open_queries: dict[str, int] = {}  # callback query → chat
        self._allowed: list[str] | None = None
        self._changed = threading.Condition(threading.RLock())
        self._watchers: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self.poll_number = 0

    # The people's side --------------------------------------------------------------------------------

    def say(self, user_id: int, text: str, *, chat_id: int | None = None, **more: Any) -> Json:
        """Send a text message from a person, in private or in a group; return it as the bot gets it."""
        return self.send(user_id, {"text": text.strip(), **more}, chat_id=chat_id)

    def send(self, user_id: int, content: Json, *, chat_id: int | None = None) -> Json:
        """Send a message with any content from a person; return it as the bot gets it."""
        with self._changed:
            chat = self._chat(user_id, chat_id)
            message = self._store(chat, {"from": person(user_id), **content})
            self.update({"message": message})
            return message

    def edit(self, user_id: int, message_id: int, text: str, *, chat_id: int | None = None) -> Json:
        """Change the text, or the caption, of a person's own message; return it as the bot gets it."""
        with self._changed:
            chat = self._chat(user_id, chat_id)
            old = self._messages[chat["id"]][message_id]
            field = "text" if "text" in old else "caption"
            message = {**old, field: text.strip(), "edit_date": int(time.time())}
            self._messages[chat["id"]][message_id] = message
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
        """Send a file, or a picture, from a person; return the message as the bot gets it."""
        with self._changed:
            said: Json = {"photo": [self._picture(content)]} if is_picture else self._document(name, content)
            if caption.strip():
                said["caption"] = caption.strip()
            return self.send(user_id, said, chat_id=chat_id)

    def tap(self, user_id: int, chat_id: int, message_id: int, data: str) -> str:
        """Press a button under a message; return the callback query's id."""
        with self._changed:
            query_id = f"{self._next_update}00"
            self._open_queries[query_id] = chat_id
            self.update(
                {
                    "callback_query": {
                        "id": query_id,
                        "from": person(user_id),
                        "message": self._messages[chat_id][message_id],
                        "chat_instance": str(chat_id),
                        "data": data,
                    }
                }
            )
            return query_id

    def stop_draft(self, chat_id: int, draft_id: int) -> None:
        """Press Stop under a draft."""
        with self._changed:
            stopped = {"chat": self._chats[chat_id], "draft_id": draft_id, "a_field_of_tomorrow": True}
            self.update({"stopped_message_generation": stopped})

    def update(self, update: Json) -> int:
        """Queue an update of any shape for the bot; return its id."""
        with self._changed:
            update = {"update_id": self._next_update, **update}
            kind = next((key for key in update if key != "update_id"), "")
            if self._allowed is None or kind in self._allowed:
                self._updates.append(update)
            self._next_update += 1
            self._wake()
            return int(update["update_id"])

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let nobody see what happens in the block until it is over: everybody writes at once."""
        with self._changed:
            yield

    @contextmanager
    def watched(self) -> Iterator[asyncio.Event]:
        """Give an event of the running loop that is set whenever something happens here."""
        watcher = (asyncio.get_running_loop(), asyncio.Event())
        with self._changed:
            self._watchers.append(watcher)
        try:
            yield watcher[1]
        finally:
            with self._changed:
                self._watchers.remove(watcher)

    def pending(self) -> int:
        """Return how many updates the bot has not confirmed."""
        with self._changed:
            return len(self._updates)

    def wait(self, condition: Any, timeout_s: float = 60.0) -> None:
        """Wait until condition() is true; it is looked at whenever something happens here."""
        with self._changed:
            if not self._changed.wait_for(condition, timeout_s):
                raise TimeoutError("what was waited for did not happen")

    def events_of(self, chat_id: int) -> list[Json]:
        """Return what the bot did in a chat."""
        with self._changed:
            return [event for event in self.events if event["chat_id"] == chat_id]

    def _chat(self, user_id: int, chat_id: int | None) -> Json:
        if chat_id is None or chat_id == user_id:
            chat = {"id": user_id, "type": "private", "first_name": person(user_id)["first_name"]}
        else:
            chat = {"id": chat_id, "type": "supergroup", "title": "Общий чат"}
        return self._chats.setdefault(int(chat["id"]), chat)

    def _store(self, chat: Json, content: Json) -> Json:
        message_id = self._next_message[chat["id"]]
        self._next_message[chat["id"]] += 1
        message = {"message_id": message_id, "date": int(time.time()), "chat": chat, **content}
        self._messages[chat["id"]][message_id] = message
        return message

    def _wake(self) -> None:
        self._changed.notify_all()
        for loop, event in self._watchers:
            loop.call_soon_threadsafe(event.set)

    # The bot's side: one method each, named as in the Bot API ----------------------------------------------

    def call(self, method: str, params: Json) -> Any:
        """Carry out any call but getUpdates; Refusal if Telegram would refuse it."""
        with self._changed:
            handler = METHODS.get(method)
            if handler is None:
                raise Refusal(404, "Not Found")
            try:
                return handler(self, params)
            finally:
                self._wake()

    def get_me(self, _: Json) -> Json:
        return {**BOT, "can_join_groups": True, "can_read_all_group_messages": False}

    def delete_webhook(self, _: Json) -> bool:
        return True

    def set_my_commands(self, params: Json) -> bool:
        commands = params.get("commands") or []
        for command in commands:
            if not re.fullmatch("[a-z0-9_]{1,32}", command.get("command", "")):
                raise Refusal(400, "Bad Request: BOT_COMMAND_INVALID")
            if not 1 <= len(command.get("description", "")) <= 256:
                raise Refusal(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands = commands
        return True

    def get_file(self, params: Json) -> Json:
        file_id = str(params.get("file_id"))
        if file_id not in self.files:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(self.files[file_id]) > checks.DOWNLOAD_MOST:
            raise Refusal(400, "Bad Request: file is too big")
        size = len(self.files[file_id])
        return {"file_id": file_id, "file_unique_id": file_id, "file_size": size, "file_path": f"files/{file_id}"}

    def send_message(self, params: Json) -> Json:
        return self._send("sendMessage", params, checks.message_text(params))

    def send_rich_message(self, params: Json) -> Json:
        return self._send("sendRichMessage", params, {"rich_message": {"markdown": checks.markdown(params)}})

    def send_rich_message_draft(self, params: Json) -> bool:
        markdown = checks.markdown(params)
        if markdown.count("**") % 2:
            raise Refusal(400, "Bad Request: can't parse rich message: unclosed **")
        return self._draft("sendRichMessageDraft", params, markdown)

    def send_message_draft(self, params: Json) -> bool:
        text = str(params.get("text") or "")
        if len(text) > 4096:
            raise Refusal(400, "Bad Request: message is too long")
        return self._draft("sendMessageDraft", params, text)

    def _draft(self, method: str, params: Json, text: str) -> bool:
        chat = self._known_chat(params)
        if chat["type"] != "private":
            raise Refusal(400, "Bad Request: drafts can be sent only to private chats")
        if checks.integer(params.get("draft_id")) == 0:
            raise Refusal(400, "Bad Request: DRAFT_ID_INVALID")
        draft = {
            "draft_id": checks.integer(params["draft_id"]),
            "text": text,
            "can_stop": bool(params.get("can_stop")),
        }
        self._did(method, chat["id"], draft=draft)
        return True

    def send_document(self, params: Json) -> Json:
        document = params.get("document")
        if not isinstance(document, Upload):
            raise Refusal(400, "Bad Request: there is no document in the request")
        checks.check_upload(document, checks.UPLOAD_MOST)
        return self._send(
            "sendDocument", params, self._document(document.name, document.content) | checks.caption(params)
        )

    def send_photo(self, params: Json) -> Json:
        photo = params.get("photo")
        if isinstance(photo, Upload):
            checks.check_upload(photo, checks.PHOTO_MOST)
            size = self._picture(photo.content)
        elif isinstance(photo, str) and re.match(r"https?://[^/]+/", photo) and "broken" not in photo:
            size = {"file_id": photo, "file_unique_id": photo, "width": 1, "height": 1}
        else:
            raise Refusal(400, "Bad Request: wrong file identifier/HTTP URL specified")
        return self._send("sendPhoto", params, {"photo": [size]} | checks.caption(params))

    def _picture(self, content: bytes) -> Json:
        if not content.startswith((b"\x89PNG\r\n", b"\xff\xd8")):
            raise Refusal(400, "Bad Request: IMAGE_PROCESS_FAILED")
        return {**self._keep(content), "width": 1, "height": 1}

    def _document(self, name: str, content: bytes) -> Json:
        return {"document": {**self._keep(content), "file_name": name}}

    def _keep(self, content: bytes) -> Json:
        file_id = f"file{len(self.files) + 1}"
        self.files[file_id] = content
        return {"file_id": file_id, "file_unique_id": file_id, "file_size": len(content)}

    def send_chat_action(self, params: Json) -> bool:
        chat = self._known_chat(params)
        self._did("sendChatAction", chat["id"], action=params.get("action"))
        return True

    def edit_message_text(self, params: Json) -> Json:
        chat = self._known_chat(params)
        old = self._messages[chat["id"]].get(checks.integer(params.get("message_id")))
        if old is None:
            raise Refusal(400, "Bad Request: message to edit not found")
        if old["from"]["id"] != BOT["id"]:
            raise Refusal(400, "Bad Request: message can't be edited")
        content = checks.message_text(params)
        markup = checks.markup(params)
        if content == {key: old[key] for key in ("text", "entities") if key in old} and (
            markup == old.get("reply_markup")
        ):
            raise Refusal(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are"
                " exactly the same as a current content and reply markup of the message",
            )
        kept = {key: value for key, value in old.items() if key not in ("text", "entities", "reply_markup")}
        new = {**kept, **content, "edit_date": int(time.time())}
        if markup:
            new["reply_markup"] = markup
        self._messages[chat["id"]][old["message_id"]] = new
        self._did("editMessageText", chat["id"], message=new)
        return new

    def answer_callback_query(self, params: Json) -> bool:
        query_id = str(params.get("callback_query_id"))
        if query_id not in self._open_queries:
            raise Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        chat_id = self._open_queries.pop(query_id)
        self._did("answerCallbackQuery", chat_id, query_id=query_id, text=params.get("text", ""))
        return True

    def _send(self, method: str, params: Json, content: Json) -> Json:
        chat = self._known_chat(params)
        reply = params.get("reply_parameters") or {}
        if reply:
            target = self._messages[chat["id"]].get(checks.integer(reply.get("message_id")))
            if target:
                content["reply_to_message"] = target
            elif not reply.get("allow_sending_without_reply"):
                raise Refusal(400, "Bad Request: message to be replied not found")
        if markup := checks.markup(params):
            content["reply_markup"] = markup
        message = self._store(chat, {"from": BOT, **content})
        self._did(method, chat["id"], message=message)
        return message

    def _known_chat(self, params: Json) -> Json:
        chat = self._chats.get(checks.integer(params.get("chat_id")))
        if chat is None:
            raise Refusal(400, "Bad Request: chat not found")
        if chat["id"] in self.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        return chat

    def _did(self, method: str, chat_id: int, **what: Any) -> None:
        event = {"seq": len(self.events) + 1, "at": time.time(), "method": method, "chat_id": chat_id}
        self.events.append({**event, **what})

    # Polling -------------------------------------------------------------------------------------------------

    async def get_updates(self, params: Json) -> list[Json]:
        """Confirm what lies below the offset and return what is queued, waiting for it if asked to."""
        with self.watched() as woken:
            with self._changed:
                if params.get("allowed_updates") is not None:
                    self._allowed = params["allowed_updates"]
                self._confirm(checks.integer(params.get("offset") or 0))
                self.poll_number += 1
                mine = self.poll_number
                self._wake()  # an older poll learns that it is no longer the one
            return await self._wait_for_updates(params, woken, mine)

    async def _wait_for_updates(self, params: Json, woken: asyncio.Event, mine: int) -> list[Json]:
        limit = min(max(checks.integer(params.get("limit") or 100), 1), 100)
        deadline = time.monotonic() + min(checks.integer(params.get("timeout") or 0), 50)
        while True:
            woken.clear()
            with self._changed:
                if self.poll_number != mine:
                    raise Refusal(
                        409,
                        "Conflict: terminated by other getUpdates request; make sure that only one bot instance"
                        " is running",
                    )
                left = deadline - time.monotonic()
                if self._updates or left <= 0:
                    return self._updates[:limit]
            try:
                await asyncio.wait_for(woken.wait(), left)
            except TimeoutError:
                continue

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            self._updates = self._updates[offset:]
        elif offset:
            self._updates = [update for update in self._updates if update["update_id"] >= offset]


METHODS = {
    "getMe": World.get_me,
    "deleteWebhook": World.delete_webhook,
    "setMyCommands": World.set_my_commands,
    "getFile": World.get_file,
    "sendMessage": World.send_message,
    "sendRichMessage": World.send_rich_message,
    "sendRichMessageDraft": World.send_rich_message_draft,
    "sendMessageDraft": World.send_message_draft,
    "sendDocument": World.send_document,
    "sendPhoto": World.send_photo,
    "sendChatAction": World.send_chat_action,
    "editMessageText": World.edit_message_text,
    "answerCallbackQuery": World.answer_callback_query,
}


def person(user_id: int) -> Json:
    """Return a person as Telegram describes one."""
    return {"id": user_id, "is_bot": False, "first_name": f"Гость {user_id}", "language_code": "ru"}


# HTTP ----------------------------------------------------------------------------------------------------------


def application(world: World) -> web.Application:
    """Return the web application: the Bot API under /bot…, the control API under /control."""
    app = web.Application(client_max_size=60 * 2**20)
    bot_api = _BotApi(world)
    app.router.add_route("*", "/bot{token}/{method}", bot_api.handle)
    app.router.add_get("/file/bot{token}/files/{file_id}", bot_api.download)
    app.router.add_get("/control/events", _control(world, _events))
    app.router.add_post("/control/say", _control(world, _say))
    app.router.add_post("/control/tap", _control(world, _tap))
    app.router.add_post("/control/update", _control(world, _update))
    app.router.add_post("/control/faults", _control(world, _set_faults))
    app.router.add_get("/control/files/{file_id}", _control(world, _file))
    return app


class _BotApi:
    """Turns HTTP into calls on the world, and goes wrong as its faults order."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def handle(self, request: web.Request) -> web.StreamResponse:
        faults, method = self._world.faults, request.match_info["method"]
        params = await _params(request)
        self._world.calls.append((method, params))
        self._world.paths.append(request.path_qs)
        fault = faults.draw(method)
        if faults.delay_s:
            await asyncio.sleep(faults.delay_s)
        if fault == "drop_before":
            return _broken(request)
        if fault == "too_many":
            return _refused(
                Refusal(
                    429, f"Too Many Requests: retry after {faults.retry_after}", retry_after=faults.retry_after
                )
            )
        if fault == "bad_gateway":
            return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")
        try:
            response = web.json_response({"ok": True, "result": await self._result(request, method, params)})
        except Refusal as refusal:
            response = _refused(refusal)
        return _broken(request) if fault == "drop_after" else response

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Give the content of a file that getFile told of."""
        content = self._world.files.get(request.match_info["file_id"])
        if request.match_info["token"] != self._world.token or content is None:
            return web.json_response({"ok": False, "error_code": 404, "description": "Not Found"}, status=404)
        if self._world.faults.draw("download"):
            return _broken(request)
        return web.Response(body=content)

    async def _result(self, request: web.Request, method: str, params: Json) -> Any:
        if request.match_info["token"] != self._world.token:
            raise Refusal(401, "Unauthorized")
        if method.lower() == "getupdates":
            return await self._world.get_updates(params)
        return self._world.call(method, params)


async def _params(request: web.Request) -> Json:
    """Read the parameters wherever a client put them: address, form, JSON or multipart."""
    params: Json = dict(request.query)
    if request.content_type == "application/json":
        params |= await request.json()
    else:
        for key, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                params[key] = Upload(value.filename, value.file.read())
            else:
                params[key] = value
    return {key: _unpacked(key, value) for key, value in params.items()}


def _unpacked(key: str, value: Any) -> Any:
    """Unpack a structure that came as a string of JSON; texts stay as they are."""
    if isinstance(value, str) and key not in ("text", "caption") and value[:1] in ("{", "["):
        return json.loads(value)
    return value


def _refused(refusal: Refusal) -> web.Response:
    body: Json = {"ok": False, "error_code": refusal.status, "description": refusal.description}
    if refusal.parameters:
        body["parameters"] = refusal.parameters
    return web.json_response(body, status=refusal.status)


def _broken(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()


# The control API: what a person does, from another process ---------------------------------------------------


def _control(world: World, handler: Any) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else {}
        result: web.StreamResponse = await handler(world, request, body)
        return result

    return handle


async def _say(world: World, _: web.Request, body: Json) -> web.Response:
    return web.json_response(world.say(**body))


async def _tap(world: World, _: web.Request, body: Json) -> web.Response:
    return web.json_response({"query_id": world.tap(**body)})


async def _update(world: World, _: web.Request, body: Json) -> web.Response:
    return web.json_response({"update_id": world.update(body)})


async def _set_faults(world: World, _: web.Request, body: Json) -> web.Response:
    world.faults = Faults(**{**body, "methods": frozenset(body.get("methods", []))})
    return web.json_response({})


async def _file(world: World, request: web.Request, _: Json) -> web.Response:
    return web.Response(body=world.files[request.match_info["file_id"]])


async def _events(world: World, request: web.Request, _: Json) -> web.Response:
    """Return what the bot did after an event's number, waiting up to some seconds for it."""
    after = int(request.query.get("after", 0))
    deadline = time.monotonic() + float(request.query.get("wait", 0))
    while len(world.events) <= after and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return web.json_response(world.events[after:])
