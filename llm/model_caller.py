"""Get an answer from models that may be busy, missing or broken: bounded retries, then fallback models.

Every HTTP request becomes a row of the ledger (the table llm_requests), whatever its outcome.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping

import db
import journal
import openrouter_client
import texts
from config import Gateway, Settings
from journal import LlmRequest, QuestionRow
from llm.failure_rules import is_missing_model, is_worth_another_model, is_worth_retry, ran_out_of_tokens, reason
from llm.gateway_pace import GatewayPace
from llm.ledger import ledger_row
from llm.models import fallback_models, is_free, may_search_web, ready_gateways
from llm.progress import CallResult, QuestionProgress
from llm.prompts import Prompt, answer_tokens, max_answer_tokens
from llm.rate_limiter import RateLimiter
from openrouter_client import FEATURES, ChatRequest, Completion, ErrorKind, OpenRouterError, RequestCloser

MAX_MODELS = 3
MAX_REQUESTS_PER_MODEL = 2
QUESTION_TIME_S = 150.0  # for all requests together, or the timeout of the first gateway if that is longer
MIN_REQUEST_TIME_S = 1.0
FIRST_RETRY_DELAY_S = 1.0
MAX_RETRY_AFTER_S = 20.0
STOP_CHECK_INTERVAL_S = 0.1
MORE_TOKENS_FACTOR = 4  # for a model that spent all its tokens on thinking

log = logging.getLogger(__name__)

# What the owner can fix, beside a wrong key (401) and an empty account (402)
OWNER_KINDS = (ErrorKind.DATA_POLICY, ErrorKind.KEY_LIMIT, ErrorKind.LIMIT_DAY)


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
        self._called_models: set[int] = set()  # ids
        self._partial_answer: CallResult | None = None  # the longest of the answers that broke off
        self._failure = CallResult(None, model)  # the one to show if no model answers

    def run(self) -> CallResult:
        """Call the first model and then its fallback models until one answers; never raises OpenRouterError."""
        fallback_from: tuple[str, str] | None = None
        if not self._sees(self._first_model):
            fallback_from = self._first_model["key"], texts.REASON_CANNOT_SEE
        for model in self._models():
            self._progress.set_model(model)
            try:
                completion, row = self._call(model)
            except OpenRouterError as error:
                if error.kind is ErrorKind.TOO_LONG and model is not self._first_model:
                    continue  # the context of this fallback model is too small: try the next one
                self._handle_failure(model, error)
                if not is_worth_another_model(error):
                    break
                fallback_from = fallback_from or (model["key"], reason(error))
                self._progress.set_stream(None)
            else:
                return CallResult(completion, model, fallback_from, ledger_row=row)
        if fallback_from and self._failure.error is None:  # no other model was called
            no_model = OpenRouterError(404, texts.NO_SEEING_MODEL, ErrorKind.SETUP)
            return CallResult(None, self._first_model, error=no_model)
        return self._partial_answer or self._failure  # half an answer is better than none

    def _models(self) -> Iterator[db.Model]:
        """Yield the models to call: the first one, then its fallback models while there is time."""
        if self._sees(self._first_model):
            yield self._first_model
        if self._question["kind"] == "compare":
            return
        candidates = fallback_models(
            self._first_model,
            allow_paid=self._settings.allow_paid_models,
            gateways=ready_gateways(self._gateways),
            search_web=self._question["kind"] == "web",
            needs_sight=bool(self._prompt.pictures),
        )
        for model in candidates:
            is_enough = len(self._called_models) >= MAX_MODELS or time.monotonic() > self._deadline
            if is_enough or self._progress.is_stopped():
                return
            if model["gateway"] not in self._exhausted_gateways:
                yield model

    def _sees(self, model: db.Model) -> bool:
        """Return whether a model sees everything that the question is about."""
        return model["sees_images"] or not self._prompt.pictures

    def _handle_failure(self, model: db.Model, error: OpenRouterError) -> None:
        if is_missing_model(error):
            db.mark_model_unavailable(model["id"])
            self._on_missing_model(model["gateway"])
        if error.kind in (ErrorKind.LIMIT_MINUTE, ErrorKind.LIMIT_DAY):
            self._exhausted_gateways.add(model["gateway"])
        # Show the error of the first model, because the person chose it. A later error replaces it only if it is
        # of the same gateway and for the owner to fix: it then explains the first one too.
        is_for_owner = error.status in (401, 402) or error.kind in OWNER_KINDS
        is_same_gateway = model["gateway"] == self._first_model["gateway"]
        if self._failure.error is None or (is_for_owner and is_same_gateway):
            self._failure = CallResult(None, model, error=error)

    def _keep_partial_answer(self, model: db.Model, error: OpenRouterError) -> None:
        kept = self._partial_answer.completion if self._partial_answer else None
        if len(error.text) > (len(kept.text) if kept else 0):
            latency_ms = round((time.monotonic() - self._started) * 1000)
            part = Completion(error.text, latency_ms, model["key"], "cut", error.usage, error.generation_id)
            self._partial_answer = CallResult(part, model)

    def _call(self, model: db.Model) -> tuple[Completion, LlmRequest | None]:
        """Call one model, again if that may help; return its answer and the ledger row to store with it."""
        max_tokens = answer_tokens(model)
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
                elif ran_out_of_tokens(error):
                    max_tokens = min(max_tokens * MORE_TOKENS_FACTOR, max_answer_tokens(model))
                elif not self._wait_before_retry(error):
                    raise

    def _wait_before_retry(self, error: OpenRouterError) -> bool:
        """Wait before the next request to the same model; return False if it makes no sense."""
        if not is_worth_retry(error):
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
        may_search = may_search_web(model["gateway"], allow_paid=self._settings.allow_paid_models)
        if self._question["kind"] == "web" and not may_search and FEATURES[gateway.name].web_search_costs:
            raise OpenRouterError(402, texts.WEB_COSTS, ErrorKind.SETUP)
        messages = self._prompt.messages(model)
        if not self._wait_for_limits(model):
            return Completion("", 0, model["key"], "stopped"), None
        self._called_models.add(model["id"])
        started = time.monotonic()
        time_left_s = max(self._deadline - started, MIN_REQUEST_TIME_S)
        pace = self._paces.get(gateway.name)
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
            self._keep_partial_answer(model, error)
            if self._progress.is_stopped():
                error.cause = "stopped"
            if error.kind is not ErrorKind.SETUP:
                _log_failure(error)
                journal.add_llm_request(self._ledger_row(model, error, started))
            raise
        return completion, self._ledger_row(model, completion, started)

    def _ledger_row(self, model: db.Model, outcome: Completion | OpenRouterError, started: float) -> LlmRequest:
        question = self._question
        return ledger_row(question["user_id"], question["kind"], model["gateway"], model["key"], outcome, started)

    def _wait_for_limits(self, model: db.Model) -> bool:
        """Wait until the account's limits permit a request; return False if the person presses Stop meanwhile.

        The wait takes no time from the question.
        """
        limits: list[RateLimiter | GatewayPace] = []
        if is_free(model["gateway"], model["key"]):
            limits.append(self._rate_limiter)
        if model["gateway"] in self._paces:
            limits.append(self._paces[model["gateway"]])
        queued_at = time.monotonic()
        try:
            return all(
                limit.acquire(self._progress.is_stopped, self._progress.set_queue_position) for limit in limits
            )
        finally:
            self._deadline += time.monotonic() - queued_at

    def _stream(self, request: ChatRequest) -> Completion:
        closer = RequestCloser()
        self._progress.set_request(closer)
        stream = openrouter_client.stream(request, closer=closer)
        self._progress.set_stream(stream)
        for _ in stream:
            self._progress.notify_new_text()
        return stream.completion


def _log_failure(error: OpenRouterError) -> None:
    # Only the owner can fix a wrong key or an empty account; after any other error a fallback model answers.
    # The gateway's message stays out of the log, because providers quote the question in it.
    level = logging.WARNING if error.status in (401, 402) or error.kind in OWNER_KINDS else logging.INFO
    log.log(level, "a model did not answer: HTTP %d, %s", error.status, error.cause)
