"""Two people and a group use the bot in any order, while calls fail, the bot is killed, and the clock jumps.

Hypothesis chooses what they do. A small model says what must come of it:

- each message gets its replies, in order; each question is answered; a reply may come twice only after a lost one
- each note exists once; lists and searches show the notes of the model, newest first
- nobody sees a word of somebody else's notes
- each tap is answered

The model takes what it knows from Telegram's side only. The bot is a process of its own (see forked_bot.py),
Telegram and the gateway are the emulated ones. The suite tries a few sequences, other ones at every run; `-m
long` tries many.
"""

import re
import signal
import sqlite3
import struct
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("needs fork and POSIX signals", allow_module_level=True)

from conftest import PATIENCE_S, text_of
from forked_bot import ForkedBot, ForkServer
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from scenario import services

import texts
from sandbox.telegram import Faults

ANN, BOB, GROUP = 1, 2, -1000
UNSAID = -1  # the number of a note that was saved with a button
WORD = re.compile(r"(?:кот|пёс)([12])(\d{5})")  # every text of a person is such a word, with the person's number

# What a person can do: each is a method of BotMachine.
ACTIONS = (
    *("add_note", "add_note", "write_text", "write_question", "edit_note", "edit_message", "delete_note"),
    *("restore_note", "tap", "tap", "ask", "reply_to_answer", "list_notes", "find_notes", "show_note"),
)
# A person, their private chat or the group, and which of the notes, buttons or answers there are.
actions = st.tuples(
    st.sampled_from(ACTIONS), st.sampled_from([ANN, BOB]), st.sampled_from([0, 0, GROUP]), st.integers(0, 50)
)
troubles = st.sampled_from(["", "", "", "stop", "kill", "kill at a step", "calls fail", "clock jumps"])
probabilities = st.sampled_from([0.0, 0.05, 0.15])
jumps_s = st.sampled_from([0.0, 60.0, -3600.0, 86_400.0, 40 * 86_400.0, -400 * 86_400.0])


OnArrival = Callable[[dict[str, Any]], None]


def ignore(_message: dict[str, Any]) -> None:
    pass


@dataclass
class Note:
    """A note of the model."""

    text: str
    chat_id: int
    message: dict[str, Any] | None = None  # the message it was made from
    number: int = 0  # 0 or UNSAID until the bot has said it
    is_deleted: bool = False


@dataclass
class Expected:
    """A message that the bot has to send next in a chat."""

    description: str
    fits: Callable[[str], bool]
    on_arrival: OnArrival = ignore


@dataclass
class Chat:
    """What the model knows about a chat."""

    expected: list[Expected] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    read: int = 0  # messages
    unanswered: dict[str, int] = field(default_factory=dict)  # word of a question → person
    answers: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)  # word → person and message


@dataclass
class Button:
    """A button that the bot has shown, and what a tap does to the model."""

    user_id: int
    message: dict[str, Any]
    data: str
    effect: Callable[[], None]


