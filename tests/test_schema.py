"""The calls of a whole conversation, validated against a schema of the Bot API that others have written.

The schema are the types of aiogram 3.31.0 (Bot API 10.3), generated from https://core.telegram.org/bots/api.
Without aiogram this test is skipped:

    pip install aiogram==3.31.0 && python -m pytest tests/test_schema.py

Every call that the emulated Telegram received is checked: its method, the names and types of its parameters and of
all their fields. A name that the schema does not have is an error.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from conftest import PATIENCE_S, BotProcess, Person, eventually
from test_process import full_conversation
from test_reminders import due_in
from test_transcriptions import PAID

from bot import router
from sandbox.openrouter import EmulatedGateway, describe_model
from sandbox.telegram import World
from sandbox.telegram.checks import Upload

methods: Any = pytest.importorskip("aiogram.methods")
types: Any = pytest.importorskip("aiogram.types")

MakePerson = Callable[..., Person]
GROUP, TOPIC = -100500, 7
# aiogram keeps a few parameters that Telegram has removed.
REMOVED = {"disable_web_page_preview", "reply_to_message_id", "allow_sending_without_reply"}
ANSWER = "# Да\n\n| a | b |\n|---|---|\n| 1 | `x` |\n\n- **раз** ![](https://a.b)\n\n```python\nprint(1)"


def problems(method: str, params: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a call."""
    model = getattr(methods, method[0].upper() + method[1:], None)
    if model is None:
        yield f"there is no method {method}"
        return
    try:
        call = model.model_validate({name: _input_file(value) for name, value in params.items()})
    except ValueError as error:
        yield f"{method}: {error}"
        return
    for name in REMOVED & set(params):
        yield f"{method}.{name} is no longer a parameter"
    yield from _unknown_names(method, call)


def _input_file(value: Any) -> Any:
    if isinstance(value, list):
        return [_input_file(entry) for entry in value]
    if isinstance(value, dict):
        return {name: _input_file(entry) for name, entry in value.items()}
    return types.BufferedInputFile(value.content, value.name) if isinstance(value, Upload) else value


