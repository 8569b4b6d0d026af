"""Get an answer from models that may be busy, missing or broken: bounded retries, then fallback models.

Every HTTP request becomes a row of the ledger (the table llm_requests), whatever its outcome.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping

import db
import journal
import openrouter_client
import texts
from config import Gateway, Settings
from journal import LlmRequest, QuestionRow
from llm.gateway_pace import GatewayPace
from llm.models import fallback_models, is_free
from llm.progress import CallResult, QuestionProgress
from llm.prompts import Prompt
from llm.rate_limiter import RateLimiter
from openrouter_client import FEATURES, ChatRequest, Completion, ErrorKind, OpenRouterError

MAX_MODELS = 3
MAX_REQUESTS_PER_MODEL = 2
QUESTION_TIME_S = 150.0  # for all requests together, or the timeout of the first gateway if that is longer
MIN_REQUEST_TIME_S = 1.0
FIRST_RETRY_DELAY_S = 1.0
MAX_RETRY_AFTER_S = 20.0
STOP_CHECK_INTERVAL_S = 0.1
MORE_TOKENS_FACTOR = 4  # for a model that spent all its tokens on thinking

ERROR_REASONS = {
    ErrorKind.TIMEOUT: texts.REASON_TIMEOUT,
    ErrorKind.CONNECTION: texts.REASON_CONNECTION,
    ErrorKind.CUT: texts.REASON_CUT,
    ErrorKind.EMPTY: texts.REASON_EMPTY,
    ErrorKind.UNKNOWN_MODEL: texts.REASON_UNAVAILABLE,
}


class ModelCaller:
    """Calls models for one question until one of them answers."""

    def __init__(
        self,
        question: QuestionRow,
        model: db.Model,
        prompt: Prompt,
        progress: QuestionProgress,
        *,
        settings: Settings,
        gateways: Mapping[str, Gateway],
        rate_limiter: RateLimiter,
        on_missing_model: Callable[[str], None],
        is_streamed: bool,
        paces: Mapping[str, GatewayPace] | None = None,
    ) -> None:
        """Prepare the calls; on_missing_model(gateway) is called when a gateway does not have a listed model."""
        self._question = question
        self._first_model = model
        self._prompt = prompt
        self._progress = progress
        self._settings = settings
        self._gateways = gateways
        self._rate_limiter = rate_limiter
        self._paces = paces or {}
        self._on_missing_model = on_missing_model
        self._is_streamed = is_streamed
        self._started = time.monotonic()
        self._deadline = self._started + max(QUESTION_TIME_S, FEATURES[model["gateway"]].timeout_s)
        self._exhausted_gateways: set[str] = set()  # the account has reached a limit there
        self._partial_answer: CallResult | None = None  # of the first stream that broke off

    def run(self) -> CallResult:
        """Call the first model and then its fallback models until one answers; never raises OpenRouterError."""
        fallback_from: tuple[str, str] | None = None
        last_failure = CallResult(None, self._first_model)
        for model in self._models():
            try:
                completion, ledger_row = self._call(model)
            except OpenRouterError as error:
                self._handle_failure(model, error)
                last_failure = CallResult(None, model, error=error)
                if not _is_worth_another_model(error):
                    break
                fallback_from = fallback_from or (model["key"], _reason(error))
                self._progress.set_stream(None)
            else:
                return CallResult(completion, model, fallback_from, ledger_row=ledger_row)
        return self._partial_answer or last_failure  # half an answer is better than none

    def _models(self) -> Iterator[db.Model]:
        """Yield the models to call: the first one, then its fallback models while there is time."""
        yield self._first_model
        if self._question["kind"] == "compare":
            return
        called = 1
        for model in fallback_models(self._first_model, allow_paid=self._settings.allow_paid_models):
            if called == MAX_MODELS or time.monotonic() > self._deadline or self._progress.is_stopped():
                return
            if model["gateway"] not in self._exhausted_gateways:
                called += 1
                yield model

    def _handle_failure(self, model: db.Model, error: OpenRouterError) -> None:
        if error.text and self._partial_answer is None:
            latency_ms = round((time.monotonic() - self._started) * 1000)
            part = Completion(error.text, latency_ms, model["key"], "cut", error.usage, error.generation_id)
            self._partial_answer = CallResult(part, model)
        if _is_missing_model(error):
            db.mark_model_unavailable(model["id"])
            self._on_missing_model(model["gateway"])
        if error.kind in (ErrorKind.LIMIT_MINUTE, ErrorKind.LIMIT_DAY):
            self._exhausted_gateways.add(model["gateway"])

    def _call(self, model: db.Model) -> tuple[Completion, LlmRequest | None]:
        """Call one model, again if that may help; return its answer and the ledger row to store with it."""
        max_tokens = openrouter_client.MAX_TOKENS
        limit_reasoning = True
        requests_sent = 0
        while True:
            requests_sent += 1
            try:
                return self._send(model, max_tokens=max_tokens, limit_reasoning=limit_reasoning)
            except OpenRouterError as error:
                if self._progress.is_stopped():
                    raise
                if error.kind is ErrorKind.REASONING and limit_reasoning:
                    limit_reasoning = False
                elif requests_sent >= MAX_REQUESTS_PER_MODEL:
                    raise
                elif _ran_out_of_tokens(error):
                    max_tokens *= MORE_TOKENS_FACTOR
                elif not self._wait_before_retry(error):
                    raise

    def _wait_before_retry(self, error: OpenRouterError) -> bool:
        """Wait before the next request to the same model; return False if it makes no sense."""
        if not _is_worth_retry(error):
            return False
        delay_s = error.retry_after_s or random.uniform(0, FIRST_RETRY_DELAY_S)
        retry_at = time.monotonic() + delay_s
        if delay_s > MAX_RETRY_AFTER_S or retry_at > self._deadline:
            return False
        while (left_s := retry_at - time.monotonic()) > 0:
            if self._progress.is_stopped():
                return False
            time.sleep(min(left_s, STOP_CHECK_INTERVAL_S))
        return True

    def _send(
        self, model: db.Model, *, max_tokens: int, limit_reasoning: bool
    ) -> tuple[Completion, LlmRequest | None]:
        """Send one HTTP request, within the account's rate limit.

        The ledger row of a failed request is stored at once, that of a successful one is returned.
        """
        gateway = openrouter_client.require_gateway(self._gateways, model["gateway"])
        messages = self._prompt.messages(model)
        if is_free(model["gateway"], model["key"]):
            may_send = self._rate_limiter.acquire(self._progress.is_stopped, self._progress.set_queue_position)
            if not may_send:
                return Completion("", 0, model["key"], "stopped"), None
        pace = self._paces.get(gateway.name)
        if pace and not pace.acquire(self._progress.is_stopped, self._progress.set_queue_position):
            return Completion("", 0, model["key"], "stopped"), None
        started = time.monotonic()
        time_left_s = max(self._deadline - started, MIN_REQUEST_TIME_S)
        request = ChatRequest(
            messages=messages,
            model=model["key"],
            gateway=gateway,
            max_tokens=max_tokens,
            timeout_s=min(FEATURES[gateway.name].timeout_s, time_left_s),
            user=f"telegram-{self._question['user_id']}",
            limit_reasoning=limit_reasoning,
            search_web=self._question["kind"] == "web",
            on_headers=pace.read_headers if pace else lambda _: None,
        )
        try:
            completion = self._stream(request) if self._is_streamed else openrouter_client.complete(request)
        except OpenRouterError as error:
            if error.kind is not ErrorKind.SETUP:
                journal.add_llm_request(self._ledger_row(model, error, error.status, started))
            raise
        return completion, self._ledger_row(model, completion, 200, started)

    def _stream(self, request: ChatRequest) -> Completion:
        stream = openrouter_client.stream(request)
        self._progress.set_stream(stream)
        for _ in stream:
            self._progress.notify_new_text()
        return stream.completion

    def _ledger_row(
        self, model: db.Model, outcome: Completion | OpenRouterError, status: int, started: float
    ) -> LlmRequest:
        details = outcome.usage.get("completion_tokens_details")
        return {
            "user_id": self._question["user_id"],
            "module": self._question["kind"],
            "gateway": model["gateway"],
            "model": model["key"],
            "generation_id": outcome.generation_id,
            "status": status,
            "finish_reason": outcome.finish_reason,
            "latency_ms": round((time.monotonic() - started) * 1000),
            "prompt_tokens": _count(outcome.usage.get("prompt_tokens")),
            "completion_tokens": _count(outcome.usage.get("completion_tokens")),
            "reasoning_tokens": _count(details.get("reasoning_tokens")) if isinstance(details, dict) else None,
            "cost": _cost(outcome.usage.get("cost")),
            "is_free": is_free(model["gateway"], model["key"]),
        }


def _cost(value: object) -> float | None:
    """Return a number of a gateway's usage report, or None if it is not one."""
    return value if isinstance(value, int | float) and 0 <= value < 2**53 else None


