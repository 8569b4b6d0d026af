"""journal: handled updates, questions and conversations, requests to models, the outbox, jobs.

- questions: a serial queue per person, parallel ones beside it, Stop, conversations
- requests to models: usage, free requests, costs that are reported later
- outbox and jobs: in order, until they are finished
"""

from pathlib import Path
from typing import Any

import pytest
from conftest import clean_up, store_question, store_request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clock
import journal
import journal_cleanup
import storage

ANN, BOB = 1, 2

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: 1_800_000_000)


def set_time(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    monkeypatch.setattr(clock, "now", lambda: seconds)


# Updates


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(st.integers(1, 30), max_size=10), max_size=6))
def test_an_update_is_handled_once(batches: list[list[int]]) -> None:
    storage.execute("DELETE FROM handled_updates")
    handled: set[int] = set()
    for batch in batches:
        assert journal.unhandled_updates(batch) == set(batch) - handled
        journal.mark_updates_handled(batch)
        handled |= set(batch)
    assert journal.unhandled_updates(range(31)) == set(range(31)) - handled


def test_handled_updates_are_forgotten_after_two_weeks(monkeypatch: pytest.MonkeyPatch) -> None:
    journal.mark_updates_handled([1])
    set_time(monkeypatch, 1_800_000_000 + 14 * 86_400)
    journal.mark_updates_handled([2])
    clean_up(clock.now())
    assert journal.unhandled_updates([1, 2]) == set()
    set_time(monkeypatch, 1_800_000_001 + 14 * 86_400)
    clean_up(clock.now())
    assert journal.unhandled_updates([1, 2]) == {1}


def test_a_clock_that_jumps_ahead_makes_nothing_old(monkeypatch: pytest.MonkeyPatch) -> None:
    start = 1_800_000_000
    journal.mark_updates_handled([1])
    assert journal_cleanup.advance_purge_clock(0) == start
    set_time(monkeypatch, start + 30 * 86_400)  # a start with a wrong clock
    assert journal_cleanup.advance_purge_clock(0) == start
    assert journal_cleanup.advance_purge_clock(86_400) == start + 86_400
    clean_up(journal_cleanup.advance_purge_clock(0))
    assert journal.unhandled_updates([1]) == set()
    set_time(monkeypatch, start + 60)  # the clock is right again
    assert journal_cleanup.advance_purge_clock(86_400) == start + 60
    set_time(monkeypatch, start + 7200)
    assert journal_cleanup.advance_purge_clock(86_400) == start + 7200


# Questions


def ask(text: str = "?", user_id: int = ANN, **changes: Any) -> int:
    usual = {"message_id": 7, "model_id": 5, "text": text, "asked_at": 1_700_000_000}
    return store_question(user_id, **usual | changes)


def next_text(user_id: int, queue: int = 0) -> str | None:
    question = journal.next_question(user_id, queue)
    return question["text"] if question else None


def test_a_question_is_stored_with_everything() -> None:
    question_id = ask("почему?", chat_id=-5, is_private=False, kind="web", model_id=6)
    question = journal.get_question(-5, question_id)
    assert question == {
        "id": question_id,
        "user_id": ANN,
        "chat_id": -5,
        "message_id": 7,
        "is_private": 0,
        "kind": "web",
        "is_parallel": 0,
        "parent_id": None,
        "model_id": 6,
        "text": "почему?",
        "state": "pending",
        "stop_at": None,
        "answer": None,
        "asked_at": 1_700_000_000,
        "finished_at": None,
        "is_repeat": 0,
        "pictures": "[]",
        "speech": None,
        "thread_id": None,
    }
    assert journal.next_question(ANN, 0) == question
    assert journal.get_question(ANN, question_id) is None


