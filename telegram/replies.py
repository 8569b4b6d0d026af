"""The values that handlers and jobs return."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from entities import Entity
from telegram.messages import Attachment


@dataclass(frozen=True)
class Button:
    """A button under a message: its label and the data that Telegram returns on a tap (at most 64 bytes)."""

    label: str
    data: str = ""
    copy_text: str = ""  # instead of data: a tap copies this text (at most 256 characters)


def in_rows(buttons: Sequence[Button], per_row: int) -> list[Sequence[Button]]:
    """Return buttons in rows of at most `per_row`."""
    return [buttons[start : start + per_row] for start in range(0, len(buttons), per_row)]


@dataclass(frozen=True)
class Reply:
    """A message to send: plain text by default, with optional formatting, a picture and buttons."""

    text: str = ""  # with a photo or media: its caption
    entities: Sequence[Entity] = ()  # the formatting of a plain text or a caption
    media: Sequence[Attachment] = ()  # sent again, as an album where possible; the text follows if it is too long
    is_markdown: bool = False  # rich Markdown, as language models write it: made safe, split when it is too long
    footer: str = ""  # a plain text below the Markdown, out of reach of whatever the model left open
    is_html: bool = False  # the HTML tags that Telegram supports; must fit into one message
    photo: str = ""  # the URL of a picture
    buttons: Sequence[Sequence[Button]] = ()  # rows of buttons
    asks_for_text: bool = False  # the client opens the field for an answer; without buttons
    question_id: int | None = None  # the question that this message answers
    note_id: int | None = None  # the note that this message shows or confirms


@dataclass(frozen=True)
class Question:
    """A question for a language model."""

    text: str
    parent_id: int | None = None  # the previous question of the conversation
    kind: str = "ask"  # "ask", "compare" (several models), "web" (with web search) or "note_ask" (from the notes)
    is_repeat: bool = False  # asked again: the answer cache is not used
    pictures: Sequence[str] = ()  # the file_ids of the pictures that it is about
    speech: Attachment | None = None  # a recording with more of the question
    delay_s: float = 0.0  # until it is asked: further pictures of an album may arrive


@dataclass(frozen=True)
class Job:
    """Work to do after the update is committed: it may take long or use the network."""

    name: str  # a key of the job table that the program is started with
    arguments: dict[str, int | str] = field(default_factory=dict)  # stored as JSON


@dataclass(frozen=True)
class Transcription:
    """Speech in a note to turn into text after the update is committed, and what to say at once."""

    attachment_ids: Sequence[int]
    message_id: int  # the message with the speech: the transcript replies to it
    reply: "HandlerResult" = None


@dataclass(frozen=True)
class File:
    """A file that a job sends. The sender closes the content."""

    name: str
    content: BinaryIO
    caption: str = ""
    is_photo: bool = False


@dataclass(frozen=True)
class Reaction:
    """An emoji on the person's message, in place of a reply that confirms a note."""

    emoji: str


# What a message handler returns: a text, a formatted reply, a reaction, a question, a job, speech to transcribe,
# or nothing.
HandlerResult = str | Reply | Reaction | Question | Job | Transcription | None


@dataclass(frozen=True)
class ButtonResult:
    """What a button handler returns."""

    toast: str = ""  # a line that Telegram shows for a moment
    question: Question | None = None
    edit: Reply | None = None  # the new content of the message with the button
    buttons: Sequence[Sequence[Button]] | None = None  # the new buttons under the message, which itself stays
    job: Job | None = None  # its result comes as another message


class UsageError(Exception):
    """The text after a command has the wrong form; the person gets the command's usage line."""


class AccessDenied(Exception):
    """The person may not do this; str() is the sentence that tells them why."""
