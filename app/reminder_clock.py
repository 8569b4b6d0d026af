"""Send reminders when they are due: each is written into the outbox in the transaction that moves or ends it."""

import logging
import threading

import clock
import db_people
import db_reminders
import storage
from config import Settings
from db_reminders import Reminder
from notes import reminders
from telegram.outbox import Outbox

log = logging.getLogger(__name__)

MAX_WAIT_S = 20.0  # between two looks: the clock may have been changed
RETRY_AFTER_ERROR_S = 5.0
RETRY_AFTER_FAILURE_S = 3600  # of one reminder, so that it does not hold up the others


class ReminderClock:
    """Waits on a thread of its own for the next reminder."""

    def __init__(self, settings: Settings, outbox: Outbox) -> None:
        self._settings = settings
        self._outbox = outbox
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reminders", daemon=True)

    def start(self) -> None:
        """Send what is due, first of all what became due while the bot was off."""
        self._thread.start()

    def stop(self, linger_s: float) -> None:
        """Finish the current transaction."""
        self._stopping.set()
        self._thread.join(linger_s)

    def send_due(self, now: int) -> None:
        """Write the reminders that are due into the outbox, each in a transaction of its own."""
        while not self._stopping.is_set() and self._send_next(now):
            pass

    def _send_next(self, now: int) -> bool:
        """Write the reminder that has been due longest into the outbox; return whether there was one."""
        reminder = None
        try:
            with storage.transaction():
                reminder = db_reminders.first_due(now)  # read in the transaction: it may just have been canceled
                if reminder is None:
                    return False
                self._send(reminder, now)
        except Exception as error:
            if storage.is_unavailable(error) or reminder is None:
                raise
            log.exception("reminder %d failed", reminder["id"])
            db_reminders.move_reminder(reminder["id"], now + RETRY_AFTER_FAILURE_S)
        return True

    def _send(self, reminder: Reminder, now: int) -> None:
        zone = db_people.zone_in_chat(reminder["user_id"], reminder["chat_id"], self._settings.timezone)
        reply = reminders.deliver(reminder, now, zone)
        if reply is not None:
            self._outbox.put(reminder["chat_id"], reply, thread_id=reminder["thread_id"])

    def _run(self) -> None:
        while not self._stopping.wait(self._look()):
            pass
        storage.close_thread()

    def _look(self) -> float:
        """Send what is due; return for how long to wait."""
        try:
            self.send_due(clock.now())
            due_at = db_reminders.next_due_at()
        except Exception as error:
            if storage.is_unavailable(error):
                log.error("reminders will be sent later, the database is unavailable: %s", error)
            else:
                log.exception("reminders will be sent later")
            return RETRY_AFTER_ERROR_S
        return MAX_WAIT_S if due_at is None else min(max(due_at - clock.now(), 0.0), MAX_WAIT_S)
