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
    """The replies to a chat. The ids of replies grow."""

    loaded_until: int  # replies up to this id are in memory, or sent; those after it are only in the journal
    newest_id: int  # of the newest reply
    replies: deque[OutboxRow] = field(default_factory=deque)  # in memory

    def is_loaded(self) -> bool:
        """Return whether no reply is only in the journal."""
        return self.loaded_until == self.newest_id

    def has_any(self) -> bool:
        """Return whether a reply waits."""
        return bool(self.replies) or not self.is_loaded()


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
            self._look_for_second_copy(reply["id"])
            chat = self._chats.get(chat_id)
            if chat is None:
                chat = self._chats[chat_id] = self._new_chat(reply["id"])
            is_next = self._alone_until is None and chat.is_loaded()
            if is_next and self._in_memory < MAX_IN_MEMORY:
                self._load(chat, [reply])
            else:
                chat.newest_id = reply["id"]

    def add_stored(self) -> list[int]:
        """Add all replies that the journal has; return their chats, the longest waiting first."""
        newest_ids = journal.chats_with_replies()
        with self._lock:
            self._last_id = journal.last_reply_id()
            self._chats = {chat_id: _Chat(0, newest_id) for chat_id, newest_id in newest_ids.items()}
        return list(newest_ids)

    def next(self, chat_id: int) -> OutboxRow | None:
        """Return the oldest reply to a chat; read it from the journal if it is only there."""
        with self._lock:
            chat = self._chats.get(chat_id)
            if chat is None or chat.replies or chat.is_loaded():
                return _oldest(chat)
            newest_id = chat.newest_id
        # Until all replies of the chat are loaded, add() takes no new ones into memory.
        stored = journal.stored_replies(chat_id, chat.loaded_until, PAGE)
        with self._lock:
            if stored:
                self._load(chat, stored)
            else:  # a second copy of the bot has sent them
                chat.loaded_until = newest_id
                self._forget_if_empty(chat_id, chat)
            return _oldest(chat)

    def peek(self, chat_id: int) -> OutboxRow | None:
        """Return the oldest reply to a chat if it is in memory."""
        with self._lock:
            return _oldest(self._chats.get(chat_id))

    def finish_call(self, chat_id: int, remaining_calls: list[Call]) -> bool:
        """Remove the oldest reply, or replace its calls; return whether the chat has anything left to send."""
        with self._lock:
            chat = self._chats[chat_id]
            chat.replies[0]["calls"] = remaining_calls
            if not remaining_calls:
                chat.replies.popleft()
                self._in_memory -= 1
            self._forget_if_empty(chat_id, chat)
            return chat.has_any()

    def remove_chat(self, chat_id: int) -> None:
        """Forget the replies to a chat."""
        with self._lock:
            chat = self._chats.pop(chat_id, None)
            if chat:
                self._in_memory -= len(chat.replies)

    def _look_for_second_copy(self, reply_id: int) -> None:
        """Notice a gap between the id of a reply that has just been stored and that of the one before it."""
        if self._alone_until is None and self._last_id not in (None, reply_id - 1):
            self._alone_until = self._last_id
        self._last_id = reply_id

    def _new_chat(self, reply_id: int) -> _Chat:
        """Return a chat to which everything before this reply is sent, except what a second copy has stored."""
        sent_until = reply_id - 1 if self._alone_until is None else self._alone_until
        return _Chat(sent_until, sent_until)

    def _forget_if_empty(self, chat_id: int, chat: _Chat) -> None:
        """Forget a chat without replies; beside a second copy it must be known what was sent."""
        if not chat.has_any() and self._alone_until is None:
            del self._chats[chat_id]

    def _load(self, chat: _Chat, replies: list[OutboxRow]) -> None:
        chat.replies.extend(replies)
        chat.loaded_until = replies[-1]["id"]
        chat.newest_id = max(chat.newest_id, chat.loaded_until)
        self._in_memory += len(replies)


def _oldest(chat: _Chat | None) -> OutboxRow | None:
    """Return the oldest reply to a chat that is in memory."""
    return chat.replies[0] if chat and chat.replies else None
