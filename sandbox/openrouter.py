"""OpenRouter, played: /chat/completions over real HTTP. How it answers is chosen by the name of the model.

`sandbox/<behaviour>` or `sandbox/<behaviour>-<number>` picks one of BEHAVIOURS; any other model answers well.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

Json = dict[str, Any]


class Gateway:
    """Remembers what it was asked; answers as the model's name says."""

    def __init__(self) -> None:
        self.requests: list[Json] = []  # the bodies that came
        self.headers: list[dict[str, str]] = []  # and their headers
        self.think_s = 0.0  # how long every model takes
        self.answer_to: Callable[[Json], str] = answer_to  # what a model without a behaviour of its own says

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer POST /chat/completions."""
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            return error(401, "No auth credentials found")
        body = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        await asyncio.sleep(self.think_s)
        match = re.fullmatch(r"sandbox/([a-z_]+)(?:-(\d+))?", body["model"])
        if match is None:
            return web.json_response(completion(body, self.answer_to(body)))
        return await BEHAVIOURS[match[1]](request, body, int(match[2] or 0))


def application(gateway: Gateway) -> web.Application:
    """Return the web application, to be mounted where the base URL points."""
    app = web.Application(client_max_size=20 * 2**20)
    app.router.add_post("/api/v1/chat/completions", gateway.complete)
    return app


def answer_to(body: Json) -> str:
    """Return what a model says that has no idea but good manners."""
    question = body["messages"][-1]["content"]
    return (
        f"Это песочница: модель {body['model']} здесь играет программа. Вы спросили: «{question}»."
        " Задайте OPENROUTER_API_KEY — и ответит настоящая."
    )


def completion(body: Json, content: Any, **choice: Any) -> Json:
    """Return the JSON of an answer."""
    words = len(str(content).split())
    return {
        "id": f"gen-{time.time_ns()}",
        "model": body["model"],
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}, **choice}
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": words, "total_tokens": 20 + words, "cost": 0},
    }


def error(status: int, message: str, **more: Any) -> web.Response:
    """Return the JSON of an error."""
    return web.json_response({"error": {"code": status, "message": message, **more}}, status=status)


# How a model may behave ------------------------------------------------------------------------------------------


async def _echo(_: web.Request, body: Json, __: int) -> web.StreamResponse:
    return web.json_response(completion(body, body["messages"][-1]["content"]))


async def _slow(_: web.Request, body: Json, tenths: int) -> web.StreamResponse:
    await asyncio.sleep(tenths / 10)
    return web.json_response(completion(body, answer_to(body)))


async def _status(_: web.Request, __: Json, status: int) -> web.StreamResponse:
    return error(status, f"the sandbox plays {status}")


async def _page(_: web.Request, __: Json, status: int) -> web.StreamResponse:
    return web.Response(status=status, text="<html>Bad Gateway</html>", content_type="text/html")


async def _content(_: web.Request, body: Json, which: int) -> web.StreamResponse:
    parts = [{"type": "text", "text": "из "}, {"type": "image_url"}, {"type": "text", "text": "частей"}, None]
    contents: list[Any] = [None, "", "  \n ", parts, [], 42, {"text": "?"}, "половина \ud83d"]
    return web.json_response(completion(body, contents[which]))


async def _odd(_: web.Request, body: Json, which: int) -> web.StreamResponse:
    """Answer HTTP 200 with something that is no answer."""
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
    return web.json_response(bodies[which])


async def _junk(_: web.Request, __: Json, which: int) -> web.StreamResponse:
    return web.Response(body=[b"", b"not json", b"\xff\xfe\x00", b"{" * 100_000, b"[" * 100_000][which])


async def _trickle(request: web.Request, body: Json, tenths: int) -> web.StreamResponse:
    """Keep the line alive with spaces, then answer."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(tenths):
        await response.write(b" ")
        await asyncio.sleep(0.1)
    await response.write(json.dumps(completion(body, "дождались")).encode())
    return response


async def _cut(request: web.Request, _: Json, __: int) -> web.StreamResponse:
    """Begin to answer, then break the connection."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    if request.transport:
        request.transport.abort()
    return response


BEHAVIOURS = {
    "echo": _echo,
    "slow": _slow,
    "status": _status,
    "page": _page,
    "content": _content,
    "odd": _odd,
    "junk": _junk,
    "trickle": _trickle,
    "cut": _cut,
}
