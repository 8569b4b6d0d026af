"""OpenRouter and the gateways shaped like it, played over real HTTP. How it answers is chosen by the model's name.

`sandbox/<behaviour>` or `sandbox/<behaviour>-<number>` picks one of BEHAVIOURS; any other model answers well.
"""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web

Json = dict[str, Any]


# Where each gateway's API begins, and the fields that it refuses because they are another's.
PREFIXES = {"openrouter": "/api/v1", "rvfreellm": "/webhook/v1", "local": "/v1"}
FOREIGN = {
    "openrouter": {"stream_options", "web_search", "provider"},
    "rvfreellm": {"reasoning", "user", "stream_options", "tools", "stream"},
    "local": {"reasoning", "user", "provider", "web_search", "tools"},
}
SEEDS = {
    "deepseek/deepseek-chat-v3.1:free": "DeepSeek V3.1 (free)",
    "deepseek/deepseek-r1:free": "DeepSeek R1 (free)",
    "mistralai/mistral-small-24b-instruct-2501:free": "Mistral Small 24b (free)",
    "meta-llama/llama-3.1-8b-instruct:free": "Llama 3.1 8B (free)",
    "google/gemma-4-31b-it:free": "Gemma 4 31B (free)",
    "google/gemma-4-26b-a4b-it:free": "Gemma 4 26B A4B (free)",
    "nvidia/nemotron-3.5-lightning:free": "Nemotron 3.5 Lightning (free)",
    "nvidia/nemotron-3-ultra-550b-a55b:free": "Nemotron 3 Ultra 550B (free)",
    "cohere/north-mini-code:free": "North Mini Code (free)",
    "openrouter/free": "OpenRouter: any free model",
}


