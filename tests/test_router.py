"""telegram.router and telegram.dispatcher: the table, and which entry a message or a tap belongs to."""

import itertools
import time
from dataclasses import replace

import pytest
from test_updates import SETTINGS

import texts
from telegram.dispatcher import Dispatcher
from telegram.messages import CallbackQuery, Message
from telegram.replies import AccessDenied, ButtonResult, HandlerResult, Question, UsageError
from telegram.router import Router, parse_number, parse_number_and_text

pytestmark = pytest.mark.usefixtures("database")

ANN, BOB, EVE, GROUP = 1, 2, 3, -100500
message_ids = itertools.count(1)


@pytest.fixture
def router() -> Router:
    router = Router()

    @router.command("add", "добавить", usage="<текст>")
    def add(message: Message, text: str) -> HandlerResult:
        if not text:
            raise UsageError
        return f"{message.user_id} добавляет «{text}»"

    @router.command("status", "состояние", admin_only=True)
    def status(message: Message, text: str) -> HandlerResult:  # noqa: ARG001
        return "хорошо"

    @router.edited("add")
    def add_edited(message: Message, text: str) -> HandlerResult:  # noqa: ARG001
        if not text:
            raise UsageError
        return f"исправлено на «{text}»"

    @router.button("page", numbers=2)
    def turn_page(query: CallbackQuery, first: int, second: int) -> ButtonResult:
        return ButtonResult(f"{query.user_id}: {first}, {second}")

    @router.button("reset", admin_only=True)
    def reset(query: CallbackQuery, number: int) -> ButtonResult:  # noqa: ARG001
        return ButtonResult("сброшено")

    @router.text
    def answer_text(message: Message, text: str) -> HandlerResult:  # noqa: ARG001
        return Question(text)

    @router.edited_text
    def answer_edited_text(message: Message, text: str) -> HandlerResult:  # noqa: ARG001
        return f"новый текст «{text}»"

    return router


@pytest.fixture
def dispatcher(router: Router) -> Dispatcher:
    return Dispatcher(router, SETTINGS, "Our_Bot")


def message(text: str, chat_id: int = ANN, user_id: int = ANN) -> Message:
    return Message(
        user_id=user_id,
        chat_id=chat_id,
        message_id=next(message_ids),
        sent_at=int(time.time()),
        text=text,
        is_private=chat_id > 0,
        settings=SETTINGS,
    )


def tap(data: str, user_id: int = ANN) -> CallbackQuery:
    return CallbackQuery(
        query_id="1", user_id=user_id, chat_id=user_id, message_id=6, data=data, is_private=True, settings=SETTINGS
    )


# The table


def test_help_lists_the_commands_in_order(router: Router) -> None:
    assert router.help(is_admin=True) == "Команды:\n/add <текст> — добавить\n/status — состояние"
    assert router.help(is_admin=False) == "Команды:\n/add <текст> — добавить"


def test_the_menu_has_the_commands_that_everyone_may_use(router: Router) -> None:
    menu = router.menu(has_admins=True)
    assert [(command.command, command.description) for command in menu] == [("add", "добавить")]
    assert [command.command for command in router.menu(has_admins=False)] == ["add", "status"]


# Commands


@pytest.mark.parametrize(
    "text", ["/add раз", "/add@Our_Bot раз", "/add@our_bot раз", "/ADD раз", "/add\nраз", "/add  раз "]
)
def test_a_command_is_recognized(dispatcher: Dispatcher, text: str) -> None:
    assert dispatcher.handle_message(message(text)) == "1 добавляет «раз»"
    assert dispatcher.handle_message(message(text, GROUP)) == "1 добавляет «раз»"
    assert dispatcher.handle_edited_message(message(text)) == "исправлено на «раз»"


def test_wrong_arguments_get_the_usage_line(dispatcher: Dispatcher) -> None:
    assert dispatcher.handle_message(message("/add")) == texts.usage_line("add", "<текст>")
    assert dispatcher.handle_edited_message(message("/add")) == texts.usage_line("add", "<текст>")


def test_an_unknown_command_gets_a_hint_in_private_or_if_it_names_the_bot(dispatcher: Dispatcher) -> None:
    assert dispatcher.handle_message(message("/Wat раз")) == texts.unknown_command("Wat")
    assert dispatcher.handle_message(message("/wat@our_bot", GROUP)) == texts.unknown_command("wat")
    assert dispatcher.handle_message(message("/wat", GROUP)) is None
    assert dispatcher.handle_edited_message(message("/wat")) is None


def test_a_command_for_another_bot_is_ignored(dispatcher: Dispatcher) -> None:
    for chat_id in (ANN, GROUP):
        assert dispatcher.handle_message(message("/add@other_bot раз", chat_id)) is None
        assert dispatcher.handle_edited_message(message("/add@other_bot раз", chat_id)) is None


def test_an_edited_command_without_an_edit_handler_is_ignored(dispatcher: Dispatcher) -> None:
    assert dispatcher.handle_edited_message(message("/status")) is None


def test_a_forwarded_command_is_a_text(dispatcher: Dispatcher) -> None:
    forwarded = replace(message("/add раз"), is_forwarded=True)
    assert dispatcher.handle_message(forwarded) == Question("/add раз")
    in_group = replace(message("/add@our_bot раз", GROUP), is_forwarded=True)
    assert dispatcher.handle_message(in_group) is None


