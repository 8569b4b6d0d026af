"""telegram.drafts: a draft is not updated too often, is kept alive, and its failures have no effect.

Each refusal leads to the next simpler call. Nobody waits for a draft, and none follows the answer.
"""

from collections.abc import Iterator

import pytest
from conftest import eventually

import config
from sandbox import telegram as sandbox
from sandbox.telegram import Faults, World
from sandbox.telegram.checks import REFUSED_MARKDOWN, Refusal
from telegram import drafts
from telegram.drafts import Draft, Drafts
from telegram.pacing import NO_LIMITS
from telegram.transport import Telegram

ANN, BOB, GROUP = 1, 2, -100500


@pytest.fixture
def telegram(telegram_url: str, world: World, monkeypatch: pytest.MonkeyPatch) -> Telegram:
    monkeypatch.setenv("TOKEN", sandbox.TOKEN)
    monkeypatch.setenv("TELEGRAM_API_URL", telegram_url)
    world.say(ANN, "/start")
    world.say(BOB, "/start")
    world.say(ANN, "/start", chat_id=GROUP)
    return Telegram(config.load_settings(), NO_LIMITS)


@pytest.fixture
def opened(telegram: Telegram) -> Iterator[Drafts]:
    opened = Drafts(telegram)
    yield opened
    opened.stop()


def show(draft: Draft, text: str) -> None:
    """Show a text, and wait until Telegram has answered."""
    draft.show(text)
    eventually(lambda: not draft._is_on_its_way)


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
    events = [event for event in world.events_of(chat_id) if "message" not in event]
    return [event["draft"]["text"] if "draft" in event else "…" for event in events]


def test_a_text_is_shown_once_and_again_before_it_disappears(opened: Drafts, world: World, clock: Clock) -> None:
    draft = opened.open(ANN, 5, is_private=True)
    for _ in range(20):
        show(draft, "раз")
    assert shown_texts(world) == ["раз"]
    assert draft.seconds_until_stale() == drafts.DRAFT_LIFETIME_S
    clock.now += drafts.DRAFT_LIFETIME_S - 0.1
    show(draft, "раз")
    assert shown_texts(world) == ["раз"]
    clock.now += 0.1
    show(draft, "раз")
    assert shown_texts(world) == ["раз", "раз"]


def test_a_new_text_is_not_shown_too_soon(opened: Drafts, world: World, clock: Clock) -> None:
    draft = opened.open(ANN, 5, is_private=True)
    show(draft, "")
    show(draft, "раз")
    assert shown_texts(world) == [""]
    assert draft.seconds_until_next() == drafts.UPDATE_INTERVAL_S
    clock.now += draft.seconds_until_next()
    show(draft, "раз два")
    assert shown_texts(world) == ["", "раз два"]


def test_a_refused_draft_is_shown_as_plain_text_and_the_next_has_the_whole_text(
    opened: Drafts, world: World, clock: Clock
) -> None:
    draft = opened.open(ANN, 5, is_private=True)
    show(draft, REFUSED_MARKDOWN)
    clock.now += draft.seconds_until_next()
    show(draft, "**закрыто** и дальше")
    assert shown_texts(world) == [REFUSED_MARKDOWN, "**закрыто** и дальше"]
    assert [event["method"] for event in world.events_of(ANN)] == ["sendMessageDraft", "sendRichMessageDraft"]


