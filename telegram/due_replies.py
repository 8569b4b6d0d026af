"""The replies that wait to be sent, chat by chat in the order in which they were stored.

A reply comes here in memory, after the commit that stored it. When very many wait, as during an outage, the later
ones stay only in the journal until it is their turn. If a second copy of the bot uses the database, all do: its
replies to the same chat may come in between.
"""

import threading
from collections import deque
from dataclasses import dataclass, field

import journal
from journal import Call, OutboxRow

MAX_IN_MEMORY = 1000  # replies
PAGE = 50  # replies that are read from the journal at a time


@dataclass
class _Chat:
    """The replies to a chat: in memory those up to held_until, only in the journal those up to newest_id."""

    held_until: int  # the ids of replies grow
    newest_id: int
    replies: deque[OutboxRow] = field(default_factory=deque)


class DueReplies:
    """The replies that wait. All methods are thread-safe; one thread at a time handles the replies of a chat."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards everything below
        self._chats: dict[int, _Chat] = {}
        self._in_memory = 0
        # A gap in the ids of what this process stores shows that a second copy of the bot stores replies, too.
        self._last_id: int | None = None  # of the last reply that was stored
        self._alone_until: int | None = None  # the last id before the first gap; None if there is no gap

    def add(self, chat_id: int, reply: OutboxRow) -> None:
        """Add a reply that has just been stored."""
        with self._lock:
            if self._alone_until is None and self._last_id not in (None, reply["id"] - 1):
                self._alone_until = self._last_id
            self._last_id = reply["id"]
            is_alone = self._alone_until is None
            known_until = reply["id"] - 1 if self._alone_until is None else self._alone_until
            chat = self._chats.setdefault(chat_id, _Chat(known_until, known_until))
            has_all_before = is_alone and chat.held_until == chat.newest_id
            chat.newest_id = reply["id"]
            if has_all_before and self._in_memory < MAX_IN_MEMORY:
                self._hold(chat, [reply])

    def add_stored(self) -> list[int]:
        """Add all replies that the journal has; return their chats, the longest waiting first."""
        newest_ids = journal.chats_with_replies()
        with self._lock:
            self._last_id = journal.last_reply_id()
            self._chats = {chat_id: _Chat(0, newest_id) for chat_id, newest_id in newest_ids.items()}
        return list(newest_ids)

    def next(self, chat_id: int) -> OutboxRow | None:
        """Return the oldest reply to a chat."""
        with self._lock:
            chat = self._chats.get(chat_id)
            if chat is None or chat.replies or chat.held_until == chat.newest_id:
                return chat.replies[0] if chat and chat.replies else None
            newest_id = chat.newest_id
        # Until all of them have been read, add() only counts new ones.
        stored = journal.stored_replies(chat_id, chat.held_until, PAGE)
        with self._lock:
            if not stored:
                chat.held_until = newest_id
                self._forget_if_empty(chat_id, chat)
                return None
            self._hold(chat, stored)
            return stored[0]

    def peek(self, chat_id: int) -> OutboxRow | None:
        """Return the oldest reply to a chat if it is in memory."""
        with self._lock:
            chat = self._chats.get(chat_id)
            return chat.replies[0] if chat and chat.replies else None

    def finish_call(self, chat_id: int, remaining_calls: list[Call]) -> bool:
        """Remove the oldest reply, or replace its calls; return whether the chat has anything left to send."""
        with self._lock:
            chat = self._chats[chat_id]
            chat.replies[0]["calls"] = remaining_calls
            if not remaining_calls:
                chat.replies.popleft()
                self._in_memory -= 1
            return not self._forget_if_empty(chat_id, chat)

    def remove_chat(self, chat_id: int) -> None:
        """Forget the replies to a chat."""
        with self._lock:
            chat = self._chats.pop(chat_id, None)
            if chat:
                self._in_memory -= len(chat.replies)

    def _forget_if_empty(self, chat_id: int, chat: _Chat) -> bool:
        is_empty = not chat.replies and chat.held_until == chat.newest_id
        if is_empty and self._alone_until is None:
            del self._chats[chat_id]
        return is_empty

    def _hold(self, chat: _Chat, replies: list[OutboxRow]) -> None:
        chat.replies.extend(replies)
        chat.held_until = replies[-1]["id"]
        chat.newest_id = max(chat.newest_id, chat.held_until)
        self._in_memory += len(replies)
