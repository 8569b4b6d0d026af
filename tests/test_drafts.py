"""telegram.drafts: a draft is not updated too often, is kept alive, and its failures have no effect."""

import pytest

import config
from sandbox import telegram as sandbox
from sandbox.telegram import Faults, World
from telegram import drafts
from telegram.drafts import Draft
from telegram.transport import Telegram

ANN, GROUP = 1, -100500


@pytest.fixture
def telegram(telegram_url: str, world: World, monkeypatch: pytest.MonkeyPatch) -> Telegram:
    monkeypatch.setenv("TOKEN", sandbox.TOKEN)
    monkeypatch.setenv("TELEGRAM_API_URL", telegram_url)
    world.say(ANN, "/start")
    world.say(ANN, "/start", chat_id=GROUP)
    return Telegram(config.load_settings())


class Clock:
    """The clock that drafts read; it stands still unless a test moves it."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(drafts, "time", clock)
    return clock


def shown_texts(world: World, chat_id: int = ANN) -> list[str]:
    """Return the texts of the drafts, "…" for "typing"."""
    return [event["draft"]["text"] if "draft" in event else "…" for event in world.events_of(chat_id)]


def test_a_text_is_shown_once_and_again_before_it_disappears(
    telegram: Telegram, world: World, clock: Clock
) -> None:
    draft = Draft(telegram, ANN, 5, is_private=True)
    for _ in range(20):
        draft.show("раз")
    assert shown_texts(world) == ["раз"]
    assert draft.seconds_until_stale() == drafts.DRAFT_LIFETIME_S
    clock.now += drafts.DRAFT_LIFETIME_S - 0.1
    draft.show("раз")
    assert shown_texts(world) == ["раз"]
    clock.now += 0.1
    draft.show("раз")
    assert shown_texts(world) == ["раз", "раз"]


def test_a_new_text_is_not_shown_too_soon(telegram: Telegram, world: World, clock: Clock) -> None:
    draft = Draft(telegram, ANN, 5, is_private=True)
    draft.show("")
    draft.show("раз")
    assert shown_texts(world) == [""]
    assert draft.seconds_until_next() == drafts.UPDATE_INTERVAL_S
    clock.now += draft.seconds_until_next()
    draft.show("раз два")
    assert shown_texts(world) == ["", "раз два"]


def test_a_refused_draft_is_skipped_and_the_next_has_the_whole_text(
    telegram: Telegram, world: World, clock: Clock
) -> None:
    draft = Draft(telegram, ANN, 5, is_private=True)
    draft.show("**не закрыто")
    assert shown_texts(world) == []
    clock.now += draft.seconds_until_next()
    draft.show("**закрыто** и дальше")
    assert shown_texts(world) == ["**закрыто** и дальше"]


def test_the_next_draft_waits_as_long_as_telegram_asks(telegram: Telegram, world: World) -> None:
    world.faults = Faults(too_many=1.0, retry_after=60)
    draft = Draft(telegram, ANN, 5, is_private=True)
    draft.show("раз")
    assert draft.seconds_until_next() > 50


def test_in_a_group_the_bot_shows_that_it_types(telegram: Telegram, world: World, clock: Clock) -> None:
    draft = Draft(telegram, GROUP, 5, is_private=False)
    draft.show("")
    clock.now += drafts.TYPING_LIFETIME_S
    draft.show("")
    assert shown_texts(world, GROUP) == ["…", "…"]
    assert {event["method"] for event in world.events_of(GROUP)} == {"sendChatAction"}


@pytest.mark.parametrize("missing", [["sendRichMessageDraft"], ["sendRichMessageDraft", "sendMessageDraft"]])
def test_an_older_server_is_asked_only_once_for_what_it_does_not_know(
    telegram: Telegram, world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch, missing: list[str]
) -> None:
    for method in missing:
        monkeypatch.delitem(sandbox.METHODS, method)
    draft = Draft(telegram, ANN, 5, is_private=True)
    draft.show("раз")
    clock.now += draft.seconds_until_next()
    draft.show("раз два")
    assert shown_texts(world) == (["раз", "раз два"] if len(missing) == 1 else ["…", "…"])
    called = [method for method, _ in world.calls]
    assert [called.count(method) for method in missing] == [1] * len(missing)


def test_a_text_that_is_too_long_is_truncated(telegram: Telegram, world: World) -> None:
    Draft(telegram, ANN, 5, is_private=True).show("а" * 40_000)
    assert [len(text) for text in shown_texts(world)] == [32768]
