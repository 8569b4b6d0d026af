"""Turn the attachments of a reply into Bot API calls that send them again, albums as albums."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from entities import FormattedText
from journal import Call
from telegram.limits import MAX_ALBUM_SIZE, MAX_CAPTION_LENGTH
from telegram.messages import Attachment
from unicode_text import utf16_length

# kind → the method that sends it. The parameter with the file has the name of the kind.
METHODS = {
    "photo": "sendPhoto",
    "document": "sendDocument",
    "video": "sendVideo",
    "animation": "sendAnimation",
    "audio": "sendAudio",
    "voice": "sendVoice",
    "video_note": "sendVideoNote",
    "sticker": "sendSticker",
    "location": "sendLocation",
    "venue": "sendVenue",
    "contact": "sendContact",
}
MEDIA_METHODS = frozenset([*METHODS.values(), "sendMediaGroup"])
PLACE_KINDS = ("location", "venue", "contact")  # their details are the parameters
ALBUMS = (("photo", "video"), ("document",), ("audio",))  # the kinds that may be in one album
WITHOUT_CAPTION = ("video_note", "sticker", *PLACE_KINDS)
CAPTION_ABOVE_KINDS = ("photo", "video", "animation")
APPEARANCE = ("has_spoiler", "show_caption_above_media")


def media_calls(attachments: Sequence[Attachment], caption: FormattedText) -> tuple[list[Call], bool]:
    """Return the calls that send attachments, and whether one of them carries the caption.

    None does if it is too long, or if there is nothing that may have a caption.
    """
    groups = _groups(attachments)
    captioned = None
    if caption.text and utf16_length(caption.text) <= MAX_CAPTION_LENGTH:
        captioned = next((group[0] for group in groups if group[0].kind not in WITHOUT_CAPTION), None)
    calls: list[Call] = []
    for group in groups:
        group_caption = caption if group[0] is captioned else FormattedText("")
        calls.append(
            _single_call(group[0], group_caption) if len(group) == 1 else _album_call(group, group_caption)
        )
    return calls, captioned is not None


def caption_of(method: str, params: dict[str, Any]) -> FormattedText:
    """Return the caption of a call that sends attachments."""
    captioned = params["media"][0] if method == "sendMediaGroup" else params
    return FormattedText(captioned.get("caption", ""), captioned.get("caption_entities", []))


def _groups(attachments: Sequence[Attachment]) -> list[list[Attachment]]:
    """Return the attachments in groups that are sent together, in the order of the first of each."""
    groups: list[list[Attachment]] = []
    for kinds in ALBUMS:
        members = iter([attachment for attachment in attachments if attachment.kind in kinds])
        while group := list(islice(members, MAX_ALBUM_SIZE)):
            groups.append(group)
    albumless = {kind for kinds in ALBUMS for kind in kinds}
    groups += [[attachment] for attachment in attachments if attachment.kind not in albumless]
    order = list(attachments)
    return sorted(groups, key=lambda group: order.index(group[0]))


def _single_call(attachment: Attachment, caption: FormattedText) -> Call:
    params: dict[str, Any] = {}
    if attachment.kind in PLACE_KINDS:
        params.update(attachment.details)
    else:
        params[attachment.kind] = attachment.file_id
    return METHODS[attachment.kind], {**params, **_caption_params(attachment, caption)}


def _album_call(group: Sequence[Attachment], caption: FormattedText) -> Call:
    media = []
    for attachment in group:
        own_caption = caption if attachment is group[0] else FormattedText("")
        item = {"type": attachment.kind, "media": attachment.file_id}
        media.append({**item, **_caption_params(attachment, own_caption)})
    return "sendMediaGroup", {"media": media}


def _caption_params(attachment: Attachment, caption: FormattedText) -> dict[str, Any]:
    params: dict[str, Any] = {}
    if caption.text:
        params["caption"] = caption.text
    if caption.text and caption.entities:
        params["caption_entities"] = list(caption.entities)
    if attachment.kind in CAPTION_ABOVE_KINDS:
        params.update({name: True for name in APPEARANCE if attachment.details.get(name)})
    return params
