"""Transcripts of the speech in notes: what to transcribe, how it is shown, and how it is removed again."""

import dataclasses

import db
import db_attachments
import db_people
import texts
from telegram.messages import Attachment, Message, RepliedMessage
from telegram.replies import Button, ButtonResult, HandlerResult, Reply, Transcription

SPEECH_KINDS = ("voice", "video_note", "audio")


def is_speech(attachment: Attachment) -> bool:
    """Return whether a model can turn an attachment into text."""
    return attachment.kind in SPEECH_KINDS


def speech_of(message: Message) -> Attachment | None:
    """Return the recording in a message, if it can be transcribed."""
    if message.settings.transcribe_model is None:
        return None
    return next(filter(is_speech, message.attachments), None)


def request(
    note_id: int, source: Message | RepliedMessage, asker: Message, confirmation: HandlerResult
) -> HandlerResult:
    """Return what a handler returns after a message became a note: its speech is to be transcribed.

    Without a model for that, the confirmation says once per person how to turn it on.
    """
    if not any(map(is_speech, source.attachments)):
        return confirmation
    if asker.settings.transcribe_model is None:
        return _with_hint(asker.user_id, confirmation)
    attachment_ids = [
        attachment["id"]
        for attachment in db_attachments.attachments_of(note_id)
        if attachment["kind"] in SPEECH_KINDS
        and (attachment["chat_id"], attachment["message_id"]) == (source.chat_id, source.message_id)
    ]
    return Transcription(attachment_ids, source.message_id, confirmation)


def store(attachment_id: int, user_id: int, transcript: str) -> Reply | None:
    """Store a transcript and return the reply that shows it; None if the note is deleted."""
    attachment = db_attachments.get_attachment(attachment_id)
    note = db.get_note_by_id(user_id, attachment["note_id"]) if attachment else None
    if note is None:
        return None
    if transcript:
        db_attachments.set_transcript(attachment_id, transcript)
    if note["deleted_at"] is not None:
        return None
    if not transcript:
        return Reply(texts.nobody_speaks(note["number"]))
    button = Button(texts.REMOVE_TRANSCRIPT, f"untranscribe:{attachment_id}")
    text = texts.transcript_of_note(note["number"], transcript)
    return Reply(text, buttons=[[button]], note_id=note["id"])


def remove(user_id: int, attachment_id: int) -> ButtonResult:
    """Remove a transcript from a note; the recording stays."""
    attachment = db_attachments.get_attachment(attachment_id)
    note = db.get_note_by_id(user_id, attachment["note_id"]) if attachment else None
    if note is None:
        return ButtonResult(texts.TRANSCRIPT_UNAVAILABLE)
    db_attachments.set_transcript(attachment_id, None)
    return ButtonResult(edit=Reply(texts.transcript_removed(note["number"])))


def _with_hint(user_id: int, confirmation: HandlerResult) -> HandlerResult:
    if confirmation is None or not db_people.mark_told_of_transcription(user_id):
        return confirmation
    if isinstance(confirmation, str):
        return f"{confirmation}\n\n{texts.TRANSCRIPTION_OFF}"
    if isinstance(confirmation, Reply):
        return dataclasses.replace(confirmation, text=f"{confirmation.text}\n\n{texts.TRANSCRIPTION_OFF}")
    return Reply(texts.TRANSCRIPTION_OFF)  # in place of a reaction
