"""Tests of llm/settings_menu.py and db_people.py: a person's own time zone, model and instructions, and /new.

- each setting is chosen with buttons or typed, takes effect, is shown, and can be reset
- in groups none of them holds, and nobody sees those of another
- a topic of a private chat is a conversation until /new
"""

from collections.abc import Callable
from typing import Any

import pytest
from conftest import BotProcess, Person, catalog_model, text_of

import config
import db
import db_people
import texts
from config import Settings
from llm import settings_menu
from llm.models import model_for
from sandbox import telegram
from sandbox.openrouter import EmulatedGateway
from sandbox.telegram.world import World

MakePerson = Callable[..., Person]
ANN, BOB, GROUP = 1, 2, -10
TOPIC: dict[str, Any] = {"message_thread_id": 77, "is_topic_message": True}
FREE_MODEL = 6


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TOKEN", telegram.TOKEN)
    return config.load_settings()


@pytest.fixture
def bot(bot_process: BotProcess) -> BotProcess:
    return bot_process.start()


@pytest.mark.usefixtures("database")
def test_every_zone_of_the_list_exists_and_has_a_name() -> None:
    assert set(settings_menu.ZONES) <= config.time_zone_names()
    reply = settings_menu.zone_page()
    labels = [button.label for row in reply.buttons for button in row]
    assert len(labels) == len(set(labels)) == len(settings_menu.ZONES) + 2


@pytest.mark.usefixtures("database")
def test_a_time_zone_may_be_typed(settings: Settings) -> None:
    for name in ("Europe/Rome", "europe/rome", "america/new york"):
        settings_menu.set_zone_by_name(ANN, name, settings.timezone)
    assert db_people.get_settings(ANN)["timezone"] == "America/New_York"
    for name in ("Москва", "../etc/passwd", "Europe", "UTC+3"):
        assert settings_menu.set_zone_by_name(ANN, name, settings.timezone).text == texts.ZONE_UNKNOWN
    assert db_people.get_settings(ANN)["timezone"] == "America/New_York"
    assert db_people.get_settings(BOB) == db_people.DEFAULTS


@pytest.mark.usefixtures("database")
def test_a_zone_that_no_longer_exists_falls_back_to_the_default(settings: Settings) -> None:
    db_people.save_settings(ANN, {**db_people.DEFAULTS, "timezone": "Atlantis/Capital"})
    assert db_people.zone_in_chat(ANN, ANN, settings.timezone) is settings.timezone


@pytest.mark.usefixtures("database")
def test_the_own_model_holds_only_in_the_private_chat_and_only_while_it_may_be_used(settings: Settings) -> None:
    shared = db.get_active_model()["id"]
    keys = [*(model["key"] for model in db.list_models()[5:]), "vendor/paid"]
    db.update_catalog("openrouter", list(map(catalog_model, keys)))
    paid = next(model["id"] for model in db.list_models() if model["key"] == "vendor/paid")
    assert settings_menu.choose_model(settings, ANN, FREE_MODEL, is_own=True).toast == texts.SETTINGS_SAVED
    assert model_for(ANN, ANN, allow_paid=False)["id"] == FREE_MODEL
    assert model_for(ANN, GROUP, allow_paid=False)["id"] == shared
    assert model_for(BOB, BOB, allow_paid=False)["id"] == shared
    refused = settings_menu.choose_model(settings, ANN, paid, is_own=True)
    assert refused.toast == texts.OWN_MODEL_UNAVAILABLE
    assert settings_menu.choose_model(settings, ANN, 999, is_own=True).toast == texts.UNKNOWN_MODEL
    db_people.save_settings(ANN, {**db_people.DEFAULTS, "model_id": paid})  # chosen while paid models were allowed
    assert model_for(ANN, ANN, allow_paid=True)["id"] == paid
    assert model_for(ANN, ANN, allow_paid=False)["id"] == shared
    settings_menu.choose_model(settings, ANN, 0, is_own=False)
    assert db_people.get_settings(ANN) == db_people.DEFAULTS
    assert db.get_active_model()["id"] == shared


@pytest.mark.usefixtures("database")
def test_the_pages_of_models_hold_each_model_once(settings: Settings) -> None:
    db.update_catalog("local", [catalog_model(f"model-{number}") for number in range(25)])
    shown = []
    for page_number in range(1, 10):
        page = settings_menu.model_page(settings, ANN, page_number)
        data = [button.data for row in page.buttons for button in row]
        shown += [entry for entry in data if entry.endswith(":1") and entry.startswith("own_model:")]
        if f"own_models:{page_number + 1}" not in data:
            break
    available = [model for model in db.list_models() if model["available"]]
    assert shown == [f"own_model:{model['id']}:1" for model in available]


