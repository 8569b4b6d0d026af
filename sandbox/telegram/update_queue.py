"""The queue of updates of the emulated Telegram, and waiting for changes of its state."""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sandbox.telegram import checks
from sandbox.telegram.checks import Json, Refusal

MAX_UPDATES_PER_POLL = 100
MAX_POLL_S = 50


class UpdateQueue:
    """The updates that the bot has not confirmed, behind a lock that wakes up everybody who waits for a change.

    Every method may be called from any thread.
    """

    def __init__(self) -> None:
        self.poll_number = 0  # the number of getUpdates calls
        self.batch_sizes: list[int] = []  # how many updates the next answers have at most; then 100
        self._updates: list[Json] = []
        self._next_update = random.Random(2).randrange(10**8, 10**9)
        self._allowed_updates: list[str] | None = None
        self._changed = threading.Condition(threading.RLock())
        self._watchers: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    # Changes that other threads see

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Make all changes of the block visible at once, as when many people write at the same moment."""
        with self._changed:
            yield

    @contextmanager
    def changes(self) -> Iterator[None]:
        """Hold the lock during the block, then wake up everybody who waits for a change."""
        with self._changed:
            try:
                yield
            finally:
                self._wake()

    def wait(self, condition: Callable[[], object], timeout_s: float = 180.0) -> None:
        """Wait until condition() is true; it is checked after every change."""
        with self._changed:
            if not self._changed.wait_for(condition, timeout_s):
                raise TimeoutError("the awaited condition did not become true")

    @contextmanager
    def watch(self) -> Iterator[asyncio.Event]:
        """Yield an event of the running loop that is set after every change."""
        watcher = (asyncio.get_running_loop(), asyncio.Event())
        with self._changed:
            self._watchers.append(watcher)
        try:
            yield watcher[1]
        finally:
            with self._changed:
                self._watchers.remove(watcher)

    def _wake(self) -> None:
        self._changed.notify_all()
        for loop, event in self._watchers:
            loop.call_soon_threadsafe(event.set)

    # Updates and polling

    def update(self, update: Json) -> int:
        """Queue an update of any shape for the bot; return its ID."""
        with self._changed:
            update_type = next(iter(update), "")
            update = {"update_id": self._next_update, **update}
            self._next_update += 1
            if self._allowed_updates is None or update_type in self._allowed_updates:
                self._updates.append(update)
            self._wake()
            return int(update["update_id"])

    def pending(self) -> int:
        """Return the number of updates that the bot has not confirmed."""
        with self._changed:
            return len(self._updates)

    async def get_updates(self, params: Json) -> list[Json]:
        """Confirm the updates below the offset, then return the queued ones or wait for one."""
        with self.watch() as changed:
            with self._changed:
                if params.get("allowed_updates") is not None:
                    self._allowed_updates = params["allowed_updates"]
                self._confirm(checks.to_integer(params.get("offset") or 0))
                self.poll_number += 1
                poll_number = self.poll_number
                self._wake()  # an older poll ends with 409
            return await self._wait_for_updates(params, changed, poll_number)

    async def _wait_for_updates(self, params: Json, changed: asyncio.Event, poll_number: int) -> list[Json]:
        limit = min(max(checks.to_integer(params.get("limit") or MAX_UPDATES_PER_POLL), 1), MAX_UPDATES_PER_POLL)
        deadline = time.monotonic() + min(checks.to_integer(params.get("timeout") or 0), MAX_POLL_S)
        while True:
            changed.clear()
            with self._changed:
                if self.poll_number != poll_number:
                    raise Refusal(
                        409,
                        "Conflict: terminated by other getUpdates request; make sure that only one bot instance"
                        " is running",
                    )
                remaining_s = deadline - time.monotonic()
                if self._updates:
                    return self._updates[: min(limit, self.batch_sizes.pop(0) if self.batch_sizes else limit)]
                if remaining_s <= 0:
                    return []
            try:
                await asyncio.wait_for(changed.wait(), remaining_s)
            except TimeoutError:
                continue

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            self._updates = self._updates[offset:]
        elif offset:
            self._updates = [update for update in self._updates if update["update_id"] >= offset]
