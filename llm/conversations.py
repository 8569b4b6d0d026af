"""Conversations with a model: new questions, those that continue an earlier one, and those asked again."""

import json
from dataclasses import replace

import db
import journal
import texts
from journal import QuestionRow
from notes import contents, long_messages, transcripts
from telegram.messages import CallbackQuery, Message
from telegram.replies import ButtonResult, HandlerResult, Question, UsageError

PARTS_WAIT_S = 1.0  # the messages of an album or a long text may arrive in several batches


def question_in(message: Message, text: str) -> Question:
    """Return the question that a message is: its text, its pictures, its recording."""
    return Question(
        text,
        pictures=contents.pictures(message.attachments),
        speech=transcripts.speech_of(message),
    )


def begin(message: Message, question: Question) -> HandlerResult:
    """Return a question that continues no other; UsageError if it is empty."""
    if not question.text and question.speech is None:
        raise UsageError
    return _with_further_parts(message, question) if db.list_models() else texts.NO_MODELS


def replied_question(message: Message) -> QuestionRow | None:
    """Return the question whose answer a message replies to."""
    if message.replied_to_message_id is None:
        return None
    return journal.question_answered_by(message.chat_id, message.replied_to_message_id)


def own_answered_question(message: Message) -> QuestionRow | None:
    """Return the question of the same person whose answer a message replies to."""
    question = replied_question(message)
    return question if question is not None and question["user_id"] == message.user_id else None


def latest_in_topic(message: Message) -> QuestionRow | None:
    """Return the latest question in the topic of a message: each topic of a private chat is a conversation."""
    if not message.is_private or message.thread_id is None:
        return None
    return journal.latest_question_in_topic(message.user_id, message.chat_id, message.thread_id)


def follow_up(message: Message, question: Question, previous: QuestionRow) -> HandlerResult:
    """Return a question that continues an earlier one; it is about the same pictures unless it brings others."""
    if previous["user_id"] != message.user_id:
        return texts.NOT_YOUR_CONVERSATION
    kind = "note_ask" if previous["kind"] == "note_ask" else "ask"
    pictures = question.pictures or tuple(json.loads(previous["pictures"]))
    question = replace(question, parent_id=previous["id"], kind=kind, pictures=pictures)
    return _with_further_parts(message, question)


def add_picture(message: Message) -> None:
    """Add the photo in a further message of an album to the question in the caption of the album."""
    question = journal.question_of_album(message.user_id, message.chat_id, message.media_group_id)
    if question is None:
        return
    before = json.loads(question["pictures"])
    if before:  # other questions are about their words only
        together = [*before, *contents.pictures(message.attachments)]
        journal.set_pictures(question["id"], json.dumps(together[: contents.MAX_PICTURES]))


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


def _with_further_parts(message: Message, question: Question) -> Question:
    """Return the question; if its message may be the first of several, it waits for the others."""
    long_messages.start(message, message.formatted(question.text))
    has_more = message.media_group_id or long_messages.may_go_on(message)
    return replace(question, delay_s=PARTS_WAIT_S) if has_more else question
