"""The reply to a finished question: the answer with a footer and buttons, or the reason for the failure."""

import re
from collections.abc import Sequence

import texts
from clock import TimeZone
from journal import QuestionRow
from llm.models import FREE_ROUTER
from llm.progress import CallResult
from llm.prompts import PromptNote
from openrouter_client import Completion, ErrorKind, OpenRouterError
from telegram.replies import Button, Reply

ROUTERS = (FREE_ROUTER, "openrouter/auto")  # these pick another model for each question
LINK = re.compile(r"https?://[^\s<>()\[\]\"]+")
WARNINGS = {  # by the finish reason
    "stopped": texts.STOPPED,
    "cut": texts.INTERRUPTED,
    "length": texts.TRUNCATED,
    "content_filter": texts.FILTERED,
    "cached": texts.CACHED,
}


def build_reply(question: QuestionRow, notes: Sequence[PromptNote], result: CallResult, zone: TimeZone) -> Reply:
    """Return the reply to a question; `notes` are the notes that the model got."""
    completion = result.completion
    if completion is None:
        return _failure_reply(question, result, zone)
    footer = _footer(completion, result, notes)
    if question["speech"]:
        footer = f"{texts.heard(question['text'])}\n{footer}"
    buttons = [_ask_again_button(question)]
    if completion.text:
        buttons.append(Button(texts.SAVE_AS_NOTE, f"save:{question['id']}"))
    if result.model["category"] == "image":
        link = LINK.search(completion.text)
        # Telegram fetches the picture; what a note says must not choose the address.
        if link and not notes:
            return Reply(footer, photo=link[0], buttons=[buttons], question_id=question["id"])
    return Reply(completion.text, is_markdown=True, footer=footer, buttons=[buttons], question_id=question["id"])


def describe_error(error: OpenRouterError, zone: TimeZone) -> str:
    """Return an error's status and sentence; for a limit of the account, with the time at which it is lifted."""
    if error.kind is ErrorKind.LIMIT_DAY:
        return f"[{error.status}] {texts.limit_day(error.reset_at, zone)}"
    if error.kind is ErrorKind.LIMIT_MINUTE:
        return f"[{error.status}] {texts.limit_minute(error.reset_at, zone)}"
    return str(error)


def _failure_reply(question: QuestionRow, result: CallResult, zone: TimeZone) -> Reply:
    text = texts.FAILED
    if result.error is not None:
        failed_model = result.model["key"] if question["kind"] == "compare" else ""
        text = texts.answer_failed(describe_error(result.error, zone), failed_model)
    return Reply(text, buttons=[[_ask_again_button(question)]])


def _footer(completion: Completion, result: CallResult, notes: Sequence[PromptNote]) -> str:
    model_key = result.model["key"]
    fallback_from = result.fallback_from
    if completion.fallback_from and completion.fallback_from != completion.model:  # the gateway's own fallback
        model_key = texts.model_of_provider(completion.model, completion.provider)
        fallback_from = (completion.fallback_from, texts.REASON_OTHER)
    elif model_key in ROUTERS and completion.model not in ("", model_key):
        model_key = texts.routed_model(texts.model_of_provider(completion.model, completion.provider), model_key)
    return texts.footer(
        completion.latency_ms,
        model_key,
        fallback=texts.fallback_from(*fallback_from) if fallback_from else "",
        warning=WARNINGS.get(completion.finish_reason or "", ""),
        notes=texts.notes_used([note["number"] for note in notes]) if notes else "",
    )


def _ask_again_button(question: QuestionRow) -> Button:
    return Button(texts.ASK_AGAIN, f"again:{question['id']}")
