"""The files of the emulated Telegram, and the objects that describe them in a message.

A file_id belongs to one bot and one kind of file, as with Telegram: another bot's file_id is refused, and so is a
document's file_id as a photo. The samples stand for what people send when a test does not care about the content.
"""

import base64
import copy
import functools
import io
import mimetypes
from pathlib import Path
from typing import Any

from PIL import Image

from sandbox.telegram.entities import Json, Refusal

SAMPLES = Path(__file__).resolve().parent / "samples"
SAMPLE_NAMES = {  # by the name of the field of a message
    "photo": "photo.jpg",
    "document": "document.txt",
    "video": "video.mp4",
    "animation": "animation.mp4",
    "audio": "audio.mp3",
    "voice": "voice.ogg",
    "video_note": "video_note.mp4",
    "sticker": "sticker.webp",
}
FIELDS: dict[str, Json] = {  # the required fields of an object, and those that clients fill in
    "photo": {},
    "document": {},
    "video": {"width": 320, "height": 180, "duration": 2, "file_name": "video.mp4"},
    "animation": {"width": 160, "height": 160, "duration": 1, "file_name": "animation.mp4"},
    "audio": {"duration": 2, "performer": "Песочница", "title": "Образец", "file_name": "audio.mp3"},
    "voice": {"duration": 3, "mime_type": "audio/ogg"},
    "video_note": {"length": 240, "duration": 2},
    "sticker": {
        "type": "regular",
        "width": 512,
        "height": 512,
        "is_animated": False,
        "is_video": False,
        "emoji": "🙂",
        "set_name": "sandbox",
    },
}
FOLDERS = {"voice": "voice", "animation": "animations", "sticker": "stickers"}  # in the path of a file
TYPE_NAMES = {"voice": "VoiceNote", "video_note": "VideoNote"}  # in refusals; others: the kind, capitalized
PICTURE_STARTS = (b"\x89PNG\r\n", b"\xff\xd8", b"RIFF")
PHOTO_SIDES = (90, 320, 800, 1280)  # pixels of the longer side


class FileStore:
    """The files that people and the bot have sent."""

    def __init__(self, bot_id: int) -> None:
        self.contents: dict[str, bytes] = {}  # file_id → content
        self._media: dict[str, Any] = {}  # file_id → what a message holds
        self._paths: dict[str, str] = {}  # file_id → path for downloads
        self._bot_id = bot_id

    def add(self, kind: str, content: bytes, **details: Any) -> Any:
        """Store a file and return what a message holds: a Document, a Video, … or the sizes of a photo."""
        if kind == "photo":
            sizes = photo_sizes(content)
            media: Any = [self._store(kind, size, width=width, height=height) for size, width, height in sizes]
        else:
            details = {**FIELDS[kind], **details}
            name = str(details.get("file_name", ""))
            if name and "mime_type" not in details:
                details["mime_type"] = mimetypes.guess_type(name)[0] or "application/octet-stream"
            media = self._store(kind, content, **details)
        for entry in media if kind == "photo" else [media]:
            self._media[entry["file_id"]] = media
        return copy.deepcopy(media)

    def find(self, kind: str, file_id: str) -> Any:
        """Return what a message with this file holds; refuse a file that this bot cannot send as this kind."""
        owner = _decode(file_id)
        if owner is None:
            raise Refusal(400, "Bad Request: wrong remote file identifier specified: Wrong padding in the string")
        if file_id not in self.contents:
            raise Refusal(400, "Bad Request: wrong file identifier/HTTP URL specified")
        if owner[0] != kind:
            raise Refusal(400, f"Bad Request: can't use file of type {_type_name(owner[0])} as {_type_name(kind)}")
        return copy.deepcopy(self._media[file_id])

    def path_of(self, file_id: str) -> str | None:
        """Return the path at which the bot downloads a file."""
        return self._paths.get(file_id) if file_id in self.contents else None

    def content_at(self, path: str) -> bytes | None:
        """Return the content of the file at a path."""
        return next((self.contents.get(file_id) for file_id, known in self._paths.items() if known == path), None)

    def _store(self, kind: str, content: bytes, **details: Any) -> Json:
        number = len(self._paths) + 1
        file_id = make_file_id(kind, self._bot_id, number)
        suffix = Path(str(details.get("file_name", ""))).suffix or Path(SAMPLE_NAMES[kind]).suffix
        self._paths[file_id] = f"{FOLDERS.get(kind, kind + 's')}/file_{number}{suffix}"
        self.contents[file_id] = content
        return {"file_id": file_id, "file_unique_id": f"AQAD{number:08}", **details, "file_size": len(content)}


def sample(kind: str) -> bytes:
    """Return the content of a file of a kind: a real photo, a real voice message, …"""
    return (SAMPLES / SAMPLE_NAMES[kind]).read_bytes()


def make_file_id(kind: str, bot_id: int, number: int) -> str:
    """Return a file_id of a bot: letters, digits, - and _, like those of Telegram."""
    return base64.urlsafe_b64encode(f"sandbox|{kind}|{bot_id}|{number:09}".encode()).decode().rstrip("=")


def _decode(file_id: str) -> list[str] | None:
    """Return the kind, the bot and the number of a file_id; None if it is none."""
    try:
        text = base64.urlsafe_b64decode(file_id + "=" * (-len(file_id) % 4)).decode()
    except ValueError:
        return None
    return text.split("|")[1:] if text.startswith("sandbox|") else None


def _type_name(kind: str) -> str:
    return TYPE_NAMES.get(kind, kind.capitalize())


@functools.lru_cache(maxsize=64)
def photo_sizes(content: bytes) -> list[tuple[bytes, int, int]]:
    """Return a picture in the sizes in which Telegram offers it, the smallest first: content, width and height.

    What only begins like a picture passes as one of a single size: tests send such files.
    """
    if not content.startswith(PICTURE_STARTS):
        raise Refusal(400, "Bad Request: IMAGE_PROCESS_FAILED")
    try:
        with Image.open(io.BytesIO(content), formats=["PNG", "JPEG", "WEBP"]) as picture:
            sides = [side for side in PHOTO_SIDES if side < max(picture.size)]
            scaled = [_scale(picture, side) for side in sides]
            own = [] if max(picture.size) > PHOTO_SIDES[-1] else [(content, *picture.size)]
    except (OSError, SyntaxError, ValueError):
        return [(content, 1, 1)]
    return [*scaled, *own]


def _scale(picture: Image.Image, side: int) -> tuple[bytes, int, int]:
    """Return a picture as a JPEG with this longer side."""
    smaller = picture.convert("RGB")
    smaller.thumbnail((side, side))
    output = io.BytesIO()
    smaller.save(output, "JPEG")
    return output.getvalue(), *smaller.size
