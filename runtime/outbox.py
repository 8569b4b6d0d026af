"""Replies go out: in order within a chat, retried until Telegram has taken them, never lost.

A reply is written into the outbox in the transaction of what it answers; so either both happened or neither.
"""

import logging
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import unescape
from typing import Any

import db
import texts
from runtime import files
from runtime.lanes import Lanes
from runtime.markdown import head, split_markdown, split_plain
from runtime.telegram import Telegram, TelegramError, Upload

log = logging.getLogger(__name__)

SENDERS = 40  # far more than the 30 messages a second that Telegram takes: on a slow line each is long under way
MESSAGE_LIMIT, RICH_LIMIT = 4096, 32768  # UTF-16 units
BACKOFF_FIRST_S, BACKOFF_CAP_S = 0.5, 30.0
METHODS = {"document": "sendDocument", "photo": "sendPhoto"}  # by the field that carries the file
NO_PREVIEW = {"is_disabled": True}
TAG = re.compile(r"<[^>]+>")


@dataclass(frozen=True)
class Button:
    """A button under a message: its label, and what the router gets when it is tapped (64 bytes at most)."""

    label: str
    data: str


@dataclass(frozen=True)
class Reply:
    """What to say: a text, with or without what goes along."""

    text: str = ""  # may be empty where an attachment says it
    is_markdown: bool = False  # as models write it; Telegram renders it
    is_html: bool = False  # the few tags that Telegram knows; short enough for one message
    attachment: dict[str, Any] | None = None  # arguments of files.make(), if it is made when it is sent
    photo: str = ""  # the address of a picture, with the text as its caption
    buttons: Sequence[Sequence[Button]] = ()  # rows of them
    question_id: int | None = None  # the question that it answers
    is_list_of_models: bool = False  # an old list is then fetched anew, for the next time


class Outbox:
    """Sends what db's outbox holds."""

    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram
        self._lanes = Lanes("sender", self._send_next, SENDERS)
        self._failures: dict[int, int] = {}  # chat → how many times in a row its next reply failed
        self._done: dict[int, tuple[int, list[db.Call], tuple[int, int, int] | None]] = {}  # sent, not yet noted

    def start(self) -> None:
        """Send what an earlier run left."""
        for chat_id in db.chats_waiting():
            self._lanes.wake(chat_id)

    def stop(self, grace_s: float, linger_s: float) -> None:
        """Send what is due for up to grace_s, then finish what is under way."""
        self._lanes.stop(grace_s, linger_s)

    def put(self, chat_id: int, reply: Reply, reply_to: int | None = None) -> None:
        """Write a reply down, to be sent once the transaction it belongs to is committed."""
        self.put_calls(chat_id, _calls(chat_id, reply, reply_to), reply.attachment, reply.question_id)

    def put_calls(
        self,
        chat_id: int,
        calls: list[db.Call],
        attachment: dict[str, Any] | None = None,
        question_id: int | None = None,
    ) -> None:
        """Write calls down, to be made in the order of the chat."""
        db.add_reply(chat_id, calls, attachment, question_id)
        db.on_commit(partial(self._lanes.wake, chat_id))

    def _send_next(self, chat_id: int) -> float | None:
        """Send the next message of a chat; return in how many seconds to come again, None if nothing is left."""
        if chat_id not in self._done:
            row = db.next_reply(chat_id)
            if row is None:
                return None
            try:
                self._done[chat_id] = (row["id"], *self._send(chat_id, row))
            except TelegramError as error:
                return self._retry_in(chat_id, error)
        # Should this fail, what was sent is not sent again: it is still in _done.
        db.reply_done(*self._done[chat_id])
        del self._done[chat_id]
        self._failures.pop(chat_id, None)
        return 0.0

    def _send(self, chat_id: int, row: db.Row) -> tuple[list[db.Call], tuple[int, int, int] | None]:
        """Make the first of a reply's calls; return the calls that are left, and which question was answered."""
        (method, params), *rest = row["calls"]
        upload: Upload | None = None
        if row["attachment"]:
            made = self._made(row)
            if isinstance(made, str):
                (method, text), *more = _calls(chat_id, Reply(made), None)
                params, rest = {**params, **text}, [*more, *rest]
            else:
                method, upload = METHODS[made.upload.field], made.upload
                params = {**params, "caption": made.caption}
        try:
            sent = self._telegram.call(method, params, upload)
        except TelegramError as error:
            if not error.is_final:
                raise
            level = logging.DEBUG if _is_harmless(error) else logging.WARNING
            if error.status == 403:  # people block bots and leave groups every day
                level = logging.INFO
            log.log(level, "chat %d: %s refused: %s", chat_id, method, error)
            plain = [] if error.status == 403 or _is_harmless(error) else _plain_calls(method, params)
            return [*plain, *rest], None
        finally:
            if upload:
                upload.content.close()
        if row["question_id"] is None:
            return rest, None
        return rest, (chat_id, sent["message_id"], row["question_id"])

    def _made(self, row: db.Row) -> files.Made | str:
        """Make what goes along with a reply, or the sentence that says that it cannot be made."""
        try:
            return files.make(self._telegram, **row["attachment"])
        except Exception as error:
            if db.is_unavailable(error) or isinstance(error, TelegramError):
                raise
            log.exception("reply %d cannot be made", row["id"])
            return texts.FAILED

    def _retry_in(self, chat_id: int, error: TelegramError) -> float:
        failures = self._failures[chat_id] = self._failures.get(chat_id, 0) + 1
        delay_s = error.retry_after or backoff_s(failures)
        level = logging.INFO if failures == 1 else logging.DEBUG  # Telegram may be away for hours
        log.log(level, "chat %d: %s; again in %.1f s", chat_id, error, delay_s)
        return delay_s


