"""Albums: their photos and files arrive as separate messages, which get one reply together."""

from collections.abc import Iterator

import journal
from telegram.updates import Update


def without_repeated_album_messages(updates: list[Update]) -> Iterator[Update]:
    """Yield the updates to handle: of the messages of an album without a caption, only the first.

    The messages of an album with a caption are left out, too, except the one that has it.
    """
    for update in updates:
        message = update.message
        if message and message.media_group_id and message.text:
            journal.mark_album_seen(message.chat_id, message.media_group_id)
    for update in updates:
        message = update.message
        is_repeated = (
            message is not None
            and message.media_group_id
            and not message.text
            and not journal.mark_album_seen(message.chat_id, message.media_group_id)
        )
        if not is_repeated:
            yield update
