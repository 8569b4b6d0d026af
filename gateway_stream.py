"""An answer that is still being written: the stream of server-sent events of a gateway."""

import json
import time
from collections.abc import Callable, Iterator

import requests

import gateway_connection
import texts
from gateway_errors import ErrorKind, Json, OpenRouterError, read_error
from gateway_response import (
    Completion,
    clean_text,
    error_of_ending,
    first_choice,
    generation_id_of,
    joined_text,
    read_body,
    read_bytes,
    read_completion,
)
from json_values import as_dict, as_string


class Stream:
    """An answer while it is being written. Iterate over its chunks; then `.completion` holds the whole answer.

    A gateway that does not stream yields the answer as one chunk. OpenRouterError is raised during the iteration.
    close() may be called from any thread; the iteration then ends as if the answer were complete.
    """

    def __init__(
        self,
        gateway: str,
        response: requests.Response,
        model: str,
        *,
        started: float,
        deadline: float,
        stall_s: float,
        strip_thoughts: bool,
    ) -> None:
        self.generation_id = generation_id_of(response)
        self._gateway = gateway
        self._response = response
        self._model = model
        self._provider = ""
        self._started = started
        self._deadline = deadline
        self._stall_s = stall_s
        self._strip_thoughts = strip_thoughts
        self._last_content = time.monotonic()
        self._chunks: list[str] = []
        self._usage: Json = {}
        self._finish_reason: str | None = None
        self._refusal = ""
        self._has_lost_event = False
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
                self.text,
                self._latency_ms(),
                self._model,
                finish_reason,
                self._usage,
                self.generation_id,
                provider=self._provider,
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
        gateway_connection.close_response(self._response)

    def _read_whole(self) -> Completion:
        body = read_body(self._gateway, self._response, self._deadline)
        return read_completion(
            self._gateway,
            self._response,
            body,
            model=self._model,
            latency_ms=self._latency_ms(),
            strip_thoughts=self._strip_thoughts,
        )

    def _read_stream(self) -> Iterator[str]:
        try:
            yield from self._read_chunks()
            error = error_of_ending(self._gateway, self.text, self._finish_reason, self._refusal)
            if error is not None:
                raise error
        except OpenRouterError as error:
            if not self._closed:
                self._add_partial_answer(error)
                raise

    def _read_chunks(self) -> Iterator[str]:
        is_done = False
        for event in _read_events(self._gateway, self._response, self._give_up_at):
            if event == "[DONE]":
                is_done = True
                break
            chunk, is_alive = self._read_event(event)
            if is_alive:
                self._last_content = time.monotonic()
            if chunk:
                self._chunks.append(chunk)
                yield chunk
        if self._has_lost_event or (self._finish_reason is None and not is_done):
            raise OpenRouterError(502, texts.cut_answer(self._gateway), ErrorKind.CUT)

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
            self._has_lost_event = True  # a part of the text may have been in it
            return "", False
        if payload.get("error"):
            raise read_error(self._gateway, 200, payload["error"], {})
        self.generation_id = self.generation_id or as_string(payload.get("id")) or None
        self._usage = as_dict(payload.get("usage")) or self._usage
        self._model = as_string(payload.get("model")) or self._model
        self._provider = as_string(payload.get("provider")) or self._provider
        choice = first_choice(self._gateway, payload)
        self._finish_reason = as_string(choice.get("finish_reason")) or self._finish_reason
        delta = as_dict(choice.get("delta"))
        self._refusal += as_string(delta.get("refusal"))
        chunk = joined_text(delta.get("content"))  # not repaired here: it may end in the middle of an emoji
        return chunk, bool(chunk or delta.get("reasoning") or delta.get("reasoning_content"))

    def _add_partial_answer(self, error: OpenRouterError) -> None:
        error.text = self.text
        error.generation_id = self.generation_id
        error.usage = self._usage
        error.finish_reason = "cut" if error.text else self._finish_reason

    def _latency_ms(self) -> int:
        return round((time.monotonic() - self._started) * 1000)


def _read_events(gateway: str, response: requests.Response, deadline: Callable[[], float]) -> Iterator[str]:
    """Yield the data of server-sent events.

    Lines are split as bytes: a character may be split between two reads, and str.splitlines() would also split at
    U+2028, which does not end a line here.
    """
    rest = b""
    for data in read_bytes(gateway, response, deadline):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].decode("utf-8", "replace").strip()
    if rest.startswith(b"data:"):
        yield rest[5:].decode("utf-8", "replace").strip()
