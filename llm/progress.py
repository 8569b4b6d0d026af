"""The progress of one question, shared by the thread that calls models and the thread that shows the answer."""

import threading
import time
from dataclasses import dataclass

import db
from journal import LlmRequest
from openrouter_client import Completion, OpenRouterError, Stream

SHOW_POSITION_AFTER_S = 3.0  # show the queue position after this long
POSITION_INTERVAL_S = 1.0  # and check it this often


@dataclass(frozen=True)
class CallResult:
    """The result of calling models for one question."""

    completion: Completion | None  # None if no model answered
    model: db.Model  # the model that answered, or failed last
    fallback_from: tuple[str, str] | None = None  # (key, reason) of the first model, if another one answered
    error: OpenRouterError | None = None
    ledger_row: LlmRequest | None = None  # of the successful request: stored in the transaction of the answer


class QuestionProgress:
    """The progress of one question. Any thread may call any method."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._started = time.monotonic()
        self._stopped = False
        self._stream: Stream | None = None
        self._model: db.Model | None = None
        self._queue_position = 0  # 0: not waiting
        self._queued_since = 0.0
        self._result: CallResult | None = None

    # Called by the thread that calls models

    def is_stopped(self) -> bool:
        """Return whether the person has pressed Stop."""
        return self._stopped

    def set_model(self, model: db.Model) -> None:
        """Record which model is called now."""
        self._model = model

    def set_queue_position(self, position: int) -> None:
        """Record that the question waits in the rate limiter's queue."""
        with self._changed:
            if not self._queue_position:
                self._queued_since = time.monotonic()
                self._changed.notify_all()
            self._queue_position = position

    def set_stream(self, stream: Stream | None) -> None:
        """Show this stream from now on, and close it on Stop; None: the next model has not answered yet."""
        with self._changed:
            self._queue_position = 0
            self._stream = stream
            if stream and self._stopped:
                stream.close()
            self._changed.notify_all()

    def notify_new_text(self) -> None:
        """Report that the stream has more text."""
        with self._changed:
            self._changed.notify_all()

    def finish(self, result: CallResult) -> bool:
        """Store the result; return False if the person has pressed Stop and nobody waits for it any more."""
        with self._changed:
            if self._stopped:
                return False
            self._result = result
            self._changed.notify_all()
            return True

    # Called by the threads that show the answer and handle updates

    @property
    def result(self) -> CallResult | None:
        """The result; None until it is known."""
        return self._result

    @property
    def text(self) -> str:
        """The answer so far."""
        stream = self._stream
        return stream.text if stream else ""

    @property
    def model(self) -> db.Model | None:
        """The model that is called now; None before the first one."""
        return self._model

    def stop(self) -> None:
        """End the question with the text that has arrived so far, and break the stream."""
        with self._changed:
            self._stopped = True
            if self._stream:
                self._stream.close()
            self._changed.notify_all()

    def stopped_completion(self) -> Completion:
        """Return the part of the answer that had arrived when the person pressed Stop."""
        latency_ms = round((time.monotonic() - self._started) * 1000)
        return Completion(self.text, latency_ms, model="", finish_reason="stopped")

    def is_settled(self) -> bool:
        """Return whether there is a result, or the person has pressed Stop."""
        return self._stopped or self._result is not None

    def visible_queue_position(self) -> int:
        """Return the queue position; 0 if the question does not wait, or not long enough yet to show it."""
        waited_s = time.monotonic() - self._queued_since
        return self._queue_position if waited_s >= SHOW_POSITION_AFTER_S else 0

    def wait_for_change(self, shown_text: str, min_s: float, max_s: float) -> None:
        """Wait min_s, then up to max_s more for something new to show. A settled question ends either wait."""
        with self._changed:
            if self._changed.wait_for(self.is_settled, min_s):
                return
            if self._queue_position:
                self._changed.wait_for(self.is_settled, POSITION_INTERVAL_S)
            else:
                self._changed.wait_for(lambda: self._has_news(shown_text), max_s)

    def _has_news(self, shown_text: str) -> bool:
        return self.is_settled() or self._queue_position > 0 or self.text != shown_text
