"""Questions meet models: written down first, asked on threads of their own, answered through the outbox.

Two threads serve a question: one asks (runtime/attempts.py) and may block in the network; one shows how the
answer comes along, listens for Stop, and writes the answer down.
"""

import logging
import re
import threading
import time
from dataclasses import dataclass
from functools import partial

import db
import openrouter_client
import texts
from config import Settings
from openrouter_client import OpenRouterError
from runtime import access, prompts
from runtime.attempts import Answer, Attempts, stand_ins
from runtime.catalogue import Catalogue
from runtime.drafts import Draft
from runtime.lanes import Lanes
from runtime.outbox import Button, Outbox, Reply
from runtime.pace import WINDOW_S, Pace
from runtime.prompts import Prompt
from runtime.talk import Talk
from runtime.telegram import Telegram

log = logging.getLogger(__name__)

WORKERS = 60  # a worker does nothing but wait for a model
COMPARED_MOST = 3
COST_TRIES, COST_AFTER_S, COST_OLDEST_S = 5, 2.0, 3600


@dataclass(frozen=True)
class Question:
    """What a handler returns to have a model asked."""

    text: str
    parent_id: int | None = None  # the question before it in the talk
    # "compare": of several models at once; "web": with a search of the web; "note_ask": from one's notes
    kind: str = "ask"


class Answers:
    """Answers what db's questions hold: one person's in order, different people's side by side."""

    def __init__(self, settings: Settings, telegram: Telegram, outbox: Outbox, catalogue: Catalogue) -> None:
        self._per_day = settings.ask_per_day
        self._telegram = telegram
        self._outbox = outbox
        self._catalogue = catalogue
        self._lanes = Lanes("answers", self._answer_next, WORKERS)
        self._costs = Lanes("costs", self._fetch_cost, threads=1)
        self._cost_tries: dict[int, int] = {}
        self._talks: dict[int, Talk] = {}  # question → who waits for its answer
        now = time.time()
        recent = db.free_requests_since(int(now - WINDOW_S))
        self._pace = Pace(settings.free_requests_per_minute, (now - moment for moment in recent))

    def start(self) -> None:
        """Answer what an earlier run left."""
        for lane in db.lanes_waiting():
            self._lanes.wake(lane)
        self._wake_costs()

    def stop(self) -> None:
        """Start no more questions. Those under way stay pending: the next run asks them again."""
        self._lanes.stop(grace_s=0, linger_s=0)
        self._costs.stop(grace_s=0, linger_s=0)

    def ask(
        self, question: Question, user_id: int, chat_id: int, message_id: int, asked_at: int, *, is_private: bool
    ) -> None:
        """Write a question down, to be asked once the transaction is committed; Refused if it is one too many."""
        access.check_questions(user_id, asked_at, self._per_day)
        if switch := db.take_switch():
            self._outbox.put(chat_id, Reply(texts.model_vanished(switch)))
        active = db.get_active_model()
        models = [active]
        if question.kind == "compare":
            models = [model for model in (active, *stand_ins(active)) if model["available"]][:COMPARED_MOST]
        for place, model in enumerate(models or [active]):
            # A lane of its own for all but the first of those that are compared: they are asked at once.
            lane = user_id if place == 0 else -(message_id * COMPARED_MOST + place)
            db.add_question(
                {
                    "user_id": user_id,
                    "chat_id": chat_id,
                    "message_id": message_id,
                    "is_private": is_private,
                    "kind": question.kind,
                    "lane": lane,
                    "parent_id": question.parent_id,
                    "model_id": model["id"],
                    "text": question.text,
                    "asked_at": asked_at,
                }
            )
            db.on_commit(partial(self._lanes.wake, lane))

    def stop_question(self, chat_id: int, question_id: int) -> None:
        """Stop writing an answer; what came of it is kept."""
        if db.stop_question(chat_id, question_id):
            db.on_commit(partial(self._stop_talk, question_id))

    def _stop_talk(self, question_id: int) -> None:
        if talk := self._talks.get(question_id):
            talk.stop()

    def _answer_next(self, lane: int) -> float | None:
        """Answer the oldest question of a lane; None if nothing is left."""
        question = db.next_question(lane)
        if question is None:
            return None
        talk = self._talks[question["id"]] = Talk()
        try:
            if db.is_stopped(question["id"]):  # looked up after the talk can be found: no Stop falls in between
                talk.stop()
            prompt = prompts.for_question(question)
            if question["kind"] == "note_ask" and not prompt.notes:
                self._close(question, "failed", None, Reply(texts.NOTHING_SIMILAR))
            else:
                self._ask_and_show(question, prompt, talk)
        finally:
            del self._talks[question["id"]]
        return 0.0

    def _ask_and_show(self, question: db.Row, prompt: Prompt, talk: Talk) -> None:
        """Have models asked, show how the answer comes along, and write it down."""
        model = db.get_model(question["model_id"])
        asking = (question, model, prompt, talk)
        threading.Thread(target=self._ask, args=asking, name="asking", daemon=True).start()
        self._show_until_done(question, talk)
        self._finish(question, prompt, talk.answer or Answer(talk.stopped(), model))

    def _ask(self, question: db.Row, model: db.Row, prompt: Prompt, talk: Talk) -> None:
        """Ask models until one answers; runs on a thread of its own."""
        attempts = Attempts(
            user_id=question["user_id"],
            module=question["kind"],
            messages=prompt.messages,
            is_streamed=_is_shown(question),
            may_fall_back=question["kind"] != "compare",
            searches_web=question["kind"] == "web",
            on_gone=lambda model: self._catalogue.doubt(model["gateway"]),
            pace=self._pace,
            watcher=talk,
        )
        try:
            answer = attempts.run(model)
        except Exception:
            log.exception("question %d could not be asked", question["id"])
            answer = Answer(None, model)
        if not talk.done(answer):  # it was stopped, and answered without this
            self._write_ledger(answer)
            self._wake_costs()
        db.close_thread()

    def _show_until_done(self, question: db.Row, talk: Talk) -> None:
        """Show how the answer comes along, until it is there or not wanted any more."""
        is_private = _is_shown(question)
        draft = Draft(self._telegram, question["chat_id"], question["id"], is_private=is_private)
        while not talk.is_settled():
            place, text = talk.place_in_line(), talk.text
            draft.show(texts.in_line(place) if place else text, is_markdown=not place)
            talk.wait_for_news(text, draft.rests_s(), draft.lasts_s())

    def _finish(self, question: db.Row, prompt: Prompt, answer: Answer) -> None:
        """Write down what came of asking, and the reply, in one transaction."""
        with db.transaction():
            self._write_ledger(answer)
            if answer.completion and answer.completion.finish_reason == "cut":
                db.on_commit(self._wake_costs)
            self._close(question, *_outcome(question, prompt, answer))

    def _close(self, question: db.Row, state: str, answer: str | None, reply: Reply) -> None:
        """Write down what became of a question, and the reply, in one transaction."""
        with db.transaction():
            db.finish_question(question["id"], state, answer)
            self._outbox.put(question["chat_id"], reply, reply_to=question["message_id"])

    def _write_ledger(self, answer: Answer) -> None:
        if answer.ledger_row:
            db.add_llm_request(answer.ledger_row)

    def _wake_costs(self) -> None:
        """Have the costs asked for that are not known yet."""
        for request in db.requests_without_cost(int(time.time()) - COST_OLDEST_S):
            self._costs.wake(request["id"])

    def _fetch_cost(self, request_id: int) -> float | None:
        """Ask the gateway what an answer that was stopped or cut has cost; it knows a moment later."""
        rows = [r for r in db.requests_without_cost(0) if r["id"] == request_id]
        tries = self._cost_tries[request_id] = self._cost_tries.get(request_id, 0) + 1
        if not rows or tries > COST_TRIES:
            del self._cost_tries[request_id]
            return None
        try:
            told = openrouter_client.generation(rows[0]["generation_id"])
        except OpenRouterError as error:
            log.debug("cost of request %d: %s", request_id, error.status)
            return COST_AFTER_S * tries
        cost = told.get("total_cost")
        if not isinstance(cost, int | float):
            return COST_AFTER_S * tries
        db.set_llm_cost(request_id, cost, told.get("tokens_prompt"), told.get("tokens_completion"))
        return 0.0


