"""Tests of llm/free_router.py: which free model answers which question.

The names of models and the limit of 5000 characters come from the page on OpenRouter's free models, sections
"select_model" (performance, 1) and "smart_router" (case 2).
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from conftest import BotProcess, Person, catalog_model, eventually

import db
import texts
from config import Gateway
from llm import free_router
from llm.free_router import Task
from openrouter_client import OpenRouterError
from sandbox.openrouter import EmulatedGateway, describe_model
from sandbox.telegram import World

DEVSTRAL = "mistralai/devstral-2512:free"
LLAMA_405B = "meta-llama/llama-3.1-405b-instruct:free"
LLAMA_70B = "meta-llama/llama-3.3-70b-instruct:free"
GEMMA = "google/gemma-4-31b-it:free"  # the active model of a new database
ROUTER_ID = 0
GATEWAYS = {
    "openrouter": Gateway("openrouter", "http://127.0.0.1:1/v1", "sk-or-key", {}),
    "local": Gateway("local", "http://127.0.0.1:1/v1", "", {}),
}


@pytest.fixture(autouse=True)
def _database(database: Path) -> None:
    """Give every test a new database."""


def add(gateway: str, *keys: str, category: str = "text", context_length: int | None = None) -> None:
    """Add models to the list, and make all other models of the gateway unavailable."""
    db.update_catalog(
        gateway, [catalog_model(key, category=category, context_length=context_length) for key in keys]
    )


def routed(question: str, gateways: dict[str, Gateway] = GATEWAYS) -> str:
    return free_router.route(db.get_model(ROUTER_ID), question, gateways)["key"]


@pytest.mark.parametrize(
    ("question", "task"),
    [
        ("Напиши функцию на Python", Task.CODE),  # the example of smart_router
        ("Исправь этот код", Task.CODE),
        ("def f(x): почему ошибка?", Task.CODE),
        ("Что такое SQL?", Task.CODE),
        ("Напиши программу для сложения", Task.CODE),
        ("Нарисуй кота", Task.IMAGE),
        ("Создай картинку с закатом", Task.IMAGE),
        ("Перескажи: " + "слово " * 1000, Task.LONG_TEXT),
        ("Почему небо голубое?", Task.GENERAL),
        ("Какие функции у печени?", Task.GENERAL),
        ("Кодекс чести самурая", Task.GENERAL),
        ("Кто нарисовал «Мону Лизу»?", Task.GENERAL),
        ("", Task.GENERAL),
    ],
)
def test_the_task_of_a_question(question: str, task: Task) -> None:
    assert free_router.task_of(question) is task


def test_the_models_of_the_document_are_preferred() -> None:
    add("openrouter", "vendor/any:free", DEVSTRAL, LLAMA_405B, LLAMA_70B)
    assert routed("Напиши функцию на Python") == DEVSTRAL
    assert routed("слово " * 1000) == LLAMA_405B
    assert routed("Почему небо голубое?") == LLAMA_70B


def test_a_rule_picks_when_the_preferred_models_are_gone() -> None:
    assert routed("Исправь этот код") == "cohere/north-mini-code:free"
    assert routed("Почему небо голубое?") == GEMMA
    assert routed("Нарисуй кота") == GEMMA  # no model draws
    add("openrouter", "vendor/small:free", context_length=32_768)
    add("local", "large", context_length=200_000)
    assert routed("слово " * 1000) == "large"


def test_an_image_model_draws() -> None:
    add("local", "flux", category="image")
    assert routed("Нарисуй кота") == "flux"
    assert routed("Почему небо голубое?") != "flux"


def test_only_free_available_models_of_ready_gateways_are_picked() -> None:
    without_key = {**GATEWAYS, "openrouter": Gateway("openrouter", "http://127.0.0.1:1/v1", "", {})}
    assert routed("Почему небо голубое?", without_key) == GEMMA
    add("local", "qwen3:8b")
    assert routed("Почему небо голубое?", without_key) == "qwen3:8b"
    add("openrouter", "vendor/paid")
    with pytest.raises(OpenRouterError, match=r"\[404\] Сейчас нет"):
        routed("Почему небо голубое?", {"openrouter": GATEWAYS["openrouter"]})


def test_a_chosen_model_is_not_replaced() -> None:
    gemma = db.get_model(5)
    assert free_router.route(gemma, "Исправь этот код", GATEWAYS) == gemma


def test_the_footer_names_the_model_that_answered(
    bot_process: BotProcess, world: World, gateway: EmulatedGateway
) -> None:
    gateway.catalog = {"data": [describe_model(GEMMA), describe_model(DEVSTRAL)]}
    bot_process.start()
    eventually(lambda: " openrouter: " in bot_process.log)
    ann = Person(world, 1)
    assert ann.asks(f"/model {ROUTER_ID}") == "Активная модель переключена: Free model by task [free-by-task]"
    assert ann.asks("/ask Исправь этот код").endswith(f"модель: {DEVSTRAL}")
    assert ann.asks("/ask Почему небо голубое?").endswith(f"модель: {GEMMA}")
    ann.says("/compare Исправь этот код")
    footers = {ann.hears()["rich_message"]["markdown"].rpartition("модель: ")[2] for _ in range(2)}
    assert footers == {DEVSTRAL, GEMMA}


def test_without_a_free_model_the_question_says_so(
    bot_process: BotProcess, world: World, gateway: EmulatedGateway
) -> None:
    gateway.catalog = 500
    bot_process.start()
    ann = Person(world, 1)
    ann.asks(f"/model {ROUTER_ID}")
    with closing(sqlite3.connect(bot_process.db_path, timeout=30)) as connection, connection:
        connection.execute("UPDATE models SET available = 0 WHERE gateway = 'openrouter'")
    assert ann.asks("/ask раз") == f"Ошибка: [404] {texts.NO_FREE_MODEL}"
