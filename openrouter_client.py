"""HTTP client for OpenRouter and for the gateways that share its API.

complete() and chat_once() return a whole answer, stream() an answer that grows. Every failure raises
OpenRouterError, whose message is a Russian sentence for the person who asked.
The table FEATURES holds what differs between the gateways; their addresses and keys come from config.py.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import requests

import config
import gateway_connection
import texts
from config import Gateway
from gateway_connection import RequestCloser
from gateway_errors import ErrorKind, Json, OpenRouterError, bad_answer_error, connection_errors
from gateway_response import Completion, clean_text, read_body, read_completion, read_payload
from gateway_stream import Stream
from json_values import as_dict

# Names of other modules that callers may import from here.
__all__ = ["Completion", "ErrorKind", "Json", "OpenRouterError", "RequestCloser", "Stream"]

ChatMessage = Json  # {"role": "system" | "user" | "assistant", "content": a text, or a list of parts}

MAX_TOKENS = 2000  # of an answer; reasoning models also spend them on thinking: with 300 they answer nothing
WEB_SEARCH_LIMITS = {"max_results": 5, "max_total_results": 5}  # each result costs money
CONNECT_TIMEOUT_S = 5
FETCH_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class GatewayFeatures:
    """What differs between the gateways."""

    extra_fields: Json = field(default_factory=dict)  # added to every request
    reasoning_fields: Json = field(default_factory=dict)  # make a model think little and not show it
    web_search_fields: Json | None = None  # make a model search the web; None: it cannot
    web_search_costs: bool = False  # even with a free model
    needs_key: bool = True
    open_paths: frozenset[str] = frozenset()  # are asked without the key, which may be wrong or missing
    requests_per_minute: int | None = None  # until the headers X-RateLimit-* of a response tell the key's limit
    accepts_user: bool = False  # a stable id of the person who asks
    has_providers: bool = False  # a model is "provider/model", and the request has a field for each
    shows_thoughts: bool = False  # models write <think>…</think> into the answer
    timeout_s: float = 90.0  # of one answer


FEATURES = {
    "openrouter": GatewayFeatures(
        reasoning_fields={"reasoning": {"effort": "low", "exclude": True}},
        web_search_fields={
            "tools": [{"type": "openrouter:web_search", "parameters": WEB_SEARCH_LIMITS}],
            "provider": {"require_parameters": True},  # a provider without tools would answer without a search
        },
        web_search_costs=True,
        accepts_user=True,
        open_paths=frozenset({"/models"}),
    ),
    "rvfreellm": GatewayFeatures(
        web_search_fields={"web_search": True},
        open_paths=frozenset({"/models", "/models/list", "/providers"}),
        requests_per_minute=30,
        has_providers=True,
        timeout_s=180.0,
    ),
    "local": GatewayFeatures(
        extra_fields={"stream_options": {"include_usage": True}},
        needs_key=False,
        shows_thoughts=True,
        timeout_s=150.0,
    ),
}

_session = gateway_connection.new_session()


@dataclass(frozen=True)
class ChatRequest:
    """A question to a model.

    `timeout_s` limits the whole answer, in seconds. `user` is a stable id of the person who asks: without it,
    OpenRouter may block the whole account for what one person writes. `limit_reasoning` asks a reasoning model to
    think little and to leave its thoughts out; `search_web` has the gateway search the web first. `sampling` may
    hold top_p, frequency_penalty and presence_penalty. `on_headers` is called with the headers of the response.
    """

    messages: Sequence[ChatMessage]
    model: str
    gateway: Gateway
    temperature: float = 0.2
    max_tokens: int = MAX_TOKENS
    timeout_s: float = 30.0
    user: str | None = None
    limit_reasoning: bool = False
    search_web: bool = False
    sampling: Mapping[str, float] = field(default_factory=dict)
    on_headers: Callable[[Mapping[str, str]], None] = lambda _: None


# Asking a model ------------------------------------------------------------------------------------------


def chat_once(
    messages: Sequence[ChatMessage],
    *,
    model: str,
    temperature: float = 0.2,
    max_tokens: int = MAX_TOKENS,
    timeout_s: float = 30,
    gateway: str = "openrouter",
    **sampling: float,
) -> Completion:
    """Ask a model once and return its answer, which unpacks as `text, latency_ms`; OpenRouterError if it fails.

    `timeout_s` limits the whole answer. `sampling` may hold top_p, frequency_penalty and presence_penalty.
    """
    return complete(
        ChatRequest(
            messages=messages,
            model=model,
            gateway=require_gateway(load_gateways(), gateway),
            temperature=temperature,
            max_tokens=max_tokens,
            timeout_s=timeout_s,
            sampling=sampling,
        )
    )


def complete(request: ChatRequest) -> Completion:
    """Send a request and return the whole answer; OpenRouterError if it fails."""
    started = time.monotonic()
    deadline = started + request.timeout_s
    body = _chat_body(request)
    body.pop("stream_options", None)  # servers refuse this field in a request without "stream"
    with send(request.gateway, "POST", "/chat/completions", deadline, body) as response:
        request.on_headers(response.headers)
        answer = read_body(request.gateway.name, response, deadline)
        return read_completion(
            request.gateway.name,
            response,
            answer,
            model=request.model,
            latency_ms=round((time.monotonic() - started) * 1000),
            strip_thoughts=FEATURES[request.gateway.name].shows_thoughts,
        )


def stream(request: ChatRequest, stall_s: float = 45.0, closer: RequestCloser | None = None) -> Stream:
    """Send a request and return the answer as a Stream.

    `stall_s` limits the time between two chunks, in seconds; `closer` can end the request before a Stream exists.
    OpenRouterError if the request cannot be sent; a refusal is raised by the iteration.
    """
    features = FEATURES[request.gateway.name]
    started = time.monotonic()
    deadline = started + request.timeout_s
    body = {**_chat_body(request), "stream": True}
    # A gateway with a fallback of its own sends nothing while it tries one model after another.
    response_deadline = deadline if features.has_providers else min(deadline, started + stall_s)
    response = send(request.gateway, "POST", "/chat/completions", response_deadline, body, closer)
    request.on_headers(response.headers)
    return Stream(
        request.gateway.name,
        response,
        request.model,
        started=started,
        deadline=deadline,
        stall_s=stall_s,
        strip_thoughts=features.shows_thoughts,
    )


# Asking a gateway about itself ---------------------------------------------------------------------------


def fetch_generation(gateway: Gateway, generation_id: str) -> Json:
    """Return the details that OpenRouter keeps of an answer: total_cost in USD, tokens_prompt, …"""
    return as_dict(_fetch(gateway, f"/generation?id={quote(generation_id)}").get("data"))


def fetch_key(gateway: Gateway) -> Json:
    """Return the details of the owner's OpenRouter key: limit_remaining in USD, free_model_daily_requests, …"""
    return as_dict(_fetch(gateway, "/key").get("data"))