def test_a_person_is_answered_in_order_and_parallel_questions_do_not_wait() -> None:
    first, second = ask("раз"), ask("два")
    parallel = ask("рядом", is_parallel=True)
    other = ask("чужой", BOB)
    assert journal.pending_question_keys() == [
        (ANN, 0),
        journal.question_key(ANN, parallel, is_parallel=True),
        (BOB, 0),
    ]
    assert (next_text(ANN), next_text(BOB), next_text(3)) == ("раз", "чужой", None)
    journal.finish_question(first, "answered", "ответ")
    assert next_text(ANN) == "два"
    assert journal.pending_question_keys() == [
        (ANN, 0),
        journal.question_key(ANN, parallel, is_parallel=True),
        (BOB, 0),
    ]
    journal.finish_question(second, "failed", None)
    assert next_text(ANN) is None
    assert journal.pending_question_keys() == [journal.question_key(ANN, parallel, is_parallel=True), (BOB, 0)]
    journal.finish_question(parallel, "stopped", None)
    assert [next_text(ANN, queue) for queue in (1, 2)] == [None, None]
    journal.finish_question(other, "answered", "ответ")
    assert journal.pending_question_keys() == []


def test_one_person_has_at_most_three_queues() -> None:
    for number in range(9):
        ask(str(number), is_parallel=number % 3 > 0)
    assert sorted(journal.pending_question_keys()) == [(ANN, 0), (ANN, 1), (ANN, 2)]
    assert sorted(str(next_text(ANN, queue)) for queue in range(3)) == ["0", "1", "2"]


def test_the_queue_that_waits_longest_comes_first() -> None:
    ask("рядом", BOB, is_parallel=True)
    ask("раз", ANN)
    ask("два", BOB)
    assert journal.pending_question_keys() == [(BOB, 2), (ANN, 0), (BOB, 0)]


def test_stop_applies_to_a_pending_question_of_the_chat() -> None:
    question_id = ask()
    assert not journal.is_question_stopped(question_id)
    assert not journal.stop_question(BOB, question_id)
    assert not journal.is_question_stopped(question_id)
    assert journal.stop_question(ANN, question_id)
    assert journal.is_question_stopped(question_id)
    journal.finish_question(question_id, "stopped", "часть")
    assert not journal.stop_question(ANN, question_id)
    assert not journal.is_question_stopped(question_id + 1)


def test_a_finished_question_keeps_its_answer_and_time() -> None:
    question_id = ask()
    journal.finish_question(question_id, "answered", "да")
    question = journal.get_question(ANN, question_id)
    assert question
    assert (question["state"], question["answer"], question["finished_at"]) == ("answered", "да", 1_800_000_000)


def test_a_conversation_holds_answered_questions_the_latest_first() -> None:
    first = ask("раз")
    journal.finish_question(first, "answered", "один")
    failed = ask("два", parent_id=first)
    journal.finish_question(failed, "failed", None)
    third = ask("три", parent_id=failed)
    journal.finish_question(third, "stopped", "тр")
    fourth = ask("четыре", parent_id=third)
    ask("другой разговор")
    assert journal.conversation_before(fourth) == [
        {"text": "три", "answer": "тр"},
        {"text": "раз", "answer": "один"},
    ]
    assert journal.conversation_before(first) == []


def test_when_a_person_asked() -> None:
    for asked_at in (100, 300, 200):
        ask(asked_at=asked_at)
    ask(user_id=BOB, asked_at=250)
    assert journal.question_times(ANN, since=100) == [200, 300]


# Requests to models


def request(model: str = "a", user_id: int = ANN, **changes: Any) -> int:
    usual = {"generation_id": "gen-1", "latency_ms": 812, "completion_tokens": 5, "cost": 0.25, "is_free": False}
    return store_request(user_id, model=model, **usual | changes)


def test_a_request_is_stored_with_everything() -> None:
    request_id = request(reasoning_tokens=3, is_free=True)
    assert storage.fetch_one("SELECT * FROM llm_requests") == {
        "id": request_id,
        "created_at": 1_800_000_000,
        "user_id": ANN,
        "module": "ask",
        "gateway": "openrouter",
        "model": "a",
        "generation_id": "gen-1",
        "status": 200,
        "finish_reason": "stop",
        "latency_ms": 812,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "reasoning_tokens": 3,
        "cost": 0.25,
        "is_free": 1,
        "cause": None,
        "provider": None,
        "answered_model": None,
        "provider_latency_ms": None,
        "provider_requests": None,
    }


