"""What is in progress: handled updates, questions, requests to models, replies on their way out, and jobs.

Each function runs in the open transaction of its thread, or in one of its own. storage.open() comes first.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, NotRequired, TypedDict

import clock
import storage

# How long it is known what a message said last; people can edit a message for 48 hours.
MESSAGE_TEXTS_KEPT_S = 30 * clock.DAY_S
CACHED_ANSWERS_KEPT_S = 3600
MAX_USAGE_ROWS = 50
HEARD = "{}"  # in place of the recording of a question, once its words are in the text

Call = tuple[str, dict[str, Any]]  # a method of the Bot API and its parameters

# The queues of a person's questions: (user_id, 0) for those that are answered one after another, (user_id, 1) and
# (user_id, 2) for those that are answered beside them. So one person never has more than three in progress.
QuestionKey = tuple[int, int]
_QUEUE = "iif(is_parallel, 1 + id % 2, 0)"


class NewQuestion(TypedDict):
    """A question to store; see the table for the columns."""

    user_id: int
    chat_id: int
    message_id: int
    is_private: bool
    kind: str
    is_parallel: bool
    parent_id: int | None
    model_id: int
    text: str
    asked_at: int
    is_repeat: NotRequired[bool]
    pictures: NotRequired[str]
    speech: NotRequired[str | None]
    thread_id: NotRequired[int | None]


class QuestionRow(TypedDict):
    """A stored question; see the table for the columns."""

    id: int
    user_id: int
    chat_id: int
    message_id: int
    is_private: int
    kind: str
    is_parallel: int
    parent_id: int | None
    model_id: int
    text: str
    state: str
    stop_at: int | None
    answer: str | None
    asked_at: int
    finished_at: int | None
    is_repeat: int
    thread_id: int | None
    pictures: str  # JSON: a list of file_ids
    speech: str | None  # JSON: an attachment, or HEARD; None: the question was typed


class CachedAnswer(TypedDict):
    """An answer to give again; see the table answer_cache for the columns."""

    answer: str
    answered_by_id: int
    model: str


class Turn(TypedDict):
    """One question of a conversation and its answer."""

    text: str
    answer: str


class LlmRequest(TypedDict):
    """An HTTP request to a model; see the table llm_requests for the columns."""

    user_id: int
    module: str
    gateway: str
    model: str
    answered_model: str | None
    provider: str | None
    generation_id: str | None
    status: int
    cause: str | None
    finish_reason: str | None
    latency_ms: int
    prompt_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None
    cost: float | None
    is_free: bool


class GenerationDetails(TypedDict):
    """What OpenRouter reports of an answer some time later; see the table llm_requests for the columns."""

    cost: float
    prompt_tokens: int | None
    completion_tokens: int | None
    provider: str | None
    provider_latency_ms: int | None
    provider_requests: int | None


class UnpricedRequest(TypedDict):
    """A request whose cost is still unknown."""

    id: int
    generation_id: str


class ModelUsage(TypedDict):
    """Requests to a model, prompt and completion tokens together, and the cost in USD."""

    model: str
    requests: int
    tokens: float
    cost: float


class FailureCount(TypedDict):
    """How often requests to a model of a gateway failed for one cause."""

    gateway: str
    cause: str
    requests: int


class PersonUsage(TypedDict):
    """Requests of a person, prompt and completion tokens together, and the cost in USD."""

    user_id: int
    requests: int
    tokens: float
    cost: float


class OutboxRow(TypedDict):
    """A reply to send."""

    id: int
    calls: list[Call]
    question_id: int | None
    note_id: int | None


class SentCall(TypedDict):
    """The first call of a reply, which Telegram has accepted or refused."""

    reply_id: int
    remaining_calls: list[Call]
    answered: tuple[int, int, int] | None  # chat, message and question, if the message answers a question
    note: tuple[int, int, int] | None  # chat, message and note, if the message shows or confirms a note


class JobRow(TypedDict):
    """A job to run."""

    id: int
    user_id: int
    chat_id: int
    reply_to: int | None
    name: str
    attempts: int
    arguments: dict[str, Any]
    thread_id: int | None
    progress: dict[str, Any]  # what an interrupted run has done


class LastPoll(TypedDict):
    """When the bot polled last, in Unix seconds, and on which machine."""

    polled_at: int
    machine: str


class Waiting(TypedDict):
    """What waits now: replies, questions, and jobs together with transcriptions."""

    replies: int
    oldest_reply_at: int | None
    questions: int
    jobs: int


class Progress(Waiting):
    """What waits now, and how many updates were handled in a period."""

    updates: int


# Updates -------------------------------------------------------------------------------------------------


def unhandled_updates(update_ids: Iterable[int]) -> set[int]:
    """Return the ids of the updates that have not been handled yet."""
    ids = set(update_ids)
    rows = storage.fetch_all(
        "SELECT update_id FROM handled_updates WHERE update_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(ids)),),
    )
    return ids - {row["update_id"] for row in rows}


def mark_updates_handled(update_ids: Iterable[int]) -> None:
    """Record that updates have been handled."""
    storage.execute(
        "INSERT OR IGNORE INTO handled_updates (update_id, handled_at) SELECT value, ? FROM json_each(?)",
        (clock.now(), json.dumps(list(update_ids))),
    )


def last_poll() -> LastPoll | None:
    """Return the last poll that is recorded."""
    return storage.fetch_one("SELECT polled_at, machine FROM last_poll")


def record_poll(polled_at: int, machine: str) -> None:
    """Record a poll, in place of the last one."""
    storage.execute(
        "INSERT OR REPLACE INTO last_poll (id, polled_at, machine) VALUES (1, ?, ?)", (polled_at, machine)
    )


def mark_album_seen(chat_id: int, media_group_id: str, message_id: int) -> bool:
    """Record an album and the message of it that is handled first; return False if it is recorded already."""
    cursor = storage.execute(
        "INSERT OR IGNORE INTO albums (chat_id, media_group_id, message_id, seen_at) VALUES (?,?,?,?)",
        (chat_id, media_group_id, message_id, clock.now()),
    )
    return cursor.rowcount == 1


def album_note(chat_id: int, media_group_id: str) -> int | None:
    """Return the id of the note that gets the parts of an album; None if there is none."""
    row = storage.fetch_one(
        "SELECT note_id FROM albums WHERE chat_id = ? AND media_group_id = ?", (chat_id, media_group_id)
    )
    return row["note_id"] if row else None


def set_album_note(chat_id: int, media_group_id: str, note_id: int) -> None:
    """Record the note that gets the parts of an album."""
    storage.execute(
        "UPDATE albums SET note_id = ? WHERE chat_id = ? AND media_group_id = ?",
        (note_id, chat_id, media_group_id),
    )


def move_chat(old_chat_id: int, new_chat_id: int) -> None:
    """Move questions, jobs and transcriptions to the new id that a group gets as a supergroup.

    The supergroup counts its messages from 1 again, so nothing replies to the old ids there. Waiting replies move
    later, see move_replies().
    """
    with storage.transaction():
        storage.execute(
            "UPDATE questions SET chat_id = ?, message_id = 0 WHERE chat_id = ?", (new_chat_id, old_chat_id)
        )
        storage.execute(
            "UPDATE jobs SET chat_id = ?, reply_to = NULL WHERE chat_id = ?", (new_chat_id, old_chat_id)
        )
        storage.execute(
            "UPDATE transcriptions SET chat_id = ?, message_id = 0 WHERE chat_id = ?", (new_chat_id, old_chat_id)
        )


def remember_message_text(chat_id: int, message_id: int, text: str, sent_at: int) -> bool:
    """Record what a message says now; return whether that is something new."""
    digest = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), signed=True)
    cursor = storage.execute(
        "INSERT INTO message_texts (chat_id, message_id, digest, sent_at) VALUES (?,?,?,?)"
        " ON CONFLICT (chat_id, message_id) DO UPDATE SET digest = excluded.digest"
        " WHERE digest <> excluded.digest",
        (chat_id, message_id, digest, sent_at),
    )
    return cursor.rowcount > 0


def remember_edited_text(chat_id: int, message_id: int, text: str, sent_at: int) -> bool:
    """Record what an edited message says now; return whether that is something new.

    What a message said is forgotten after MESSAGE_TEXTS_KEPT_S. By then nobody can edit it any more: Telegram
    reports only other changes, such as reactions.
    """
    is_forgotten = sent_at < clock.now() - MESSAGE_TEXTS_KEPT_S and not storage.fetch_one(
        "SELECT 1 FROM message_texts WHERE chat_id = ? AND message_id = ?", (chat_id, message_id)
    )
    return not is_forgotten and remember_message_text(chat_id, message_id, text, sent_at)


# Questions -----------------------------------------------------------------------------------------------


def add_question(question: NewQuestion) -> int:
    """Store a question and return its id."""
    cursor = storage.execute(
        "INSERT INTO questions (user_id, chat_id, message_id, is_private, kind, is_parallel, parent_id, model_id,"
        " text, asked_at, is_repeat, thread_id, pictures, speech) VALUES (:user_id, :chat_id, :message_id,"
        " :is_private, :kind, :is_parallel, :parent_id, :model_id, :text, :asked_at, :is_repeat, :thread_id,"
        " :pictures, :speech)",
        {"is_repeat": False, "thread_id": None, "pictures": "[]", "speech": None, **question},
    )
    return int(cursor.lastrowid or 0)


def question_of_album(user_id: int, chat_id: int, media_group_id: str) -> QuestionRow | None:
    """Return the pending question in the caption of an album."""
    return storage.fetch_one(
        "SELECT questions.* FROM albums JOIN questions USING (chat_id, message_id)"
        " WHERE albums.chat_id = ? AND media_group_id = ? AND user_id = ? AND state = 'pending'",
        (chat_id, media_group_id, user_id),
    )


def complete_question(user_id: int, chat_id: int, message_id: int, text: str) -> None:
    """Replace the text of the pending questions in a message, of which a further part has arrived."""
    storage.execute(
        "UPDATE questions SET text = ? WHERE user_id = ? AND chat_id = ? AND message_id = ? AND state = 'pending'",
        (text, user_id, chat_id, message_id),
    )


def set_pictures(question_id: int, pictures: str) -> None:
    """Replace the pictures of a question: a JSON list of file_ids."""
    storage.execute("UPDATE questions SET pictures = ? WHERE id = ?", (pictures, question_id))


def get_question(chat_id: int, question_id: int) -> QuestionRow | None:
    """Return a question that was asked in the chat."""
    return storage.fetch_one("SELECT * FROM questions WHERE id = ? AND chat_id = ?", (question_id, chat_id))


def question_key(user_id: int, question_id: int, is_parallel: bool) -> QuestionKey:
    """Return the queue of a question."""
    return user_id, 1 + question_id % 2 if is_parallel else 0


def next_question(user_id: int, queue: int) -> QuestionRow | None:
    """Return the oldest pending question in a queue of a person, see QuestionKey."""
    return storage.fetch_one(
        f"SELECT * FROM questions WHERE user_id = ? AND state = 'pending' AND {_QUEUE} = ? ORDER BY id LIMIT 1",
        (user_id, queue),
    )


def pending_question_keys() -> list[QuestionKey]:
    """Return a key for each queue of pending questions, the longest waiting first."""
    rows = storage.fetch_all(
        f"SELECT user_id, {_QUEUE} AS queue FROM questions WHERE state = 'pending' GROUP BY 1, 2 ORDER BY min(id)"
    )
    return [(row["user_id"], row["queue"]) for row in rows]


def question_times(user_id: int, since: int) -> list[int]:
    """Return when a person asked questions after a moment, oldest first; Unix seconds."""
    rows = storage.fetch_all(
        "SELECT asked_at FROM questions WHERE user_id = ? AND asked_at > ? ORDER BY asked_at", (user_id, since)
    )
    return [row["asked_at"] for row in rows]


def stop_question(chat_id: int, question_id: int) -> bool:
    """Record that the person pressed Stop; return False if the question is not pending."""
    cursor = storage.execute(
        "UPDATE questions SET stop_at = ? WHERE id = ? AND chat_id = ? AND state = 'pending'",
        (clock.now(), question_id, chat_id),
    )
    return cursor.rowcount == 1


def has_pending_question(user_id: int, chat_id: int, message_id: int) -> bool:
    """Return whether a question that a person asked with a button under a message still waits for its answer."""
    row = storage.fetch_one(
        "SELECT 1 FROM questions WHERE user_id = ? AND state = 'pending' AND chat_id = ? AND message_id = ?",
        (user_id, chat_id, message_id),
    )
    return row is not None


def set_heard(question_id: int, text: str) -> None:
    """Store the text of a question that was spoken."""
    storage.execute("UPDATE questions SET text = ?, speech = ? WHERE id = ?", (text, HEARD, question_id))


def is_question_stopped(question_id: int) -> bool:
    """Return whether the person pressed Stop while the question was pending."""
    row = storage.fetch_one("SELECT stop_at FROM questions WHERE id = ?", (question_id,))
    return row is not None and row["stop_at"] is not None


def finish_question(question_id: int, state: str, answer: str | None) -> None:
    """Store the result of a question; the state is answered, stopped or failed."""
    storage.execute(
        "UPDATE questions SET state = ?, answer = ?, finished_at = ? WHERE id = ?",
        (state, answer, clock.now(), question_id),
    )


def question_answered_by(chat_id: int, message_id: int) -> QuestionRow | None:
    """Return the question that a message of the bot answers."""
    return storage.fetch_one(
        "SELECT questions.* FROM answer_messages JOIN questions ON questions.id = question_id"
        " WHERE answer_messages.chat_id = ? AND answer_messages.message_id = ?",
        (chat_id, message_id),
    )


def latest_question_in_topic(user_id: int, chat_id: int, thread_id: int) -> QuestionRow | None:
    """Return the last question of the conversation in a topic of a private chat; None at its beginning."""
    return storage.fetch_one(
        "SELECT * FROM questions WHERE chat_id = :chat_id AND thread_id = :thread_id AND user_id = :user_id"
        " AND id > coalesce((SELECT after_question FROM topics"
        " WHERE chat_id = :chat_id AND thread_id = :thread_id), 0) ORDER BY id DESC LIMIT 1",
        {"user_id": user_id, "chat_id": chat_id, "thread_id": thread_id},
    )


def begin_conversation(chat_id: int, thread_id: int) -> None:
    """End the conversation in a topic: the next question there begins another one."""
    storage.execute(
        "INSERT OR REPLACE INTO topics SELECT :chat_id, :thread_id, coalesce(max(id), 0) FROM questions",
        {"chat_id": chat_id, "thread_id": thread_id},
    )


def note_of_message(chat_id: int, message_id: int) -> int | None:
    """Return the id of the note that a message of the bot shows or confirms."""
    row = storage.fetch_one(
        "SELECT note_id FROM note_messages WHERE chat_id = ? AND message_id = ?", (chat_id, message_id)
    )
    return row["note_id"] if row else None


def set_note_of_message(chat_id: int, message_id: int, note_id: int | None) -> None:
    """Record which note a message of the bot shows after an edit."""
    if note_id is None:
        storage.execute("DELETE FROM note_messages WHERE chat_id = ? AND message_id = ?", (chat_id, message_id))
    else:
        storage.execute(
            "INSERT OR REPLACE INTO note_messages (chat_id, message_id, note_id, sent_at) VALUES (?,?,?,?)",
            (chat_id, message_id, note_id, clock.now()),
        )


def can_be_replied_to(chat_id: int, message_id: int) -> bool:
    """Return whether a message of the bot is an answer or a note, so that a reply to it is about that."""
    if note_of_message(chat_id, message_id) is not None:
        return True
    return question_answered_by(chat_id, message_id) is not None


def conversation_before(question_id: int) -> list[Turn]:
    """Return the answered questions that precede a question in its conversation, the latest first."""
    return storage.fetch_all(
        "WITH RECURSIVE conversation(id, parent_id, depth) AS ("
        " SELECT id, parent_id, 0 FROM questions WHERE id = ?"
        " UNION ALL SELECT questions.id, questions.parent_id, depth + 1"
        " FROM questions JOIN conversation ON questions.id = conversation.parent_id)"
        " SELECT text, answer FROM conversation JOIN questions USING (id)"
        " WHERE depth > 0 AND answer IS NOT NULL ORDER BY depth",
        (question_id,),
    )


def find_cached_answer(user_id: int, model_id: int, key: str, since: int) -> CachedAnswer | None:
    """Return an answer that was cached since a moment (Unix seconds)."""
    return storage.fetch_one(
        "SELECT answer, answered_by_id, model FROM answer_cache JOIN questions ON questions.id = question_id"
        " WHERE answer_cache.user_id = ? AND answer_cache.model_id = ? AND key = ? AND created_at BETWEEN ? AND ?",
        (user_id, model_id, key, since, clock.now()),  # a later one was cached while the clock was wrong
    )


def add_cached_answer(question: QuestionRow, key: str, answered_by_id: int, model: str) -> None:
    """Cache the answer of a question, in place of an older one."""
    storage.execute(
        "INSERT OR REPLACE INTO answer_cache VALUES (?,?,?,?,?,?,?)",
        (question["user_id"], question["model_id"], key, question["id"], answered_by_id, model, clock.now()),
    )


# Requests to models --------------------------------------------------------------------------------------

_USAGE = "sum(requests) AS requests, total(tokens) AS tokens, total(cost) AS cost"
# Single requests and the days in which older ones are summed.
_REQUESTS = (
    "(SELECT created_at, user_id, model, 1 AS requests,"
    " coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0) AS tokens, cost FROM llm_requests"
    " UNION ALL SELECT day, user_id, model, requests, tokens, cost FROM llm_usage_days)"
)


def add_llm_request(request: LlmRequest) -> int:
    """Record a request to a model and return its id."""
    cursor = storage.execute(
        "INSERT INTO llm_requests (created_at, user_id, module, gateway, model, generation_id, status,"
        " finish_reason, latency_ms, prompt_tokens, completion_tokens, reasoning_tokens, cost, is_free,"
        " cause, provider, answered_model)"
        " VALUES (:created_at, :user_id, :module, :gateway, :model, :generation_id, :status,"
        " :finish_reason, :latency_ms, :prompt_tokens, :completion_tokens, :reasoning_tokens, :cost, :is_free,"
        " :cause, :provider, :answered_model)",
        {**request, "created_at": clock.now()},
    )
    return int(cursor.lastrowid or 0)


def add_generation_details(request_id: int, details: GenerationDetails) -> None:
    """Add to a request what the gateway reports later."""
    storage.execute(
        "UPDATE llm_requests SET cost = :cost, prompt_tokens = :prompt_tokens,"
        " completion_tokens = :completion_tokens, provider = coalesce(provider, :provider),"
        " provider_latency_ms = :provider_latency_ms, provider_requests = :provider_requests"
        " WHERE id = :request_id",
        {**details, "request_id": request_id},
    )


def unpriced_requests(since: int) -> list[UnpricedRequest]:
    """Return the stopped and interrupted requests since a moment whose cost OpenRouter can still report."""
    return storage.fetch_all(
        "SELECT id, generation_id FROM llm_requests WHERE cost IS NULL AND generation_id IS NOT NULL"
        " AND finish_reason IN ('stopped', 'cut') AND created_at >= ? AND gateway = 'openrouter'",
        (since,),
    )


def free_request_times(since: int) -> list[int]:
    """Return when free models were requested since a moment, oldest first; Unix seconds."""
    rows = storage.fetch_all(
        "SELECT created_at FROM llm_requests WHERE created_at BETWEEN ? AND ? AND is_free = 1 ORDER BY created_at",
        (since, clock.now()),  # a later one was recorded while the clock was wrong
    )
    return [row["created_at"] for row in rows]


def failure_counts(since: int) -> list[FailureCount]:
    """Return the causes of failed requests since a moment, the most frequent first."""
    return storage.fetch_all(
        "SELECT gateway, cause, count(*) AS requests FROM llm_requests WHERE created_at >= ? AND cause IS NOT NULL"
        " GROUP BY gateway, cause ORDER BY requests DESC, gateway, cause LIMIT ?",
        (since, MAX_USAGE_ROWS),
    )


def answering_models(since: int) -> list[str]:
    """Return which models of which providers really answered since a moment, "model (provider)", latest first."""
    rows = storage.fetch_all(
        "SELECT answered_model || coalesce(' (' || provider || ')', '') AS name, max(id) AS latest"
        " FROM llm_requests WHERE created_at >= ? AND answered_model IS NOT NULL"
        " GROUP BY name ORDER BY latest DESC LIMIT 5",
        (since,),
    )
    return [row["name"] for row in rows]


def usage_by_model(since: int, user_id: int | None = None) -> list[ModelUsage]:
    """Return the usage of each model since a moment, by one person or by all; the most used first."""
    return storage.fetch_all(
        f"SELECT model, {_USAGE} FROM {_REQUESTS} WHERE created_at >= :since"
        " AND (:user_id IS NULL OR user_id = :user_id) GROUP BY model ORDER BY requests DESC, model",
        {"since": since, "user_id": user_id},
    )


def usage_by_person(since: int) -> list[PersonUsage]:
    """Return the usage of the MAX_USAGE_ROWS most active people since a moment, the most active first."""
    return storage.fetch_all(
        f"SELECT user_id, {_USAGE} FROM {_REQUESTS} WHERE created_at >= ?"
        " GROUP BY user_id ORDER BY requests DESC, user_id LIMIT ?",
        (since, MAX_USAGE_ROWS),
    )


# Outbox --------------------------------------------------------------------------------------------------
#
# What was sent is recorded on a connection that does not wait for the disk: after a power failure a reply may at
# worst be sent twice.


def add_reply(chat_id: int, calls: list[Call], question_id: int | None = None, note_id: int | None = None) -> int:
    """Put a reply into the outbox and return its id; each call sends one message."""
    cursor = storage.execute(
        "INSERT INTO outbox (chat_id, calls, question_id, created_at, note_id) VALUES (?,?,?,?,?)",
        (chat_id, json.dumps(calls), question_id, clock.now(), note_id),
    )
    return int(cursor.lastrowid or 0)


def chats_with_replies() -> dict[int, int]:
    """Return the chats that have replies in the outbox with the id of the newest, the longest waiting first."""
    rows = storage.fetch_all("SELECT chat_id, max(id) AS newest_id FROM outbox GROUP BY chat_id ORDER BY min(id)")
    return {row["chat_id"]: row["newest_id"] for row in rows}


def last_reply_id() -> int:
    """Return the id of the last reply that was put into the outbox; the next one gets the following id."""
    row = storage.fetch_one("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'")
    return int(row["seq"]) if row else 0


def stored_replies(chat_id: int, after_id: int, limit: int) -> list[OutboxRow]:
    """Return the oldest replies to a chat after an id."""
    with storage.relaxed_connection() as connection:
        rows = connection.execute(
            "SELECT id, calls, question_id, note_id FROM outbox WHERE chat_id = ? AND id > ? ORDER BY id LIMIT ?",
            (chat_id, after_id, limit),
        ).fetchall()
    return [_outbox_row(row["id"], _read_calls(row["calls"]), row) for row in rows]


def _outbox_row(reply_id: int, calls: list[Call], row: dict[str, Any]) -> OutboxRow:
    return {"id": reply_id, "calls": calls, "question_id": row["question_id"], "note_id": row["note_id"]}


def _read_calls(text: str) -> list[Call]:
    return [(method, parameters) for method, parameters in json.loads(text)]


def finish_replies(sent: Iterable[SentCall]) -> None:
    """Remove replies from the outbox, or replace their calls with the remaining ones, in one transaction."""
    with storage.relaxed_transaction() as connection:
        for call in sent:
            if call["answered"]:
                connection.execute(
                    "INSERT OR REPLACE INTO answer_messages (chat_id, message_id, question_id) VALUES (?,?,?)",
                    call["answered"],
                )
            if call["note"]:
                connection.execute(
                    "INSERT OR REPLACE INTO note_messages (chat_id, message_id, note_id, sent_at)"
                    " VALUES (?,?,?,?)",
                    (*call["note"], clock.now()),
                )
            if call["remaining_calls"]:
                connection.execute(
                    "UPDATE outbox SET calls = ? WHERE id = ?",
                    (json.dumps(call["remaining_calls"]), call["reply_id"]),
                )
            else:
                connection.execute("DELETE FROM outbox WHERE id = ?", (call["reply_id"],))


def move_replies(old_chat_id: int, new_chat_id: int) -> list[OutboxRow]:
    """Move the replies of a group to the new id that it gets as a supergroup; return them with their new ids.

    Only the thread that sends the replies of the old chat may call this, so that no reply is being sent meanwhile.
    Edits are dropped, and replies refer to no message: the supergroup counts its messages from 1 again.
    """
    replies: list[OutboxRow] = []
    with storage.transaction():
        for row in storage.fetch_all(
            "SELECT calls, question_id, note_id FROM outbox WHERE chat_id = ? ORDER BY id", (old_chat_id,)
        ):
            moved = [call for call in _read_calls(row["calls"]) if not call[0].startswith("editMessage")]
            for _, params in moved:
                params.pop("reply_parameters", None)
                if params.get("chat_id") == old_chat_id:
                    params["chat_id"] = new_chat_id
            if moved:
                reply_id = add_reply(new_chat_id, moved, row["question_id"], row["note_id"])
                replies.append(_outbox_row(reply_id, moved, row))
        storage.execute("DELETE FROM outbox WHERE chat_id = ?", (old_chat_id,))
    return replies


# Jobs ----------------------------------------------------------------------------------------------------


def add_job(
    user_id: int,
    chat_id: int,
    reply_to: int | None,
    name: str,
    arguments: dict[str, Any],
    thread_id: int | None = None,
) -> int:
    """Store a job and return its id; its result goes to the chat, as a reply to the message reply_to."""
    cursor = storage.execute(
        "INSERT INTO jobs (user_id, chat_id, reply_to, name, arguments, created_at, thread_id)"
        " VALUES (?,?,?,?,?,?,?)",
        (user_id, chat_id, reply_to, name, json.dumps(arguments), clock.now(), thread_id),
    )
    return int(cursor.lastrowid or 0)


def users_with_jobs() -> list[int]:
    """Return the people who have jobs, the longest waiting first."""
    rows = storage.fetch_all("SELECT user_id FROM jobs GROUP BY user_id ORDER BY min(id)")
    return [row["user_id"] for row in rows]


def has_job(user_id: int, names: Sequence[str]) -> bool:
    """Return whether a job of a person with one of these names waits or runs."""
    marks = ",".join("?" * len(names))
    sql = f"SELECT 1 FROM jobs WHERE user_id = ? AND name IN ({marks}) LIMIT 1"
    return storage.fetch_one(sql, (user_id, *names)) is not None


def next_job(user_id: int) -> JobRow | None:
    """Return the oldest job of a person."""
    job = storage.fetch_one(
        "SELECT id, user_id, chat_id, reply_to, name, attempts, arguments, progress, thread_id FROM jobs"
        " WHERE user_id = ? ORDER BY id LIMIT 1",
        (user_id,),
    )
    if job:
        job["arguments"] = json.loads(job["arguments"])
        job["progress"] = json.loads(job["progress"])
    return job


def begin_job(job_id: int) -> None:
    """Record that a run of a job begins, so that the next start knows if the run has killed the process."""
    storage.execute("UPDATE jobs SET attempts = attempts + 1 WHERE id = ?", (job_id,))


def forget_job_attempts(user_id: int | None = None) -> None:
    """Record that the runs of a person's jobs, or of all jobs, have not killed the process."""
    storage.execute(
        "UPDATE jobs SET attempts = 0 WHERE attempts > 0 AND user_id = coalesce(?, user_id)", (user_id,)
    )


def save_job_progress(job_id: int, progress: dict[str, Any]) -> None:
    """Record what a job has done so far, in the transaction that does it: a later run reports it."""
    storage.execute("UPDATE jobs SET progress = ? WHERE id = ?", (json.dumps(progress), job_id))


def finish_job(job_id: int) -> None:
    """Remove a job that is done."""
    storage.execute("DELETE FROM jobs WHERE id = ?", (job_id,))


# Status --------------------------------------------------------------------------------------------------


def waiting() -> Waiting:
    """Return how much waits now."""
    return storage.fetch_one(
        "SELECT (SELECT count(*) FROM outbox) AS replies,"
        " (SELECT min(created_at) FROM outbox) AS oldest_reply_at,"
        " (SELECT count(*) FROM questions WHERE state = 'pending') AS questions,"
        " (SELECT count(*) FROM jobs) + (SELECT count(*) FROM transcriptions) AS jobs"
    )


def progress(updates_since: int) -> Progress:
    """Return how many updates were handled since a moment, and how much waits now."""
    row = storage.fetch_one(
        "SELECT count(*) AS updates FROM handled_updates WHERE handled_at >= ?", (updates_since,)
    )
    return {**waiting(), "updates": row["updates"]}
