"""The chat in a browser: a page on this machine with the private chats of two people.

The page (sandbox/web/) receives a chat as server-sent events and posts what the person does. Other sites that are
open in the same browser have no access: see _allow_only_the_page.
"""

import asyncio
import contextlib
import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from sandbox.chat import Chat
from sandbox.server import LOOPBACK_HOST, Handler
from sandbox.telegram import World
from sandbox.telegram.checks import MAX_UPLOAD_BYTES, Json, Refusal

WEB = Path(__file__).resolve().parent / "web"
PAGES = {"/": "index.html"} | {f"/{path.name}": path.name for path in sorted(WEB.iterdir())}
PEOPLE = {1: "Анна", 2: "Борис"}

ACTIONS = {
    "say": Chat.say,
    "edit": Chat.edit,
    "forward": Chat.forward,
    "sample": Chat.send_sample,
    "tap": Chat.tap,
    "stop": Chat.stop,
}
FILE_KINDS = ("photo", "document", "voice")
KEEP_ALIVE_S = 15.0  # a write after so long a silence shows whether the page is still open

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:;"
    " connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
SHOWN_TYPES = {  # pattern of the first bytes → content type of what the page shows or plays
    rb"\x89PNG": "image/png",
    rb"\xff\xd8": "image/jpeg",
    rb"RIFF....WEBP": "image/webp",
    rb"OggS": "audio/ogg",
    rb"ID3|\xff[\xfb\xf3]": "audio/mpeg",
    rb"\x1a\x45\xdf\xa3": "video/webm",
    rb"....ftyp": "video/mp4",
}

Action = Callable[[Chat, Json], Json]


def application(world: World, *, has_real_models: bool = False) -> web.Application:
    """Return the web application; `has_real_models` decides what the page says about the models."""
    chats = _ChatServer(world, has_real_models=has_real_models)
    app = web.Application(client_max_size=MAX_UPLOAD_BYTES + 2**20, middlewares=[_allow_only_the_page])
    app.on_response_prepare.append(_add_security_headers)
    for path, name in PAGES.items():
        app.router.add_get(path, _file_handler(WEB / name))
    app.router.add_get("/setup", chats.setup)
    app.router.add_get("/people/{person}/events", chats.events)
    app.router.add_get("/people/{person}/files/{file_id}", chats.file)
    app.router.add_post("/people/{person}/files", chats.send_files)
    for name, action in ACTIONS.items():
        app.router.add_post(f"/people/{{person}}/{name}", chats.action_handler(action))
    return app


class _ChatServer:
    """Request handlers of the page."""

    def __init__(self, world: World, *, has_real_models: bool) -> None:
        self._world = world
        self._has_real_models = has_real_models
        self._run_id = uuid.uuid4().hex  # tells a page that the sandbox was restarted and its chat is lost
        self._chats = {user_id: Chat(world, user_id) for user_id in PEOPLE}
        self._delivered_events = 0  # the number of the world's events that the chats have got

    async def setup(self, _: web.Request) -> web.Response:
        """Send the people, the bot's menu and whether the models are real."""
        people = [{"id": user_id, "name": name} for user_id, name in PEOPLE.items()]
        setup = {"people": people, "commands": self._world.commands, "has_real_models": self._has_real_models}
        return web.json_response(setup)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send the events of a chat as they happen, starting after the last one that the page has got."""
        chat = self._chat(request)
        last_seq = int(request.headers.get("Last-Event-ID", 0))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError), self._world.watch() as changed:
            await response.write(f"event: run\ndata: {self._run_id}\n\n".encode())
            while True:
                changed.clear()
                self._deliver_events()
                for event in chat.events_after(last_seq):
                    last_seq = event["seq"]
                    data = json.dumps(event, ensure_ascii=False)
                    await response.write(f"id: {last_seq}\ndata: {data}\n\n".encode("utf-8", "replace"))
                try:
                    await asyncio.wait_for(changed.wait(), KEEP_ALIVE_S)
                except TimeoutError:
                    await response.write(b": keep-alive\n\n")
        return response

    async def file(self, request: web.Request) -> web.Response:
        """Send a file of this chat: a picture, sound or film to show, any other file to download."""
        self._deliver_events()
        file_id = request.match_info["file_id"]
        if not self._chat(request).has_file(file_id) or file_id not in self._world.files:
            raise web.HTTPNotFound
        content = self._world.files[file_id]
        for first_bytes, content_type in SHOWN_TYPES.items():
            if re.match(first_bytes, content, re.DOTALL):
                return web.Response(body=content, content_type=content_type)
        name = quote(request.query.get("name", "file"), safe="")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        return web.Response(body=content, content_type="application/octet-stream", headers=headers)

    async def send_files(self, request: web.Request) -> web.Response:
        """Receive files from the page, and as JSON their caption, its entities and what they reply to."""
        form = await request.post()
        files = [
            (field.filename, field.content_type, field.file.read())
            for field in form.getall("file", [])
            if isinstance(field, web.FileField)
        ]
        kind = str(form.get("kind"))
        if not files or kind not in FILE_KINDS:
            raise web.HTTPBadRequest
        body = json.loads(str(form.get("body", "{}")))
        self._deliver_events()
        return _respond(lambda: self._chat(request).send_files(kind, files, body))

    def action_handler(self, action: Action) -> Handler:
        """Return the request handler of something that a person does."""

        async def handle(request: web.Request) -> web.Response:
            body = await request.json()
            self._deliver_events()  # so that what the bot did earlier precedes the action
            return _respond(lambda: action(self._chat(request), body))

        return handle

    def _chat(self, request: web.Request) -> Chat:
        for user_id, chat in self._chats.items():
            if request.match_info["person"] == str(user_id):
                return chat
        raise web.HTTPNotFound

    def _deliver_events(self) -> None:
        for event in self._world.events[self._delivered_events :]:
            self._delivered_events += 1
            if chat := self._chats.get(event["chat_id"]):
                chat.add_bot_event(event)


def _respond(action: Callable[[], Json]) -> web.Response:
    """Carry out an action and send its result, or status 400 for an action that is not possible."""
    try:
        return web.json_response(action())
    except Refusal as refusal:
        return web.json_response({"error": refusal.description}, status=400)
    except (KeyError, ValueError, TypeError) as error:
        return web.json_response({"error": str(error)}, status=400)


def _file_handler(path: Path) -> Handler:
    async def handle(_: web.Request) -> web.FileResponse:
        return web.FileResponse(path)

    return handle


# Access control


@web.middleware
async def _allow_only_the_page(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests from anything but the page itself.

    If another site's DNS name points to this machine, the Host header shows that name. A form on another site can
    post here, but the browser adds its Origin and the form cannot set a header of its own.
    """
    host = request.headers.get("Host", "")
    origin = request.headers.get("Origin", f"http://{host}")
    if not LOOPBACK_HOST.fullmatch(host) or origin.lower() != f"http://{host}".lower():
        raise web.HTTPForbidden
    if request.method != "GET" and "X-Sandbox" not in request.headers:
        raise web.HTTPForbidden
    return await handler(request)


async def _add_security_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)
