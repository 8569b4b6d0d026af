"""The methods of the Bot API that send files, places and contacts, copy messages and set reactions."""

import functools
import re
from collections.abc import Callable
from typing import Any

from sandbox.telegram import checks
from sandbox.telegram.checks import Json, Refusal, Upload
from sandbox.telegram.delivery import deliver, find_chat
from sandbox.telegram.world import CONTENT_FIELDS, World, without_reply

# Method → the parameter with the file, which is also the field of the message.
FILE_METHODS = {
    "sendPhoto": "photo",
    "sendDocument": "document",
    "sendVideo": "video",
    "sendAnimation": "animation",
    "sendAudio": "audio",
    "sendVoice": "voice",
    "sendVideoNote": "video_note",
    "sendSticker": "sticker",
}
DETAILS = ("duration", "width", "height", "length", "performer", "title", "emoji")  # parameters of an upload
FLAGS = {"has_spoiler": "has_media_spoiler", "show_caption_above_media": "show_caption_above_media"}
ALBUM_KINDS = frozenset(["photo", "video", "document", "audio"])
MIN_ALBUM, MAX_ALBUM = 2, 10
# The list of https://core.telegram.org/bots/api#reactiontypeemoji
REACTIONS = frozenset(
    re.split(
        r"\s+",
        """❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔
        🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍
        🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡""",
    )
)


def send_file(method: str, world: World, params: Json) -> Json:
    """Send a file: an uploaded one, or one that Telegram knows by its file_id."""
    kind = FILE_METHODS[method]
    return deliver(world, method, params, _file_content(world, kind, params.get(kind), params))


def _file_content(world: World, kind: str, file: Any, params: Json) -> Json:
    """Return the content of a message with a file."""
    caption = checks.caption(params)
    flags = {field: True for name, field in FLAGS.items() if params.get(name)}
    if isinstance(file, Upload):
        checks.check_upload(file, checks.MAX_PHOTO_BYTES if kind == "photo" else checks.MAX_UPLOAD_BYTES)
        details = {name: params[name] for name in DETAILS if name in params}
        named = {"file_name": file.name} if kind in ("document", "video", "animation", "audio") else {}
        return {**world.media(kind, file.content, **named, **details), **caption, **flags}
    if not file:
        raise Refusal(400, f"Bad Request: there is no {kind} in the request")
    if re.match(r"https?://[^/]+/", str(file)):
        return {kind: _fetched(kind, str(file)), **caption}
    return {**world.known_media(kind, str(file)), **caption, **flags}


def _fetched(kind: str, url: str) -> Any:
    """Return a picture at an address; nothing is fetched here."""
    if kind != "photo" or "broken" in url:
        raise Refusal(400, "Bad Request: wrong file identifier/HTTP URL specified")
    return [{"file_id": url, "file_unique_id": url, "width": 1, "height": 1}]


def send_location(world: World, params: Json) -> Json:
    """Send a point on the map."""
    return deliver(world, "sendLocation", params, {"location": _location(params)})


def send_venue(world: World, params: Json) -> Json:
    """Send a place with a name and an address."""
    location = _location(params)
    names = ("title", "address", "foursquare_id", "foursquare_type", "google_place_id", "google_place_type")
    venue = {"location": location, **{name: params[name] for name in names if name in params}}
    for name in ("title", "address"):
        if not venue.get(name):
            raise Refusal(400, f"Bad Request: {name} is empty")
    return deliver(world, "sendVenue", params, {"venue": venue, "location": location})


def _location(params: Json) -> Json:
    try:
        location = {name: float(params[name]) for name in ("latitude", "longitude")}
    except (KeyError, TypeError, ValueError):
        raise Refusal(400, "Bad Request: latitude or longitude is empty") from None
    if abs(location["latitude"]) > 90 or abs(location["longitude"]) > 180:
        raise Refusal(400, "Bad Request: wrong latitude or longitude specified")
    if "horizontal_accuracy" in params:
        location["horizontal_accuracy"] = float(params["horizontal_accuracy"])
    return location


def send_contact(world: World, params: Json) -> Json:
    """Send a phone number with a name."""
    names = ("phone_number", "first_name", "last_name", "vcard")
    contact = {name: str(params[name]) for name in names if params.get(name)}
    for name in ("phone_number", "first_name"):
        if name not in contact:
            raise Refusal(400, f"Bad Request: {name} is empty")
    return deliver(world, "sendContact", params, {"contact": contact})


