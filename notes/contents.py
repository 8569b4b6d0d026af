"""What notes hold: their plain text, what they are called without one, and the whole of them as a reply."""

from collections.abc import Sequence

import db
import db_attachments
import entities
import texts
from clock import TimeZone
from db_attachments import Attachment
from db_search import FoundNote
from entities import FormattedText
from telegram.messages import Attachment as SentAttachment
from telegram.replies import Reply
from unicode_text import utf16_length

MAX_PICTURES = 4  # of a question


def describe(attachments: list[Attachment]) -> str:
    """Say what attachments are, "" if there are none: Фото; Голосовое, 0:42."""
    if not attachments:
        return ""
    return texts.attachment(attachments[0]) if len(attachments) == 1 else texts.album(attachments)


def plain_text(note: FoundNote | db.Note) -> str:
    """Return the text of a note with its hidden links visible, for a search, an export or a model."""
    return entities.with_links(note["text"], entities.loads(note["entities"]))


def transcripts(attachments: Sequence[Attachment]) -> list[str]:
    """Return what is said in attachments, as far as it was transcribed."""
    return [attachment["transcript"] for attachment in attachments if attachment["transcript"]]


def words(note: db.Note, attachments: list[Attachment]) -> str:
    """Return all that a note says: its text and its transcripts."""
    return "\n\n".join(filter(None, [plain_text(note), *transcripts(attachments)]))


def line(note: FoundNote, attachments: list[Attachment]) -> str:
    """Return what a list shows of a note: an icon, and its text or what it holds."""
    held = describe(attachments)
    heard = " ".join(transcripts(attachments))
    shown = plain_text(note) or (f"{held}: {heard}" if heard else held)
    return f"{texts.attachment_icon(attachments[0]['kind'])} {shown}" if attachments else shown


def whole_note(note: db.Note, zone: TimeZone) -> Reply:
    """Return the reply that shows a whole note: its head, its formatted text, and its attachments again."""
    head = FormattedText(texts.whole_note_head(note, zone))
    source = db_attachments.source_of(note["id"])
    if source:
        head += _source_line(source)
    text = FormattedText(note["text"], entities.loads(note["entities"]))
    whole = head + FormattedText("\n") + text if text.text else head
    attachments = db_attachments.attachments_of(note["id"])
    for transcript in transcripts(attachments):
        whole += FormattedText(f"\n\n{texts.transcript(transcript)}")
    media = [sent_attachment(attachment) for attachment in attachments]
    return Reply(whole.text, whole.entities, media)


def sent_attachment(attachment: Attachment) -> SentAttachment:
    """Return a stored attachment as a reply sends it."""
    return SentAttachment(
        kind=attachment["kind"],
        file_id=attachment["file_id"],
        file_unique_id=attachment["file_unique_id"],
        file_name=attachment["file_name"],
        mime_type=attachment["mime_type"],
        file_size=attachment["file_size"],
        duration_s=attachment["duration_s"],
        width=attachment["width"],
        height=attachment["height"],
        details=attachment["details"],
    )


def pictures(attachments: Sequence[SentAttachment]) -> tuple[str, ...]:
    """Return the file_ids of the photos among attachments, in a size that models can use; at most MAX_PICTURES."""
    photos = [attachment for attachment in attachments if attachment.kind == "photo"]
    return tuple(photo.details.get("preview_file_id") or photo.file_id for photo in photos[:MAX_PICTURES])


def _source_line(source: db_attachments.Source) -> FormattedText:
    text = texts.forwarded_from(source["name"])
    link = {"type": "text_link", "offset": 0, "length": utf16_length(text), "url": source["url"]}
    return FormattedText("\n") + FormattedText(text, [link] if source["url"] else [])
