"""Tests of the models and the gateways with the running bot.

- the keyboard: a tap switches the model and edits the message; pages, outdated buttons, two taps
- paid models cannot be chosen unless they are allowed
- models that vanish, and switching while questions are in progress
- gateways: what each one is sent, and what becomes of its answers
"""

import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from conftest import BotProcess, Person, eventually, text_of

import texts
from sandbox.openrouter import EmulatedGateway, describe_model
from sandbox.openrouter.rvfreellm import SAMPLE_PROVIDER, sample_model
from sandbox.telegram import World

Start = Callable[[], BotProcess]


def labels(message: dict[str, Any]) -> list[str]:
    return [button["text"] for row in message["reply_markup"]["inline_keyboard"] for button in row]


def wait_for_lists(bot: BotProcess, *gateways: str) -> None:
    """Wait until the bot has fetched the lists of these gateways."""
    for gateway in gateways:
        eventually(partial(lambda gateway: f" {gateway}: " in bot.log, gateway))


@pytest.fixture
def start(bot_process: BotProcess) -> Start:
    def start() -> BotProcess:
        bot_process.start()
        wait_for_lists(bot_process, "openrouter")
        return bot_process

    return start


# The keyboard


def test_a_tap_switches_the_model_and_edits_the_message(start: Start, ann: Person) -> None:
    start()
    ann.says("/models")
    message = ann.hears()
    assert labels(message)[:2] == ["0. Free model by task", "6. Gemma 4 26B A4B (free)"]
    assert ann.taps(message, "9. North Mini Code (free)") == (
        "Активная модель переключена: North Mini Code (free) [cohere/north-mini-code:free]"
    )
    edited = ann.hears()
    assert edited["message_id"] == message["message_id"]
    assert "★ 9. North" in edited["text"]
    assert "9. North Mini Code (free)" not in labels(edited)
    assert "5. Gemma 4 31B (free)" in labels(edited)
    # A second tap on the outdated keyboard is answered and edits nothing.
    assert ann.taps(message, "9. North Mini Code (free)") == (
        "Активная модель переключена: North Mini Code (free) [cohere/north-mini-code:free]"
    )
    assert ann.asks("/model").startswith("Текущая активная модель: North Mini Code (free)")
    assert all(
        len(b["callback_data"].encode()) <= 64 for row in edited["reply_markup"]["inline_keyboard"] for b in row
    )


def test_pages_begin_with_the_models_that_can_be_chosen(
    start: Start, ann: Person, gateway: EmulatedGateway
) -> None:
    gateway.catalog = {"data": [describe_model(f"vendor/model-{n}:free") for n in range(25)]}
    start()
    ann.says("/models")
    first = ann.hears()
    assert first["text"].startswith("Доступные модели (страница 1 из 3):\n★ 11. vendor/model-0:free")
    assert labels(first)[0] == "0. Free model by task"
    assert labels(first)[-1] == texts.NEXT
    assert len(labels(first)) == 12
    ann.taps(first, texts.NEXT)
    second = ann.hears()
    assert labels(second)[-2:] == [texts.PREVIOUS, texts.NEXT]
    ann.taps(second, texts.NEXT)
    third = ann.hears()
    assert third["text"].count("— недоступна") == 10
    assert labels(third) == ["34. vendor/model-23:free", "35. vendor/model-24:free", texts.PREVIOUS]


# Paid models


def test_a_paid_model_cannot_be_chosen_unless_allowed(
    start: Start, ann: Person, bot_process: BotProcess, gateway: EmulatedGateway
) -> None:
    gateway.catalog["data"].append(describe_model("openai/gpt-5", "GPT-5"))
    bot_process.env["ALLOW_PAID_MODELS"] = "1"
    start()
    assert ann.asks("/model 11") == "Активная модель переключена: GPT-5 [openai/gpt-5]"
    ann.asks("/model 6")
    bot_process.stop()
    bot_process.env["ALLOW_PAID_MODELS"] = ""
    gateway.catalog = 500
    bot_process.start()
    assert ann.asks("/model 11") == (
        "GPT-5 — платная модель, за неё платит хозяин бота."
        " Разрешить платные: ALLOW_PAID_MODELS=1 в .env. Бесплатные: /models"
    )
    assert "Gemma 4 26B" in ann.asks("/model")


# Vanished models, and switching


def test_the_next_question_reports_a_vanished_active_model_once(
    start: Start, world: World, gateway: EmulatedGateway
) -> None:
    start()
    ann, bob = Person(world, 1), Person(world, 2)
    del gateway.catalog["data"][0]
    ann.asks("/models_refresh")
    assert ann.asks("/ask раз") == (
        "Модель Gemma 4 31B (free) больше недоступна, вместо неё теперь Gemma 4 26B A4B (free). Сменить: /models"
    )
    assert "модель: google/gemma-4-26b-a4b-it:free" in text_of(ann.hears())
    assert "модель: google/gemma-4-26b-a4b-it:free" in bob.asks("/ask раз")


