"""Which models a question is for, and which one gets it if that cannot answer it."""

from collections.abc import Mapping

import db
from config import Gateway
from llm import free_router
from llm.catalog import fetch_catalog
from llm.models import ROUTER_GATEWAY, fallback_models, model_for, ready_gateways

MAX_COMPARED_MODELS = 3


def models_for(kind: str, user_id: int, chat_id: int, *, allow_paid: bool) -> list[db.Model]:
    """Return the active model of the person, or for a comparison several available ones."""
    active = model_for(user_id, chat_id, allow_paid=allow_paid)
    if kind != "compare":
        return [active]
    models = [active, *fallback_models(active, allow_paid=allow_paid)]
    available = [model for model in models if model["available"] and model["gateway"] != ROUTER_GATEWAY]
    return available[:MAX_COMPARED_MODELS] or [active]


def first_model(
    chosen: db.Model, text: str, gateways: Mapping[str, Gateway], *, allow_paid: bool, needs_sight: bool
) -> db.Model:
    """Return the model to ask a question first; OpenRouterError if there is none.

    In place of the free-model router, that is the model which it picks; if the gateway of the model lacks a key,
    the first model of a gateway that is ready.
    """
    model = free_router.route(chosen, text, gateways, needs_sight=needs_sight)
    ready = ready_gateways(gateways)
    if model["gateway"] in ready or not ready:
        return model
    candidates = fallback_models(model, allow_paid=allow_paid, gateways=ready)
    if not candidates:  # right after the first start, the lists may not have arrived yet
        for name in sorted(ready):
            fetch_catalog(gateways[name], allow_paid=allow_paid)
        candidates = fallback_models(model, allow_paid=allow_paid, gateways=ready)
    return candidates[0] if candidates else model
