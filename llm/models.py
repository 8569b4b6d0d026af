"""Which models are free, which cost money, and which model answers in place of another."""

import db

FREE_ROUTER = "openrouter/free"  # OpenRouter picks any free model itself
ROUTER_GATEWAY = "router"  # no gateway: the entry of free_router.py, which picks a model for each question


def is_free(gateway: str, key: str) -> bool:
    """Return whether a model is one of OpenRouter's free models; requests to these are limited per account."""
    return gateway == "openrouter" and (key.endswith(":free") or key == FREE_ROUTER)


def is_paid(model: db.Model) -> bool:
    """Return whether OpenRouter charges the owner for a model."""
    return model["gateway"] == "openrouter" and not is_free(model["gateway"], model["key"])


def fallback_models(first: db.Model, *, allow_paid: bool) -> list[db.Model]:
    """Return the available models that may answer when `first` fails, in the order in which to ask them.

    They answer with the same kind of content (text or image). Paid models are included only with allow_paid.
    """
    candidates = _candidates(first, allow_paid=allow_paid)
    return [model for model in candidates if model["category"] == first["category"]]


def replacement_model(vanished: db.Model, *, allow_paid: bool) -> db.Model | None:
    """Return the model that becomes the active one after it vanished: a text model, if any is available."""
    candidates = _candidates(vanished, allow_paid=allow_paid)
    text_models = [model for model in candidates if model["category"] == "text"]
    return next(iter(text_models or candidates), None)


def _candidates(first: db.Model, *, allow_paid: bool) -> list[db.Model]:
    """Return the other available models: first those of the same gateway, then by id, beginning after `first`."""

    def order(model: db.Model) -> tuple[bool, bool, int]:
        return model["gateway"] != first["gateway"], model["id"] < first["id"], model["id"]

    models = [model for model in db.list_models() if model["gateway"] != ROUTER_GATEWAY]
    others = [model for model in models if model["id"] != first["id"] and model["available"]]
    return sorted((model for model in others if allow_paid or not is_paid(model)), key=order)
