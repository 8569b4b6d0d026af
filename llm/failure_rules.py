"""What an error of a model means for the next step, and how the footer of another model's answer names it."""

import texts
from openrouter_client import ErrorKind, OpenRouterError

ERROR_REASONS = {
    ErrorKind.TIMEOUT: texts.REASON_TIMEOUT,
    ErrorKind.CONNECTION: texts.REASON_CONNECTION,
    ErrorKind.CUT: texts.REASON_CUT,
    ErrorKind.EMPTY: texts.REASON_EMPTY,
    ErrorKind.UNKNOWN_MODEL: texts.REASON_UNAVAILABLE,
    ErrorKind.DATA_POLICY: texts.REASON_DATA_POLICY,
    ErrorKind.FEATURE: texts.REASON_FEATURE,
}


def is_missing_model(error: OpenRouterError) -> bool:
    """Return whether the gateway does not have the model."""
    return error.kind is ErrorKind.UNKNOWN_MODEL


def is_worth_retry(error: OpenRouterError) -> bool:
    """Return whether the same model may answer a moment later."""
    if error.kind in (ErrorKind.TIMEOUT, ErrorKind.SETUP):
        return False  # it had its time, or would fail in the same way
    if error.status == 429:
        return error.kind is ErrorKind.LIMIT_MINUTE or error.retry_after_s is not None
    return error.status in (0, 408) or error.status >= 500


def is_worth_another_model(error: OpenRouterError) -> bool:
    """Return whether another model may answer: not if the key, the balance or the question caused the error."""
    if error.kind in (ErrorKind.REFUSED, ErrorKind.SETUP, ErrorKind.TOO_LONG):
        return False
    return is_missing_model(error) or error.status in (0, 404, 408, 429) or error.status >= 500


def ran_out_of_tokens(error: OpenRouterError) -> bool:
    """Return whether a reasoning model spent its tokens on thinking and had none left for the answer."""
    if error.kind is not ErrorKind.EMPTY:
        return False
    details = error.usage.get("completion_tokens_details")
    has_thought = isinstance(details, dict) and bool(details.get("reasoning_tokens"))
    return error.finish_reason == "length" or has_thought


def reason(error: OpenRouterError) -> str:
    """Return a few words for the footer of the answer that another model gives."""
    if error.kind in ERROR_REASONS:
        return ERROR_REASONS[error.kind]
    return texts.STATUS_REASONS.get(error.status, texts.REASON_OTHER)
