"""The HTTP side of the emulated Telegram: the Bot API under /bot…, files under /file, the control API."""

import asyncio
import json
from typing import Any

from aiohttp import web

from sandbox.server import refuse_web_pages
from sandbox.telegram import checks, control_api
from sandbox.telegram.checks import MAX_UPLOAD_BYTES, Json, Refusal, Upload
from sandbox.telegram.faults import Faults
from sandbox.telegram.methods import call_method
from sandbox.telegram.parameters import check_names
from sandbox.telegram.world import World

TEXT_PARAMETERS = frozenset(  # others may hold JSON
    ["text", "caption", "title", "address", "performer", "phone_number", "first_name", "last_name", "vcard"]
)
HANGING_CHECK_S = 0.05


def application(world: World) -> web.Application:
    """Return the web application that serves the emulated Telegram."""
    app = web.Application(client_max_size=MAX_UPLOAD_BYTES + 10 * 2**20, middlewares=[refuse_web_pages])
    bot_api = _BotApi(world)
    app.router.add_route("*", "/bot{token}/{method}", bot_api.handle_call)
    app.router.add_get("/file/bot{token}/{path:.+}", bot_api.download_file)
    control_api.add_routes(app, world)
    return app


class _BotApi:
    """Request handlers of the Bot API; they show the faults that the world asks for."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def handle_call(self, request: web.Request) -> web.StreamResponse:
        """Answer a call of a method."""
        faults, method = self._world.faults, request.match_info["method"]
        params = _attach(await _read_params(request))
        self._world.calls.append((method, params))
        self._world.paths.append(request.path_qs)
        while params.get("chat_id") in self._world.hanging_chats:
            await asyncio.sleep(HANGING_CHECK_S)
        fault = faults.draw(method)
        if faults.delay_s and (not faults.methods or method in faults.methods):
            await asyncio.sleep(faults.delay_s)
        if fault == "drop_before":
            return _drop_connection(request)
        if fault == "too_many":
            wait_s = faults.retry_after
            return _error(Refusal(429, f"Too Many Requests: retry after {wait_s}", retry_after=wait_s))
        if fault == "bad_gateway":
            return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")
        if fault == "captive_portal":
            return _portal_page(faults)
        try:
            response = web.json_response({"ok": True, "result": await self._call(request, method, params)})
        except Refusal as refusal:
            response = _error(refusal)
        return _drop_connection(request) if fault == "drop_after" else response

    async def download_file(self, request: web.Request) -> web.StreamResponse:
        """Send the content of a file; getFile returns its path."""
        content = self._world.file_store.content_at(request.match_info["path"])
        if request.match_info["token"] != self._world.token or content is None:
            return _error(Refusal(404, "Not Found"))
        fault = self._world.faults.draw("download")
        if fault == "captive_portal":
            return _portal_page(self._world.faults)
        if fault:
            return _drop_connection(request)
        return web.Response(body=content)

    async def _call(self, request: web.Request, method: str, params: Json) -> Any:
        if request.match_info["token"] != self._world.token:
            raise Refusal(401, "Unauthorized")
        if self._world.flood_limits:
            self._world.flood_limits.check(method, checks.to_integer(params.get("chat_id")))
        if method.lower() == "getupdates":
            check_names("getUpdates", params)
            return await self._world.get_updates(params)
        return call_method(self._world, method, params)


async def _read_params(request: web.Request) -> Json:
    """Read the parameters wherever a client may put them: query string, form, JSON or multipart."""
    params: Json = dict(request.query)
    if request.content_type == "application/json":
        params |= await request.json()
    else:
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                params[name] = Upload(value.filename, value.file.read())
            else:
                params[name] = value
    return {name: _decode_param(name, value) for name, value in params.items()}


def _decode_param(name: str, value: Any) -> Any:
    """Decode a structure that arrived as a JSON string; a text stays as it is."""
    if isinstance(value, str) and name not in TEXT_PARAMETERS and value[:1] in ("{", "["):
        return json.loads(value)
    return value


def _attach(params: Json) -> Json:
    """Replace every attach://name by the uploaded file of that name: InputMedia refers to files in this way."""
    used = set()

    def replaced(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: replaced(entry) for name, entry in value.items()}
        if isinstance(value, list):
            return [replaced(entry) for entry in value]
        name = value.removeprefix("attach://") if isinstance(value, str) and value.startswith("attach://") else ""
        if isinstance(params.get(name), Upload):
            used.add(name)
            return params[name]
        return value

    with_files = {name: replaced(value) for name, value in params.items() if name not in TEXT_PARAMETERS}
    texts = {name: params[name] for name in TEXT_PARAMETERS if name in params}
    return {name: value for name, value in (texts | with_files).items() if name not in used}


def _error(refusal: Refusal) -> web.Response:
    body: Json = {"ok": False, "error_code": refusal.status, "description": refusal.description}
    if refusal.parameters:
        body["parameters"] = refusal.parameters
    return web.json_response(body, status=refusal.status)


def _portal_page(faults: Faults) -> web.Response:
    return web.Response(status=faults.portal_status, text=faults.portal_body, content_type="text/html")


def _drop_connection(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()
