"""The chat in a browser: a page on this machine for two people, each with a private chat of their own.

The page (sandbox/web/) hears the news of one person's chat as server-sent events, and posts what the person does.
Other sites that are open in the same browser get nothing: see _only_from_here.
"""

import asyncio
import contextlib
import json
import re
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from sandbox.chat import Chat
from sandbox.checks import Json, Refusal
from sandbox.telegram import World

WEB = Path(__file__).resolve().parent / "web"
PAGES = {"/": "index.html", "/chat.css": "chat.css", "/chat.js": "chat.js", "/icon.svg": "icon.svg"}
PEOPLE = {1: "Анна", 2: "Борис"}

UPLOAD_MOST = 50 * 2**20  # bytes
ALIVE_S = 15.0  # how often a silent line is tried: a page that has gone is noticed

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SAFE = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)
PICTURES = {b"\x89PNG": "image/png", b"\xff\xd8": "image/jpeg"}

Action = Callable[[Chat, Json], Json]


def application(world: World, *, is_real: bool = False) -> web.Application:
    """Return the web application; is_real tells whether the models are real."""
    browser = Browser(world, is_real=is_real)
    app = web.Application(client_max_size=UPLOAD_MOST + 2**20, middlewares=[_only_from_here])
    app.on_response_prepare.append(_make_safe)
    for path, name in PAGES.items():
        app.router.add_get(path, _page(WEB / name))
    app.router.add_get("/setup", browser.setup)
    app.router.add_get("/people/{person}/news", browser.news)
    app.router.add_get("/people/{person}/files/{file_id}", browser.file)
    app.router.add_post("/people/{person}/file", browser.send_file)
    for name, action in {"say": Chat.say, "edit": Chat.edit, "tap": Chat.tap, "stop": Chat.stop}.items():
        app.router.add_post(f"/people/{{person}}/{name}", browser.acting(action))
    return app


class Browser:
    """What the page asks for, over HTTP."""

    def __init__(self, world: World, *, is_real: bool) -> None:
        self._world = world
        self._is_real = is_real
        self._run = uuid.uuid4().hex  # a page that outlives this server sees by it that its chat is gone
        self._chats = {user_id: Chat(world, user_id) for user_id in PEOPLE}
        self._taken = 0  # how many of the world's events are in the chats

    async def setup(self, _: web.Request) -> web.Response:
        """Tell who is there, what the menu holds and whether the models are real."""
        people = [{"id": user_id, "name": name} for user_id, name in PEOPLE.items()]
        return web.json_response({"people": people, "commands": self._world.commands, "is_real": self._is_real})

    async def news(self, request: web.Request) -> web.StreamResponse:
        """Tell the news of a chat as they come, beginning after those that the page has seen."""
        chat = self._chat(request)
        seen = int(request.headers.get("Last-Event-ID", 0))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError), self._world.watched() as woken:
            await response.write(f"event: run\ndata: {self._run}\n\n".encode())
            while True:
                woken.clear()
                self._catch_up()
                for news in chat.since(seen):
                    seen = news["seq"]
                    line = json.dumps(news, ensure_ascii=False)
                    await response.write(f"id: {seen}\ndata: {line}\n\n".encode("utf-8", "replace"))
                try:
                    await asyncio.wait_for(woken.wait(), ALIVE_S)
                except TimeoutError:
                    await response.write(b": alive\n\n")
        return response

    async def file(self, request: web.Request) -> web.Response:
        """Give a file of this chat: a picture to look at, anything else to keep."""
        self._catch_up()
        file_id = request.match_info["file_id"]
        if not self._chat(request).has_file(file_id) or file_id not in self._world.files:
            raise web.HTTPNotFound
        content = self._world.files[file_id]
        kind = next((kind for start, kind in PICTURES.items() if content.startswith(start)), "")
        name = quote(request.query.get("name", "file"), safe="")
        headers = {} if kind else {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        return web.Response(body=content, content_type=kind or "application/octet-stream", headers=headers)

    async def send_file(self, request: web.Request) -> web.Response:
        """Take a file and its caption from the page."""
        form = await request.post()
        file = form.get("file")
        if not isinstance(file, web.FileField):
            raise web.HTTPBadRequest
        name, content, caption = file.filename, file.file.read(), str(form.get("caption", ""))
        is_picture = form.get("is_picture") == "1"
        self._catch_up()
        return _answered(lambda: self._chat(request).send_file(name, content, caption, is_picture=is_picture))

    def acting(self, action: Action) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Return the handler of something that a person does."""

        async def handle(request: web.Request) -> web.Response:
            body = await request.json()
            self._catch_up()  # what the bot did before comes before
            return _answered(lambda: action(self._chat(request), body))

        return handle

    def _chat(self, request: web.Request) -> Chat:
        person = request.match_info["person"]
        if person not in map(str, self._chats):
            raise web.HTTPNotFound
        return self._chats[int(person)]

    def _catch_up(self) -> None:
        for event in self._world.events[self._taken :]:
            self._taken += 1
            if chat := self._chats.get(event["chat_id"]):
                chat.take(event)


def _answered(action: Callable[[], Json]) -> web.Response:
    try:
        return web.json_response(action())
    except Refusal as refusal:
        return web.json_response({"error": refusal.description}, status=400)
    except (KeyError, ValueError, TypeError) as error:
        return web.json_response({"error": str(error)}, status=400)


# Who may ask ------------------------------------------------------------------------------------------------

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _only_from_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let nobody in but the page itself.

    A name that somebody else's DNS leads to this machine shows in Host. A form of another site may post here, but
    it cannot set a header of its own, and the browser adds where it comes from.
    """
    host = request.headers.get("Host", "")
    origin = request.headers.get("Origin", f"http://{host}")
    if not LOOPBACK.fullmatch(host) or origin.lower() != f"http://{host}".lower():
        raise web.HTTPForbidden
    if request.method != "GET" and "X-Sandbox" not in request.headers:
        raise web.HTTPForbidden
    return await handler(request)


async def _make_safe(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SAFE)


def _page(path: Path) -> Handler:
    async def handle(_: web.Request) -> web.FileResponse:
        return web.FileResponse(path)

    return handle
