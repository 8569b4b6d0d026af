"""Send replies: in order within a chat, again and again until Telegram accepts them.

A reply is stored in the transaction of the update it answers, so either both happen or neither does.

Telegram may fail (5xx) at one reply while everything else works. Such a reply is sent as plain text after
PLAIN_TEXT_FAILURES, and dropped after DROP_AFTER_S, but only if Telegram accepts another call for the same chat at
that moment: during an outage nothing is dropped.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import journal
import storage
import texts
from journal import Call, OutboxRow
from telegram.calls import dropped_calls, plain_calls, reply_calls
from telegram.keyed_executor import KeyedExecutor
from telegram.replies import Reply
from telegram.transport import Telegram, TelegramError, backoff_s

log = logging.getLogger(__name__)

# Far more than the 30 messages per second that Telegram accepts: on a slow connection each takes long.
MAX_SENDERS = 40

PLAIN_TEXT_FAILURES = 4  # in a row
DROP_AFTER_S = 600.0


@dataclass(frozen=True)
class _SentReply:
    """A reply whose first call Telegram has accepted or refused, to be recorded in the journal."""

    reply_id: int
    remaining_calls: list[Call]
    answered: tuple[int, int, int] | None  # chat, message and question, if the message answers a question


@dataclass
class _Failures:
    """The failures of the next call of a chat, in a row."""

    reply_id: int
    count: int = 0
    server_errors: int = 0  # of them, responses with a status of 5xx
    first_server_error_at: float = 0.0  # on the clock of time.monotonic()
    others_accepted: bool = False  # after the latest failure Telegram accepted another call


class Outbox:
    """Sends the replies stored in the journal.

    on_chat_migrated(old_chat_id, new_chat_id) moves what else belongs to a group that became a supergroup.
    """

    def __init__(
        self, telegram: Telegram, on_chat_migrated: Callable[[int, int], None] = journal.move_chat
    ) -> None:
        self._telegram = telegram
        self._on_chat_migrated = on_chat_migrated
        self._executor = KeyedExecutor("sender", self._send_next, MAX_SENDERS)
        self._failures: dict[int, _Failures] = {}  # by chat
        self.dropped_replies = 0  # since the start
        self._unrecorded: dict[int, _SentReply] = {}  # chat → sent, but not yet recorded

    def start(self) -> None:
        """Send what an earlier run left."""
        for chat_id in journal.chats_with_replies():
            self._executor.wake(chat_id)

    def stop(self, grace_s: float, linger_s: float) -> None:
        """Send due replies for up to grace_s, then wait up to linger_s for running calls."""
        self._executor.stop(grace_s, linger_s)

    def put(self, chat_id: int, reply: Reply, reply_to: int | None = None, thread_id: int | None = None) -> None:
        """Store a reply; it is sent once the current transaction is committed."""
        self.put_calls(chat_id, reply_calls(chat_id, reply, reply_to, thread_id), reply.question_id)

    def put_calls(self, chat_id: int, calls: list[Call], question_id: int | None = None) -> None:
        """Store calls; they are made in the order of the chat once the current transaction is committed."""
        journal.add_reply(chat_id, calls, question_id)
        storage.on_commit(partial(self._executor.wake, chat_id))

    def _send_next(self, chat_id: int) -> float | None:
        """Make the next call of a chat; return the seconds until the next attempt, None if nothing is left."""
        if chat_id not in self._unrecorded:
            reply = journal.next_reply(chat_id)
            if reply is None:
                return None
            try:
                self._unrecorded[chat_id] = self._send(chat_id, reply)
            except TelegramError as error:
                if error.migrate_to_chat_id is not None:
                    self._move_chat(chat_id, error.migrate_to_chat_id)
                    return None
                failures = self._count_failure(chat_id, reply, error)
                way_out = self._way_out(chat_id, reply, failures)
                if way_out is None:
                    return _retry_delay_s(chat_id, failures, error)
                self._unrecorded[chat_id] = way_out
        # If recording fails, the executor calls again and the entry prevents a second sending.
        sent = self._unrecorded[chat_id]
        journal.finish_reply(sent.reply_id, sent.remaining_calls, sent.answered)
        del self._unrecorded[chat_id]
        self._failures.pop(chat_id, None)
        return 0.0

    def _send(self, chat_id: int, reply: OutboxRow) -> _SentReply:
        """Make a reply's first call; TelegramError if it should be tried again."""
        (method, params), *remaining_calls = reply["calls"]
        try:
            message = self._telegram.call(method, params)
        except TelegramError as error:
            if not error.is_final or error.migrate_to_chat_id is not None:
                raise
            if not self._telegram.is_missing(method):  # the transport has logged that, once
                _log_refusal(chat_id, method, error)
            fallback_calls: list[Call] = []
            if error.status != 403 and not _is_harmless(error):
                fallback_calls = plain_calls(method, params)
            return _SentReply(reply["id"], [*fallback_calls, *remaining_calls], None)
        answered = None
        if reply["question_id"] is not None:
            answered = (chat_id, message["message_id"], reply["question_id"])
        return _SentReply(reply["id"], remaining_calls, answered)

    def _move_chat(self, chat_id: int, new_chat_id: int) -> None:
        """Move everything to the new id of a group that has become a supergroup, and send the replies there."""
        log.info("chat %d is a supergroup now and has the id %d", chat_id, new_chat_id)
        try:
            with storage.transaction():
                self._on_chat_migrated(chat_id, new_chat_id)
                journal.move_replies(chat_id, new_chat_id)
                storage.on_commit(partial(self._executor.wake, new_chat_id))
        finally:
            storage.close_thread()

    def _count_failure(self, chat_id: int, reply: OutboxRow, error: TelegramError) -> _Failures:
        failures = self._failures.get(chat_id)
        if failures is None or failures.reply_id != reply["id"]:
            failures = self._failures[chat_id] = _Failures(reply["id"])
        failures.count += 1
        if error.status >= 500:
            failures.first_server_error_at = failures.first_server_error_at or time.monotonic()
            failures.server_errors += 1
        else:  # no connection, or too many calls: this says nothing about the reply
            failures.server_errors, failures.first_server_error_at, failures.others_accepted = 0, 0.0, False
        return failures

    def _way_out(self, chat_id: int, reply: OutboxRow, failures: _Failures) -> _SentReply | None:
        """Return what follows a reply at which Telegram fails again and again; None to try it again."""
        (method, params), *remaining_calls = reply["calls"]
        if failures.server_errors == PLAIN_TEXT_FAILURES and (calls := plain_calls(method, params)):
            log.warning("chat %d: %s fails again and again, sent as plain text", chat_id, method)
            return _SentReply(reply["id"], [*calls, *remaining_calls], None)
        failed_for_s = time.monotonic() - failures.first_server_error_at
        if not failures.server_errors or failed_for_s < DROP_AFTER_S:
            return None
        # A reply is at fault if it fails between two calls that Telegram accepts; else an outage may have ended.
        others_accepted_before = failures.others_accepted
        failures.others_accepted = self.accepts_calls(chat_id, params.get("message_thread_id"))
        if not (others_accepted_before and failures.others_accepted):
            return None
        log.error("chat %d: a reply (%s) is dropped: Telegram fails at it again and again", chat_id, method)
        if params.get("text") == texts.REPLY_DROPPED:
            return _SentReply(reply["id"], [], None)
        self.dropped_replies += 1
        if method == "answerCallbackQuery":  # the notice for a tap; what follows is for the same tap
            return _SentReply(reply["id"], remaining_calls, None)
        return _SentReply(reply["id"], dropped_calls(chat_id, params), None)

    def accepts_calls(self, chat_id: int, thread_id: int | None) -> bool:
        """Return whether Telegram accepts another call for a chat and its topic."""
        topic = {} if thread_id is None else {"message_thread_id": thread_id}
        try:
            self._telegram.call("sendChatAction", {"chat_id": chat_id, **topic, "action": "typing"})
        except TelegramError:
            return False
        return True


def _retry_delay_s(chat_id: int, failures: _Failures, error: TelegramError) -> float:
    delay_s = error.retry_after or backoff_s(failures.count)
    level = logging.INFO if failures.count == 1 else logging.DEBUG  # Telegram may be unavailable for hours
    log.log(level, "chat %d: %s; again in %.1f s", chat_id, error, delay_s)
    return delay_s


def _log_refusal(chat_id: int, method: str, error: TelegramError) -> None:
    level = logging.WARNING
    if error.status == 403:  # people block bots and leave groups every day
        level = logging.INFO
    elif _is_harmless(error):
        level = logging.DEBUG
    log.log(level, "chat %d: %s refused: %s", chat_id, method, error)


def _is_harmless(error: TelegramError) -> bool:
    """Return whether the call had nothing left to do, as after two taps on one button."""
    return "message is not modified" in error.description or "query is too old" in error.description