def test_after_every_refusal_the_bot_shows_that_it_types(
    opened: Drafts, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        raise Refusal(400, "Bad Request: TEXTDRAFT_PEER_INVALID")

    monkeypatch.setitem(sandbox.METHODS, "sendRichMessageDraft", refuse)
    monkeypatch.setitem(sandbox.METHODS, "sendMessageDraft", refuse)
    draft = opened.open(ANN, 5, is_private=True)
    show(draft, "раз")
    assert shown_texts(world) == ["…"]
    assert draft.seconds_until_stale() <= drafts.TYPING_LIFETIME_S


def test_what_the_model_leaves_open_is_closed(opened: Drafts, world: World) -> None:
    show(opened.open(ANN, 5, is_private=True), "![кот](https://a.b)\n```py\nprint(")
    assert shown_texts(world) == ["[кот](https://a.b)\n\n```py\nprint(\n```"]


def test_nobody_waits_for_a_draft_that_hangs(
    opened: Drafts, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "CLOSE_WAIT_S", 0.01)
    monkeypatch.setattr(drafts, "TIMEOUT_S", 30.0)
    world.faults = Faults(delay_s=20, methods=frozenset(["sendRichMessageDraft"]))
    draft = opened.open(ANN, 5, is_private=True)
    other = opened.open(BOB, 6, is_private=True)
    draft.show("раз")
    eventually(lambda: world.calls)
    draft.close()
    assert draft._is_on_its_way
    world.faults = Faults()
    show(other, "два")
    assert shown_texts(world, BOB) == ["два"]


def test_no_draft_follows_the_answer(opened: Drafts, world: World, telegram: Telegram) -> None:
    world.faults = Faults(delay_s=0.1)
    for number in range(5):
        draft = opened.open(ANN, number + 1, is_private=True)
        draft.show(f"раз {number}")
        eventually(lambda: world.calls and "sendRichMessageDraft" in world.calls[-1])
        draft.close()
        draft.show("потом")
        telegram.call("sendMessage", {"chat_id": ANN, "text": "ответ"})
    assert [event["method"] for event in world.events_of(ANN)] == ["sendRichMessageDraft", "sendMessage"] * 5
    assert "потом" not in shown_texts(world)


def test_a_server_without_rich_messages_is_noticed_once(
    telegram: Telegram,
    opened: Drafts,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.delitem(sandbox.METHODS, "sendRichMessageDraft")
    for number in range(3):
        show(opened.open(ANN, number + 1, is_private=True), "раз")
    assert shown_texts(world) == ["раз"] * 3
    assert [method for method, _ in world.calls].count("sendRichMessageDraft") == 1
    assert caplog.text.count("does not know sendRichMessageDraft") == 1
    assert telegram.is_missing("sendRichMessageDraft")


def test_the_next_draft_waits_as_long_as_telegram_asks(opened: Drafts, world: World) -> None:
    world.faults = Faults(too_many=1.0, retry_after=60)
    draft = opened.open(ANN, 5, is_private=True)
    show(draft, "раз")
    assert draft.seconds_until_next() > 50


def test_in_a_group_the_bot_shows_that_it_types(opened: Drafts, world: World, clock: Clock) -> None:
    draft = opened.open(GROUP, 5, is_private=False)
    show(draft, "")
    clock.now += drafts.TYPING_LIFETIME_S
    show(draft, "")
    assert shown_texts(world, GROUP) == ["…", "…"]
    assert {event["method"] for event in world.events_of(GROUP)} == {"sendChatAction"}


@pytest.mark.parametrize("missing", [["sendRichMessageDraft"], ["sendRichMessageDraft", "sendMessageDraft"]])
def test_an_older_server_is_asked_only_once_for_what_it_does_not_know(
    opened: Drafts, world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch, missing: list[str]
) -> None:
    for method in missing:
        monkeypatch.delitem(sandbox.METHODS, method)
    draft = opened.open(ANN, 5, is_private=True)
    show(draft, "раз")
    clock.now += draft.seconds_until_next()
    show(draft, "раз два")
    assert shown_texts(world) == (["раз", "раз два"] if len(missing) == 1 else ["…", "…"])
    called = [method for method, _ in world.calls]
    assert [called.count(method) for method in missing] == [1] * len(missing)


def test_of_a_text_that_is_too_long_the_first_part_is_shown(opened: Drafts, world: World) -> None:
    show(opened.open(ANN, 5, is_private=True), "а" * 40_000)
    assert [len(text) for text in shown_texts(world)] == [32500]
