"""What people set for themselves: their time zone, their model, their instructions for it, how the bot replies.

Each function runs in the open transaction of its thread, or in one of its own.
"""

from typing import TypedDict

import config
import storage
from clock import TimeZone


class PersonalSettings(TypedDict):
    """The settings of a person; None where the bot's own setting holds. See the table for the columns."""

    timezone: str | None
    prompt: str | None
    model_id: int | None
    plain_text: str | None
    confirmation: str | None


DEFAULTS: PersonalSettings = {
    "timezone": None,
    "prompt": None,
    "model_id": None,
    "plain_text": None,
    "confirmation": None,
}


def get_settings(user_id: int) -> PersonalSettings:
    """Return the settings of a person."""
    row = storage.fetch_one(
        "SELECT timezone, prompt, model_id, plain_text, confirmation FROM personal_settings WHERE user_id = ?",
        (user_id,),
    )
    return row or DEFAULTS


def settings_in_chat(user_id: int, chat_id: int) -> PersonalSettings:
    """Return the settings of a person that hold in a chat: in groups, where others read along, none do.

    The id of a private chat is the id of the person.
    """
    return get_settings(user_id) if chat_id == user_id else DEFAULTS


def save_settings(user_id: int, settings: PersonalSettings) -> None:
    """Store all settings of a person."""
    storage.execute(
        "INSERT OR REPLACE INTO personal_settings"
        " VALUES (:user_id, :timezone, :prompt, :model_id, :plain_text, :confirmation)",
        {**settings, "user_id": user_id},
    )


def reset_settings(user_id: int) -> None:
    """Forget all settings of a person."""
    storage.execute("DELETE FROM personal_settings WHERE user_id = ?", (user_id,))


def zone_in_chat(user_id: int, chat_id: int, default: TimeZone) -> TimeZone:
    """Return the time zone in which to show times to a person in a chat."""
    name = settings_in_chat(user_id, chat_id)["timezone"]
    if name is None:
        return default
    try:
        return config.time_zone(name)
    except ValueError:  # the machine's list of zones has changed since the person chose it
        return default


def mark_told_of_transcription(user_id: int) -> bool:
    """Record that a person with notes is told how to turn speech into text; return False if they were before."""
    cursor = storage.execute(
        "UPDATE people SET knows_transcription = 1 WHERE user_id = ? AND knows_transcription = 0", (user_id,)
    )
    return cursor.rowcount == 1
