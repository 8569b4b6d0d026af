"""What every method that sends a message has in common: the chat, the topic, the reply and the keyboard."""

from typing import Any

from sandbox.telegram import checks
from sandbox.telegram.checks import Json, Refusal
from sandbox.telegram.world import BOT, World, without_reply


def deliver(world: World, method: str, params: Json, content: Json) -> Json:
    """Add a message of the bot to a chat and return it."""
    chat = find_chat(world, params)
    content = {**content, **topic_of(world, chat, params), **reply_of(world, chat, params)}
    markup = checks.reply_markup(params)
    if "inline_keyboard" in markup:
        content["reply_markup"] = markup
    message = world.add_message(chat, {"from": BOT, **content})
    extra: dict[str, Any] = {"force_reply": markup} if "force_reply" in markup else {}
    world.add_event(method, chat["id"], message=message, **extra)
    return message


def reply_of(world: World, chat: Json, params: Json) -> Json:
    """Return the field of a message that shows what it replies to."""
    reply = params.get("reply_parameters") or {}
    target = world.messages[chat["id"]].get(checks.to_integer(reply.get("message_id")))
    if target:
        return {"reply_to_message": without_reply(target)}
    if reply and not reply.get("allow_sending_without_reply"):
        raise Refusal(400, "Bad Request: message to be replied not found")
    return {}


def topic_of(world: World, chat: Json, params: Json) -> Json:
    """Return the fields of a message that name its topic."""
    thread_id = params.get("message_thread_id")
    if thread_id is None:
        if chat["id"] in world.closed_general:
            raise Refusal(400, "Bad Request: TOPIC_CLOSED")
        return {}
    if checks.to_integer(thread_id) not in world.topics.get(chat["id"], set()):
        raise Refusal(400, "Bad Request: message thread not found")
    return {"message_thread_id": checks.to_integer(thread_id), "is_topic_message": True}


def find_chat(world: World, params: Json) -> Json:
    """Return the chat that a call names; refuse one to which the bot cannot write."""
    chat = world.chats.get(checks.to_integer(params.get("chat_id")))
    if chat is None:
        raise Refusal(400, "Bad Request: chat not found")
    if chat["id"] in world.upgraded:
        raise Refusal(
            400,
            "Bad Request: group chat was upgraded to a supergroup chat",
            migrate_to_chat_id=world.upgraded[chat["id"]],
        )
    if chat["id"] in world.blocked:
        raise Refusal(403, "Forbidden: bot was blocked by the user")
    return chat
