"""The JSON bodies that a gateway sends: models, completions, chunks of a stream, errors."""

import json
import time
from typing import Any

from aiohttp import web

Json = dict[str, Any]

SEED_MODELS = {  # key → label; the models of schema.sql that OpenRouter still offers
    "google/gemma-4-31b-it:free": "Gemma 4 31B (free)",
    "google/gemma-4-26b-a4b-it:free": "Gemma 4 26B A4B (free)",
    "nvidia/nemotron-3.5-lightning:free": "Nemotron 3.5 Lightning (free)",
    "nvidia/nemotron-3-ultra-550b-a55b:free": "Nemotron 3 Ultra 550B (free)",
    "cohere/north-mini-code:free": "North Mini Code (free)",
    "openrouter/free": "OpenRouter: any free model",
}


SEEING_MODELS = frozenset(  # the models of SEED_MODELS that accept pictures
    ["google/gemma-4-31b-it:free", "google/gemma-4-26b-a4b-it:free", "openrouter/free"]
)
TRANSCRIPTION_MODELS = {"openai/whisper-1": "Whisper 1", "openai/gpt-4o-mini-transcribe": "GPT-4o Mini Transcribe"}


ROUTED_TO = {"openrouter/free": "google/gemma-4-31b-it:free"}  # a router → the model that it picks


def describe_model(key: str, label: str = "", **fields: Any) -> Json:
    """Return a model as OpenRouter lists it; its price is 0, whatever its key is.

    `input_modalities` names what it accepts: ["text", "image"] makes it see.
    """
    sees = ["text", "image"] if key in SEEING_MODELS else ["text"]
    modalities = {"input_modalities": fields.pop("input_modalities", sees), "output_modalities": ["text"]}
    return {
        "id": key,
        "name": label or key,
        "context_length": 32768,
        "pricing": {"prompt": "0", "completion": "0"},
        "architecture": modalities,
        **fields,
    }


def describe_transcription_model(key: str, label: str) -> Json:
    """Return a model that turns speech into text, as OpenRouter lists it; none is known to be free."""
    return {
        **describe_model(key, label),
        "pricing": {"prompt": "0.0001", "completion": "0"},
        "architecture": {"input_modalities": ["audio"], "output_modalities": ["transcription"]},
    }


def completion(body: Json, content: Any, **choice: Any) -> Json:
    """Return the response to a request without a stream; `choice` overrides fields of its only choice."""
    words = len(str(content).split())
    return {
        "id": f"gen-{time.time_ns()}",
        "model": ROUTED_TO.get(body["model"], body["model"]),
        "provider": "Sandbox",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}, **choice}
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": words, "total_tokens": 20 + words, "cost": 0},
    }


def chunk(body: Json, content: str, **choice: Any) -> Json:
    """Return one event of a streamed response; `choice` overrides fields of its only choice."""
    delta = {"role": "assistant", "content": content}
    return {
        "id": f"gen-{body['model']}",
        "model": ROUTED_TO.get(body["model"], body["model"]),
        "provider": "Sandbox",
        "choices": [{"index": 0, "delta": delta, "finish_reason": None, **choice}],
    }


def error_response(
    status: int, message: str, headers: dict[str, str] | None = None, **fields: Any
) -> web.Response:
    """Return an error response; `fields` are added to its JSON."""
    body = {"error": {"code": status, "message": message, **fields}}
    return web.json_response(body, status=status, headers=headers)


def server_sent_event(value: Json) -> bytes:
    """Encode one event of a stream."""
    return b"data: " + encode(value) + b"\n\n"


def encode(value: Any) -> bytes:
    """Encode JSON with letters as they are, not as \\u escapes."""
    return json.dumps(value, ensure_ascii=False).encode()


async def configured_response(configured: Any) -> web.StreamResponse:
    """Return a response from a JSON value, an HTTP status or an async function that makes the response."""
    if callable(configured):
        response: web.StreamResponse = await configured()
        return response
    if isinstance(configured, int):
        return error_response(configured, f"emulated status {configured}")
    return web.json_response(configured)