def test_a_missing_model_has_the_list_fetched_again(
    start: Start, ann: Person, gateway: EmulatedGateway, bot_process: BotProcess
) -> None:
    gateway.catalog["data"].append(describe_model("sandbox/status-404:free"))
    start()
    ann.asks("/model 11")
    del gateway.catalog["data"][-1]
    assert "(вместо sandbox/status-404:free: недоступна)" in ann.asks("/ask раз")
    eventually(lambda: gateway.catalog_requests == 2)
    eventually(lambda: bot_process.log.count(" openrouter: ") == 2)
    assert "★ 5. Gemma 4 31B (free)" in ann.asks("/models")


def test_a_refresh_reports_the_changes(start: Start, ann: Person, gateway: EmulatedGateway) -> None:
    start()
    gateway.catalog["data"].append(describe_model("new/one:free", "Новая"))
    assert "OpenRouter: новых 1, исчезло 0" in ann.asks("/models_refresh")
    assert ann.asks("/model 11") == "Активная модель переключена: Новая [new/one:free]"


def test_in_a_group_the_result_of_a_job_replies_to_its_command(start: Start, world: World) -> None:
    start()
    ann = Person(world, 1, -100500)
    ann.says("/models_refresh")
    message = ann.hears()
    assert message["text"].startswith("Список моделей обновлён:")
    assert message["reply_to_message"]["text"] == "/models_refresh"


def was_fetched_recently(bot: BotProcess) -> bool:
    [(fetched_at,)] = bot.rows("SELECT fetched_at FROM catalogs")
    return bool(fetched_at > time.time() - 3600)


def test_an_old_list_is_fetched_at_start_and_not_by_looking_at_it(
    start: Start, ann: Person, gateway: EmulatedGateway, bot_process: BotProcess
) -> None:
    start()
    bot_process.stop()
    with closing(sqlite3.connect(bot_process.db_path)) as connection, connection:
        connection.execute("UPDATE catalogs SET fetched_at = fetched_at - 90000")
    bot_process.start()
    ann.asks("/models")
    eventually(lambda: was_fetched_recently(bot_process))
    ann.asks("/models")
    assert ann.asks("/note_count")
    assert gateway.catalog_requests == 2


def test_switching_while_twenty_questions_are_in_progress(
    start: Start, world: World, gateway: EmulatedGateway
) -> None:
    gateway.think_s = 0.5
    start()
    people = [Person(world, n) for n in range(1, 21)]
    with world.batch():
        for n, person in enumerate(people):
            if n == 10:
                world.say(99, "/model 6")
            person.says("/ask раз")
    for n, person in enumerate(people):
        key = "google/gemma-4-31b-it:free" if n < 10 else "google/gemma-4-26b-a4b-it:free"
        assert text_of(person.hears()).endswith(f"модель: {key}")


def test_a_model_that_vanishes_while_it_answers_still_answers(
    start: Start, ann: Person, gateway: EmulatedGateway
) -> None:
    gateway.think_s = 1
    start()
    ann.says("/ask раз")
    eventually(lambda: gateway.requests)
    del gateway.catalog["data"][0]
    ann.says("/models_refresh")
    received = " ".join(text_of(ann.hears()) for _ in range(2))
    assert "модель: google/gemma-4-31b-it:free" in received
    assert "исчезло 1" in received


# Gateways


@pytest.fixture
def gateways(
    bot_process: BotProcess, gateway: EmulatedGateway, rvfreellm: EmulatedGateway, local_llm: EmulatedGateway
) -> Callable[..., BotProcess]:
    """Return a function that starts the bot with all gateways and activates a model: gateways("local", key)."""

    def start(active: str, key: str, category: str = "text") -> BotProcess:
        gateway.catalog = {"data": [describe_model("sandbox/echo:free"), describe_model("sandbox/search:free")]}
        rvfreellm.catalog = [
            sample_model("echo", "sandbox"),
            sample_model(key.partition("/")[2], key.partition("/")[0], category),
        ]
        local_llm.catalog = {"data": [{"id": "sandbox/echo"}, {"id": key}]}
        bot_process.env |= {
            "RVFREELLM_API_KEY": "rvf_key",
            "RVFREELLM_BASE_URL": rvfreellm.url,
            "LOCAL_LLM_URL": local_llm.url.removesuffix("/v1"),
        }
        bot_process.start()
        wait_for_lists(bot_process, "openrouter", "rvfreellm", "local")
        with closing(sqlite3.connect(bot_process.db_path, timeout=30)) as connection, connection:
            connection.execute("UPDATE models SET active = 0")
            connection.execute("UPDATE models SET active = 1 WHERE gateway = ? AND key = ?", (active, key))
            connection.execute("DELETE FROM model_replacements")
        return bot_process

    return start


