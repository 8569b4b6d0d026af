"""The answer cache: the same question of the same person to the same model, asked again soon, costs no request.

Only whole answers to questions without pictures and outside of conversations are kept. The button that asks again
is not answered from here.
"""

import hashlib
import json

import clock
import db
import db_people
import journal
import texts
from journal import QuestionRow
from llm.progress import CallResult
from openrouter_client import Completion

MAX_AGE_S = journal.CACHED_ANSWERS_KEPT_S


def find(question: QuestionRow) -> CallResult | None:
    """Return the cached answer to a question; None if a model has to answer it."""
    if question["is_repeat"] or not _can_be_cached(question):
        return None
    cached = journal.find_cached_answer(
        question["user_id"], question["model_id"], _key(question), clock.now() - MAX_AGE_S
    )
    if cached is None:
        return None
    completion = Completion(cached["answer"], 0, cached["model"], "cached")
    return CallResult(completion, db.get_model(cached["answered_by_id"]))


def store(question: QuestionRow, result: CallResult) -> None:
    """Keep a whole answer that is not from a fallback model. The row of the question must hold it already."""
    completion = result.completion
    if completion is None or completion.finish_reason != "stop" or not _can_be_cached(question):
        return
    is_by_another_model = result.fallback_from or completion.fallback_from
    if not is_by_another_model and result.model["category"] == "text":
        journal.add_cached_answer(question, _key(question), result.model["id"], completion.model)


def _can_be_cached(question: QuestionRow) -> bool:
    return question["kind"] == "ask" and question["parent_id"] is None and question["pictures"] == "[]"


def _key(question: QuestionRow) -> str:
    """Return a hash of what the model is sent besides its name."""
    own_instructions = db_people.settings_in_chat(question["user_id"], question["chat_id"])["prompt"]
    messages = json.dumps([texts.SYSTEM_PROMPT, own_instructions, question["text"]])
    return hashlib.sha256(messages.encode()).hexdigest()
