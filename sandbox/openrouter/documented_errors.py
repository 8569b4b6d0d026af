"""Errors of real gateways, each with the document or the issue thread that shows it.

The number in the name of a model `sandbox/documented-<number>` is an index into DOCUMENTED_ERRORS.
"""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sandbox.openrouter.gateway import EmulatedGateway
from sandbox.openrouter.payloads import Json

# "Обработка ошибок" and "Ошибка 503" of RVFreeLLM's document of its API
RVFREELLM_DOCUMENT = "RVFreeLLM API, «Обработка ошибок»"


@dataclass(frozen=True)
class DocumentedError:
    """A response as the source shows it."""

    gateway: str
    status: int
    body: Any
    source: str


def _openrouter(status: int, message: str, source: str, **fields: Any) -> DocumentedError:
    return DocumentedError("openrouter", status, {"error": {"message": message, "code": status, **fields}}, source)


def _rvfreellm(status: int, message: str, error_type: str, code: str) -> DocumentedError:
    error = {"message": message, "type": error_type, "code": code, "param": None}
    return DocumentedError("rvfreellm", status, {"error": error}, RVFREELLM_DOCUMENT)


def _local(status: int, error: Any, source: str) -> DocumentedError:
    return DocumentedError("local", status, {"error": error}, source)


DOCUMENTED_ERRORS: list[DocumentedError] = [
    _openrouter(
        403,
        "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys",
        "https://github.com/MCPJam/inspector/issues/1287",
    ),
    _openrouter(
        404,
        "No endpoints found matching your data policy. Check your settings: https://openrouter.ai/settings/privacy",
        "https://github.com/dnakov/anon-kode/issues/13",
    ),
    _openrouter(
        404,
        "No endpoints available matching your guardrail restrictions and data policy."
        " Configure: https://openrouter.ai/settings/privacy",
        "https://github.com/truefoundry/models/pull/826",
    ),
    _openrouter(
        404,
        "No endpoints found that support tool use. To learn more about provider routing, visit:"
        " https://openrouter.ai/docs/guides/routing/provider-selection",
        "https://github.com/bobrware/bobrchat/issues/60",
    ),
    _openrouter(
        404,
        "No endpoints found for nousresearch/hermes-3-llama-3.1-405b:free.",
        "https://github.com/vyancharuk/nodejs-api-boilerplate/issues/16",
    ),
    _local(
        400,
        {
            "message": "400: {'error': 'Invalid model name passed in model=Lite-GPT-12'}",
            "type": "None",
            "param": "None",
            "code": 400,
        },
        "LiteLLM, https://github.com/BerriAI/litellm/pull/3142",
    ),
    _openrouter(
        400,
        "claude-sonnet-4-6 is not a valid model ID",
        "https://github.com/OpenRouterTeam/openrouter-examples/issues/74",
    ),
    DocumentedError(
        "local",
        404,
        {
            "object": "error",
            "message": "The model `Qwen/Qwen1.5-7B-Chat` does not exist.",
            "type": "NotFoundError",
            "param": None,
            "code": 404,
        },
        "vLLM, https://github.com/QwenLM/Qwen3/issues/20",
    ),
    _openrouter(
        429,
        "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day",
        "https://github.com/Gitlawb/openclaude/issues/936",
        metadata={"headers": {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0"}},
    ),
    _openrouter(
        429,
        "Rate limit exceeded: free-models-per-min. ",
        "https://openrouter.ai/docs/limits, worded like the limit per day",
    ),
    _openrouter(
        400,
        "Reasoning is mandatory for this endpoint and cannot be disabled.",
        "https://github.com/elie222/rakazo/issues/114",
    ),
    _local(
        404,
        {
            "message": 'model "gpt-4o-2024-11-20" not found, try pulling it first',
            "type": "api_error",
            "code": None,
        },
        "Ollama, https://github.com/abi/screenshot-to-code/issues/354",
    ),
    _local(
        404,
        "model 'custom-phi3-32k-Q4_K_M' not found",
        "Ollama, https://github.com/TheBlewish/Automated-AI-Web-Researcher-Ollama/issues/42",
    ),
    _rvfreellm(401, "Invalid API key", "invalid_request_error", "invalid_api_key"),
    _rvfreellm(403, "Forbidden", "authentication_error", "forbidden"),
    _rvfreellm(404, "Not Found", "invalid_request_error", "not_found"),
    _rvfreellm(429, "Too Many Requests", "rate_limit_error", "rate_limit_exceeded"),
    _rvfreellm(500, "Internal Server Error", "api_error", "internal_error"),
    _rvfreellm(
        503,
        "Service temporarily unavailable. All 10 model(s) failed to respond.",
        "service_unavailable_error",
        "all_models_failed",
    ),
]


async def documented(
    _gateway: EmulatedGateway, _request: web.Request, _body: Json, index: int
) -> web.StreamResponse:
    """Answer with one of the DOCUMENTED_ERRORS."""
    error = DOCUMENTED_ERRORS[index]
    return web.json_response(error.body, status=error.status)
