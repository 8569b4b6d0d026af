"""Delete old rows on a thread of its own, a little at a time, so that nobody waits for it."""

import logging
import threading
import time
from itertools import chain

import db_cleanup
import journal_cleanup
import storage

log = logging.getLogger(__name__)

FIRST_AFTER_S = 60.0  # first come the replies and questions that an earlier run left
INTERVAL_S = 3600.0
PAUSE_S = 0.05  # between two steps; others write meanwhile
CATCH_UP = 24  # rows age at most this much faster than time passes, also after the bot was off; see clean()
LINGER_S = 0.5  # at the stop, for the current step


class Cleaner:
    """Deletes once an hour what is too old. After a jump of the clock, rows become old little by little."""

    def __init__(self, questions_kept_s: int) -> None:
        self._questions_kept_s = questions_kept_s
        self._cleaned_at = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cleaner", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the current step."""
        self._stopping.set()
        self._thread.join(LINGER_S)

    def clean(self) -> None:
        """Delete what is old now, or as much of it as stop() leaves time for."""
        elapsed_s = time.monotonic() - self._cleaned_at
        self._cleaned_at += elapsed_s
        now = journal_cleanup.advance_purge_clock(elapsed_s * CATCH_UP)
        for _ in chain(db_cleanup.steps(now), journal_cleanup.steps(now, self._questions_kept_s)):
            if self._stopping.wait(PAUSE_S):
                break

    def _run(self) -> None:
        wait_s = FIRST_AFTER_S
        while not self._stopping.wait(wait_s):
            wait_s = INTERVAL_S
            try:
                self.clean()
            except Exception as error:
                if storage.is_unavailable(error):
                    log.error("old rows are not deleted, the database is unavailable: %s", error)
                else:
                    log.exception("old rows are not deleted")
        storage.close_thread()
