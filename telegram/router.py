"""The table of commands and buttons, filled while bot.py is imported; afterwards it does not change."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import texts
from telegram.messages import Message
from telegram.replies import ButtonResult, HandlerResult, UsageError

if TYPE_CHECKING:
    from telebot import types

# Takes the message and the text after the command (the whole text if there is no command).
Handler = Callable[[Message, str], HandlerResult]
# Takes the callback query and the numbers in the button's data.
ButtonHandler = Callable[..., ButtonResult]

NUMBER = re.compile(r"#?([0-9]{1,18})")  # 18 digits always fit into an integer of SQLite


@dataclass(frozen=True)
class Command:
    """A command: /help, the menu and the dispatcher use the same entry."""

    name: str
    summary: str
    usage: str  # the arguments, as shown to the person
    handler: Handler
    admin_only: bool
    takes_file: bool  # without one it waits for the next file of the person


@dataclass(frozen=True)
class ButtonEntry:
    """The buttons whose data is `name:<number>:<number>…`."""

    handler: ButtonHandler
    numbers: int  # how many numbers the data holds
    admin_only: bool


class Router:
    """Holds the handlers of commands, buttons and other messages."""

    def __init__(self) -> None:
        self.commands: dict[str, Command] = {}
        self.buttons: dict[str, ButtonEntry] = {}
        self.edit_handlers: dict[str, Handler] = {}  # by command name
        self.text_handler: Handler = _ignore
        self.media_handler: Handler = _ignore
        self.album_part_handler: Handler = _ignore
        self.edited_text_handler: Handler = _ignore
        self.continuation_handler: Callable[[Message], bool] = _is_new

    def command(
        self, name: str, summary: str, usage: str = "", *, admin_only: bool = False, takes_file: bool = False
    ) -> Callable[[Handler], Handler]:
        """Register the handler of a command."""

        def register(handler: Handler) -> Handler:
            self.commands[name] = Command(name, summary, usage, handler, admin_only, takes_file)
            return handler

        return register

    def edited(self, name: str) -> Callable[[Handler], Handler]:
        """Register the handler for edited messages that contain a command."""

        def register(handler: Handler) -> Handler:
            self.edit_handlers[name] = handler
            return handler

        return register

    def button(
        self, name: str, numbers: int = 1, *, admin_only: bool = False
    ) -> Callable[[ButtonHandler], ButtonHandler]:
        """Register the handler of the buttons whose data is the name and this many numbers, joined by colons."""

        def register(handler: ButtonHandler) -> ButtonHandler:
            self.buttons[name] = ButtonEntry(handler, numbers, admin_only)
            return handler

        return register

    def add_buttons(self, other: "Router") -> None:
        """Add the buttons of another table."""
        self.buttons.update(other.buttons)

    def text(self, handler: Handler) -> Handler:
        """Register the handler of messages without a command."""
        self.text_handler = handler
        return handler

    def media(self, handler: Handler) -> Handler:
        """Register the handler of messages without a command that hold more than text, such as a photo."""
        self.media_handler = handler
        return handler

    def album_part(self, handler: Handler) -> Handler:
        """Register the handler of the further messages of an album; it returns no reply."""
        self.album_part_handler = handler
        return handler

    def continuation(self, handler: Callable[[Message], bool]) -> Callable[[Message], bool]:
        """Register what takes the further parts of long messages; it returns False for any other message."""
        self.continuation_handler = handler
        return handler

    def edited_text(self, handler: Handler) -> Handler:
        """Register the handler of edited messages without a command."""
        self.edited_text_handler = handler
        return handler

    def help(self, *, is_admin: bool) -> str:
        """Describe the commands that a person may use, in the order of registration."""
        commands = [command for command in self.commands.values() if is_admin or not command.admin_only]
        return texts.help_text(texts.help_line(c.name, c.usage, c.summary) for c in commands)

    def short_help(self, names: Iterable[str]) -> str:
        """Describe a few commands, without their arguments."""
        return "\n".join(texts.help_line(name, "", self.commands[name].summary) for name in names)

    def menu(self, has_admins: bool) -> "list[types.BotCommand]":
        """Return Telegram's menu: the commands that everyone may use. Without admins, that is all of them."""
        from telebot import types  # imported late, see Telegram.bot

        commands = [command for command in self.commands.values() if not (has_admins and command.admin_only)]
        return [types.BotCommand(command.name, command.summary) for command in commands]


def _ignore(message: Message, text: str) -> HandlerResult:  # noqa: ARG001
    return None


def _is_new(message: Message) -> bool:  # noqa: ARG001
    return False


def parse_number(text: str, default: int | None = None) -> int:
    """Parse a whole number as people write it, "12" or "#12"; UsageError for anything else.

    An empty text means the default, if there is one.
    """
    if not text and default is not None:
        return default
    match = NUMBER.fullmatch(text)
    if match is None:
        raise UsageError
    return int(match[1])


def parse_number_and_text(text: str) -> tuple[int, str]:
    """Parse a number followed by a text; UsageError if either is missing."""
    words = text.split(maxsplit=1)
    if len(words) < 2:
        raise UsageError
    return parse_number(words[0]), words[1]
