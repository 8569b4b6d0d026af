"""POST /audio/transcriptions: speech to text, in the form of OpenRouter and in that of local servers.

OpenRouter takes JSON: https://openrouter.ai/docs/guides/overview/multimodal/stt
Servers with the API of OpenAI take a form: https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

import base64
from pathlib import Path
from typing import Any

from aiohttp import web

from sandbox.openrouter.payloads import Json, error_response

FORMATS = ("wav", "mp3", "flac", "m4a", "ogg", "webm", "aac")
FILE_SUFFIXES = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
MAX_AUDIO_BYTES = 25 * 2**20
BYTES_PER_SECOND = 2500  # of a voice message: enough to invent a duration
PRICE_PER_SECOND = 0.0001


async def read_request(gateway_name: str, request: web.Request) -> Json | web.Response:
    """Return what the client asks for as {"model", "audio", "format", "language"}, or the error response."""
    if gateway_name == "openrouter":
        if request.content_type != "application/json":
            return error_response(400, "Expected a JSON body")
        return _from_json(await request.json())
    if request.content_type != "multipart/form-data":
        return error_response(422, "Field required: file")
    return _from_form(dict(await request.post()))


def _from_json(body: Json) -> Json | web.Response:
    audio = body.get("input_audio")
    if not body.get("model") or not isinstance(audio, dict):
        return error_response(400, "Invalid input: expected model and input_audio")
    if unknown := set(body) - {"model", "input_audio", "language", "temperature", "provider", "user"}:
        return error_response(400, f"unknown fields: {sorted(unknown)}")
    if audio.get("format") not in FORMATS:
        return error_response(400, f"Invalid audio format: {audio.get('format')}")
    try:
        content = base64.b64decode(str(audio.get("data")), validate=True)  # a data: URL is refused
    except ValueError:
        return error_response(400, "Invalid base64 audio data")
    return _checked({"model": body["model"], "audio": content, **_named(audio["format"], body.get("language"))})


def _from_form(form: dict[str, Any]) -> Json | web.Response:
    file = form.get("file")
    if not isinstance(file, web.FileField) or not form.get("model"):
        return error_response(422, "Field required: file, model")
    suffix = Path(file.filename).suffix.removeprefix(".").lower()
    if suffix not in FILE_SUFFIXES:
        return error_response(400, f"Unrecognized file format. Supported formats: {list(FILE_SUFFIXES)}")
    return _checked({"model": form["model"], "audio": file.file.read(), **_named(suffix, form.get("language"))})


def _named(audio_format: str, language: Any) -> Json:
    return {"format": audio_format, "language": language}


def _checked(asked: Json) -> Json | web.Response:
    if not asked["audio"]:
        return error_response(400, "The audio file is empty")
    if len(asked["audio"]) > MAX_AUDIO_BYTES:
        return error_response(413, "Maximum content size limit exceeded")
    return asked


def transcript(asked: Json) -> str:
    """Return a made-up transcript that says what was received."""
    return f"Расшифровка записи: {asked['format'].upper()}, {len(asked['audio'])} Б."


def response(gateway_name: str, asked: Json, text: str) -> web.Response:
    """Return the response with a transcript; only OpenRouter reports what it cost."""
    if gateway_name != "openrouter":
        return web.json_response({"text": text})
    seconds = round(len(asked["audio"]) / BYTES_PER_SECOND, 1)
    usage = {"seconds": seconds, "cost": round(seconds * PRICE_PER_SECOND, 6)}
    headers = {"X-Generation-Id": f"gen-stt-{len(asked['audio'])}"}
    return web.json_response({"text": text, "usage": usage}, headers=headers)
