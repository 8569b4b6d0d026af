"""The life of the bot: start every part, wait for a signal, and stop every part within ten seconds."""

import logging
import math
import queue
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import clock
import config
import db
import db_reminders
import journal
import storage
from app import logs
from app.cleaner import Cleaner
from app.health import Health, HealthServer
from app.jobs import JobHandlers, JobRunner
from app.reminder_clock import ReminderClock
from app.systemd import Watchdog
from config import Settings, SetupError
from llm.answers import Answers
from llm.catalog import Catalog
from llm.speech import SpeechToText
from llm.transcriptions import Transcriptions
from telegram.dispatcher import Dispatcher
from telegram.fence import Fence
from telegram.outbox import Outbox
from telegram.pacing import Limits
from telegram.polling import TOKEN_CHECK_S, Polling
from telegram.replies import AccessDenied
from telegram.router import Router
from telegram.transport import BotUser, Telegram, TelegramError, backoff_s, get_me
from telegram.update_handler import Callbacks, UpdateHandler

log = logging.getLogger(__name__)

# At the stop: confirming the last batch takes up to 2 s, and these up to 7 s.
JOBS_LINGER_S = 3.0  # for running jobs
REMINDERS_LINGER_S = 0.5  # for the current transaction
OUTBOX_GRACE_S = 1.0  # for replies that are due
OUTBOX_LINGER_S = 3.0  # for running calls


