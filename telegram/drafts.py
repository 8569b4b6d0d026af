"""Show a growing answer as a draft, which Telegram animates until the final message arrives.

Drafts are sent on threads of their own: a call that hangs delays neither the answer nor other drafts. A draft is
skipped if a reply might have to wait for it, see pacing.py.
"""

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

from telegram.keyed_executor import KeyedExecutor
from telegram.limits import MAX_MESSAGE_LENGTH, MAX_RICH_LENGTH
from telegram.markdown import split_markdown
from telegram.transport import Telegram, TelegramError
from unicode_text import truncate_utf16

log = logging.getLogger(__name__)

UPDATE_INTERVAL_S = 1.0  # the shortest time between two drafts
DRAFT_LIFETIME_S = 10.0  # Telegram drops a draft after 30 s, or when another message arrives
TYPING_LIFETIME_S = 4.0  # Telegram shows "typing" for 5 s
TIMEOUT_S = 5.0
CLOSE_WAIT_S = 0.5  # how long the answer waits for a draft on its way, so that the draft does not come after it
MAX_SENDERS = 60


class Drafts:
    """Sends the drafts of all answers."""

    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram
        self._executor: KeyedExecutor[Draft] = KeyedExecutor("drafts", _send, MAX_SENDERS)

    def open(self, chat_id: int, draft_id: int, *, is_private: bool, thread_id: int | None = None) -> "Draft":
        """Return a draft that shows nothing yet. In groups the bot only shows that it is typing."""
        return Draft(self._telegram, self._executor, chat_id, draft_id, is_private=is_private, thread_id=thread_id)

    def stop(self) -> None:
        """Send no more drafts."""
        self._executor.stop(grace_s=0, linger_s=0)


class Draft:
    """The draft of one answer. A failed call has no effect: the final message contains the whole answer."""

    def __init__(
        self,
        telegram: Telegram,
        executor: "KeyedExecutor[Draft]",
        chat_id: int,
        draft_id: int,
        *,
        is_private: bool,
        thread_id: int | None = None,
    ) -> None:
        self._telegram = telegram
        self._executor = executor
        self._chat_id = chat_id
        self._chat_params = {"chat_id": chat_id}
        if thread_id is not None:
            self._chat_params["message_thread_id"] = thread_id
        self._draft_params = {**self._chat_params, "draft_id": draft_id, "can_stop": True, "keep_on_stop": True}
        self._can_draft = is_private
        self._changed = threading.Condition()  # guards everything below
        self._text, self._is_markdown = "", True  # to show
        self._is_on_its_way = False
        self._is_closed = False
        self._shown_text: str | None = None
        self._next_update_at = 0.0
        self._stale_at = 0.0

    def show(self, text: str, *, is_markdown: bool = True) -> None:
        """Show the text so far ("" while the model thinks); return at once.

        Does nothing when a draft is on its way, the last one is too recent, or it shows the same text and is not
        stale.
        """
        now = time.monotonic()
        with self._changed:
            is_shown = text == self._shown_text and now < self._stale_at
            if self._is_closed or self._is_on_its_way or now < self._next_update_at or is_shown:
                return
            self._text, self._is_markdown = text, is_markdown
            self._next_update_at = now + UPDATE_INTERVAL_S
            self._is_on_its_way = True
        self._executor.wake(self)

    def close(self) -> None:
        """Show nothing more, because the answer follows."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: not self._is_on_its_way, CLOSE_WAIT_S)

    def seconds_until_next(self) -> float:
        """Return the seconds until a new text can be shown."""
        return max(self._next_update_at - time.monotonic(), 0.0)

    def seconds_until_stale(self) -> float:
        """Return the seconds until the same text has to be shown again."""
        return max(self._stale_at - time.monotonic(), UPDATE_INTERVAL_S)

    def send(self) -> None:
        """Make the call that shows the text, or the next simpler one if Telegram refuses it."""
        started_at = time.monotonic()
        shown_until = 0.0
        retry_after = 0.0
        for method, params, lifetime_s in self._possible_calls():
            if self._is_closed or not self._may_call(method):
                break
            try:
                self._telegram.call(method, params, timeout_s=TIMEOUT_S)
            except TelegramError as error:
                log.debug("%s: %s", method, error.status)
                if not error.is_final:
                    retry_after = error.retry_after or 0.0
                    break
            else:
                shown_until = started_at + lifetime_s
                break
        with self._changed:
            if shown_until:
                self._shown_text, self._stale_at = self._text, shown_until
            self._next_update_at = max(self._next_update_at, started_at + retry_after)
            self._is_on_its_way = False
            self._changed.notify_all()

    def _may_call(self, method: str) -> bool:
        return self._telegram.pacing.take_turn_for_draft(self._chat_id, is_message=method != "sendChatAction")

    def _possible_calls(self) -> Iterator[tuple[str, dict[str, Any], float]]:
        """Yield (method, parameters, lifetime in seconds), the best first."""
        if self._can_draft:
            parts = split_markdown(self._text, MAX_RICH_LENGTH) if self._is_markdown else []
            if parts:
                params = {**self._draft_params, "rich_message": {"markdown": parts[0]}}
                yield "sendRichMessageDraft", params, DRAFT_LIFETIME_S
            params = {**self._draft_params, "text": truncate_utf16(self._text, MAX_MESSAGE_LENGTH)}
            yield "sendMessageDraft", params, DRAFT_LIFETIME_S
        yield "sendChatAction", {**self._chat_params, "action": "typing"}, TYPING_LIFETIME_S


def _send(draft: Draft) -> None:
    draft.send()
