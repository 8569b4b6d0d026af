"""The bot's life: everything is started, a signal is waited for, everything is stopped within ten seconds."""

import logging
import math
import queue
import signal
import time
from typing import Any

import db
from config import Settings
from runtime import telegram as telegram_api
from runtime.access import Access
from runtime.answers import Answers
from runtime.catalogue import Catalogue
from runtime.outbox import Outbox, backoff_s
from runtime.polling import Polling
from runtime.router import Router
from runtime.telegram import Telegram, TelegramError

log = logging.getLogger(__name__)

GRACE_S = 2.0  # for replies that are due
LINGER_S = 3.0  # for calls under way


class Stop:
    """Whether it is time to stop; told by a signal handler, or by any thread.

    A queue and not an Event: a handler runs between two steps of whatever the main thread does, and an Event
    that is waited for is locked between some of them; to set it there is a deadlock. SimpleQueue.put() is made
    for this.
    """

    NAP_S = 0.5  # on Windows Ctrl-C is heard only between naps

    def __init__(self) -> None:
        self._told: queue.SimpleQueue[None] = queue.SimpleQueue()

    def tell(self, *_: Any) -> None:
        """Say that it is time."""
        self._told.put(None)

    def within(self, seconds: float) -> bool:
        """Wait for up to so many seconds; return whether it is time to stop."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                self._told.get(timeout=min(left, self.NAP_S))
            except queue.Empty:
                continue
            return True
        return False


def run(settings: Settings, router: Router) -> None:
    """Run the bot until SIGTERM or SIGINT; SetupError if the owner has to mend something."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.tell)
    router.access = Access(settings.allowed_user_ids, settings.admin_user_ids)
    telegram = Telegram(settings)
    if not _introduce(telegram, router, stop):
        return
    outbox = Outbox(telegram)
    catalogue = Catalogue()
    answers = Answers(settings, telegram, outbox, catalogue)
    polling = Polling(telegram, router, outbox, answers, catalogue, on_failure=stop.tell)
    catalogue.let_go()
    for part in (outbox, answers, polling, catalogue):
        part.start()
    _set_menu(telegram, router)
    stop.within(math.inf)
    log.info("stopping")
    polling.stop()
    catalogue.stop()
    answers.stop()
    outbox.stop(GRACE_S, LINGER_S)
    db.close()
    if polling.failure:
        raise polling.failure


def _introduce(telegram: Telegram, router: Router, stop: Stop) -> bool:
    """Learn the bot's name, however long Telegram is away; False if stopped meanwhile."""
    failures = 0
    while True:
        try:
            me: Any = telegram_api.get_me(telegram)
            telegram.bot.delete_webhook()
            router.username = me.username
            log.info("started as @%s", me.username)
            return True
        except TelegramError as error:
            failures += 1
            log.warning("Telegram does not answer: %s", error)
            if stop.within(error.retry_after or backoff_s(failures)):
                return False


def _set_menu(telegram: Telegram, router: Router) -> None:
    try:
        telegram.bot.set_my_commands(router.menu())
    except TelegramError as error:
        log.warning("the menu of commands is not set: %s", error)
