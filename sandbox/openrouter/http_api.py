"""The HTTP side of an emulated gateway."""

import asyncio
import re
import time

from aiohttp import web

from sandbox.openrouter import rvfreellm, transcription
from sandbox.openrouter.behaviors import BEHAVIORS
from sandbox.openrouter.documented_errors import DATA_POLICY, documented
from sandbox.openrouter.gateway import EmulatedGateway
from sandbox.openrouter.payloads import Json, configured_response, error_response
from sandbox.openrouter.pictures import refusal_of_parts

# Fields of a request that a gateway refuses, because only other gateways know them.
UNKNOWN_FIELDS = {
    "openrouter": {"stream_options", "web_search"},
    "local": {"reasoning", "user", "provider", "web_search", "tools"},
}


def application(gateway: EmulatedGateway) -> web.Application:
    """Return the web application that serves a gateway's API below its prefix."""
    api = _GatewayApi(gateway)
    app = web.Application(client_max_size=40 * 2**20)
    app.router.add_post(f"{gateway.prefix}/chat/completions", api.complete)
    app.router.add_get(f"{gateway.prefix}/generation", api.generation)
    app.router.add_get(f"{gateway.prefix}/key", api.key)
    app.router.add_get(f"{gateway.prefix}/models", api.models)
    if gateway.name != "rvfreellm":
        app.router.add_post(f"{gateway.prefix}/audio/transcriptions", api.transcribe)
    if gateway.name == "rvfreellm":
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
        body = await request.json()
        refusal = _refusal(gateway, request, body)
        if refusal is not None:
            return refusal
        gateway.requests.append(dict(body))
        if gateway.name == "rvfreellm":
            body["model"] = f"{body['provider']}/{body['model']}"
        gateway.headers.append(dict(request.headers))
        gateway.request_counts[body["model"]] += 1
        started = time.perf_counter()
        try:
            return await self._behave(request, body)
        finally:
            gateway.answer_times_s[str(body.get("user"))] = time.perf_counter() - started

    async def transcribe(self, request: web.Request) -> web.StreamResponse:
        """Answer POST /audio/transcriptions; the name of the model decides on faults, as with chats."""
        gateway = self._gateway
        if refusal := _missing_key(gateway, request):
            return refusal
        asked = await transcription.read_request(gateway.name, request)
        if isinstance(asked, web.Response):
            return asked
        gateway.transcriptions.append(asked)
        gateway.request_counts[asked["model"]] += 1
        known = gateway.name == "local" or asked["model"].startswith("sandbox/")
        if not known and asked["model"] not in gateway.transcription_models:
            return error_response(400, f"{asked['model']} is not a valid model ID")
        return await self._behave(request, asked)

    async def _behave(self, request: web.Request, body: Json) -> web.StreamResponse:
        gateway = self._gateway
        await self._think(request, body)
        if gateway.forbids_free_models and (body["model"].endswith(":free") or body["model"] == "openrouter/free"):
            return await documented(gateway, request, body, DATA_POLICY)
        if "messages" in body and (refusal := refusal_of_parts(gateway.name, body, gateway.sees)):
            return refusal
        match = re.fullmatch(r"sandbox/([a-z_]+)(?:-(\d+))?(?::free)?", body["model"])
        if match is None:
            return await gateway.answer(request, body, gateway.reply_to(body))
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
        return web.json_response(
            {
                "data": {
                    "total_cost": 0.0125,
                    "tokens_prompt": 20,
                    "tokens_completion": 7,
                    # From the sample of the course's skill on OpenRouter, section "Пример JSON Output".
                    "provider_name": "Google AI Studio",
                    "provider_responses": [
                        {"provider_name": "Google", "latency": 327, "status": 429},
                        {"provider_name": "Google AI Studio", "latency": 1643, "status": 200},
                    ],
                    "latency": 1643,
                    "generation_time": 3881,
                }
            }
        )

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

    async def models(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /models."""
        if self._gateway.name == "rvfreellm":
            return await rvfreellm.models(self._gateway, request)
        if request.query.get("output_modalities") == "transcription":
            return web.json_response(self._gateway.list_transcription_models())
        self._gateway.catalog_requests += 1
        return await configured_response(self._gateway.catalog)

    async def providers(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /providers, which only RVFreeLLM has."""
        return await rvfreellm.providers(self._gateway, request)

    async def models_text(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /models/list, which only RVFreeLLM has."""
        return await rvfreellm.models_text(self._gateway, request)


def _refusal(gateway: EmulatedGateway, request: web.Request, body: Json) -> web.Response | None:
    """Return the error for a request that the gateway does not accept; None if it accepts it."""
    if gateway.name == "rvfreellm":
        return rvfreellm.refusal(gateway, request, body)
    if gateway.name == "openrouter":
        if refusal := _missing_key(gateway, request):
            return refusal
        if not isinstance(body.get("provider", {}), dict):
            return error_response(400, "provider must be an object")
    if unknown_fields := UNKNOWN_FIELDS[gateway.name] & set(body):
        return error_response(400, f"unknown fields: {sorted(unknown_fields)}")
    return None


def _missing_key(gateway: EmulatedGateway, request: web.Request) -> web.Response | None:
    if gateway.name == "openrouter" and not request.headers.get("Authorization", "").startswith("Bearer "):
        return error_response(401, "No auth credentials found")
    return None
