"""Responses of the gateways: a whole answer (Completion), or an answer that is still being written (Stream)."""

import json
import logging
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests

import texts
import unicode_text
from gateway_errors import ErrorKind, Json, OpenRouterError, connection_errors, no_text_error, read_error

THOUGHTS = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Completion:
    """A model's answer. It unpacks as `text, latency_ms`."""

    text: str
    latency_ms: int
    model: str  # the model that answered
    finish_reason: str | None
    usage: Json = field(default_factory=dict)
    generation_id: str | None = None
    fallback_from: str = ""  # the model that the gateway itself replaced with another; "" if it did not

    def __iter__(self) -> Iterator[Any]:
        return iter((self.text, self.latency_ms))


# A whole response ----------------------------------------------------------------------------------------


def read_body(response: requests.Response, deadline: float) -> bytes:
    """Read a whole body; OpenRouterError if it is not complete at `deadline` (on time.monotonic()'s clock)."""
    return b"".join(_read_bytes(response, lambda: deadline))


def read_payload(response: requests.Response, body: bytes) -> Json:
    """Return the JSON object in a body; OpenRouterError for an error, even inside HTTP 200.

    A JSON array becomes {"data": array}: some gateways send their lists that way.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if isinstance(payload, list):
        payload = {"data": payload}
    error = payload.get("error") if isinstance(payload, dict) else None
    if response.status_code >= 400 or error:
        raise read_error(response.status_code, error, response.headers)
    if not isinstance(payload, dict):
        raise OpenRouterError(502, texts.BAD_ANSWER)
    return payload


def read_completion(
    response: requests.Response, body: bytes, *, model: str, latency_ms: int, strip_thoughts: bool
) -> Completion:
    """Return the answer in a whole response; OpenRouterError if it holds none. `model` is the one requested."""
    payload = read_payload(response, body)
    choice = _first_choice(payload)
    message = _dict(choice.get("message"))
    usage = _dict(payload.get("usage"))
    finish_reason = _string(choice.get("finish_reason")) or None
    generation_id = _string(payload.get("id")) or _generation_id(response)
    text = clean_text(message.get("content"), strip_thoughts=strip_thoughts)
    if not text:
        error = no_text_error(_string(message.get("refusal")), finish_reason)
        error.usage, error.generation_id, error.finish_reason = usage, generation_id, finish_reason
        raise error
    return Completion(
        text=text,
        latency_ms=latency_ms,
        model=_string(payload.get("model")) or model,
        finish_reason=finish_reason,
        usage=usage,
        generation_id=generation_id,
        fallback_from=_string(_dict(payload.get("_metadata")).get("original_model")),
    )


def clean_text(content: object, *, strip_thoughts: bool = False) -> str:
    """Return the text of a message's content, ready to be stored."""
    text = unicode_text.storable(_joined(content))
    if strip_thoughts:
        text = THOUGHTS.sub("", text)
    return text.strip()


# A streamed response -------------------------------------------------------------------------------------


