"""Updates come in: fetched, handled in one transaction, confirmed only after the commit.

Telegram sends an update again until a getUpdates with a higher offset confirms it. So a crash at any instant
costs nothing: what was not committed comes again, and what was committed is known by its id.
"""

import logging
import re
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from telebot.types import Update

import db
import texts
from config import SetupError
from runtime.access import Refused
from runtime.answers import Answers, Question
from runtime.catalogue import OLD_S, Catalogue
from runtime.outbox import Outbox, Reply, backoff_s, edit_call
from runtime.router import Router, Said
from runtime.telegram import Telegram, TelegramError, Unreadable

log = logging.getLogger(__name__)

ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "stopped_message_generation"]
BATCH = 100  # updates, the most that Telegram gives
LONG_POLL_S = 25
CONFIRM_TIMEOUT_S = 2.0
FORGET_EVERY_S = 3600.0
# Of an answer to getUpdates, in its one place: a wrong id would confirm what nobody has seen.
FIRST_ID = re.compile(
    rb'\s*\{\s*"ok"\s*:\s*true\s*,\s*"result"\s*:\s*\[\s*\{\s*"update_id"\s*:\s*([0-9]{1,18})\s*[,}]'
)


class Polling:
    """Fetches updates on a thread of its own until stop()."""

    def __init__(
        self,
        telegram: Telegram,
        router: Router,
        outbox: Outbox,
        answers: Answers,
        catalogue: Catalogue,
        on_failure: Callable[[], None],
    ) -> None:
        self._telegram = telegram
        self._router = router
        self._outbox = outbox
        self._answers = answers
        self._catalogue = catalogue
        self._on_failure = on_failure
        self.failure: SetupError | None = None  # why polling ended by itself
        self._offset: int | None = None  # set while handled updates wait to be confirmed
        self._limit = BATCH
        self._suspect: int | None = None  # the update that alone made an answer unreadable
        self._stopping = threading.Event()
        self._batch = threading.Lock()  # held while a batch is handled
        self._forget_at = 0.0

    def start(self) -> None:
        """Begin to poll."""
        threading.Thread(target=self._run, name="polling", daemon=True).start()

    def stop(self) -> None:
        """Finish the batch under way, confirm it, fetch no more.

        A poll that hangs is left alone: what it may still bring is not handled, so it is not confirmed either.
        """
        self._stopping.set()
        with self._batch:
            if self._offset is not None:
                try:
                    self._get_updates(limit=1, wait_s=0, timeout_s=CONFIRM_TIMEOUT_S)
                except TelegramError as error:
                    log.info("the last batch is not confirmed, it will be recognised: %s", error)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                updates = self._fetch()
                with self._batch:
                    if self._stopping.is_set():
                        return
                    self._handle_batch(updates)
                failures = 0
            except Exception as error:
                if isinstance(error, TelegramError) and error.refuses_token:
                    self.failure = SetupError(texts.TOKEN_REFUSED)
                    self._on_failure()
                    return
                failures += 1
                self._stopping.wait(_explain(error) or backoff_s(failures))
        db.close_thread()

    def _fetch(self) -> Any:
        """Fetch the next updates: one alone while they cannot be read, so that only that one is skipped."""
        try:
            updates = self._get_updates(limit=self._limit, wait_s=LONG_POLL_S, timeout_s=LONG_POLL_S + 10)
        except Unreadable as error:
            was_alone, self._limit = self._limit == 1, 1
            found = FIRST_ID.match(error.raw)
            update_id = int(found[1]) if found and was_alone else None
            suspect, self._suspect = self._suspect, update_id
            if update_id is None or update_id != suspect:  # if it was garbled on the way, it comes better now
                raise
            log.error("update %d cannot be read, it is skipped", update_id)
            updates = [{"update_id": update_id}]
        self._limit = BATCH
        return updates

    def _get_updates(self, limit: int, wait_s: int, timeout_s: float) -> Any:
        """Fetch updates. Once they are confirmed no offset is sent: ids may start anew below any old one."""
        params = {"limit": limit, "timeout": wait_s, "allowed_updates": ALLOWED_UPDATES}
        if self._offset is not None:
            params["offset"] = self._offset
        updates = self._telegram.call("getUpdates", params, timeout_s=timeout_s)
        self._offset = None
        return updates

    def _handle_batch(self, updates: Any) -> None:
        """Handle a batch in one transaction; then, and only then, move the offset."""
        by_id = _by_id(updates)
        if not by_id:
            return
        with db.transaction():
            new = sorted(db.unhandled(by_id))
            for update_id in new:
                self._handle(by_id[update_id])
            db.mark_handled(new)
            if time.monotonic() >= self._forget_at:
                db.forget_the_old()
                self._forget_at = time.monotonic() + FORGET_EVERY_S
        self._offset = max(by_id) + 1

    def _handle(self, raw: dict[str, Any]) -> None:
        """Handle one update; if its handler fails, undo what it wrote and say so, and let the rest go on."""
        try:
            update: Any = Update.de_json(_slim(raw))  # type: ignore[no-untyped-call]
            _check_numbers(update)
        except Exception:
            log.exception("update %s cannot be read, it is skipped", raw["update_id"])
            return
        try:
            with db.transaction():
                self._dispatch(update)
        except (Refused, db.NotesFull) as refusal:
            self._refuse(update, str(refusal))
        except Exception as error:
            if db.is_unavailable(error):
                raise
            log.exception("update %s failed", raw["update_id"])
            chat_id = _chat_id(update)
            if chat_id is not None:
                self._outbox.put(chat_id, Reply(texts.FAILED))

    def _dispatch(self, update: Any) -> None:
        if update.message:
            self._say(update.message, self._router.answer(update.message))
        elif update.edited_message:
            self._say(update.edited_message, self._router.answer_edit(update.edited_message))
        elif update.callback_query:
            self._tapped(update.callback_query)
        elif update.stopped_message_generation:
            stopped = update.stopped_message_generation
            self._answers.stop_question(stopped.chat.id, stopped.draft_id)

    def _refuse(self, update: Any, why: str) -> None:
        if query := update.callback_query:
            alert = {"callback_query_id": query.id, "text": why, "show_alert": True}
            self._outbox.put_calls(_chat_id_of_tap(query), [("answerCallbackQuery", alert)])
        else:
            self._say(update.message or update.edited_message, why)

    def _say(self, message: Any, said: Said) -> None:
        if isinstance(said, Question):
            self._ask(said, message.from_user.id, message, message.date)
        elif said is not None:
            reply = Reply(said) if isinstance(said, str) else said
            if reply.is_list_of_models:
                db.on_commit(partial(self._catalogue.refresh, OLD_S))
            in_group = message.chat.type != "private"
            self._outbox.put(message.chat.id, reply, reply_to=message.message_id if in_group else None)

    def _tapped(self, query: Any) -> None:
        tapped = self._router.tapped(query)
        if tapped.question:
            self._ask(tapped.question, query.from_user.id, query.message, int(time.time()))
        calls: list[db.Call] = [("answerCallbackQuery", {"callback_query_id": query.id, "text": tapped.toast})]
        if tapped.edit:
            calls.append(edit_call(query.message.chat.id, query.message.message_id, tapped.edit))
        self._outbox.put_calls(_chat_id_of_tap(query), calls)

    def _ask(self, question: Question, user_id: int, message: Any, asked_at: int) -> None:
        is_private = message.chat.type == "private"
        self._answers.ask(question, user_id, message.chat.id, message.message_id, asked_at, is_private=is_private)


