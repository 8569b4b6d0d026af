"""Show a growing answer as a draft, which Telegram animates until the final message arrives."""

import logging
import time
from collections.abc import Iterator
from typing import Any

from telegram.limits import MAX_MESSAGE_LENGTH, MAX_RICH_LENGTH
from telegram.transport import Telegram, TelegramError
from unicode_text import truncate_utf16

log = logging.getLogger(__name__)

UPDATE_INTERVAL_S = 1.0  # the shortest time between two drafts
DRAFT_LIFETIME_S = 5.0  # Telegram drops a draft after 30 s, or when another message arrives
TYPING_LIFETIME_S = 4.0  # Telegram shows "typing" for 5 s
TIMEOUT_S = 5.0


class Draft:
    """The draft of one answer. Failed calls are ignored: the final message contains the whole answer."""

    def __init__(
        self, telegram: Telegram, chat_id: int, draft_id: int, *, is_private: bool, thread_id: int | None = None
    ) -> None:
        self._telegram = telegram
        self._chat_params = {"chat_id": chat_id}
        if thread_id is not None:
            self._chat_params["message_thread_id"] = thread_id
        self._draft_params = {**self._chat_params, "draft_id": draft_id, "can_stop": True, "keep_on_stop": True}
        self._supports_drafts = is_private  # in groups, and on older servers, the bot only shows "typing"
        self._supports_rich_drafts = True  # until the server reports that it does not know the method
        self._shown_text: str | None = None
        self._next_update_at = 0.0
        self._stale_at = 0.0

    def show(self, text: str, *, is_markdown: bool = True) -> None:
        """Show the text so far ("" while the model thinks).

        Does nothing when the last draft is too recent, or shows the same text and is not stale.
        """
        now = time.monotonic()
        if now < self._next_update_at or (text == self._shown_text and now < self._stale_at):
            return
        self._next_update_at = now + UPDATE_INTERVAL_S
        for method, params, lifetime_s in self._possible_calls(text, is_markdown):
            try:
                self._telegram.call(method, params, timeout_s=TIMEOUT_S)
            except TelegramError as error:
                log.debug("%s: %s", method, error.status)
                self._next_update_at = now + max(error.retry_after or 0.0, UPDATE_INTERVAL_S)
                # Telegram may refuse an unclosed **; the next draft contains the whole text anyway.
                if error.status != 404:
                    return
                self._disable(method)
            else:
                self._shown_text, self._stale_at = text, now + lifetime_s
                return

    def seconds_until_next(self) -> float:
        """Return the seconds until a new text can be shown."""
        return max(self._next_update_at - time.monotonic(), 0.0)

    def seconds_until_stale(self) -> float:
        """Return the seconds until the same text has to be shown again."""
        return max(self._stale_at - time.monotonic(), UPDATE_INTERVAL_S)

    def _possible_calls(self, text: str, is_markdown: bool) -> Iterator[tuple[str, dict[str, Any], float]]:
        """Yield (method, parameters, lifetime in seconds), the best first; the rest are for older servers."""
        if self._supports_drafts:
            if text and is_markdown and self._supports_rich_drafts:
                markdown = truncate_utf16(text, MAX_RICH_LENGTH)
                params = {**self._draft_params, "rich_message": {"markdown": markdown}}
                yield "sendRichMessageDraft", params, DRAFT_LIFETIME_S
            params = {**self._draft_params, "text": truncate_utf16(text, MAX_MESSAGE_LENGTH)}
            yield "sendMessageDraft", params, DRAFT_LIFETIME_S
        yield "sendChatAction", {**self._chat_params, "action": "typing"}, TYPING_LIFETIME_S

    def _disable(self, method: str) -> None:
        """Do not use a method again: the server does not know it."""
        if method == "sendRichMessageDraft":
            self._supports_rich_drafts = False
        else:
            self._supports_drafts = False
