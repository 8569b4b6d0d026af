"""telegram.polling: batches, savepoints, refusals, failures, and what is stored for each kind of result."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import eventually

import config
import db
import journal
import storage
import texts
from sandbox import telegram as sandbox
from sandbox.telegram import Faults, World
from telegram import polling, transport
from telegram.dispatcher import Dispatcher
from telegram.messages import CallbackQuery, Message
from telegram.outbox import Outbox
from telegram.polling import Polling
from telegram.replies import AccessDenied, ButtonResult, HandlerResult, Job, Question, Reply
from telegram.router import Router
from telegram.transport import Telegram
from telegram.update_handler import Callbacks, UpdateHandler

ANN, GROUP = 1, -100500


class Bot:
    """A running Polling, whose handlers store a note first, and what its callbacks have received."""

    def __init__(self, settings: config.Settings, world: World) -> None:
        telegram = Telegram(settings)
        self._world = world
        self.is_database_locked = False
        self.questions: list[tuple[Question, dict[str, Any]]] = []
        self.jobs: list[tuple[Job, dict[str, Any]]] = []
        self.unconfirmed_at_job: list[int] = []
        self.stop_requests: list[tuple[int, int]] = []
        self.has_failed = False
        self.outbox = Outbox(telegram)
        callbacks = Callbacks(
            on_question=lambda question, **details: self.questions.append((question, details)),
            on_stop_request=lambda chat_id, question_id: self.stop_requests.append((chat_id, question_id)),
            on_job=self._add_job,
            on_transcription=lambda *details: None,  # noqa: ARG005
        )
        dispatcher = Dispatcher(self._make_router(), settings, "sandbox_notes_bot")
        handler = UpdateHandler(dispatcher, self.outbox, callbacks, refusals=(AccessDenied, db.NotesFull))
        self.polling = Polling(telegram, handler.handle, settings=settings, on_failure=self._fail)

    def stop(self) -> None:
        self.polling.stop()
        self.outbox.stop(0, 30)

    def _add_job(self, job: Job, **details: Any) -> None:
        assert storage.connection().in_transaction
        self.unconfirmed_at_job.append(self._world.pending())
        self.jobs.append((job, details))

    def _fail(self) -> None:
        self.has_failed = True

    def _make_router(self) -> Router:
        router = Router()

        @router.command("echo", "повторить")
        @router.edited_text
        @router.text
        def echo(message: Message, text: str) -> HandlerResult:
            db.add_note(message.user_id, message.chat_id, message.message_id, text, message.sent_at)
            if self.is_database_locked:
                raise locked_error()
            return result_for(text)

        @router.button("tap")
        def tap(query: CallbackQuery, number: int) -> ButtonResult:
            db.add_note(query.user_id, query.chat_id, query.message_id, "нажато", 0)
            if number == 1:
                raise AccessDenied("нельзя")
            if number == 2:
                raise ZeroDivisionError
            return ButtonResult("готово", question=Question("почему?"), edit=Reply("нажато"))

        return router


def result_for(text: str) -> HandlerResult:
    match text:
        case "reply":
            return Reply("<b>ответ</b>", is_html=True)
        case "question":
            return Question("почему?")
        case "job":
            return Job("export", {"format": "txt"})
        case "nothing":
            return None
        case "refusal":
            raise AccessDenied("нельзя")
        case "full":
            raise db.NotesFull("полно")
        case "failure":
            raise ZeroDivisionError
    return f"ответ на «{text}»"


def locked_error() -> sqlite3.OperationalError:
    """Return the error that SQLite raises for a locked database."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error