def _is_shown(question: db.Row) -> bool:
    """Whether the answer is shown as it grows: of several at once none is."""
    return bool(question["is_private"]) and question["kind"] != "compare"


MARKS = {"stopped": texts.STOPPED, "cut": texts.CUT, "length": texts.LENGTH, "content_filter": texts.FILTERED}
LINK = re.compile(r"https?://[^\s<>()\[\]\"]+")


def _outcome(question: db.Row, prompt: Prompt, answer: Answer) -> tuple[str, str | None, Reply]:
    """Return the state that a question ends in, its answer, and what to say."""
    again = Button(texts.AGAIN, f"again:{question['id']}")
    save = Button(texts.SAVE, f"save:{question['id']}")
    key = answer.model["key"]
    completion = answer.completion
    if completion is None:
        said = texts.answer_failed(answer.error, key if question["kind"] == "compare" else "")
        return "failed", None, Reply(said if answer.error else texts.FAILED, buttons=[[again]])
    passed_over = answer.passed_over
    if completion.asked_first and completion.asked_first != completion.model:  # the gateway's own fallback
        passed_over, key = (completion.asked_first, texts.REASON_OTHER), completion.model
    instead = texts.instead_of(*passed_over) if passed_over else ""
    given = texts.notes_given([note["id"] for note in prompt.notes]) if prompt.notes else ""
    foot = texts.foot(completion.latency_ms, key, instead, MARKS.get(completion.finish_reason or "", ""), given)
    buttons = [[again, save] if completion.text else [again]]
    state = "stopped" if completion.finish_reason == "stopped" else "answered"
    link = LINK.search(completion.text) if answer.model["category"] == "image" else None
    if link:
        reply = Reply(foot, photo=link[0], buttons=buttons, question_id=question["id"])
    else:
        said = texts.answer(completion.text, foot)
        reply = Reply(said, is_markdown=True, buttons=buttons, question_id=question["id"])
    return state, completion.text or None, reply
