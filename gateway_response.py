"""Whole responses of the gateways, and what their fields may hold; gateway_stream.py reads growing answers."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import requests

import gateway_connection
import texts
import unicode_text
from gateway_errors import (
    Json,
    OpenRouterError,
    bad_answer_error,
    connection_errors,
    no_text_error,
    read_error,
)
from json_values import as_dict, as_list, as_string

THOUGHTS = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
THOUGHTS_WITHOUT_BEGINNING = re.compile(r"\A.*</think>", re.DOTALL)  # the prompt of some models ends in <think>


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
    provider: str = ""  # who ran the model for the gateway; "" if the gateway does not say

    def __iter__(self) -> Iterator[Any]:
        return iter((self.text, self.latency_ms))


# A whole response ----------------------------------------------------------------------------------------


def read_body(gateway: str, response: requests.Response, deadline: float) -> bytes:
    """Read a whole body; OpenRouterError if it is not complete at `deadline` (on time.monotonic()'s clock)."""
    return b"".join(read_bytes(gateway, response, lambda: deadline))


def read_payload(gateway: str, response: requests.Response, body: bytes) -> Json:
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
    if isinstance(payload, dict) and payload.get("object") == "error":  # as vLLM writes it
        error = payload
    if response.status_code >= 400 or error:
        raise read_error(gateway, response.status_code, error, response.headers)
    if not isinstance(payload, dict):
        raise bad_answer_error(gateway)
    return payload


def read_completion(
    gateway: str, response: requests.Response, body: bytes, *, model: str, latency_ms: int, strip_thoughts: bool
) -> Completion:
    """Return the answer in a whole response; OpenRouterError if it holds none. `model` is the one requested."""
    payload = read_payload(gateway, response, body)
    choice = first_choice(gateway, payload)
    message = as_dict(choice.get("message"))
    usage = as_dict(payload.get("usage"))
    finish_reason = as_string(choice.get("finish_reason")) or None
    generation_id = as_string(payload.get("id")) or generation_id_of(response)
    text = clean_text(message.get("content"), strip_thoughts=strip_thoughts)
    error = error_of_ending(gateway, text, finish_reason, as_string(message.get("refusal")))
    if error is not None:
        error.text, error.usage, error.generation_id = text, usage, generation_id
        error.finish_reason = "cut" if text else finish_reason
        raise error
    return Completion(
        text=text,
        latency_ms=latency_ms,
        model=as_string(payload.get("model")) or model,
        finish_reason=finish_reason,
        usage=usage,
        generation_id=generation_id,
        fallback_from=as_string(as_dict(payload.get("_metadata")).get("original_model")),
        provider=as_string(payload.get("provider")),
    )


def clean_text(content: object, *, strip_thoughts: bool = False) -> str:
    """Return the text of a message's content, ready to be stored."""
    text = unicode_text.storable(joined_text(content))
    if strip_thoughts:
        text = THOUGHTS_WITHOUT_BEGINNING.sub("", THOUGHTS.sub("", text))
    return text.strip()


def error_of_ending(gateway: str, text: str, finish_reason: str | None, refusal: str) -> OpenRouterError | None:
    """Return the error for an answer that ended without text or with an error; None for a good answer."""
    if finish_reason == "error":
        return OpenRouterError(502, texts.status_message(502, gateway), cause="finish_error")
    return None if text else no_text_error(gateway, refusal, finish_reason)


def read_bytes(gateway: str, response: requests.Response, deadline: Callable[[], float]) -> Iterator[bytes]:
    """Yield the body as it arrives; OpenRouterError once `deadline()` has passed (it may move)."""
    close = partial(gateway_connection.close_response, response)
    with connection_errors(gateway), gateway_connection.closed_at(deadline, close) as is_closed:
        while True:
            connection = response.raw.connection
            if connection is not None and connection.sock is not None:
                connection.sock.settimeout(max(deadline() - time.monotonic(), 0.001))
            try:
                data = response.raw.read1(65536, decode_content=True)
            finally:  # a connection closed at the deadline looks like the end of the body, or like a failure
                if is_closed() or time.monotonic() >= deadline():
                    raise TimeoutError
            if not data:
                return
            yield data


# Fields of a payload: a gateway may send anything in them ------------------------------------------------


def first_choice(gateway: str, payload: Json) -> Json:
    """Return the first choice, or {} (the event with the usage has none); OpenRouterError if it holds an error."""
    choices = payload.get("choices")
    choice = as_dict(choices[0]) if isinstance(choices, list) and choices else {}
    if choice.get("error"):
        raise read_error(gateway, 200, choice["error"], {})
    return choice


def joined_text(content: object) -> str:
    """Return the text of a message's content, which is a string, a list of parts, or missing."""
    if isinstance(content, str):
        return content
    part_texts = [as_dict(part).get("text") for part in as_list(content)]
    return "".join(text for text in part_texts if isinstance(text, str))


def generation_id_of(response: requests.Response) -> str | None:
    """Return the gateway's id of an answer, from the headers."""
    return as_string(response.headers.get("X-Generation-Id")) or None