def backoff_s(failures: int) -> float:
    """Return how long to wait after so many failures in a row: doubling, capped, with jitter."""
    longest = min(BACKOFF_CAP_S, BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 16))
    return random.uniform(longest / 2, longest)


def _calls(chat_id: int, reply: Reply, reply_to: int | None) -> list[db.Call]:
    """Return the calls that say a reply: the first shows what it answers, the last has the buttons."""
    calls: list[db.Call]
    if reply.attachment:
        calls = [(METHODS["document"], {})]
    elif reply.photo:
        calls = [("sendPhoto", {"photo": reply.photo, "caption": reply.text})]
    elif reply.is_markdown:
        parts = split_markdown(reply.text, RICH_LIMIT)
        calls = [("sendRichMessage", {"rich_message": {"markdown": part}}) for part in parts]
    elif reply.is_html:
        calls = [("sendMessage", _text(reply))]
    else:
        calls = _text_calls(reply.text)
    for _, params in calls:
        params["chat_id"] = chat_id
    if reply_to is not None:
        calls[0][1]["reply_parameters"] = {"message_id": reply_to, "allow_sending_without_reply": True}
    if reply.buttons:
        calls[-1][1]["reply_markup"] = _keyboard(reply.buttons)
    return calls


def edit_call(chat_id: int, message_id: int, reply: Reply) -> db.Call:
    """Return the call that has an earlier message of ours say something else."""
    params = {"chat_id": chat_id, "message_id": message_id, **_text(reply)}
    return "editMessageText", {**params, "reply_markup": _keyboard(reply.buttons)}


def _text(reply: Reply) -> dict[str, Any]:
    """Return the parameters that carry a text of one message."""
    parameters = {"text": reply.text, "link_preview_options": NO_PREVIEW}
    return {**parameters, "parse_mode": "HTML"} if reply.is_html else parameters


def _keyboard(rows: Sequence[Sequence[Button]]) -> dict[str, Any]:
    """Return buttons as Telegram takes them."""
    return {"inline_keyboard": [[{"text": b.label, "callback_data": b.data} for b in row] for row in rows]}


def _plain_calls(method: str, params: db.Row) -> list[db.Call]:
    """Return the calls that say as plain text what was refused as it was; none, if it was plain already."""
    if method == "sendPhoto":
        calls = _text_calls("\n\n".join(filter(None, (params.get("photo"), params.get("caption")))))
    elif method == "sendRichMessage":
        calls = _text_calls(params["rich_message"]["markdown"])
    elif "parse_mode" in params:
        text = unescape(TAG.sub("", params["text"]))
        calls = _text_calls(text) if method == "sendMessage" else [(method, {"text": head(text, MESSAGE_LIMIT)})]
    else:
        return []
    for _, plain in calls:
        plain |= {name: params[name] for name in ("chat_id", "message_id") if name in params}
    for name, call in (("reply_parameters", calls[0]), ("reply_markup", calls[-1])):
        if name in params:
            call[1][name] = params[name]
    return calls


def _text_calls(text: str) -> list[db.Call]:
    parts = split_plain(text, MESSAGE_LIMIT)
    return [("sendMessage", {"text": part, "link_preview_options": NO_PREVIEW}) for part in parts]


def _is_harmless(error: TelegramError) -> bool:
    """Whether the refusal only says that there was nothing to do: two taps on a button do that."""
    return "message is not modified" in error.description or "query is too old" in error.description