def _count(value: object) -> int | None:
    number = _cost(value)
    return None if number is None else int(number)


# What an error means for the next step -------------------------------------------------------------------


def _is_missing_model(error: OpenRouterError) -> bool:
    is_not_found = error.status == 404 and error.kind is ErrorKind.STATUS
    return is_not_found or error.kind is ErrorKind.UNKNOWN_MODEL


def _is_worth_retry(error: OpenRouterError) -> bool:
    """Return whether the same model may answer a moment later."""
    if error.kind in (ErrorKind.TIMEOUT, ErrorKind.SETUP):
        return False  # it had its time, or would fail in the same way
    if error.status == 429:
        return error.kind is ErrorKind.LIMIT_MINUTE or error.retry_after_s is not None
    return error.status in (0, 408) or error.status >= 500


def _is_worth_another_model(error: OpenRouterError) -> bool:
    """Return whether another model may answer: not if the key, the balance or the question caused the error."""
    if error.kind in (ErrorKind.REFUSED, ErrorKind.SETUP):
        return False
    return _is_missing_model(error) or error.status in (0, 408, 429) or error.status >= 500


def _ran_out_of_tokens(error: OpenRouterError) -> bool:
    """Return whether a reasoning model spent its tokens on thinking and had none left for the answer."""
    if error.kind is not ErrorKind.EMPTY:
        return False
    details = error.usage.get("completion_tokens_details")
    has_thought = isinstance(details, dict) and bool(details.get("reasoning_tokens"))
    return error.finish_reason == "length" or has_thought


def _reason(error: OpenRouterError) -> str:
    """Return a few words for the footer of the answer that another model gives."""
    if error.kind in ERROR_REASONS:
        return ERROR_REASONS[error.kind]
    return texts.STATUS_REASONS.get(error.status, texts.REASON_OTHER)
