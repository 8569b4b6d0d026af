"""Generated updates of every kind of the Bot API: nothing is lost, nothing crashes, in private there is an answer.

The schema is that of the aiogram package, which is not a dependency of the bot: `pip install aiogram` to run these
tests (written for aiogram 3.31, Bot API 10.3). Every generated update is validated against it.
"""

import datetime
import enum
import json
import random
import sqlite3
import types as python_types
import typing
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from conftest import BotProcess, Person, eventually
from test_hostile import HostileWorld

import texts
from sandbox.telegram import World
from telegram.updates import SERVICE_FIELDS

aiogram_types: Any = pytest.importorskip("aiogram.types", reason="aiogram is not installed")

MakePerson = Callable[..., Person]
MAX_DEPTH = 8  # of optional fields; required ones go deeper
VARIANTS = 3  # updates per kind, with different optional fields
FIRST_SENDER = 10_000

# What is no content by itself: who, when, where, and how a message is shown.
ENVELOPE = """
message_id date chat message_thread_id direct_messages_topic from_user sender_chat sender_boost_count
sender_business_bot sender_tag guest_query_id business_connection_id forward_origin is_topic_message
is_automatic_forward reply_to_message external_reply quote reply_to_story reply_to_checklist_task_id
reply_to_poll_option_id via_bot guest_bot_caller_user guest_bot_caller_chat edit_date has_protected_content
is_from_offline is_paid_post media_group_id author_signature paid_star_count entities link_preview_options
suggested_post_info effect_id caption caption_entities show_caption_above_media has_media_spoiler reply_markup
receiver_user ephemeral_message_id forward_date forward_from forward_from_chat forward_from_message_id
forward_sender_name forward_signature
"""


