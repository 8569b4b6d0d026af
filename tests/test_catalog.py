"""Tests of llm/catalog.py and llm/catalog_readers.py: the lists of models stay true, and numbers never change.

- updates: new, vanished, returning and renamed models; free and usable models only
- responses that are not a list: pages, errors, half-broken and slow ones
- each gateway's own descriptions, and RVFreeLLM's providers
- the background thread: retries, the daily refetch, missing models, gateways that are no longer configured
"""

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from conftest import eventually

import config
import db
import openrouter_client
import storage
import texts
from llm import catalog
from llm.catalog import Catalog, fetch_catalog
from llm.models import replacement_model
from openrouter_client import OpenRouterError
from sandbox import telegram
from sandbox.openrouter import SEED_MODELS, EmulatedGateway, describe_model, rvfreellm


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, openrouter_url: str, database: Path) -> None:  # noqa: ARG001
    monkeypatch.setenv("TOKEN", telegram.TOKEN)
    monkeypatch.setenv("OPENROUTER_BASE_URL", openrouter_url)


@pytest.fixture
def rvfreellm_gateway(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> EmulatedGateway:
    emulated: EmulatedGateway = request.getfixturevalue("rvfreellm")
    monkeypatch.setenv("RVFREELLM_BASE_URL", emulated.url)
    monkeypatch.setenv("RVFREELLM_API_KEY", "rvf_key")
    return emulated


def fetch(gateway: str, *, allow_paid: bool = False) -> tuple[int, int]:
    return fetch_catalog(config.load_gateways()[gateway], allow_paid=allow_paid)


def list_of(*models: dict[str, Any]) -> dict[str, Any]:
    return {"data": list(models)}


def models_by_key() -> dict[str, tuple[int, int]]:
    """Return key → (number, available)."""
    return {model["key"]: (model["id"], model["available"]) for model in db.list_models()}


# Updates


def test_new_models_are_added_and_vanished_ones_keep_their_numbers(gateway: EmulatedGateway) -> None:
    gateway.catalog = list_of(describe_model("google/gemma-4-31b-it:free"), describe_model("new/one:free"))
    assert fetch("openrouter") == (1, 5)
    assert models_by_key()["google/gemma-4-31b-it:free"] == (5, 1)
    assert models_by_key()["new/one:free"] == (11, 1)
    assert models_by_key()["cohere/north-mini-code:free"] == (9, 0)
    gateway.catalog = list_of(describe_model("cohere/north-mini-code:free"))
    assert fetch("openrouter") == (0, 2)
    assert models_by_key()["cohere/north-mini-code:free"] == (9, 1)
    assert models_by_key()["new/one:free"] == (11, 0)


def test_labels_and_context_lengths_are_updated(gateway: EmulatedGateway) -> None:
    key = "google/gemma-4-31b-it:free"
    gateway.catalog = list_of(describe_model(key, "Gemma, renamed", context_length=1000))
    fetch("openrouter")
    model = db.get_model(5)
    assert (model["label"], model["context_length"]) == ("Gemma, renamed", 1000)


def test_a_vanished_active_model_is_replaced_and_this_is_reported_once(gateway: EmulatedGateway) -> None:
    db.set_active_model(7)
    fetch("openrouter")
    keys = [key for key in SEED_MODELS if not key.startswith("nvidia/")]
    gateway.catalog = list_of(*map(describe_model, keys))
    fetch("openrouter")
    assert db.get_active_model()["id"] == 9
    replacement = db.take_model_replacement()
    assert replacement
    assert (replacement["vanished"], replacement["active"]) == (
        "Nemotron 3.5 Lightning (free)",
        "cohere/north-mini-code:free",
    )
    assert db.take_model_replacement() is None


def test_a_new_database_does_not_report_that_its_first_model_vanished(gateway: EmulatedGateway) -> None:
    gateway.catalog = list_of(describe_model("new/one:free"))
    fetch("openrouter")
    assert db.get_active_model()["key"] == "new/one:free"
    assert db.take_model_replacement() is None


@pytest.mark.parametrize(
    ("model", "free", "paid"),
    [
        (describe_model("a/b:free"), True, True),
        (describe_model("openrouter/free"), True, True),
        (describe_model("a/b"), False, True),
        (describe_model("openrouter/auto", pricing={"prompt": "-1", "completion": "-1"}), False, True),
        (describe_model("a/b:free", pricing={"prompt": "0.001", "completion": "0"}), False, False),
        (describe_model("a/b:free", expiration_date="2020-01-01"), False, False),
        (describe_model("a/b:free", expiration_date="2999-01-01"), True, True),
        (describe_model("a/b:free", expiration_date=None), True, True),
        (
            describe_model(
                "a/b:free", architecture={"input_modalities": ["image"], "output_modalities": ["text"]}
            ),
            False,
            False,
        ),
        (
            describe_model(
                "a/b:free", architecture={"input_modalities": ["text"], "output_modalities": ["image"]}
            ),
            False,
            False,
        ),
        (
            describe_model(
                "a/b:free", architecture={"input_modalities": ["text", "image"], "output_modalities": ["text"]}
            ),
            True,
            True,
        ),
        ({"id": "a/b:free"}, False, False),
        ({"id": None, "architecture": {}}, False, False),
        (describe_model("x" * 300 + ":free"), False, False),
    ],
)
def test_only_free_and_usable_models_are_listed(
    gateway: EmulatedGateway, model: dict[str, Any], free: bool, paid: bool
) -> None:
    gateway.catalog = list_of(model, describe_model("always/there:free"))
    for allow_paid, is_listed in ((False, free), (True, paid)):
        fetch("openrouter", allow_paid=allow_paid)
        assert (models_by_key().get(model["id"], (0, 0))[1] == 1) is is_listed


def test_four_hundred_models(gateway: EmulatedGateway) -> None:
    gateway.catalog = list_of(*(describe_model(f"vendor/model-{number}") for number in range(400)))
    assert fetch("openrouter", allow_paid=True) == (400, 6)
    assert len(db.list_models()) == 411


# Responses that are not a list


async def _html() -> web.StreamResponse:
    return web.Response(text="<html>Just a moment…</html>", content_type="text/html")


async def _slow() -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


@pytest.mark.parametrize(
    "response",
    [
        500,
        404,
        429,
        _html,
        {},
        [],
        {"data": []},
        {"data": {}},
        {"data": [None, 1, "x", {}]},
        {"error": "no"},
        'text"',
    ],
)
def test_the_last_good_list_is_kept(gateway: EmulatedGateway, response: Any) -> None:
    before = db.list_models()
    gateway.catalog = response
    with pytest.raises(OpenRouterError):
        fetch("openrouter")
    assert db.list_models() == before
    assert db.catalog_age_s("openrouter") > 10**9


def test_a_slow_list_times_out(gateway: EmulatedGateway) -> None:
    gateway.catalog = _slow
    with pytest.raises(OpenRouterError, match="вовремя"):
        openrouter_client.fetch_models(config.load_gateways()["openrouter"], timeout_s=0.2)


def test_the_good_part_of_a_half_broken_list_is_used(gateway: EmulatedGateway) -> None:
    good_model = describe_model("good/one:free")
    gateway.catalog = list_of({"id": 5}, {"name": "?"}, good_model, good_model)
    assert fetch("openrouter") == (1, 6)


def test_the_age_of_a_list_is_known(gateway: EmulatedGateway) -> None:
    fetch("openrouter")
    assert db.catalog_age_s("openrouter") < 60
    assert gateway.catalog_requests == 1


# The gateways


def test_rvfreellm_lists_text_and_image_models_and_is_not_asked_too_often(
    rvfreellm_gateway: EmulatedGateway,
) -> None:
    rvfreellm_gateway.catalog = [
        rvfreellm.SAMPLE_MODEL,
        rvfreellm.sample_model("flux", "PollinationsImage", "image"),
        rvfreellm.sample_model("alloy", "OpenAIFM", "audio"),
        rvfreellm.sample_model("sora", "Capi", "video"),
        {"id": "?", "category": "text"},
    ]
    assert fetch("rvfreellm") == (2, 0)
    models = [model for model in db.list_models() if model["gateway"] == "rvfreellm"]
    assert [(m["key"], m["label"], m["category"], m["context_length"]) for m in models] == [
        ("Capi/gpt-4o-mini", "gpt-4o-mini (Capi)", "text", None),
        ("PollinationsImage/flux", "flux (PollinationsImage)", "image", None),
    ]
    assert fetch("rvfreellm") == (0, 0)
    assert rvfreellm_gateway.catalog_requests == 1
    storage.execute("UPDATE catalogs SET fetched_at = fetched_at + 86400")  # as while the clock was ahead
    assert fetch("rvfreellm") == (0, 0)
    assert rvfreellm_gateway.catalog_requests == 2


def test_an_image_model_never_replaces_a_text_model(
    rvfreellm_gateway: EmulatedGateway, gateway: EmulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-test-key")
    rvfreellm_gateway.catalog = [
        {"id": "flux", "provider": "A", "category": "image"},
        {"id": "gpt", "provider": "A", "category": "text"},
    ]
    fetch("rvfreellm")
    gateway.catalog = list_of(describe_model("openrouter/free"))
    fetch("openrouter")
    assert db.get_active_model()["key"] == "openrouter/free"


def test_a_local_server_lists_all_its_models(monkeypatch: pytest.MonkeyPatch, local_llm: EmulatedGateway) -> None:
    monkeypatch.setenv("LOCAL_LLM_URL", local_llm.url)
    local_llm.catalog = {"object": "list", "data": [{"id": "qwen3:8b"}, {"id": "llama", "max_model_len": 4096}]}
    assert fetch("local") == (2, 0)
    assert db.list_models()[-1]["context_length"] == 4096


def test_the_same_key_at_two_gateways_is_two_models(rvfreellm_gateway: EmulatedGateway) -> None:
    rvfreellm_gateway.catalog = [{"id": "gemma-4-31b-it:free", "provider": "google", "category": "text"}]
    assert fetch("rvfreellm") == (1, 0)
    assert len(db.list_models()) == 12


def test_the_report_of_a_refresh(rvfreellm_gateway: EmulatedGateway) -> None:
    rvfreellm_gateway.catalog = 503
    lines = catalog.refresh_all(config.load_settings()).split("\n")
    assert lines[1] == "OpenRouter: новых 0, исчезло 0"
    assert lines[2].startswith("RVFreeLLM: список прежний. [503]")


def test_providers(rvfreellm_gateway: EmulatedGateway) -> None:
    unmeasured = {**rvfreellm.SAMPLE_PROVIDER, "name": "Gemini", "models": {"total": 5}, "performance": None}
    rvfreellm_gateway.providers = [rvfreellm.SAMPLE_PROVIDER, unmeasured, {"name": "?", "models": "junk"}]
    assert catalog.describe_providers() == (
        "Провайдеры RVFreeLLM:\nCapi: 18 моделей, 1,6 с, качество 8,2\nGemini: 5 моделей\n?: 0 моделей"
    )
    rvfreellm_gateway.providers = 401
    assert catalog.describe_providers().startswith("Ошибка: [401]")


def test_models_of_one_provider_or_type(rvfreellm_gateway: EmulatedGateway) -> None:
    rvfreellm_gateway.catalog = [
        rvfreellm.SAMPLE_MODEL,
        rvfreellm.sample_model("flux", "PollinationsImage", "image"),
        rvfreellm.sample_model("alloy", "OpenAIFM", "audio"),
    ]
    assert catalog.describe_providers("Capi") == "• gpt-4o-mini — ⚡ 1.5s"
    assert catalog.describe_providers("image") == "• flux — ⚡ 1.5s"
    assert catalog.describe_providers("audio") == f"• alloy — ⚡ 1.5s\n\n{texts.TYPE_NOT_USED}"
    assert catalog.describe_providers("video") == f"{texts.NOTHING_FOUND}\n\n{texts.TYPE_NOT_USED}"


def test_the_lists_are_open(monkeypatch: pytest.MonkeyPatch, rvfreellm_gateway: EmulatedGateway) -> None:
    # Section "Bearer Token": /v1/models and /v1/providers need no key, so a wrong key does no harm.
    monkeypatch.setenv("RVFREELLM_API_KEY", "ключ")
    rvfreellm_gateway.catalog = [rvfreellm.SAMPLE_MODEL]
    rvfreellm_gateway.providers = [rvfreellm.SAMPLE_PROVIDER]
    assert fetch("rvfreellm") == (1, 0)
    assert "Capi" in catalog.describe_providers()
    assert "gpt-4o-mini" in catalog.describe_providers("Capi")


def test_without_rvfreellm_there_are_no_providers() -> None:
    assert "RVFREELLM_API_KEY" in catalog.describe_providers()


def test_a_wrong_setting_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_BASE_URL", "openrouter.ai")
    assert catalog.describe_providers() == f"Ошибка: {texts.bad_url('OPENROUTER_BASE_URL')}"


# The background thread


@pytest.fixture
def running_catalog() -> Iterator[Catalog]:
    running = Catalog(config.load_settings())
    yield running
    running.stop()


def test_lists_are_refetched_by_themselves(
    monkeypatch: pytest.MonkeyPatch, gateway: EmulatedGateway, running_catalog: Catalog
) -> None:
    monkeypatch.setattr(catalog, "REFETCH_INTERVAL_S", 0.1)
    running_catalog.start()
    eventually(lambda: gateway.catalog_requests >= 3)
    assert db.catalog_age_s("openrouter") < 60


def test_a_failed_list_is_retried_quickly_and_then_slowly(
    monkeypatch: pytest.MonkeyPatch, gateway: EmulatedGateway, running_catalog: Catalog
) -> None:
    gateway.catalog = 500
    monkeypatch.setattr(catalog, "QUICK_RETRY_S", 0.01)
    assert [running_catalog._fetch("openrouter") for _ in range(4)] == [0.01, 0.02, 3600, 3600]
    gateway.catalog = list_of(describe_model("new/one:free"))
    assert running_catalog._fetch("openrouter") is None
    gateway.catalog = 500
    assert running_catalog._fetch("openrouter") == 0.01


def test_a_missing_model_has_the_list_fetched(gateway: EmulatedGateway, running_catalog: Catalog) -> None:
    running_catalog.start()
    eventually(lambda: math.isfinite(db.catalog_age_s("openrouter")))
    gateway.catalog = list_of(describe_model("new/one:free"))
    running_catalog.report_missing_model("openrouter")  # the wait for the daily refetch does not delay it
    eventually(lambda: "new/one:free" in models_by_key())


def test_the_models_of_a_gateway_that_is_no_longer_configured_are_unavailable(
    monkeypatch: pytest.MonkeyPatch, rvfreellm_gateway: EmulatedGateway, running_catalog: Catalog
) -> None:
    rvfreellm_gateway.catalog = [{"id": "gpt", "provider": "A", "category": "text"}]
    fetch("rvfreellm")
    db.set_active_model(11)
    monkeypatch.delenv("RVFREELLM_API_KEY")
    running_catalog.forget_absent_gateways()
    assert models_by_key()["A/gpt"] == (11, 0)
    assert db.get_active_model()["id"] == 5
    assert db.catalog_age_s("rvfreellm") == math.inf


def test_a_paid_model_replaces_the_active_one_only_if_allowed(gateway: EmulatedGateway) -> None:
    gateway.catalog = list_of(describe_model("vendor/paid"), describe_model("vendor/free:free"))
    fetch("openrouter", allow_paid=True)
    assert db.get_active_model()["key"] == "vendor/paid"  # the first one after the model that vanished
    db.set_active_model(1)
    assert replacement_model(db.get_model(1), allow_paid=True) == db.get_model(11)
    assert replacement_model(db.get_model(1), allow_paid=False) == db.get_model(12)


def test_an_interrupted_refresh_reports_what_it_did(gateway: EmulatedGateway) -> None:
    gateway.catalog["data"].append(describe_model("lab/new:free", "New"))
    stored: list[dict[str, list[int]]] = []
    report = catalog.refresh_all(
        config.load_settings(), {}, on_change=lambda changes: stored.append(dict(changes))
    )
    requests = gateway.catalog_requests
    assert stored == [{"openrouter": [1, 0]}]
    assert catalog.refresh_all(config.load_settings(), stored[-1]) == report
    assert gateway.catalog_requests == requests
