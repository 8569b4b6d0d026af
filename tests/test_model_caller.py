"""Tests of llm/model_caller.py against the emulated gateways over HTTP.

- which error is shown, and when half an answer is; how often which models are called
- which models may answer in place of another: gateways without a key, small contexts, searches that cost money
- the ledger: cause, provider, the model that answered
- any response ends the question
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web
from conftest import PATIENCE_S, BotProcess, Person, store_question, text_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import config
import db
import journal
import storage
import texts
from config import Settings
from journal import QuestionRow
from llm import answers, catalog_readers, model_caller, model_menu
from llm.answers import Answers
from llm.catalog import Catalog
from llm.ledger import ledger_row
from llm.model_caller import ModelCaller
from llm.progress import CallResult, QuestionProgress
from llm.prompts import build_prompt
from llm.rate_limiter import WINDOW_S, RateLimiter
from llm.speech import SpeechToText
from openrouter_client import Completion
from sandbox import openrouter
from sandbox.openrouter import BEHAVIORS, EmulatedGateway
from sandbox.openrouter.documented_errors import DOCUMENTED_ERRORS
from sandbox.server import Server
from sandbox.telegram import TOKEN, World
from telegram.outbox import Outbox
from telegram.transport import Telegram

pytestmark = pytest.mark.usefixtures("database")

DATA_POLICY, FEATURE = 1, 3  # indexes into DOCUMENTED_ERRORS


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, openrouter_url: str) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-test-key")
    monkeypatch.setenv("OPENROUTER_BASE_URL", openrouter_url)
    monkeypatch.setattr(model_caller, "FIRST_RETRY_DELAY_S", 0.01)


def add_models(*keys: str, gateway: str = "openrouter", context_length: int | None = None) -> None:
    """Make these the only models of a gateway; the first one is active."""
    with storage.transaction():
        storage.execute("DELETE FROM models WHERE gateway = ?", (gateway,))
        for key in keys:
            storage.execute(
                "INSERT INTO models (key, label, gateway, context_length) VALUES (?,?,?,?)",
                (key, key, gateway, context_length),
            )
        if storage.fetch_one("SELECT 1 FROM models WHERE active = 1") is None:
            storage.execute("UPDATE models SET active = 1 WHERE key = ?", (keys[0],))


def ask(text: str = "раз", kind: str = "ask") -> QuestionRow:
    question_id = store_question(1, kind=kind, model_id=db.get_active_model()["id"], text=text)
    question = journal.get_question(1, question_id)
    assert question
    return question


def caller_for(
    question: QuestionRow,
    *,
    rate_limiter: RateLimiter | None = None,
    on_missing_model: Callable[[str], None] = lambda _gateway: None,
) -> ModelCaller:
    return ModelCaller(
        question,
        db.get_active_model(),
        build_prompt(question, None),
        QuestionProgress(),
        settings=config.load_settings(),
        gateways=config.load_gateways(),
        rate_limiter=rate_limiter or RateLimiter(1000),
        on_missing_model=on_missing_model,
        is_streamed=True,
    )


def call(text: str = "раз", kind: str = "ask") -> CallResult:
    return caller_for(ask(text, kind)).run()


def shown_error(result: CallResult) -> str:
    assert result.completion is None
    assert result.error
    return result.error.msg


def ledger(columns: str) -> list[Any]:
    return [tuple(row.values()) for row in storage.fetch_all(f"SELECT {columns} FROM llm_requests ORDER BY id")]


# Which error is shown


def test_the_error_of_the_first_model_is_shown() -> None:
    add_models("sandbox/status-503:free", "sandbox/status-529:free", "sandbox/refuse:free")
    assert shown_error(call()) == texts.status_message(503)


def test_an_error_that_the_owner_can_fix_is_shown_instead() -> None:
    add_models("sandbox/status-503:free", f"sandbox/documented-{DATA_POLICY}:free")
    assert shown_error(call()) == texts.data_policy("openrouter")


@pytest.mark.parametrize("index", [DATA_POLICY, FEATURE])
def test_a_404_about_the_account_or_a_feature_leaves_the_model_available(index: int) -> None:
    add_models(f"sandbox/documented-{index}:free")
    result = call()
    assert result.error
    assert result.error.status == DOCUMENTED_ERRORS[index].status == 404
    assert db.get_active_model()["available"]


def test_a_local_server_that_is_down_is_not_blamed_on_the_missing_key_of_openrouter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY")
    monkeypatch.setenv("LOCAL_LLM_URL", "http://127.0.0.1:9/v1")
    add_models("sandbox/echo:free")
    add_models("llama", gateway="local")
    db.set_active_model(storage.fetch_one("SELECT id FROM models WHERE key = 'llama'")["id"])
    assert shown_error(call()) == texts.no_connection("local")


# How often which models are called


def test_models_that_always_fail_get_a_bounded_number_of_requests(gateway: EmulatedGateway) -> None:
    keys = [f"sandbox/status-{status}:free" for status in (502, 500, 503)]
    add_models(*keys, "sandbox/echo:free")
    result = call()
    assert shown_error(result) == texts.status_message(502)
    assert result.model["key"] == keys[0]
    assert [request["model"] for request in gateway.requests] == [key for key in keys for _ in range(2)]


def test_an_error_of_the_reasoning_setting_after_a_retry_does_not_lead_to_endless_requests(
    behave: Callable[[Callable[..., Any]], str], gateway: EmulatedGateway
) -> None:
    async def refuse_the_setting_at_the_second_request(
        gateway: EmulatedGateway, _request: web.Request, body: openrouter.Json, _number: int
    ) -> web.StreamResponse:
        is_second = gateway.request_counts[body["model"]] == 2
        return openrouter.error_response(400 if is_second else 502, "no reasoning here")

    add_models(behave(refuse_the_setting_at_the_second_request))
    call(kind="compare")
    assert ["reasoning" in request for request in gateway.requests] == [True, True, False]


def test_a_missing_model_becomes_unavailable_and_is_reported() -> None:
    add_models("sandbox/status-404:free", "sandbox/echo:free")
    missing: list[str] = []
    result = caller_for(ask(), on_missing_model=missing.append).run()
    assert result.completion
    assert result.model["key"] == "sandbox/echo:free"
    assert result.fallback_from == ("sandbox/status-404:free", texts.REASON_UNAVAILABLE)
    assert not db.get_active_model()["available"]
    assert missing == ["openrouter"]


# Half an answer


@pytest.fixture
def behave(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], str]:
    """Return a function that adds a behavior to the emulated gateway and returns the key of its model."""

    def add(behavior: Callable[..., Any]) -> str:
        monkeypatch.setitem(BEHAVIORS, "custom", behavior)
        return "sandbox/custom:free"

    return add


def test_half_an_answer_is_kept_when_the_second_try_and_the_other_models_bring_nothing(
    behave: Callable[[Callable[..., Any]], str],
) -> None:
    async def half_then_nothing(
        gateway: EmulatedGateway, request: web.Request, body: openrouter.Json, _number: int
    ) -> web.StreamResponse:
        if gateway.request_counts[body["model"]] > 1:
            return openrouter.error_response(502, "nothing")
        return await gateway.stream(request, body, gateway.words(body, "половина ответа"))

    add_models(behave(half_then_nothing), "sandbox/status-502:free")
    result = call()
    assert result.completion
    assert (result.completion.text, result.completion.finish_reason) == ("половина ответа", "cut")
    assert result.model["key"] == "sandbox/custom:free"


# Which models may answer


def test_a_gateway_without_a_key_is_no_fallback(
    monkeypatch: pytest.MonkeyPatch, gateway: EmulatedGateway, local_llm: EmulatedGateway
) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY")
    monkeypatch.setenv("LOCAL_LLM_URL", local_llm.url)
    add_models("sandbox/status-500", gateway="local")
    db.set_active_model(storage.fetch_one("SELECT id FROM models WHERE gateway = 'local'")["id"])
    assert shown_error(call()) == texts.status_message(500, "local")
    assert gateway.requests == []


def test_a_fallback_model_with_a_small_context_is_passed_over() -> None:
    add_models("sandbox/status-404:free", "sandbox/echo-1:free", "sandbox/echo-2:free", "sandbox/echo-3:free")
    storage.execute(
        "UPDATE models SET context_length = 900 WHERE key IN ('sandbox/echo-1:free','sandbox/echo-2:free')"
    )
    result = call("слово " * 300)
    assert result.completion
    assert result.model["key"] == "sandbox/echo-3:free"


@pytest.mark.parametrize("context_length", [512, 1024, 2048])
def test_a_small_context_still_answers(gateway: EmulatedGateway, context_length: int) -> None:
    add_models("sandbox/echo:free", context_length=context_length)
    result = call("привет")
    assert result.completion
    assert gateway.requests[0]["max_tokens"] == context_length // 2


def test_a_search_that_costs_money_is_refused_unless_it_is_allowed(
    monkeypatch: pytest.MonkeyPatch, gateway: EmulatedGateway
) -> None:
    add_models("sandbox/search:free")
    assert shown_error(call(kind="web")) == texts.WEB_COSTS
    assert gateway.requests == []
    monkeypatch.setenv("ALLOW_PAID_MODELS", "1")
    assert call(kind="web").completion
    [tool] = gateway.requests[0]["tools"]
    assert tool == {
        "type": "openrouter:web_search",
        "parameters": {"max_results": 5, "max_total_results": 5},
    }


def test_waiting_for_the_rate_limit_takes_no_time_from_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_caller, "QUESTION_TIME_S", 0.0)
    add_models("sandbox/slow-3:free")
    question = ask()
    caller = caller_for(question, rate_limiter=RateLimiter(1, [WINDOW_S - 4]))
    caller._deadline = time.monotonic() + 3.5  # shorter than the wait, longer than the answer
    assert caller.run().completion


# The ledger


def test_the_ledger_keeps_the_cause_the_provider_and_the_model_that_answered() -> None:
    add_models(f"sandbox/documented-{DATA_POLICY}:free", "openrouter/free")
    assert call().completion
    assert ledger("model, cause, provider, answered_model") == [
        (f"sandbox/documented-{DATA_POLICY}:free", "data_policy", None, None)
    ]
    result = call()
    assert result.ledger_row
    assert (result.ledger_row["answered_model"], result.ledger_row["provider"]) == (
        "google/gemma-4-31b-it:free",
        "Sandbox",
    )
    assert journal.failure_counts(0) == [{"gateway": "openrouter", "cause": "data_policy", "requests": 2}]


def test_the_ledger_takes_only_numbers_for_numbers() -> None:
    answer = Completion("да", 5, "m", "stop", {"prompt_tokens": 20.0, "cost": "?"})
    row = ledger_row(1, "ask", "openrouter", "m", answer, time.monotonic())
    assert (row["prompt_tokens"], row["cost"]) == (20, None)


@pytest.mark.parametrize("context", [{"meta": {"n_ctx": 4096}}, {"max_model_len": 4096}, {"context_length": 4096}])
def test_the_context_of_a_local_model(context: dict[str, Any]) -> None:
    # llama.cpp, tools/server/README.md (GET /v1/models): "meta" with n_ctx; vLLM: max_model_len
    [model] = catalog_readers.read_models("local", [{"id": "m", **context}], allow_paid=False)
    assert model["context_length"] == 4096


@pytest.mark.parametrize(
    ("name", "is_listed"),
    [
        ("nomic-embed-text:latest", False),
        ("text-embedding-nomic-embed-text-v1.5", False),
        ("BAAI/bge-m3", False),
        ("intfloat/e5-mistral-7b-instruct", False),
        ("jina-reranker-v2", False),
        ("all-minilm:latest", False),
        ("llama3.1:8b", True),
        ("gemma-3e5", True),
    ],
)
def test_embedding_models_are_not_listed(name: str, is_listed: bool) -> None:
    assert bool(catalog_readers.read_models("local", [{"id": name}], allow_paid=False)) is is_listed


# Any response ends the question

numbers = st.integers() | st.floats() | st.sampled_from([12.25, -1, 10**40, 2**63])
words = st.text(max_size=5) | st.sampled_from(["\ud83d", "a\0b", "stop", "error"])
values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)


def fields(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects with these fields, each of which may also be missing or hold any value."""
    return st.fixed_dictionaries({}, optional={name: strategy | values for name, strategy in strategies.items()})