class Generator:
    """Makes random JSON values of the types of the Bot API."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def object(self, model: Any, depth: int = 0, **given: Any) -> dict[str, Any]:
        """Return an object with all required fields, some optional ones, and the given ones."""
        raw: dict[str, Any] = {}
        for name, field in model.model_fields.items():
            key = field.alias or name
            is_wanted = field.is_required() or (depth < MAX_DEPTH and self._random.random() < 0.5 / (depth + 1))
            if key not in given and (is_wanted or _is_literal(field.annotation)):
                raw[key] = self.value(field.annotation, depth + 1)
        return {key: value for key, value in (raw | given).items() if value is not None}

    def value(self, annotation: Any, depth: int) -> Any:
        """Return a value of a type."""
        annotation = _resolve(annotation)
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Annotated:
            return self.value(arguments[0], depth)
        if origin is typing.Literal:
            return _plain(self._random.choice(arguments))
        if origin in (typing.Union, python_types.UnionType):
            choices = [argument for argument in arguments if _can_be_received(argument)]
            return self.value(self._simple_first(choices, depth), depth)
        if origin is list:
            return [
                self.value(arguments[0], depth + 1) for _ in range(1 if depth > 3 else self._random.randint(1, 2))
            ]
        return self._scalar(annotation, depth)

    def _simple_first(self, choices: list[Any], depth: int) -> Any:
        """Return one of several types; deep inside, one that cannot contain itself if there is one."""
        simple = [choice for choice in map(_resolve, choices) if choice in (str, int, bool)]
        if depth > MAX_DEPTH:
            flat = [choice for choice in choices if not _nests(choice)]
            return (simple or flat or choices)[0]
        return self._random.choice(choices)

    def _scalar(self, annotation: Any, depth: int) -> Any:
        if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
            return self._random.choice(list(annotation)).value
        if hasattr(annotation, "model_fields"):
            return self.object(annotation, depth)
        if annotation is bool:
            return True
        if annotation is int or (isinstance(annotation, type) and issubclass(annotation, datetime.datetime)):
            return self._random.randint(1_600_000_000, 1_700_000_000)
        if annotation is datetime.timedelta:
            return 60
        if annotation is float:
            return self._random.uniform(-1, 1)
        if annotation is str:
            return self._random.choice(["текст", "a", "🎄 ёлка", "/note_count", "<b>"])
        raise NotImplementedError(annotation)


def _resolve(annotation: Any) -> Any:
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        annotation = getattr(aiogram_types, annotation)
    return getattr(annotation, "__value__", annotation)  # an alias of a type


def _can_be_received(annotation: Any) -> bool:
    """Return whether Telegram sends values of a type; aiogram has more, for what a bot sends."""
    return annotation is not type(None) and getattr(annotation, "__name__", "") not in ("Default", "InputFile")


def _is_literal(annotation: Any) -> bool:
    return typing.get_origin(annotation) is typing.Literal


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _nests(choice: Any) -> bool:
    """Return whether a type has a required field that is not a plain value."""
    fields = getattr(_resolve(choice), "model_fields", {})
    return any(
        field.is_required() and field.annotation not in (str, int, bool, float) for field in fields.values()
    )


@pytest.fixture
def world() -> HostileWorld:
    return HostileWorld()


def content_kinds() -> list[str]:
    """Return the fields of a message that are content or report an event."""
    fields = aiogram_types.Message.model_fields
    return [name for name in fields if name not in ENVELOPE.split()]


def private_message(generator: Generator, sender: int, message_id: int, kind: str) -> dict[str, Any]:
    """Return a message with one kind of content, from a person, in a private chat."""
    field = aiogram_types.Message.model_fields[kind]
    message = {
        "message_id": message_id,
        "date": 1_700_000_000,
        "chat": {"id": sender, "type": "private", "first_name": "Анна"},
        "from": {"id": sender, "is_bot": False, "first_name": "Анна"},
        field.alias or kind: generator.value(field.annotation, 1),
    }
    aiogram_types.Message.model_validate(message)
    return message


def is_answered(world: World, chat_id: int) -> bool:
    return any(event.get("message") for event in world.events_of(chat_id))


@pytest.mark.parametrize("seed", range(VARIANTS))
def test_in_private_every_kind_of_content_is_answered(
    bot_process: BotProcess, world: World, person: MakePerson, seed: int
) -> None:
    bot_process.start()
    person().asks("/start")
    generator = Generator(seed)
    senders: dict[int, str] = {}
    for number, kind in enumerate(content_kinds()):
        sender = FIRST_SENDER + number
        senders[sender] = kind
        world.chats[sender] = {"id": sender, "type": "private", "first_name": "Анна"}
        world.update({"message": private_message(generator, sender, 1, kind)})
    world.wait(lambda: world.pending() == 0)
    contents = {sender for sender, kind in senders.items() if kind not in SERVICE_FIELDS}
    eventually(lambda: all(is_answered(world, sender) for sender in contents))
    assert [
        kind for sender, kind in senders.items() if kind in SERVICE_FIELDS and is_answered(world, sender)
    ] == []
    assert "Traceback" not in bot_process.log
    assert "cannot be read" not in bot_process.log


@pytest.mark.parametrize("seed", range(VARIANTS))
def test_no_update_of_any_kind_is_lost_or_crashes_the_bot(
    bot_process: BotProcess, world: HostileWorld, person: MakePerson, seed: int
) -> None:
    bot_process.start()
    ann = person()
    ann.asks("/start")
    generator = Generator(seed)
    updates = []
    for kind, field in aiogram_types.Update.model_fields.items():
        if kind == "update_id":
            continue
        for _ in range(VARIANTS):
            raw = json.loads(json.dumps({kind: generator.value(field.annotation, 1)}))
            aiogram_types.Update.model_validate({"update_id": 1, **raw})
            updates.append({"update_id": "next", **raw})
    world.queue(updates)  # also kinds that the bot has not asked for
    assert ann.asks("/note_add раз") == "Заметка #1 добавлена."
    world.wait(lambda: world.pending() == 0)
    with closing(sqlite3.connect(bot_process.db_path)) as connection:
        [(handled,)] = connection.execute("SELECT count(*) FROM handled_updates").fetchall()
    assert handled == len(updates) + 2  # and two messages of Ann
    assert "cannot be read" not in bot_process.log
    assert "failed" not in bot_process.log
    assert ann.asks("/note_count") == texts.note_count(1)
