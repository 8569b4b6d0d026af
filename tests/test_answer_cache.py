"""Tests of llm/answer_cache.py with the running bot: which questions cost a request, and which do not."""

import sqlite3
from contextlib import closing

import pytest
from conftest import BotProcess, Person, next_delivered, text_of

import texts
from sandbox.openrouter import EmulatedGateway, describe_model
from sandbox.telegram import World


@pytest.fixture(autouse=True)
def _bot(bot_process: BotProcess) -> None:
    bot_process.start()


def test_the_same_question_costs_one_request(ann: Person, gateway: EmulatedGateway) -> None:
    first = ann.asks("/ask Почему небо голубое?")
    second = ann.asks("/ask Почему небо голубое?")
    assert len(gateway.requests) == 1
    assert second.partition("\n\n")[0] == first.partition("\n\n")[0]
    assert second.endswith(f"({texts.CACHED})\n\n0 мс; модель: google/gemma-4-31b-it:free")


def test_the_button_asks_the_model_again_and_renews_the_cache(ann: Person, gateway: EmulatedGateway) -> None:
    ann.says("/ask раз")
    message = ann.hears()
    gateway.answer_to = lambda _: "новый ответ"
    ann.taps(message, texts.ASK_AGAIN)
    assert text_of(ann.hears()).startswith("новый ответ")
    assert len(gateway.requests) == 2
    assert ann.asks("/ask раз").startswith("новый ответ")
    assert len(gateway.requests) == 2


def test_a_person_a_model_and_a_kind_have_their_own_answers(
    ann: Person, world: World, gateway: EmulatedGateway
) -> None:
    ann.asks("/ask раз")
    Person(world, 2).asks("/ask раз")
    assert len(gateway.requests) == 2
    ann.asks("/model 6")
    ann.asks("/ask раз")
    assert len(gateway.requests) == 3
    ann.says("/compare раз")
    for _ in range(3):
        ann.hears()
    assert len(gateway.requests) == 6


def test_a_conversation_is_not_cached(ann: Person, gateway: EmulatedGateway, bot_process: BotProcess) -> None:
    ann.says("/ask раз")
    message = next_delivered(ann, bot_process)
    for _ in range(2):
        ann.says("ещё", reply_to_message=message)
        ann.hears()
    assert len(gateway.requests) == 3


def test_an_answer_to_continue_may_come_from_the_cache(
    ann: Person, gateway: EmulatedGateway, bot_process: BotProcess
) -> None:
    ann.asks("/ask раз")
    ann.says("/ask раз")
    ann.says("ещё", reply_to_message=next_delivered(ann, bot_process))
    ann.hears()
    assert [message["role"] for message in gateway.requests[1]["messages"]] == [
        *("system", "user", "assistant", "user")
    ]


@pytest.mark.parametrize("key", ["sandbox/finish-0:free", "sandbox/status-503:free"])
def test_parts_of_answers_and_those_of_fallback_models_are_not_cached(
    ann: Person, gateway: EmulatedGateway, key: str
) -> None:
    gateway.catalog["data"].append(describe_model(key))
    ann.asks("/models_refresh")
    ann.asks("/model 11")
    ann.asks("/ask раз")
    count = len(gateway.requests)
    ann.asks("/ask раз")
    assert len(gateway.requests) == 2 * count


def test_an_old_answer_is_not_given_again_nor_one_from_the_future(
    ann: Person, gateway: EmulatedGateway, bot_process: BotProcess
) -> None:
    ann.asks("/ask раз")
    for change_s in (-3601, 86_400):
        with closing(sqlite3.connect(bot_process.db_path, timeout=30)) as connection, connection:
            connection.execute("UPDATE answer_cache SET created_at = created_at + ?", (change_s,))
        ann.asks("/ask раз")
    assert len(gateway.requests) == 3


def test_the_routers_answers_are_cached_with_the_model_that_answered(
    ann: Person, gateway: EmulatedGateway
) -> None:
    ann.asks("/model 0")
    ann.asks("/ask Исправь этот код")
    assert "модель: cohere/north-mini-code:free" in ann.asks("/ask Исправь этот код")
    assert len(gateway.requests) == 1
