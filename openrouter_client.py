"""Whom the bot asks: one HTTP client for OpenRouter and the gateways shaped like it.

What is different about a gateway stands in one table, GATEWAYS; its address and key in config.py.

chat_once() returns a Completion, chat_stream() a Stream that yields the answer as it is written and is a
Completion's worth afterwards. Whatever goes wrong is an OpenRouterError with a sentence for the person who
asked; nothing else leaves this module.
"""

import json
import logging
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import quote

import requests
import urllib3

import config
import texts

Json = dict[str, Any]
Deadline = Callable[[], float]  # the moment to give up, on time.monotonic()'s clock; it may move
Message = dict[str, str]  # {"role": "system" | "user" | "assistant", "content": …}

CONNECT_TIMEOUT_S = 5
# Reasoning models spend these tokens on thinking too: with 300 they answer nothing.
MAX_TOKENS = 2000
THOUGHTS = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Traits:
    """What is different about a gateway."""

    extra: Json = field(default_factory=dict)  # fields of its own in every request
    reasoning: Json = field(default_factory=dict)  # … to make a model think little and keep it to itself
    web: Json | None = None  # … to have the model search the web; None if it cannot
    needs_key: bool = True
    takes_user: bool = False  # a stable id of the person who asks
    presents_itself: bool = False  # HTTP-Referer and X-Title
    provider_in_model: bool = False  # a model is «provider/model», and the two are sent apart
    streams: bool = True
    shows_thoughts: bool = False  # within <think> in the text
    attempt_s: float = 90.0  # how long it may take


GATEWAYS = {
    "openrouter": Traits(
        reasoning={"reasoning": {"effort": "low", "exclude": True}},
        web={"tools": [{"type": "openrouter:web_search"}]},
        takes_user=True,
        presents_itself=True,
    ),
    "rvfreellm": Traits(web={"web_search": True}, provider_in_model=True, streams=False, attempt_s=180.0),
    "local": Traits(
        extra={"stream_options": {"include_usage": True}}, needs_key=False, shows_thoughts=True, attempt_s=150.0
    ),
}


class Trouble(Enum):
    """What kind of failure it is, where the status alone does not tell."""

    STATUS = "the status says it"
    SETUP = "nothing was sent: a setting is missing or wrong"
    TIMEOUT = "no answer in time"
    CONNECTION = "no connection"
    CUT = "the answer broke off"
    EMPTY = "an answer without text"
    REFUSED = "the model declined"
    UNKNOWN_MODEL = "the gateway does not have the model"
    LIMIT_MINUTE = "the account's requests of this minute are spent"
    LIMIT_DAY = "the account's free requests of today are spent"
    REASONING = "the model takes no reasoning setting"


class OpenRouterError(Exception):
    """No answer: an HTTP status (0 if there was none) and a sentence for the person who asked."""

    def __init__(
        self,
        status: int,
        msg: str,
        trouble: Trouble = Trouble.STATUS,
        *,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"[{status}] {msg}")
        self.status = status
        self.msg = msg
        self.trouble = trouble
        self.retry_after_s = retry_after_s
        # What came nevertheless: a part of the answer, and what it cost
        self.text = ""
        self.generation_id: str | None = None
        self.usage: Json = {}
        self.finish_reason: str | None = None


@dataclass(frozen=True)
class Completion:
    """A model's answer. It unpacks as `text, latency_ms`."""

    text: str
    latency_ms: int
    model: str  # the one that answered
    finish_reason: str | None
    usage: Json = field(default_factory=dict)
    generation_id: str | None = None
    asked_first: str = ""  # the model that the gateway itself passed over

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
    gateway: str = "openrouter",
    reasoning: bool = False,
    web: bool = False,
) -> Completion:
    """Ask a model once and return its answer within timeout_s seconds; OpenRouterError if there is none.

    user is a stable id of the person who asks: without it a block for one person can hit the whole account.
    reasoning=True asks a reasoning model to think little and to keep its thoughts to itself; web=True has the
    gateway search the web.
    """
    traits = GATEWAYS[gateway]
    body = _body(traits, messages, model, temperature, max_tokens, user, reasoning, web)
    body.pop("stream_options", None)  # servers refuse it where nothing is streamed
    started = time.monotonic()
    deadline = started + timeout_s
    with _request(gateway, "POST", "/chat/completions", deadline, body) as response:
        raw = _read(response, deadline)
        return _completion(traits, response, raw, started, model)


