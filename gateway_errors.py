"""Errors of the gateways: OpenRouterError, and how to read one from a response or a broken connection."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any

import requests
import urllib3

import texts

Json = dict[str, Any]

MILLISECONDS_FROM = 1e11  # as seconds, this is a date three thousand years from now
CAUSE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,49}")  # a code or type; anything else may hold words of people


class ErrorKind(Enum):
    """The kind of a failure, as far as the HTTP status does not tell it."""

    STATUS = "the HTTP status describes the error"
    SETUP = "nothing was sent: a setting is missing or wrong"
    TIMEOUT = "no answer in time"
    CONNECTION = "no connection"
    CUT = "the answer broke off"
    EMPTY = "an answer without text"
    REFUSED = "the model refused to answer"
    TOO_LONG = "nothing was sent: the question does not fit into the model's context"
    UNKNOWN_MODEL = "the gateway does not have the model"
    FEATURE = "the model lacks a feature that the request needs"
    DATA_POLICY = "the account's privacy settings exclude the model"
    KEY_LIMIT = "the key has used up its own budget"
    LIMIT_MINUTE = "the account's requests for this minute are used up"
    LIMIT_DAY = "the account's free requests for today are used up"
    REASONING = "the model does not accept the reasoning setting"


class OpenRouterError(Exception):
    """A request without an answer: an HTTP status (0 if there was none) and a Russian sentence for the person.

    `cause` is a short code of the failure for the ledger, without any words of the gateway or of people.
    After an answer that broke off, `text`, `generation_id`, `usage` and `finish_reason` hold what arrived.
    """

    def __init__(
        self,
        status: int,
        msg: str,
        kind: ErrorKind = ErrorKind.STATUS,
        *,
        retry_after_s: float | None = None,
        reset_at: float | None = None,
        cause: str = "",
    ) -> None:
        super().__init__(f"[{status}] {msg}" if status else msg)
        self.status = status
        self.msg = msg
        self.kind = kind
        self.retry_after_s = retry_after_s
        self.reset_at = reset_at  # when a limit is lifted, in Unix seconds
        self.cause = cause or (kind.name.lower() if kind is not ErrorKind.STATUS else f"http_{status}")
        self.text = ""
        self.generation_id: str | None = None
        self.usage: Json = {}
        self.finish_reason: str | None = None


# How gateways word the errors that their status alone does not explain: the gateway ("" for any), the HTTP status,
# what the message contains in lower case, and the kind. The first row that fits wins. tests/test_gateway_errors.py
# has a fixture for each row, with its source.
WORDINGS: tuple[tuple[str, int, tuple[str, ...], ErrorKind], ...] = (
    ("", 403, ("key limit exceeded",), ErrorKind.KEY_LIMIT),
    ("", 404, ("data policy",), ErrorKind.DATA_POLICY),
    ("", 404, ("no endpoints found that support",), ErrorKind.FEATURE),
    ("", 404, ("no endpoints found for",), ErrorKind.UNKNOWN_MODEL),
    ("", 400, ("is not a valid model id",), ErrorKind.UNKNOWN_MODEL),
    ("", 400, ("invalid model name passed in",), ErrorKind.UNKNOWN_MODEL),  # LiteLLM
    ("", 404, ("model", "does not exist"), ErrorKind.UNKNOWN_MODEL),  # vLLM
    ("", 404, ("model", "not found"), ErrorKind.UNKNOWN_MODEL),  # Ollama
    ("rvfreellm", 404, (), ErrorKind.UNKNOWN_MODEL),  # its document knows no other 404
    ("", 429, ("free-models-per-day",), ErrorKind.LIMIT_DAY),
    ("", 429, ("free-models-per-min",), ErrorKind.LIMIT_MINUTE),
    ("", 400, ("reasoning",), ErrorKind.REASONING),
)
KIND_MESSAGES: dict[ErrorKind, Callable[[str], str]] = {
    ErrorKind.UNKNOWN_MODEL: texts.model_missing,
    ErrorKind.FEATURE: texts.feature_missing,
    ErrorKind.DATA_POLICY: texts.data_policy,
    ErrorKind.KEY_LIMIT: texts.key_limit,
    ErrorKind.LIMIT_DAY: lambda _gateway: texts.LIMIT_DAY,
    ErrorKind.LIMIT_MINUTE: lambda _gateway: texts.LIMIT_MINUTE,
}


@contextmanager
def connection_errors(gateway: str) -> Iterator[None]:
    """Turn timeouts and broken connections into OpenRouterError."""
    try:
        yield
    except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as error:
        raise OpenRouterError(0, texts.model_timeout(gateway), ErrorKind.TIMEOUT) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise OpenRouterError(0, texts.no_connection(gateway), ErrorKind.CONNECTION) from error


def no_text_error(gateway: str, refusal: str, finish_reason: str | None) -> OpenRouterError:
    """Return the error for an answer without text."""
    if refusal or finish_reason == "content_filter":
        return OpenRouterError(403, texts.model_refused(gateway), ErrorKind.REFUSED)
    return OpenRouterError(502, texts.empty_answer(gateway), ErrorKind.EMPTY)


def bad_answer_error(gateway: str) -> OpenRouterError:
    """Return the error for a response that cannot be read."""
    return OpenRouterError(502, texts.bad_answer(gateway), cause="bad_answer")


def read_error(gateway: str, status: int, error: object, headers: Mapping[str, Any]) -> OpenRouterError:
    """Read an error as gateways write it: an object, a string, or nothing at all.

    `status` is the HTTP status of the response; the error itself may carry another one inside HTTP 200.
    """
    fields: Json = error if isinstance(error, dict) else {"message": error}
    metadata = fields.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    code = status if status >= 400 else _code(fields)
    kind = _kind(gateway, code, fields.get("message"))
    retry_after_s = _retry_after_s(metadata, headers)
    reset_at = None
    if kind in (ErrorKind.LIMIT_DAY, ErrorKind.LIMIT_MINUTE):
        reset_at = read_reset_at(metadata, headers)
        if kind is ErrorKind.LIMIT_MINUTE and reset_at is not None:
            retry_after_s = max(reset_at - time.time(), 0)
    msg = KIND_MESSAGES[kind](gateway) if kind in KIND_MESSAGES else texts.status_message(code, gateway)
    cause = "" if kind is not ErrorKind.STATUS else _cause(fields, metadata)
    return OpenRouterError(code, msg, kind, retry_after_s=retry_after_s, reset_at=reset_at, cause=cause)


def read_reset_at(metadata: Json, headers: Mapping[str, Any]) -> float | None:
    """Return when a limit is lifted, in Unix seconds.

    OpenRouter sends milliseconds, either in the headers or only in the metadata; other gateways send seconds.
    """
    value = _positive_number(headers.get("X-RateLimit-Reset"))
    metadata_headers = metadata.get("headers")
    if value is None and isinstance(metadata_headers, dict):
        value = _positive_number(metadata_headers.get("X-RateLimit-Reset"))
    if value is not None and value > MILLISECONDS_FROM:
        return value / 1000
    return value


def _kind(gateway: str, code: int, message: object) -> ErrorKind:
    if message is None:  # not an error of the gateway: a wrong address, or a server in front of it
        return ErrorKind.STATUS
    text = str(message).lower()
    for row_gateway, row_code, words, kind in WORDINGS:
        if row_gateway in ("", gateway) and row_code == code and all(word in text for word in words):
            return kind
    return ErrorKind.STATUS


def _code(error: Json) -> int:
    """Return the status inside an error; gateways write it as a number, as a string, or leave it out."""
    code = str(error.get("code", ""))
    is_status = len(code) == 3 and code.isascii() and code.isdigit() and int(code) >= 400
    return int(code) if is_status else 502


def _cause(error: Json, metadata: Json) -> str:
    """Return the code or the type that a gateway gives an error, if it is a plain identifier."""
    for value in (metadata.get("error_type"), error.get("code"), error.get("type")):
        if isinstance(value, str) and value != "None" and CAUSE.fullmatch(value):
            return value
    return ""


def _retry_after_s(metadata: Json, headers: Mapping[str, Any]) -> float | None:
    from_metadata = _positive_number(metadata.get("retry_after_seconds"))
    return from_metadata or _positive_number(headers.get("Retry-After"))


def _positive_number(value: object) -> float | None:
    if not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 < number < 1e15 else None
