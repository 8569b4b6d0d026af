"""Getting an answer out of models that may be busy, gone or broken: bounded retries, then the next model.

Every HTTP request becomes a row of the ledger, whatever came of it.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import config
import db
import openrouter_client
import texts
from openrouter_client import GATEWAYS, Completion, Message, OpenRouterError, Stream, Trouble
from runtime.pace import Pace

log = logging.getLogger(__name__)

MODELS_MOST = 3
TRIES_A_MODEL = 2
QUESTION_S = 150.0
RETRY_AFTER_MOST_S = 20.0
RETRY_FIRST_S = 1.0
ROOM_FACTOR = 4  # more tokens for a model that spent them all on thinking


class Watcher(Protocol):
    """Who waits for the answer."""

    def is_over(self) -> bool:
        """Return whether the answer is no longer wanted."""

    def on_piece(self) -> None:
        """Take notice that the stream has more text."""

    def on_wait(self, place: int) -> None:
        """Take the place in the line of the account."""

    def on_stream(self, stream: Stream | None) -> None:
        """Take the stream that is being read, to show and to close it; None when another model begins."""


@dataclass(frozen=True)
class Answer:
    """What came of a question."""

    completion: Completion | None  # None if there is no answer
    model: db.Row  # the one that answered, or failed last
    passed_over: tuple[str, str] | None = None  # the model that should have answered, and why it did not
    error: OpenRouterError | None = None
    ledger_row: db.Row | None = None  # of the request that got the answer: to be written along with it


@dataclass
class Attempts:
    """How one question is asked."""

    user_id: int
    module: str  # for the ledger
    messages: Callable[[db.Row], list[Message]]  # what to ask this model
    is_streamed: bool
    may_fall_back: bool
    searches_web: bool
    on_gone: Callable[[db.Row], None]  # told of a model that its gateway does not have any more
    pace: Pace
    watcher: Watcher

    def run(self, first: db.Row) -> Answer:
        """Ask a model, and when it is of no use the next ones; never raises OpenRouterError."""
        self._began = time.monotonic()
        self._deadline = self._began + max(QUESTION_S, GATEWAYS[first["gateway"]].attempt_s)
        self._spent: set[str] = set()  # gateways whose account has reached a limit
        self._row: db.Row | None = None
        passed_over: tuple[str, str] | None = None
        broken: tuple[OpenRouterError, db.Row] | None = None  # the first answer that broke off
        for model in self._models(first):
            try:
                return Answer(self._ask(model), model, passed_over, ledger_row=self._row)
            except OpenRouterError as failure:
                error = failure
            if error.text and not broken:
                broken = error, model
            if _is_gone(error):
                db.mark_model_gone(model["id"])
                self.on_gone(model)
            if error.trouble in (Trouble.LIMIT_MINUTE, Trouble.LIMIT_DAY):
                self._spent.add(model["gateway"])
            if not _is_worth_another_model(error):
                break
            passed_over = passed_over or (model["key"], _reason(error))
            self.watcher.on_stream(None)
        if broken:  # half an answer is better than none
            error, model = broken
            latency_ms = round((time.monotonic() - self._began) * 1000)
            part = Completion(error.text, latency_ms, model["key"], "cut", error.usage, error.generation_id)
            return Answer(part, model)
        return Answer(None, model, error=error)

    def _models(self, first: db.Row) -> Iterator[db.Row]:
        yield first
        if not self.may_fall_back:
            return
        tried = 1
        for model in stand_ins(first):
            if tried == MODELS_MOST or time.monotonic() > self._deadline or self.watcher.is_over():
                return
            if model["gateway"] not in self._spent:
                tried += 1
                yield model

    def _ask(self, model: db.Row) -> Completion:
        """Ask one model, again if that may help; OpenRouterError if it does not."""
        max_tokens, reasoning = openrouter_client.MAX_TOKENS, True
        tries = 0
        while True:
            tries += 1
            try:
                return self._request(model, max_tokens, reasoning)
            except OpenRouterError as error:
                if self.watcher.is_over():
                    raise
                if error.trouble is Trouble.REASONING and reasoning:
                    reasoning = False
                    continue
                if tries == TRIES_A_MODEL:
                    raise
                if _ran_out_of_room(error):
                    max_tokens *= ROOM_FACTOR
                elif not self._wait_before_retry(error):
                    raise

    def _wait_before_retry(self, error: OpenRouterError) -> bool:
        """Wait as long as it makes sense; False if trying again does not."""
        if not _is_worth_retry(error):
            return False
        delay_s = error.retry_after_s or random.uniform(0, RETRY_FIRST_S)
        if delay_s > RETRY_AFTER_MOST_S or time.monotonic() + delay_s > self._deadline:
            return False
        until = time.monotonic() + delay_s
        while (left := until - time.monotonic()) > 0:
            if self.watcher.is_over():
                return False
            time.sleep(min(left, 0.1))
        return True

    def _request(self, model: db.Row, max_tokens: int, reasoning: bool) -> Completion:
        """Make one HTTP request, in the account's pace, and write it into the ledger."""
        self._row = None
        messages = self.messages(model)
        if is_free(model) and not self.pace.take(self.watcher.is_over, self.watcher.on_wait):
            return Completion("", 0, model["key"], "stopped")
        started = time.monotonic()
        gateway = GATEWAYS[model["gateway"]]
        options: dict[str, Any] = {
            "gateway": model["gateway"],
            "max_tokens": max_tokens,
            "reasoning": reasoning,
            "user": f"telegram-{self.user_id}",
            "web": self.searches_web,
            "timeout_s": min(gateway.attempt_s, max(self._deadline - started, 1.0)),
        }
        ask: Callable[..., Completion] = self._stream if self.is_streamed else openrouter_client.chat_once
        came: Completion | OpenRouterError
        try:
            came = ask(messages, model=model["key"], **options)
        except OpenRouterError as error:
            if error.trouble is Trouble.SETUP:
                raise
            came = error
        latency_ms = round((time.monotonic() - started) * 1000)
        self._row = _ledger_row(self, model, came, latency_ms)
        if isinstance(came, OpenRouterError):
            db.add_llm_request(self._row)
            raise came
        return came

    def _stream(self, messages: list[Message], **options: Any) -> Completion:
        stream = openrouter_client.chat_stream(messages, **options)
        self.watcher.on_stream(stream)
        for _ in stream:
            self.watcher.on_piece()
        return stream.completion


