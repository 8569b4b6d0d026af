"""An answer that grows before the person's eyes: a draft, animated by Telegram, until the real message comes."""

import logging
import time
from collections.abc import Iterator
from typing import Any

from runtime.markdown import head
from runtime.outbox import MESSAGE_LIMIT, RICH_LIMIT
from runtime.telegram import Telegram, TelegramError

log = logging.getLogger(__name__)

FRESH_S = 1.0  # a new draft at most this often
ALIVE_S = 5.0  # Telegram drops a draft after 30 s without news, and when any other message comes
TYPING_S = 4.0  # … and the typing action after 5 s
TIMEOUT_S = 5.0


class Draft:
    """Shows in a chat how an answer comes along; whatever goes wrong here, the answer itself is not touched."""

    def __init__(self, telegram: Telegram, chat_id: int, draft_id: int, *, is_private: bool) -> None:
        self._telegram = telegram
        self._to = {"chat_id": chat_id, "draft_id": draft_id, "can_stop": True, "keep_on_stop": True}
        self._is_private = is_private  # drafts are for private chats only
        self._can_be_rich = True  # until the server says that it does not know how
        self._shown: str | None = None
        self._next_at = 0.0  # not before
        self._stale_at = 0.0  # not later

    def show(self, text: str, *, is_markdown: bool = True) -> None:
        """Show the text so far ("" while the model thinks), if it is new and it is time, or to keep it alive."""
        now = time.monotonic()
        if now < self._next_at or (text == self._shown and now < self._stale_at):
            return
        self._next_at = now + FRESH_S
        for method, params, lasts_s in self._ways(text, is_markdown):
            try:
                self._telegram.call(method, params, timeout_s=TIMEOUT_S)
            except TelegramError as error:
                log.debug("%s: %s", method, error.status)
                self._next_at = now + max(error.retry_after or 0.0, FRESH_S)
                # An unclosed ** may be refused; the next draft carries all the text anyway.
                if error.status != 404:
                    return
                self._forget(method)
            else:
                self._shown, self._stale_at = text, now + lasts_s
                return

    def rests_s(self) -> float:
        """Return for how many seconds nothing new may be shown."""
        return max(self._next_at - time.monotonic(), 0.0)

    def lasts_s(self) -> float:
        """Return for how many seconds what is shown will last."""
        return max(self._stale_at - time.monotonic(), FRESH_S)

    def _ways(self, text: str, is_markdown: bool) -> Iterator[tuple[str, dict[str, Any], float]]:
        if self._is_private:
            if text and is_markdown and self._can_be_rich:
                rich = {"rich_message": {"markdown": head(text, RICH_LIMIT)}}
                yield "sendRichMessageDraft", {**self._to, **rich}, ALIVE_S
            yield "sendMessageDraft", {**self._to, "text": head(text, MESSAGE_LIMIT)}, ALIVE_S
        yield "sendChatAction", {"chat_id": self._to["chat_id"], "action": "typing"}, TYPING_S

    def _forget(self, method: str) -> None:
        if method == "sendRichMessageDraft":
            self._can_be_rich = False
        else:
            self._is_private = False
