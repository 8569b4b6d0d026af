"""The HTTP side of an emulated gateway."""

import asyncio
import re
import time
from typing import Any

from aiohttp import web

from sandbox.openrouter.behaviors import BEHAVIORS
from sandbox.openrouter.documented_errors import DATA_POLICY, documented
from sandbox.openrouter.gateway import EmulatedGateway
from sandbox.openrouter.payloads import Json, error_response

# Fields of a request that a gateway refuses, because only other gateways know them.
UNKNOWN_FIELDS = {
    "openrouter": {"stream_options", "web_search", "provider"},
    "rvfreellm": {"reasoning", "user", "stream_options", "tools", "stream"},
    "local": {"reasoning", "user", "provider", "web_search", "tools"},
}


def application(gateway: EmulatedGateway) -> web.Application:
    """Return the web application that serves a gateway's API below its prefix."""
    api = _GatewayApi(gateway)
    app = web.Application(client_max_size=20 * 2**20)
    app.router.add_post(f"{gateway.prefix}/chat/completions", api.complete)
    app.router.add_get(f"{gateway.prefix}/generation", api.generation)
    app.router.add_get(f"{gateway.prefix}/key", api.key)
    app.router.add_get(f"{gateway.prefix}/models", api.models)
    app.router.add_get(f"{gateway.prefix}/models/list", api.models_text)
    app.router.add_get(f"{gateway.prefix}/providers", api.providers)
    return app


class _GatewayApi:
    """Request handlers: one method for each path."""

    def __init__(self, gateway: EmulatedGateway) -> None:
        self._gateway = gateway

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer POST /chat/completions."""
        gateway = self._gateway
        if gateway.name != "local" and not request.headers.get("Authorization", "").startswith("Bearer "):
            return error_response(401, "No auth credentials found")
        body = await request.json()
        if unknown_fields := UNKNOWN_FIELDS[gateway.name] & set(body):
            return error_response(400, f"unknown fields: {sorted(unknown_fields)}")
        gateway.requests.append(dict(body))
        if gateway.name == "rvfreellm":
            if not isinstance(body.get("provider"), str):
                return error_response(400, "provider must be a string")
            body["model"] = f"{body['provider']}/{body['model']}"
        gateway.headers.append(dict(request.headers))
        gateway.request_counts[body["model"]] += 1
        started = time.perf_counter()
        try:
            return await self._behave(request, body)
        finally:
            gateway.answer_times_s[str(body.get("user"))] = time.perf_counter() - started

    async def _behave(self, request: web.Request, body: Json) -> web.StreamResponse:
        gateway = self._gateway
        await self._think(request, body)
        if gateway.forbids_free_models and (body["model"].endswith(":free") or body["model"] == "openrouter/free"):
            return await documented(gateway, request, body, DATA_POLICY)
        match = re.fullmatch(r"sandbox/([a-z_]+)(?:-(\d+))?(?::free)?", body["model"])
        if match is None:
            return await gateway.answer(request, body, gateway.answer_to(body))
        return await BEHAVIORS[match[1]](gateway, request, body, int(match[2] or 0))

    async def _think(self, request: web.Request, body: Json) -> None:
        """Wait before the response begins, and record when the client closes the connection meanwhile."""
        gateway = self._gateway
        ends_at = time.monotonic() + gateway.think_s
        while (left_s := ends_at - time.monotonic()) > 0:
            if request.transport is None or request.transport.is_closing():
                gateway.closed_streams.append(body["model"])
                raise ConnectionResetError
            await asyncio.sleep(min(left_s, 0.05))

    async def generation(self, request: web.Request) -> web.Response:
        """Answer GET /generation?id=…: unknown the first time, as with OpenRouter right after an answer."""
        generation_id = request.query["id"]
        self._gateway.generation_requests.append(generation_id)
        if self._gateway.generation_requests.count(generation_id) == 1:
            return error_response(404, f"Generation {generation_id} not found")
        return web.json_response({"data": {"total_cost": 0.0125, "tokens_prompt": 20, "tokens_completion": 7}})

    async def key(self, _: web.Request) -> web.Response:
        """Answer GET /key."""
        used = len(self._gateway.requests)
        daily_requests = {"limit": 50, "used": used, "remaining": max(50 - used, 0)}
        data = {
            "label": "sandbox",
            "limit_remaining": None,
            "is_free_tier": True,
            "free_model_daily_requests": daily_requests,
        }
        return web.json_response({"data": data})

    async def models(self, _: web.Request) -> web.StreamResponse:
        """Answer GET /models."""
        self._gateway.catalog_requests += 1
        return await _configured_response(self._gateway.catalog)

    async def providers(self, _: web.Request) -> web.StreamResponse:
        """Answer GET /providers."""
        return await _configured_response(self._gateway.providers)

    async def models_text(self, request: web.Request) -> web.Response:
        """Answer GET /models/list?provider=…: a provider's models as a text for people."""
        provider = request.query.get("provider")
        models = [model for model in self._gateway.catalog if model["provider"] == provider]
        return web.json_response({"text": "\n".join(f"• {model['id']}" for model in models)})


async def _configured_response(configured: Any) -> web.StreamResponse:
    """Return a response from a JSON value, an HTTP status or an async function that makes the response."""
    if callable(configured):
        response: web.StreamResponse = await configured()
        return response
    if isinstance(configured, int):
        return error_response(configured, f"emulated status {configured}")
    return web.json_response(configured)