messages = fields(content=words, refusal=words, reasoning=words)
choices = st.lists(fields(message=messages, delta=messages, finish_reason=words, error=values), max_size=2)
usages = fields(
    prompt_tokens=numbers,
    completion_tokens=numbers,
    cost=numbers,
    completion_tokens_details=fields(reasoning_tokens=numbers),
)
responses = fields(
    id=words,
    model=words,
    provider=words,
    choices=choices,
    usage=usages,
    error=values,
    _metadata=fields(original_model=words),
)


@pytest.fixture
def served_json() -> Iterator[tuple[dict[str, Any], str]]:
    """Serve whatever the test puts under "body", with the status and the kind of response that it chooses."""
    served: dict[str, Any] = {}

    async def answer(_request: web.Request) -> web.StreamResponse:
        data = json.dumps(served["body"]).encode()
        if served["is_stream"]:
            data = b"data: " + data + b"\n\ndata: [DONE]\n\n"
        content_type = "text/event-stream" if served["is_stream"] else "application/json"
        return web.Response(status=served["status"], body=data, content_type=content_type)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    with Server(app) as server:
        yield served, f"{server.url}/v1"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=responses, status=st.sampled_from([200, 200, 200, 400, 404, 429]), is_stream=st.booleans())
def test_any_response_ends_the_question(
    served_json: tuple[dict[str, Any], str],
    body: object,
    status: int,
    is_stream: bool,
    telegram_url: str,
) -> None:
    served, url = served_json
    served |= {"body": body, "status": status, "is_stream": is_stream}
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("LOCAL_LLM_URL", url)
        monkeypatch.setenv("TELEGRAM_API_URL", telegram_url)
        if storage.fetch_one("SELECT 1 FROM models WHERE gateway = 'local'") is None:
            add_models("llama", gateway="local")
        db.set_active_model(storage.fetch_one("SELECT id FROM models WHERE gateway = 'local'")["id"])
        storage.execute("UPDATE models SET available = 1 WHERE gateway = 'local'")
        loaded = config.load_settings()
        question = ask(kind="compare")  # no fallback models
        answer_once(loaded)
    state = storage.fetch_one("SELECT state FROM questions WHERE id = ?", (question["id"],))["state"]
    assert state in ("answered", "failed")