def _by_id(updates: Any) -> dict[int, dict[str, Any]]:
    """Return updates by their ids. Those without one are dropped; the next one's id confirms them too."""
    entries = updates if isinstance(updates, list) else [updates]
    good = [entry for entry in entries if isinstance(entry, dict) and _is_id(entry.get("update_id"))]
    if len(good) < len(entries):
        log.error("%d of %d updates have no id, they are dropped", len(entries) - len(good), len(entries))
    if entries and not good:
        raise TelegramError(502, "no update has an id")
    return {update["update_id"]: update for update in good}


def _is_id(value: Any) -> bool:
    # A negative offset would have Telegram forget what waits; and SQLite holds no more than 64 bits.
    return type(value) is int and 0 <= value < 2**63


REFERENCES = (
    ("message", "reply_to_message"),
    ("edited_message", "reply_to_message"),
    ("callback_query", "message"),
)
OF_OLD_MESSAGES = ("message_id", "date", "chat", "from")
OF_A_STOP = ("chat", "draft_id")


def _slim(raw: dict[str, Any]) -> dict[str, Any]:
    """Leave of what an update refers to only what is needed to know it.

    The library reads strictly: a new field in an old message, or beside a Stop, would cost us the whole update.
    """
    for kind, reference in REFERENCES:
        holder = raw.get(kind)
        if isinstance(holder, dict) and isinstance(holder.get(reference), dict):
            raw = {**raw, kind: {**holder, reference: _only(OF_OLD_MESSAGES, holder[reference])}}
    stopped = raw.get("stopped_message_generation")
    return {**raw, "stopped_message_generation": _only(OF_A_STOP, stopped)} if isinstance(stopped, dict) else raw


def _only(names: tuple[str, ...], whole: dict[str, Any]) -> dict[str, Any]:
    return {name: whole[name] for name in names if name in whole}


def _check_numbers(update: Any) -> None:
    """Raise ValueError for numbers that SQLite, or a calendar, does not hold."""
    query, ids = update.callback_query, []
    message = update.message or update.edited_message or (query and query.message)
    if sender := (query or message) and (query or message).from_user:
        ids.append(sender.id)
    if message:
        ids += [message.chat.id, message.message_id]
    if not all(type(number) is int and abs(number) < 2**63 for number in ids):
        raise ValueError("not an id")
    if message and not (type(message.date) is int and 0 <= message.date < 2**32):
        raise ValueError("not a date")


def _chat_id(update: Any) -> int | None:
    """Find out where to say that an update failed."""
    if message := update.message or update.edited_message:
        return int(message.chat.id)
    return _chat_id_of_tap(update.callback_query) if update.callback_query else None


def _chat_id_of_tap(query: Any) -> int:
    return int(query.message.chat.id if query.message else query.from_user.id)


def _explain(error: Exception) -> float | None:
    """Log why polling failed; return in how many seconds to go on, if the error tells."""
    if isinstance(error, TelegramError):
        if error.status == 409:
            log.error("another copy of this bot is polling: stop one of them (%s)", error)
        else:
            log.warning("getUpdates failed: %s", error)
        return error.retry_after
    if db.is_unavailable(error):
        log.error("the database is unavailable, updates wait at Telegram: %s", error)
    else:
        log.error("polling failed", exc_info=error)
    return None