def fetch_models(gateway: Gateway, timeout_s: float = FETCH_TIMEOUT_S) -> list[Json]:
    """Return a gateway's models, as the gateway describes them."""
    return _list_in(gateway, _fetch(gateway, "/models", timeout_s))


def fetch_providers(gateway: Gateway) -> list[Json]:
    """Return a gateway's providers, as the gateway describes them."""
    return _list_in(gateway, _fetch(gateway, "/providers"))


def fetch_models_text(gateway: Gateway, **filters: str) -> str:
    """Return a gateway's description of its models, a text for people; the filters are `provider` and `type`."""
    payload = _fetch(gateway, f"/models/list?{urlencode(filters)}")
    return clean_text(payload.get("text"))


def _fetch(gateway: Gateway, path: str, timeout_s: float = FETCH_TIMEOUT_S) -> Json:
    deadline = time.monotonic() + timeout_s
    with send(gateway, "GET", path, deadline) as response:
        return read_payload(gateway.name, response, read_body(gateway.name, response, deadline))


def _list_in(gateway: Gateway, payload: Json) -> list[Json]:
    if not isinstance(payload.get("data"), list):
        raise bad_answer_error(gateway.name)
    return [item for item in payload["data"] if isinstance(item, dict)]


# The request ---------------------------------------------------------------------------------------------


def load_gateways() -> dict[str, Gateway]:
    """Read the configured gateways from the settings; OpenRouterError if a setting is wrong."""
    try:
        return config.load_gateways()
    except config.SetupError as error:
        raise OpenRouterError(0, str(error), ErrorKind.SETUP) from error


def require_gateway(gateways: Mapping[str, Gateway], name: str) -> Gateway:
    """Return a configured gateway; OpenRouterError if it is not configured."""
    if name not in gateways:
        raise OpenRouterError(404, texts.NO_GATEWAY, ErrorKind.SETUP)
    return gateways[name]


def _chat_body(request: ChatRequest) -> Json:
    features = FEATURES[request.gateway.name]
    body: Json = {
        "model": request.model,
        "messages": list(request.messages),
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        **request.sampling,
        **features.extra_fields,
    }
    if features.has_providers:
        body["provider"], _, body["model"] = request.model.partition("/")
    if features.accepts_user and request.user:
        body["user"] = request.user
    if request.limit_reasoning:
        body.update(features.reasoning_fields)
    if request.search_web:
        if features.web_search_fields is None:
            raise OpenRouterError(400, texts.NO_WEB, ErrorKind.SETUP)
        body.update(features.web_search_fields)
    return body


def send(
    gateway: Gateway,
    method: str,
    path: str,
    deadline: float,
    body: Json | None = None,
    closer: RequestCloser | None = None,
    files: Mapping[str, Any] | None = None,
) -> requests.Response:
    """Send a request with JSON or a form; return the response as soon as its headers have arrived."""
    features = FEATURES[gateway.name]
    headers = dict(gateway.headers)
    if path.partition("?")[0] not in features.open_paths:
        if features.needs_key and not gateway.api_key:
            raise OpenRouterError(401, texts.no_api_key(gateway.name), ErrorKind.SETUP)
        if not gateway.api_key.isascii() or not gateway.api_key.isprintable():
            raise OpenRouterError(401, texts.bad_api_key(gateway.name), ErrorKind.SETUP)
        if gateway.api_key:
            headers["Authorization"] = f"Bearer {gateway.api_key}"
    url = gateway.base_url + path
    left_s = max(deadline - time.monotonic(), 0.001)
    with connection_errors(gateway.name):
        return gateway_connection.send(
            _session,
            closer,
            deadline=deadline,
            method=method,
            url=url,
            json=body,
            files=files,
            headers=headers,
            timeout=(min(CONNECT_TIMEOUT_S, left_s), left_s),
            stream=True,
        )
