"""telegram.access, with the bot's real commands: who may do what.

- every handler, for a person who may not use the bot: one sentence, nothing stored, no model asked
- what only admins may do; what /help and the menu show
- the running bot, in private and in a group
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from conftest import BotProcess, Person, text_of
from test_updates import SETTINGS

import db
import storage
import texts
from bot import router
from config import Settings
from sandbox.openrouter import EmulatedGateway
from sandbox.telegram import World
from telegram.dispatcher import Dispatcher
from telegram.messages import CallbackQuery, Message
from telegram.replies import AccessDenied, ButtonResult, HandlerResult, Job, Reply

MakePerson = Callable[..., Person]
ANN, BOB, EVE, GROUP = 1, 2, 3, -100500
NOW = 1_800_000_000

OPEN = SETTINGS
PRIVATE = replace(
    SETTINGS, allowed_user_ids=frozenset([ANN]), admin_user_ids=frozenset([BOB])
)  # Eve is a stranger


def message(
    text: str, user_id: int, chat_id: int | None = None, settings: Settings = PRIVATE, **more: Any
) -> Message:
    return Message(
        user_id=user_id,
        chat_id=chat_id or user_id,
        message_id=5,
        sent_at=NOW,
        text=text,
        is_private=chat_id != GROUP,
        settings=settings,
        **more,
    )


def handle(message: Message) -> HandlerResult:
    return Dispatcher(router, message.settings, "our_bot").handle_message(message)


def handle_edited(message: Message) -> HandlerResult:
    return Dispatcher(router, message.settings, "our_bot").handle_edited_message(message)


def tap(data: str, user_id: int, settings: Settings = PRIVATE) -> ButtonResult:
    query = CallbackQuery(
        query_id="1", user_id=user_id, chat_id=user_id, message_id=6, data=data, is_private=True, settings=settings
    )
    return Dispatcher(router, settings, "our_bot").handle_button(query)


def all_actions(user_id: int) -> dict[str, Callable[[], Any]]:
    """Return every way to reach a handler: commands, edits, buttons, and messages without a command."""
    actions: dict[str, Callable[[], Any]] = {}
    for name in router.commands:
        for text in (f"/{name}", f"/{name} 1 раз"):
            actions[text] = partial(handle, message(text, user_id))
            actions[f"edited {text}"] = partial(handle_edited, message(text, user_id))
    for name, button in router.buttons.items():
        data = name + ":1" * button.numbers
        actions[data] = partial(tap, data, user_id)
    actions["a text"] = partial(handle, message("привет", user_id))
    actions["an edited text"] = partial(handle_edited, message("привет", user_id))
    actions["a reply"] = partial(handle, message("привет", user_id, replied_to_message_id=4))
    actions["an unknown command"] = partial(handle, message("/wat", user_id))
    actions["a caption"] = partial(handle, message("/note_add раз", user_id, has_media=True))
    actions["a photo"] = partial(handle, message("", user_id, has_media=True))
    actions["a command in a group"] = partial(handle, message("/note_add@our_bot раз", user_id, GROUP))
    return actions


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("action", all_actions(EVE))
def test_a_stranger_gets_one_sentence_and_nothing_is_stored(action: str) -> None:
    db.add_note(EVE, EVE, 5, "из прошлого", NOW)
    changes_before = storage.connection().total_changes
    with pytest.raises(AccessDenied) as denied:
        all_actions(EVE)[action]()
    assert str(denied.value) == texts.not_allowed(EVE)
    assert str(EVE) in str(denied.value)
    assert storage.connection().total_changes == changes_before


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("user_id", [ANN, BOB])
def test_people_on_the_list_may_use_the_bot(user_id: int) -> None:
    for name, action in all_actions(user_id).items():
        try:
            action()
        except AccessDenied as denied:
            assert (str(denied), user_id) == (texts.ADMINS_ONLY, ANN), name


ADMIN_COMMANDS = ["/model 2", "/models_refresh", "/status", "/usage all"]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("text", ADMIN_COMMANDS)
def test_only_admins_may_use_the_admin_commands(text: str) -> None:
    with pytest.raises(AccessDenied, match=texts.ADMINS_ONLY):
        handle(message(text, ANN))
    assert handle(message(text, BOB))


@pytest.mark.usefixtures("database")
def test_a_button_does_not_bypass_the_check() -> None:
    with pytest.raises(AccessDenied, match=texts.ADMINS_ONLY):
        tap("model:6", ANN)
    assert db.get_active_model()["id"] == 5
    assert "переключена" in tap("model:5", BOB).toast
    assert handle(message("/model", ANN))
    assert isinstance(handle(message("/models", ANN)), Reply)


@pytest.mark.usefixtures("database")
def test_without_lists_of_people_everyone_may_do_everything() -> None:
    for text in ADMIN_COMMANDS:
        assert handle(message(text, EVE, settings=OPEN))
    assert handle(message("/status", EVE, settings=OPEN)) == Job("status")


def test_help_and_the_menu_show_what_a_person_may_use() -> None:
    assert "/status" not in str(handle(message("/help", ANN)))
    assert "/status" in str(handle(message("/help", BOB)))
    assert "status" not in [command.command for command in router.menu(has_admins=True)]
    assert "status" in [command.command for command in router.menu(has_admins=False)]


@pytest.mark.usefixtures("database")
def test_a_conversation_in_a_group_that_is_not_for_the_bot_is_ignored() -> None:
    assert handle(message("привет", EVE, GROUP)) is None
    assert handle_edited(message("привет", EVE, GROUP)) is None
    assert handle(message("/wat", EVE, GROUP)) is None


# The running bot


def test_a_private_bot(
    bot_process: BotProcess, person: MakePerson, world: World, gateway: EmulatedGateway
) -> None:
    bot_process.env |= {"ALLOWED_USER_IDS": "1, 77", "ADMIN_USER_IDS": "7"}
    bot_process.start()
    ann, eve, admin, eve_in_group = person(1), person(3), person(7), person(3, GROUP)
    assert ann.asks("/note_add раз") == "Заметка #1 добавлена."
    assert ann.asks("/models_refresh") == texts.ADMINS_ONLY
    assert admin.asks("/model 5").startswith("Активная модель переключена")
    refusal = texts.not_allowed(3)
    note = eve.says("/note_add секрет")
    assert text_of(eve.hears()) == refusal
    eve.edits(note, "/note_add другой секрет")
    assert text_of(eve.hears()) == refusal
    for text in ("/ask раз", "привет", "/start", "/status", "/wat"):
        assert eve.asks(text) == refusal
    plain_text = eve.says("раз")
    eve.hears()
    for data in ("keep:1", "ask:1", "model:2", "again:1", "older:1:1"):
        assert eve.taps_data(plain_text, data) == refusal
    eve_in_group.says("просто разговор")
    eve_in_group.says("/note_add@sandbox_notes_bot раз")
    assert text_of(eve_in_group.hears()) == refusal
    assert len(world.events_of(GROUP)) == 1
    assert gateway.requests == []
    for table in ("notes", "questions", "plain_texts", "listings", "jobs"):
        assert bot_process.rows(f"SELECT * FROM {table} WHERE user_id = 3") == []
