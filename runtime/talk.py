"""A question under way: what the thread that asks and the thread that shows tell each other."""

import threading
import time

from openrouter_client import Completion, Stream
from runtime.attempts import Answer

IN_LINE_AFTER_S = 3.0  # who waits longer than that is told the place in the line
IN_LINE_LOOK_S = 1.0  # and how often the place is looked at


class Talk:
    """What the thread that asks tells the thread that shows, and whether the person still wants it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._began = time.monotonic()
        self._stopped = False
        self._stream: Stream | None = None
        self._place = 0
        self._in_line_since = 0.0
        self.answer: Answer | None = None

    # The side that asks

    def is_over(self) -> bool:
        """Return whether the person has pressed Stop."""
        return self._stopped

    def on_piece(self) -> None:
        """Take notice that the stream has more text."""
        with self._changed:
            self._changed.notify_all()

    def on_wait(self, place: int) -> None:
        """Take the place in the line of the account."""
        with self._changed:
            if not self._place:
                self._in_line_since = time.monotonic()
                self._changed.notify_all()
            self._place = place

    def on_stream(self, stream: Stream | None) -> None:
        """Take the stream, to show it, and to close it when the person presses Stop."""
        with self._changed:
            self._place = 0
            self._stream = stream
            if stream and self._stopped:
                stream.close()
            self._changed.notify_all()

    def done(self, answer: Answer) -> bool:
        """Take the answer; False if nobody waits for it any more."""
        with self._changed:
            if self._stopped:
                return False
            self.answer = answer
            self._changed.notify_all()
            return True

    # The side that shows

    def stop(self) -> None:
        """Let the person have what came so far, and break the stream."""
        with self._changed:
            self._stopped = True
            if self._stream:
                self._stream.close()
            self._changed.notify_all()

    @property
    def text(self) -> str:
        """The answer so far."""
        stream = self._stream
        return stream.text if stream else ""

    def is_settled(self) -> bool:
        """Return whether there is nothing to wait for."""
        return self._stopped or self.answer is not None

    def place_in_line(self) -> int:
        """Return the place in the line, once it is worth telling; else 0."""
        waited_s = time.monotonic() - self._in_line_since
        return self._place if waited_s >= IN_LINE_AFTER_S else 0

    def wait_for_news(self, shown: str, rests_s: float, lasts_s: float) -> None:
        """Rest so many seconds, then wait for something else to show, but no longer than what is shown lasts."""
        with self._changed:
            if self._changed.wait_for(self.is_settled, rests_s):
                return
            if self._place:
                self._changed.wait_for(self.is_settled, IN_LINE_LOOK_S)
            else:
                self._changed.wait_for(lambda: self.is_settled() or self._place or self.text != shown, lasts_s)

    def stopped(self) -> Completion:
        """Return the part of the answer that had come when Stop was pressed."""
        latency_ms = round((time.monotonic() - self._began) * 1000)
        return Completion(self.text, latency_ms, "", "stopped")