def test_openrouter_receives_its_own_fields(
    gateways: Callable[..., BotProcess], ann: Person, gateway: EmulatedGateway, bot_process: BotProcess
) -> None:
    bot_process.env |= {"OPENROUTER_REFERER": "https://example.org", "OPENROUTER_TITLE": "Notes"}
    gateways("openrouter", "sandbox/echo:free")
    ann.asks("/ask раз")
    assert gateway.requests[0]["reasoning"] == {"effort": "low", "exclude": True}
    assert gateway.requests[0]["user"] == "telegram-1"
    assert gateway.headers[0]["HTTP-Referer"] == "https://example.org"
    assert gateway.headers[0]["X-Title"] == "Notes"


def test_rvfreellm_receives_a_provider_and_no_foreign_fields(
    gateways: Callable[..., BotProcess], ann: Person, rvfreellm: EmulatedGateway
) -> None:
    gateways("rvfreellm", "sandbox/echo")
    assert ann.asks("/ask раз").startswith("раз\n\n")
    assert set(rvfreellm.requests[0]) == {"model", "provider", "messages", "temperature", "max_tokens", "stream"}
    assert (rvfreellm.requests[0]["provider"], rvfreellm.requests[0]["model"]) == ("sandbox", "echo")
    assert "X-Title" not in rvfreellm.headers[0]


def test_an_answer_of_rvfreellm_grows(
    gateways: Callable[..., BotProcess], ann: Person, rvfreellm: EmulatedGateway
) -> None:
    rvfreellm.chunk_delay_s = 0.3
    gateways("rvfreellm", "sandbox/echo")
    assert ann.asks("/ask раз два три четыре пять").startswith("раз два три четыре пять\n\n")
    assert any("раз" in draft["text"] and "пять" not in draft["text"] for draft in ann.sees_drafts())


def test_a_used_up_key_of_rvfreellm_gets_no_request(
    gateways: Callable[..., BotProcess], ann: Person, rvfreellm: EmulatedGateway
) -> None:
    rvfreellm.rate_limit, rvfreellm.rate_limit_window_s = 2, 3600  # a test key with fewer requests
    gateways("rvfreellm", "sandbox/echo")
    for text in ("раз", "два"):
        assert ann.asks(f"/ask {text}").endswith("модель: sandbox/echo")
    assert "(вместо sandbox/echo: лимит запросов)" in ann.asks("/ask три")
    assert len(rvfreellm.requests) == 2


def test_a_question_waits_for_the_next_minute_of_rvfreellm(
    gateways: Callable[..., BotProcess], ann: Person, rvfreellm: EmulatedGateway
) -> None:
    rvfreellm.rate_limit, rvfreellm.rate_limit_window_s = 1, 2  # a full key with a short minute
    gateways("rvfreellm", "sandbox/echo")
    for text in ("раз", "два"):
        assert ann.asks(f"/ask {text}").endswith("модель: sandbox/echo")
    assert len(rvfreellm.requests) == 2


def test_rvfreellms_own_fallback_is_shown(gateways: Callable[..., BotProcess], ann: Person) -> None:
    gateways("rvfreellm", "sandbox/fell_back")
    assert "модель: gpt-4 (HuggingSpace) (вместо gpt-4o: ошибка сервера)" in ann.asks("/ask раз")


def test_a_fallback_model_answers_when_all_of_rvfreellm_failed(
    gateways: Callable[..., BotProcess], ann: Person
) -> None:
    gateways("rvfreellm", "sandbox/all_failed")
    assert "(вместо sandbox/all_failed: ошибка сервера)" in ann.asks("/ask раз")


def test_an_image_model_answers_with_a_picture(gateways: Callable[..., BotProcess], ann: Person) -> None:
    gateways("rvfreellm", "sandbox/picture", "image")
    ann.says("/ask кот")
    message = ann.hears()
    assert message["photo"][0]["file_id"] == "https://pictures.example/cat.png"
    assert message["caption"].endswith("модель: sandbox/picture")


def test_a_local_server_receives_no_foreign_fields_and_its_thoughts_are_not_shown(
    gateways: Callable[..., BotProcess], ann: Person, local_llm: EmulatedGateway
) -> None:
    gateways("local", "sandbox/think_aloud")
    assert ann.asks("/ask раз").startswith("вслух не надо\n\n")
    assert local_llm.requests[0]["stream_options"] == {"include_usage": True}
    assert "Authorization" not in local_llm.headers[0]
    assert all("хм" not in draft["text"] for draft in ann.sees_drafts())