@contextmanager
def running_answers(loaded: Settings) -> Iterator[Answers]:
    """Give an Answers that leaves no threads behind, which would try to send for ever."""
    telegram = Telegram(loaded)
    outbox = Outbox(telegram)
    running = Answers(loaded, telegram, outbox, Catalog(loaded), SpeechToText(loaded, telegram))
    try:
        yield running
    finally:
        running.stop()
        outbox.stop(0, PATIENCE_S)


def answer_once(loaded: Settings) -> None:
    with running_answers(loaded) as running:
        running._answer_next((1, 0))


def test_a_question_whose_result_cannot_be_stored_ends_as_failed(
    monkeypatch: pytest.MonkeyPatch, telegram_url: str, gateway: EmulatedGateway
) -> None:
    monkeypatch.setenv("TELEGRAM_API_URL", telegram_url)
    add_models("sandbox/echo:free")
    storage.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON llm_requests BEGIN SELECT RAISE(ABORT, 'cannot be stored'); END"
    )
    question = ask(kind="compare")
    with running_answers(config.load_settings()) as running:
        for _ in range(answers.MAX_ATTEMPTS - 1):
            with pytest.raises(Exception, match="cannot be stored"):
                running._answer_next((1, 0))
        running._answer_next((1, 0))
        assert running._answer_next((1, 0)) is None
    assert storage.fetch_one("SELECT state FROM questions WHERE id = ?", (question["id"],)) == {"state": "failed"}
    assert len(gateway.requests) == answers.MAX_ATTEMPTS