class BotMachine(RuleBasedStateMachine):
    """The bot, the emulated services and the model."""

    server: ForkServer  # set by the tests

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.world, self.gateway, env = self.stack.enter_context(services())
        self.clock_path = folder / "clock"
        self.clock_path.write_bytes(struct.pack("d", 0))
        self.bot = ForkedBot(self.server, folder, env)
        self.notes: dict[int, list[Note]] = {ANN: [], BOB: []}
        self.chats: dict[int, Chat] = defaultdict(Chat)
        self.buttons: list[Button] = []
        self.words = 0
        self.start()

    def start(self, kill_at: int = 0) -> None:
        self.bot.start(clock=True, hurries=True, kill_at=kill_at)

    def teardown(self) -> None:
        try:
            self.world.faults = Faults()
            self.settle()
            for user_id in (ANN, BOB):
                self.list_notes(user_id, user_id, 0)
            self.settle()
            assert self.bot.send_signal(signal.SIGTERM) in (0, -signal.SIGKILL), (
                self.bot.log
            )  # or killed at a step
        finally:
            self.bot.kill()
            self.stack.close()

    @rule(done=st.lists(actions, min_size=1, max_size=5), trouble=troubles, data=st.data())
    def use(self, done: list[tuple[str, int, int, int]], trouble: str, data: st.DataObject) -> None:
        """Let people do several things, most of them without waiting for replies, and let something happen."""
        for name, user_id, place, pick in done:
            getattr(self, name)(user_id, place or user_id, pick)
        if trouble == "calls fail":
            before, after, many, bad = (data.draw(probabilities) for _ in range(4))
            self.world.faults = Faults(
                drop_before=before, drop_after=after, too_many=many, bad_gateway=bad, retry_after=0.05
            )
        elif trouble == "clock jumps":
            with self.clock_path.open("r+b") as file:  # the bot has mapped it: it must not become shorter
                file.write(struct.pack("d", data.draw(jumps_s)))
        elif trouble:
            self.restart(signal.SIGTERM if trouble == "stop" else signal.SIGKILL)
            if trouble == "kill at a step":
                self.bot.kill()
                self.start(kill_at=data.draw(st.integers(1, 300)))

    def restart(self, signal_number: int) -> None:
        code = self.bot.wait() if self.bot.has_ended() else self.bot.send_signal(signal_number)
        assert code in (0, -signal.SIGKILL, -signal_number), f"exit code {code}\n{self.bot.log}"
        self.start()

    # What people do

    def add_note(self, user_id: int, chat_id: int, pick: int) -> None:
        note = Note(self.word(user_id, ("кот", "пёс")[pick % 2]), chat_id)
        note.message = self.say(user_id, f"/note_add {note.text}", chat_id)
        self.expect_new_note(user_id, note)

    def edit_message(self, user_id: int, _chat_id: int, pick: int) -> None:
        if note := self.pick([note for note in self.notes[user_id] if note.message], pick):
            assert note.message
            text = self.word(user_id)
            is_command = note.message["text"].startswith("/")
            new_text = f"/note_add {text}" if is_command else text
            note.message = self.world.edit(user_id, note.message["message_id"], new_text, chat_id=note.chat_id)
            if note.is_deleted:
                self.expect(note.chat_id, texts.note_is_deleted(note.number))
            else:
                self.expect_edit(user_id, note, text, note.chat_id)

    def edit_note(self, user_id: int, chat_id: int, pick: int) -> None:
        if note := self.pick(self.notes[user_id], pick):
            text = self.word(user_id)
            self.say(user_id, f"/note_edit {note.number} {text}", chat_id)
            if note.is_deleted:
                self.expect(chat_id, texts.note_missing(note.number))
            else:
                self.expect_edit(user_id, note, text, chat_id)

    def delete_note(self, user_id: int, chat_id: int, pick: int) -> None:
        if note := self.pick(self.notes[user_id], pick):
            self.say(user_id, f"/note_del {note.number}", chat_id)
            if note.is_deleted:
                self.expect(chat_id, texts.note_missing(note.number))
            else:
                note.is_deleted = True
                restore = self.remember_button(user_id, texts.RESTORE, lambda: self.restored(note))
                self.expect(chat_id, texts.note_deleted(note.number), restore)

    def restore_note(self, user_id: int, chat_id: int, pick: int) -> None:
        if note := self.pick(self.notes[user_id], pick):
            self.say(user_id, f"/note_restore {note.number}", chat_id)
            restored, not_deleted = texts.note_restored(note.number), texts.note_not_deleted(note.number)
            self.expect(chat_id, restored if note.is_deleted else not_deleted)
            note.is_deleted = False

    def write_text(self, user_id: int, _chat_id: int, _pick: int) -> None:
        """Write a text without a command, which becomes a note at once."""
        note = Note(self.word(user_id), user_id)
        note.message = self.say(user_id, note.text, user_id)
        delete = self.remember_button(user_id, texts.DELETE, lambda: self.deleted(note))
        self.expect_new_note(user_id, note, delete)

    def write_question(self, user_id: int, _chat_id: int, _pick: int) -> None:
        """Write a question without a command, which a button saves as a note."""
        note = Note(self.word(user_id), user_id)
        note.message = self.say(user_id, f"{note.text}?", user_id)
        save = self.remember_button(user_id, texts.SAVE_AS_NOTE, lambda: self.saved(user_id, note))
        self.expect(user_id, texts.PLAIN_QUESTION, save)

    def tap(self, _user_id: int, _chat_id: int, pick: int) -> None:
        """Tap a button that is there; its effect is checked by the next list."""
        self.settle()
        if button := self.pick(self.buttons, pick):
            chat_id = button.message["chat"]["id"]
            self.world.tap(button.user_id, chat_id, button.message["message_id"], button.data)
            button.effect()

    def ask(self, user_id: int, chat_id: int, _pick: int) -> None:
        word = self.word(user_id)
        self.chats[chat_id].unanswered[word] = user_id
        self.say(user_id, f"/ask {word}", chat_id)

    def reply_to_answer(self, user_id: int, chat_id: int, pick: int) -> None:
        self.settle()
        if answer := self.pick(list(self.chats[chat_id].answers.values()), pick):
            author, message = answer
            word = self.word(user_id)
            if author == user_id:
                self.chats[chat_id].unanswered[word] = user_id
            else:
                self.expect(chat_id, texts.NOT_YOUR_CONVERSATION)
            self.say(user_id, word, chat_id, reply_to_message=message)

    def list_notes(self, user_id: int, chat_id: int, _pick: int) -> None:
        self.look(user_id, chat_id, "/note_list 50", [note.text for note in self.visible(user_id)][-50:])

    def find_notes(self, user_id: int, chat_id: int, pick: int) -> None:
        """Search alone: a search that takes long becomes a job, whose result comes when it is ready."""
        self.settle()
        animal = ("кот", "пёс")[pick % 2]
        found = [note.text for note in self.visible(user_id) if note.text.startswith(animal)]
        self.look(user_id, chat_id, f"/note_find {animal}", found[-10:])
        self.settle()

    def show_note(self, user_id: int, chat_id: int, pick: int) -> None:
        """Show a note by a number that anybody's note has."""
        self.settle()  # then all numbers are known
        if note := self.pick([*self.notes[ANN], *self.notes[BOB]], pick):
            own = [own.text for own in self.visible(user_id) if own.number == note.number]
            self.look(user_id, chat_id, f"/note_show {note.number}", own)

    def look(self, user_id: int, chat_id: int, command: str, shown: list[str]) -> None:
        """Send a command whose reply shows these notes, in this order from the end."""
        wanted = list(reversed(shown))
        number = int("0" + "".join(re.findall(r"\d", command)))  # of /note_show
        nothing = (texts.NO_NOTES, texts.NOTHING_FOUND, texts.note_missing(number), texts.note_is_deleted(number))
        self.expect_that(
            chat_id,
            f"{command} of {user_id} shows {wanted}",
            lambda text: [match[0] for match in WORD.finditer(text)] == wanted if wanted else text in nothing,
        )
        self.say(user_id, command, chat_id)

    # The model

    def word(self, user_id: int, animal: str = "кот") -> str:
        self.words += 1
        return f"{animal}{user_id}{self.words:05}"

    def pick(self, things: list[Any], number: int) -> Any:
        """Return one of the things; the numbers of notes are only known after the bot has said them."""
        if not things:
            return None
        thing = things[number % len(things)]
        if isinstance(thing, Note) and thing.number <= 0:
            self.settle()
        return thing

    def visible(self, user_id: int) -> list[Note]:
        return [note for note in self.notes[user_id] if not note.is_deleted]

    def restored(self, note: Note) -> None:
        note.is_deleted = False

    def deleted(self, note: Note) -> None:
        note.is_deleted = True

    def saved(self, user_id: int, note: Note) -> None:
        if note not in self.notes[user_id]:
            self.notes[user_id].append(note)
            note.number = UNSAID  # the bot says it by editing its message; see read()

    def undone(self, note: Note, text: str) -> None:
        if not note.is_deleted:
            note.text = text

    def expect_new_note(self, user_id: int, note: Note, on_arrival: OnArrival = ignore) -> None:
        def is_new(text: str) -> bool:
            number = number_in(text)
            return text == texts.note_added(number) and number not in [own.number for own in self.notes[user_id]]

        def learn(message: dict[str, Any]) -> None:
            note.number = number_in(text_of(message))
            on_arrival(message)

        self.notes[user_id].append(note)
        self.expect_that(note.chat_id, f"a new number for {note.text}", is_new, learn)

    def expect_edit(self, user_id: int, note: Note, text: str, chat_id: int) -> None:
        before, note.text = note.text, text
        undo = self.remember_button(user_id, texts.UNDO_EDIT, lambda: self.undone(note, before))
        self.expect(chat_id, texts.note_edited(note.number), undo)

    def expect(self, chat_id: int, text: str, on_arrival: OnArrival = ignore) -> None:
        self.expect_that(chat_id, text, lambda said: said == text, on_arrival)

    def expect_that(
        self,
        chat_id: int,
        description: str,
        fits: Callable[[str], bool],
        on_arrival: OnArrival = ignore,
    ) -> None:
        self.chats[chat_id].expected.append(Expected(description, fits, on_arrival))

    def remember_button(self, user_id: int, label: str, effect: Callable[[], None]) -> OnArrival:
        def remember(message: dict[str, Any]) -> None:
            [data] = [data for shown, data in buttons_of(message) if shown == label]
            self.buttons.append(Button(user_id, message, data, effect))

        return remember

    # Telegram's side

    def say(self, user_id: int, text: str, chat_id: int, **fields: Any) -> dict[str, Any]:
        return self.world.say(user_id, text, chat_id=chat_id, **fields)

    def settle(self) -> None:
        """Wait until everything is answered; restart the bot if it has been killed."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.is_settled():
            assert time.monotonic() < deadline, f"{self.what_is_missing()}\n{self.bot.log}"
            if self.bot.has_ended():
                code = self.bot.wait()
                assert code == -signal.SIGKILL, f"exit code {code}\n{self.bot.log}"
                self.start()
            time.sleep(0.003)

    def is_settled(self) -> bool:
        self.read()
        if self.world.pending() or self.what_is_missing() or self.world.open_queries:
            return False
        return self.is_outbox_empty()

    def is_outbox_empty(self) -> bool:
        """Return whether the bot has recorded all replies as sent; until then, one may come twice."""
        try:
            with closing(sqlite3.connect(f"file:{self.bot.db_path}?mode=ro", uri=True)) as database:
                return bool(database.execute("SELECT count(*) FROM outbox").fetchone() == (0,))
        except sqlite3.OperationalError:  # the bot has not created it yet, or is just opening it
            return False

    def what_is_missing(self) -> list[str]:
        expected = [expected.description for chat in self.chats.values() for expected in chat.expected]
        unknown = [
            f"the number of {note.text}"
            for user_id in (ANN, BOB)
            for note in self.notes[user_id]
            if note.number <= 0
        ]
        return expected + unknown + [word for chat in self.chats.values() for word in chat.unanswered]

    @invariant()
    def read(self) -> None:
        """Compare what the bot has sent since the last time with what was expected."""
        for chat_id in (ANN, BOB, GROUP):
            chat = self.chats[chat_id]
            messages = [event["message"] for event in self.world.events_of(chat_id) if "message" in event]
            for message in messages[chat.read :]:
                check_privacy(chat_id, message)
                is_edit = "edit_date" in message
                if not is_edit:
                    self.read_message(chat, message)
                elif text_of(message) == texts.note_added(number_in(text_of(message))):
                    self.learn_saved_number(chat_id, number_in(text_of(message)))
            chat.read = len(messages)

    def learn_saved_number(self, user_id: int, number: int) -> None:
        if number not in [note.number for note in self.notes[user_id]]:
            [note] = [note for note in self.notes[user_id] if note.number == UNSAID]
            note.number = number

    def read_message(self, chat: Chat, message: dict[str, Any]) -> None:
        text, buttons = text_of(message), buttons_of(message)
        key = f"{text} {buttons}"
        # The data of most buttons are new in each message, so the same data again mean the same message again.
        is_repeated = key in chat.seen and bool(buttons) and buttons[0][0] not in (texts.RESTORE, texts.EDIT)
        first_word = WORD.match(text)
        word = first_word[0] if first_word else ""
        if word in chat.unanswered:
            chat.answers[word] = (chat.unanswered.pop(word), message)
        elif word in chat.answers and key in chat.seen:
            chat.answers[word] = (chat.answers[word][0], message)
        elif chat.expected and chat.expected[0].fits(text) and not is_repeated:
            chat.expected.pop(0).on_arrival(message)
        else:
            wanted = [expected.description for expected in chat.expected[:2]]
            assert key in chat.seen, f"not expected: {key}; expected: {wanted}; seen: {chat.seen}\n{self.bot.log}"
        chat.seen.append(key)


def number_in(text: str) -> int:
    found = re.search(r"#(\d+)", text)
    return int(found[1]) if found else 0


def buttons_of(message: dict[str, Any]) -> list[tuple[str, str]]:
    keyboard = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [(button["text"], button["callback_data"]) for row in keyboard for button in row]


def check_privacy(chat_id: int, message: dict[str, Any]) -> None:
    """Check that a message shows only words of the person it is for."""
    reader = chat_id if chat_id != GROUP else message["reply_to_message"]["from"]["id"]
    owners = {int(match[1]) for match in WORD.finditer(text_of(message))}
    assert owners <= {reader}, f"{reader} sees {text_of(message)!r}"


def run_machine(examples: int, steps: int) -> None:
    BotMachine.server = ForkServer()
    try:
        run_state_machine_as_test(
            BotMachine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                phases=[Phase.generate],  # what depends on threads cannot be made smaller
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        BotMachine.server.close()


def test_some_sequences() -> None:
    run_machine(examples=6, steps=8)


@pytest.mark.long
def test_many_sequences() -> None:
    run_machine(examples=50, steps=15)
