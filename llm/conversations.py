"""Conversations with a model: new questions, those that continue an earlier one, and those asked again."""

import json
from collections.abc import Sequence

import db
import journal
import texts
from journal import QuestionRow
from notes import contents, transcripts
from telegram.messages import Attachment, CallbackQuery, Message
from telegram.replies import ButtonResult, HandlerResult, Question, UsageError


def new_question(
    text: str, kind: str, pictures: Sequence[str] = (), speech: Attachment | None = None
) -> HandlerResult:
    """Return a question that continues no other; UsageError if it is empty."""
    if not text and speech is None:
        raise UsageError
    if not db.list_models():
        return texts.NO_MODELS
    return Question(text, kind=kind, pictures=pictures, speech=speech)


def replied_question(message: Message) -> QuestionRow | None:
    """Return the question whose answer a message replies to."""
    if message.replied_to_message_id is None:
        return None
    return journal.question_answered_by(message.chat_id, message.replied_to_message_id)


def latest_in_topic(message: Message) -> QuestionRow | None:
    """Return the latest question in the topic of a message: each topic of a private chat is a conversation."""
    if not message.is_private or message.thread_id is None:
        return None
    return journal.latest_question_in_topic(message.user_id, message.chat_id, message.thread_id)


def follow_up(message: Message, text: str, previous: QuestionRow, pictures: Sequence[str] = ()) -> HandlerResult:
    """Return a question that continues an earlier one; it is about the same pictures unless it brings others."""
    if previous["user_id"] != message.user_id:
        return texts.NOT_YOUR_CONVERSATION
    kind = "note_ask" if previous["kind"] == "note_ask" else "ask"
    pictures = pictures or contents.pictures(message.attachments) or tuple(json.loads(previous["pictures"]))
    speech = transcripts.speech_of(message)
    return Question(text, parent_id=previous["id"], kind=kind, pictures=pictures, speech=speech)


def ask_again(query: CallbackQuery, question_id: int) -> ButtonResult:
    """Ask the active model the same question again."""
    question = journal.get_question(query.chat_id, question_id)
    if question is None:
        return ButtonResult(texts.ANSWER_UNAVAILABLE)
    is_own = question["user_id"] == query.user_id
    parent_id = question["parent_id"] if is_own else None
    kind = "ask" if question["kind"] == "compare" else question["kind"]
    pictures = tuple(json.loads(question["pictures"]))
    again = Question(question["text"], parent_id, kind, is_repeat=True, pictures=pictures)
    return ButtonResult(texts.ASKED_AGAIN, again)
