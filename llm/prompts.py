"""Prompts: the messages that a model gets, with the conversation so far and with notes."""

import base64
import json
from dataclasses import dataclass
from typing import TypedDict

import db
import db_attachments
import db_people
import db_search
import journal
import openrouter_client
import texts
from clock import TimeZone
from db_attachments import Attachment, Source
from db_search import FoundNote
from notes import contents, search
from openrouter_client import ChatMessage, ErrorKind, Json, OpenRouterError

DEFAULT_CONTEXT_TOKENS = 16384  # of a model whose context length is unknown
CHARACTERS_PER_TOKEN = 2  # of Russian text, at least
PICTURE_TOKENS = 1000  # of a photo of about 800 pixels, at most
MAX_NOTES = 12
CANDIDATES_PER_NOTE = 2  # about half of the candidates only share some letters with the question
MAX_NOTE_LENGTH = 2500  # characters
MAX_NOTES_LENGTH = 9000  # characters, all notes together


class PromptNote(TypedDict):
    """A note as a model gets it."""

    number: int
    created_at: int
    text: str
    transcript: str  # of the speech in it
    files: list[str]  # what is attached: Фото; Файл «Договор.pdf»
    source: str  # of a forward


@dataclass(frozen=True)
class Prompt:
    """Everything to send with a question. Only the length of the conversation depends on the model."""

    question: str
    conversation: list[journal.Turn]  # the latest turn first
    notes: list[PromptNote]  # the notes to answer from; empty unless the question is about the person's notes
    zone: TimeZone
    own_instructions: str  # of the person; "" if there are none
    pictures: tuple[bytes, ...] = ()  # JPEG, as Telegram stores photos

    def messages(self, model: db.Model) -> list[ChatMessage]:
        """Return the messages for a model; the oldest turns are left out if the conversation is too long for it.

        OpenRouterError if the question alone is too long.
        """
        system_prompt = texts.NOTES_PROMPT if self.notes else texts.SYSTEM_PROMPT
        if self.own_instructions:
            system_prompt += "\n" + texts.own_instructions(self.own_instructions)
        messages: list[ChatMessage] = [{"role": "system", "content": system_prompt}]
        if self.notes:
            messages.append({"role": "user", "content": _notes_as_json(self.notes, self.zone)})
        question: ChatMessage = {"role": "user", "content": self._content()}

        room = (_context_tokens(model) - answer_tokens(model)) * CHARACTERS_PER_TOKEN
        room -= sum(len(message["content"]) for message in messages) + len(self.question)
        room -= len(self.pictures) * PICTURE_TOKENS * CHARACTERS_PER_TOKEN
        if room < 0:
            raise OpenRouterError(413, texts.QUESTION_TOO_LONG, ErrorKind.TOO_LONG)
        for turn in reversed(_turns_that_fit(self.conversation, room)):
            messages.append({"role": "user", "content": turn["text"]})
            messages.append({"role": "assistant", "content": turn["answer"]})
        messages.append(question)
        return messages

    def _content(self) -> str | list[Json]:
        """Return the question as a text, or as parts: its text and then its pictures."""
        if not self.pictures:
            return self.question
        urls = [f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}" for picture in self.pictures]
        pictures: list[Json] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return [{"type": "text", "text": self.question}, *pictures]


def answer_tokens(model: db.Model) -> int:
    """Return how many tokens an answer may have: fewer than usual if the model's context is small."""
    return min(openrouter_client.MAX_TOKENS, max_answer_tokens(model))


def max_answer_tokens(model: db.Model) -> int:
    """Return how many tokens an answer may have at most: half of the model's context."""
    return _context_tokens(model) // 2


def _context_tokens(model: db.Model) -> int:
    return model["context_length"] or DEFAULT_CONTEXT_TOKENS


def build_prompt(question: journal.QuestionRow, default_zone: TimeZone) -> Prompt:
    """Collect the conversation and, for a question about the person's notes, the most similar notes."""
    user_id, chat_id = question["user_id"], question["chat_id"]
    zone = db_people.zone_in_chat(user_id, chat_id, default_zone)
    own_instructions = db_people.settings_in_chat(user_id, chat_id)["prompt"] or ""
    conversation = journal.conversation_before(question["id"])
    notes: list[PromptNote] = []
    if question["kind"] == "note_ask":
        # A question such as "And when does it end?" only makes sense together with the questions before it.
        asked = " ".join([question["text"], *(turn["text"] for turn in conversation)])
        notes = _notes_for(user_id, asked)
    return Prompt(question["text"], conversation, notes, zone, own_instructions)


def _notes_for(user_id: int, asked: str) -> list[PromptNote]:
    """Return the notes most similar to a question, shortened to fit into the prompt."""
    candidates = db_search.similar_notes(user_id, search.trigrams(asked), CANDIDATES_PER_NOTE * MAX_NOTES)
    similar = [note for note in candidates if search.is_similar(asked, note["text"] + note["search_extra"])]
    ids = [note["id"] for note in similar[:MAX_NOTES]]
    attachments, sources = db_attachments.attachments_of_notes(ids), db_attachments.sources_of_notes(ids)
    notes: list[PromptNote] = []
    room = MAX_NOTES_LENGTH
    for note in similar[:MAX_NOTES]:
        shown = _prompt_note(note, attachments.get(note["id"], []), sources.get(note["id"]))
        room -= len("".join([shown["text"], shown["transcript"], shown["source"], *shown["files"]]))
        if room < 0:
            break
        notes.append(shown)
    return notes


def _prompt_note(note: FoundNote, attachments: list[Attachment], source: Source | None) -> PromptNote:
    text = texts.shorten(contents.plain_text(note), MAX_NOTE_LENGTH)
    return {
        "number": note["number"],
        "created_at": note["created_at"],
        "text": text,
        "transcript": texts.shorten("\n".join(contents.transcripts(attachments)), MAX_NOTE_LENGTH - len(text)),
        "files": [texts.attachment(attachment) for attachment in attachments],
        "source": source["name"] if source else "",
    }


def _notes_as_json(notes: list[PromptNote], zone: TimeZone) -> str:
    """Quote notes as data, one JSON object a line: no note can end its string and pass for an instruction."""
    lines = []
    for note in notes:
        fields = {"id": note["number"], "date": texts.when(note["created_at"], zone), "text": note["text"]}
        extra = {"transcript": note["transcript"], "files": note["files"], "forwarded_from": note["source"]}
        fields |= {name: value for name, value in extra.items() if value}
        lines.append(json.dumps(fields, ensure_ascii=False))
    return "\n".join(lines)


def _turns_that_fit(conversation: list[journal.Turn], room: int) -> list[journal.Turn]:
    """Return as many of the latest turns as fit into `room` characters."""
    turns = []
    for turn in conversation:
        room -= len(turn["text"]) + len(turn["answer"])
        if room < 0:
            break
        turns.append(turn)
    return turns
