"""Questions that are spoken: the words of the recording become the question before a model gets it."""

import json

import journal
import storage
import texts
from journal import QuestionRow
from llm.speech import SpeechError, SpeechToText
from telegram.messages import Attachment

MAX_FAILURES = 3  # the person waits, and so do the next questions


def is_unheard(question: QuestionRow) -> bool:
    """Return whether a question still waits for the words of its recording."""
    return question["speech"] not in (None, journal.HEARD)


def hear(speech: SpeechToText, question: QuestionRow) -> None:
    """Add what is said in the recording to the text of a question; SpeechError if that fails."""
    recording = Attachment(**json.loads(question["speech"] or "{}"))
    completion, ledger_row = speech.transcribe(question["user_id"], recording, MAX_FAILURES)
    text = "\n\n".join(filter(None, [question["text"], completion.text]))
    with storage.transaction():
        journal.add_llm_request(ledger_row)
        if text:
            journal.set_heard(question["id"], text)
    if not text:
        raise SpeechError(texts.NOBODY_SPEAKS)
