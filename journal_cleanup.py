"""Delete what is in progress no longer: answered questions, handled updates, the ledger of past years.

If the clock of the machine jumps ahead, nothing is deleted at once: see advance_purge_clock().
"""

from collections.abc import Iterator
from itertools import chain

import clock
import storage
from journal import CACHED_ANSWERS_KEPT_S, MESSAGE_TEXTS_KEPT_S

# Telegram repeats an update for a day, and may start new update ids after a week.
HANDLED_UPDATES_KEPT_S = 14 * clock.DAY_S
# A little more than the longest period of /usage in single requests.
REQUESTS_KEPT_S = 370 * clock.DAY_S

_DELETE_QUESTION = (
    "UPDATE questions SET parent_id = NULL WHERE parent_id = :id",
    "DELETE FROM answer_messages WHERE question_id = :id",
    "DELETE FROM questions WHERE id = :id AND state <> 'pending'",
)
_SUM_REQUEST = (
    "INSERT INTO llm_usage_days (day, user_id, model, requests, tokens, cost)"
    " SELECT created_at - created_at % 86400, user_id, model, 1,"
    " coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0), coalesce(cost, 0)"
    " FROM llm_requests WHERE id = :id"
    " ON CONFLICT (day, user_id, model) DO UPDATE SET requests = requests + 1,"
    " tokens = tokens + excluded.tokens, cost = cost + excluded.cost",
    "DELETE FROM llm_requests WHERE id = :id",
)


def advance_purge_clock(max_step_s: float) -> int:
    """Return the moment that counts as now for steps(): now, but at most max_step_s after the last one."""
    row = storage.fetch_one(
        "SELECT coalesce((SELECT moment FROM purge_clock), (SELECT max(handled_at) FROM handled_updates))"
        " AS moment"
    )
    moment = clock.now() if row["moment"] is None else min(clock.now(), row["moment"] + int(max_step_s))
    storage.execute("INSERT OR REPLACE INTO purge_clock (id, moment) VALUES (1, ?)", (moment,))
    return moment


def steps(now: int, questions_kept_s: int) -> Iterator[None]:
    """Delete what is too old at a moment, a little in each step.

    Finished questions and the notes of messages go after questions_kept_s; requests to models are summed by day.
    """
    return chain(
        storage.in_steps(
            "SELECT update_id FROM handled_updates WHERE handled_at < ?",
            now - HANDLED_UPDATES_KEPT_S,
            "DELETE FROM handled_updates WHERE update_id = :update_id",
        ),
        storage.in_steps(
            "SELECT chat_id, media_group_id FROM albums WHERE seen_at < ?",
            now - HANDLED_UPDATES_KEPT_S,
            "DELETE FROM albums WHERE chat_id = :chat_id AND media_group_id = :media_group_id",
        ),
        storage.in_steps(
            "SELECT chat_id, thread_id, user_id FROM awaited_texts WHERE asked_at < ?",
            now - clock.DAY_S,
            "DELETE FROM awaited_texts WHERE chat_id = :chat_id AND thread_id = :thread_id AND user_id = :user_id",
        ),
        storage.in_steps(
            "SELECT user_id, model_id, key FROM answer_cache WHERE created_at < ?",
            now - CACHED_ANSWERS_KEPT_S,
            "DELETE FROM answer_cache WHERE user_id = :user_id AND model_id = :model_id AND key = :key",
        ),
        storage.in_steps(
            "SELECT chat_id, message_id FROM message_texts WHERE sent_at < ?",
            now - MESSAGE_TEXTS_KEPT_S,
            "DELETE FROM message_texts WHERE chat_id = :chat_id AND message_id = :message_id",
        ),
        storage.in_steps(
            "SELECT chat_id, message_id FROM note_messages WHERE sent_at < ?",
            now - questions_kept_s,
            "DELETE FROM note_messages WHERE chat_id = :chat_id AND message_id = :message_id",
        ),
        storage.in_steps(
            "SELECT id FROM questions WHERE finished_at < ?", now - questions_kept_s, *_DELETE_QUESTION
        ),
        storage.in_steps("SELECT id FROM llm_requests WHERE created_at < ?", now - REQUESTS_KEPT_S, *_SUM_REQUEST),
    )
