"""The bot's life: everything is started, a signal is waited for, everything is stopped within ten seconds."""

import logging
import signal
import threading
from typing import Any

import db
from config import Settings
from runtime import telegram as telegram_api
from runtime.answers import Answers
from runtime.outbox import Outbox, backoff_s
from runtime.polling import Polling
from runtime.router import Router
from runtime.telegram import Telegram, TelegramError

log = logging.getLogger(__name__)

GRACE_S = 3.0  # for replies that are due
LINGER_S = 4.0  # for calls under way


def run(settings: Settings, router: Router) -> None:
    """Run the bot until SIGTERM or SIGINT; SetupError if the owner has to mend something."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    telegram = Telegram(settings)
    if not _introduce(telegram, router, stop):
        return
    outbox = Outbox(telegram)
    answers = Answers(outbox)
    polling = Polling(telegram, router, outbox, answers, on_failure=stop.set)
    for part in (outbox, answers, polling):
        part.start()
    _set_menu(telegram, router)
    _wait(stop)
    log.info("stopping")
    polling.stop()
    answers.stop()
    outbox.stop(GRACE_S, LINGER_S)
    db.close()
    if polling.failure:
        raise polling.failure


def _introduce(telegram: Telegram, router: Router, stop: threading.Event) -> bool:
    """Learn the bot's name, however long Telegram is away; False if stopped meanwhile."""
    failures = 0
    while not stop.is_set():
        try:
            me: Any = telegram_api.get_me(telegram)
            telegram.bot.delete_webhook()
            router.username = me.username
            log.info("started as @%s", me.username)
            return True
        except TelegramError as error:
            failures += 1
            log.warning("Telegram does not answer: %s", error)
            stop.wait(error.retry_after or backoff_s(failures))
    return False


def _set_menu(telegram: Telegram, router: Router) -> None:
    try:
        telegram.bot.set_my_commands(router.menu())
    except TelegramError as error:
        log.warning("the menu of commands is not set: %s", error)


def _wait(stop: threading.Event) -> None:
    # In short naps: on Windows Ctrl-C is heard only between them.
    while not stop.wait(0.5):
        pass