class Stream:
    """An answer while it is being written. Iterate over its chunks; then `.completion` holds the whole answer.

    A gateway that does not stream yields the answer as one chunk. OpenRouterError is raised during the iteration.
    close() may be called from any thread; the iteration then ends as if the answer were complete.
    """

    def __init__(
        self,
        response: requests.Response,
        model: str,
        *,
        started: float,
        deadline: float,
        stall_s: float,
        strip_thoughts: bool,
    ) -> None:
        self.generation_id = _generation_id(response)
        self._response = response
        self._model = model
        self._started = started
        self._deadline = deadline
        self._stall_s = stall_s
        self._strip_thoughts = strip_thoughts
        self._last_content = time.monotonic()
        self._chunks: list[str] = []
        self._usage: Json = {}
        self._finish_reason: str | None = None
        self._refusal = ""
        self._closed = False
        self._completion: Completion | None = None

    def __iter__(self) -> Iterator[str]:
        content_type = self._response.headers.get("Content-Type", "")
        with self._response:
            if content_type.startswith("text/event-stream"):
                yield from self._read_stream()
            else:
                self._completion = self._read_whole()
                yield self._completion.text

    @property
    def completion(self) -> Completion:
        """The whole answer, or the part that arrived before close()."""
        if self._completion is None:
            finish_reason = "stopped" if self._closed else self._finish_reason
            self._completion = Completion(
                self.text, self._latency_ms(), self._model, finish_reason, self._usage, self.generation_id
            )
        return self._completion

    @property
    def text(self) -> str:
        """The answer so far."""
        if self._completion is not None:
            return self._completion.text
        return clean_text("".join(self._chunks), strip_thoughts=self._strip_thoughts)

    def close(self) -> None:
        """Break the connection, so that the model stops writing."""
        self._closed = True
        connection = self._response.raw.connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):  # the connection is closed already
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _read_whole(self) -> Completion:
        body = read_body(self._response, self._deadline)
        latency_ms = self._latency_ms()
        return read_completion(
            self._response, body, model=self._model, latency_ms=latency_ms, strip_thoughts=self._strip_thoughts
        )

    def _read_stream(self) -> Iterator[str]:
        try:
            yield from self._read_chunks()
            if not self.text:
                raise no_text_error(self._refusal, self._finish_reason)
        except OpenRouterError as error:
            if not self._closed:
                self._add_partial_answer(error)
                raise

    def _read_chunks(self) -> Iterator[str]:
        for event in _read_events(self._response, self._give_up_at):
            if event == "[DONE]":
                return
            chunk, is_alive = self._read_event(event)
            if is_alive:
                self._last_content = time.monotonic()
            if chunk:
                self._chunks.append(chunk)
                yield chunk
        if self._finish_reason is None:
            raise OpenRouterError(502, texts.CUT_ANSWER, ErrorKind.CUT)

    def _give_up_at(self) -> float:
        # Comments keep the connection open, so only what the model writes or thinks counts as progress.
        return min(self._deadline, self._last_content + self._stall_s)

    def _read_event(self, event: str) -> tuple[str, bool]:
        """Read one event; return its text, and whether the model wrote or thought anything in it."""
        try:
            payload = json.loads(event)
        except (ValueError, RecursionError):
            payload = None
        if not isinstance(payload, dict):
            log.debug("an event of the stream is not a JSON object")
            return "", False
        if payload.get("error"):
            raise read_error(200, payload["error"], {})
        self.generation_id = self.generation_id or _string(payload.get("id")) or None
        self._usage = _dict(payload.get("usage")) or self._usage
        choice = _first_choice(payload)
        self._finish_reason = _string(choice.get("finish_reason")) or self._finish_reason
        delta = _dict(choice.get("delta"))
        self._refusal += _string(delta.get("refusal"))
        chunk = unicode_text.storable(_joined(delta.get("content")))
        return chunk, bool(chunk or delta.get("reasoning") or delta.get("reasoning_content"))

    def _add_partial_answer(self, error: OpenRouterError) -> None:
        error.text = self.text
        error.generation_id = self.generation_id
        error.usage = self._usage
        error.finish_reason = "cut" if error.text else self._finish_reason

    def _latency_ms(self) -> int:
        return round((time.monotonic() - self._started) * 1000)


def _read_bytes(response: requests.Response, deadline: Callable[[], float]) -> Iterator[bytes]:
    """Yield the body as it arrives; OpenRouterError once `deadline()` has passed (it may move).

    Servers send spaces and comments to keep a connection open, and these reset any timeout between two reads.
    So the deadline is checked after each read, and the socket never waits longer than the time left.
    """
    with connection_errors():
        while True:
            left_s = deadline() - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            connection = response.raw.connection
            if connection is not None and connection.sock is not None:
                connection.sock.settimeout(left_s)
            data = response.raw.read1(65536, decode_content=True)
            if not data:
                return
            yield data


def _read_events(response: requests.Response, deadline: Callable[[], float]) -> Iterator[str]:
    """Yield the data of server-sent events.

    Lines are split as bytes: a character may be split between two reads, and str.splitlines() would also split at
    U+2028, which does not end a line here.
    """
    rest = b""
    for data in _read_bytes(response, deadline):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].decode("utf-8", "replace").strip()
    if rest.startswith(b"data:"):
        yield rest[5:].decode("utf-8", "replace").strip()


# Fields of a payload: a gateway may send anything in them ------------------------------------------------


def _first_choice(payload: Json) -> Json:
    """Return the first choice, or {} (the event with the usage has none); OpenRouterError if it holds an error."""
    choices = payload.get("choices")
    choice = _dict(choices[0]) if isinstance(choices, list) and choices else {}
    if choice.get("error"):
        raise read_error(200, choice["error"], {})
    return choice


def _joined(content: object) -> str:
    """Return the text of a message's content, which is a string, a list of parts, or missing."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    part_texts = [_dict(part).get("text") for part in parts]
    return "".join(text for text in part_texts if isinstance(text, str))


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _string(value: object) -> str:
    return unicode_text.storable(value) if isinstance(value, str) else ""


def _generation_id(response: requests.Response) -> str | None:
    return _string(response.headers.get("X-Generation-Id")) or None
