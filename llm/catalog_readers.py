"""How each gateway describes its models and providers."""

import re
import time
from collections.abc import Iterable
from typing import TypedDict

import unicode_text
from db import CatalogModel
from json_values import as_dict, as_list
from llm.models import is_free
from openrouter_client import Json

MAX_KEY_LENGTH = 200
MAX_LABEL_LENGTH = 100
MODEL_TYPES = ("text", "image", "audio", "video")  # of RVFreeLLM
CATEGORIES = ("text", "image")  # that the bot uses: it sends no sound and no video
# Names of models that turn texts into vectors or rank them: they answer no questions.
EMBEDDING_MODEL = re.compile(r"embed|rerank|minilm|(^|[/_.-])(bge|e5|gte)([/_.:-]|$)", re.IGNORECASE)


class Provider(TypedDict):
    """A provider of a gateway, as texts.providers() shows it."""

    name: str
    models: int
    latency_ms: float | None
    quality: float | None


def read_models(gateway: str, descriptions: Iterable[Json], *, allow_paid: bool) -> list[CatalogModel]:
    """Return the models that the bot can use; of several descriptions with the same key, the last one."""
    models = {}
    for description in descriptions:
        if gateway == "openrouter":
            model = _read_openrouter_model(description, allow_paid=allow_paid)
        elif gateway == "rvfreellm":
            model = _read_rvfreellm_model(description)
        else:
            model = _read_local_model(description)
        if model is not None:
            models[model["key"]] = model
    return list(models.values())


def read_provider(description: Json) -> Provider:
    """Return a provider of RVFreeLLM."""
    models, performance = description.get("models"), description.get("performance")
    name = str(description.get("name") or description.get("id") or "?")
    return {
        "name": unicode_text.storable(name[:MAX_LABEL_LENGTH]),
        "models": int(_number(models, "total") or 0),
        "latency_ms": _number(performance, "avg_latency_ms"),
        "quality": _number(performance, "avg_quality_score"),
    }


def _read_openrouter_model(description: Json, *, allow_paid: bool) -> CatalogModel | None:
    key = description.get("id")
    architecture = description.get("architecture")
    if not isinstance(key, str) or not isinstance(architecture, dict):
        return None
    reads_text = "text" in _inputs(description)
    writes_only_text = architecture.get("output_modalities") == ["text"]
    if not reads_text or not writes_only_text or _is_expired(description.get("expiration_date")):
        return None
    if key.endswith(":free") and not _costs_nothing(description.get("pricing")):
        return None
    if not is_free("openrouter", key) and not allow_paid:
        return None
    sees_images = "image" in _inputs(description)
    return _catalog_model(key, description.get("name"), description.get("context_length"), sees_images=sees_images)


def _read_rvfreellm_model(description: Json) -> CatalogModel | None:
    name = description.get("id")
    provider = description.get("provider")
    category = description.get("category")
    if not isinstance(name, str) or not isinstance(provider, str) or category not in CATEGORIES:
        return None
    return _catalog_model(f"{provider}/{name}", f"{name} ({provider})", None, category)


def _read_local_model(description: Json) -> CatalogModel | None:
    key = description.get("id")
    if not isinstance(key, str) or EMBEDDING_MODEL.search(key):
        return None
    meta = description.get("meta")
    in_use = meta.get("n_ctx") if isinstance(meta, dict) else None  # llama.cpp: the context that it has allocated
    context_length = in_use or description.get("context_length") or description.get("max_model_len")
    return _catalog_model(key, key, context_length, sees_images="image" in _inputs(description))


def _catalog_model(
    key: str, label: object, context_length: object, category: str = "text", *, sees_images: bool = False
) -> CatalogModel | None:
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        return None
    if not isinstance(label, str) or not label.strip():
        label = key
    if not isinstance(context_length, int) or not 0 < context_length < 2**31:
        context_length = None
    return {
        "key": unicode_text.storable(key),
        "label": unicode_text.storable(label[:MAX_LABEL_LENGTH]),
        "context_length": context_length,
        "category": category,
        "sees_images": sees_images,
    }


def _inputs(description: Json) -> list[object]:
    """Return what a model accepts ("text", "image", …); [] if the gateway does not say."""
    return as_list(as_dict(description.get("architecture")).get("input_modalities"))


def _costs_nothing(pricing: object) -> bool:
    prices = pricing.values() if isinstance(pricing, dict) else []
    return all(str(price) in ("0", "0.0", "None") for price in prices if not isinstance(price, dict | list))


def _is_expired(expiration_date: object) -> bool:
    """Return whether a date ("YYYY-MM-DD…") is today or in the past, in UTC."""
    if not isinstance(expiration_date, str) or not expiration_date:
        return False
    return expiration_date[:10] <= time.strftime("%Y-%m-%d", time.gmtime())


def _number(fields: object, name: str) -> float | None:
    """Return a finite number in an object of the gateway; None if there is none."""
    value = fields.get(name) if isinstance(fields, dict) else None
    return float(value) if isinstance(value, int | float) and 0 <= value < 2**53 else None
