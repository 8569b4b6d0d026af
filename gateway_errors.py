"""Errors of the gateways: OpenRouterError, and how to read one from a response or a broken connection."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any

import requests
import urllib3

import texts

Json = dict[str, Any]

MILLISECONDS_FROM = 1e11  # as seconds, this is a date three thousand years from now

log = logging.getLogger(__name__)


class ErrorKind(Enum):
    """The kind of a failure, as far as the HTTP status does not tell it."""

    STATUS = "the HTTP status describes the error"
    SETUP = "nothing was sent: a setting is missing or wrong"
    TIMEOUT = "no answer in time"
    CONNECTION = "no connection"
    CUT = "the answer broke off"
    EMPTY = "an answer without text"
    REFUSED = "the model refused to answer"
    UNKNOWN_MODEL = "the gateway does not have the model"
    LIMIT_MINUTE = "the account's requests for this minute are used up"
    LIMIT_DAY = "the account's free requests for today are used up"
    REASONING = "the model does not accept the reasoning setting"


class OpenRouterError(Exception):
    """A request without an answer: an HTTP status (0 if there was none) and a Russian sentence for the person.

    After a stream that broke off, `text`, `generation_id`, `usage` and `finish_reason` hold what arrived.
    """

    def __init__(
        self,
        status: int,
        msg: str,
        kind: ErrorKind = ErrorKind.STATUS,
        *,
        retry_after_s: float | None = None,
        reset_at: float | None = None,
    ) -> None:
        super().__init__(f"[{status}] {msg}")
        self.status = status
        self.msg = msg
        self.kind = kind
        self.retry_after_s = retry_after_s
        self.reset_at = reset_at  # when a limit is lifted, in Unix seconds
        self.text = ""
        self.generation_id: str | None = None
        self.usage: Json = {}
        self.finish_reason: str | None = None


@contextmanager
def connection_errors() -> Iterator[None]:
    """Turn timeouts and broken connections into OpenRouterError."""
    try:
        yield
    except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as error:
        raise OpenRouterError(0, texts.MODEL_TIMEOUT, ErrorKind.TIMEOUT) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise OpenRouterError(0, texts.NO_CONNECTION, ErrorKind.CONNECTION) from error


def no_text_error(refusal: str, finish_reason: str | None) -> OpenRouterError:
    """Return the error for an answer without text."""
    if refusal or finish_reason == "content_filter":
        return OpenRouterError(403, texts.MODEL_REFUSED, ErrorKind.REFUSED)
    return OpenRouterError(502, texts.EMPTY_ANSWER, ErrorKind.EMPTY)


def read_error(status: int, error: object, headers: Mapping[str, Any]) -> OpenRouterError:
    """Read an error as gateways write it: an object, a string, or nothing at all.

    `status` is the HTTP status of the response; the error itself may carry another one inside HTTP 200.
    """
    fields: Json = error if isinstance(error, dict) else {"message": error}
    code = status if status >= 400 else _code(fields)
    # Only the owner can fix a wrong key or an empty account; after any other error a fallback model answers.
    # The message stays out of the log, because providers quote the question in it.
    level = logging.WARNING if code in (401, 402) else logging.INFO
    log.log(level, "a model did not answer: HTTP %d", code)
    message = str(fields.get("message"))
    metadata = fields.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    if code == 429:
        return _rate_limit_error(message, metadata, headers)
    kind = _kind_of_bad_request(message) if code == 400 else ErrorKind.STATUS
    return OpenRouterError(code, texts.status_message(code), kind, retry_after_s=_retry_after_s(metadata, headers))


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


def _rate_limit_error(message: str, metadata: Json, headers: Mapping[str, Any]) -> OpenRouterError:
    """Return the error for HTTP 429: a limit of the account, or of the provider behind the model."""
    reset_at = read_reset_at(metadata, headers)
    if "free-models-per-day" in message:
        return OpenRouterError(429, texts.LIMIT_DAY, ErrorKind.LIMIT_DAY, reset_at=reset_at)
    retry_after_s = _retry_after_s(metadata, headers)
    if "free-models-per-min" in message:
        if reset_at is not None:
            retry_after_s = max(reset_at - time.time(), 0)
        return OpenRouterError(
            429, texts.LIMIT_MINUTE, ErrorKind.LIMIT_MINUTE, retry_after_s=retry_after_s, reset_at=reset_at
        )
    return OpenRouterError(429, texts.status_message(429), retry_after_s=retry_after_s)


def _kind_of_bad_request(message: str) -> ErrorKind:
    model_is_unknown = any(words in message for words in ("not a valid", "not exist", "not found"))
    if "model" in message and model_is_unknown:
        return ErrorKind.UNKNOWN_MODEL
    if "reasoning" in message:
        return ErrorKind.REASONING
    return ErrorKind.STATUS


def _code(error: Json) -> int:
    """Return the status inside an error; gateways write it as a number, as a string, or leave it out."""
    code = str(error.get("code", ""))
    is_status = len(code) == 3 and code.isascii() and code.isdigit() and int(code) >= 400
    return int(code) if is_status else 502


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
