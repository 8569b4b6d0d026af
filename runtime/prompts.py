"""What a model is given to read: the rules, the talk so far, a person's notes, the question."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import db
import openrouter_client
import texts
from openrouter_client import Message, OpenRouterError
from runtime import search

CONTEXT_TOKENS = 16384  # of a model that does not tell
CHARACTERS_A_TOKEN = 2  # of Russian, at the least
NOTES_MOST, LOOKED_AT = 12, 2  # of every two that share letters with the question one may be given
NOTES_ROOM = 9000  # characters of all notes together …
NOTE_ROOM = 2500  # … and of one


@dataclass(frozen=True)
class Prompt:
    """What is to be asked, the same for every model but for its length."""

    question: str
    before: list[db.Row]  # the talk, the latest first
    notes: list[db.Row] = field(default_factory=list)  # what the question is to be answered from

    def messages(self, model: db.Row) -> list[Message]:
        """Return the prompt as a model takes it: of a talk too long for it, the oldest turns are left out."""
        rules = texts.NOTES_PROMPT if self.notes else texts.SYSTEM_PROMPT
        given = [_quoted(self.notes)] if self.notes else []
        tokens = (model["context_length"] or CONTEXT_TOKENS) - openrouter_client.MAX_TOKENS
        room = tokens * CHARACTERS_A_TOKEN - sum(map(len, (rules, *given, self.question)))
        if room < 0:
            raise OpenRouterError(413, texts.QUESTION_TOO_LONG)
        messages = [_message("system", rules), *(_message("user", notes) for notes in given)]
        for turn in reversed(list(_turns_that_fit(self.before, room))):
            messages += [_message("user", turn["text"]), _message("assistant", turn["answer"])]
        return [*messages, _message("user", self.question)]


def for_question(question: db.Row) -> Prompt:
    """Gather what a question is asked with; a question to one's notes brings the nearest of them."""
    before = db.talk_before(question["id"])
    if question["kind"] != "note_ask":
        return Prompt(question["text"], before)
    # «А когда он закончится?» is about what was asked before.
    asked = " ".join([question["text"], *(turn["text"] for turn in before)])
    similar = db.similar_notes(question["user_id"], search.trigrams(asked), LOOKED_AT * NOTES_MOST)
    near = [note for note in similar if search.is_near(asked, note["text"])]
    return Prompt(question["text"], before, list(_notes_that_fit(near[:NOTES_MOST])))


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _quoted(notes: list[db.Row]) -> str:
    """Quote notes as data: within a string of JSON no note can end it and begin to speak for itself."""
    return "\n".join(
        json.dumps({"id": n["id"], "date": texts.when(n["created_at"]), "text": n["text"]}, ensure_ascii=False)
        for n in notes
    )


def _notes_that_fit(nearest_first: list[db.Row]) -> Iterator[db.Row]:
    room = NOTES_ROOM
    for note in nearest_first:
        text = note["text"] if len(note["text"]) <= NOTE_ROOM else note["text"][:NOTE_ROOM] + texts.ELLIPSIS
        room -= len(text)
        if room < 0:
            return
        yield {**note, "text": text}


def _turns_that_fit(latest_first: list[db.Row], room: int) -> Iterator[db.Row]:
    for turn in latest_first:
        room -= len(turn["text"]) + len(turn["answer"])
        if room < 0:
            return
        yield turn
