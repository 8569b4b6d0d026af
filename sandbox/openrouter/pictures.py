"""Pictures within a question: content as parts, which only models that see accept.

The parts are those of https://openrouter.ai/docs/guides/overview/multimodal/images.
"""

import base64
import re
from collections.abc import Callable
from typing import Any

from aiohttp import web

from sandbox.openrouter.payloads import Json, error_response

# OpenRouter's own words, as in https://github.com/aaif-goose/goose/issues/5396; the bodies of the others:
# https://github.com/ggml-org/llama.cpp/blob/master/tools/server/server-common.cpp
NOT_SEEING = {
    "openrouter": (404, "No endpoints found that support image input"),
    "rvfreellm": (400, "This model does not support image input"),
    "local": (
        500,
        "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
    ),
}
DATA_URL = re.compile(r"data:image/(jpeg|png|webp|gif);base64,([A-Za-z0-9+/]+=*)")
FIRST_BYTES = {"jpeg": b"\xff\xd8", "png": b"\x89PNG", "webp": b"RIFF", "gif": b"GIF8"}
MAX_PICTURES = 8


def parts_of(content: Any) -> list[Json]:
    """Return the content of a message as a list of parts."""
    return content if isinstance(content, list) else [{"type": "text", "text": str(content)}]


def question_of(body: Json) -> str:
    """Return the last message as a text: its words, then what the model saw in each picture."""
    parts = parts_of(body["messages"][-1]["content"])
    words = [str(part["text"]) for part in parts if part["type"] == "text"]
    return "\n".join([*words, *(f"[{picture}]" for picture in seen_in(parts))])


def seen_in(parts: list[Json]) -> list[str]:
    """Describe the pictures: «JPEG, 15157 Б»."""
    seen = []
    for part in parts:
        if part["type"] == "image_url" and (match := DATA_URL.fullmatch(part["image_url"]["url"])):
            seen.append(f"{match[1].upper()}, {len(base64.b64decode(match[2]))} Б")
    return seen


def refusal_of_parts(gateway_name: str, body: Json, sees: Callable[[str], bool]) -> web.Response | None:
    """Return the error for parts that the model does not accept; None if it accepts them."""
    parts = [part for message in body["messages"] for part in parts_of(message["content"])]
    pictures = [part for part in parts if part.get("type") == "image_url"]
    for part in parts:
        if part not in pictures and (part.get("type") != "text" or not isinstance(part.get("text"), str)):
            return error_response(400, f"Invalid content part: {part.get('type')}")
    if pictures and not sees(body["model"]):
        return error_response(*NOT_SEEING[gateway_name])
    if len(pictures) > MAX_PICTURES:
        return error_response(400, "Too many images in the request")
    if any(not _is_picture(part) for part in pictures):
        return error_response(400, "Invalid image data. Please ensure the base64 string is valid.")
    return None


def _is_picture(part: Json) -> bool:
    """Return whether a part holds a picture as a data: URL, of the type that the URL names."""
    address = part.get("image_url")
    match = DATA_URL.fullmatch(str(address.get("url"))) if isinstance(address, dict) else None
    if match is None:
        return False
    try:
        content = base64.b64decode(match[2], validate=True)
    except ValueError:
        return False
    return content.startswith(FIRST_BYTES[match[1]])
