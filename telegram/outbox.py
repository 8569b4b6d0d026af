"""Send replies: in order within a chat, again and again until Telegram accepts them.

A reply is stored in the transaction of the update it answers, so either both happen or neither does.

Telegram may fail (5xx) at one reply while everything else works. Such a reply is sent as plain text after
PLAIN_TEXT_FAILURES, and dropped after DROP_AFTER_S, but only if Telegram accepts another call for the same chat at
that moment: during an outage nothing is dropped.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

import journal
import storage
import texts
from journal import Call, OutboxRow, SentCall
from telegram.calls import dropped_calls, plain_calls, reply_calls
from telegram.due_replies import DueReplies
from telegram.failures import Failures
from telegram.keyed_executor import KeyedExecutor
from telegram.replies import Reply
from telegram.transport import Telegram, TelegramError

log = logging.getLogger(__name__)

# A call that hangs takes a thread for up to 30 s. A thread that waits takes 0.03 MiB (docs/benchmarks.md).
MAX_SENDERS = 300
SLOW_AFTER_S = 5.0  # chats whose last call took longer share half of the senders

PLAIN_TEXT_FAILURES = 4  # in a row

# What Telegram has accepted is recorded in groups. After a crash, the replies of one group are sent again.
RECORD_INTERVAL_S = 0.025
MAX_UNRECORDED = 200
MAX_UNRECORDED_AGE_S = 1.0  # while the database is unavailable, nothing more is sent


class _Recorder:
    """Records in groups what was sent, on a thread of its own."""

    def __init__(self) -> None:
        self._executor: KeyedExecutor[str] = KeyedExecutor("recorder", self._record, max_threads=1)
        self._recording = threading.Lock()
        self._sent: list[SentCall] = []
        self._first_sent_at = 0.0  # on the clock of time.monotonic()

    def add(self, sent: SentCall) -> None:
        """Record a call soon."""
        if not self._sent:
            self._first_sent_at = time.monotonic()
        self._sent.append(sent)
        self._executor.wake("group", RECORD_INTERVAL_S)

    def is_full(self) -> bool:
        """Return whether nothing more should be sent before the group is recorded."""
        if not self._sent:
            return False
        is_old = time.monotonic() - self._first_sent_at > MAX_UNRECORDED_AGE_S
        return is_old or len(self._sent) >= MAX_UNRECORDED

    def flush(self) -> None:
        """Record the group now."""
        with self._recording:
            group = self._sent[:]
            if group:
                journal.finish_replies(group)
                self._first_sent_at = time.monotonic()
                del self._sent[: len(group)]

    def stop(self, linger_s: float) -> None:
        """Record what is left."""
        self._executor.stop(0, linger_s)
        try:
            self.flush()
        except Exception as error:
            if not storage.is_unavailable(error):
                raise
            log.error("%d replies will be sent again, as the database is unavailable: %s", len(self._sent), error)

    def _record(self, _: str) -> None:
        self.flush()


class Outbox:
    """Sends the replies stored in the journal.

    on_chat_migrated(old_chat_id, new_chat_id) moves what else belongs to a group that became a supergroup.
    """

    def __init__(
        self, telegram: Telegram, on_chat_migrated: Callable[[int, int], None] = journal.move_chat
    ) -> None:
        self._telegram = telegram
        self._pacing = telegram.pacing
        self._on_chat_migrated = on_chat_migrated
        self._due = DueReplies()
        self._recorder = _Recorder()
        self._executor: KeyedExecutor[int] = KeyedExecutor(
            "sender",
            self._send_next,
            MAX_SENDERS,
            slow_after_s=SLOW_AFTER_S,
            is_urgent=self._is_answer,
            take_turn=self._pacing.take_turn,
        )
        self._failures: dict[int, Failures] = {}  # by chat: of its next call, in a row
        self.dropped_replies = 0  # since the start

    def start(self) -> None:
        """Send what an earlier run left."""
        for chat_id in self._due.add_stored():
            self._executor.wake(chat_id)

    def stop(self, grace_s: float, linger_s: float) -> None:
        """Send due replies for up to grace_s, then wait up to linger_s for running calls."""
        self._executor.stop(grace_s, linger_s)
        self._recorder.stop(linger_s)

    def put(self, chat_id: int, reply: Reply, reply_to: int | None = None, thread_id: int | None = None) -> None:
        """Store a reply; it is sent once the current transaction is committed."""
        calls = reply_calls(chat_id, reply, reply_to, thread_id)
        self.put_calls(chat_id, calls, reply.question_id, reply.note_id)

    def put_calls(
        self, chat_id: int, calls: list[Call], question_id: int | None = None, note_id: int | None = None
    ) -> None:
        """Store calls; they are made in the order of the chat once the current transaction is committed."""
        reply_id = journal.add_reply(chat_id, calls, question_id, note_id)
        reply: OutboxRow = {"id": reply_id, "calls": calls, "question_id": question_id, "note_id": note_id}
        storage.on_commit(partial(self._add_due, chat_id, reply))

    def _add_due(self, chat_id: int, reply: OutboxRow) -> None:
        self._due.add(chat_id, reply)
        self._executor.wake(chat_id, self._wait_s(chat_id))

    def _is_answer(self, chat_id: int) -> bool:
        reply = self._due.peek(chat_id)
        return reply is not None and reply["question_id"] is not None

    def _wait_s(self, chat_id: int) -> float:
        """Return the seconds until the next call of a chat may be made."""
        reply = self._due.peek(chat_id)
        is_message = reply is None or reply["calls"][0][0] != "answerCallbackQuery"
        return self._pacing.chat_wait_s(chat_id) if is_message else 0.0

    def _send_next(self, chat_id: int) -> float | None:
        """Make the next call of a chat; return the seconds until the next attempt, None if nothing is left."""
        if self._recorder.is_full():
            return RECORD_INTERVAL_S
        reply = self._due.next(chat_id)
        if reply is None:
            return None
        try:
            sent = self._send(chat_id, reply)
        except TelegramError as error:
            if error.migrate_to_chat_id is not None:
                self._move_chat(chat_id, error.migrate_to_chat_id)
                return None
            failures = self._failures.setdefault(chat_id, Failures())
            failures.add(error)
            fallback = self._fallback(chat_id, reply, failures)
            if fallback is None:
                return failures.retry_delay_s(chat_id, error)
            sent = fallback
        self._failures.pop(chat_id, None)
        self._recorder.add(sent)
        has_more = self._due.finish_call(chat_id, sent["remaining_calls"])
        return self._wait_s(chat_id) if has_more else None

    def _send(self, chat_id: int, reply: OutboxRow) -> SentCall:
        """Make a reply's first call; TelegramError if it should be tried again."""
        (method, params), *remaining_calls = reply["calls"]
        if method != "answerCallbackQuery":
            self._pacing.count_message(chat_id)
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
            return _sent(reply, [*fallback_calls, *remaining_calls])
        sent = _sent(reply, remaining_calls)
        if reply["question_id"] is not None:
            sent["answered"] = (chat_id, message["message_id"], reply["question_id"])
        if reply["note_id"] is not None:
            last = message[-1] if isinstance(message, list) else message  # an album is several messages
            sent["note"] = (chat_id, last["message_id"], reply["note_id"])
        return sent

    def _move_chat(self, chat_id: int, new_chat_id: int) -> None:
        """Move everything to the new id of a group that has become a supergroup, and send the replies there."""
        log.info("chat %d is a supergroup now and has the id %d", chat_id, new_chat_id)
        self._recorder.flush()  # so that only what was not sent moves
        try:
            with storage.transaction():
                self._on_chat_migrated(chat_id, new_chat_id)
                storage.on_commit(partial(self._due.remove_chat, chat_id))
                for reply in journal.move_replies(chat_id, new_chat_id):
                    storage.on_commit(partial(self._add_due, new_chat_id, reply))
        finally:
            storage.close_thread()

    def _fallback(self, chat_id: int, reply: OutboxRow, failures: Failures) -> SentCall | None:
        """Return what follows a reply at which Telegram fails again and again; None to try it again."""
        (method, params), *remaining_calls = reply["calls"]
        if failures.server_errors == PLAIN_TEXT_FAILURES and (calls := plain_calls(method, params)):
            log.warning("chat %d: %s fails again and again, sent as plain text", chat_id, method)
            return _sent(reply, [*calls, *remaining_calls])
        if not failures.is_hopeless(partial(self.accepts_calls, chat_id, params.get("message_thread_id"))):
            return None
        log.error("chat %d: a reply (%s) is dropped: Telegram fails at it again and again", chat_id, method)
        if params.get("text") == texts.REPLY_DROPPED:
            return _sent(reply, [])
        self.dropped_replies += 1
        if method == "answerCallbackQuery":  # the notice for a tap; what follows is for the same tap
            return _sent(reply, remaining_calls)
        return _sent(reply, dropped_calls(chat_id, params))

    def accepts_calls(self, chat_id: int, thread_id: int | None) -> bool:
        """Return whether Telegram accepts another call for a chat and its topic."""
        topic = {} if thread_id is None else {"message_thread_id": thread_id}
        try:
            self._telegram.call("sendChatAction", {"chat_id": chat_id, **topic, "action": "typing"})
        except TelegramError:
            return False
        return True


def _sent(reply: OutboxRow, remaining_calls: list[Call]) -> SentCall:
    return {"reply_id": reply["id"], "remaining_calls": remaining_calls, "answered": None, "note": None}


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
