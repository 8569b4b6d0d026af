"""Prompts: the messages that a model gets, with the conversation so far and with notes."""

import json
from dataclasses import dataclass

import db
import db_people
import db_search
import journal
import openrouter_client
import texts
from clock import TimeZone
from db_search import FoundNote
from notes import contents, search
from openrouter_client import ChatMessage, ErrorKind, OpenRouterError

DEFAULT_CONTEXT_TOKENS = 16384  # of a model whose context length is unknown
CHARACTERS_PER_TOKEN = 2  # of Russian text, at least
MAX_NOTES = 12
CANDIDATES_PER_NOTE = 2  # about half of the candidates only share some letters with the question
MAX_NOTE_LENGTH = 2500  # characters
MAX_NOTES_LENGTH = 9000  # characters, all notes together


@dataclass(frozen=True)
class Prompt:
    """Everything to send with a question. Only the length of the conversation depends on the model."""

    question: str
    conversation: list[journal.Turn]  # the latest turn first
    notes: list[FoundNote]  # the notes to answer from; empty unless the question is about the person's notes
    zone: TimeZone
    own_instructions: str  # of the person; "" if there are none

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
        question: ChatMessage = {"role": "user", "content": self.question}

        room = (_context_tokens(model) - answer_tokens(model)) * CHARACTERS_PER_TOKEN
        room -= sum(len(message["content"]) for message in [*messages, question])
        if room < 0:
            raise OpenRouterError(413, texts.QUESTION_TOO_LONG, ErrorKind.TOO_LONG)
        for turn in reversed(_turns_that_fit(self.conversation, room)):
            messages.append({"role": "user", "content": turn["text"]})
            messages.append({"role": "assistant", "content": turn["answer"]})
        messages.append(question)
        return messages


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
    notes: list[FoundNote] = []
    if question["kind"] == "note_ask":
        # A question such as "And when does it end?" only makes sense together with the questions before it.
        asked = " ".join([question["text"], *(turn["text"] for turn in conversation)])
        notes = _notes_for(question["user_id"], asked)
    return Prompt(question["text"], conversation, notes, zone, own_instructions)


def _notes_for(user_id: int, asked: str) -> list[FoundNote]:
    """Return the notes most similar to a question, shortened to fit into the prompt."""
    candidates = db_search.similar_notes(user_id, search.trigrams(asked), CANDIDATES_PER_NOTE * MAX_NOTES)
    similar = [note for note in candidates if search.is_similar(asked, note["text"] + note["search_extra"])]
    notes: list[FoundNote] = []
    room = MAX_NOTES_LENGTH
    for note in similar[:MAX_NOTES]:
        text = contents.plain_text(note)
        if len(text) > MAX_NOTE_LENGTH:
            text = text[:MAX_NOTE_LENGTH] + texts.ELLIPSIS
        room -= len(text)
        if room < 0:
            break
        notes.append({**note, "text": text})
    return notes


def _notes_as_json(notes: list[FoundNote], zone: TimeZone) -> str:
    """Quote notes as data, one JSON object a line: no note can end its string and pass for an instruction."""
    lines = []
    for note in notes:
        fields = {"id": note["number"], "date": texts.when(note["created_at"], zone), "text": note["text"]}
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
