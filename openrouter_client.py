"""Whom the bot asks: one HTTP client for OpenRouter.

chat_once() either returns a Completion or raises OpenRouterError with a sentence for the person who asked;
nothing else leaves this module.
"""

import json
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
import urllib3

import config
import texts

Message = dict[str, str]  # {"role": "system" | "user" | "assistant", "content": …}

CONNECT_TIMEOUT_S = 5
# Reasoning models spend these tokens on thinking too: with 300 they answer nothing.
MAX_TOKENS = 2000

log = logging.getLogger(__name__)


class OpenRouterError(Exception):
    """No answer: an HTTP status (0 if there was none) and a sentence for the person who asked."""

    def __init__(self, status: int, msg: str) -> None:
        super().__init__(f"[{status}] {msg}")
        self.status = status
        self.msg = msg


@dataclass(frozen=True)
class Completion:
    """A model's answer. It unpacks as `text, latency_ms`."""

    text: str
    latency_ms: int
    model: str  # the one that answered
    finish_reason: str | None
    usage: dict[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.text, self.latency_ms))


def chat_once(
    messages: Sequence[Message],
    *,
    model: str,
    temperature: float = 0.2,
    max_tokens: int = MAX_TOKENS,
    timeout_s: float = 30,
    user: str | None = None,
) -> Completion:
    """Ask a model once and return its answer within timeout_s seconds; OpenRouterError if there is none.

    user is a stable id of the person who asks: without it a block for one person can hit the whole account.
    """
    body = {"model": model, "messages": list(messages), "temperature": temperature, "max_tokens": max_tokens}
    if user:
        body["user"] = user
    started = time.monotonic()
    status, raw = _post("/chat/completions", body, deadline=started + timeout_s)
    latency_ms = round((time.monotonic() - started) * 1000)
    return _completion(_payload(status, raw), latency_ms, model)


def _post(path: str, body: dict[str, Any], deadline: float) -> tuple[int, bytes]:
    """Post JSON; return the status and the whole body, or raise OpenRouterError when the deadline passes."""
    try:
        gateway = config.openrouter()
    except config.SetupError as error:
        raise OpenRouterError(0, str(error)) from error
    if not gateway.api_key:
        raise OpenRouterError(401, texts.NO_API_KEY)
    if not gateway.api_key.isascii() or not gateway.api_key.isprintable():
        raise OpenRouterError(401, texts.BAD_API_KEY)
    timeout = (CONNECT_TIMEOUT_S, max(deadline - time.monotonic(), 0.001))
    try:
        with _session().post(
            gateway.base_url + path,
            json=body,
            headers={"Authorization": f"Bearer {gateway.api_key}"},
            timeout=timeout,
            stream=True,
        ) as response:
            return response.status_code, _read(response, deadline)
    except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as error:
        raise OpenRouterError(0, texts.MODEL_TIMEOUT) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise OpenRouterError(0, texts.NO_CONNECTION) from error


def _read(response: requests.Response, deadline: float) -> bytes:
    """Read a body up to the deadline: spaces sent to keep the line alive defeat any timeout between bytes."""
    body = bytearray()
    while chunk := response.raw.read1(65536, decode_content=True):
        body += chunk
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if response.raw.connection and response.raw.connection.sock:
            response.raw.connection.sock.settimeout(left)
    return bytes(body)


def _payload(status: int, raw: bytes) -> dict[str, Any]:
    """Return the JSON object of a good response; OpenRouterError for an error, also one inside HTTP 200."""
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError):
        payload = None
    error = payload.get("error") if isinstance(payload, dict) else None
    if status >= 400 or error:
        _log_refusal(status, error)
        code = status if status >= 400 else _code(error)
        raise OpenRouterError(code, texts.status(code))
    if not isinstance(payload, dict):
        raise OpenRouterError(502, texts.BAD_ANSWER)
    return payload


def _code(error: Any) -> int:
    """Return the status that an error names; gateways write it as a number, a string, or not at all."""
    code = str(error.get("code", "")) if isinstance(error, dict) else ""
    return int(code) if code.isascii() and code.isdigit() and 400 <= int(code[:4]) <= 599 else 502


def _log_refusal(status: int, error: Any) -> None:
    message = error.get("message") if isinstance(error, dict) else error
    log.warning("model refused: HTTP %d, %.300s", status, message)


def _completion(payload: dict[str, Any], latency_ms: int, asked: str) -> Completion:
    choices = payload.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise OpenRouterError(502, texts.BAD_ANSWER)
    if choice.get("error"):
        _log_refusal(200, choice["error"])
        code = _code(choice["error"])
        raise OpenRouterError(code, texts.status(code))
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    text = texts.without_lone_surrogates(_text(content)).strip()
    if not text:
        raise OpenRouterError(502, texts.EMPTY_ANSWER)
    usage, reason, answered = payload.get("usage"), choice.get("finish_reason"), payload.get("model")
    return Completion(
        text=text,
        latency_ms=latency_ms,
        model=answered if isinstance(answered, str) and answered else asked,
        finish_reason=reason if isinstance(reason, str) else None,
        usage=usage if isinstance(usage, dict) else {},
    )


def _text(content: Any) -> str:
    """Return the text of a message's content: a string, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(p["text"] for p in parts if isinstance(p, dict) and isinstance(p.get("text"), str))


_local = threading.local()


def _session() -> requests.Session:
    """Return this thread's session: it keeps the connection to the gateway open between questions."""
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
    session: requests.Session = _local.session
    return session