@pytest.mark.parametrize(
    "key", ["sandbox/string_error", "sandbox/odd-1", "sandbox/page-404", "sandbox/status-503"]
)
def test_a_fallback_model_answers_after_unusual_errors_of_local_servers(
    gateways: Callable[..., BotProcess], ann: Person, key: str
) -> None:
    gateways("local", key)
    answer = ann.asks("/ask раз")
    assert answer.startswith("раз\n\n")
    assert f"(вместо {key}: " in answer


def test_another_gateway_answers_when_the_daily_limit_is_reached(
    gateways: Callable[..., BotProcess], ann: Person, gateway: EmulatedGateway, bot_process: BotProcess
) -> None:
    gateways("local", "sandbox/echo")
    gateway.catalog["data"].append(describe_model("sandbox/limit_day-1800000000:free"))
    ann.asks("/models_refresh")
    [(model_id,)] = bot_process.rows("SELECT id FROM models WHERE key LIKE 'sandbox/limit_day%'")
    ann.asks(f"/model {model_id}")
    assert "(вместо sandbox/limit_day-1800000000:free: лимит запросов)" in ann.asks("/ask раз")
    assert "sandbox/echo:free" not in gateway.request_counts


def test_a_key_added_to_the_env_file_takes_effect_at_the_next_question(
    start: Start, ann: Person, bot_process: BotProcess, gateway: EmulatedGateway
) -> None:
    del bot_process.env["OPENROUTER_API_KEY"]
    start()
    assert ann.asks("/ask раз") == f"Ошибка: [401] {texts.no_api_key('openrouter')}"
    (bot_process.folder / ".env").write_text("OPENROUTER_API_KEY=sk-or-new\n", encoding="utf-8")
    assert "Вы спросили: «раз»" in ann.asks("/ask раз")
    assert gateway.headers[0]["Authorization"] == "Bearer sk-or-new"


def test_an_invalid_address_in_the_env_file_is_reported(
    start: Start, ann: Person, bot_process: BotProcess
) -> None:
    start()
    (bot_process.folder / ".env").write_text("LOCAL_LLM_URL=localhost\n", encoding="utf-8")
    assert ann.asks("/ask раз") == f"Ошибка: {texts.bad_url('LOCAL_LLM_URL')}"


@pytest.mark.parametrize(
    ("name", "key", "answer"),
    [
        (
            "openrouter",
            "sandbox/search:free",
            'искал: [{"type": "openrouter:web_search", "parameters": {"max_results": 5, "max_total_results": 5}}]',
        ),
        ("rvfreellm", "sandbox/search", "искал: true"),
        ("local", "sandbox/search", f"Ошибка: [400] {texts.NO_WEB}"),
    ],
)
def test_web_search(
    gateways: Callable[..., BotProcess],
    ann: Person,
    bot_process: BotProcess,
    gateway: EmulatedGateway,
    name: str,
    key: str,
    answer: str,
) -> None:
    bot_process.env["ALLOW_PAID_MODELS"] = "1"  # OpenRouter's search costs money
    gateways(name, key)
    assert ann.asks("/web погода").startswith(answer)
    if name == "openrouter":  # only a provider that knows `tools` may answer
        assert gateway.requests[0]["provider"] == {"require_parameters": True}


def test_the_providers_command(
    gateways: Callable[..., BotProcess], ann: Person, rvfreellm: EmulatedGateway
) -> None:
    rvfreellm.providers = [SAMPLE_PROVIDER]
    gateways("rvfreellm", "sandbox/echo")
    assert ann.asks("/providers") == "Провайдеры RVFreeLLM:\nCapi: 18 моделей, 1,6 с, качество 8,2"
    assert ann.asks("/providers sandbox").startswith("• echo — ⚡ 1.5s")
    assert ann.asks("/providers nobody") == texts.NOTHING_FOUND
    rvfreellm.providers = [{"name": f"Провайдер номер {n}", "models": {"total": n}} for n in range(300)]
    ann.says("/providers")
    received = " ".join(text_of(ann.hears()) for _ in range(3))
    assert re.findall(r"Провайдер номер (\d+):", received) == [str(n) for n in range(300)]


def test_the_models_of_a_removed_gateway_become_unavailable(
    gateways: Callable[..., BotProcess], ann: Person, bot_process: BotProcess
) -> None:
    gateways("rvfreellm", "sandbox/echo")
    assert "sandbox/echo" in ann.asks("/model")
    bot_process.stop()
    del bot_process.env["RVFREELLM_API_KEY"]
    bot_process.start()
    assert "больше недоступна, вместо неё теперь sandbox/echo" in ann.asks("/ask раз")
    assert text_of(ann.hears()).startswith("раз\n\n")
    assert bot_process.rows("SELECT * FROM models WHERE gateway = 'rvfreellm' AND available = 1") == []
