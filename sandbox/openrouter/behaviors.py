"""How an emulated model behaves: BEHAVIORS maps the first part of its name to a function.

A behavior gets the gateway, the HTTP request, its JSON body and the number at the end of the model's name, or 0.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web

from sandbox.openrouter.documented_errors import documented
from sandbox.openrouter.gateway import EmulatedGateway, Event
from sandbox.openrouter.payloads import Json, chunk, completion, error_response
from sandbox.openrouter.pictures import question_of
from sandbox.openrouter.rvfreellm import ALL_MODELS_FAILED, FALLBACK_METADATA
from sandbox.openrouter.unusual_streams import UNUSUAL_STREAMS

Behavior = Callable[[EmulatedGateway, web.Request, Json, int], Awaitable[web.StreamResponse]]

# Good answers


async def _echo(gateway: EmulatedGateway, request: web.Request, body: Json, _number: int) -> web.StreamResponse:
    """Repeat the question."""
    return await gateway.answer(request, body, question_of(body))


async def _history(gateway: EmulatedGateway, request: web.Request, body: Json, _number: int) -> web.StreamResponse:
    """Repeat the whole conversation except the system prompt."""
    turns = [f"{message['role']}: {message['content']}" for message in body["messages"][1:]]
    return await gateway.answer(request, body, " | ".join(turns))


async def _long(gateway: EmulatedGateway, request: web.Request, body: Json, thousands: int) -> web.StreamResponse:
    """Write about this many thousands of characters."""
    text = "\n\n".join(f"Абзац номер {n}: {'слово ' * 15}" for n in range(thousands * 10))
    return await gateway.answer(request, body, text)


async def _slow(gateway: EmulatedGateway, request: web.Request, body: Json, tenths: int) -> web.StreamResponse:
    """Answer after this many tenths of a second."""
    await asyncio.sleep(tenths / 10)
    return await gateway.answer(request, body, gateway.reply_to(body))


async def _search(gateway: EmulatedGateway, request: web.Request, body: Json, _number: int) -> web.StreamResponse:
    """Repeat the search options of the request."""
    options = body.get("web_search") or body.get("tools")
    return await gateway.answer(request, body, f"искал: {json.dumps(options)}")


async def _think_aloud(
    gateway: EmulatedGateway, request: web.Request, body: Json, _number: int
) -> web.StreamResponse:
    """Put the reasoning into the answer."""
    return await gateway.answer(request, body, "<think>хм, что бы\nсказать</think>\n\nвслух не надо")


async def _picture(
    _gateway: EmulatedGateway, _request: web.Request, body: Json, _number: int
) -> web.StreamResponse:
    """Answer with a picture on another server."""
    return web.json_response(completion(body, "![кот](https://pictures.example/cat.png)"))


async def _fell_back(
    _gateway: EmulatedGateway, _request: web.Request, body: Json, _number: int
) -> web.StreamResponse:
    """Answer with another model, as RVFreeLLM does on its own."""
    fields = {"model": "gpt-4", "provider": "HuggingSpace", "_metadata": FALLBACK_METADATA}
    return web.json_response({**completion(body, "запасной ответ"), **fields})


# Unfinished and refused answers


async def _half(gateway: EmulatedGateway, request: web.Request, body: Json, _number: int) -> web.StreamResponse:
    """Break off in the middle of a streamed answer."""
    text = gateway.reply_to(body)
    return await gateway.stream(request, body, gateway.words(body, text[: len(text) // 2]))


async def _finish(gateway: EmulatedGateway, request: web.Request, body: Json, index: int) -> web.StreamResponse:
    """End an answer for a reason other than "stop"."""
    reason = ["length", "content_filter", "tool_calls", "error"][index]
    return await gateway.answer(request, body, "часть ответа", finish_reason=reason)


async def _thinker(gateway: EmulatedGateway, request: web.Request, body: Json, needed: int) -> web.StreamResponse:
    """Spend all tokens on reasoning unless `max_tokens` is larger than needed."""
    if body["max_tokens"] > needed:
        return await gateway.answer(request, body, "надумал")
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": needed,
        "completion_tokens_details": {"reasoning_tokens": needed},
    }
    if not body.get("stream"):
        return web.json_response({**completion(body, "", finish_reason="length"), "usage": usage})

    async def events() -> AsyncIterator[Event]:
        reasoning = chunk(body, "")
        reasoning["choices"][0]["delta"]["reasoning"] = "хм…"
        yield reasoning
        yield {**chunk(body, "", finish_reason="length"), "usage": usage}
        yield b"data: [DONE]\n\n"

    return await gateway.stream(request, body, events())


async def _refuse(gateway: EmulatedGateway, request: web.Request, body: Json, _number: int) -> web.StreamResponse:
    """Refuse to answer."""
    refusal = "I can't help"
    if not body.get("stream"):
        return web.json_response(completion(body, None, message={"content": None, "refusal": refusal}))

    async def events() -> AsyncIterator[Event]:
        yield chunk(body, "", delta={"refusal": refusal})
        yield chunk(body, "", finish_reason="stop")
        yield b"data: [DONE]\n\n"

    return await gateway.stream(request, body, events())


async def _stream(gateway: EmulatedGateway, request: web.Request, body: Json, index: int) -> web.StreamResponse:
    """Send one of the UNUSUAL_STREAMS."""
    return await gateway.stream(request, body, UNUSUAL_STREAMS[index](body))


# Errors


async def _status(_gateway: EmulatedGateway, _request: web.Request, body: Json, status: int) -> web.StreamResponse:
    """Answer with an HTTP status."""
    message = f"No endpoints found for {body['model']}." if status == 404 else f"emulated status {status}"
    return error_response(status, message)


async def _flaky(gateway: EmulatedGateway, request: web.Request, body: Json, times: int) -> web.StreamResponse:
    """Be overloaded this many times, then answer."""
    if gateway.request_counts[body["model"]] <= times:
        return error_response(503, "overloaded", headers={"Retry-After": "1"})
    return await gateway.answer(request, body, "теперь получилось")


async def _unknown(
    _gateway: EmulatedGateway, _request: web.Request, body: Json, _number: int
) -> web.StreamResponse:
    """Be a model that does not exist."""
    return error_response(400, f"{body['model']} is not a valid model ID")


async def _limit_minute(
    gateway: EmulatedGateway, request: web.Request, body: Json, seconds: int
) -> web.StreamResponse:
    """Report once that the limit per minute is used up, for this many seconds."""
    if gateway.request_counts[body["model"]] > 1:
        return await gateway.answer(request, body, "минута прошла")
    reset = {"X-RateLimit-Reset": str(round((time.time() + seconds) * 1000))}
    return error_response(429, "Rate limit exceeded: free-models-per-min. ", headers=reset)


async def _limit_day(
    _gateway: EmulatedGateway, _request: web.Request, _body: Json, reset_at: int
) -> web.StreamResponse:
    """Report that the limit per day is used up, until a moment in Unix seconds."""
    reset = {"X-RateLimit-Reset": str(reset_at * 1000)}
    return error_response(429, "Rate limit exceeded: free-models-per-day. ", metadata={"headers": reset})


async def _busy(_gateway: EmulatedGateway, _request: web.Request, _body: Json, seconds: int) -> web.StreamResponse:
    """Be limited by the provider; with a number, ask to retry after this many seconds."""
    retry = {"retry_after_seconds": seconds} if seconds else {}
    metadata = {"raw": "busy", "provider_name": "Upstream", **retry}
    return error_response(429, "Provider returned error", metadata=metadata)


async def _no_reasoning(
    gateway: EmulatedGateway, request: web.Request, body: Json, _number: int
) -> web.StreamResponse:
    """Refuse the `reasoning` option."""
    if "reasoning" in body:
        return error_response(400, "reasoning is not supported by this model")
    return await gateway.answer(request, body, "без размышлений")


async def _all_failed(
    _gateway: EmulatedGateway, _request: web.Request, _body: Json, _number: int
) -> web.StreamResponse:
    """Report that every model failed, as RVFreeLLM does."""
    return web.json_response({"error": ALL_MODELS_FAILED}, status=503)


# Bodies that are not an answer


async def _string_error(
    _gateway: EmulatedGateway, _request: web.Request, _body: Json, _number: int
) -> web.StreamResponse:
    """Answer as LM Studio does at an unknown path."""
    return web.json_response({"error": "Unexpected endpoint or method."})


async def _page(_gateway: EmulatedGateway, _request: web.Request, _body: Json, status: int) -> web.StreamResponse:
    """Answer with an HTML page."""
    return web.Response(status=status, text="<html>Bad Gateway</html>", content_type="text/html")


async def _content(_gateway: EmulatedGateway, _request: web.Request, body: Json, index: int) -> web.StreamResponse:
    """Answer with unusual message content."""
    parts = [{"type": "text", "text": "из "}, {"type": "image_url"}, {"type": "text", "text": "частей"}, None]
    contents: list[Any] = [None, "", "  \n ", parts, [], 42, {"text": "?"}, "половина \ud83d"]
    return web.json_response(completion(body, contents[index]))


async def _odd(_gateway: EmulatedGateway, _request: web.Request, body: Json, index: int) -> web.StreamResponse:
    """Answer HTTP 200 with JSON that is not a completion."""
    good = completion(body, "часть")
    bodies: list[Any] = [
        {"error": {"code": 429, "message": "Rate limit exceeded"}},
        {"error": {"code": "model_not_found", "message": "string code"}},
        {"error": "a bare string"},
        {**good, "choices": []},
        {"choices": [{"finish_reason": "error", "error": {"code": 502, "message": "upstream"}, "message": {}}]},
        {},
        [],
        "text",
        {**good, "choices": [None]},
        {**good, "choices": [{"message": "text"}]},
        {**good, "choices": {"0": "?"}},
        {"error": {"code": "404", "message": "a number in a string"}},
        {"error": {"code": 10**30, "message": "a huge code"}},
    ]
    return web.json_response(bodies[index])


async def _junk(_gateway: EmulatedGateway, _request: web.Request, _body: Json, index: int) -> web.StreamResponse:
    """Answer HTTP 200 with bytes that are not JSON."""
    return web.Response(body=[b"", b"not json", b"\xff\xfe\x00", b"{" * 100_000, b"[" * 100_000][index])


async def _trickle(_gateway: EmulatedGateway, request: web.Request, body: Json, tenths: int) -> web.StreamResponse:
    """Send a space every tenth of a second, then the answer."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _space in range(tenths):
        await response.write(b" ")
        await asyncio.sleep(0.1)
    await response.write(json.dumps(completion(body, "дождались")).encode())
    return response


async def _cut(_gateway: EmulatedGateway, request: web.Request, _body: Json, _number: int) -> web.StreamResponse:
    """Break the connection in the middle of the body."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    if request.transport:
        request.transport.abort()
    return response


BEHAVIORS: dict[str, Behavior] = {
    "echo": _echo,
    "history": _history,
    "long": _long,
    "slow": _slow,
    "search": _search,
    "think_aloud": _think_aloud,
    "picture": _picture,
    "fell_back": _fell_back,
    "half": _half,
    "finish": _finish,
    "thinker": _thinker,
    "refuse": _refuse,
    "stream": _stream,
    "documented": documented,
    "status": _status,
    "flaky": _flaky,
    "unknown": _unknown,
    "limit_minute": _limit_minute,
    "limit_day": _limit_day,
    "busy": _busy,
    "no_reasoning": _no_reasoning,
    "all_failed": _all_failed,
    "string_error": _string_error,
    "page": _page,
    "content": _content,
    "odd": _odd,
    "junk": _junk,
    "trickle": _trickle,
    "cut": _cut,
}