class Gateway:
    """Remembers what it was asked; answers as the model's name says."""

    def __init__(self, name: str = "openrouter") -> None:
        self.name = name
        self.prefix = PREFIXES[name]
        self.url = ""  # for whoever serves it to write down
        # What GET /models and GET /providers answer: anything at all, a response as it is, or a status.
        self.catalogue: Any = {"data": [described(key, label) for key, label in SEEDS.items()]}
        self.providers: Any = {"data": []}
        self.catalogue_asked = 0
        self.requests: list[Json] = []  # the bodies that came
        self.headers: list[dict[str, str]] = []  # and their headers
        self.broken_off: list[str] = []  # models whose stream the client closed
        self.think_s = 0.0  # how long every model takes to begin
        self.piece_s = 0.0  # and for each piece of a streamed answer
        self.answer_to: Callable[[Json], str] = answer_to  # what a model without a behaviour of its own says
        self.asked: Counter[str] = Counter()  # how often each model was asked
        self.generations_asked: list[str] = []
        self.took_s: dict[str, float] = {}  # how long the last answer to each user took on this side

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer POST /chat/completions."""
        if self.name != "local" and not request.headers.get("Authorization", "").startswith("Bearer "):
            return error(401, "No auth credentials found")
        body = await request.json()
        if foreign := FOREIGN[self.name] & set(body):
            return error(400, f"unknown fields: {sorted(foreign)}")
        self.requests.append(dict(body))
        if self.name == "rvfreellm":
            if not isinstance(body.get("provider"), str):
                return error(400, "provider must be a string")
            body["model"] = f"{body['provider']}/{body['model']}"
        self.headers.append(dict(request.headers))
        self.asked[body["model"]] += 1
        began = time.perf_counter()
        try:
            return await self._behave(request, body)
        finally:
            self.took_s[str(body.get("user"))] = time.perf_counter() - began

    async def _behave(self, request: web.Request, body: Json) -> web.StreamResponse:
        await asyncio.sleep(self.think_s)
        match = re.fullmatch(r"sandbox/([a-z_]+)(?:-(\d+))?(?::free)?", body["model"])
        if match is None:
            return await self.answer(request, body, self.answer_to(body))
        return await BEHAVIOURS[match[1]](self, request, body, int(match[2] or 0))

    async def answer(self, request: web.Request, body: Json, text: str, **choice: Any) -> web.StreamResponse:
        """Answer with a text: at once, or word by word where a stream is asked for."""
        if not body.get("stream"):
            return web.json_response(completion(body, text, **choice))
        return await self.stream(request, body, self._whole(body, text, **choice))

    async def stream(
        self, request: web.Request, body: Json, events: AsyncIterator[Json | bytes]
    ) -> web.StreamResponse:
        """Send events (bytes go as they are) as a stream, and notice when the client closes it."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        try:
            await response.prepare(request)
            async for event in events:
                data = event if isinstance(event, bytes) else b"data: " + _json(event) + b"\n\n"
                await response.write(data)
        except (ConnectionError, asyncio.CancelledError):
            self.broken_off.append(body["model"])
        return response

    async def words(self, body: Json, text: str) -> AsyncIterator[Json | bytes]:
        """Yield a text word by word, with no end to it."""
        yield b": OPENROUTER PROCESSING\n\n"
        for word in re.findall(r"\S*\s*", text):
            if word:
                await asyncio.sleep(self.piece_s)
                yield chunk(body, word)

    async def _whole(self, body: Json, text: str, **choice: Any) -> AsyncIterator[Json | bytes]:
        async for event in self.words(body, text):
            yield event
        yield chunk(body, "", **{"finish_reason": "stop", **choice})
        yield {**chunk(body, ""), "choices": [], "usage": completion(body, text)["usage"]}
        yield b"data: [DONE]\n\n"

    async def generation(self, request: web.Request) -> web.Response:
        """Answer GET /generation?id=…: not known the first time, as right after an answer."""
        generation_id = request.query["id"]
        self.generations_asked.append(generation_id)
        if self.generations_asked.count(generation_id) == 1:
            return error(404, f"Generation {generation_id} not found")
        return web.json_response({"data": {"total_cost": 0.0125, "tokens_prompt": 20, "tokens_completion": 7}})

    async def key(self, _: web.Request) -> web.Response:
        """Answer GET /key."""
        used = len(self.requests)
        daily = {"limit": 50, "used": used, "remaining": max(50 - used, 0)}
        data = {
            "label": "sandbox",
            "limit_remaining": None,
            "is_free_tier": True,
            "free_model_daily_requests": daily,
        }
        return web.json_response({"data": data})

    async def models(self, _: web.Request) -> web.StreamResponse:
        """Answer GET /models."""
        self.catalogue_asked += 1
        return await _told(self.catalogue)

    async def list_providers(self, _: web.Request) -> web.StreamResponse:
        """Answer GET /providers."""
        return await _told(self.providers)

    async def models_for_people(self, request: web.Request) -> web.Response:
        """Answer GET /models/list?provider=…, which is for reading."""
        mine = [model for model in self.catalogue if model["provider"] == request.query.get("provider")]
        return web.json_response({"text": "\n".join(f"• {model['id']}" for model in mine)})


async def _told(what: Any) -> web.StreamResponse:
    if callable(what):
        response: web.StreamResponse = await what()
        return response
    return error(what, "the sandbox plays it") if isinstance(what, int) else web.json_response(what)


def described(key: str, label: str = "", **more: Any) -> Json:
    """Describe a model as OpenRouter does; it is free, whatever its name says."""
    return {
        "id": key,
        "name": label or key,
        "context_length": 32768,
        "pricing": {"prompt": "0", "completion": "0"},
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        **more,
    }


def application(gateway: Gateway) -> web.Application:
    """Return the web application: the gateway's API below its prefix."""
    app = web.Application(client_max_size=20 * 2**20)
    app.router.add_post(f"{gateway.prefix}/chat/completions", gateway.complete)
    app.router.add_get(f"{gateway.prefix}/generation", gateway.generation)
    app.router.add_get(f"{gateway.prefix}/key", gateway.key)
    app.router.add_get(f"{gateway.prefix}/models", gateway.models)
    app.router.add_get(f"{gateway.prefix}/models/list", gateway.models_for_people)
    app.router.add_get(f"{gateway.prefix}/providers", gateway.list_providers)
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


