"""The catalog: fetches the list of models from each gateway at start, once a day, and when a model proves missing.

A gateway that fails leaves its last list as it is. A model that has vanished keeps its number.
"""

import logging
import math
from collections.abc import Callable

import clock
import config
import db
import openrouter_client
import storage
import texts
from config import Gateway, Settings
from llm.catalog_readers import CATEGORIES, MODEL_TYPES, read_models, read_provider
from llm.models import ready_gateways, replacement_model
from openrouter_client import OpenRouterError
from telegram.keyed_executor import KeyedExecutor

log = logging.getLogger(__name__)

ALL_GATEWAYS = "all"  # a key of the executor, beside the names of the gateways
REFETCH_INTERVAL_S = clock.DAY_S
MIN_REFETCH_INTERVAL_S = {"rvfreellm": 600.0}  # this gateway asks its clients not to fetch the list more often
QUICK_RETRIES = 2
QUICK_RETRY_S = 2.0
SLOW_RETRY_S = 3600.0


class Catalog:
    """Fetches the lists of models on a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._executor: KeyedExecutor[str] = KeyedExecutor("catalog", self._work, max_threads=1)
        self._failures = dict.fromkeys(config.GATEWAY_NAMES, 0)  # in a row

    def start(self) -> None:
        """Fetch all lists now, and again every day."""
        self._executor.wake(ALL_GATEWAYS)

    def stop(self) -> None:
        """Fetch nothing more."""
        self._executor.stop(grace_s=0, linger_s=0)

    def refresh(self) -> None:
        """Fetch the lists of all configured gateways, in the background."""
        for gateway in openrouter_client.load_gateways():
            self._executor.wake(gateway)

    def report_missing_model(self, gateway: str) -> None:
        """Fetch a gateway's list, in the background: it did not have a model that is on the list."""
        self._executor.wake(gateway)

    def forget_absent_gateways(self) -> None:
        """Mark the models of gateways that are no longer configured as unavailable."""
        present = config.load_gateways()
        for gateway in config.GATEWAY_NAMES:
            if gateway not in present and math.isfinite(db.catalog_age_s(gateway)):
                with storage.transaction():
                    db.forget_catalog(gateway)
                    _replace_vanished_active_model(allow_paid=self._settings.allow_paid_models, is_reported=True)

    def _work(self, key: str) -> float | None:
        if key != ALL_GATEWAYS:
            return self._fetch(key)
        try:
            self.refresh()
        except OpenRouterError as error:
            log.warning("the lists of models cannot be fetched: %s", error)
            return SLOW_RETRY_S
        return REFETCH_INTERVAL_S

    def _fetch(self, name: str) -> float | None:
        """Fetch one list; return the seconds until the next attempt, None if this one succeeded."""
        try:
            gateway = openrouter_client.load_gateways().get(name)
            if gateway is not None:
                fetch_catalog(gateway, allow_paid=self._settings.allow_paid_models)
        except OpenRouterError as error:
            self._failures[name] += 1
            log.warning("could not fetch the models of %s: HTTP %d", name, error.status)
            if self._failures[name] > QUICK_RETRIES:
                return SLOW_RETRY_S
            return QUICK_RETRY_S * self._failures[name]
        self._failures[name] = 0
        return None


def fetch_catalog(
    gateway: Gateway,
    *,
    allow_paid: bool,
    on_change: Callable[[int, int], None] = lambda new, vanished: None,  # noqa: ARG005
) -> tuple[int, int]:
    """Fetch a gateway's list of models; return how many models are new and how many have vanished.

    on_change() gets both numbers inside the transaction that stores the list. OpenRouterError if the list cannot
    be fetched; the stored list then stays as it is.
    """
    # A list from the future was fetched while the clock was ahead.
    if 0 <= db.catalog_age_s(gateway.name) < MIN_REFETCH_INTERVAL_S.get(gateway.name, 0.0):
        return 0, 0
    models = read_models(gateway.name, openrouter_client.fetch_models(gateway), allow_paid=allow_paid)
    if not models:  # more likely a fault of the gateway than the truth
        raise OpenRouterError(502, texts.bad_answer(gateway.name))
    with storage.transaction():
        is_first = math.isinf(db.catalog_age_s(gateway.name))
        new, vanished = db.update_catalog(gateway.name, models)
        _replace_vanished_active_model(allow_paid=allow_paid, is_reported=not is_first)
        on_change(new, vanished)
    log.info("%s: %d models, %d new, %d vanished", gateway.name, len(models), new, vanished)
    return new, vanished


def refresh_all(
    settings: Settings,
    changes: dict[str, list[int]] | None = None,
    on_change: Callable[[dict[str, list[int]]], None] = lambda changes: None,  # noqa: ARG005
) -> str:
    """Fetch all lists and return a report for the person who asked.

    `changes` are the numbers of new and vanished models by gateway, as an interrupted run stored them: these lists
    are not fetched again. on_change() gets the changes so far inside the transaction that stores a list.
    """
    changes = dict(changes or {})
    lines = []
    for gateway in openrouter_client.load_gateways().values():

        def record(new: int, vanished: int, name: str = gateway.name) -> None:
            changes[name] = [new, vanished]
            on_change(changes)

        try:
            if gateway.name in changes:
                new, vanished = changes[gateway.name]
            else:
                new, vanished = fetch_catalog(gateway, allow_paid=settings.allow_paid_models, on_change=record)
        except OpenRouterError as error:
            lines.append(texts.catalog_failed(gateway.name, error))
        else:
            lines.append(texts.catalog_line(gateway.name, new, vanished))
    return texts.catalog_refreshed(lines)


def describe_providers(name: str = "") -> str:
    """Return a list of RVFreeLLM's providers or, with the name of a provider or a type, a list of its models."""
    try:
        gateway = openrouter_client.load_gateways().get("rvfreellm")
        if gateway is None:
            return texts.NO_PROVIDERS
        if name in MODEL_TYPES:
            listed = openrouter_client.fetch_models_text(gateway, type=name) or texts.NOTHING_FOUND
            return listed if name in CATEGORIES else f"{listed}\n\n{texts.TYPE_NOT_USED}"
        if name:
            return openrouter_client.fetch_models_text(gateway, provider=name) or texts.NOTHING_FOUND
        return texts.providers(map(read_provider, openrouter_client.fetch_providers(gateway)))
    except OpenRouterError as error:
        return texts.answer_failed(error)


def _replace_vanished_active_model(*, allow_paid: bool, is_reported: bool) -> None:
    """Activate another model if the active one is unavailable.

    With is_reported, the next person who asks is told of it. A first list reports nothing: nobody has chosen the
    model that a new database begins with.
    """
    active = next((model for model in db.list_models() if model["active"]), None)
    if active is None or active["available"]:
        return
    ready = ready_gateways(config.load_gateways())  # without a key for OpenRouter, a local model takes over
    replacement = replacement_model(active, allow_paid=allow_paid, gateways=ready or None)
    if replacement is not None:
        db.set_active_model(replacement["id"])
        if is_reported:
            db.record_model_replacement(active["label"], replacement["label"])
