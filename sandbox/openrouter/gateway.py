"""An emulated gateway: what it was asked, how it is configured, and how it sends an answer."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web

from sandbox.openrouter import transcription
from sandbox.openrouter.payloads import (
    SEED_MODELS,
    SEEING_MODELS,
    TRANSCRIPTION_MODELS,
    Json,
    chunk,
    completion,
    describe_model,
    describe_transcription_model,
    server_sent_event,
)
from sandbox.openrouter.pictures import question_of

PREFIXES = {"openrouter": "/api/v1", "rvfreellm": "/webhook/v1", "local": "/v1"}  # where each API begins

Event = Json | bytes  # of a stream; bytes are sent as they are


def default_answer(body: Json) -> str:
    """Return the answer of a model that has no behavior of its own."""
    question = question_of(body)
    return (
        f"Это песочница: вместо модели {body['model']} — имитация. Вы спросили: «{question}»."
        " Задайте OPENROUTER_API_KEY — и ответит настоящая."
    )


class EmulatedGateway:
    """The state of an emulated gateway: its configuration and a record of the requests."""

    def __init__(self, name: str = "openrouter") -> None:
        self.name = name
        self.prefix = PREFIXES[name]
        self.url = ""  # the address of the API, set when it is served

        # Responses to GET /models and GET /providers: any JSON value, an HTTP status or a function (see http_api).
        self.catalog: Any = {"data": [describe_model(key, label) for key, label in SEED_MODELS.items()]}
        self.providers: Any = []
        self.answer_to: Callable[[Json], str] = default_answer  # request body → text
        self.seeing_models = set(SEEING_MODELS)  # and those of the catalog with "image" in `input_modalities`
        self.transcription_models = dict(TRANSCRIPTION_MODELS)  # key → label
        self.transcript_of: Callable[[Json], str] = transcription.transcript  # {"audio", "format", …} → text
        self.forbids_free_models = False  # the data policy of the account
        self.think_s = 0.0  # the delay before every answer begins
        self.chunk_delay_s = 0.0  # the delay before every word of a streamed answer

        self.rate_limit = 0  # requests in a window, as RVFreeLLM counts them; 0: no limit
        self.rate_limit_window_s = 60
        self.requests_in_window = 0
        self.window_ends_at = 0  # Unix seconds

        self.requests: list[Json] = []  # bodies of POST /chat/completions
        self.headers: list[dict[str, str]] = []  # their headers
        self.transcriptions: list[Json] = []  # of POST /audio/transcriptions: model, audio, format, language
        self.request_counts: Counter[str] = Counter()  # model → number of requests
        self.answer_times_s: dict[str, float] = {}  # user → how long the gateway took for the last answer
        self.closed_streams: list[str] = []  # models whose stream the client closed
        self.catalog_requests = 0
        self.generation_requests: list[str] = []  # generation IDs

    async def answer(self, request: web.Request, body: Json, text: str, **choice: Any) -> web.StreamResponse:
        """Send a text: word by word if the request asks for a stream, at once otherwise."""
        if "audio" in body:
            return transcription.response(self.name, body, text)
        if not body.get("stream"):
            return web.json_response(completion(body, text, **choice), headers=self.headers_of_limit())
        return await self.stream(request, body, self._whole_answer(body, text, **choice))

    def reply_to(self, body: Json) -> str:
        """Return the answer to a question, or the transcript of a recording."""
        return self.transcript_of(body) if "audio" in body else self.answer_to(body)

    def sees(self, model: str) -> bool:
        """Return whether a model accepts pictures."""
        listed = self.catalog.get("data", []) if isinstance(self.catalog, dict) else []
        entries = [entry for entry in listed if isinstance(entry, dict) and entry.get("id") == model]
        return model in self.seeing_models or any(
            "image" in entry["architecture"]["input_modalities"] for entry in entries if "architecture" in entry
        )

    def list_transcription_models(self) -> Json:
        """Return the catalog of the models that turn speech into text."""
        models = self.transcription_models.items()
        return {"data": [describe_transcription_model(key, label) for key, label in models]}

    async def stream(self, request: web.Request, body: Json, events: AsyncIterator[Event]) -> web.StreamResponse:
        """Send events as a stream, and record when the client closes it."""
        headers = {"Content-Type": "text/event-stream", **self.headers_of_limit()}
        response = web.StreamResponse(headers=headers)
        try:
            await response.prepare(request)
            async for event in events:
                await response.write(event if isinstance(event, bytes) else server_sent_event(event))
        except (ConnectionError, asyncio.CancelledError):
            self.closed_streams.append(body["model"])
        return response

    def headers_of_limit(self) -> dict[str, str]:
        """Return the headers in which RVFreeLLM reports the state of its limit; {} without a limit."""
        if not self.rate_limit:
            return {}
        return {
            "X-RateLimit-Limit": str(self.rate_limit),
            "X-RateLimit-Remaining": str(max(self.rate_limit - self.requests_in_window, 0)),
            "X-RateLimit-Reset": str(self.window_ends_at),
        }

    async def words(self, body: Json, text: str) -> AsyncIterator[Event]:
        """Yield a text word by word, without the events that end a stream."""
        yield b": OPENROUTER PROCESSING\n\n"
        for word in re.findall(r"\S+\s*|\s+", text):
            await asyncio.sleep(self.chunk_delay_s)
            yield chunk(body, word)

    async def _whole_answer(self, body: Json, text: str, **choice: Any) -> AsyncIterator[Event]:
        async for event in self.words(body, text):
            yield event
        yield chunk(body, "", **{"finish_reason": "stop", **choice})
        yield {**chunk(body, ""), "choices": [], "usage": completion(body, text)["usage"]}
        yield b"data: [DONE]\n\n"