def chunk(body: Json, content: str, **choice: Any) -> Json:
    """Return an event of a streamed answer."""
    delta = {"role": "assistant", "content": content}
    return {
        "id": f"gen-{body['model']}",
        "model": body["model"],
        "choices": [{"index": 0, "delta": delta, "finish_reason": None, **choice}],
    }


def error(status: int, message: str, headers: dict[str, str] | None = None, **more: Any) -> web.Response:
    """Return the JSON of an error."""
    body = {"error": {"code": status, "message": message, **more}}
    return web.json_response(body, status=status, headers=headers)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


# How a model may behave ------------------------------------------------------------------------------------

Behaviour = Callable[[Gateway, web.Request, Json, int], Awaitable[web.StreamResponse]]


async def _echo(gateway: Gateway, request: web.Request, body: Json, _: int) -> web.StreamResponse:
    return await gateway.answer(request, body, body["messages"][-1]["content"])


async def _talk(gateway: Gateway, request: web.Request, body: Json, _: int) -> web.StreamResponse:
    """Say what was said before, to see what the model was told."""
    said = [f"{message['role']}: {message['content']}" for message in body["messages"][1:]]
    return await gateway.answer(request, body, " | ".join(said))


async def _long(gateway: Gateway, request: web.Request, body: Json, thousands: int) -> web.StreamResponse:
    text = "\n\n".join(f"Абзац номер {n}: {'слово ' * 15}" for n in range(thousands * 10))
    return await gateway.answer(request, body, text)


async def _slow(gateway: Gateway, request: web.Request, body: Json, tenths: int) -> web.StreamResponse:
    await asyncio.sleep(tenths / 10)
    return await gateway.answer(request, body, gateway.answer_to(body))


