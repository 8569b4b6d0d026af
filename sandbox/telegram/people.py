"""People, groups and channels as objects of the Bot API, and where a forwarded message comes from.

See https://core.telegram.org/bots/api#messageorigin for the four kinds of origin.
"""

import time

from sandbox.telegram.entities import Json

ANONYMOUS_ADMIN: Json = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
CHANNEL_USER: Json = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
CHANNEL_ID, GROUP_ID = -1001000000001, -1001000000002


def person(user_id: int) -> Json:
    """Return a person as a User object of the Bot API."""
    return {"id": user_id, "is_bot": False, "first_name": f"Гость {user_id}", "language_code": "ru"}


def from_user(user_id: int = 7, **fields: object) -> Json:
    """Return the origin of a message that a person wrote; `fields` are added to the User, like last_name."""
    return {"type": "user", "sender_user": {**person(user_id), **fields}, "date": _yesterday()}


def from_hidden_user(name: str = "Инкогнито") -> Json:
    """Return the origin of a message of a person who hides the account in forwards."""
    return {"type": "hidden_user", "sender_user_name": name, "date": _yesterday()}


def from_chat(title: str = "Соседи", username: str = "", signature: str = "") -> Json:
    """Return the origin of a message that an anonymous administrator wrote in the name of a group."""
    chat = {"id": GROUP_ID, "type": "supergroup", "title": title}
    return _signed({"type": "chat", "sender_chat": _named(chat, username), "date": _yesterday()}, signature)


def from_channel(title: str = "Новости", username: str = "", message_id: int = 42, signature: str = "") -> Json:
    """Return the origin of a post; a channel with a username is public."""
    chat = {"id": CHANNEL_ID, "type": "channel", "title": title}
    origin = {"type": "channel", "chat": _named(chat, username), "message_id": message_id, "date": _yesterday()}
    return _signed(origin, signature)


def _named(chat: Json, username: str) -> Json:
    return {**chat, "username": username} if username else chat


def _signed(origin: Json, signature: str) -> Json:
    return {**origin, "author_signature": signature} if signature else origin


def _yesterday() -> int:
    return int(time.time()) - 86400