def send_media_group(world: World, params: Json) -> list[Json]:
    """Send photos and videos, or documents, or audio files as an album."""
    media = params.get("media")
    if not isinstance(media, list) or not all(isinstance(entry, dict) for entry in media):
        raise Refusal(400, "Bad Request: expected an Array of InputMedia")
    if not MIN_ALBUM <= len(media) <= MAX_ALBUM:
        raise Refusal(400, f"Bad Request: an album has {MIN_ALBUM}-{MAX_ALBUM} items, not {len(media)}")
    kinds = {str(entry.get("type")) for entry in media}
    if kinds - ALBUM_KINDS:
        raise Refusal(400, "Bad Request: can't parse InputMedia: media type is not allowed in an album")
    for kind in ("document", "audio"):
        if kind in kinds and len(kinds) > 1:
            raise Refusal(400, f"Bad Request: {kind.capitalize()} can't be mixed with other media types")
    find_chat(world, params)
    contents = [_album_content(world, number, entry) for number, entry in enumerate(media, 1)]
    group = {"media_group_id": world.new_group_id()}
    return [deliver(world, "sendMediaGroup", params, {**content, **group}) for content in contents]


def _album_content(world: World, number: int, entry: Json) -> Json:
    try:
        return _file_content(world, entry["type"], entry.get("media"), entry)
    except Refusal as refusal:
        reason = refusal.description.removeprefix("Bad Request: ")
        raise Refusal(
            refusal.status, f'Bad Request: failed to send message #{number} with the error message "{reason}"'
        ) from None


def copy_message(world: World, params: Json) -> Json:
    """Send the content of a message again, with another caption if one is given."""
    message = _source(world, params, params.get("message_id"))
    content = _copied(message, keeps_caption="caption" not in params)
    content.pop("media_group_id", None)
    return {
        "message_id": deliver(world, "copyMessage", params, {**content, **checks.caption(params)})["message_id"]
    }


def copy_messages(world: World, params: Json) -> list[Json]:
    """Send the contents of several messages again; albums stay albums."""
    ids = [checks.to_integer(number) for number in params.get("message_ids") or []]
    if not 1 <= len(ids) <= 100 or ids != sorted(set(ids)):
        raise Refusal(400, "Bad Request: message identifiers must be in a strictly increasing order")
    known = world.messages[find_chat(world, {"chat_id": params.get("from_chat_id")})["id"]]
    contents = [
        _copied(known[number], keeps_caption=not params.get("remove_caption")) for number in ids if number in known
    ]
    if not contents:
        raise Refusal(400, "Bad Request: there are no messages to copy")
    groups = {
        content["media_group_id"]: world.new_group_id() for content in contents if "media_group_id" in content
    }
    for content in contents:
        if "media_group_id" in content:
            content["media_group_id"] = groups[content["media_group_id"]]
    sent = [deliver(world, "copyMessages", params, content) for content in contents]
    return [{"message_id": message["message_id"]} for message in sent]


def _source(world: World, params: Json, message_id: Any) -> Json:
    chat = find_chat(world, {"chat_id": params.get("from_chat_id")})
    message = world.messages[chat["id"]].get(checks.to_integer(message_id))
    if message is None:
        raise Refusal(400, "Bad Request: message to copy not found")
    return message


def _copied(message: Json, *, keeps_caption: bool) -> Json:
    content = {name: value for name, value in without_reply(message).items() if name in CONTENT_FIELDS}
    if not keeps_caption:
        content.pop("caption", None)
        content.pop("caption_entities", None)
    if not content:
        raise Refusal(400, "Bad Request: message can't be copied")
    return content


def set_message_reaction(world: World, params: Json) -> bool:
    """Set the bot's reaction to a message: one emoji, or none."""
    chat = find_chat(world, params)
    message_id = checks.to_integer(params.get("message_id"))
    if message_id not in world.messages[chat["id"]]:
        raise Refusal(400, "Bad Request: message to react not found")
    reactions = params.get("reaction") or []
    for reaction in reactions:
        if reaction.get("type") != "emoji" or str(reaction.get("emoji")).replace("\ufe0f", "") not in REACTIONS:
            raise Refusal(400, "Bad Request: REACTION_INVALID")
    if len(reactions) > 1:
        raise Refusal(400, "Bad Request: REACTIONS_TOO_MANY")
    world.reactions[chat["id"], message_id] = reactions
    world.add_event("setMessageReaction", chat["id"], message_id=message_id, reaction=reactions)
    return True


METHODS: dict[str, Callable[[World, Json], Any]] = {
    **{method: functools.partial(send_file, method) for method in FILE_METHODS},
    "sendLocation": send_location,
    "sendVenue": send_venue,
    "sendContact": send_contact,
    "sendMediaGroup": send_media_group,
    "copyMessage": copy_message,
    "copyMessages": copy_messages,
    "setMessageReaction": set_message_reaction,
}
