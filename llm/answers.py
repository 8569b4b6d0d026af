"""Questions to models: stored first, then answered on threads of their own, through the outbox.

Two threads serve one question. The first shows the growing answer, reacts to Stop and stores the result. The
second calls models (see model_caller.py) and may block in the network.
"""

import dataclasses
import json
import logging
import threading
import time
from functools import partial

import db
import db_people
import journal
import openrouter_client
import storage
import texts
from config import Settings
from journal import QuestionKey, QuestionRow
from llm import answer_cache, pictures
from llm.answer_reply import build_reply
from llm.catalog import Catalog
from llm.costs import CostLookup
from llm.gateway_pace import GatewayPace
from llm.model_caller import ModelCaller
from llm.model_choice import first_model, models_for
from llm.progress import CallResult, QuestionProgress
from llm.prompts import Prompt, build_prompt
from llm.queue_positions import QueuePositions
from llm.quota import check_question_quota
from llm.rate_limiter import WINDOW_S, RateLimiter
from llm.speech import SpeechError, SpeechToText
from llm.spoken_questions import hear, is_unheard
from openrouter_client import FEATURES, OpenRouterError
from telegram.drafts import Draft, Drafts
from telegram.keyed_executor import KeyedExecutor
from telegram.outbox import Outbox
from telegram.replies import Question, Reply
from telegram.transport import Telegram

log = logging.getLogger(__name__)

# Each takes two threads that only wait, and 0.27 MiB (docs/benchmarks.md). A person has at most three.
MAX_QUESTIONS_IN_PROGRESS = 200
MAX_ATTEMPTS = 3  # to answer a question whose result cannot be stored