def _unknown_names(place: str, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for entry in value:
            yield from _unknown_names(place, entry)
    elif hasattr(value, "model_extra"):
        for name in value.model_extra or {}:
            yield f"{place}.{name} does not exist"
        for name in type(value).model_fields:
            yield from _unknown_names(f"{place}.{name}", getattr(value, name))


def tap_everything(world: World, *people: Person) -> set[str]:
    """Tap every button of the messages that are in the chats now; return the names of the buttons."""
    tapped = set()
    for person in people:
        for message in [event["message"] for event in world.events_of(person.chat_id) if "message" in event]:
            for data in buttons_of(message):
                person.taps_data(message, data)
                tapped.add(data.partition(":")[0])
    return tapped


def tap(world: World, person: Person, name: str) -> None:
    """Tap a button of the last message."""
    message = last_message(world, person)
    [data] = [data for data in buttons_of(message) if data.startswith(f"{name}:")]
    person.taps_data(message, data)


def buttons_of(message: dict[str, Any]) -> list[str]:
    """Return the callback data of the buttons under a message."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["callback_data"] for row in rows for button in row if "callback_data" in button]


def settle(bot: BotProcess, world: World) -> None:
    """Wait until the bot has handled everything."""
    world.wait(lambda: world.pending() == 0, PATIENCE_S)
    left = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM jobs)"
    left += " + (SELECT count(*) FROM questions WHERE state = 'pending')"
    with closing(sqlite3.connect(bot.db_path)) as connection:
        eventually(lambda: connection.execute(left).fetchone() == (0,))


def last_message(world: World, person: Person) -> dict[str, Any]:
    messages = [event["message"] for event in world.events_of(person.chat_id) if "message" in event]
    return dict(messages[-1])


def use_notes(ann: Person, world: World, bot: BotProcess) -> None:
    """Use every command, edits, files and long notes."""
    said = [text for text, _ in full_conversation()]
    said += [f"/note_add <номер> & {n}" for n in range(12)]
    said += ["/note_find номер", "просто текст", "/wat", f"/note_add {'слово ' * 680}", "/note_show 15"]
    said += ["/note_add #дом", "/tags", "/note_del 3 4", "/note_trash", "/prompt Отвечай коротко", "/settings"]
    said += ["/remind 6 через час", "/remind через час дело", "/reminders"]
    said += [f"/ask {ANSWER}", "/note_export txt", "/note_export md", "/note_export json"]
    for text in said:
        ann.says(text)
        settle(bot, world)
    document = last_message(world, ann)["document"]
    ann.sends_file("notes.json", world.files[document["file_id"]], "/note_import")
    ann.edits(ann.says("/note_add раз"), "/note_add два")
    ann.sends("voice")
    settle(bot, world)
    ann.says("/note_list")
    settle(bot, world)
    tap(world, ann, "older")
    bot.stop()
    due_in(bot, 0)  # the reminders
    bot.start()
    settle(bot, world)


def stop_a_stream(ann: Person, gateway: EmulatedGateway, world: World, bot: BotProcess) -> None:
    """Ask, see the answer grow and stop it."""
    gateway.chunk_delay_s = 0.5
    ann.says("/ask Расскажи о море подробно")
    eventually(lambda: [draft for draft in ann.sees_drafts() if draft["text"]])
    world.stop_draft(ann.chat_id, ann.sees_drafts()[-1]["draft_id"])
    settle(bot, world)
    gateway.chunk_delay_s = 0


def test_every_call_is_one_of_the_bot_api(
    bot_process: BotProcess, person: MakePerson, world: World, gateway: EmulatedGateway
) -> None:
    gateway.catalog["data"] += [describe_model(f"lab/model-{n}:free", f"Model {n}") for n in range(60)]
    bot_process.env |= PAID  # for voice messages
    bot_process.start()
    ann = person()
    use_notes(ann, world, bot_process)
    stop_a_stream(ann, gateway, world, bot_process)
    bob = person(2, GROUP)
    topic = {"message_thread_id": TOPIC, "is_topic_message": True}
    for text in ("/note_add@sandbox_notes_bot раз", "/ask Почему?", "/note_stats", "/note_export", "/note_list"):
        bob.says(text, **topic)
    cid = person(3)
    cid.says("/settings")
    settle(bot_process, world)
    tap(world, cid, "plain_text_mode")
    cid.says("что с этим делать?")
    settle(bot_process, world)
    tapped = tap_everything(world, ann, bob, cid)
    settle(bot_process, world)
    tapped |= tap_everything(world, ann)
    settle(bot_process, world)
    assert tapped == set(router.buttons)
    assert bot_process.stop() == 0
    used = {method for method, _ in world.calls}
    assert used >= {"sendRichMessage", "sendRichMessageDraft", "sendMessageDraft", "sendChatAction", "sendPhoto"}
    assert used >= {"sendDocument", "editMessageText", "answerCallbackQuery", "getFile", "setMyCommands"}
    assert [problem for call in list(world.calls) for problem in problems(*call)] == []


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("sendMessage", {"chat_id": 1}),
        ("sendMessage", {"chat_id": 1, "text": "раз", "txt": "два"}),
        ("sendMessage", {"chat_id": 1, "text": "раз", "link_preview_options": {"disabled": True}}),
        ("sendMessage", {"chat_id": 1, "text": "раз", "disable_web_page_preview": True}),
        ("sendRichMessage", {"chat_id": 1, "rich_message": {"markdwn": "раз"}}),
        ("sendMessages", {}),
    ],
)
def test_a_wrong_call_is_noticed(method: str, params: dict[str, Any]) -> None:
    assert list(problems(method, params))
