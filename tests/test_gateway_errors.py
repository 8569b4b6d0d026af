"""Tests of gateway_errors.py: how real gateways word their errors, each from a document or an issue thread."""

import pytest
import requests

import gateway_errors
import texts
from gateway_errors import WORDINGS, ErrorKind, OpenRouterError
from gateway_response import read_payload
from sandbox.openrouter.documented_errors import DOCUMENTED_ERRORS, DocumentedError
from sandbox.openrouter.payloads import encode

KINDS = [  # of DOCUMENTED_ERRORS, in their order
    ErrorKind.KEY_LIMIT,
    ErrorKind.DATA_POLICY,
    ErrorKind.DATA_POLICY,
    ErrorKind.FEATURE,
    ErrorKind.UNKNOWN_MODEL,
    ErrorKind.UNKNOWN_MODEL,
    ErrorKind.UNKNOWN_MODEL,
    ErrorKind.UNKNOWN_MODEL,
    ErrorKind.LIMIT_DAY,
    ErrorKind.LIMIT_MINUTE,
    ErrorKind.REASONING,
    ErrorKind.UNKNOWN_MODEL,
    ErrorKind.UNKNOWN_MODEL,
    ErrorKind.STATUS,
    ErrorKind.STATUS,
    ErrorKind.UNKNOWN_MODEL,
    ErrorKind.STATUS,
    ErrorKind.STATUS,
    ErrorKind.STATUS,
]


def read(documented: DocumentedError) -> OpenRouterError:
    response = requests.Response()
    response.status_code = documented.status
    with pytest.raises(OpenRouterError) as caught:
        read_payload(documented.gateway, response, encode(documented.body))
    return caught.value


@pytest.mark.parametrize(
    ("documented", "kind"),
    list(zip(DOCUMENTED_ERRORS, KINDS, strict=True)),
    ids=[f"{error.gateway} {error.status} {error.source}" for error in DOCUMENTED_ERRORS],
)
def test_the_kind_of_a_documented_error(documented: DocumentedError, kind: ErrorKind) -> None:
    error = read(documented)
    assert (error.status, error.kind) == (documented.status, kind)


def test_every_wording_has_a_documented_error() -> None:
    fits = [
        next(
            row
            for row in WORDINGS
            if row[0] in ("", error.gateway)
            and row[1] == error.status
            and all(word in str(error.body).lower() for word in row[2])
        )
        for error, kind in zip(DOCUMENTED_ERRORS, KINDS, strict=True)
        if kind is not ErrorKind.STATUS
    ]
    assert set(fits) == set(WORDINGS)


@pytest.mark.parametrize("documented", DOCUMENTED_ERRORS, ids=lambda error: f"{error.gateway} {error.status}")
def test_the_sentence_names_the_gateway_and_no_other(documented: DocumentedError) -> None:
    sentence = read(documented).msg.lower()
    names = {"openrouter": "openrouter", "rvfreellm": "rvfreellm", "local": "локальн"}
    if read(documented).kind is not ErrorKind.DATA_POLICY:
        assert "data policy" not in sentence
    assert [name for name, word in names.items() if word in sentence] == [documented.gateway]


@pytest.mark.parametrize("gateway", ["openrouter", "rvfreellm", "local"])
def test_every_failure_names_its_gateway(gateway: str) -> None:
    word = {"openrouter": "openrouter", "rvfreellm": "rvfreellm", "local": "локальн"}[gateway]
    statuses = [400, 401, 402, 403, 404, 408, 413, 418, 422, 429, 451, 500, 502, 503, 504, 524, 529, 599]
    sentences = [texts.status_message(status, gateway) for status in statuses]
    describe = (
        *(texts.no_connection, texts.model_timeout, texts.bad_answer, texts.empty_answer, texts.cut_answer),
        *(texts.model_refused, texts.model_missing, texts.feature_missing, texts.data_policy, texts.key_limit),
    )
    sentences += [sentence(gateway) for sentence in describe]
    assert [sentence for sentence in sentences if word not in sentence.lower()] == []
    keys = {"openrouter": "OPENROUTER_API_KEY", "rvfreellm": "RVFREELLM_API_KEY", "local": "LOCAL_LLM_API_KEY"}
    for sentence in (texts.status_message(401, gateway), texts.no_api_key(gateway), texts.bad_api_key(gateway)):
        assert keys[gateway] in sentence


def test_the_document_of_rvfreellm_says_how_long_its_keys_live() -> None:
    assert "час" in texts.status_message(401, "rvfreellm")
    assert "30 дней" in texts.status_message(401, "rvfreellm")
    assert "аннулирован" in texts.status_message(403, "rvfreellm")


def test_the_data_policy_names_the_switch_of_the_slide() -> None:
    assert "Training, Logging, & Privacy" in texts.data_policy("openrouter")
    assert "Enable free endpoints that may publish prompts" in texts.data_policy("openrouter")


def test_the_cause_is_a_code_and_never_words() -> None:
    causes = {error.gateway: read(error).cause for error in DOCUMENTED_ERRORS if error.status in (401, 503)}
    assert causes == {"rvfreellm": "all_models_failed"}
    error = gateway_errors.read_error("local", 500, {"code": "my secret question", "type": "Ошибка"}, {})
    assert error.cause == "http_500"
    assert gateway_errors.read_error("openrouter", 404, {"message": "No endpoints found for x"}, {}).cause == (
        "unknown_model"
    )


def test_an_address_without_an_api_says_nothing_about_the_model() -> None:
    assert gateway_errors.read_error("rvfreellm", 404, None, {}).kind is ErrorKind.STATUS
