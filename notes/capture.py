"""Keep messages as notes with everything in them: formatting, attachments, the source of a forward.

An album is one note. Its parts arrive as separate messages; the first one makes the note, the others add to it.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import db
import db_attachments
import db_messages
import entities
import texts
from db_attachments import NewAttachment, Source
from entities import FormattedText
from notes import contents
from telegram.messages import Attachment, ForwardSource, Message, RepliedMessage
from telegram.replies import Reply


def keep(message: Message, text: FormattedText) -> db.AddedNote:
    """Make a note of a message. The message replied to gives what the message does not have."""
    added = db.add_note(
        message.user_id, message.chat_id, message.message_id, text.text, message.sent_at, text.entities
    )
    replied_to = message.replied_to
    if message.attachments or message.source or replied_to is None:
        _add_parts(added["id"], message.chat_id, message.message_id, message.attachments, message.source)
    elif replied_to.attachments and not message.unsupported:
        _add_replied_parts(added["id"], replied_to)
    if message.media_group_id and text.text:
        _put_caption(message, message.message_id, text)
    return added


def keep_replied(message: Message, replied_to: RepliedMessage) -> db.AddedNote:
    """Make a note of the message that a message replies to."""
    added = db.add_note(
        message.user_id,
        replied_to.chat_id,
        replied_to.message_id,
        replied_to.text,
        message.sent_at,
        replied_to.entities,
    )
    _add_replied_parts(added["id"], replied_to)
    return added


def pictures(message: Message, replied_note: db.Note | None = None) -> tuple[str, ...]:
    """Return the file_ids of the photos that a question is about, in a size that models can use.

    They are those of the message, of the note that it replies to, or of the message that it replies to.
    """
    if message.attachments or message.replied_to is None:
        return contents.pictures(message.attachments)
    if replied_note is None or replied_note["deleted_at"] is not None:
        return contents.pictures(message.replied_to.attachments)
    attachments = db_attachments.attachments_of(replied_note["id"])
    return contents.pictures([contents.sent_attachment(attachment) for attachment in attachments])


def find_note(user_id: int, chat_id: int, message_id: int, sent_at: int) -> db.Note | None:
    """Return the note that was made from a message, alone or as a part of an album."""
    note = db.get_note_by_message(user_id, chat_id, message_id, sent_at)
    return note or db.get_note_by_attachment(user_id, chat_id, message_id)


def add_album_part(note_id: int, message: Message, text: FormattedText) -> None:
    """Add a further message of an album to its note."""
    note = db.get_note_by_id(message.user_id, note_id)
    if note is None:
        return
    _add_parts(note_id, message.chat_id, message.message_id, message.attachments, None)
    if text.text:
        _put_caption(message, note["message_id"], text)
        whole = album_text(note)
        db.complete_note(note_id, whole.text, whole.entities)


def replace_caption(note: db.Note, message: Message, text: FormattedText) -> FormattedText:
    """Record the new caption of a message of an album; return the whole text of its note."""
    _put_caption(message, note["message_id"], text)
    return album_text(note)


def album_text(note: db.Note) -> FormattedText:
    """Return the captions of the messages of an album, in their order."""
    parts = db_messages.list_message_parts(note["user_id"], note["chat_id"], note["message_id"])
    whole = FormattedText("")
    for part in parts:
        separator = FormattedText("\n\n" if whole.text and part["text"] else "")
        whole = whole + separator + FormattedText(part["text"], entities.loads(part["entities"]))
    return whole


def replace_attachments(note_id: int, message: Message) -> bool:
    """Replace what a message has brought to a note after the message was edited; return whether that differs."""
    before = [
        contents.sent_attachment(attachment)
        for attachment in db_attachments.attachments_of(note_id)
        if (attachment["chat_id"], attachment["message_id"]) == (message.chat_id, message.message_id)
    ]
    if list(map(_identity, before)) == list(map(_identity, message.attachments)):
        return False
    db_attachments.remove_attachments(note_id, message.chat_id, message.message_id)
    _add_parts(note_id, message.chat_id, message.message_id, message.attachments, None)
    return True


def confirmation(note: db.AddedNote, message: Message) -> Reply:
    """Return the reply that confirms a note: it says what the note holds beside its text."""
    held = ""
    if message.media_group_id:
        held = texts.ALBUM
    elif message.attachments or message.replied_to:
        held = contents.describe(db_attachments.attachments_of(note["id"]))
    return Reply(texts.note_added(note["number"], held), note_id=note["id"])


def stored_source(source: ForwardSource | None) -> Source | None:
    """Return the source of a message as the database stores it."""
    return {"name": source.name, "url": source.url, "sent_at": source.sent_at} if source else None


def _identity(attachment: Attachment) -> tuple[Any, ...]:
    """Return what stays the same when only the caption is edited; Telegram may give a file a new file_id."""
    return attachment.kind, attachment.file_unique_id, dict(attachment.details) if not attachment.file_id else None


def _add_replied_parts(note_id: int, replied_to: RepliedMessage) -> None:
    _add_parts(note_id, replied_to.chat_id, replied_to.message_id, replied_to.attachments, replied_to.source)


def _add_parts(
    note_id: int,
    chat_id: int,
    message_id: int,
    attachments: Sequence[Attachment],
    source: ForwardSource | None,
) -> None:
    for attachment in attachments:
        new_attachment: NewAttachment = {
            **dataclasses.asdict(attachment),  # type: ignore[typeddict-item]
            "chat_id": chat_id,
            "message_id": message_id,
            "position": message_id,  # the order in which the messages of an album were sent
            "bot_id": db.current_bot(),
        }
        db_attachments.add_attachment(note_id, new_attachment)
    if source_row := stored_source(source):
        db_attachments.set_source(note_id, source_row)


def _put_caption(message: Message, first_message_id: int, text: FormattedText) -> None:
    """Store the caption of a message of an album."""
    db_messages.put_message_part(
        {
            "chat_id": message.chat_id,
            "message_id": message.message_id,
            "user_id": message.user_id,
            "first_message_id": first_message_id,
            "text": text.text,
            "length": 0,
            "sent_at": message.sent_at,
            "entities": entities.dumps(text.entities),
            "note_id": None,
        }
    )
