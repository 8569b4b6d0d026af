"""Find the handler of a message or a button, check access, and call the handler."""

import json
import re
from dataclasses import dataclass

import clock
import journal
import journal_awaited
import texts
from config import Settings
from journal_awaited import AwaitedText
from telegram.access import check_access
from telegram.messages import CallbackQuery, Message
from telegram.replies import ButtonResult, HandlerResult, Reply, UsageError
from telegram.router import Command, Router

COMMAND = re.compile(
    r"/(?P<name>[A-Za-z0-9_]+) (?:@(?P<bot>[A-Za-z0-9_]+))? (?:\s(?P<text>.*))?", re.VERBOSE | re.DOTALL
)
BUTTON_DATA = re.compile(r"(?P<name>[a-z_]+)(?P<numbers>(?::[0-9]{1,18})+)")
EXPECTED_FILES = (".json", ".zip")


@dataclass(frozen=True)
class _CommandLine:
    """A message that starts with a command: /name@bot_username text."""

    name: str  # as the person wrote it
    bot_username: str  # "" if the message does not name a bot
    text: str


class Dispatcher:
    """Connects updates with the handlers of a router."""

    def __init__(self, router: Router, settings: Settings, username: str) -> None:
        self._router = router
        self._settings = settings
        self._username = username.lower()  # the bot's own; "" if unknown

    def handle_message(self, message: Message) -> HandlerResult:
        """Return the handler's result, None if the message is not for the bot; AccessDenied if not permitted."""
        if message.is_further_part:
            self._remember(message)
            return self._router.album_part_handler(message, message.text)
        command_line = _parse_command_line(message)
        if command_line is None and self._continues_long_message(message):
            return None
        if not self._is_addressed_to_bot(message, command_line):
            return None
        if message.is_anonymous:
            return texts.ANONYMOUS
        command = self._find_command(message, command_line)
        if command_line is None or (command and command.name in self._router.edit_handlers):
            self._remember(message)
        awaited = self._take_awaited(message, command_line)
        if awaited:
            return self._complete_command(awaited, message)
        if command_line is None:
            return self._handle_plain(message)
        if command is None:
            return texts.unknown_command(command_line.name)
        return _call_handler(command, message, command_line.text)

    def handle_edited_message(self, message: Message) -> HandlerResult:
        """Return the handler's result, None if the edit changes nothing; AccessDenied if not permitted."""
        command_line = _parse_command_line(message)
        has_content = message.text or message.attachments
        if not has_content or message.is_anonymous or not self._is_addressed_to_bot(message, command_line):
            return None
        command = self._find_command(message, command_line)
        fingerprint = _fingerprint(message)
        if not journal.remember_edited_text(message.chat_id, message.message_id, fingerprint, message.sent_at):
            return None
        if command_line is None:
            return self._router.edited_text_handler(message, message.text)
        if command is None or command.name not in self._router.edit_handlers:
            return None
        try:
            return self._router.edit_handlers[command.name](message, command_line.text)
        except UsageError:
            return texts.usage_line(command.name, command.usage)

    def handle_button(self, query: CallbackQuery) -> ButtonResult:
        """Return the handler's result, an empty one for an outdated button; AccessDenied if not permitted."""
        match = BUTTON_DATA.fullmatch(query.data)
        if match is None or match["name"] not in self._router.buttons:
            return ButtonResult()
        button = self._router.buttons[match["name"]]
        check_access(self._settings, query.user_id, admin_only=button.admin_only)
        numbers = [int(number) for number in match["numbers"][1:].split(":")]
        if len(numbers) != button.numbers:
            return ButtonResult()
        return button.handler(query, *numbers)

    def _remember(self, message: Message) -> None:
        """Remember what a message says: Telegram reports reactions and other changes as edits, too."""
        journal.remember_message_text(message.chat_id, message.message_id, _fingerprint(message), message.sent_at)

    def _take_awaited(self, message: Message, command_line: _CommandLine | None) -> AwaitedText | None:
        """Return the command that a message completes. Another command ends the waiting."""
        if command_line is None and _is_lone_file(message):
            return self._take_awaited_file(message)
        if command_line is None and (not message.text or message.is_forwarded or message.attachments):
            return None
        replied_to = message.replied_to_message_id
        if command_line is None and replied_to and journal.can_be_replied_to(message.chat_id, replied_to):
            return None
        awaited = journal_awaited.take(message.chat_id, message.thread_id, message.user_id, message.sent_at)
        if awaited and self._router.commands[awaited["command"]].takes_file and not _is_cancel(message):
            return None  # a text in place of the file is a message of its own
        return awaited if command_line is None else None

    def _take_awaited_file(self, message: Message) -> AwaitedText | None:
        """Return the command that a file completes; a command that waits for a text waits on."""
        key = (message.chat_id, message.thread_id, message.user_id)
        command = journal_awaited.awaited_command(*key)
        if command is None or not self._router.commands[command].takes_file:
            return None
        return journal_awaited.take(*key, message.sent_at)

    def _complete_command(self, awaited: AwaitedText, message: Message) -> HandlerResult:
        """Call the handler of a command with the text that the bot has asked for."""
        if _is_cancel(message):
            return texts.CANCELED
        text = f"{awaited['text_before']} {message.text}".strip()
        return _call_handler(self._router.commands[awaited["command"]], message, text)

    def _handle_plain(self, message: Message) -> HandlerResult:
        """Handle a message without a command."""
        if message.attachments or message.unsupported:
            return self._router.media_handler(message, message.text)
        return self._router.text_handler(message, message.text) if message.text else texts.CONTENT_UNKNOWN

    def _continues_long_message(self, message: Message) -> bool:
        is_plain_text = bool(message.text) and not (
            message.has_media or message.unsupported or message.is_forwarded or message.is_anonymous
        )
        return is_plain_text and self._router.continuation_handler(message)

    def _find_command(self, message: Message, command_line: _CommandLine | None) -> Command | None:
        """Return the command of a message, if it is known; AccessDenied if the person may not use it."""
        command = self._router.commands.get(command_line.name.lower()) if command_line else None
        admin_only = command is not None and command.admin_only
        check_access(self._settings, message.user_id, admin_only=admin_only)
        return command

    def _is_addressed_to_bot(self, message: Message, command_line: _CommandLine | None) -> bool:
        """Return whether a message is for the bot: in private any message, in a group a command or a reply."""
        if command_line:
            if command_line.bot_username:
                return self._is_own_username(command_line.bot_username)
            return message.is_private or command_line.name.lower() in self._router.commands
        if message.text:
            return message.is_private or self._is_own_username(message.replied_to_username)
        return message.is_private and message.has_media

    def _is_own_username(self, username: str) -> bool:
        return bool(username) and username.lower() == self._username