def chat_stream(
    messages: Sequence[Message],
    *,
    model: str,
    temperature: float = 0.2,
    max_tokens: int = MAX_TOKENS,
    timeout_s: float = 90,
    stall_s: float = 45,
    user: str | None = None,
    gateway: str = "openrouter",
    reasoning: bool = False,
    web: bool = False,
) -> "Stream":
    """Ask a model and return its answer as a Stream; OpenRouterError if it refuses at once.

    timeout_s bounds the whole answer, stall_s the time between two pieces of it, in seconds.
    """
    traits = GATEWAYS[gateway]
    started = time.monotonic()
    deadline = started + timeout_s
    body = _body(traits, messages, model, temperature, max_tokens, user, reasoning, web)
    if traits.streams:
        body["stream"] = True
    patience = min(deadline, started + stall_s) if traits.streams else deadline
    response = _request(gateway, "POST", "/chat/completions", patience, body)
    if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
        with response:  # an error, or a gateway that does not stream
            completion = _completion(traits, response, _read(response, deadline), started, model)
        return Stream(traits, None, started, deadline, stall_s, model, completion)
    return Stream(traits, response, started, deadline, stall_s, model)


def generation(generation_id: str, timeout_s: float = 15) -> Json:
    """Return what OpenRouter tells of an answer afterwards: total_cost in USD, tokens_prompt, …"""
    data = _get("openrouter", f"/generation?id={quote(generation_id)}", timeout_s).get("data")
    return data if isinstance(data, dict) else {}


def key(timeout_s: float = 15) -> Json:
    """Return what OpenRouter tells of the owner's key: limit_remaining in USD, free_model_daily_requests, …"""
    data = _get("openrouter", "/key", timeout_s).get("data")
    return data if isinstance(data, dict) else {}


def catalogue(gateway: str, timeout_s: float = 20) -> list[Json]:
    """Return the models that a gateway has, as it describes them."""
    return _list_of(_get(gateway, "/models", timeout_s), "data", "models")


def providers(gateway: str, timeout_s: float = 20) -> list[Json]:
    """Return the providers that a gateway has, as it describes them."""
    return _list_of(_get(gateway, "/providers", timeout_s), "data", "providers")


def models_text(gateway: str, provider: str, timeout_s: float = 20) -> str:
    """Return what a gateway tells people of a provider's models."""
    told = _get(gateway, f"/models/list?provider={quote(provider)}", timeout_s)
    return texts.storable(_text(told.get("text"))).strip()


def _get(gateway: str, path: str, timeout_s: float) -> Json:
    deadline = time.monotonic() + timeout_s
    with _request(gateway, "GET", path, deadline) as response:
        return _payload(response, _read(response, deadline), may_be_list=True)


def _list_of(payload: Json, *names: str) -> list[Json]:
    for name in names:
        if isinstance(payload.get(name), list):
            return [item for item in payload[name] if isinstance(item, dict)]
    raise OpenRouterError(502, texts.BAD_ANSWER)