class StopSignal:
    """Tells the main thread to stop. A signal handler or any other thread may set it.

    It is a queue and not a threading.Event: Python runs a signal handler between two steps of the main thread, and
    if that thread is inside Event.wait() at the time, Event.set() can deadlock. SimpleQueue.put() is reentrant.
    """

    POLL_INTERVAL_S = 0.5  # on Windows, Ctrl-C only gets through between two waits

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set(self) -> None:
        """Stop waiting in wait()."""
        self._queue.put(None)

    def handle_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Set the signal; for signal.signal()."""
        self.set()

    def is_set(self) -> bool:
        """Return whether it is set and wait() has not returned yet."""
        return not self._queue.empty()

    def wait(self, timeout_s: float) -> bool:
        """Wait for up to timeout_s; return whether it is set."""
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                self._queue.get(timeout=min(left_s, self.POLL_INTERVAL_S))
            except queue.Empty:
                continue
            return True
        return False


class Service:
    """The parts of the running bot, connected to each other."""

    def __init__(
        self,
        router: Router,
        settings: Settings,
        telegram: Telegram,
        username: str,
        error_log: logs.ErrorLog,
        *,
        on_failure: Callable[[], None],
    ) -> None:
        self._outbox = Outbox(telegram, _move_chat)
        self._catalog = Catalog(settings)
        speech = SpeechToText(settings, telegram)
        self._answers = Answers(settings, telegram, self._outbox, self._catalog, speech)
        self._transcriptions = Transcriptions(speech, self._outbox)
        handlers = JobHandlers(
            settings, telegram, error_log, clock.now(), count_dropped_replies=lambda: self._outbox.dropped_replies
        )
        self._jobs = JobRunner(telegram, self._outbox, handlers.by_name(), _move_chat)
        callbacks = Callbacks(
            on_question=self._answers.ask,
            on_stop_request=self._answers.stop_question,
            on_job=self._jobs.add,
            on_transcription=self._transcriptions.add,
            on_chat_migrated=_move_chat,
        )
        dispatcher = Dispatcher(router, settings, username)
        handler = UpdateHandler(dispatcher, self._outbox, callbacks, refusals=(AccessDenied, db.NotesFull))
        self._polling = Polling(telegram, handler.handle, settings=settings, on_failure=on_failure)
        self._reminders = ReminderClock(settings, self._outbox)
        self._cleaner = Cleaner(settings.questions_kept_days * clock.DAY_S)
        self.is_stuck = self._polling.heartbeat.is_stuck
        self._health_server: HealthServer | None = None
        if settings.health_address:
            health = Health(self._polling.heartbeat, lambda: self._outbox.dropped_replies)
            self._health_server = HealthServer(health, settings.health_address)

    def start(self) -> None:
        """Start all parts; what an earlier run left comes first."""
        self._catalog.forget_absent_gateways()
        self._outbox.start()
        self._jobs.start()
        self._answers.start()
        self._reminders.start()
        self._transcriptions.start()
        self._polling.start()
        self._catalog.start()
        self._cleaner.start()
        if self._health_server:
            self._health_server.start()

    def stop(self) -> None:
        """Stop all parts; raise what has ended polling, SetupError if the owner must fix something."""
        self._polling.stop()
        self._reminders.stop(REMINDERS_LINGER_S)
        self._cleaner.stop()
        self._catalog.stop()
        self._answers.stop()
        self._transcriptions.stop()
        self._jobs.stop(grace_s=0, linger_s=JOBS_LINGER_S)
        self._outbox.stop(OUTBOX_GRACE_S, OUTBOX_LINGER_S)
        if self._polling.failure:
            raise self._polling.failure


def run(router: Router, limits: Limits | None = None) -> None:
    """Run the bot until SIGTERM or SIGINT; raises SetupError if the owner must fix something.

    limits are those of the Telegram server, if it has others than the real one.
    """
    settings = config.load_settings()
    error_log = logs.start_logging(settings.log_level, config.secrets())
    stop_signal = StopSignal()
    _handle_signals(stop_signal.handle_signal)
    watchdog = Watchdog()
    watchdog.start()
    if not _open_database(settings, stop_signal):
        watchdog.stop()
        return
    telegram = Telegram(settings, limits)
    try:
        with _interrupted_by_signals(stop_signal):
            bot_user = _connect(telegram)
            _wait_until_alone(telegram)
        db.use_bot(bot_user.id)
        service = Service(router, settings, telegram, bot_user.username, error_log, on_failure=stop_signal.set)
        service.start()
        watchdog.watch(service.is_stuck)
        _set_menu(telegram, router, settings, stop_signal)
        stop_signal.wait(math.inf)
        log.info("stopping")
        watchdog.stop()
        service.stop()
    except KeyboardInterrupt:
        log.info("stopped before the start was complete")
        watchdog.stop()
    finally:
        storage.close()


def _handle_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


@contextmanager
def _interrupted_by_signals(stop_signal: StopSignal) -> Iterator[None]:
    """Let signals raise KeyboardInterrupt in the block, which may wait half a minute for Telegram."""
    _handle_signals(signal.default_int_handler)
    try:
        if stop_signal.is_set():
            raise KeyboardInterrupt
        yield
    finally:
        _handle_signals(stop_signal.handle_signal)


def _open_database(settings: Settings, stop_signal: StopSignal) -> bool:
    """Open the database, as soon as it is available; return False if the bot is stopped before."""
    failures = 0
    while True:
        try:
            db.open(settings.db_path, settings.max_notes)
            return True
        except storage.DatabaseUnavailable as error:
            failures += 1
            log.warning("the database is unavailable, trying again: %s", error.__cause__)
            if stop_signal.wait(backoff_s(failures)):
                return False


def _connect(telegram: Telegram) -> BotUser:
    """Return the bot's own user, as soon as Telegram responds."""
    failures = refusals = 0
    while True:
        try:
            bot_user = get_me(telegram)
            telegram.call("deleteWebhook", {})
            if bot_user.username:
                log.info("started as @%s", bot_user.username)
            else:
                log.warning("started; Telegram does not say the bot's @name, so in groups it is not recognized")
            return bot_user
        except TelegramError as error:
            failures += 1
            log.warning("Telegram does not respond: %s", error)
            time.sleep(error.retry_after or backoff_s(failures))
        except SetupError:  # the token is refused
            refusals += 1
            if refusals == 2:
                raise
            time.sleep(TOKEN_CHECK_S)


def _wait_until_alone(telegram: Telegram) -> None:
    """Make sure that no other machine has taken over."""
    fence = Fence(telegram)
    failures = 0
    while fence.is_due():
        try:
            log.info("looking whether another copy of this bot is polling")
            fence.look()
        except TelegramError as error:
            failures += 1
            log.warning("Telegram does not respond: %s", error)
            time.sleep(error.retry_after or backoff_s(failures))


def _set_menu(telegram: Telegram, router: Router, settings: Settings, stop_signal: StopSignal) -> None:
    """Show the commands in Telegram's menu."""
    set_my_commands, menu = telegram.bot.set_my_commands, router.menu(has_admins=bool(settings.admin_user_ids))
    try:
        with _interrupted_by_signals(stop_signal):
            set_my_commands(menu)
    except TelegramError as error:
        log.warning("the menu of commands is not set: %s", error)
    except KeyboardInterrupt:
        stop_signal.set()


def _move_chat(old_chat_id: int, new_chat_id: int) -> None:
    """Move everything that belongs to a group to the new id that it gets as a supergroup."""
    with storage.transaction():
        db.move_chat(old_chat_id, new_chat_id)
        db_reminders.move_chat(old_chat_id, new_chat_id)
        journal.move_chat(old_chat_id, new_chat_id)