@pytest.fixture
def bot(
    telegram_url: str,
    database: Path,  # noqa: ARG001
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bot]:
    monkeypatch.setenv("TOKEN", sandbox.TOKEN)
    monkeypatch.setenv("TELEGRAM_API_URL", telegram_url)
    monkeypatch.setattr(transport, "FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr(transport, "MAX_BACKOFF_S", 0.05)
    monkeypatch.setattr(polling, "LONG_POLL_S", 1)
    bot = Bot(config.load_settings(), world)
    bot.polling.start()
    yield bot
    bot.stop()


def sent_texts(world: World, chat_id: int = ANN) -> list[str]:
    return [event["message"]["text"] for event in world.events_of(chat_id) if "message" in event]


def stored_notes() -> list[str]:
    """Return the texts of Ann's notes, the oldest first."""
    return [note["text"] for note in reversed(db.list_notes(ANN, 100))]


def polls(world: World) -> list[dict[str, Any]]:
    """Return the parameters of all getUpdates calls."""
    return [params for method, params in list(world.calls) if method == "getUpdates"]


# Results of handlers


@pytest.mark.usefixtures("bot")
def test_texts_and_replies_are_sent(world: World) -> None:
    world.say(ANN, "раз")
    world.say(ANN, "reply")
    eventually(lambda: sent_texts(world) == ["ответ на «раз»", "ответ"])
    assert stored_notes() == ["раз", "reply"]


@pytest.mark.usefixtures("bot")
def test_only_in_a_group_a_reply_refers_to_its_message(world: World) -> None:
    world.say(ANN, "раз")
    message = world.say(ANN, "/echo два", chat_id=GROUP)
    eventually(lambda: world.events_of(ANN) and world.events_of(GROUP))
    [private_reply] = world.events_of(ANN)
    [group_reply] = world.events_of(GROUP)
    assert "reply_to_message" not in private_reply["message"]
    assert group_reply["message"]["reply_to_message"]["message_id"] == message["message_id"]


def test_a_question_is_handed_over(bot: Bot, world: World) -> None:
    private = world.say(ANN, "question")
    group = world.say(ANN, "/echo question", chat_id=GROUP)
    eventually(lambda: len(bot.questions) == 2)
    assert bot.questions == [
        (
            Question("почему?"),
            {
                "user_id": ANN,
                "chat_id": message["chat"]["id"],
                "thread_id": None,
                "message_id": message["message_id"],
                "asked_at": message["date"],
                "is_private": message is private,
            },
        )
        for message in (private, group)
    ]


def test_a_job_is_handed_over(bot: Bot, world: World) -> None:
    world.say(ANN, "job")
    group = world.say(ANN, "/echo job", chat_id=GROUP)
    eventually(lambda: len(bot.jobs) == 2)
    job = Job("export", {"format": "txt"})
    assert bot.jobs == [
        (job, {"user_id": ANN, "chat_id": ANN, "thread_id": None, "reply_to": None}),
        (job, {"user_id": ANN, "chat_id": GROUP, "thread_id": None, "reply_to": group["message_id"]}),
    ]


@pytest.mark.usefixtures("bot")
def test_a_handler_may_return_nothing(world: World) -> None:
    world.say(ANN, "nothing")
    world.say(ANN, "раз")
    eventually(lambda: sent_texts(world) == ["ответ на «раз»"])
    assert stored_notes() == ["nothing", "раз"]


@pytest.mark.usefixtures("bot")
def test_an_edited_message_is_handled(world: World) -> None:
    message = world.say(ANN, "nothing")
    world.edit(ANN, message["message_id"], "раз")
    eventually(lambda: sent_texts(world) == ["ответ на «раз»"])


def test_a_stop_request_is_handed_over(bot: Bot, world: World) -> None:
    world.say(ANN, "nothing")
    world.stop_draft(ANN, 5)
    eventually(lambda: bot.stop_requests == [(ANN, 5)])


# Buttons


def tap(world: World, number: int) -> list[dict[str, Any]]:
    """Tap a button under a message of the bot; return what the bot does next, once it has finished."""
    world.say(ANN, "раз")
    eventually(lambda: world.events_of(ANN))
    [reply] = world.events_of(ANN)
    world.tap(ANN, ANN, reply["message"]["message_id"], f"tap:{number}")
    eventually(lambda: len(world.events_of(ANN)) > 1)
    eventually(lambda: journal.chats_with_replies() == {})
    return world.events_of(ANN)[1:]


def test_a_tap_is_answered_and_may_edit_the_message_and_ask(bot: Bot, world: World) -> None:
    answer, edit = tap(world, 0)
    assert (answer["method"], answer["text"]) == ("answerCallbackQuery", "готово")
    assert (edit["method"], edit["message"]["text"]) == ("editMessageText", "нажато")
    [(question, details)] = bot.questions
    assert question == Question("почему?")
    assert details.pop("asked_at") > 1_700_000_000
    message_id = edit["message"]["message_id"]
    assert details == {
        "user_id": ANN,
        "chat_id": ANN,
        "thread_id": None,
        "message_id": message_id,
        "is_private": True,
    }


@pytest.mark.usefixtures("bot")
def test_a_refused_tap_shows_an_alert_and_is_undone(world: World) -> None:
    [answer] = tap(world, 1)
    assert (answer["method"], answer["text"]) == ("answerCallbackQuery", "нельзя")
    [params] = [params for method, params in world.calls if method == "answerCallbackQuery"]
    assert params["show_alert"] is True
    assert stored_notes() == ["раз"]


@pytest.mark.usefixtures("bot")
def test_a_failed_tap_is_answered_and_undone(world: World) -> None:
    [answer] = tap(world, 2)
    assert (answer["method"], answer["text"]) == ("answerCallbackQuery", texts.FAILED)
    assert stored_notes() == ["раз"]


@pytest.mark.usefixtures("bot")
def test_a_tap_without_a_message_is_only_answered(world: World) -> None:
    world.update(
        {"callback_query": {"id": "77", "from": sandbox.person(ANN), "chat_instance": "1", "data": "tap:0"}}
    )
    answer = ("answerCallbackQuery", {"callback_query_id": "77", "text": ""})
    eventually(lambda: answer in list(world.calls))
    assert stored_notes() == []


# Refusals and failures


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize(("text", "answer"), [("refusal", "нельзя"), ("full", "полно"), ("failure", texts.FAILED)])
def test_a_failed_update_is_undone_and_does_not_affect_the_others(
    world: World, text: str, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    with world.batch():
        world.say(ANN, "раз")
        message = world.say(ANN, text)
        world.edit(ANN, message["message_id"], text)
        world.say(ANN, "два")
    eventually(lambda: sent_texts(world) == ["ответ на «раз»", answer, answer, "ответ на «два»"])
    assert stored_notes() == ["раз", "два"]
    levels = [
        record.levelname
        for record in caplog.records
        if record.name in ("telegram.polling", "telegram.update_handler")
    ]
    assert levels == (["ERROR", "ERROR"] if text == "failure" else [])


@pytest.mark.usefixtures("bot")
def test_an_unreadable_update_is_skipped_and_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with world.batch():
        update_id = world.update({"message": {"message_id": "секрет"}})
        world.say(ANN, "раз")
    eventually(lambda: sent_texts(world) == ["ответ на «раз»"])
    [record] = [
        record for record in caplog.records if record.name in ("telegram.polling", "telegram.update_handler")
    ]
    assert record.getMessage() == f"update {update_id} cannot be read and is skipped"


def test_while_the_database_is_locked_updates_wait_at_telegram(
    bot: Bot, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    bot.is_database_locked = True
    world.say(ANN, "раз")
    eventually(lambda: caplog.text.count("the database is unavailable") >= 2)
    assert world.pending() == 1
    assert stored_notes() == []
    bot.is_database_locked = False
    eventually(lambda: sent_texts(world) == ["ответ на «раз»"])
    assert stored_notes() == ["раз"]


@pytest.mark.usefixtures("bot")
def test_a_failed_poll_is_repeated(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.faults = Faults(bad_gateway=1.0)
    world.say(ANN, "раз")  # ends the long poll that waits
    eventually(lambda: "getUpdates failed: [502] not JSON, status 502" in caplog.text)
    world.faults = Faults()
    eventually(lambda: sent_texts(world) == ["ответ на «раз»"])
    assert stored_notes() == ["раз"]


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("retry_after", ["5", -1, [], {}])
def test_a_strange_retry_after_does_not_end_polling(world: World, retry_after: object) -> None:
    world.faults = Faults(too_many=1.0, retry_after=retry_after, methods=frozenset(["getUpdates"]))
    world.say(ANN, "раз")  # ends the long poll that waits
    eventually(lambda: len(polls(world)) > 1)
    world.faults = Faults()
    eventually(lambda: sent_texts(world) == ["ответ на «раз»"])


def test_a_failure_that_is_not_handled_is_reported(
    bot: Bot, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(transport, "MAX_BACKOFF_S", "not a number")
    world.faults = Faults(bad_gateway=1.0)
    world.say(ANN, "раз")
    eventually(lambda: bot.has_failed)
    assert isinstance(bot.polling.failure, TypeError)
    assert "polling ends" in caplog.text


def test_a_token_refused_once_does_not_end_polling(bot: Bot, world: World) -> None:
    eventually(lambda: polls(world))
    world.token, token = "1:another", world.token
    world.say(ANN, "раз")
    eventually(lambda: len(polls(world)) > 1)
    world.token = token
    eventually(lambda: sent_texts(world) == ["ответ на «раз»"])
    assert not bot.has_failed


def test_a_revoked_token_ends_polling(bot: Bot, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "TOKEN_CHECK_S", 0.05)
    eventually(lambda: polls(world))
    world.token = "1:another"
    world.say(ANN, "раз")
    eventually(lambda: bot.has_failed)
    assert str(bot.polling.failure) == texts.TOKEN_REFUSED


# Confirmation


def test_a_batch_is_confirmed_after_its_commit(bot: Bot, world: World) -> None:
    with world.batch():
        world.say(ANN, "job")
        world.say(ANN, "job")
    eventually(lambda: world.pending() == 0)
    assert bot.unconfirmed_at_job == [2, 2]
    assert stored_notes() == ["job", "job"]


@pytest.mark.usefixtures("bot")
def test_an_update_that_arrives_again_is_handled_once(world: World) -> None:
    message = world.say(ANN, "раз")
    eventually(lambda: world.pending() == 0)
    update_id = world._next_update - 1
    world.update({"message": message, "update_id": update_id})
    world.say(ANN, "два")
    eventually(lambda: sent_texts(world) == ["ответ на «раз»", "ответ на «два»"])
    assert stored_notes() == ["раз", "два"]


@pytest.mark.usefixtures("bot")
def test_updates_are_handled_after_their_ids_restart_lower(world: World) -> None:
    message = world.say(ANN, "раз")
    eventually(lambda: world.pending() == 0)
    eventually(lambda: "offset" not in polls(world)[-1])
    world.update({"message": {**message, "message_id": 9, "text": "два"}, "update_id": 5})
    eventually(lambda: sent_texts(world) == ["ответ на «раз»", "ответ на «два»"])


def test_stop_confirms_the_last_batch(bot: Bot, world: World) -> None:
    eventually(lambda: polls(world))
    world.say(ANN, "раз")
    eventually(lambda: stored_notes() == ["раз"])
    bot.polling.stop()
    assert world.pending() == 0
    world.say(ANN, "два")
    assert stored_notes() == ["раз"]
