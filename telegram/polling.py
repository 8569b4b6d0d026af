"""Fetch updates, handle each batch in one transaction, and confirm it only after the commit.

Telegram repeats an update until a getUpdates call with a higher offset confirms it. So a crash at any moment loses
nothing: an update that was not committed arrives again, and one that was committed is recognized by its id.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

import journal
import storage
import texts
from config import Settings, SetupError
from telegram.albums import albums_in_order
from telegram.fence import Fence
from telegram.heartbeat import Heartbeat
from telegram.polling_failures import log_failure
from telegram.transport import Telegram, TelegramError, UnreadableResponse, backoff_s
from telegram.updates import (
    ALLOWED_UPDATES,
    RawUpdate,
    Update,
    first_update_id,
    parse_update,
    updates_by_id,
)

log = logging.getLogger(__name__)

MAX_BATCH = 100  # updates; Telegram returns no more
LONG_POLL_S = 25
CONFIRM_TIMEOUT_S = 2.0
TOKEN_CHECK_S = 3.0  # a refused token ends the bot only if it is refused again after this time


class Polling:
    """Fetches updates on its own thread until stop().

    handle(update) handles an update inside the transaction of its batch. on_failure() runs when polling ends by
    itself; `failure` then says why.
    """

    def __init__(
        self,
        telegram: Telegram,
        handle: Callable[[Update], None],
        *,
        settings: Settings,
        on_failure: Callable[[], None],
    ) -> None:
        self._telegram = telegram
        self._handle = handle
        self._settings = settings
        self._on_failure = on_failure
        self._fence = Fence(telegram)
        self.heartbeat = Heartbeat()
        self.failure: Exception | None = None  # why polling has ended by itself
        self._offset: int | None = None  # set while handled updates are not confirmed
        self._batch_limit = MAX_BATCH
        self._suspect_id: int | None = None  # the only update of the last response, if it was unreadable
        self._stopping = threading.Event()
        self._batch_lock = threading.Lock()  # held while a batch is handled

    def start(self) -> None:
        """Start the polling thread."""
        threading.Thread(target=self._run, name="polling", daemon=True).start()

    def stop(self) -> None:
        """Finish and confirm the current batch, and fetch no more.

        A waiting getUpdates call is abandoned: the updates it may still return are neither handled nor confirmed.
        """
        self._stopping.set()
        with self._batch_lock:
            if self._offset is not None:
                try:
                    self._get_updates(limit=1, wait_s=0, timeout_s=CONFIRM_TIMEOUT_S)
                except TelegramError as error:
                    log.info("the last batch is not confirmed; the next run will recognize it: %s", error)

    def _run(self) -> None:
        try:
            self._poll_until_stopped()
        except Exception as error:
            if not isinstance(error, SetupError):
                log.critical("polling ends", exc_info=error)
            self.failure = error
            self._on_failure()
        storage.close_thread()

    def _poll_until_stopped(self) -> None:
        """Poll, and try again after failures; SetupError if Telegram refuses the token twice in a row."""
        failures = refusals = 0
        while not self._stopping.is_set():
            try:
                self._poll()
                failures = refusals = 0
            except SetupError:
                raise
            except Exception as error:
                if self._stopping.is_set():  # stop() has ended this call by one of its own
                    break
                log_failure(error)
                if isinstance(error, storage.DatabaseReplaced):
                    raise
                if isinstance(error, TelegramError) and error.rejects_token:
                    refusals += 1
                    if refusals == 2:
                        raise SetupError(texts.TOKEN_REFUSED) from error
                    self._pause(TOKEN_CHECK_S)
                    continue
                failures, refusals = failures + 1, 0
                retry_after = error.retry_after if isinstance(error, TelegramError) else None
                self._pause(retry_after or backoff_s(failures))

    def _pause(self, seconds: float) -> None:
        self.heartbeat.begin_step(seconds)
        self._stopping.wait(seconds)

    def _poll(self) -> None:
        raw_updates = self._fetch()
        if not self._fence.may_handle(self._pause):
            return
        with self._batch_lock:
            if not self._stopping.is_set():
                self._handle_batch(raw_updates)

    # Fetching

    def _fetch(self) -> Any:
        """Fetch a batch, or a single update after an unreadable response, so that only that one is skipped."""
        try:
            raw_updates = self._get_updates(self._batch_limit, LONG_POLL_S, timeout_s=LONG_POLL_S + 10)
        except UnreadableResponse as error:
            was_single = self._batch_limit == 1
            self._batch_limit = 1
            update_id = first_update_id(error.body) if was_single else None
            is_second_time = update_id is not None and update_id == self._suspect_id
            self._suspect_id = update_id
            if not is_second_time:  # a response that was damaged on its way is readable the next time
                raise
            log.error("update %s cannot be read and is skipped", update_id)
            raw_updates = [{"update_id": update_id}]
        self._batch_limit = MAX_BATCH
        return raw_updates

    def _get_updates(self, limit: int, wait_s: int, timeout_s: float) -> Any:
        """Call getUpdates, which also confirms what was handled.

        Without unconfirmed updates no offset is sent: after a week of silence Telegram may restart with lower ids.
        """
        params: dict[str, Any] = {"limit": limit, "timeout": wait_s, "allowed_updates": ALLOWED_UPDATES}
        if self._offset is not None:
            params["offset"] = self._offset
        self.heartbeat.begin_step(timeout_s)
        raw_updates = self._telegram.call("getUpdates", params, timeout_s=timeout_s)
        self.heartbeat.record_fetch()
        self._offset = None
        return raw_updates

    # Handling

    def _handle_batch(self, raw_updates: Any) -> None:
        """Handle the new updates of a batch in one transaction, and move the offset after its commit."""
        by_id = updates_by_id(raw_updates)
        if not by_id:
            return
        with storage.transaction():
            new_ids = sorted(journal.unhandled_updates(by_id))
            updates = [update for update_id in new_ids if (update := self._parse(by_id[update_id]))]
            for update in albums_in_order(updates):
                self._handle(update)
            journal.mark_updates_handled(new_ids)
        self._offset = max(by_id) + 1
        self.heartbeat.updates += len(new_ids)

    def _parse(self, raw_update: RawUpdate) -> Update | None:
        """Return an update; None if it is unreadable."""
        try:
            return parse_update(raw_update, self._settings)
        except Exception:
            log.exception("update %s cannot be read and is skipped", raw_update["update_id"])
            return None
