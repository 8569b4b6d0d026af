"""Turn replies into Bot API calls."""

import logging
import re
from collections.abc import Sequence
from html import unescape
from typing import Any

import texts
from entities import FormattedText, clip
from journal import Call
from telegram.limits import MAX_MESSAGE_LENGTH, MAX_RICH_LENGTH, MAX_TOAST_LENGTH
from telegram.markdown import plain_text, split_markdown, split_plain
from telegram.media_calls import MEDIA_METHODS, caption_of, media_calls
from telegram.replies import Button, Reaction, Reply
from unicode_text import truncate_utf16

log = logging.getLogger(__name__)

NO_PREVIEW = {"is_disabled": True}
HTML_TAG = re.compile(r"<[^>]+>")


def reply_calls(chat_id: int, reply: Reply, reply_to: int | None, thread_id: int | None = None) -> list[Call]:
    """Return the calls that send a reply to a chat or a topic, one per message; ValueError for a blank reply.

    The first message refers to the message `reply_to`, the last one has the buttons.
    """
    calls: list[Call]
    if reply.media:
        calls = _media_calls(reply)
    elif reply.photo:
        calls = [("sendPhoto", {"photo": reply.photo, "caption": reply.text})]
    elif reply.is_markdown:
        calls = _rich_calls(reply)
    elif reply.is_html:
        calls = [("sendMessage", _text_params(reply))]
    else:
        calls = _plain_text_calls(FormattedText(reply.text, reply.entities))
    if not calls:
        raise ValueError("a reply needs a text or a photo")
    for _, params in calls:
        params["chat_id"] = chat_id
        if thread_id is not None:
            params["message_thread_id"] = thread_id
    if reply_to is not None:
        _, first_params = calls[0]
        first_params["reply_parameters"] = {"message_id": reply_to, "allow_sending_without_reply": True}
    if reply.buttons:
        _, last_params = calls[-1]
        last_params["reply_markup"] = _keyboard(reply.buttons)
    elif reply.asks_for_text:
        _, last_params = calls[-1]
        # In a group, selective addresses only the person whose message the reply refers to.
        placeholder = texts.ANSWER_PLACEHOLDER
        markup = {"force_reply": True, "selective": True, "input_field_placeholder": placeholder}
        last_params["reply_markup"] = markup
    return calls


def edit_call(chat_id: int, message_id: int, reply: Reply) -> Call:
    """Return the call that replaces the text and the buttons of a message that the bot sent earlier.

    A text that is too long is truncated: one message cannot become several.
    """
    params = {"chat_id": chat_id, "message_id": message_id, **_text_params(reply)}
    if not reply.is_html:
        params["text"] = truncate_utf16(reply.text, MAX_MESSAGE_LENGTH)
        if reply.entities:
            params["entities"] = clip(reply.entities, "", params["text"])
    params["reply_markup"] = _keyboard(reply.buttons)
    return "editMessageText", params


def edit_buttons_call(chat_id: int, message_id: int, buttons: Sequence[Sequence[Button]]) -> Call:
    """Return the call that replaces the buttons under a message that the bot sent earlier."""
    return "editMessageReplyMarkup", {
        "chat_id": chat_id,
        "message_id": message_id,
        "reply_markup": _keyboard(buttons),
    }


def reaction_call(chat_id: int, message_id: int, reaction: Reaction) -> Call:
    """Return the call that puts a reaction on a message."""
    emoji = {"type": "emoji", "emoji": reaction.emoji}
    return "setMessageReaction", {"chat_id": chat_id, "message_id": message_id, "reaction": [emoji]}


def callback_answer(query_id: str, text: str, *, is_alert: bool = False) -> Call:
    """Return the call that answers a tap on a button: with a short notice, or an alert that must be closed."""
    params: dict[str, Any] = {"callback_query_id": query_id, "text": truncate_utf16(text, MAX_TOAST_LENGTH)}
    if is_alert:
        params["show_alert"] = True
    return "answerCallbackQuery", params


