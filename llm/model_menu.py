"""The list of models in the chat: pages with a button for each model, and switching the active model."""

import math

import db
import texts
from config import Settings
from llm.models import is_paid, model_for
from telegram.replies import Button, ButtonResult, HandlerResult, Reply

MODELS_PER_PAGE = 12


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


def _page(models: list[db.Model], page_number: int) -> Reply:
    """Return a page of the list: a button for each model to choose, a line for the active and unavailable ones."""
    pages = math.ceil(len(models) / MODELS_PER_PAGE)
    page_number = min(max(page_number, 1), pages)
    start = (page_number - 1) * MODELS_PER_PAGE
    shown = models[start : start + MODELS_PER_PAGE]
    buttons = [
        [Button(texts.model_button(model), f"model:{model['id']}")]
        for model in shown
        if model["available"] and not model["active"]
    ]
    turning = []
    if page_number > 1:
        turning.append(Button(texts.PREVIOUS, f"models:{page_number - 1}"))
    if page_number < pages:
        turning.append(Button(texts.NEXT, f"models:{page_number + 1}"))
    if turning:
        buttons.append(turning)
    return Reply(texts.model_list(shown, page_number, pages), buttons=buttons)


def _active_page_number(models: list[db.Model]) -> int:
    for index, model in enumerate(models):
        if model["active"]:
            return index // MODELS_PER_PAGE + 1
    return 1