class Stream:
    """An answer while it is written: iterate over its pieces; .completion is there when they are over.

    close() may be called from any thread: the iteration then ends as if the answer did.
    """

    def __init__(
        self,
        traits: Traits,
        response: requests.Response | None,
        started: float,
        deadline: float,
        stall_s: float,
        model: str,
        completion: Completion | None = None,
    ) -> None:
        self._traits = traits
        self._response = response
        self._started, self._deadline, self._stall_s = started, deadline, stall_s
        self._last_content = time.monotonic()
        self._model = model
        self._pieces: list[str] = []
        self._usage: Json = {}
        self._finish_reason: str | None = None
        self._refusal = ""
        self._closed = False
        self._completion = completion
        self.generation_id = _generation_id(response) if response is not None else None

    def __iter__(self) -> Iterator[str]:
        if self._response is None:
            assert self._completion
            yield self._completion.text
            return
        with self._response:
            try:
                yield from self._read_pieces(self._response)
            except OpenRouterError as error:
                if not self._closed:
                    raise self._with_what_came(error) from error
        self._finish()

    @property
    def completion(self) -> Completion:
        """The whole answer, or the part that came before close()."""
        if self._completion is None:
            reason = "stopped" if self._closed else self._finish_reason
            latency_ms = round((time.monotonic() - self._started) * 1000)
            self._completion = Completion(
                self.text, latency_ms, self._model, reason, self._usage, self.generation_id
            )
        return self._completion

    @property
    def text(self) -> str:
        """The answer so far."""
        if self._completion:
            return self._completion.text
        return _without_thoughts(self._traits, "".join(self._pieces)).strip()

    def close(self) -> None:
        """Break the connection, so that the model stops writing."""
        self._closed = True
        connection = self._response.raw.connection if self._response is not None else None
        if connection is not None and connection.sock is not None:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("the stream was over already")

    def _read_pieces(self, response: requests.Response) -> Iterator[str]:
        for event in _events(response, self._give_up_at):
            if event == "[DONE]":
                return
            if self._take(event):
                self._last_content = time.monotonic()
                if self._pieces:
                    yield self._pieces[-1]
        if self._finish_reason is None and not self._closed:
            raise OpenRouterError(502, texts.CUT_ANSWER, Trouble.CUT)

    def _give_up_at(self) -> float:
        # Comments keep the line alive; only what the model writes, or thinks, counts.
        return min(self._deadline, self._last_content + self._stall_s)

    def _take(self, event: str) -> bool:
        """Take in one event; return whether the model wrote or thought something in it."""
        try:
            chunk = json.loads(event)
        except (ValueError, RecursionError):
            log.debug("an event of the stream is not JSON")
            return False
        if not isinstance(chunk, dict):
            return False
        if chunk.get("error"):
            raise _error_of(200, chunk["error"], {})
        self.generation_id = self.generation_id or _string(chunk.get("id"))
        if isinstance(chunk.get("usage"), dict):
            self._usage = chunk["usage"]
        choice = _first_choice(chunk)
        if choice.get("error"):
            raise _error_of(200, choice["error"], {})
        self._finish_reason = _string(choice.get("finish_reason")) or self._finish_reason
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return False
        self._refusal += _string(delta.get("refusal")) or ""
        piece = texts.storable(_text(delta.get("content")))
        if piece:
            self._pieces.append(piece)
        return bool(piece or delta.get("reasoning") or delta.get("reasoning_content"))

    def _finish(self) -> None:
        if not self.text and not self._closed:
            raise self._with_what_came(_no_text(self._refusal, self._finish_reason))

    def _with_what_came(self, error: OpenRouterError) -> OpenRouterError:
        error.text = self.text
        error.generation_id = self.generation_id
        error.usage = self._usage
        error.finish_reason = "cut" if error.text else self._finish_reason
        return error


# The request -------------------------------------------------------------------------------------------


def _body(
    traits: Traits,
    messages: Sequence[Message],
    model: str,
    temperature: float,
    max_tokens: int,
    user: str | None,
    reasoning: bool,
    web: bool,
) -> Json:
    body: Json = {
        "model": model,
        "messages": list(messages),
        "temperature": temperature,
        "max_tokens": max_tokens,
        **traits.extra,
    }
    if traits.provider_in_model:
        body["provider"], _, body["model"] = model.partition("/")
    if traits.takes_user and user:
        body["user"] = user
    if reasoning:
        body |= traits.reasoning
    if web:
        if traits.web is None:
            raise OpenRouterError(400, texts.NO_WEB, Trouble.SETUP)
        body |= traits.web
    return body


