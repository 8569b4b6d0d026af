"""Which handler a message belongs to: the table of commands."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from telebot import types

import texts
from runtime.access import Access
from runtime.answers import Question
from runtime.outbox import Reply


class Message(types.Message):
    """A message that somebody sent: the router lets no other through to a handler."""

    from_user: types.User


class Tap(types.CallbackQuery):
    """A button that somebody tapped, under a message that is still there."""

    message: types.Message


# What a handler returns: what to say, what to ask a model, or nothing.
Said = str | Reply | Question | None
Handler = Callable[[Message, str], Said]


@dataclass(frozen=True)
class Tapped:
    """What a button's handler returns."""

    toast: str = ""  # a line that pops up for a moment
    question: Question | None = None  # what to ask a model
    edit: Reply | None = None  # what the message is to say from now on


TapHandler = Callable[..., Tapped]  # of the tap and the numbers that the button carries

COMMAND = re.compile(
    r"/(?P<name>[A-Za-z0-9_]+) (?:@(?P<bot>[A-Za-z0-9_]+))? (?:\s(?P<text>.*))?", re.VERBOSE | re.DOTALL
)
BUTTON = re.compile(r"(?P<name>[a-z_]+)(?P<numbers>(?::[0-9]{1,18})+)")
MEDIA = frozenset(["photo", "document", "video", "animation", "audio", "voice", "video_note", "sticker"])


class Misuse(Exception):
    """What follows a command does not fit it; the person is shown how the command is written."""


@dataclass(frozen=True)
class Command:
    """A line of the table: what /help, the menu and the dispatch are made from."""

    name: str
    summary: str
    usage: str
    handler: Handler
    for_admin: bool


class Router:
    """Holds the commands and the buttons, and finds the one that a person means."""

    def __init__(self) -> None:
        self.commands: dict[str, Command] = {}
        self.buttons: dict[str, tuple[TapHandler, int, bool]] = {}  # with how many numbers, and whether for admins
        self.username = ""  # the bot's, known once Telegram has told it
        self.access = Access()
        self._edits: dict[str, Handler] = {}  # by command
        self._text_handler: Handler = _silence
        self._text_edit_handler: Handler = _silence

    def command(
        self, name: str, summary: str, usage: str = "", *, for_admin: bool = False
    ) -> Callable[[Handler], Handler]:
        """Put a handler into the table: handler(message, text after the command) returns what to say."""

        def add(handler: Handler) -> Handler:
            self.commands[name] = Command(name, summary, usage, handler, for_admin)
            return handler

        return add

    def button(
        self, name: str, numbers: int = 1, *, for_admin: bool = False
    ) -> Callable[[TapHandler], TapHandler]:
        """Make a handler the one of the buttons whose data is `name:<number>:…`: handler(tap, number, …)."""

        def add(handler: TapHandler) -> TapHandler:
            self.buttons[name] = handler, numbers, for_admin
            return handler

        return add

    def edit(self, name: str) -> Callable[[Handler], Handler]:
        """Make a handler the one of a command's messages that are edited later."""

        def add(handler: Handler) -> Handler:
            self._edits[name] = handler
            return handler

        return add

    def text(self, handler: Handler) -> Handler:
        """Make a handler the one of the messages that hold no command."""
        self._text_handler = handler
        return handler

    def text_edit(self, handler: Handler) -> Handler:
        """Make a handler the one of the messages without a command that are edited later."""
        self._text_edit_handler = handler
        return handler

    def help(self, user_id: int) -> str:
        """Describe the commands that a person may use, in the order of the table."""
        may = [c for c in self.commands.values() if not c.for_admin or self.access.is_admin(user_id)]
        return texts.help_text(texts.help_line(c.name, c.usage, c.summary) for c in may)

    def menu(self) -> list[types.BotCommand]:
        """Return the commands that everybody may use, for Telegram's menu."""
        everybodys = [c for c in self.commands.values() if not (c.for_admin and self.access.admins)]
        return [types.BotCommand(c.name, c.summary) for c in everybodys]

    def answer(self, message: types.Message) -> Said:
        """Return what the message's handler says; None for what is not meant for us, Refused if they may not."""
        text = _text_of(message)
        match = _command_in(message, text)
        if not self._is_for_us(message, text, match):
            return None
        command = self._checked(message, match)
        if match is None:
            return self._text_handler(cast(Message, message), text) if text else texts.ONLY_TEXT
        if command is None:
            return texts.unknown_command(match["name"])
        return self._said(command.handler, command, message, match)

    def answer_edit(self, message: types.Message) -> Said:
        """Return what is said to a message that was edited; None where that changes nothing."""
        text = _text_of(message)
        match = _command_in(message, text)
        if not text or not self._is_for_us(message, text, match):
            return None
        command = self._checked(message, match)
        if match is None:
            return self._text_edit_handler(cast(Message, message), text)
        if command is None or command.name not in self._edits:
            return None
        return self._said(self._edits[command.name], command, message, match)

    def _checked(self, message: types.Message, match: re.Match[str] | None) -> Command | None:
        """Return the command that is meant; Refused if the person may not."""
        command = self.commands.get(match["name"].lower()) if match else None
        self.access.check(cast(Message, message).from_user.id, for_admin=bool(command and command.for_admin))
        return command

    def _is_for_us(self, message: types.Message, text: str, match: re.Match[str] | None) -> bool:
        """Whether somebody talks to the bot: in a group by a command or a reply, in private by anything."""
        if message.from_user is None:
            return False
        private = message.chat.type == "private"
        if match:
            known = match["name"].lower() in self.commands
            return self._is_us(match["bot"]) if match["bot"] else private or known
        if text:
            replied = message.reply_to_message
            return private or bool(replied and replied.from_user and self._is_us(replied.from_user.username))
        return private and message.content_type in MEDIA and not message.media_group_id

    def _is_us(self, username: str | None) -> bool:
        return (username or "").lower() == self.username.lower()

    def _said(self, handler: Handler, command: Command, message: types.Message, match: re.Match[str]) -> Said:
        try:
            return handler(cast(Message, message), (match["text"] or "").strip())
        except Misuse:
            return texts.usage_line(command.name, command.usage)

    def tapped(self, query: types.CallbackQuery) -> Tapped:
        """Return what the button's handler says; a button of another time says nothing."""
        match = BUTTON.fullmatch(query.data or "")
        if match is None or match["name"] not in self.buttons or query.message is None:
            return Tapped()
        handler, expected, for_admin = self.buttons[match["name"]]
        self.access.check(query.from_user.id, for_admin=for_admin)
        numbers = [int(number) for number in match["numbers"][1:].split(":")]
        return handler(cast(Tap, query), *numbers) if len(numbers) == expected else Tapped()


def _silence(*_: object) -> None:
    """Say nothing."""


def _text_of(message: types.Message) -> str:
    return texts.storable(message.text or message.caption or "")


def _command_in(message: types.Message, text: str) -> re.Match[str] | None:
    """Return the command that a message begins with; what is forwarded was not said to us, so it holds none."""
    return None if message.forward_origin else COMMAND.fullmatch(text)


def number(text: str, default: int | None = None) -> int:
    """Read a whole number as a person writes it (#12 too); Misuse if it is none, or too large for SQLite."""
    if not text and default is not None:
        return default
    match = re.fullmatch(r"#?([0-9]{1,18})", text)
    if match is None:
        raise Misuse
    return int(match[1])


def number_and_text(text: str) -> tuple[int, str]:
    """Read a number and the text after it; Misuse if either is missing."""
    words = text.split(maxsplit=1)
    if len(words) < 2:
        raise Misuse
    return number(words[0]), words[1]