# The first question, and a model that was replaced


def test_without_a_key_the_local_models_answer_the_first_question(
    bot_process: BotProcess, world: World, local_llm: EmulatedGateway, gateway: EmulatedGateway
) -> None:
    local_llm.catalog = {"object": "list", "data": [{"id": "llama"}, {"id": "nomic-embed-text"}]}
    bot_process.env |= {"OPENROUTER_API_KEY": "", "LOCAL_LLM_URL": local_llm.url}
    Person(world, 1).says("/ask раз")  # before the bot starts: the lists of models have not been fetched
    bot_process.start()
    answer = text_of(Person(world, 1).hears())
    assert answer.endswith("модель: llama")
    assert gateway.requests == []


def test_an_unavailable_model_can_be_chosen_and_that_is_said() -> None:
    db.record_model_replacement("A", "B")
    db.mark_model_unavailable(5)
    model = db.get_model(5)
    assert model_menu.switch(config.load_settings(), 5) == texts.model_unavailable(model)
    assert (
        db.take_model_replacement() is None
    )  # whoever has chosen a model need not hear of an earlier replacement
    assert model_menu.switch(config.load_settings(), 6) == texts.model_switched(db.get_model(6))


def test_a_replaced_model_is_told_once(monkeypatch: pytest.MonkeyPatch, telegram_url: str) -> None:
    monkeypatch.setenv("TELEGRAM_API_URL", telegram_url)
    add_models("sandbox/unknown:free", "sandbox/echo:free")
    question = ask()
    db.record_model_replacement("A", "B")  # while the question waited
    answer_once(config.load_settings())
    assert not db.get_model(question["model_id"])["available"]
    [reply] = storage.fetch_all("SELECT calls FROM outbox")
    assert "(вместо sandbox/unknown:free: недоступна)" in json.dumps(
        json.loads(reply["calls"]), ensure_ascii=False
    )
    assert db.take_model_replacement() is None  # the footer has told it