def plain_calls(method: str, params: dict[str, Any]) -> list[Call]:
    """Return the calls that send a refused message or reaction as plain text; none if it was plain already."""
    calls: list[Call]
    if method == "setMessageReaction":
        return reply_calls(params["chat_id"], Reply(texts.NOTE_KEPT), params["message_id"])
    if method == "sendPhoto" and params["photo"].startswith("http"):
        lines = [line for line in (params["photo"], params.get("caption")) if line]
        calls = _plain_text_calls(FormattedText("\n\n".join(lines)))
    elif method in MEDIA_METHODS:
        caption = caption_of(method, params)
        separator = FormattedText("\n\n" if caption.text else "")
        calls = _plain_text_calls(FormattedText(texts.MEDIA_UNAVAILABLE) + separator + caption)
    elif method == "sendRichMessage":
        calls = _plain_text_calls(FormattedText(plain_text(params["rich_message"]["markdown"])))
    elif "parse_mode" in params:
        text = unescape(HTML_TAG.sub("", params["text"]))
        if method == "sendMessage":
            calls = _plain_text_calls(FormattedText(text))
        else:
            calls = [(method, {"text": truncate_utf16(text, MAX_MESSAGE_LENGTH)})]
    elif method == "sendMessage" and "entities" in params:
        calls = _plain_text_calls(FormattedText(params["text"]))
    else:
        calls = []
    if not calls:
        return []
    for _, plain_params in calls:
        _copy_params(params, plain_params, "chat_id", "message_thread_id", "message_id")
    _, first_params = calls[0]
    _copy_params(params, first_params, "reply_parameters")
    _, last_params = calls[-1]
    _copy_params(params, last_params, "reply_markup")
    return calls


def dropped_calls(chat_id: int, params: dict[str, Any]) -> list[Call]:
    """Return the calls that tell a person of a reply that is given up; params are those of its first call."""
    calls = reply_calls(chat_id, Reply(texts.REPLY_DROPPED), None)
    _, new_params = calls[0]
    _copy_params(params, new_params, "reply_parameters", "message_thread_id")
    return calls


def _copy_params(source: dict[str, Any], target: dict[str, Any], *names: str) -> None:
    for name in names:
        if name in source:
            target[name] = source[name]


def _rich_calls(reply: Reply) -> list[Call]:
    """Return the calls that send the Markdown of a model, made safe; as plain text if our code fails at it."""
    try:
        parts = split_markdown(reply.text, MAX_RICH_LENGTH, reply.footer)
    except Exception:  # whatever a model writes, the person gets the answer
        log.exception("Markdown is sent as plain text")
        return _plain_text_calls(FormattedText(f"{reply.text}\n\n{reply.footer}"))
    return [("sendRichMessage", {"rich_message": {"markdown": part}}) for part in parts]


def _media_calls(reply: Reply) -> list[Call]:
    """Return the calls that send attachments again, and the text after them if none can carry it.

    An album can have no buttons, so the text that has them is a message of its own.
    """
    text = FormattedText(reply.text, reply.entities)
    calls, has_caption = media_calls(reply.media, text)
    if has_caption and reply.buttons and calls[-1][0] == "sendMediaGroup":
        calls, has_caption = media_calls(reply.media, FormattedText(""))
    return calls if has_caption else [*calls, *_plain_text_calls(text)]


def _plain_text_calls(whole: FormattedText) -> list[Call]:
    calls: list[Call] = []
    position = 0
    for part in split_plain(whole.text, MAX_MESSAGE_LENGTH):
        params: dict[str, Any] = {"text": part, "link_preview_options": NO_PREVIEW}
        start = whole.text.index(part, position)  # the splitting drops white space between the parts
        position = start + len(part)
        if part_entities := clip(whole.entities, whole.text[:start], part):
            params["entities"] = part_entities
        calls.append(("sendMessage", params))
    return calls


def _text_params(reply: Reply) -> dict[str, Any]:
    """Return the parameters that carry the text of a single message."""
    params: dict[str, Any] = {"text": reply.text, "link_preview_options": NO_PREVIEW}
    if reply.is_html:
        params["parse_mode"] = "HTML"
    return params


def _keyboard(rows: Sequence[Sequence[Button]]) -> dict[str, Any]:
    """Return buttons as an InlineKeyboardMarkup object."""
    return {"inline_keyboard": [[_button(button) for button in row] for row in rows]}


def _button(button: Button) -> dict[str, Any]:
    if button.copy_text:
        return {"text": button.label, "copy_text": {"text": button.copy_text}}
    return {"text": button.label, "callback_data": button.data}