def _request(gateway: str, method: str, path: str, deadline: float, body: Json | None = None) -> requests.Response:
    """Send a request and return the response once its headers are there."""
    try:
        where = config.gateways().get(gateway)
        headers = config.openrouter_headers() if GATEWAYS[gateway].presents_itself else {}
    except config.SetupError as error:
        raise OpenRouterError(0, str(error), Trouble.SETUP) from error
    if where is None:
        raise OpenRouterError(404, texts.NO_GATEWAY, Trouble.SETUP)
    if GATEWAYS[gateway].needs_key and not where.api_key and path != "/models":  # the list is open to all
        raise OpenRouterError(401, texts.NO_API_KEY, Trouble.SETUP)
    if not where.api_key.isascii() or not where.api_key.isprintable():
        raise OpenRouterError(401, texts.BAD_API_KEY, Trouble.SETUP)
    if where.api_key:
        headers["Authorization"] = f"Bearer {where.api_key}"
    with _troubles():
        return _session.request(
            method,
            where.base_url + path,
            json=body,
            headers=headers,
            timeout=(CONNECT_TIMEOUT_S, max(deadline - time.monotonic(), 0.001)),
            stream=True,
        )


@contextmanager
def _troubles() -> Iterator[None]:
    """Turn the ways in which a line breaks into OpenRouterError."""
    try:
        yield
    except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as error:
        raise OpenRouterError(0, texts.MODEL_TIMEOUT, Trouble.TIMEOUT) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise OpenRouterError(0, texts.NO_CONNECTION, Trouble.CONNECTION) from error


def _chunks(response: requests.Response, deadline: Deadline) -> Iterator[bytes]:
    """Yield the body as it comes, up to the deadline.

    Spaces and comments that keep the line alive defeat any timeout between bytes, so time is told after each
    read, and the socket waits no longer than what is left.
    """
    with _troubles():
        while True:
            left = deadline() - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if response.raw.connection is not None and response.raw.connection.sock is not None:
                response.raw.connection.sock.settimeout(left)
            chunk = response.raw.read1(65536, decode_content=True)
            if not chunk:
                return
            yield chunk


def _read(response: requests.Response, deadline: float) -> bytes:
    return b"".join(_chunks(response, lambda: deadline))


def _events(response: requests.Response, deadline: Deadline) -> Iterator[str]:
    """Yield the data of server-sent events.

    Lines are cut as bytes: a letter may be split between two chunks, and U+2028 ends a line for str, but not here.
    """
    rest = b""
    for chunk in _chunks(response, deadline):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].decode("utf-8", "replace").strip()
    if rest.startswith(b"data:"):
        yield rest[5:].decode("utf-8", "replace").strip()


# The response ------------------------------------------------------------------------------------------


def _completion(traits: Traits, response: requests.Response, raw: bytes, started: float, asked: str) -> Completion:
    """Return the answer that a whole response holds."""
    latency_ms = round((time.monotonic() - started) * 1000)
    payload = _payload(response, raw)
    choice = _first_choice(payload)
    if choice.get("error"):
        raise _error_of(200, choice["error"], {})
    message = choice.get("message")
    if not isinstance(message, dict):
        message = {}
    usage = payload.get("usage")
    reason = _string(choice.get("finish_reason"))
    generation_id = _string(payload.get("id")) or _generation_id(response)
    text = _without_thoughts(traits, texts.storable(_text(message.get("content")))).strip()
    metadata = payload.get("_metadata")
    if not text:
        error = _no_text(_string(message.get("refusal")), reason)
        error.usage = usage if isinstance(usage, dict) else {}
        error.generation_id = generation_id
        error.finish_reason = reason
        raise error
    return Completion(
        text=text,
        latency_ms=latency_ms,
        model=_string(payload.get("model")) or asked,
        finish_reason=reason,
        usage=usage if isinstance(usage, dict) else {},
        generation_id=generation_id,
        asked_first=(_string(metadata.get("original_model")) or "") if isinstance(metadata, dict) else "",
    )