def test_causes_of_failures_and_the_models_that_answered() -> None:
    request(status=404, cause="data_policy")
    request(status=404, cause="data_policy")
    request(status=0, cause="timeout", gateway="local")
    request(answered_model="gpt-4", provider="HuggingSpace")
    request(answered_model="llama")
    assert journal.failure_counts(since=0) == [
        {"gateway": "openrouter", "cause": "data_policy", "requests": 2},
        {"gateway": "local", "cause": "timeout", "requests": 1},
    ]
    assert journal.answering_models(since=0) == ["llama", "gpt-4 (HuggingSpace)"]
    assert journal.failure_counts(since=1_800_000_001) == []
    assert journal.answering_models(since=1_800_000_001) == []


def test_usage_by_model_and_by_person() -> None:
    request("a")
    request("b", prompt_tokens=None, completion_tokens=None, cost=None, status=429)
    request("b", BOB)
    request("b", BOB)
    now = clock.now()
    assert journal.usage_by_model(now) == [
        {"model": "b", "requests": 3, "tokens": 30, "cost": 0.5},
        {"model": "a", "requests": 1, "tokens": 15, "cost": 0.25},
    ]
    assert journal.usage_by_model(now, ANN) == [
        {"model": "a", "requests": 1, "tokens": 15, "cost": 0.25},
        {"model": "b", "requests": 1, "tokens": 0, "cost": 0.0},
    ]
    assert journal.usage_by_person(now) == [
        {"user_id": ANN, "requests": 2, "tokens": 15, "cost": 0.25},
        {"user_id": BOB, "requests": 2, "tokens": 30, "cost": 0.5},
    ]
    assert journal.usage_by_model(now + 1) == []
    assert journal.usage_by_person(now + 1) == []


def test_the_usage_of_many_people_is_cut() -> None:
    for user_id in range(journal.MAX_USAGE_ROWS + 5):
        request(user_id=user_id)
    assert [row["user_id"] for row in journal.usage_by_person(0)] == list(range(50))


def test_when_free_models_were_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds, is_free in ((10, True), (20, False), (40, True), (30, True)):
        set_time(monkeypatch, seconds)
        request(is_free=is_free)
    assert journal.free_request_times(since=30) == [30]  # the clock was ahead when the other one was recorded
    set_time(monkeypatch, 50)
    assert journal.free_request_times(since=30) == [30, 40]
    assert journal.free_request_times(since=0) == [10, 30, 40]


def test_the_cost_of_an_interrupted_request_is_added_later() -> None:
    stopped = request(finish_reason="stopped", cost=None, generation_id="gen-2", prompt_tokens=None)
    cut = request(finish_reason="cut", cost=None, generation_id="gen-3")
    request(finish_reason="stopped", cost=None, generation_id=None)
    request(finish_reason="stopped", cost=None, gateway="local")
    request(finish_reason="stopped", cost=0.0)
    request(finish_reason="stop", cost=None)
    now = clock.now()
    expected: list[journal.UnpricedRequest] = [
        {"id": stopped, "generation_id": "gen-2"},
        {"id": cut, "generation_id": "gen-3"},
    ]
    assert journal.unpriced_requests(now) == expected
    assert journal.unpriced_requests(now + 1) == []
    # The provider of the sample in the course's skill on OpenRouter, section "Пример JSON Output".
    details: journal.GenerationDetails = {
        "cost": 0.5,
        "prompt_tokens": 7,
        "completion_tokens": 2,
        "provider": "Google AI Studio",
        "provider_latency_ms": 1643,
        "provider_requests": 2,
    }
    journal.add_generation_details(stopped, details)
    assert journal.unpriced_requests(now) == expected[1:]
    columns = ", ".join(details)
    assert storage.fetch_one(f"SELECT {columns} FROM llm_requests WHERE id = ?", (stopped,)) == details


# Outbox


def text_call(text: str) -> journal.Call:
    return "sendMessage", {"chat_id": ANN, "text": text}


