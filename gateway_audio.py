"""Speech to text: POST /audio/transcriptions, in the form of OpenRouter and in that of local servers.

OpenRouter takes JSON: https://openrouter.ai/docs/guides/overview/multimodal/stt
Servers with the API of OpenAI take a form: https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

import base64
import time
from dataclasses import dataclass, field
from typing import Any

from config import Gateway
from gateway_response import Completion, clean_text, generation_id_of, read_body, read_payload
from json_values import as_dict, as_string
from openrouter_client import send

TIMEOUT_S = 300.0  # a long recording takes minutes


@dataclass(frozen=True)
class Recording:
    """Speech to transcribe. `format` is the usual suffix of such files: ogg, mp3, m4a, mp4, …"""

    content: bytes = field(repr=False)
    format: str


def transcribe(recording: Recording, *, model: str, gateway: Gateway) -> Completion:
    """Return what is said in a recording, "" if nobody speaks; OpenRouterError if that fails."""
    started = time.monotonic()
    deadline = started + TIMEOUT_S
    with send(
        gateway, "POST", "/audio/transcriptions", deadline, **_content(recording, model, gateway)
    ) as response:
        payload = read_payload(gateway.name, response, read_body(gateway.name, response, deadline))
        return Completion(
            text=clean_text(payload.get("text")),
            latency_ms=round((time.monotonic() - started) * 1000),
            model=as_string(payload.get("model")) or model,
            finish_reason=None,
            usage=as_dict(payload.get("usage")),
            generation_id=generation_id_of(response),
        )


def _content(recording: Recording, model: str, gateway: Gateway) -> dict[str, Any]:
    """Return the body of the request, as send() takes it."""
    if gateway.name == "local":
        return {"files": {"model": (None, model), "file": (f"speech.{recording.format}", recording.content)}}
    data = base64.b64encode(recording.content).decode()
    # OpenRouter's list of formats has no mp4; m4a is the same container.
    audio_format = "m4a" if recording.format == "mp4" else recording.format
    return {"body": {"model": model, "input_audio": {"data": data, "format": audio_format}}}
