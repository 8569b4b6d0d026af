"""The methods of the Bot API that the bot uses; each function refuses what api.telegram.org refuses.

Every function takes the world and the parameters of the call and returns the result. getUpdates is not here,
because it waits: see the coroutine `World.get_updates`.
"""

import re
import time
from collections.abc import Callable
from typing import Any

from sandbox.telegram import checks, media_methods
from sandbox.telegram.checks import Json, Refusal
from sandbox.telegram.delivery import deliver, find_chat, topic_of
from sandbox.telegram.parameters import check_names
from sandbox.telegram.world import BOT, World


def call_method(world: World, method: str, params: Json) -> Any:
    """Carry out a call of any method but getUpdates; raise Refusal as Telegram would."""
    with world.changes():
        handler = METHODS.get(method)
        if handler is None:
            raise Refusal(404, "Not Found")
        check_names(method, params)
        return handler(world, params)


def get_me(world: World, _: Json) -> Json:
    """Describe the bot."""
    return {**world.bot, "can_join_groups": True, "can_read_all_group_messages": False}


def delete_webhook(_: World, __: Json) -> bool:
    """Do nothing: there is no webhook."""
    return True


def set_my_commands(world: World, params: Json) -> bool:
    """Set the bot's menu."""
    commands = params.get("commands") or []
    for command in commands:
        if not re.fullmatch("[a-z0-9_]{1,32}", command.get("command", "")):
            raise Refusal(400, "Bad Request: BOT_COMMAND_INVALID")
        if not 1 <= len(command.get("description", "")) <= 256:
            raise Refusal(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
    world.commands = commands
    return True


def get_file(world: World, params: Json) -> Json:
    """Tell the path of a file that the bot may download."""
    file_id = str(params.get("file_id"))
    path = world.file_store.path_of(file_id)
    if path is None:
        raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
    size = len(world.files[file_id])
    if size > checks.MAX_DOWNLOAD_BYTES:
        raise Refusal(400, "Bad Request: file is too big")
    return {"file_id": file_id, "file_unique_id": file_id, "file_size": size, "file_path": path}


# Messages


def send_message(world: World, params: Json) -> Json:
    """Send a text, plain or HTML."""
    return deliver(world, "sendMessage", params, checks.message_text(params))


def send_rich_message(world: World, params: Json) -> Json:
    """Send Markdown."""
    return deliver(world, "sendRichMessage", params, {"rich_message": {"markdown": checks.rich_markdown(params)}})


def edit_message_text(world: World, params: Json) -> Json:
    """Replace the text and the keyboard of a message from the bot."""
    return _edit(
        world, "editMessageText", params, ("text", "entities", "reply_markup"), checks.message_text(params)
    )


def edit_message_reply_markup(world: World, params: Json) -> Json:
    """Replace or remove the keyboard of a message from the bot."""
    return _edit(world, "editMessageReplyMarkup", params, ("reply_markup",), {})


def _edit(world: World, method: str, params: Json, editable: tuple[str, ...], content: Json) -> Json:
    """Replace the fields of a message that the method edits; a keyboard that is not given is removed."""
    chat = find_chat(world, params)
    old = world.messages[chat["id"]].get(checks.to_integer(params.get("message_id")))
    if old is None:
        raise Refusal(400, "Bad Request: message to edit not found")
    if old["from"]["id"] != BOT["id"]:
        raise Refusal(400, "Bad Request: message can't be edited")
    if markup := checks.reply_markup(params):
        content["reply_markup"] = markup
    if content == {key: old[key] for key in editable if key in old}:
        raise Refusal(
            400,
            "Bad Request: message is not modified: specified new message content and reply markup are exactly the"
            " same as a current content and reply markup of the message",
        )
    unchanged = {key: value for key, value in old.items() if key not in editable}
    message = {**unchanged, **content, "edit_date": int(time.time())}
    world.messages[chat["id"]][old["message_id"]] = message
    world.add_event(method, chat["id"], message=message)
    return message


# Drafts and signs of activity


def send_message_draft(world: World, params: Json) -> bool:
    """Show a plain text that is still being written."""
    text = str(params.get("text") or "")
    if len(text) > checks.MAX_TEXT_LENGTH:
        raise Refusal(400, "Bad Request: message is too long")
    return _show_draft(world, "sendMessageDraft", params, text)


def send_rich_message_draft(world: World, params: Json) -> bool:
    """Show Markdown that is still being written."""
    markdown = checks.rich_markdown(params)
    return _show_draft(world, "sendRichMessageDraft", params, markdown)


def _show_draft(world: World, method: str, params: Json, text: str) -> bool:
    chat = find_chat(world, params)
    if chat["type"] != "private":
        raise Refusal(400, "Bad Request: TEXTDRAFT_PEER_INVALID")
    draft_id = checks.to_integer(params.get("draft_id"))
    if draft_id == 0:
        raise Refusal(400, "Bad Request: DRAFT_ID_INVALID")
    draft = {"draft_id": draft_id, "text": text, "can_stop": bool(params.get("can_stop"))}
    draft |= topic_of(world, chat, params)
    world.add_event(method, chat["id"], draft=draft)
    return True


def send_chat_action(world: World, params: Json) -> bool:
    """Show that the bot is typing or sending a file."""
    chat = find_chat(world, params)
    if params.get("action") not in checks.CHAT_ACTIONS:
        raise Refusal(400, "Bad Request: wrong parameter action in request")
    world.add_event("sendChatAction", chat["id"], action=params.get("action"), **topic_of(world, chat, params))
    return True


def answer_callback_query(world: World, params: Json) -> bool:
    """Answer a tap on a button, at most once."""
    query_id = str(params.get("callback_query_id"))
    if query_id not in world.open_queries:
        raise Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
    if len(str(params.get("text") or "")) > checks.MAX_TOAST_LENGTH:
        raise Refusal(400, "Bad Request: MESSAGE_TOO_LONG")
    chat_id = world.open_queries.pop(query_id)
    world.add_event("answerCallbackQuery", chat_id, query_id=query_id, text=params.get("text", ""))
    return True


METHODS: dict[str, Callable[[World, Json], Any]] = {
    "getMe": get_me,
    "deleteWebhook": delete_webhook,
    "setMyCommands": set_my_commands,
    "getFile": get_file,
    "sendMessage": send_message,
    "sendRichMessage": send_rich_message,
    "sendRichMessageDraft": send_rich_message_draft,
    "sendMessageDraft": send_message_draft,
    "sendChatAction": send_chat_action,
    "editMessageText": edit_message_text,
    "editMessageReplyMarkup": edit_message_reply_markup,
    "answerCallbackQuery": answer_callback_query,
    **media_methods.METHODS,
}