def sent(reply_id: int, *remaining_calls: journal.Call, answered: Any = None) -> journal.SentCall:
    return {"reply_id": reply_id, "remaining_calls": [*remaining_calls], "answered": answered, "note": None}


def test_replies_leave_in_the_order_of_their_chat() -> None:
    other = journal.add_reply(BOB, [text_call("чужой")])
    first = journal.add_reply(ANN, [text_call("раз"), text_call("два 🎄")], question_id=5)
    second = journal.add_reply(ANN, [text_call("три")])
    assert list(journal.chats_with_replies().items()) == [(BOB, other), (ANN, second)]
    replies: list[journal.OutboxRow] = [
        {"id": first, "calls": [text_call("раз"), text_call("два 🎄")], "question_id": 5, "note_id": None},
        {"id": second, "calls": [text_call("три")], "question_id": None, "note_id": None},
    ]
    assert journal.stored_replies(ANN, 0, 10) == replies
    assert journal.stored_replies(ANN, 0, 1) == replies[:1]
    assert journal.stored_replies(ANN, first, 10) == replies[1:]
    journal.finish_replies([sent(other), sent(first, text_call("два 🎄"))])
    assert journal.stored_replies(ANN, 0, 1) == [{**replies[0], "calls": [text_call("два 🎄")]}]
    journal.finish_replies([sent(first), sent(second)])
    assert journal.chats_with_replies() == {}


def test_a_sent_answer_leads_back_to_its_question() -> None:
    question_id = ask("почему?")
    reply_id = journal.add_reply(ANN, [text_call("потому")], question_id)
    assert journal.question_answered_by(ANN, 70) is None
    journal.finish_replies([sent(reply_id, answered=(ANN, 70, question_id))])
    journal.finish_replies([sent(reply_id, answered=(ANN, 70, question_id))])  # a repetition changes nothing
    assert journal.question_answered_by(ANN, 70) == journal.get_question(ANN, question_id)
    assert journal.question_answered_by(BOB, 70) is None


def test_reading_the_outbox_needs_no_write_lock(database: Path) -> None:
    with storage.relaxed_connection() as connection:
        connection.execute("PRAGMA busy_timeout = 0")
    other = storage._connect(database)
    other.execute("BEGIN IMMEDIATE")
    assert journal.stored_replies(ANN, 0, 1) == []
    other.close()


# Jobs


def test_jobs_run_in_the_order_of_their_person() -> None:
    first = journal.add_job(ANN, -5, 40, "export", {"format": "json"})
    journal.add_job(BOB, BOB, None, "status", {})
    second = journal.add_job(ANN, ANN, None, "providers", {"name": "Яндекс"})
    assert journal.users_with_jobs() == [ANN, BOB]
    assert journal.next_job(ANN) == {
        "id": first,
        "user_id": ANN,
        "chat_id": -5,
        "reply_to": 40,
        "thread_id": None,
        "name": "export",
        "attempts": 0,
        "arguments": {"format": "json"},
        "progress": {},
    }
    journal.finish_job(first)
    job = journal.next_job(ANN)
    assert job
    assert (job["id"], job["reply_to"], job["arguments"]) == (second, None, {"name": "Яндекс"})
    assert journal.users_with_jobs() == [BOB, ANN]
    journal.finish_job(second)
    assert journal.next_job(ANN) is None
    assert journal.users_with_jobs() == [BOB]


# Status


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = {"updates": 0, "replies": 0, "oldest_reply_at": None, "questions": 0, "jobs": 0}
    assert journal.progress(0) == nothing
    for seconds in (100, 200, 300):
        set_time(monkeypatch, seconds)
        journal.mark_updates_handled([seconds])
        journal.add_reply(ANN, [text_call("?")])
        journal.add_job(ANN, ANN, None, "status", {})
        ask()
    journal.finish_question(1, "answered", "да")
    assert journal.progress(200) == {
        "updates": 2,
        "replies": 3,
        "oldest_reply_at": 100,
        "questions": 2,
        "jobs": 3,
    }
