"""The control API of the emulated Telegram: another process acts as a person through /control/…."""

import asyncio
import time
from collections.abc import Callable

from aiohttp import web

from sandbox.server import Handler
from sandbox.telegram.checks import Json
from sandbox.telegram.faults import Faults
from sandbox.telegram.world import World

EVENTS_CHECK_S = 0.02


def add_routes(app: web.Application, world: World) -> None:
    """Add the control API to a web application."""
    control = _Control(world)
    app.router.add_get("/control/events", control.events)
    app.router.add_post("/control/say", _json_handler(lambda body: world.say(**body)))
    app.router.add_post("/control/tap", _json_handler(lambda body: {"query_id": world.tap(**body)}))
    app.router.add_post("/control/update", _json_handler(lambda body: {"update_id": world.update(body)}))
    app.router.add_post("/control/faults", _json_handler(control.set_faults))
    app.router.add_get("/control/files/{file_id}", control.file)


def _json_handler(action: Callable[[Json], Json]) -> Handler:
    """Return a request handler that passes the JSON body to an action and sends its result."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response(action(await request.json()))

    return handle


class _Control:
    """Request handlers that need more than a method of World."""

    def __init__(self, world: World) -> None:
        self._world = world

    def set_faults(self, body: Json) -> Json:
        """Replace all faults."""
        self._world.faults = Faults(**{**body, "methods": frozenset(body.get("methods", []))})
        return {}

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Send the content of a file."""
        return web.Response(body=self._world.files[request.match_info["file_id"]])

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send the events after a sequence number; wait up to some seconds for the first."""
        events = self._world.events
        after = int(request.query.get("after", 0))
        deadline = time.monotonic() + float(request.query.get("wait", 0))
        while len(events) <= after and time.monotonic() < deadline:
            await asyncio.sleep(EVENTS_CHECK_S)
        return web.json_response(events[after:])
