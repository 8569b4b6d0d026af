"""catalogue: the list of models stays true, whatever a gateway tells, and numbers never change.

- what is taken over: new, vanished, back again, renamed; what is free and usable
- what is no list: pages, errors, half-broken and slow ones
- each gateway's own way of describing models, and RVFreeLLM's providers
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import db
import openrouter_client
from openrouter_client import OpenRouterError
from runtime import catalogue
from sandbox.openrouter import SEEDS, Gateway, described


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, openrouter_url: str, database: Path) -> None:  # noqa: ARG001
    monkeypatch.setenv("OPENROUTER_BASE_URL", openrouter_url)


@pytest.fixture
def rvf(monkeypatch: pytest.MonkeyPatch, rvfreellm: Gateway) -> Gateway:
    monkeypatch.setenv("RVFREELLM_BASE_URL", rvfreellm.url)
    monkeypatch.setenv("RVFREELLM_API_KEY", "rvf_key")
    return rvfreellm


def told(*models: dict[str, Any]) -> dict[str, Any]:
    return {"data": list(models)}


def listed() -> dict[str, tuple[int, int]]:
    """Return key → (number, available)."""
    return {model["key"]: (model["id"], model["available"]) for model in db.list_models()}


# What is taken over


def test_new_models_are_added_and_vanished_ones_marked_and_kept(gateway: Gateway) -> None:
    gateway.catalogue = told(described("google/gemma-4-31b-it:free"), described("new/one:free"))
    assert catalogue.fetch("openrouter") == (1, 5)
    assert listed()["google/gemma-4-31b-it:free"] == (5, 1)
    assert listed()["new/one:free"] == (11, 1)
    assert listed()["cohere/north-mini-code:free"] == (9, 0)
    gateway.catalogue = told(described("cohere/north-mini-code:free"))
    assert catalogue.fetch("openrouter") == (0, 2)
    assert listed()["cohere/north-mini-code:free"] == (9, 1)
    assert listed()["new/one:free"] == (11, 0)


def test_labels_and_memory_are_kept_up_to_date(gateway: Gateway) -> None:
    key = "google/gemma-4-31b-it:free"
    gateway.catalogue = told(described(key, "Gemma, renamed", context_length=1000))
    catalogue.fetch("openrouter")
    model = db.get_model(5)
    assert (model["label"], model["context_length"]) == ("Gemma, renamed", 1000)


def test_a_vanished_active_model_is_replaced_and_that_is_told_once(gateway: Gateway) -> None:
    db.set_active_model(7)
    keys = [key for key in SEEDS if not key.startswith("nvidia/")]
    gateway.catalogue = told(*map(described, keys))
    catalogue.fetch("openrouter")
    assert db.get_active_model()["id"] == 9
    switch = db.take_switch()
    assert switch
    assert (switch["vanished"], switch["active"]) == (
        "Nemotron 3.5 Lightning (free)",
        "cohere/north-mini-code:free",
    )
    assert db.take_switch() is None


@pytest.mark.parametrize(
    ("model", "free", "paid"),
    [
        (described("a/b:free"), True, True),
        (described("openrouter/free"), True, True),
        (described("a/b"), False, True),
        (described("openrouter/auto", pricing={"prompt": "-1", "completion": "-1"}), False, True),
        (described("a/b:free", pricing={"prompt": "0.001", "completion": "0"}), False, False),
        (described("a/b:free", expiration_date="2020-01-01"), False, False),
        (described("a/b:free", expiration_date="2999-01-01"), True, True),
        (described("a/b:free", expiration_date=None), True, True),
        (
            described("a/b:free", architecture={"input_modalities": ["image"], "output_modalities": ["text"]}),
            False,
            False,
        ),
        (
            described("a/b:free", architecture={"input_modalities": ["text"], "output_modalities": ["image"]}),
            False,
            False,
        ),
        (
            described(
                "a/b:free", architecture={"input_modalities": ["text", "image"], "output_modalities": ["text"]}
            ),
            True,
            True,
        ),
        ({"id": "a/b:free"}, False, False),
        ({"id": None, "architecture": {}}, False, False),
        (described("x" * 300 + ":free"), False, False),
    ],
)
def test_only_what_is_free_and_usable_is_listed(
    monkeypatch: pytest.MonkeyPatch, gateway: Gateway, model: dict[str, Any], free: bool, paid: bool
) -> None:
    gateway.catalogue = told(model, described("always/there:free"))
    for allowed, expected in (("0", free), ("1", paid)):
        monkeypatch.setenv("ALLOW_PAID_MODELS", allowed)
        catalogue.fetch("openrouter")
        assert (listed().get(model["id"], (0, 0))[1] == 1) is expected


def test_four_hundred_models(monkeypatch: pytest.MonkeyPatch, gateway: Gateway) -> None:
    monkeypatch.setenv("ALLOW_PAID_MODELS", "1")
    gateway.catalogue = told(*(described(f"vendor/model-{n}") for n in range(400)))
    assert catalogue.fetch("openrouter") == (400, 6)
    assert len(db.list_models()) == 410


# What is no list


async def _html() -> web.StreamResponse:
    return web.Response(text="<html>Just a moment…</html>", content_type="text/html")


async def _slow() -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


@pytest.mark.parametrize(
    "answer",
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
def test_the_last_good_list_is_kept(gateway: Gateway, answer: Any) -> None:
    before = db.list_models()
    gateway.catalogue = answer
    with pytest.raises(OpenRouterError):
        catalogue.fetch("openrouter")
    assert db.list_models() == before
    assert db.catalogue_age_s("openrouter") > 10**9


def test_a_slow_list_is_given_up(gateway: Gateway) -> None:
    gateway.catalogue = _slow
    with pytest.raises(OpenRouterError, match="вовремя"):
        openrouter_client.catalogue("openrouter", timeout_s=0.2)


def test_of_a_half_broken_list_the_good_half_is_taken(gateway: Gateway) -> None:
    gateway.catalogue = told({"id": 5}, {"name": "?"}, described("good/one:free"), described("good/one:free"))
    assert catalogue.fetch("openrouter") == (1, 6)


def test_its_age_is_known(gateway: Gateway) -> None:
    catalogue.fetch("openrouter")
    assert db.catalogue_age_s("openrouter") < 60
    assert gateway.catalogue_asked == 1


# Each gateway


def test_rvfreellm_lists_texts_and_pictures_and_is_not_asked_too_often(rvf: Gateway) -> None:
    rvf.catalogue = [
        {"id": "gpt-5-mini", "provider": "Capi", "category": "text", "meta": {"context_length": 64000}},
        {"id": "flux", "provider": "HuggingSpace", "category": "image", "latency_ms": 900, "quality_score": 0.9},
        {"id": "whisper", "provider": "Capi", "category": "audio"},
        {"id": "sora", "provider": "Capi", "category": "video"},
        {"id": "?", "category": "text"},
    ]
    assert catalogue.fetch("rvfreellm") == (2, 0)
    mine = [model for model in db.list_models() if model["gateway"] == "rvfreellm"]
    assert [(m["key"], m["label"], m["category"], m["context_length"]) for m in mine] == [
        ("Capi/gpt-5-mini", "gpt-5-mini (Capi)", "text", 64000),
        ("HuggingSpace/flux", "flux (HuggingSpace)", "image", None),
    ]
    assert catalogue.fetch("rvfreellm") == (0, 0)
    assert rvf.catalogue_asked == 1


def test_a_picture_never_takes_the_place_of_a_text(rvf: Gateway, gateway: Gateway) -> None:
    rvf.catalogue = [
        {"id": "flux", "provider": "A", "category": "image"},
        {"id": "gpt", "provider": "A", "category": "text"},
    ]
    catalogue.fetch("rvfreellm")
    gateway.catalogue = told(described("openrouter/free"))
    catalogue.fetch("openrouter")
    assert db.get_active_model()["key"] == "openrouter/free"


def test_a_local_server_lists_all_it_has(monkeypatch: pytest.MonkeyPatch, local_llm: Gateway) -> None:
    monkeypatch.setenv("LOCAL_LLM_URL", local_llm.url)
    local_llm.catalogue = {"object": "list", "data": [{"id": "qwen3:8b"}, {"id": "llama", "max_model_len": 4096}]}
    assert catalogue.fetch("local") == (2, 0)
    assert db.list_models()[-1]["context_length"] == 4096


def test_the_same_name_at_two_gateways_is_two_models(rvf: Gateway) -> None:
    rvf.catalogue = [{"id": "gemma-4-31b-it:free", "provider": "google", "category": "text"}]
    assert catalogue.fetch("rvfreellm") == (1, 0)
    assert len(db.list_models()) == 11


def test_what_is_said_of_a_refresh(rvf: Gateway) -> None:
    rvf.catalogue = 503
    lines = catalogue.refresh_now().split("\n")
    assert lines[1] == "openrouter: новых 0, исчезло 0"
    assert lines[2].startswith("rvfreellm: список прежний. [503]")


def test_providers(rvf: Gateway) -> None:
    rvf.providers = {
        "providers": [
            {"name": "Capi", "models": ["a", "b"], "mean_latency_ms": 812.4, "quality_score": 0.93},
            {"name": "Gemini", "models": 5},
            "junk",
        ]
    }
    assert catalogue.providers_now() == (
        "Провайдеры RVFreeLLM:\nCapi: 2 модели, 812 мс, качество 0.93\nGemini: 5 моделей"
    )
    rvf.providers = 401
    assert catalogue.providers_now().startswith("Ошибка: [401]")


def test_without_rvfreellm_there_are_no_providers() -> None:
    assert "RVFREELLM_API_KEY" in catalogue.providers_now()


def test_the_moment_is_told_in_seconds_or_milliseconds() -> None:
    now = time.time()
    for value in (now, now * 1000):
        reset_at = openrouter_client._reset_at({}, {"X-RateLimit-Reset": str(value)})
        assert reset_at
        assert abs(reset_at - now) < 1