def _ledger_row(asked: Attempts, model: db.Row, came: Completion | OpenRouterError, latency_ms: int) -> db.Row:
    details = came.usage.get("completion_tokens_details")
    return {
        "user_id": asked.user_id,
        "module": asked.module,
        "gateway": model["gateway"],
        "model": model["key"],
        "generation_id": came.generation_id,
        "status": came.status if isinstance(came, OpenRouterError) else 200,
        "finish_reason": came.finish_reason,
        "latency_ms": latency_ms,
        "prompt_tokens": _number(came.usage.get("prompt_tokens")),
        "completion_tokens": _number(came.usage.get("completion_tokens")),
        "reasoning_tokens": _number(details.get("reasoning_tokens")) if isinstance(details, dict) else None,
        "cost": _number(came.usage.get("cost")),
    }


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and 0 <= value < 2**53 else None


def is_free(model: db.Row) -> bool:
    """Whether OpenRouter gives a model for nothing, and counts the account's requests to it."""
    key, gateway = str(model["key"]), str(model["gateway"])
    return gateway == "openrouter" and (key.endswith(":free") or key == "openrouter/free")


def stand_ins(first: db.Row) -> Iterator[db.Row]:
    """Yield the models that may answer in another's place: of the same kind, and never unasked for money."""
    for model in db.models_after(first["id"]):
        if model["category"] == first["category"] and (config.allows_paid_models() or not is_paid(model)):
            yield model


def is_paid(model: db.Row) -> bool:
    """Whether OpenRouter takes money for a model."""
    return bool(model["gateway"] == "openrouter") and not is_free(model)


# What a failure means for the next step ------------------------------------------------------------------


def _is_gone(error: OpenRouterError) -> bool:
    return error.trouble is Trouble.UNKNOWN_MODEL or (error.status == 404 and error.trouble is Trouble.STATUS)


def _is_worth_retry(error: OpenRouterError) -> bool:
    """Whether the same model may answer a moment later."""
    if error.trouble in (Trouble.TIMEOUT, Trouble.SETUP):
        return False  # it has had its time, or will say the same
    if error.status == 429:
        return error.trouble is Trouble.LIMIT_MINUTE or error.retry_after_s is not None
    return error.status in (0, 408) or error.status >= 500


def _is_worth_another_model(error: OpenRouterError) -> bool:
    """Whether another model may answer: not where the key, the money, the rules or the question are at fault.

    Where the account has reached a limit, only one of another gateway may.
    """
    if error.trouble in (Trouble.REFUSED, Trouble.SETUP):
        return False
    return _is_gone(error) or error.status in (0, 408, 429) or error.status >= 500


def _ran_out_of_room(error: OpenRouterError) -> bool:
    """Whether a reasoning model spent its tokens on thinking."""
    details = error.usage.get("completion_tokens_details")
    thought = isinstance(details, dict) and bool(details.get("reasoning_tokens"))
    return error.trouble is Trouble.EMPTY and (error.finish_reason == "length" or thought)


def _reason(error: OpenRouterError) -> str:
    by_trouble = {
        Trouble.TIMEOUT: texts.REASON_TIMEOUT,
        Trouble.CONNECTION: texts.REASON_CONNECTION,
        Trouble.CUT: texts.REASON_CUT,
        Trouble.EMPTY: texts.REASON_EMPTY,
        Trouble.UNKNOWN_MODEL: texts.REASON_GONE,
    }
    return by_trouble.get(error.trouble) or texts.REASONS.get(error.status, texts.REASON_OTHER)
