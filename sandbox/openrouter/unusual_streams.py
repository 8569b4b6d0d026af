"""Streams that are unusual or broken, as real gateways send them."""

import asyncio
from collections.abc import AsyncIterator, Callable

from sandbox.openrouter.gateway import Event
from sandbox.openrouter.payloads import Json, chunk, encode

DONE = b"data: [DONE]\n\n"


async def _split_letters(body: Json) -> AsyncIterator[Event]:
    """Cut two-byte letters between network packets, end lines with CRLF, and leave out the space after "data:"."""
    data = b"data: " + encode(chunk(body, "Ёлка зелёная")) + b"\r\n\r\n"
    for start in range(0, len(data), 3):
        yield data[start : start + 3]
        await asyncio.sleep(0.001)
    yield b"data:" + encode(chunk(body, "", finish_reason="stop")) + b"\n\n"
    yield DONE


async def _line_separators(body: Json) -> AsyncIterator[Event]:
    """Put Unicode line separators into the text."""
    yield chunk(body, "раз\u2028два\u0085три")
    yield chunk(body, "", finish_reason="stop")


async def _error_after_text(body: Json) -> AsyncIterator[Event]:
    yield chunk(body, "начало ")
    yield {**chunk(body, "", finish_reason="error"), "error": {"code": 502, "message": "Provider disconnected"}}


async def _no_end(body: Json) -> AsyncIterator[Event]:
    yield chunk(body, "начало ")


async def _comments_forever(_: Json) -> AsyncIterator[Event]:
    while True:
        yield b": OPENROUTER PROCESSING\n\n"
        await asyncio.sleep(0.05)


async def _error_before_text(_: Json) -> AsyncIterator[Event]:
    yield {"error": {"message": "all models failed", "code": "all_models_failed"}}
    yield DONE


async def _odd_events_before_text(body: Json) -> AsyncIterator[Event]:
    yield b"event: ping\n\n"
    yield b'data: {"choices": {}}\n\n'
    yield b"\n\n"
    yield chunk(body, "чисто", finish_reason="stop")


async def _malformed_event(body: Json) -> AsyncIterator[Event]:
    """Lose a part of the text in an event that is not JSON."""
    yield chunk(body, "начало ")
    yield b'data: {"choices": [{"delta": {"content": "lost\n\n'
    yield chunk(body, " конец", finish_reason="stop")
    yield DONE


async def _split_emoji(body: Json) -> AsyncIterator[Event]:
    """Split an emoji between two events, each with one half of its surrogate pair as a JSON escape."""
    for half in ("кот \\ud83d", "\\ude00"):
        event = encode(chunk(body, "HALF"))
        yield b"data: " + event.replace(b"HALF", half.encode()) + b"\n\n"
    yield chunk(body, "", finish_reason="stop")
    yield DONE


async def _finish_reason_error(body: Json) -> AsyncIterator[Event]:
    """End with an error that has no error object."""
    yield chunk(body, "начало ")
    yield chunk(body, "", finish_reason="error")
    yield DONE


# The number in the name of a model `sandbox/stream-<number>` is an index into this list.
UNUSUAL_STREAMS: list[Callable[[Json], AsyncIterator[Event]]] = [
    _split_letters,
    _line_separators,
    _error_after_text,
    _no_end,
    _comments_forever,
    _error_before_text,
    _odd_events_before_text,
    _malformed_event,
    _split_emoji,
    _finish_reason_error,
]
