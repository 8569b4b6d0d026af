"""models: choosing them by keyboard, and asking through each gateway, with the running bot.

- the keyboard: a tap switches and edits, pages, old buttons, two taps
- money: a paid model is not chosen, and says why
- vanishing and switching while questions are under way
- gateways: what each is sent, and what is made of its answers
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from conftest import BotProcess, Person, eventually, text_of

import texts
from sandbox.openrouter import Gateway, described
from sandbox.telegram import World

Start = Callable[[], BotProcess]


@pytest.fixture
def ann(world: World) -> Person:
    return Person(world, 1)


def labels(message: dict[str, Any]) -> list[str]:
    return [button["text"] for row in message["reply_markup"]["inline_keyboard"] for button in row]


def fetched(bot: BotProcess, *gateways: str) -> None:
    """Wait until the gateways have told their models."""
    for gateway in gateways:
        eventually(partial(lambda gateway: f" {gateway}: " in bot.log, gateway))


@pytest.fixture
def start(bot_process: BotProcess) -> Start:
    def start() -> BotProcess:
        bot_process.start()
        fetched(bot_process, "openrouter")
        return bot_process

    return start


# The keyboard


def test_a_tap_switches_and_edits_the_message(start: Start, ann: Person) -> None:
    start()
    ann.says("/models")
    message = ann.hears()
    assert labels(message)[0] == "★ 1. DeepSeek V3.1 (free)"
    assert len(labels(message)) == 10
    assert ann.taps(message, "4. Llama 3.1 8B (free)") == (
        "Активная модель переключена: Llama 3.1 8B (free) [meta-llama/llama-3.1-8b-instruct:free]"
    )
    edited = ann.hears()
    assert edited["message_id"] == message["message_id"]
    assert "★ 4. Llama" in edited["text"]
    assert labels(edited)[3] == "★ 4. Llama 3.1 8B (free)"
    # Once more, on the old keyboard and on the new one: answered, and nothing to edit.
    assert ann.taps(message, "4. Llama 3.1 8B (free)") == ann.taps(edited, "★ 4. Llama 3.1 8B (free)")
    assert ann.asks("/model").startswith("Текущая активная модель: Llama 3.1 8B (free)")
    assert all(
        len(b["callback_data"].encode()) <= 64 for row in edited["reply_markup"]["inline_keyboard"] for b in row
    )


def test_pages_of_ten_without_what_is_not_available(start: Start, ann: Person, gateway: Gateway) -> None:
    gateway.catalogue = {"data": [described(f"vendor/model-{n}:free") for n in range(25)]}
    start()
    ann.says("/models")
    message = ann.hears()  # the active one is now number 11, on the second page
    assert message["text"].startswith("Доступные модели (страница 2 из 4):\n★ 11. vendor/model-0:free")
    assert labels(message)[-2:] == [texts.PREVIOUS, texts.NEXT]
    ann.taps(message, texts.PREVIOUS)
    first = ann.hears()
    assert first["text"].count("— недоступна") == 10
    assert labels(first) == [texts.NEXT]
    ann.taps(message, texts.NEXT)
    third = ann.hears()
    assert "страница 3 из 4" in third["text"]
    assert len(labels(third)) == 12


# Money


def test_a_paid_model_is_not_chosen_and_says_why(
    start: Start, ann: Person, bot_process: BotProcess, gateway: Gateway
) -> None:
    gateway.catalogue["data"].append(described("openai/gpt-5", "GPT-5"))
    bot_process.env["ALLOW_PAID_MODELS"] = "1"
    start()
    assert ann.asks("/model 11") == "Активная модель переключена: GPT-5 [openai/gpt-5]"
    ann.asks("/model 5")
    bot_process.stop()
    bot_process.env["ALLOW_PAID_MODELS"] = ""
    gateway.catalogue = 500
    bot_process.start()
    assert ann.asks("/model 11") == (
        "GPT-5 — платная модель, за неё платит хозяин бота."
        " Разрешить платные: ALLOW_PAID_MODELS=1 в .env. Бесплатные: /models"
    )
    assert "Gemma 4 31B" in ann.asks("/model")


# Vanishing and switching


def test_a_vanished_active_model_is_told_of_once_to_who_asks_next(
    start: Start, world: World, gateway: Gateway
) -> None:
    del gateway.catalogue["data"][0]
    start()
    ann, bob = Person(world, 1), Person(world, 2)
    assert ann.asks("/ask раз") == (
        "Модель DeepSeek V3.1 (free) больше недоступна, вместо неё теперь DeepSeek R1 (free). Сменить: /models"
    )
    assert "модель: deepseek/deepseek-r1:free" in text_of(ann.hears())
    assert "модель: deepseek/deepseek-r1:free" in bob.asks("/ask раз")


def test_a_model_that_is_not_there_has_the_list_fetched_anew(
    start: Start, ann: Person, gateway: Gateway, bot_process: BotProcess
) -> None:
    gateway.catalogue["data"].append(described("sandbox/status-404:free"))
    start()
    ann.asks("/model 11")
    del gateway.catalogue["data"][-1]
    assert "(вместо sandbox/status-404:free: недоступна)" in ann.asks("/ask раз")
    eventually(lambda: gateway.catalogue_asked == 2)
    eventually(lambda: bot_process.log.count(" openrouter: ") == 2)
    assert "★ 1. DeepSeek V3.1 (free)" in ann.asks("/models")


def test_refreshing_says_what_changed(start: Start, ann: Person, gateway: Gateway) -> None:
    start()
    gateway.catalogue["data"].append(described("new/one:free", "Новая"))
    assert "openrouter: новых 1, исчезло 0" in ann.asks("/models_refresh")
    assert ann.asks("/model 11") == "Активная модель переключена: Новая [new/one:free]"


def test_in_a_group_what_is_made_at_sending_shows_what_it_answers(start: Start, world: World) -> None:
    start()
    ann = Person(world, 1, -100500)
    ann.says("/models_refresh")
    message = ann.hears()
    assert message["text"].startswith("Список моделей обновлён:")
    assert message["reply_to_message"]["text"] == "/models_refresh"


def fetched_lately(bot: BotProcess) -> bool:
    with closing(sqlite3.connect(bot.db_path)) as connection:
        [(fetched_at,)] = connection.execute("SELECT fetched_at FROM catalogues").fetchall()
    return bool(fetched_at > time.time() - 3600)


def test_an_old_list_is_fetched_when_it_is_looked_at(
    start: Start, ann: Person, gateway: Gateway, bot_process: BotProcess
) -> None:
    start()
    with closing(sqlite3.connect(bot_process.db_path)) as connection, connection:
        connection.execute("UPDATE catalogues SET fetched_at = fetched_at - 90000")
    ann.asks("/models")
    eventually(lambda: fetched_lately(bot_process))
    ann.asks("/models")
    assert ann.asks("/note_count")
    assert gateway.catalogue_asked == 2


def test_switching_while_twenty_questions_are_under_way(start: Start, world: World, gateway: Gateway) -> None:
    gateway.think_s = 0.5
    start()
    people = [Person(world, n) for n in range(1, 21)]
    with world.frozen():
        for n, person in enumerate(people):
            if n == 10:
                world.say(99, "/model 5")
            person.says("/ask раз")
    for n, person in enumerate(people):
        key = "deepseek/deepseek-chat-v3.1:free" if n < 10 else "google/gemma-4-31b-it:free"
        assert text_of(person.hears()).endswith(f"модель: {key}")


def test_a_model_that_vanishes_while_it_answers_still_answers(start: Start, ann: Person, gateway: Gateway) -> None:
    gateway.think_s = 1
    start()
    ann.says("/ask раз")
    eventually(lambda: gateway.requests)
    del gateway.catalogue["data"][0]
    ann.says("/models_refresh")
    heard = " ".join(text_of(ann.hears()) for _ in range(2))
    assert "модель: deepseek/deepseek-chat-v3.1:free" in heard
    assert "исчезло 1" in heard


# Gateways


@pytest.fixture
def gateways(
    bot_process: BotProcess, gateway: Gateway, rvfreellm: Gateway, local_llm: Gateway
) -> Callable[..., BotProcess]:
    """Give a way to start the bot with all three: gateways("local", "sandbox/echo") makes that model active."""

    def begin(active: str, key: str, category: str = "text") -> BotProcess:
        gateway.catalogue = {"data": [described("sandbox/echo:free"), described("sandbox/search:free")]}
        rvfreellm.catalogue = [
            {"id": "echo", "provider": "sandbox", "category": "text"},
            {"id": key.partition("/")[2], "provider": key.partition("/")[0], "category": category},
        ]
        local_llm.catalogue = {"data": [{"id": "sandbox/echo"}, {"id": key}]}
        bot_process.env |= {
            "RVFREELLM_API_KEY": "rvf_key",
            "RVFREELLM_BASE_URL": rvfreellm.url,
            "LOCAL_LLM_URL": local_llm.url.removesuffix("/v1"),
        }
        bot_process.start()
        fetched(bot_process, "openrouter", "rvfreellm", "local")
        with closing(sqlite3.connect(bot_process.db_path, timeout=30)) as connection, connection:
            connection.execute("UPDATE models SET active = 0")
            connection.execute("UPDATE models SET active = 1 WHERE gateway = ? AND key = ?", (active, key))
            connection.execute("DELETE FROM switches")
        return bot_process

    return begin


def test_openrouter_gets_its_own_fields(
    gateways: Callable[..., BotProcess], ann: Person, gateway: Gateway, bot_process: BotProcess
) -> None:
    bot_process.env |= {"OPENROUTER_REFERER": "https://example.org", "OPENROUTER_TITLE": "Notes"}
    gateways("openrouter", "sandbox/echo:free")
    ann.asks("/ask раз")
    assert gateway.requests[0]["reasoning"] == {"effort": "low", "exclude": True}
    assert gateway.requests[0]["user"] == "telegram-1"
    assert gateway.headers[0]["HTTP-Referer"] == "https://example.org"
    assert gateway.headers[0]["X-Title"] == "Notes"


def test_rvfreellm_gets_a_provider_and_no_foreign_fields(
    gateways: Callable[..., BotProcess], ann: Person, rvfreellm: Gateway
) -> None:
    gateways("rvfreellm", "sandbox/echo")
    assert ann.asks("/ask раз").startswith("раз\n\n")
    assert set(rvfreellm.requests[0]) == {"model", "provider", "messages", "temperature", "max_tokens"}
    assert (rvfreellm.requests[0]["provider"], rvfreellm.requests[0]["model"]) == ("sandbox", "echo")
    assert "X-Title" not in rvfreellm.headers[0]


def test_rvfreellms_own_fallback_is_shown(gateways: Callable[..., BotProcess], ann: Person) -> None:
    gateways("rvfreellm", "sandbox/fell_back")
    assert ann.asks("/ask раз").endswith("модель: gpt-second (вместо gpt-first: ошибка сервера)")


def test_when_all_of_rvfreellm_failed_the_next_model_answers(
    gateways: Callable[..., BotProcess], ann: Person
) -> None:
    gateways("rvfreellm", "sandbox/all_failed")
    assert "(вместо sandbox/all_failed: ошибка сервера)" in ann.asks("/ask раз")


def test_a_model_of_pictures_answers_with_a_picture(gateways: Callable[..., BotProcess], ann: Person) -> None:
    gateways("rvfreellm", "sandbox/picture", "image")
    ann.says("/ask кот")
    message = ann.hears()
    assert message["photo"][0]["file_id"] == "https://pictures.example/cat.png"
    assert message["caption"].endswith("модель: sandbox/picture")


def test_a_local_server_gets_no_foreign_fields_and_its_thoughts_are_not_shown(
    gateways: Callable[..., BotProcess], ann: Person, local_llm: Gateway
) -> None:
    gateways("local", "sandbox/think_aloud")
    assert ann.asks("/ask раз").startswith("вслух не надо\n\n")
    assert local_llm.requests[0]["stream_options"] == {"include_usage": True}
    assert "Authorization" not in local_llm.headers[0]
    assert all("хм" not in draft["text"] for draft in ann.sees_drafts())


@pytest.mark.parametrize(
    "key", ["sandbox/string_error", "sandbox/odd-1", "sandbox/page-404", "sandbox/status-503"]
)
def test_odd_errors_of_local_servers_lead_to_the_next_model(
    gateways: Callable[..., BotProcess], ann: Person, key: str
) -> None:
    gateways("local", key)
    answer = ann.asks("/ask раз")
    assert answer.startswith("раз\n\n")
    assert f"(вместо {key}: " in answer


def test_when_the_accounts_day_is_spent_another_gateway_answers(
    gateways: Callable[..., BotProcess], ann: Person, gateway: Gateway, bot_process: BotProcess
) -> None:
    gateways("local", "sandbox/echo")
    gateway.catalogue["data"].append(described("sandbox/limit_day-1800000000:free"))
    ann.asks("/models_refresh")
    with closing(sqlite3.connect(bot_process.db_path)) as connection:
        row = connection.execute("SELECT id FROM models WHERE key LIKE 'sandbox/limit_day%'").fetchone()
    ann.asks(f"/model {row[0]}")
    assert "(вместо sandbox/limit_day-1800000000:free: лимит запросов)" in ann.asks("/ask раз")
    assert "sandbox/echo:free" not in gateway.asked


@pytest.mark.parametrize(
    ("name", "key", "said"),
    [
        ("openrouter", "sandbox/search:free", 'искал: [{"type": "openrouter:web_search"}]'),
        ("rvfreellm", "sandbox/search", "искал: true"),
        ("local", "sandbox/search", f"Ошибка: [400] {texts.NO_WEB}"),
    ],
)
def test_searching_the_web(
    gateways: Callable[..., BotProcess], ann: Person, name: str, key: str, said: str
) -> None:
    gateways(name, key)
    assert ann.asks("/web погода").startswith(said)


def test_providers_are_shown(gateways: Callable[..., BotProcess], ann: Person, rvfreellm: Gateway) -> None:
    rvfreellm.providers = {"data": [{"name": "Capi", "models": 7, "latency_ms": 500}]}
    gateways("rvfreellm", "sandbox/echo")
    assert ann.asks("/providers") == "Провайдеры RVFreeLLM:\nCapi: 7 моделей, 500 мс"
    assert ann.asks("/providers sandbox") == "• echo\n• echo"
    assert ann.asks("/providers nobody") == texts.NOTHING_FOUND
    rvfreellm.providers = {"data": [{"name": f"Провайдер номер {n}", "models": n} for n in range(300)]}
    ann.says("/providers")
    lines = "\n".join(text_of(ann.hears()) for _ in range(3)).split("\n")
    assert [line.split(":")[0] for line in lines[1:]] == [f"Провайдер номер {n}" for n in range(300)]


def test_a_gateway_that_is_taken_away_leaves_no_model_behind(
    gateways: Callable[..., BotProcess], ann: Person, bot_process: BotProcess
) -> None:
    gateways("rvfreellm", "sandbox/echo")
    assert "sandbox/echo" in ann.asks("/model")
    bot_process.stop()
    del bot_process.env["RVFREELLM_API_KEY"]
    bot_process.start()
    assert "больше недоступна, вместо неё теперь sandbox/echo" in ann.asks("/ask раз")
    assert text_of(ann.hears()).startswith("раз\n\n")
    with closing(sqlite3.connect(bot_process.db_path)) as connection:
        left = "SELECT count(*) FROM models WHERE gateway = 'rvfreellm' AND available = 1"
        assert connection.execute(left).fetchone() == (0,)
