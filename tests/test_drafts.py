"""drafts: a preview is shown at most so often, kept alive, and never in anybody's way."""

from collections.abc import Callable

import pytest
from conftest import eventually

import config
from runtime import drafts
from runtime.drafts import Draft
from runtime.telegram import Telegram
from sandbox import telegram as sandbox
from sandbox.telegram import Faults, World

ANN, GROUP = 1, -100500


@pytest.fixture
def telegram(telegram_url: str, world: World, monkeypatch: pytest.MonkeyPatch) -> Telegram:
    monkeypatch.setenv("TOKEN", sandbox.TOKEN)
    monkeypatch.setenv("TELEGRAM_API_URL", telegram_url)
    monkeypatch.setattr(drafts, "FRESH_S", 0.05)
    monkeypatch.setattr(drafts, "ALIVE_S", 0.3)
    monkeypatch.setattr(drafts, "TYPING_S", 0.3)
    world.say(ANN, "/start")
    world.say(ANN, "/start", chat_id=GROUP)
    return Telegram(config.load())


def shown(world: World, chat_id: int = ANN) -> list[str]:
    return [event["draft"]["text"] if "draft" in event else "…" for event in world.events_of(chat_id)]


def showing(draft: Draft, text: str, until: Callable[[], bool]) -> None:
    """Offer a text again and again, as the loop that shows an answer does."""

    def offer() -> bool:
        draft.show(text)
        return until()

    eventually(offer)


def test_the_same_text_is_shown_once_and_again_to_keep_it_alive(telegram: Telegram, world: World) -> None:
    draft = Draft(telegram, ANN, 5, is_private=True)
    for _ in range(20):
        draft.show("раз")
    assert shown(world) == ["раз"]
    assert 0 < draft.lasts_s() <= 0.3
    showing(draft, "раз", lambda: shown(world) == ["раз", "раз"])


def test_a_new_text_waits_for_its_time(telegram: Telegram, world: World) -> None:
    draft = Draft(telegram, ANN, 5, is_private=True)
    draft.show("")
    draft.show("раз")
    assert shown(world) == [""]
    assert 0 < draft.rests_s() <= 0.05
    showing(draft, "раз два", lambda: shown(world) == ["", "раз два"])


def test_a_refused_draft_is_skipped_and_the_next_has_all_the_text(telegram: Telegram, world: World) -> None:
    draft = Draft(telegram, ANN, 5, is_private=True)
    draft.show("**не закрыто")
    showing(draft, "**закрыто** и дальше", lambda: shown(world) == ["**закрыто** и дальше"])


def test_a_draft_that_must_wait_waits(telegram: Telegram, world: World) -> None:
    world.faults = Faults(too_many=1.0, retry_after=60)
    draft = Draft(telegram, ANN, 5, is_private=True)
    draft.show("раз")
    assert draft.rests_s() > 50


def test_in_a_group_the_bot_types(telegram: Telegram, world: World) -> None:
    draft = Draft(telegram, GROUP, 5, is_private=False)
    showing(draft, "", lambda: shown(world, GROUP) == ["…", "…"])
    assert {event["method"] for event in world.events_of(GROUP)} == {"sendChatAction"}


def test_a_very_long_text_is_shown_as_far_as_it_fits(telegram: Telegram, world: World) -> None:
    Draft(telegram, ANN, 5, is_private=True).show("а" * 40_000)
    assert [len(text) for text in shown(world)] == [32768]
