"""Questions meet models: written down first, asked on a thread of their own, answered through the outbox."""

import logging
from dataclasses import dataclass
from functools import partial

import db
import openrouter_client
import texts
from openrouter_client import OpenRouterError
from runtime.lanes import Lanes
from runtime.outbox import Outbox, Reply

log = logging.getLogger(__name__)

WORKERS = 50  # a worker does nothing but wait for a model
TIMEOUT_S = 90.0


@dataclass(frozen=True)
class Question:
    """What a handler returns to have a model asked."""

    text: str


class Answers:
    """Answers what db's questions hold: one person's in order, different people's side by side."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._lanes = Lanes("answers", self._answer_next, WORKERS)

    def start(self) -> None:
        """Answer what an earlier run left."""
        for user_id in db.users_waiting():
            self._lanes.wake(user_id)

    def stop(self) -> None:
        """Start no more questions. Those under way stay pending: the next run asks them again."""
        self._lanes.stop(grace_s=0, linger_s=0)

    def ask(self, question: Question, user_id: int, chat_id: int, message_id: int, asked_at: int) -> None:
        """Write a question down for the active model, to be asked once the transaction is committed."""
        model_id = db.get_active_model()["id"]
        db.add_question(user_id, chat_id, message_id, model_id, question.text, asked_at)
        db.on_commit(partial(self._lanes.wake, user_id))

    def _answer_next(self, user_id: int) -> float | None:
        """Answer a person's oldest question; None if nothing is left."""
        question = db.next_question(user_id)
        if question is None:
            return None
        answer, said = _ask_model(question["text"], question["model"], user_id)
        with db.transaction():
            db.finish_question(question["id"], answer)
            self._outbox.put(question["chat_id"], Reply(said), reply_to=question["message_id"])
        return 0.0


def _ask_model(question: str, model: str, user_id: int) -> tuple[str | None, str]:
    """Ask a model; return its answer (None if there is none) and what to say to the person."""
    messages = [{"role": "system", "content": texts.SYSTEM_PROMPT}, {"role": "user", "content": question}]
    try:
        completion = openrouter_client.chat_once(
            messages, model=model, timeout_s=TIMEOUT_S, user=f"telegram-{user_id}"
        )
    except OpenRouterError as error:
        return None, texts.answer_failed(error)
    except Exception:
        log.exception("a question could not be asked")
        return None, texts.FAILED
    return completion.text, texts.answer(completion.text, completion.latency_ms, model)
