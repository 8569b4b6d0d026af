"""Which model gets a question first: the chosen one, or another one if that cannot answer it."""

from collections.abc import Mapping

import db
from config import Gateway
from llm import free_router
from llm.catalog import fetch_catalog
from llm.models import fallback_models, ready_gateways


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
