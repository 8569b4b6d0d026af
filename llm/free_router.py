"""The entry "Free model by task" of /models: it picks a free model for each question.

The kinds of tasks and the preferred models come from two examples of a page on OpenRouter's free models (its
functions select_model and smart_router). Models come and go, so each kind also has a rule for any list of models.
"""

from collections.abc import Callable, Collection, Mapping
from enum import Enum

import db
import texts
from config import Gateway
from llm.models import FREE_ROUTER, ROUTER_GATEWAY, is_paid, ready_gateways
from openrouter_client import ErrorKind, OpenRouterError

LONG_TEXT = 5000  # characters; the limit of the page's smart_router


class Task(Enum):
    """The kind of a question."""

    CODE = "code"
    LONG_TEXT = "long text"
    IMAGE = "image"
    GENERAL = "general"


PREFERRED_MODELS: dict[Task, tuple[str, ...]] = {  # keys of models, the best first
    Task.CODE: ("mistralai/devstral-2512:free", "qwen/qwen-3-coder:free"),
    Task.LONG_TEXT: ("meta-llama/llama-3.1-405b-instruct:free",),
    Task.IMAGE: (),
    Task.GENERAL: ("meta-llama/llama-3.3-70b-instruct:free",),
}
CODE_MODEL_WORDS = ("code", "devstral")  # in the key of a model for programmers


def task_of(question: str) -> Task:
    """Return the kind of a question, from its words and its length."""
    if texts.DRAWING_WORDS.search(question):
        return Task.IMAGE
    if texts.CODE_WORDS.search(question):
        return Task.CODE
    return Task.LONG_TEXT if len(question) > LONG_TEXT else Task.GENERAL


def select_model(task: Task, models: Collection[db.Model]) -> db.Model | None:
    """Return the best of several models for a task: a preferred one, or the first that its rule likes most."""
    for key in PREFERRED_MODELS[task]:
        for model in models:
            if model["key"] == key:
                return model
    if task is not Task.IMAGE:
        models = [model for model in models if model["category"] == "text"]
    return max(models, key=_RULES[task], default=None)


def route(
    chosen: db.Model, question: str, gateways: Mapping[str, Gateway], *, needs_sight: bool = False
) -> db.Model:
    """Return the model to ask: `chosen`, or if that is the router's entry, a free model of these gateways.

    Gateways that lack a key come last. With needs_sight, only models that accept pictures count.
    OpenRouterError if there is no free model.
    """
    if chosen["gateway"] != ROUTER_GATEWAY:
        return chosen
    ready = ready_gateways(gateways)
    available = [model for model in db.list_models() if model["available"] and not is_paid(model)]
    if needs_sight:
        available = [model for model in available if model["sees_images"]]
    free = [model for model in available if model["gateway"] in ready]
    free = free or [model for model in available if model["gateway"] in gateways]
    selected = select_model(task_of(question), free)
    if selected is None:
        msg = texts.NO_SEEING_MODEL if needs_sight else texts.NO_FREE_MODEL
        raise OpenRouterError(404, msg, ErrorKind.SETUP)
    return selected


def _is_for_code(model: db.Model) -> bool:
    return any(word in model["key"].lower() for word in CODE_MODEL_WORDS)


def _suits_general(model: db.Model) -> bool:
    return not _is_for_code(model) and model["key"] != FREE_ROUTER


# How well a model suits a task; of equal models the first one wins.
_RULES: dict[Task, Callable[[db.Model], int]] = {
    Task.CODE: _is_for_code,
    Task.LONG_TEXT: lambda model: model["context_length"] or 0,
    Task.IMAGE: lambda model: model["category"] == "image",
    Task.GENERAL: _suits_general,
}
