"""Transcripts of the recordings in notes: stored as wanted first, then made on threads of their own.

The recordings of one person are transcribed in order, those of different people in parallel.
"""

from functools import partial

import db_attachments
import journal
import journal_transcriptions
import storage
from llm.speech import SpeechError, SpeechToText
from notes import contents, transcripts
from telegram.keyed_executor import KeyedExecutor
from telegram.outbox import Outbox
from telegram.replies import Reply, Transcription

MAX_THREADS = 4  # each may hold a recording of 20 MB in memory


class Transcriptions:
    """Transcribes the recordings that wait, and sends the transcripts."""

    def __init__(self, speech: SpeechToText, outbox: Outbox) -> None:
        self._speech = speech
        self._outbox = outbox
        self._executor: KeyedExecutor[int] = KeyedExecutor("transcriptions", self._transcribe_next, MAX_THREADS)

    def start(self) -> None:
        """Transcribe what an earlier run left."""
        for user_id in journal_transcriptions.users_with_transcriptions():
            self._executor.wake(user_id)

    def stop(self) -> None:
        """Begin no more transcripts. The next run makes those that are not stored."""
        self._executor.stop(grace_s=0, linger_s=0)

    def add(self, transcription: Transcription, user_id: int, chat_id: int, thread_id: int | None) -> None:
        """Store what is to be transcribed once the current transaction is committed."""
        for attachment_id in transcription.attachment_ids:
            journal_transcriptions.add_transcription(
                attachment_id,
                user_id=user_id,
                chat_id=chat_id,
                message_id=transcription.message_id,
                thread_id=thread_id,
            )
        storage.on_commit(partial(self._executor.wake, user_id))

    def _transcribe_next(self, user_id: int) -> float | None:
        """Transcribe the next recording of a person; return when to go on, None if none waits."""
        row = journal_transcriptions.next_transcription(user_id)
        attachment = db_attachments.get_attachment(row["attachment_id"]) if row else None
        if attachment is None:
            return None
        try:
            completion, ledger_row = self._speech.transcribe(user_id, contents.sent_attachment(attachment))
        except SpeechError as error:
            if error.retry_after_s is not None:
                return error.retry_after_s
            with storage.transaction():
                self._finish(attachment["id"], Reply(str(error)))
            return 0.0
        with storage.transaction():
            journal.add_llm_request(ledger_row)
            self._finish(attachment["id"], transcripts.store(attachment["id"], user_id, completion.text))
        return 0.0

    def _finish(self, attachment_id: int, reply: Reply | None) -> None:
        row = journal_transcriptions.finish_transcription(attachment_id)
        if row is not None and reply is not None:  # another copy of the bot may have been faster
            self._outbox.put(row["chat_id"], reply, row["message_id"] or None, row["thread_id"])