def await_text(source: Message | CallbackQuery, command: str, asked_at: int, text_before: str = "") -> None:
    """Take the next message of the person as the text of a command, after the text that is known already."""
    journal_awaited.await_text(source.chat_id, source.thread_id, source.user_id, command, text_before, asked_at)


def stop_waiting(query: CallbackQuery) -> None:
    """Stop waiting: the next message of the person is one like any other."""
    journal_awaited.take(query.chat_id, query.thread_id, query.user_id, clock.now())


def _parse_command_line(message: Message) -> _CommandLine | None:
    """Return the command at the start of a message; a forward or a poll has none: its text is not for the bot."""
    is_own_text = not (message.is_forwarded or message.unsupported)
    match = COMMAND.fullmatch(message.text) if is_own_text else None
    if match is None:
        return None
    return _CommandLine(match["name"], match["bot"] or "", (match["text"] or "").strip())


def _is_cancel(message: Message) -> bool:
    return message.text.strip(" .!").casefold() in texts.CANCEL_WORDS


def _is_lone_file(message: Message) -> bool:
    """Return whether a message is nothing but a file that a command may wait for."""
    if message.document is None or message.text or message.media_group_id:
        return False
    return (message.document.file_name or "").casefold().endswith(EXPECTED_FILES)


def _fingerprint(message: Message) -> str:
    """Return what differs between two versions of a message: the text, its formatting, the files."""
    if not message.entities and not message.attachments:
        return message.text
    files = [attachment.file_unique_id or dict(attachment.details) for attachment in message.attachments]
    return json.dumps([message.text, message.entities, files], ensure_ascii=False)


def _call_handler(command: Command, message: Message, text: str) -> HandlerResult:
    """Call the handler of a command; ask for the text if the command needs one."""
    try:
        return command.handler(message, text)
    except UsageError:
        question = texts.COMMAND_QUESTIONS.get(command.name)
        if text or question is None:
            return texts.usage_line(command.name, command.usage)
    await_text(message, command.name, message.sent_at)
    return Reply(question, asks_for_text=True)
