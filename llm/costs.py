"""The costs and providers of answers that were stopped or broke off: OpenRouter reports them some time later."""

import logging

import clock
import journal
import openrouter_client
import unicode_text
from journal import GenerationDetails
from llm.ledger import cost, count
from openrouter_client import Json, OpenRouterError
from telegram.keyed_executor import KeyedExecutor

log = logging.getLogger(__name__)

MAX_AGE_S = 3600
MAX_ATTEMPTS = 5
RETRY_DELAY_S = 2.0  # after the first attempt; longer after each further one


class CostLookup:
    """Adds missing costs and details to the ledger, on a thread of its own."""

    def __init__(self) -> None:
        self._executor: KeyedExecutor[int] = KeyedExecutor("costs", self._look_up, max_threads=1)
        self._attempts: dict[int, int] = {}  # by request

    def wake(self) -> None:
        """Look up the costs of all recent requests that lack one."""
        for request in journal.unpriced_requests(_oldest()):
            self._executor.wake(request["id"])

    def stop(self) -> None:
        """Look up nothing more."""
        self._executor.stop(grace_s=0, linger_s=0)

    def _look_up(self, request_id: int) -> float | None:
        """Look up one cost; return the seconds until the next attempt, None if there is none."""
        generation_id = _generation_id(request_id)
        attempts = self._attempts.pop(request_id, 0) + 1
        if generation_id is None or attempts > MAX_ATTEMPTS:
            return None
        try:
            gateway = openrouter_client.require_gateway(openrouter_client.load_gateways(), "openrouter")
            generation = openrouter_client.fetch_generation(gateway, generation_id)
        except OpenRouterError as error:
            log.debug("the cost of request %d is not known yet: HTTP %d", request_id, error.status)
            generation = {}
        details = _read_details(generation)
        if details is None:
            self._attempts[request_id] = attempts
            return RETRY_DELAY_S * attempts
        journal.add_generation_details(request_id, details)
        return None


def _read_details(generation: Json) -> GenerationDetails | None:
    """Return what the ledger keeps of a response to /generation; None while the cost is unknown."""
    total_cost = cost(generation.get("total_cost"))
    if total_cost is None:
        return None
    name = generation.get("provider_name")
    responses = generation.get("provider_responses")
    return {
        "cost": total_cost,
        "prompt_tokens": count(generation.get("tokens_prompt")),
        "completion_tokens": count(generation.get("tokens_completion")),
        "provider": unicode_text.storable(name) if isinstance(name, str) else None,
        "provider_latency_ms": count(generation.get("latency")),
        "provider_requests": len(responses) if isinstance(responses, list) else None,
    }


def _oldest() -> int:
    return clock.now() - MAX_AGE_S


def _generation_id(request_id: int) -> str | None:
    """Return the gateway's id of an answer; None if its cost is known by now, or can no longer be looked up."""
    for request in journal.unpriced_requests(_oldest()):
        if request["id"] == request_id:
            return request["generation_id"]
    return None
