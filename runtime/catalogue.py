"""The list of models stays true: fetched from each gateway, at start, once a day, and when one proves wrong.

A gateway that does not answer leaves the last good list as it is. A model that has vanished keeps its number.
"""

import logging
import math
import time
from typing import Any

import config
import db
import openrouter_client
import texts
from openrouter_client import OpenRouterError
from runtime.lanes import Lanes

log = logging.getLogger(__name__)

OLD_S = 86400.0
CACHED_S = {"rvfreellm": 600.0}  # a gateway that asks not to be asked more often
TRIES, RETRY_S = 3, 2.0
NAMES = tuple(config.GATEWAYS)


class Catalogue:
    """Fetches lists of models on a thread of its own."""

    def __init__(self) -> None:
        self._lanes = Lanes("catalogue", self._fetch, threads=1)
        self._tries = dict.fromkeys(NAMES, 0)

    def start(self) -> None:
        """Fetch all lists."""
        self.refresh()

    def let_go(self) -> None:
        """Forget the lists whose gateway is not set up any more."""
        for gateway in set(NAMES) - set(config.gateways()):
            if math.isfinite(db.catalogue_age_s(gateway)):
                db.forget_catalogue(gateway)

    def stop(self) -> None:
        """Fetch nothing more."""
        self._lanes.stop(grace_s=0, linger_s=0)

    def refresh(self, older_than_s: float = 0.0) -> None:
        """Have the lists fetched that are older than that, in seconds."""
        present = config.gateways()
        for number, gateway in enumerate(NAMES):
            if gateway in present and db.catalogue_age_s(gateway) > older_than_s:
                self._lanes.wake(number)

    def doubt(self, gateway: str) -> None:
        """Have a list fetched anew: a model on it was not there."""
        self._lanes.wake(NAMES.index(gateway))

    def _fetch(self, number: int) -> float | None:
        gateway = NAMES[number]
        try:
            fetch(gateway)
        except OpenRouterError as error:
            self._tries[gateway] += 1
            log.warning("the models of %s are not known: [%d]", gateway, error.status)
            if self._tries[gateway] < TRIES:
                return RETRY_S * self._tries[gateway]
        self._tries[gateway] = 0
        return None


def fetch(gateway: str) -> tuple[int, int]:
    """Fetch a gateway's models; return how many are new and how many vanished. OpenRouterError if it fails."""
    if db.catalogue_age_s(gateway) < CACHED_S.get(gateway, 0.0):
        return 0, 0
    described = openrouter_client.catalogue(gateway)
    models = [model for model in map(READERS[gateway], described) if model]
    if not models:  # a list without a single model is no list
        raise OpenRouterError(502, texts.BAD_ANSWER)
    new, vanished = db.update_catalogue(gateway, list({model["key"]: model for model in models}.values()))
    log.info("%s: %d models, %d new, %d vanished", gateway, len(models), new, vanished)
    return new, vanished


def refresh_now() -> str:
    """Fetch all lists at once, and say what came of it."""
    lines = []
    for gateway in config.gateways():
        try:
            lines.append(texts.catalogue_line(gateway, *fetch(gateway)))
        except OpenRouterError as error:
            lines.append(texts.catalogue_failed(gateway, error))
    return texts.catalogue_refreshed(lines)


def providers_now(name: str = "") -> str:
    """Ask the gateway that has providers for them, or for the models of one, and say what it tells."""
    if "rvfreellm" not in config.gateways():
        return texts.NO_PROVIDERS
    try:
        if name:
            return openrouter_client.models_text("rvfreellm", name) or texts.NOTHING_FOUND
        return texts.providers(map(_provider, openrouter_client.providers("rvfreellm")))
    except OpenRouterError as error:
        return texts.answer_failed(error)


# How each gateway describes a model: as our row, or None if it is not for us --------------------------------


def _openrouter(told: dict[str, Any]) -> db.Row | None:
    key = told.get("id")
    architecture = told.get("architecture")
    if not isinstance(key, str) or not isinstance(architecture, dict):
        return None
    speaks = "text" in _list(architecture.get("input_modalities")) and _list(
        architecture.get("output_modalities")
    ) == ["text"]
    if not speaks or _is_expired(told.get("expiration_date")):
        return None
    is_free = key == "openrouter/free" or (key.endswith(":free") and _costs_nothing(told.get("pricing")))
    if not is_free and (not config.allows_paid_models() or key.endswith(":free")):
        return None
    return _row(key, told.get("name"), told.get("context_length"))


def _rvfreellm(told: dict[str, Any]) -> db.Row | None:
    model, provider, category = told.get("id") or told.get("model"), told.get("provider"), told.get("category")
    if not isinstance(model, str) or not isinstance(provider, str) or category not in ("text", "image"):
        return None
    meta = told.get("meta")
    context_length = meta.get("context_length") if isinstance(meta, dict) else None
    return _row(f"{provider}/{model}", f"{model} ({provider})", context_length, category)


def _local(told: dict[str, Any]) -> db.Row | None:
    key = told.get("id")
    return (
        _row(key, key, told.get("context_length") or told.get("max_model_len")) if isinstance(key, str) else None
    )


READERS = {"openrouter": _openrouter, "rvfreellm": _rvfreellm, "local": _local}


def _row(key: str, label: Any, context_length: Any, category: str = "text") -> db.Row | None:
    if not 0 < len(key) <= 200:
        return None
    label = label if isinstance(label, str) and label.strip() else key
    context = context_length if isinstance(context_length, int) and 0 < context_length < 2**31 else None
    return {
        "key": texts.storable(key),
        "label": texts.storable(label[:100]),
        "context_length": context,
        "category": category,
    }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _costs_nothing(pricing: Any) -> bool:
    prices = pricing.values() if isinstance(pricing, dict) else []
    return all(str(price) in ("0", "0.0", "None") for price in prices if not isinstance(price, dict | list))


def _is_expired(date: Any) -> bool:
    return isinstance(date, str) and bool(date) and date[:10] <= time.strftime("%Y-%m-%d", time.gmtime())


def _provider(told: dict[str, Any]) -> db.Row:
    def number(*names: str) -> float | None:
        value = next((told[name] for name in names if isinstance(told.get(name), int | float)), None)
        return float(value) if value is not None else None

    models = told.get("models")
    return {
        "name": texts.storable(str(told.get("name") or told.get("provider") or "?")[:100]),
        "models": len(models) if isinstance(models, list) else int(number("models", "models_count") or 0),
        "latency_ms": number("mean_latency_ms", "avg_latency_ms", "latency_ms"),
        "quality": number("quality_score", "avg_quality", "quality"),
    }