# Other messages


def test_a_text_is_for_the_bot_in_private_or_in_a_reply_to_it(dispatcher: Dispatcher) -> None:
    assert dispatcher.handle_message(message("привет")) == Question("привет")
    assert dispatcher.handle_edited_message(message("привет")) == "новый текст «привет»"
    assert dispatcher.handle_message(message("привет", GROUP)) is None
    assert dispatcher.handle_edited_message(message("привет", GROUP)) is None
    reply = replace(message("привет", GROUP), replied_to_message_id=4, replied_to_username="our_BOT")
    assert dispatcher.handle_message(reply) == Question("привет")
    edited = replace(reply, text="привет!")
    assert dispatcher.handle_edited_message(edited) == "новый текст «привет!»"
    assert dispatcher.handle_message(replace(reply, replied_to_username="other_bot")) is None


def test_media_without_a_caption_get_a_hint_in_private(dispatcher: Dispatcher) -> None:
    photo = replace(message(""), has_media=True)
    assert dispatcher.handle_message(photo) == texts.CONTENT_UNKNOWN
    assert dispatcher.handle_message(replace(message("", GROUP), has_media=True)) is None
    assert dispatcher.handle_message(message("")) is None
    assert dispatcher.handle_edited_message(photo) is None


def test_a_router_without_text_handlers_ignores_texts() -> None:
    dispatcher = Dispatcher(Router(), SETTINGS, "our_bot")
    assert dispatcher.handle_message(message("привет")) is None
    assert dispatcher.handle_edited_message(message("привет")) is None


# Buttons


def test_a_button_is_recognized(dispatcher: Dispatcher) -> None:
    assert dispatcher.handle_button(tap("page:3:14")) == ButtonResult("1: 3, 14")


@pytest.mark.parametrize(
    "data",
    [
        "",
        "page",
        "page:",
        "page:3",
        "page:3:14:15",
        "page:3:x",
        "page:3:-1",
        "page:²:1",
        "other:1",
        "page:1:" + "9" * 19,
    ],
)
def test_any_other_button_is_ignored(dispatcher: Dispatcher, data: str) -> None:
    assert dispatcher.handle_button(tap(data)) == ButtonResult()


# Access


@pytest.fixture
def private_dispatcher(router: Router) -> Dispatcher:
    """Return a dispatcher for Ann and the admin Bob only."""
    settings = replace(SETTINGS, allowed_user_ids=frozenset([ANN]), admin_user_ids=frozenset([BOB]))
    return Dispatcher(router, settings, "our_bot")


def test_a_stranger_gets_one_sentence_for_everything(private_dispatcher: Dispatcher) -> None:
    for text in ("/add раз", "/add", "/status", "/wat", "привет"):
        with pytest.raises(AccessDenied, match=texts.not_allowed(EVE)):
            private_dispatcher.handle_message(message(text, EVE, EVE))
        with pytest.raises(AccessDenied, match=texts.not_allowed(EVE)):
            private_dispatcher.handle_edited_message(message(text, EVE, EVE))
    for data in ("page:3:14", "page:3", "reset:1"):
        with pytest.raises(AccessDenied, match=texts.not_allowed(EVE)):
            private_dispatcher.handle_button(tap(data, EVE))
    with pytest.raises(AccessDenied, match=texts.not_allowed(EVE)):
        private_dispatcher.handle_message(replace(message("", EVE, EVE), has_media=True))


def test_only_admins_may_use_what_is_for_admins(private_dispatcher: Dispatcher) -> None:
    with pytest.raises(AccessDenied, match=texts.ADMINS_ONLY):
        private_dispatcher.handle_message(message("/status"))
    with pytest.raises(AccessDenied, match=texts.ADMINS_ONLY):
        private_dispatcher.handle_button(tap("reset:1"))
    assert private_dispatcher.handle_message(message("/status", BOB, BOB)) == "хорошо"
    assert private_dispatcher.handle_button(tap("reset:1", BOB)) == ButtonResult("сброшено")
    assert private_dispatcher.handle_message(message("/add раз", BOB, BOB)) == "2 добавляет «раз»"
    assert private_dispatcher.handle_message(message("/add раз")) == "1 добавляет «раз»"


# Numbers


@pytest.mark.parametrize(("text", "number"), [("12", 12), ("#12", 12), ("0", 0), ("9" * 18, 10**18 - 1)])
def test_a_number_is_parsed(text: str, number: int) -> None:
    assert parse_number(text) == number
    assert parse_number_and_text(f"{text}\n раз  два") == (number, "раз  два")


@pytest.mark.parametrize("text", ["", "#", "-1", "+1", "1.0", "²", "٣", "1 2", "x", "9" * 19])
def test_anything_else_is_not_a_number(text: str) -> None:
    with pytest.raises(UsageError):
        parse_number(text)
    with pytest.raises(UsageError):
        parse_number_and_text(f"{text} раз" if " " not in text else text[:1])


def test_an_empty_text_means_the_default() -> None:
    assert parse_number("", default=10) == 10
    assert parse_number("3", default=10) == 3
    with pytest.raises(UsageError):
        parse_number("x", default=10)
