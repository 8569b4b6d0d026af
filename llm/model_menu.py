"""The list of models in the chat: pages with a button for each model, and switching the active model."""

import math
from typing import NamedTuple

import db
import texts
from config import Settings
from llm.models import is_paid, model_for
from telegram.replies import Button, ButtonResult, HandlerResult, Reply

MODELS_PER_PAGE = 12


class ModelPage(NamedTuple):
    """A page of a list of models."""

    models: list[db.Model]
    number: int  # from 1
    pages: int
    turn_buttons: list[list[Button]]  # a row, or nothing if there is only one page


def active_page() -> HandlerResult:
    """Return the page of the list that contains the active model."""
    models = _models()
    return _page(models, _active_page_number(models)) if models else texts.NO_MODELS


def active_model(settings: Settings, user_id: int, chat_id: int) -> str:
    """Name the active model, and the person's own if it differs."""
    if not db.list_models():
        return texts.NO_MODELS
    active = db.get_active_model()
    own = model_for(user_id, chat_id, allow_paid=settings.allow_paid_models)
    text = texts.model_active(active)
    return text if own["id"] == active["id"] else f"{text}\n{texts.own_model(own)}"


def turn_to(page_number: int) -> ButtonResult:
    """Turn to a page of the list; pages count from 1."""
    models = _models()
    return ButtonResult(edit=_page(models, page_number)) if models else ButtonResult()


def switch_from_list(settings: Settings, model_id: int) -> ButtonResult:
    """Activate a model and show the list with the star at its new place."""
    toast = switch(settings, model_id)
    models = _models()
    return ButtonResult(toast, edit=_page(models, _active_page_number(models)) if models else None)


def switch(settings: Settings, model_id: int) -> str:
    """Activate a model; return a sentence with the result."""
    if not db.list_models():
        return texts.NO_MODELS
    try:
        model = db.get_model(model_id)
    except ValueError:
        return texts.UNKNOWN_MODEL
    if is_paid(model) and not settings.allow_paid_models:
        return texts.model_paid(model)
    db.set_active_model(model_id)
    db.take_model_replacement()  # the person has chosen a model: the notice of the replacement is out of date
    return texts.model_switched(model) if model["available"] else texts.model_unavailable(model)


def _models() -> list[db.Model]:
    """Return all models: those that can be chosen first, then by id."""
    return sorted(db.list_models(), key=lambda model: (not model["available"], model["id"]))


def page_of(models: list[db.Model], page_number: int, turn: str) -> ModelPage:
    """Return a page of a list of models; `turn` names the buttons that turn the page."""
    pages = max(1, math.ceil(len(models) / MODELS_PER_PAGE))
    number = min(max(page_number, 1), pages)
    start = (number - 1) * MODELS_PER_PAGE
    buttons = []
    if number > 1:
        buttons.append(Button(texts.PREVIOUS, f"{turn}:{number - 1}"))
    if number < pages:
        buttons.append(Button(texts.NEXT, f"{turn}:{number + 1}"))
    return ModelPage(models[start : start + MODELS_PER_PAGE], number, pages, [buttons] if buttons else [])


def _page(models: list[db.Model], page_number: int) -> Reply:
    """Return a page of the list: a button for each model to choose, a line for the active and unavailable ones."""
    page = page_of(models, page_number, "models")
    buttons = [
        [Button(texts.model_button(model), f"model:{model['id']}")]
        for model in page.models
        if model["available"] and not model["active"]
    ]
    return Reply(texts.model_list(page.models, page.number, page.pages), buttons=[*buttons, *page.turn_buttons])


def _active_page_number(models: list[db.Model]) -> int:
    for index, model in enumerate(models):
        if model["active"]:
            return index // MODELS_PER_PAGE + 1
    return 1