def open_settings(person: Person) -> dict[str, Any]:
    person.says("/settings")
    menu: dict[str, Any] = person.hears()
    return menu


def system_prompt(gateway: EmulatedGateway) -> str:
    return str(gateway.requests[-1]["messages"][0]["content"])


def test_settings_in_the_chat(bot: BotProcess, person: MakePerson, gateway: EmulatedGateway) -> None:
    ann, group = person(ANN), person(ANN, GROUP)
    assert "нет" in open_settings(ann)["text"]
    assert ann.asks("/prompt Отвечай на «ты», коротко") == texts.PROMPT_SAVED
    assert ann.asks("/prompt " + "я" * 1001) == texts.prompt_too_long(1001, 1000)
    menu = open_settings(ann)
    assert "Отвечай на «ты», коротко" in menu["text"]

    assert ann.asks("/ask раз")
    assert "Отвечай на «ты», коротко" in system_prompt(gateway)
    assert group.asks("/ask раз")
    assert "Отвечай" not in system_prompt(gateway), "in a group others would notice the instructions"
    assert person(BOB).asks("/ask раз")
    assert "Отвечай" not in system_prompt(gateway)
    assert group.asks("/settings") == group.asks("/prompt") == texts.SETTINGS_ONLY_IN_PRIVATE

    ann.taps(menu, texts.CHOOSE_MODEL)
    page = ann.hears()
    ann.taps(page, "6. Gemma 4 26B A4B (free)")
    assert "Модель: Gemma 4 26B A4B (free)" in ann.hears()["text"]
    assert ann.asks("/ask два").endswith("модель: google/gemma-4-26b-a4b-it:free")
    assert group.asks("/ask два").endswith("модель: google/gemma-4-31b-it:free")
    assert "Gemma 4 26B A4B" in ann.asks("/model")

    bot.stop()
    bot.start()
    menu = open_settings(ann)
    assert "Gemma 4 26B A4B (free)" in menu["text"]
    assert ann.taps(menu, texts.RESET_SETTINGS) == texts.SETTINGS_RESET
    assert "Gemma" not in ann.hears()["text"]
    assert ann.asks("/ask три").endswith("модель: google/gemma-4-31b-it:free")
    assert "Отвечай" not in system_prompt(gateway)


@pytest.mark.usefixtures("bot")
def test_times_are_shown_in_the_own_zone(person: MakePerson) -> None:
    ann, group = person(ANN), person(ANN, GROUP)
    ann.asks("/note_add раз")
    default = ann.asks("/note_show 1")
    ann.asks("/settings Pacific/Kiritimati")
    assert ann.asks("/note_show 1") != default
    assert group.asks("/note_show 1") == default


@pytest.mark.usefixtures("bot")
def test_a_topic_of_a_private_chat_is_a_conversation(
    world: World, person: MakePerson, gateway: EmulatedGateway
) -> None:
    world.topics[ANN] = {77, 78}
    ann = person(ANN)

    def sent_to_model() -> list[str]:
        return [
            message["content"] for message in gateway.requests[-1]["messages"][1:] if message["role"] == "user"
        ]

    def says(text: str, **topic: Any) -> dict[str, Any]:
        ann.says(text, **topic)
        return ann.hears()

    assert "Текст" not in text_of(says("/ask раз", **TOPIC))
    says("два", **TOPIC)
    assert sent_to_model() == ["раз", "два"]
    says("/ask три", **TOPIC)
    assert sent_to_model() == ["раз", "два", "три"]
    says("/ask в другой теме", message_thread_id=78, is_topic_message=True)
    assert sent_to_model() == ["в другой теме"]
    assert text_of(says("/new", **TOPIC)) == texts.NEW_CONVERSATION
    asked = len(gateway.requests)
    says("просто текст", **TOPIC)
    assert len(gateway.requests) == asked, "after /new, a text is no question"
    says("/new четыре", **TOPIC)
    assert sent_to_model() == ["четыре"]
    says("пять", **TOPIC)
    assert sent_to_model() == ["четыре", "пять"]
    assert text_of(says("/new")) == texts.ALWAYS_NEW_CONVERSATION