async def _half(gateway: Gateway, request: web.Request, body: Json, _: int) -> web.StreamResponse:
    """Break off in the middle of a streamed answer."""
    text = gateway.answer_to(body)
    return await gateway.stream(request, body, gateway.words(body, text[: len(text) // 2]))


async def _status(_: Gateway, __: web.Request, ___: Json, status: int) -> web.StreamResponse:
    return error(status, f"the sandbox plays {status}")


async def _flaky(gateway: Gateway, request: web.Request, body: Json, times: int) -> web.StreamResponse:
    """Be overloaded so many times, then answer."""
    if gateway.asked[body["model"]] <= times:
        return error(503, "overloaded", headers={"Retry-After": "1"})
    return await gateway.answer(request, body, "теперь получилось")


async def _unknown(_: Gateway, __: web.Request, body: Json, ___: int) -> web.StreamResponse:
    return error(400, f"{body['model']} is not a valid model ID")


async def _limit_minute(gateway: Gateway, request: web.Request, body: Json, seconds: int) -> web.StreamResponse:
    """Have the account's minute spent, once; it opens again after so many seconds."""
    if gateway.asked[body["model"]] > 1:
        return await gateway.answer(request, body, "минута прошла")
    reset = {"X-RateLimit-Reset": str(round((time.time() + seconds) * 1000))}
    return error(429, "Rate limit exceeded: free-models-per-min. ", headers=reset)


async def _limit_day(_: Gateway, __: web.Request, ___: Json, reset_at: int) -> web.StreamResponse:
    reset = {"X-RateLimit-Reset": str(reset_at * 1000)}
    return error(429, "Rate limit exceeded: free-models-per-day. ", metadata={"headers": reset})


async def _busy(_: Gateway, __: web.Request, ___: Json, seconds: int) -> web.StreamResponse:
    """Be limited upstream; with a number, tell when to come again."""
    more = {"retry_after_seconds": seconds} if seconds else {}
    return error(429, "Provider returned error", metadata={"raw": "busy", "provider_name": "Upstream", **more})


async def _no_reasoning(gateway: Gateway, request: web.Request, body: Json, _: int) -> web.StreamResponse:
    if "reasoning" in body:
        return error(400, "reasoning is not supported by this model")
    return await gateway.answer(request, body, "без размышлений")


async def _thinker(gateway: Gateway, request: web.Request, body: Json, needed: int) -> web.StreamResponse:
    """Spend all tokens on thinking, unless there are more than needed."""
    if body["max_tokens"] > needed:
        return await gateway.answer(request, body, "надумал")
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": needed,
        "completion_tokens_details": {"reasoning_tokens": needed},
    }
    if not body.get("stream"):
        return web.json_response({**completion(body, "", finish_reason="length"), "usage": usage})

    async def events() -> AsyncIterator[Json | bytes]:
        thought = chunk(body, "")
        thought["choices"][0]["delta"]["reasoning"] = "хм…"
        yield thought
        yield {**chunk(body, "", finish_reason="length"), "usage": usage}
        yield b"data: [DONE]\n\n"

    return await gateway.stream(request, body, events())


async def _finish(gateway: Gateway, request: web.Request, body: Json, which: int) -> web.StreamResponse:
    reason = ["length", "content_filter", "tool_calls"][which]
    return await gateway.answer(request, body, "часть ответа", finish_reason=reason)


async def _refuse(gateway: Gateway, request: web.Request, body: Json, _: int) -> web.StreamResponse:
    if not body.get("stream"):
        return web.json_response(completion(body, None, message={"content": None, "refusal": "I can't help"}))

    async def events() -> AsyncIterator[Json | bytes]:
        yield chunk(body, "", delta={"refusal": "I can't help"})
        yield chunk(body, "", finish_reason="stop")
        yield b"data: [DONE]\n\n"

    return await gateway.stream(request, body, events())


async def _stream(gateway: Gateway, request: web.Request, body: Json, which: int) -> web.StreamResponse:
    """Stream with one of the odds that real streams have."""
    return await gateway.stream(request, body, ODD_STREAMS[which](body))


async def _split_letters(body: Json) -> AsyncIterator[Json | bytes]:
    """Cut every letter of two bytes between two segments."""
    data = b"data: " + _json(chunk(body, "Ёлка зелёная")) + b"\r\n\r\n"
    for n in range(0, len(data), 3):
        yield data[n : n + 3]
        await asyncio.sleep(0.001)
    yield b"data:" + _json(chunk(body, "", finish_reason="stop")) + b"\n\n"
    yield b"data: [DONE]\n\n"


async def _line_separators(body: Json) -> AsyncIterator[Json | bytes]:
    yield chunk(body, "раз\u2028два\u0085три")
    yield chunk(body, "", finish_reason="stop")


async def _error_within(body: Json) -> AsyncIterator[Json | bytes]:
    yield chunk(body, "начало ")
    yield {**chunk(body, "", finish_reason="error"), "error": {"code": 502, "message": "Provider disconnected"}}


async def _cut_off(body: Json) -> AsyncIterator[Json | bytes]:
    yield chunk(body, "начало ")


async def _comments_for_ever(_: Json) -> AsyncIterator[Json | bytes]:
    while True:
        yield b": OPENROUTER PROCESSING\n\n"
        await asyncio.sleep(0.05)


async def _error_at_once(_: Json) -> AsyncIterator[Json | bytes]:
    yield {"error": {"message": "all models failed", "code": "all_models_failed"}}
    yield b"data: [DONE]\n\n"


async def _junk_between(body: Json) -> AsyncIterator[Json | bytes]:
    for junk in (
        b"data: not json\n\n",
        b"data: []\n\n",
        b"event: ping\n\n",
        b'data: {"choices": {}}\n\n',
        b"\n\n",
    ):
        yield junk
    yield chunk(body, "чисто", finish_reason="stop")


ODD_STREAMS: list[Callable[[Json], AsyncIterator[Json | bytes]]] = [
    _split_letters,
    _line_separators,
    _error_within,
    _cut_off,
    _comments_for_ever,
    _error_at_once,
    _junk_between,
]


async def _think_aloud(gateway: Gateway, request: web.Request, body: Json, _: int) -> web.StreamResponse:
    return await gateway.answer(request, body, "<think>хм, что бы\nсказать</think>\n\nвслух не надо")


async def _picture(_: Gateway, __: web.Request, body: Json, ___: int) -> web.StreamResponse:
    return web.json_response(completion(body, "![кот](https://pictures.example/cat.png)"))


async def _fell_back(_: Gateway, __: web.Request, body: Json, ___: int) -> web.StreamResponse:
    """Answer with another model, as RVFreeLLM does by itself."""
    metadata = {"original_model": "gpt-first", "original_provider": "First", "fallback_attempts": 2}
    return web.json_response({**completion(body, "запасной ответ"), "model": "gpt-second", "_metadata": metadata})


async def _all_failed(_: Gateway, __: web.Request, ___: Json, ____: int) -> web.StreamResponse:
    told = {"message": "All models failed", "type": "server_error", "code": "all_models_failed", "param": None}
    return web.json_response({"error": told}, status=503)


async def _string_error(_: Gateway, __: web.Request, ___: Json, ____: int) -> web.StreamResponse:
    """Answer as LM Studio does where it does not know the way."""
    return web.json_response({"error": "Unexpected endpoint or method."})


async def _search(gateway: Gateway, request: web.Request, body: Json, _: int) -> web.StreamResponse:
    found = body.get("web_search") or body.get("tools")
    return await gateway.answer(request, body, f"искал: {json.dumps(found)}")


async def _page(_: Gateway, __: web.Request, ___: Json, status: int) -> web.StreamResponse:
    return web.Response(status=status, text="<html>Bad Gateway</html>", content_type="text/html")


async def _content(_: Gateway, __: web.Request, body: Json, which: int) -> web.StreamResponse:
    parts = [{"type": "text", "text": "из "}, {"type": "image_url"}, {"type": "text", "text": "частей"}, None]
    contents: list[Any] = [None, "", "  \n ", parts, [], 42, {"text": "?"}, "половина \ud83d"]
    return web.json_response(completion(body, contents[which]))


async def _odd(_: Gateway, __: web.Request, body: Json, which: int) -> web.StreamResponse:
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


async def _junk(_: Gateway, __: web.Request, ___: Json, which: int) -> web.StreamResponse:
    return web.Response(body=[b"", b"not json", b"\xff\xfe\x00", b"{" * 100_000, b"[" * 100_000][which])


async def _trickle(_: Gateway, request: web.Request, body: Json, tenths: int) -> web.StreamResponse:
    """Keep the line alive with spaces, then answer."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _spaces in range(tenths):
        await response.write(b" ")
        await asyncio.sleep(0.1)
    await response.write(json.dumps(completion(body, "дождались")).encode())
    return response


async def _cut(_: Gateway, request: web.Request, __: Json, ___: int) -> web.StreamResponse:
    """Begin to answer, then break the connection."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    if request.transport:
        request.transport.abort()
    return response


BEHAVIOURS: dict[str, Behaviour] = {
    "echo": _echo,
    "talk": _talk,
    "long": _long,
    "slow": _slow,
    "half": _half,
    "status": _status,
    "flaky": _flaky,
    "unknown": _unknown,
    "limit_minute": _limit_minute,
    "limit_day": _limit_day,
    "busy": _busy,
    "no_reasoning": _no_reasoning,
    "thinker": _thinker,
    "finish": _finish,
    "refuse": _refuse,
    "stream": _stream,
    "think_aloud": _think_aloud,
    "picture": _picture,
    "fell_back": _fell_back,
    "all_failed": _all_failed,
    "string_error": _string_error,
    "search": _search,
    "page": _page,
    "content": _content,
    "odd": _odd,
    "junk": _junk,
    "trickle": _trickle,
    "cut": _cut,
}


if __name__ == "__main__":
    web.run_app(application(Gateway()), host="127.0.0.1", port=8001)
