"""app.jobs: work done after the commit, and the files it sends.

- after the commit, once, in order per person, also after a restart
- files: sent, sent again after a failure, refused; handlers that fail
- the handlers of all jobs, and that each job of a command has one
"""

import io
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
import test_bot
from conftest import PATIENCE_S, eventually, without_times

import config
import db
import db_messages
import journal
import storage
import texts
from app.jobs import JobHandler, JobHandlers, JobRunner
from app.logs import ErrorLog
from bot import router
from journal import JobRow
from notes import chart, listing
from sandbox import telegram as sandbox
from sandbox.telegram import World
from sandbox.telegram.checks import Json
from telegram import failures, keyed_executor, transport
from telegram.outbox import Outbox
from telegram.pacing import NO_LIMITS
from telegram.replies import File, Job, Reply
from telegram.transport import Telegram

ANN, BOB = 1, 2
NOW = 1_798_752_600  # 2027-01-01 00:30 in Moscow, still the day before in London; in Unix seconds


@pytest.fixture
def telegram(telegram_url: str, monkeypatch: pytest.MonkeyPatch) -> Telegram:
    monkeypatch.setenv("TOKEN", sandbox.TOKEN)
    monkeypatch.setenv("TELEGRAM_API_URL", telegram_url)
    monkeypatch.setattr(transport, "FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr(transport, "MAX_BACKOFF_S", 0.05)
    return Telegram(config.load_settings(), NO_LIMITS)


@pytest.fixture
def outbox(telegram: Telegram, database: Path, world: World) -> Iterator[Outbox]:  # noqa: ARG001
    for user_id in (ANN, BOB):
        world.say(user_id, "/start")
    outbox = Outbox(telegram)
    yield outbox
    outbox.stop(0, 30)


RunJobs = Callable[..., JobRunner]


@pytest.fixture
def run_jobs(telegram: Telegram, outbox: Outbox) -> Iterator[RunJobs]:
    """Return a function that creates a JobRunner: run_jobs(name=handler, …)."""
    runners = []

    def create(**handlers: JobHandler) -> JobRunner:
        runners.append(JobRunner(telegram, outbox, handlers))
        return runners[-1]

    yield create
    for runner in runners:
        runner.stop(0, 30)


def add(runner: JobRunner, name: str, user_id: int = ANN, reply_to: int | None = None, **arguments: Any) -> None:
    runner.add(Job(name, arguments), user_id=user_id, chat_id=user_id, reply_to=reply_to)


def sent_texts(world: World, chat_id: int = ANN) -> list[str]:
    return [event["message"].get("text", "") for event in world.events_of(chat_id)]


def is_done() -> bool:
    return journal.users_with_jobs() == [] and journal.chats_with_replies() == {}


def text_file(content: bytes = b"text", caption: str = "") -> File:
    return File("file.txt", io.BytesIO(content), caption)


# Running


def test_a_job_runs_after_the_commit_and_is_then_removed(run_jobs: RunJobs, world: World) -> None:
    runner = run_jobs(greet=lambda job: f"Привет, {job['arguments']['person']}")
    with storage.transaction():
        add(runner, "greet", person="Анна")
        assert journal.users_with_jobs() == [ANN]
    eventually(lambda: sent_texts(world) == ["Привет, Анна"])
    eventually(is_done)


def test_a_job_of_a_failed_transaction_never_runs(run_jobs: RunJobs, world: World) -> None:
    runner = run_jobs(echo=lambda job: job["arguments"]["text"])
    with pytest.raises(ZeroDivisionError), storage.transaction():
        add(runner, "echo", text="раз")
        _ = 1 / 0
    add(runner, "echo", text="два")
    eventually(lambda: sent_texts(world) == ["два"])


def test_jobs_of_one_person_run_in_order_and_those_of_others_at_the_same_time(
    run_jobs: RunJobs, world: World
) -> None:
    gate = threading.Event()

    def work(job: JobRow) -> str:
        if job["arguments"].get("waits"):
            gate.wait(PATIENCE_S)
        return str(job["arguments"]["text"])

    runner = run_jobs(work=work)
    add(runner, "work", text="Анне 0", waits=1)
    add(runner, "work", text="Анне 1")
    add(runner, "work", user_id=BOB, text="Бобу")
    eventually(lambda: sent_texts(world, BOB) == ["Бобу"])
    assert sent_texts(world) == []
    gate.set()
    eventually(lambda: sent_texts(world) == ["Анне 0", "Анне 1"])


def test_a_job_that_an_earlier_run_left_is_done(run_jobs: RunJobs, world: World) -> None:
    journal.add_job(ANN, ANN, None, "greet", {})
    run_jobs(greet=lambda _: "Привет").start()
    eventually(lambda: sent_texts(world) == ["Привет"])


def test_a_job_that_ended_the_process_twice_is_given_up(run_jobs: RunJobs, world: World) -> None:
    """Two runs begin and do not end, as when the process is killed; a third start gives up."""
    gate = threading.Event()
    journal.add_job(ANN, ANN, None, "hang", {})
    for attempts in (1, 2):
        run_jobs(hang=lambda _: str(gate.wait(PATIENCE_S))).start()
        eventually(partial(lambda attempts: attempts_of_next_job() == attempts, attempts))
    run_jobs(hang=lambda _: "no third run").start()
    eventually(lambda: sent_texts(world) == [texts.JOB_GIVEN_UP])
    gate.set()


def test_a_job_that_is_stopped_or_repeated_has_not_ended_the_process(run_jobs: RunJobs, world: World) -> None:
    gate = threading.Event()
    journal.add_job(ANN, ANN, None, "hang", {})
    for _ in range(3):
        runner = run_jobs(hang=lambda _: str(gate.wait(PATIENCE_S)))
        runner.start()
        eventually(lambda: attempts_of_next_job() == 1)
        runner.stop(0, 0)
        assert attempts_of_next_job() == 0
    world.faults.bad_gateway, world.faults.methods = 1.0, frozenset(["sendDocument"])
    add(run_jobs(file=lambda _: text_file()), "file", user_id=BOB)
    eventually(lambda: len([method for method, _ in world.calls if method == "sendDocument"]) > 3)
    eventually(lambda: attempts_of_next_job(BOB) == 0)
    gate.set()


def attempts_of_next_job(user_id: int = ANN) -> int:
    job = journal.next_job(user_id)
    assert job
    return job["attempts"]


def test_a_result_may_be_a_reply(run_jobs: RunJobs, world: World) -> None:
    add(run_jobs(html=lambda _: Reply("<b>раз</b>", is_html=True)), "html")
    eventually(lambda: sent_texts(world) == ["раз"])


def test_results_reply_to_the_message_in_a_group(run_jobs: RunJobs, world: World) -> None:
    runner = run_jobs(text=lambda _: "текст", file=lambda _: text_file())
    add(runner, "text", reply_to=1)
    add(runner, "file", reply_to=1)
    eventually(lambda: len(world.events_of(ANN)) == 2)
    messages = [event["message"] for event in world.events_of(ANN)]
    assert [message["reply_to_message"]["message_id"] for message in messages] == [1, 1]


@pytest.mark.parametrize("result", ["текст", "файл"])
def test_a_job_that_cannot_be_recorded_as_done_is_not_repeated(
    run_jobs: RunJobs,
    world: World,
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    result: str,
) -> None:
    monkeypatch.setattr(keyed_executor, "RETRY_AFTER_ERROR_S", 0.05)
    runs = []
    other = sqlite3.connect(database, isolation_level=None, check_same_thread=False)

    def work(job: JobRow) -> str | File:
        runs.append(job["id"])
        storage.connection().execute("PRAGMA busy_timeout = 10")
        other.execute("BEGIN IMMEDIATE")
        return "текст" if result == "текст" else text_file(caption="файл")

    runner = run_jobs(work=work)
    journal.add_job(ANN, ANN, None, "work", {})
    with closing(other):
        runner.start()
        eventually(lambda: caplog.text.count("will try again") == 3)
        other.execute("ROLLBACK")
    eventually(is_done)
    assert len(runs) == 1
    [event] = world.events_of(ANN)
    assert event["message"].get("text", event["message"].get("caption")) == result
    assert "Traceback" not in caplog.text


def test_a_failed_job_says_so_and_does_not_stop_the_next(
    run_jobs: RunJobs, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(job: JobRow) -> str:
        raise ZeroDivisionError(job["arguments"]["text"])

    runner = run_jobs(broken=fail, greet=lambda _: "раз")
    add(runner, "broken", text="секрет")
    add(runner, "unknown")
    add(runner, "greet")
    eventually(lambda: len(sent_texts(world)) == 3)
    assert sent_texts(world) == [texts.FAILED, texts.FAILED, "раз"]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == [
        "job 1 (broken) failed",
        "job 2 (unknown) failed",
    ]


# Files


def test_a_file_is_made_when_its_job_runs(
    run_jobs: RunJobs, world: World, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIMEZONE", "Europe/Moscow")
    handlers = JobHandlers(config.load_settings(), telegram, ErrorLog(), 0)
    with storage.transaction():
        add(run_jobs(**handlers.by_name()), "export", format="txt")
        db.add_note(ANN, ANN, 1, "раз", 1_700_000_000)
    eventually(lambda: world.events_of(ANN))
    [event] = world.events_of(ANN)
    document = event["message"]["document"]
    assert (document["file_name"], event["message"]["caption"]) == ("notes.txt", texts.EXPORT_CAPTION)
    assert world.files[document["file_id"]].decode() == "#1 · 15.11.2023 01:13\nраз\n\n"


def test_a_file_is_sent_again_from_its_beginning(run_jobs: RunJobs, world: World) -> None:
    world.faults.bad_gateway = 1.0
    files = []

    def work(_: JobRow) -> File:
        files.append(text_file(b"x" * 100_000))
        return files[-1]

    add(run_jobs(work=work), "work")
    eventually(lambda: len(world.calls) >= 2)
    world.faults.bad_gateway = 0.0
    eventually(lambda: world.events_of(ANN))
    [content] = world.files.values()
    assert content == b"x" * 100_000
    eventually(is_done)
    assert all(file.content.closed for file in files)


def test_a_refused_picture_leaves_its_caption(run_jobs: RunJobs, world: World) -> None:
    picture = File("stats.png", io.BytesIO(b"not a picture"), "подпись", is_photo=True)
    add(run_jobs(draw=lambda _: picture), "draw")
    eventually(lambda: sent_texts(world) == ["подпись"])
    eventually(is_done)


def test_a_refused_document_is_reported(run_jobs: RunJobs, world: World, caplog: pytest.LogCaptureFixture) -> None:
    add(run_jobs(work=lambda _: text_file(b"")), "work")  # Telegram refuses empty files
    eventually(lambda: sent_texts(world) == [texts.FILE_REFUSED])
    assert "sendDocument refused" in caplog.text


def test_a_file_at_which_telegram_fails_makes_way_for_the_next_job(
    run_jobs: RunJobs, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "DROP_AFTER_S", 0.2)
    world.faults.bad_gateway, world.faults.methods = 1.0, frozenset(["sendDocument"])
    runner = run_jobs(work=lambda _: text_file(), greet=lambda _: "раз")
    add(runner, "work")
    add(runner, "greet")
    eventually(is_done)
    sent = [event["message"]["text"] for event in world.events_of(ANN) if "message" in event]
    assert sent == [texts.FILE_REFUSED, "раз"]


def test_a_file_that_failed_until_the_end_of_an_outage_is_sent(
    run_jobs: RunJobs, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "DROP_AFTER_S", 0.0)
    world.faults.bad_gateway, world.faults.methods = 1.0, frozenset(["sendDocument"])
    send_action = sandbox.METHODS["sendChatAction"]

    def end_outage(world: World, params: Json) -> Any:
        world.faults.bad_gateway = 0.0
        return send_action(world, params)

    monkeypatch.setitem(sandbox.METHODS, "sendChatAction", end_outage)
    add(run_jobs(work=lambda _: text_file()), "work")
    eventually(is_done)
    [message] = [event["message"] for event in world.events_of(ANN) if "message" in event]
    assert "document" in message


def test_a_file_for_a_person_who_blocked_the_bot_is_dropped(
    run_jobs: RunJobs, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    world.blocked.add(ANN)
    add(run_jobs(work=lambda _: text_file()), "work")
    eventually(is_done)
    assert [method for method, _ in world.calls] == ["sendDocument"]
    assert "sendDocument refused" in caplog.text
    assert all(record.levelno < logging.WARNING for record in caplog.records)


# The handlers


@pytest.fixture
def handlers(telegram: Telegram, database: Path, monkeypatch: pytest.MonkeyPatch) -> JobHandlers:  # noqa: ARG001
    """Return the handlers; it is the first hour of the year in Moscow."""
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setenv("TIMEZONE", "Europe/Moscow")
    settings = config.load_settings()
    assert settings.timezone == ZoneInfo("Europe/Moscow")
    return JobHandlers(settings, telegram, ErrorLog(), NOW)


@pytest.fixture
def charts(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the list of charts that are drawn, as notes per day."""
    drawn: list[Any] = []
    draw = chart.draw

    def record_and_draw(per_day: Any) -> bytes:
        drawn.append(per_day)
        return draw(per_day)

    monkeypatch.setattr(chart, "draw", record_and_draw)
    return drawn


def job(name: str, **arguments: Any) -> JobRow:
    row = {
        "id": 1,
        "user_id": ANN,
        "chat_id": ANN,
        "thread_id": None,
        "reply_to": None,
        "name": name,
        "attempts": 0,
    }
    return cast(JobRow, {**row, "arguments": arguments})


def add_note(hours_ago: float, user_id: int = ANN) -> None:
    db.add_note(user_id, user_id, 1, "раз", NOW - round(hours_ago * 3600))


def test_the_chart_counts_notes_by_the_days_of_the_zone(handlers: JobHandlers, charts: list[Any]) -> None:
    for hours_ago in (0, 0.4, 0.6, 24.6, 7 * 24):
        add_note(hours_ago)
    add_note(0, BOB)
    file = handlers.stats(job("stats", days=3))
    assert isinstance(file, File)
    assert (file.is_photo, file.name) == (True, "stats.png")
    assert file.content.read(4) == b"\x89PNG"
    assert file.caption.startswith("Заметки за 3 дня: 4.")
    assert [(f"{day:%d.%m}", count) for day, count in charts[0]] == [("30.12", 1), ("31.12", 1), ("01.01", 2)]


def test_without_notes_in_the_period_there_is_a_sentence_and_no_chart(
    handlers: JobHandlers, charts: list[Any]
) -> None:
    add_note(24 * 40)
    assert handlers.stats(job("stats", days=30)) == "Заметки за 30 дней: 0."
    assert charts == []


def test_the_chart_of_a_year_has_all_its_days(handlers: JobHandlers, charts: list[Any]) -> None:
    add_note(0)
    handlers.stats(job("stats", days=366))
    assert len(charts[0]) == 366
    assert len({day for day, _ in charts[0]}) == 366


def test_every_job_of_a_command_has_a_handler(handlers: JobHandlers, monkeypatch: pytest.MonkeyPatch) -> None:
    db.add_note(ANN, ANN, 1, "раз", NOW)
    results = [test_bot.handle(f"/{name}") for name in router.commands]
    file = {"file_id": "1", "file_unique_id": "1", "file_size": 1}
    results.append(test_bot.handle(None, document=file, caption="/note_import"))
    monkeypatch.setattr(listing, "MAX_SEARCH_S", 0.0)
    monkeypatch.setattr(storage, "STEPS_PER_CHECK", 1)
    results.append(test_bot.handle("/note_find раз"))
    db.add_note(ANN, ANN, 1, "#дом", NOW)
    results.append(test_bot.handle("/tags"))
    assert isinstance(handlers.tags(job("tags", page_size=10)), Reply)
    listing_id = db_messages.add_listing(ANN, "раз", 10)
    results.append(test_bot.tap(f"older:{listing_id}:1").job)
    names = {result.name for result in results if isinstance(result, Job)}
    assert names == set(handlers.by_name())


def test_a_slow_search_is_repeated_as_a_job_and_so_are_those_after_it(
    handlers: JobHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(25):
        db.add_note(ANN, ANN, 1, f"молоко {number}", NOW)
    expected = test_bot.handle("/note_find молока")
    assert isinstance(expected, Reply)
    monkeypatch.setattr(listing, "MAX_SEARCH_S", 0.0)
    monkeypatch.setattr(storage, "STEPS_PER_CHECK", 1)
    with storage.transaction():
        db.add_note(BOB, BOB, 1, "другая", NOW)
        slow = test_bot.handle("/note_find молока")
    assert db.count_notes(BOB) == 1, "an interrupted search undoes nothing"
    assert isinstance(slow, Job)
    page = handlers.find(job(slow.name, **slow.arguments))
    assert isinstance(page, Reply)
    assert without_times(page.text) == without_times(expected.text)

    button = page.buttons[-1][0]
    tapped = test_bot.tap(button.data)
    assert tapped.toast == texts.SEARCHING
    assert tapped.job
    older = handlers.turn_page(job(tapped.job.name, **tapped.job.arguments))
    assert isinstance(older, Reply)
    monkeypatch.setattr(listing, "MAX_SEARCH_S", 60.0)
    edit = test_bot.tap(button.data).edit
    assert edit
    assert without_times(older.text) == without_times(edit.text)
    assert older.text != page.text
    assert handlers.find(job("find", query="кефира", page_size=10)) == texts.NOTHING_FOUND

    journal.add_job(ANN, ANN, None, slow.name, slow.arguments)
    assert isinstance(test_bot.handle("/note_find молока"), Job), "its result would come first otherwise"
    assert isinstance(test_bot.handle("/note_find молока", BOB), str)
    assert test_bot.tap(button.data).job
