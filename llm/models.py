"""Which models are free, which cost money, and which model answers in place of another."""

from collections.abc import Collection, Mapping

import db
import db_people
from config import Gateway
from openrouter_client import FEATURES

FREE_ROUTER = "openrouter/free"  # OpenRouter picks any free model itself
ROUTER_GATEWAY = "router"  # no gateway: the entry of free_router.py, which picks a model for each question


def is_free(gateway: str, key: str) -> bool:
    """Return whether a model is one of OpenRouter's free models; requests to these are limited per account."""
    return gateway == "openrouter" and (key.endswith(":free") or key == FREE_ROUTER)


def is_paid(model: db.Model) -> bool:
    """Return whether OpenRouter charges the owner for a model."""
    return model["gateway"] == "openrouter" and not is_free(model["gateway"], model["key"])


def model_for(user_id: int, chat_id: int, *, allow_paid: bool) -> db.Model:
    """Return the model to ask in a chat: the person's own, or the active one that all share."""
    model_id = db_people.settings_in_chat(user_id, chat_id)["model_id"]
    if model_id is None:
        return db.get_active_model()
    model = db.get_model(model_id)
    return db.get_active_model() if is_paid(model) and not allow_paid else model


def ready_gateways(gateways: Mapping[str, Gateway]) -> set[str]:
    """Return the names of the gateways that have what they need to answer: a key, where they need one."""
    return {name for name, gateway in gateways.items() if gateway.api_key or not FEATURES[name].needs_key}


def may_search_web(gateway: str, *, allow_paid: bool) -> bool:
    """Return whether a gateway can search the web, and for free unless paid use is allowed."""
    features = FEATURES[gateway]
    return features.web_search_fields is not None and (allow_paid or not features.web_search_costs)


def fallback_models(
    first: db.Model,
    *,
    allow_paid: bool,
    gateways: Collection[str] | None = None,
    search_web: bool = False,
    needs_sight: bool = False,
) -> list[db.Model]:
    """Return the available models that may answer when `first` fails, in the order in which to ask them.

    They answer with the same kind of content (text or image). Paid models are included only with allow_paid.
    `gateways` are the gateways to use (None: all); with search_web, only those that can search the web; with
    needs_sight, only the free models that accept pictures.
    """
    candidates = [
        model
        for model in _candidates(first, allow_paid=allow_paid)
        if model["category"] == first["category"] and (gateways is None or model["gateway"] in gateways)
    ]
    if needs_sight:
        candidates = [model for model in candidates if model["sees_images"] and not is_paid(model)]
    if search_web:
        return [model for model in candidates if may_search_web(model["gateway"], allow_paid=allow_paid)]
    return candidates


def replacement_model(
    vanished: db.Model, *, allow_paid: bool, gateways: Collection[str] | None = None
) -> db.Model | None:
    """Return the model that becomes the active one after it vanished: a text model, if any is available.

    `gateways` are the gateways to use (None: all).
    """
    candidates = _candidates(vanished, allow_paid=allow_paid)
    candidates = [model for model in candidates if gateways is None or model["gateway"] in gateways]
    text_models = [model for model in candidates if model["category"] == "text"]
    return next(iter(text_models or candidates), None)


def _candidates(first: db.Model, *, allow_paid: bool) -> list[db.Model]:
    """Return the other available models: first those of the same gateway, then by id, beginning after `first`."""

    def order(model: db.Model) -> tuple[bool, bool, int]:
        return model["gateway"] != first["gateway"], model["id"] < first["id"], model["id"]

    models = [model for model in db.list_models() if model["gateway"] != ROUTER_GATEWAY]
    others = [model for model in models if model["id"] != first["id"] and model["available"]]
    return sorted((model for model in others if allow_paid or not is_paid(model)), key=order)
