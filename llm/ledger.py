"""The row of the ledger (the table llm_requests) for one HTTP request to a model."""

import time

from journal import LlmRequest
from llm.models import is_free
from openrouter_client import Completion, OpenRouterError


def ledger_row(
    user_id: int, module: str, gateway: str, model: str, outcome: Completion | OpenRouterError, started: float
) -> LlmRequest:
    """Return the row of a request that began at `started` (on time.monotonic()'s clock) and ended in this way.

    `module` says what the request is for; `model` is the key of the model.
    """
    usage = outcome.usage
    details = usage.get("completion_tokens_details")
    completion = outcome if isinstance(outcome, Completion) else None
    return {
        "user_id": user_id,
        "module": module,
        "gateway": gateway,
        "model": model,
        "answered_model": completion.model if completion else None,
        "provider": completion.provider or None if completion else None,
        "generation_id": outcome.generation_id,
        "status": 200 if isinstance(outcome, Completion) else outcome.status,
        "cause": None if isinstance(outcome, Completion) else outcome.cause,
        "finish_reason": outcome.finish_reason,
        "latency_ms": round((time.monotonic() - started) * 1000),
        "prompt_tokens": count(usage.get("prompt_tokens")),
        "completion_tokens": count(usage.get("completion_tokens")),
        "reasoning_tokens": count(details.get("reasoning_tokens")) if isinstance(details, dict) else None,
        "cost": cost(usage.get("cost")),
        "is_free": is_free(gateway, model),
    }


def cost(value: object) -> float | None:
    """Return a number of a gateway's usage report as SQLite can store it; None if it is not one."""
    return float(value) if isinstance(value, int | float) and 0 <= value < 2**53 else None


def count(value: object) -> int | None:
    """Return a number of tokens; None if it is not a number."""
    number = cost(value)
    return None if number is None else int(number)
