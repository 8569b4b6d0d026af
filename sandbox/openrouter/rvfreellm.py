"""What is different in RVFreeLLM, from its document "RVFreeLLM API Endpoints" (version 1.0, 17 November 2025).

The samples are copied from the sections that the comments name. The lists of models and providers are open; a
request to a model needs a key and is counted against the limit of the key.
"""

import copy
import time
from typing import Any

from aiohttp import web

from sandbox.openrouter.gateway import EmulatedGateway
from sandbox.openrouter.payloads import Json, configured_response

SAMPLE_MODEL: Json = {  # section "GET /v1/models", "Формат ответа"
    "id": "gpt-4o-mini",
    "object": "model",
    "created": 1731654208,
    "owned_by": "Capi",
    "permission": [
        {
            "id": "modelperm-gpt-4o-mini-0",
            "object": "model_permission",
            "created": 1731654208,
            "allow_create_engine": False,
            "allow_sampling": True,
            "allow_logprobs": True,
            "allow_search_indices": False,
            "allow_view": True,
            "allow_fine_tuning": False,
            "organization": "*",
            "group": None,
            "is_blocking": False,
        }
    ],
    "provider": "Capi",
    "category": "text",
    "latency_ms": 1500,
    "quality_score": 8.5,
    "last_verified": "2025-11-15 08:23:28",
}
SAMPLE_PROVIDER: Json = {  # section "GET /v1/providers", "Формат ответа"
    "id": "Capi",
    "object": "provider",
    "created": 1731654208,
    "name": "Capi",
    "capabilities": {"text": True, "image": True, "audio": False, "video": False},
    "models": {"total": 18, "text": 18, "image": 0, "audio": 0, "video": 0},
    "performance": {"avg_latency_ms": 1552, "avg_quality_score": 8.2},
    "last_verified": "2025-11-17 08:23:28",
}
FALLBACK_METADATA: Json = {  # section "Информация о fallback в ответе"
    "original_model": "gpt-4o",
    "original_provider": "Capi",
    "fallback_attempts": 3,
}
ALL_MODELS_FAILED: Json = {  # section "Ошибка 503 (все модели exhausted)", whose lists end in "..."
    "message": "Service temporarily unavailable. All 10 model(s) failed to respond.\n\nTried models:\n"
    "gpt-4o (Capi)\ngemini-2.5-flash (Capi)\ngpt-4 (HuggingSpace)\n...",
    "type": "service_unavailable_error",
    "code": "all_models_failed",
    "details": {
        "total_attempts": 10,
        "tried_models": ["gpt-4o (Capi)", "gemini-2.5-flash (Capi)"],
        "error_history": [],
    },
}
# Section "Request Body": the required and the optional fields.
REQUIRED_FIELDS = {"model": str, "provider": str, "messages": list}
OPTIONAL_FIELDS = {
    *("stream", "temperature", "max_tokens", "top_p", "frequency_penalty", "presence_penalty", "web_search")
}
ERROR_TYPES = {  # section "Типы ошибок"
    400: "invalid_request_error",
    401: "authentication_error",
    403: "authentication_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "service_unavailable_error",
}
MODEL_TYPES = ("text", "image", "audio", "video")


def sample_model(name: str, provider: str = "Capi", category: str = "text") -> Json:
    """Return the document's model under another name."""
    return {**copy.deepcopy(SAMPLE_MODEL), "id": name, "provider": provider, "owned_by": provider} | {
        "category": category
    }


def error(status: int, message: str, code: str, headers: dict[str, str] | None = None) -> web.Response:
    """Return an error in the form of the section "Формат ошибки"."""
    fields = {"message": message, "type": ERROR_TYPES[status], "code": code, "param": None}
    return web.json_response({"error": fields}, status=status, headers=headers)


def refusal(gateway: EmulatedGateway, request: web.Request, body: Json) -> web.Response | None:
    """Return the error for a request that RVFreeLLM does not accept; None if it accepts it."""
    if not request.headers.get("Authorization", "").startswith("Bearer rvf_"):
        return error(401, "Invalid API key", "invalid_api_key")
    for name, required_type in REQUIRED_FIELDS.items():
        if not isinstance(body.get(name), required_type):
            return error(400, f"{name} is required", "invalid_request")
    if unknown_fields := set(body) - set(REQUIRED_FIELDS) - OPTIONAL_FIELDS:
        return error(400, f"unknown fields: {sorted(unknown_fields)}", "invalid_request")
    _count_request(gateway)
    if gateway.rate_limit and gateway.requests_in_window > gateway.rate_limit:
        retry_after_s = max(gateway.window_ends_at - int(time.time()), 1)
        headers = {**gateway.headers_of_limit(), "Retry-After": str(retry_after_s)}
        return error(429, "Rate limit exceeded", "rate_limit_exceeded", headers)
    return None


def _count_request(gateway: EmulatedGateway) -> None:
    now = int(time.time())
    if now >= gateway.window_ends_at:
        gateway.window_ends_at = now + gateway.rate_limit_window_s
        gateway.requests_in_window = 0
    gateway.requests_in_window += 1


async def models(gateway: EmulatedGateway, request: web.Request) -> web.StreamResponse:
    """Answer GET /models?provider=…"""
    gateway.catalog_requests += 1
    return await _listed(gateway.catalog, "models", "provider", request.query.get("provider"))


async def providers(gateway: EmulatedGateway, request: web.Request) -> web.StreamResponse:
    """Answer GET /providers?name=…"""
    return await _listed(gateway.providers, "providers", "name", request.query.get("name"))


async def models_text(gateway: EmulatedGateway, request: web.Request) -> web.StreamResponse:
    """Answer GET /models/list?provider=…&type=… with a text for people."""
    wanted = {"provider": request.query.get("provider"), "category": request.query.get("type")}
    if wanted["category"] not in (None, *MODEL_TYPES):
        return error(400, "type must be one of text, image, audio, video", "invalid_request")
    listed = [
        model
        for model in gateway.catalog
        if all(value in (None, model.get(name)) for name, value in wanted.items())
    ]
    return web.json_response({"text": "\n".join(f"• {model['id']} — ⚡ 1.5s" for model in listed)})


async def _listed(configured: Any, name: str, filter_field: str, wanted: str | None) -> web.StreamResponse:
    """Return a list in the document's form, with "data" and "meta"; any other configured response as it is."""
    if not isinstance(configured, list):
        return await configured_response(configured)
    data = [item for item in configured if wanted is None or item.get(filter_field) == wanted]
    meta = {
        f"total_{name}": len(data),
        "provider_filter": wanted,
        "generated_at": "2025-11-17T10:30:00.000Z",
        "data_window": "active_only",
    }
    return web.json_response({"object": "list", "data": data, "meta": meta})