def _without_thoughts(traits: Traits, text: str) -> str:
    return THOUGHTS.sub("", text) if traits.shows_thoughts else text


def _payload(response: requests.Response, raw: bytes, *, may_be_list: bool = False) -> Json:
    """Return the JSON object of a good response; OpenRouterError for an error, also one inside HTTP 200."""
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError):
        payload = None
    if may_be_list and isinstance(payload, list):
        payload = {"data": payload}
    error = payload.get("error") if isinstance(payload, dict) else None
    if response.status_code >= 400 or error:
        raise _error_of(response.status_code, error, response.headers)
    if not isinstance(payload, dict):
        raise OpenRouterError(502, texts.BAD_ANSWER)
    return payload


def _first_choice(payload: Json) -> Json:
    """Return the first choice; {} where there is none, as in the chunk that tells the usage."""
    choices = payload.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else {}


def _no_text(refusal: str | None, finish_reason: str | None) -> OpenRouterError:
    if refusal or finish_reason == "content_filter":
        return OpenRouterError(403, texts.MODEL_REFUSED, Trouble.REFUSED)
    return OpenRouterError(502, texts.EMPTY_ANSWER, Trouble.EMPTY)


def _error_of(status: int, error: Any, headers: Any) -> OpenRouterError:
    """Read an error as gateways write it: an object, a string, or nothing at all.

    Its words do not go to the log: providers quote the question there.
    """
    error = error if isinstance(error, dict) else {"message": error}
    code = status if status >= 400 else _code(error)
    raw = str(error.get("message"))
    # The key and the money are the owner's affair; else another model stands in.
    log.log(logging.WARNING if code in (401, 402) else logging.INFO, "a model did not answer: HTTP %d", code)
    metadata = error.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    if code == 429 and "free-models-per-day" in raw:
        return OpenRouterError(429, texts.limit_day(_reset_at(metadata, headers)), Trouble.LIMIT_DAY)
    retry_after_s = _seconds(metadata.get("retry_after_seconds")) or _seconds(headers.get("Retry-After"))
    if code == 429 and "free-models-per-min" in raw:
        reset_at = _reset_at(metadata, headers)
        wait_s = max(reset_at - time.time(), 0) if reset_at else retry_after_s
        return OpenRouterError(429, texts.limit_minute(reset_at), Trouble.LIMIT_MINUTE, retry_after_s=wait_s)
    trouble = Trouble.STATUS
    if code == 400 and "model" in raw and ("not a valid" in raw or "not exist" in raw or "not found" in raw):
        trouble = Trouble.UNKNOWN_MODEL
    elif code == 400 and "reasoning" in raw:
        trouble = Trouble.REASONING
    return OpenRouterError(code, texts.status(code), trouble, retry_after_s=retry_after_s)


def _code(error: Json) -> int:
    """Return the status that an error names; gateways write it as a number, a string, or not at all."""
    code = str(error.get("code", ""))
    return int(code) if len(code) == 3 and code.isascii() and code.isdigit() and int(code) >= 400 else 502


def _reset_at(metadata: Json, headers: Any) -> float | None:
    """Return when a limit opens again, in Unix seconds.

    OpenRouter tells milliseconds, in the headers or only in the metadata; other gateways tell seconds.
    """
    inner = metadata.get("headers")
    places = [headers, inner if isinstance(inner, dict) else {}]
    value = next((found for place in places if (found := _seconds(place.get("X-RateLimit-Reset")))), None)
    return value / 1000 if value and value > 1e11 else value


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if 0 < seconds < 1e15 else None


def _text(content: Any) -> str:
    """Return the text of a message's content: a string, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(p["text"] for p in parts if isinstance(p, dict) and isinstance(p.get("text"), str))


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _generation_id(response: requests.Response) -> str | None:
    return _string(response.headers.get("X-Generation-Id"))


# One session for all threads: it keeps the connections to the gateway open between questions.
_session = requests.Session()
_session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=64))
_session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=64))
