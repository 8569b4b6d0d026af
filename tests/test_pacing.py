"""telegram.pacing: the limits of Telegram are kept, and what is needed most goes first.

The limits: https://core.telegram.org/bots/faq, "My bot is hitting limits".
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from conftest import eventually, store_question
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import config
import journal
import storage
from sandbox import telegram as sandbox
from sandbox.telegram import World
from sandbox.telegram.flood_limits import FloodLimits
from telegram import pacing
from telegram.drafts import Drafts
from telegram.outbox import Outbox
from telegram.pacing import Limits, Pacing
from telegram.replies import Reply
from telegram.transport import Telegram

ANN, BOB, GROUP = 1, 2, -100500


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pacing, "time", clock)
    return clock


def most_in(times: list[float], window_s: float) -> int:
    """Return the largest number of calls in a window."""
    return max((sum(start <= t < start + window_s for t in times) for start in times), default=0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(pauses=st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_no_second_has_more_than_thirty_calls_and_no_chat_more_than_its_burst(
    clock: Clock, pauses: list[float]
) -> None:
    """A crowd asks for as many calls as possible after every pause."""
    paced = Pacing(Limits())
    calls: list[float] = []
    messages: dict[int, list[float]] = {ANN: [], GROUP: []}
    for pause_s in pauses:
        clock.now += pause_s
        while not paced.take_turn():
            calls.append(clock.now)
        for chat_id, times in messages.items():
            while not paced.chat_wait_s(chat_id):
                paced.count_message(chat_id)
                times.append(clock.now)
    assert most_in(calls, 1.0) < 30
    assert most_in(messages[ANN], 10.0) <= 5 + 10
    assert most_in(messages[GROUP], 60.0) <= 20


def test_the_wait_ends_when_a_call_may_be_made(clock: Clock) -> None:
    paced = Pacing(Limits())
    while not (wait_s := paced.take_turn()):
        pass
    assert wait_s == pytest.approx(1 / 25)
    clock.now += wait_s + 0.001
    assert not paced.take_turn()
    for _ in range(5):
        assert not paced.chat_wait_s(ANN)
        paced.count_message(ANN)
    assert paced.chat_wait_s(ANN) == 1.0
    assert not paced.chat_wait_s(BOB)


@pytest.mark.usefixtures("clock")
def test_chats_are_forgotten_only_when_they_have_their_whole_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "MAX_CHATS", 10)
    paced = Pacing(Limits())
    for _ in range(5):
        paced.count_message(ANN)
    for chat_id in range(100, 200):
        paced.chat_wait_s(chat_id)
    assert paced.chat_wait_s(ANN) == 1.0
    assert len(paced._chats) <= 10


def test_a_draft_leaves_room_for_replies(clock: Clock) -> None:
    paced = Pacing(Limits(chat_burst=5))
    shown = 0
    while paced.take_turn_for_draft(ANN, is_message=True):
        shown += 1
        clock.now += 0.1
    assert shown == 3  # with the tenths of a second that passed
    assert not paced.chat_wait_s(ANN)
    paced.count_message(ANN)
    assert not paced.chat_wait_s(ANN)
    while not paced.take_turn():
        pass
    assert not paced.take_turn_for_draft(BOB, is_message=False)


# The outbox


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def telegram(telegram_url: str, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> Telegram:
    monkeypatch.setenv("TOKEN", sandbox.TOKEN)
    monkeypatch.setenv("TELEGRAM_API_URL", telegram_url)
    return Telegram(config.load_settings(), limits)


@pytest.fixture
def outbox(telegram: Telegram, database: Path, world: World) -> Iterator[Outbox]:  # noqa: ARG001
    for user_id in range(1, 40):
        world.say(user_id, "/start")
    outbox = Outbox(telegram)
    yield outbox
    outbox.stop(0, 30)


def test_a_burst_of_replies_is_never_refused(outbox: Outbox, world: World) -> None:
    world.flood_limits = FloodLimits()
    with storage.transaction():
        for chat_id in range(2, 40):
            outbox.put(chat_id, Reply("раз"))
        for n in range(7):
            outbox.put(ANN, Reply(f"{n}"))
    eventually(lambda: journal.chats_with_replies() == {})
    assert world.flood_limits.refusals == 0
    assert len(world.calls) == 38 + 7
    assert [event["message"]["text"] for event in world.events_of(ANN)] == [f"{n}" for n in range(7)]


def test_the_sandbox_refuses_what_telegram_refuses(outbox: Outbox, world: World, telegram: Telegram) -> None:
    """The control of the test above: without pacing there are refusals."""
    world.flood_limits = FloodLimits()
    telegram.pacing._limits = pacing.NO_LIMITS
    with storage.transaction():
        for n in range(7):
            outbox.put(ANN, Reply(f"{n}"))
    eventually(lambda: world.flood_limits and world.flood_limits.refusals)


@pytest.mark.parametrize("limits", [Limits(burst=1, interval_s=0.1)])
def test_an_answer_overtakes_the_confirmations_of_other_chats(outbox: Outbox, world: World) -> None:
    with storage.transaction():
        for chat_id in range(2, 22):
            outbox.put(chat_id, Reply("раз"))
    with storage.transaction():
        outbox.put(ANN, Reply("ответ", question_id=store_question(ANN)))
    eventually(lambda: world.events_of(ANN))
    assert len(world.calls) < 15
    eventually(lambda: journal.chats_with_replies() == {})


@pytest.mark.parametrize("limits", [Limits(chat_burst=3, chat_interval_s=1000.0)])
def test_a_draft_is_skipped_before_a_reply_waits(telegram: Telegram, outbox: Outbox, world: World) -> None:
    drafts = Drafts(telegram)
    for number in range(3):
        draft = drafts.open(ANN, number + 1, is_private=True)
        draft.show("раз")
        eventually(partial(lambda draft: not draft._is_on_its_way, draft))
    for n in range(2):
        outbox.put(ANN, Reply(f"{n}"))
    eventually(lambda: len(world.events_of(ANN)) == 3)
    assert [method for method, _ in world.calls] == ["sendRichMessageDraft", "sendMessage", "sendMessage"]
    drafts.stop()
