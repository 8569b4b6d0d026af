"""Albums: their photos and files arrive as separate messages, which get one reply together."""

import dataclasses
from collections.abc import Iterator

import journal
from telegram.updates import Update


def albums_in_order(updates: list[Update]) -> Iterator[Update]:
    """Yield the updates to handle: the messages of an album that have a caption before its others.

    A message without a caption is marked as a further part if its album has been seen before.
    """
    for update in _captions_first(updates):
        message = update.message
        if message is None or not message.media_group_id:
            yield update
            continue
        is_first = journal.mark_album_seen(message.chat_id, message.media_group_id, message.message_id)
        further_part = dataclasses.replace(message, is_further_part=not is_first and not message.text)
        yield dataclasses.replace(update, message=further_part)


def _captions_first(updates: list[Update]) -> list[Update]:
    """Return the updates in their order, but a message with a caption before the first message of its album."""
    first_positions: dict[tuple[int, str], int] = {}
    ordered: list[tuple[int, int, Update]] = []
    for position, update in enumerate(updates):
        message = update.message
        if message and message.media_group_id:
            first = first_positions.setdefault((message.chat_id, message.media_group_id), position)
            ordered.append((first if message.text else position, 0 if message.text else 1, update))
        else:
            ordered.append((position, 0, update))
    ordered.sort(key=lambda entry: entry[:2])
    return [update for _, _, update in ordered]
