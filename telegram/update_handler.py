"""Handle one update: call its handler, and store what the handler returns."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import clock
import journal
import storage
import texts
from journal import Call
from telegram.calls import callback_answer, edit_buttons_call, edit_call, reaction_call
from telegram.dispatcher import Dispatcher
from telegram.messages import CallbackQuery, Message
from telegram.outbox import Outbox
from telegram.replies import AccessDenied, HandlerResult, Job, Question, Reaction, Reply, Transcription
from telegram.updates import OrphanedQuery, Update

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """The functions that store what other parts of the bot do later, in the transaction of the update."""

    # (question, *, user_id, chat_id, thread_id, message_id, asked_at, is_private)
    on_question: Callable[..., None]
    on_stop_request: Callable[[int, int], None]  # (chat_id, question_id)
    on_job: Callable[..., None]  # (job, *, user_id, chat_id, thread_id, reply_to)
    on_transcription: Callable[..., None]  # (transcription, user_id, chat_id, thread_id)
    on_chat_migrated: Callable[[int, int], None] = journal.move_chat  # (old_chat_id, new_chat_id)


class UpdateHandler:
    """Handles updates inside the transaction of their batch.

    `refusals` are the exceptions of handlers and callbacks whose str() is a sentence for the person.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        outbox: Outbox,
        callbacks: Callbacks,
        refusals: tuple[type[Exception], ...] = (AccessDenied,),
    ) -> None:
        self._dispatcher = dispatcher
        self._outbox = outbox
        self._callbacks = callbacks
        self._refusals = refusals

    def handle(self, update: Update) -> None:
        """Handle one update. If that fails, undo its changes, tell the person, and go on with the batch."""
        try:
            with storage.transaction():
                self._dispatch(update)
        except self._refusals as refusal:
            self._put_refusal(update, str(refusal))
        except Exception as error:
            if storage.is_unavailable(error):
                raise
            log.exception("update %s failed", update.update_id)
            if update.callback_query:
                self._put_refusal(update, texts.FAILED)
            elif update.chat_id is not None:
                self._outbox.put(update.chat_id, Reply(texts.FAILED), thread_id=update.thread_id)

    def _dispatch(self, update: Update) -> None:
        if update.message:
            self._put_result(update.message, self._dispatcher.handle_message(update.message))
        elif update.edited_message:
            self._put_result(update.edited_message, self._dispatcher.handle_edited_message(update.edited_message))
        elif update.callback_query:
            self._handle_button(update.callback_query)
        elif update.orphaned_query:
            self._answer_orphaned_query(update.orphaned_query)
        elif update.stop_request:
            self._callbacks.on_stop_request(update.stop_request.chat_id, update.stop_request.draft_id)
        elif update.chat_migration:
            self._callbacks.on_chat_migrated(update.chat_migration.old_chat_id, update.chat_migration.new_chat_id)

    def _put_result(self, message: Message, result: HandlerResult) -> None:
        """Store what a handler returned."""
        reply_to = None if message.is_private else message.message_id
        if isinstance(result, Question):
            self._ask(result, message, message.sent_at)
        elif isinstance(result, Job):
            self._add_job(result, message, reply_to)
        elif isinstance(result, Reaction):
            self._outbox.put_calls(message.chat_id, [reaction_call(message.chat_id, message.message_id, result)])
        elif isinstance(result, Transcription):
            self._put_result(message, result.reply)
            self._callbacks.on_transcription(result, message.user_id, message.chat_id, message.thread_id)
        elif result is not None:
            reply = Reply(result) if isinstance(result, str) else result
            self._outbox.put(message.chat_id, reply, reply_to, message.thread_id)

    def _handle_button(self, query: CallbackQuery) -> None:
        result = self._dispatcher.handle_button(query)
        if result.question:
            self._ask(result.question, query, clock.now())
        if result.job:
            self._add_job(result.job, query)
        calls: list[Call] = [callback_answer(query.query_id, result.toast)]
        if result.edit:
            calls.append(edit_call(query.chat_id, query.message_id, result.edit))
            journal.set_note_of_message(query.chat_id, query.message_id, result.edit.note_id)
        if result.buttons is not None:
            calls.append(edit_buttons_call(query.chat_id, query.message_id, result.buttons))
        self._outbox.put_calls(query.chat_id, calls)

    def _answer_orphaned_query(self, query: OrphanedQuery) -> None:
        """Answer a tap that has no effect: until then, the person's client shows a progress bar."""
        self._outbox.put_calls(query.user_id, [callback_answer(query.query_id, "")])

    def _add_job(self, job: Job, source: Message | CallbackQuery, reply_to: int | None = None) -> None:
        self._callbacks.on_job(
            job, user_id=source.user_id, chat_id=source.chat_id, thread_id=source.thread_id, reply_to=reply_to
        )

    def _ask(self, question: Question, source: Message | CallbackQuery, asked_at: int) -> None:
        self._callbacks.on_question(
            question,
            user_id=source.user_id,
            chat_id=source.chat_id,
            thread_id=source.thread_id,
            message_id=source.message_id,
            asked_at=asked_at,
            is_private=source.is_private,
        )

    def _put_refusal(self, update: Update, reason: str) -> None:
        """Tell the person why they may not do this: in an alert after a tap, else in a reply."""
        message = update.message or update.edited_message
        if message:
            self._put_result(message, reason)
        elif update.callback_query:
            query = update.callback_query
            self._outbox.put_calls(query.chat_id, [callback_answer(query.query_id, reason, is_alert=True)])
