"""OpenRouter, RVFreeLLM and a local model server, emulated over real HTTP.

The name of a model decides how it behaves: `sandbox/<behavior>` or `sandbox/<behavior>-<number>` picks one of
BEHAVIORS; any other model gives a good answer. `python -m sandbox.openrouter` serves an emulated OpenRouter alone.
"""

from sandbox.openrouter.behaviors import BEHAVIORS
from sandbox.openrouter.gateway import EmulatedGateway
from sandbox.openrouter.http_api import application
from sandbox.openrouter.payloads import SEED_MODELS, Json, chunk, completion, describe_model, error_response

__all__ = [
    "BEHAVIORS",
    "SEED_MODELS",
    "EmulatedGateway",
    "Json",
    "application",
    "chunk",
    "completion",
    "describe_model",
    "error_response",
]
