"""Replies go out: in order within a chat, retried until Telegram has taken them, never lost.

A reply is written into the outbox in the transaction of what it answers; so either both happened or neither.
"""

import logging
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import db
import texts
from runtime import files
from runtime.lanes import Lanes
from runtime.telegram import Telegram, TelegramError

log = logging.getLogger(__name__)

SENDERS = 40  # far more than the 30 messages a second that Telegram takes: on a slow line each is long under way
MESSAGE_LIMIT = 4096  # UTF-16 units
BACKOFF_FIRST_S, BACKOFF_CAP_S = 0.5, 30.0


@dataclass(frozen=True)
class Reply:
    """What to say: a text, or a file that is made when it is sent, with the text as its caption."""

    text: str
    attachment: dict[str, Any] | None = None  # keyword arguments of files.make()


class Outbox:
    """Sends what db's outbox holds."""

    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram
        self._lanes = Lanes("sender", self._send_next, SENDERS)
        self._failures: dict[int, int] = {}  # chat → how many times in a row its next reply failed
        self._sent: dict[int, int] = {}  # chat → a reply that was sent and could not be removed yet

    def start(self) -> None:
        """Send what an earlier run left."""
        for chat_id in db.chats_waiting():
            self._lanes.wake(chat_id)

    def stop(self, grace_s: float, linger_s: float) -> None:
        """Send what is due for up to grace_s, then finish what is under way."""
        self._lanes.stop(grace_s, linger_s)

    def put(self, chat_id: int, reply: Reply, reply_to: int | None = None) -> None:
        """Write a reply down, to be sent once the transaction it belongs to is committed."""
        for method, params in _calls(chat_id, reply, reply_to):
            db.add_reply(chat_id, method, params, reply.attachment)
        db.on_commit(partial(self._lanes.wake, chat_id))

    def _send_next(self, chat_id: int) -> float | None:
        """Send a chat's oldest reply; return in how many seconds to come again, None if nothing is left."""
        row = db.next_reply(chat_id)
        if row is None:
            return None
        if self._sent.get(chat_id) != row["id"]:
            try:
                self._send(row)
            except TelegramError as error:
                if not error.is_final:
                    return self._retry_in(chat_id, error)
                log.warning("reply to chat %d dropped: %s %s", chat_id, row["method"], _without_quotes(error))
            self._sent[chat_id] = row["id"]
        db.remove_reply(row["id"])
        del self._sent[chat_id]
        self._failures.pop(chat_id, None)
        return 0.0

    def _send(self, row: db.Row) -> None:
        try:
            attached = files.make(**row["attachment"]) if row["attachment"] else None
        except Exception as error:
            if db.is_unavailable(error):
                raise
            log.exception("reply %d cannot be made", row["id"])
            self._telegram.call("sendMessage", {"chat_id": row["params"]["chat_id"], "text": texts.FAILED})
        else:
            self._telegram.call(row["method"], row["params"], attached)

    def _retry_in(self, chat_id: int, error: TelegramError) -> float:
        failures = self._failures[chat_id] = self._failures.get(chat_id, 0) + 1
        delay_s = error.retry_after or backoff_s(failures)
        log.info("chat %d: %s; again in %.1f s", chat_id, _without_quotes(error), delay_s)
        return delay_s


def backoff_s(failures: int) -> float:
    """Return how long to wait after so many failures in a row: doubling, capped, with jitter."""
    longest = min(BACKOFF_CAP_S, BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 16))
    return random.uniform(longest / 2, longest)


def _calls(chat_id: int, reply: Reply, reply_to: int | None) -> Iterator[tuple[str, dict[str, Any]]]:
    to_whom: dict[str, Any] = {"chat_id": chat_id}
    if reply_to is not None:
        to_whom["reply_parameters"] = {"message_id": reply_to, "allow_sending_without_reply": True}
    if reply.attachment:
        yield "sendDocument", {**to_whom, "caption": reply.text}
        return
    for part in split(reply.text):
        yield "sendMessage", {**to_whom, "text": part, "link_preview_options": {"is_disabled": True}}


def split(text: str, limit: int = MESSAGE_LIMIT) -> Iterator[str]:
    """Cut a text into parts of at most limit UTF-16 units, at the end of a line where there is one.

    Telegram refuses a blank part and trims the others, so nothing but white space at their edges is dropped.
    """
    while text := text.strip():
        end = _units(text, limit)
        if end < len(text):
            end = text.rfind("\n", 1, end) if "\n" in text[1:end] else end
        part, text = text[:end], text[end:]
        if part.strip():
            yield part


def _units(text: str, limit: int) -> int:
    """Return how many characters of the text fit into so many UTF-16 units."""
    if len(text) * 2 <= limit:
        return len(text)
    encoded = text.encode("utf-16-le")[: limit * 2]
    return len(encoded.decode("utf-16-le", "ignore"))


def _without_quotes(error: TelegramError) -> str:
    """Say what Telegram said, without what it quoted of a person's text."""
    return re.sub(r'".*"', '"…"', str(error))