class Answers:
    """Answers the stored questions: those of one person in order, those of different people in parallel."""

    def __init__(
        self, settings: Settings, telegram: Telegram, outbox: Outbox, catalog: Catalog, speech: SpeechToText
    ) -> None:
        self._settings = settings
        self._telegram = telegram
        self._outbox = outbox
        self._catalog = catalog
        self._speech = speech
        self._executor: KeyedExecutor[QuestionKey] = KeyedExecutor(
            "answers", self._answer_next, MAX_QUESTIONS_IN_PROGRESS
        )
        self._drafts = Drafts(telegram)
        self._queue_positions = QueuePositions(self._executor.waiting_keys, self._open_draft)
        self._costs = CostLookup()
        self._in_progress: dict[int, QuestionProgress] = {}  # by question
        self._failed_attempts: dict[int, int] = {}  # by question
        now = time.time()
        ages_s = [now - requested_at for requested_at in journal.free_request_times(int(now - WINDOW_S))]
        self._rate_limiter = RateLimiter(settings.free_requests_per_minute, ages_s)
        self._paces = {
            name: GatewayPace(features.requests_per_minute)
            for name, features in FEATURES.items()
            if features.requests_per_minute
        }

    def start(self) -> None:
        """Answer the questions that an earlier run left pending."""
        for key in journal.pending_question_keys():
            self._executor.wake(key)
        self._queue_positions.wake()
        self._costs.wake()

    def stop(self) -> None:
        """Start no more questions. Those in progress stay pending, and the next run asks them again."""
        self._executor.stop(grace_s=0, linger_s=0)
        self._queue_positions.stop()
        self._drafts.stop()
        self._costs.stop()

    # Called while an update is handled, inside its transaction

    def ask(
        self,
        question: Question,
        *,
        user_id: int,
        chat_id: int,
        message_id: int,
        asked_at: int,
        is_private: bool,
        thread_id: int | None = None,
    ) -> None:
        """Store a question, to be answered after the commit; AccessDenied if the person has asked too many.

        message_id is the message that the answer replies to; asked_at is in Unix seconds.
        """
        zone = db_people.zone_in_chat(user_id, chat_id, self._settings.timezone)
        check_question_quota(self._settings, user_id, asked_at, zone)
        if replacement := db.take_model_replacement():
            self._outbox.put(chat_id, Reply(texts.model_vanished(replacement)), thread_id=thread_id)
        for number, model in enumerate(
            models_for(question.kind, user_id, chat_id, allow_paid=self._settings.allow_paid_models)
        ):
            is_parallel = number > 0
            question_id = journal.add_question(
                {
                    "user_id": user_id,
                    "chat_id": chat_id,
                    "message_id": message_id,
                    "is_private": is_private,
                    "kind": question.kind,
                    "is_parallel": is_parallel,
                    "parent_id": question.parent_id,
                    "model_id": model["id"],
                    "text": question.text,
                    "asked_at": asked_at,
                    "is_repeat": question.is_repeat,
                    "thread_id": thread_id,
                    "pictures": json.dumps(question.pictures),
                    "speech": json.dumps(dataclasses.asdict(question.speech)) if question.speech else None,
                }
            )
            key = journal.question_key(user_id, question_id, is_parallel)
            storage.on_commit(partial(self._executor.wake, key, question.delay_s))
        storage.on_commit(self._queue_positions.wake)

    def stop_question(self, chat_id: int, question_id: int) -> None:
        """End a question with the text that has arrived so far."""
        if journal.stop_question(chat_id, question_id):
            storage.on_commit(partial(self._stop_progress, question_id))

    def _stop_progress(self, question_id: int) -> None:
        progress = self._in_progress.get(question_id)
        if progress is not None:
            progress.stop()

    # The thread that shows the answer

    def _answer_next(self, key: QuestionKey) -> float | None:
        """Answer the next question of a key; return None if there is none."""
        question = journal.next_question(*key)
        if question is None:
            return None
        if is_unheard(question):
            return self._hear(question)
        progress = QuestionProgress()
        self._in_progress[question["id"]] = progress
        try:
            # Look for an earlier Stop only now: a later one finds the question in self._in_progress.
            if journal.is_question_stopped(question["id"]):
                progress.stop()
            self._answer(question, progress)
        except Exception as error:
            if storage.is_unavailable(error) or not self._is_given_up(question):
                raise  # the executor calls again later
            log.exception("question %d is given up", question["id"])
            self._store_reply(question, "failed", None, Reply(texts.FAILED))
        finally:
            del self._in_progress[question["id"]]
        self._failed_attempts.pop(question["id"], None)
        return 0.0

    def _hear(self, question: QuestionRow) -> float:
        """Put a spoken question into words; return the seconds until it can be answered, or heard again."""
        try:
            hear(self._speech, question)
        except SpeechError as error:
            if error.retry_after_s is None:
                self._store_reply(question, "failed", None, Reply(str(error)))
            return error.retry_after_s or 0.0
        return 0.0

    def _is_given_up(self, question: QuestionRow) -> bool:
        """Count a failed attempt; return whether it was the last one. Each attempt costs a request to a model."""
        attempts = self._failed_attempts.get(question["id"], 0) + 1
        self._failed_attempts[question["id"]] = attempts
        return attempts >= MAX_ATTEMPTS

    def _answer(self, question: QuestionRow, progress: QuestionProgress) -> None:
        prompt = build_prompt(question, self._settings.timezone)
        if question["kind"] == "note_ask" and not prompt.notes:
            self._store_reply(question, "failed", None, Reply(texts.NO_SIMILAR_NOTES))
            return
        model = db.get_model(question["model_id"])
        call_models = partial(self._call_models, question, model, prompt, progress)
        try:
            threading.Thread(target=call_models, name="model caller", daemon=True).start()
        except RuntimeError:  # no other thread can start: this one calls, and shows nothing meanwhile
            call_models()
        storage.close_thread()  # while many questions wait, they must not hold two open files each
        self._show_until_settled(question, progress)
        result = progress.result or CallResult(progress.stopped_completion(), progress.model or model)
        self._finish(question, prompt, result)

    def _open_draft(self, question: QuestionRow) -> Draft:
        return self._drafts.open(
            question["chat_id"],
            question["id"],
            is_private=_is_shown_while_growing(question),
            thread_id=question["thread_id"],
        )

    def _show_until_settled(self, question: QuestionRow, progress: QuestionProgress) -> None:
        draft = self._open_draft(question)
        while not progress.is_settled():
            text = progress.text
            position = progress.visible_queue_position()
            if position:
                draft.show(texts.queue_position(position), is_markdown=False)
            else:
                draft.show(text)
            progress.wait_for_change(text, draft.seconds_until_next(), draft.seconds_until_stale())
        draft.close()

    def _finish(self, question: QuestionRow, prompt: Prompt, result: CallResult) -> None:
        """Store the ledger row, the answer and the reply in one transaction."""
        completion = result.completion
        state, answer = "failed", None
        if completion is not None:
            state = "stopped" if completion.finish_reason == "stopped" else "answered"
            answer = completion.text or None
        with storage.transaction():
            if result.ledger_row:
                journal.add_llm_request(result.ledger_row)
            if completion is not None and completion.finish_reason == "cut":
                storage.on_commit(self._costs.wake)
            if result.fallback_from and not db.get_model(question["model_id"])["available"]:
                db.take_model_replacement()  # the footer of this answer already says what replaced the model
            reply = build_reply(question, prompt.notes, result, prompt.zone)
            self._store_reply(question, state, answer, reply)
            answer_cache.store(question, result)

    def _store_reply(self, question: QuestionRow, state: str, answer: str | None, reply: Reply) -> None:
        with storage.transaction():
            journal.finish_question(question["id"], state, answer)
            reply_to = question["message_id"] or None
            self._outbox.put(question["chat_id"], reply, reply_to, question["thread_id"])

    # The thread that calls models

    def _call_models(
        self, question: QuestionRow, model: db.Model, prompt: Prompt, progress: QuestionProgress
    ) -> None:
        try:
            result = self._get_answer(question, model, prompt, progress)
            if not progress.finish(result):  # after Stop, the other thread does not wait for this result
                if result.ledger_row:
                    journal.add_llm_request(result.ledger_row)
                self._costs.wake()
        finally:
            storage.close_thread()

    def _get_answer(
        self, question: QuestionRow, model: db.Model, prompt: Prompt, progress: QuestionProgress
    ) -> CallResult:
        try:
            if cached := answer_cache.find(question):
                return cached
            gateways = openrouter_client.load_gateways()
            shown = pictures.download(self._telegram, question, progress.is_stopped)
            prompt = dataclasses.replace(prompt, pictures=shown)
            allow_paid = self._settings.allow_paid_models
            caller = ModelCaller(
                question,
                first_model(model, question["text"], gateways, allow_paid=allow_paid, needs_sight=bool(shown)),
                prompt,
                progress,
                settings=self._settings,
                gateways=gateways,
                rate_limiter=self._rate_limiter,
                paces=self._paces,
                on_missing_model=self._catalog.report_missing_model,
                is_streamed=_is_shown_while_growing(question),
            )
            storage.close_thread()  # as in _answer()
            return caller.run()
        except OpenRouterError as error:  # a setting of a gateway is wrong
            return CallResult(None, model, error=error)
        except Exception:
            log.exception("question %d failed", question["id"])
            return CallResult(None, model)


def _is_shown_while_growing(question: QuestionRow) -> bool:
    """Return whether the person sees the answer grow: only in private chats, and not several answers at once."""
    return bool(question["is_private"]) and question["kind"] != "compare"
