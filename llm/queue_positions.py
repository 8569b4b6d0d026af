"""The queue positions of questions that wait because every thread that answers has a question already."""

from collections.abc import Callable

import journal
import texts
from journal import QuestionKey, QuestionRow
from llm.progress import POSITION_INTERVAL_S, SHOW_POSITION_AFTER_S
from telegram.drafts import Draft
from telegram.keyed_executor import KeyedExecutor


class QueuePositions:
    """Shows the positions as drafts, on a thread of its own, while anybody waits."""

    def __init__(
        self, waiting_keys: Callable[[], list[QuestionKey]], open_draft: Callable[[QuestionRow], Draft]
    ) -> None:
        self._waiting_keys = waiting_keys
        self._open_draft = open_draft
        self._drafts: dict[int, Draft] = {}  # by question
        self._executor: KeyedExecutor[str] = KeyedExecutor("queue positions", self._show, max_threads=1)

    def wake(self) -> None:
        """Show the positions of those who still wait after a few seconds."""
        self._executor.wake("all", SHOW_POSITION_AFTER_S)

    def stop(self) -> None:
        """Show nothing more."""
        self._executor.stop(grace_s=0, linger_s=0)

    def _show(self, _: str) -> float | None:
        waiting = self._waiting_keys()
        drafts = {}
        for position, key in enumerate(waiting, 1):
            question = journal.next_question(*key)
            if question is not None:
                draft = self._drafts.get(question["id"]) or self._open_draft(question)
                draft.show(texts.queue_position(position), is_markdown=False)
                drafts[question["id"]] = draft
        self._drafts = drafts
        return POSITION_INTERVAL_S if waiting else None
