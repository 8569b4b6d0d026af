"""Tests of llm/quota.py: how many questions a person may ask per minute and per day, also after a restart."""

import dataclasses
from collections.abc import Callable

import pytest
from conftest import BotProcess, Person, store_question, text_of

import config
import texts
from config import Settings
from llm.quota import check_question_quota
from sandbox import telegram
from sandbox.openrouter import EmulatedGateway
from telegram.replies import AccessDenied

MakePerson = Callable[..., Person]
ANN, BOB = 1, 2
NOW = 1_800_000_000


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TOKEN", telegram.TOKEN)
    return config.load_settings()


def limit(settings: Settings, questions_per_day: int) -> Settings:
    return dataclasses.replace(settings, questions_per_day=questions_per_day)


@pytest.mark.usefixtures("database")
def test_questions_asked_while_the_clock_was_ahead_do_not_count(settings: Settings) -> None:
    add_questions(-86_400, -86_399, -86_398)
    check_question_quota(limit(settings, 3), ANN, NOW, settings.timezone)
    add_questions(3, 2, 1)
    with pytest.raises(AccessDenied):
        check_question_quota(limit(settings, 3), ANN, NOW, settings.timezone)


def add_questions(*ages_s: int, user_id: int = ANN) -> None:
    """Store questions that were asked so many seconds ago."""
    for age_s in ages_s:
        store_question(user_id, asked_at=NOW - age_s)


@pytest.mark.usefixtures("database")
def test_questions_per_minute(settings: Settings) -> None:
    settings = limit(settings, 50)
    add_questions(*range(9))
    check_question_quota(settings, ANN, NOW, settings.timezone)
    add_questions(30)
    with pytest.raises(AccessDenied) as denied:
        check_question_quota(settings, ANN, NOW, settings.timezone)
    assert str(denied.value) == texts.too_many_in_a_row(10, NOW - 30 + 60, settings.timezone)
    check_question_quota(settings, ANN, NOW + 31, settings.timezone)
    check_question_quota(limit(settings, 1000), ANN, NOW, settings.timezone)
    check_question_quota(settings, BOB, NOW, settings.timezone)


@pytest.mark.usefixtures("database")
def test_questions_per_day(settings: Settings) -> None:
    add_questions(86399, 80000, 70000, user_id=ANN)
    with pytest.raises(AccessDenied) as denied:
        check_question_quota(limit(settings, 3), ANN, NOW, settings.timezone)
    assert str(denied.value) == texts.too_many_in_a_day(3, NOW + 1, settings.timezone)
    check_question_quota(limit(settings, 3), ANN, NOW + 1, settings.timezone)
    with pytest.raises(AccessDenied) as denied:
        check_question_quota(limit(settings, 2), ANN, NOW, settings.timezone)
    assert str(denied.value) == texts.too_many_in_a_day(2, NOW - 80000 + 86400, settings.timezone)


def test_a_question_over_the_limit_is_refused_also_after_a_restart(
    bot_process: BotProcess, person: MakePerson, gateway: EmulatedGateway
) -> None:
    bot_process.env["ASK_PER_DAY"] = "2"
    bot_process.start()
    ann = person()
    answers = []
    for question in ("раз", "два"):  # the cache would answer the same question without a request
        ann.says(f"/ask {question}")
        answers.append(ann.hears())
    refusal = ann.asks("/ask раз")
    assert refusal.startswith("Вопросов за сутки: 2, больше нельзя. Следующий можно задать ")
    bot_process.stop()
    bot_process.start()
    assert ann.asks("/web раз") == ann.asks("/compare раз") == ann.asks("/note_ask раз") == refusal
    assert ann.taps(answers[0], texts.ASK_AGAIN) == refusal
    ann.says("а ещё?", reply_to_message=answers[0])
    assert text_of(ann.hears()) == refusal
    ann.says("просто текст")
    offer = ann.hears()
    assert ann.taps(offer, texts.ASK_MODEL) == refusal
    assert ann.taps(offer, texts.ASK_MODEL) == refusal
    assert ann.asks("/note_add раз") == "Заметка #2 добавлена."
    assert len(gateway.requests) == 2
