"""Jobs: work that takes long or needs the network, done after the update that asked for it is committed.

A job is stored in the transaction of its update, so it survives a crash. The jobs of one person run in order.
"""

import io
import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import db
import db_people
import journal
import storage
import texts
from app import status
from app.file_archive import FileArchive
from app.logs import ErrorLog
from clock import TimeZone
from config import Settings
from journal import JobRow
from llm import catalog
from notes import chart, exports, imports, listing, statistics
from telegram.failures import Failures
from telegram.keyed_executor import KeyedExecutor
from telegram.outbox import Outbox
from telegram.replies import File, Job, Reply
from telegram.transport import Telegram, TelegramError

log = logging.getLogger(__name__)

MAX_THREADS = 40  # a thread waits for Telegram most of the time; imports and charts run one at a time
SLOW_AFTER_S = 5.0  # people whose last job took longer share half of the threads
MAX_ATTEMPTS = 2  # a job that has killed the process so many times is given up

JobResult = str | Reply | File
JobHandler = Callable[[JobRow], JobResult]


@dataclass(frozen=True)
class JobHandlers:
    """The functions that do the jobs. Each returns what the person gets; TelegramError if it should be retried."""

    settings: Settings
    telegram: Telegram
    error_log: ErrorLog
    started_at: int  # Unix seconds
    count_dropped_replies: Callable[[], int] = lambda: 0
    archives: dict[int, FileArchive] = field(default_factory=dict)  # by user: those in progress

    def by_name(self) -> dict[str, JobHandler]:
        """Return the handlers by the names of their jobs."""
        return {
            "export": self.export,
            "import": self.import_file,
            "stats": self.stats,
            "status": self.status,
            "refresh_models": self.refresh_models,
            "providers": self.providers,
            "find": self.find,
            "turn_page": self.turn_page,
            "tags": self.tags,
        }

    def export(self, job: JobRow) -> JobResult:
        """Export all notes of a person as a file."""
        if job["arguments"]["format"] == exports.FORMAT_WITH_FILES:
            return self._export_with_files(job)
        return exports.export_notes(job["user_id"], job["arguments"]["format"], self._zone(job))

    def _export_with_files(self, job: JobRow) -> JobResult:
        """Export all notes with their files; the attempt after a failed download goes on with the same archive."""
        user_id = job["user_id"]
        if not db.count_notes(user_id):  # the notes were deleted after the command
            return texts.NO_NOTES
        archive = self.archives.pop(user_id, None)
        if archive is None or archive.job_id != job["id"]:
            archive = FileArchive(job["id"], user_id)
        try:
            archive.add_files(self.telegram)
        except TelegramError:
            self.archives[user_id] = archive
            raise
        return archive.finish()

    def import_file(self, job: JobRow) -> JobResult:
        """Download a file that a person sent and import the notes in it."""
        with tempfile.TemporaryFile() as file:
            try:
                self.telegram.download(job["arguments"]["file_id"], file)
            except TelegramError as error:
                if not error.is_final:
                    raise
                return texts.IMPORT_TOO_LARGE if error.says_too_big else texts.IMPORT_UNAVAILABLE
            return imports.import_notes(
                job["user_id"],
                file,
                added_before=job["progress"].get("added", 0),
                on_added=lambda added: journal.save_job_progress(job["id"], {"added": added}),
            )

    def stats(self, job: JobRow) -> JobResult:
        """Draw how many notes a person added per day."""
        days = job["arguments"]["days"]
        per_day = statistics.notes_per_day(job["user_id"], days, self._zone(job))
        caption = statistics.caption(per_day)
        if not any(count for _, count in per_day):
            return caption
        return File("stats.png", io.BytesIO(chart.draw(per_day)), caption, is_photo=True)

    def _zone(self, job: JobRow) -> TimeZone:
        """Return the time zone in which a person sees the result of a job."""
        return db_people.zone_in_chat(job["user_id"], job["chat_id"], self.settings.timezone)

    def status(self, job: JobRow) -> JobResult:  # noqa: ARG002
        """Describe the bot to its owner."""
        return status.report(self.settings, self.error_log, self.started_at, self.count_dropped_replies())

    def refresh_models(self, job: JobRow) -> JobResult:
        """Fetch the lists of models of all gateways."""
        return catalog.refresh_all(
            self.settings, job["progress"], on_change=partial(journal.save_job_progress, job["id"])
        )

    def providers(self, job: JobRow) -> JobResult:
        """List the providers of RVFreeLLM, or the models of one of them."""
        return catalog.describe_providers(job["arguments"]["name"])

    def find(self, job: JobRow) -> JobResult:
        """Search for notes, if that takes longer than a handler may."""
        arguments = job["arguments"]
        page = listing.first_page(job["user_id"], arguments["query"], arguments["page_size"], self._zone(job))
        return page or texts.NOTHING_FOUND

    def tags(self, job: JobRow) -> JobResult:
        """List the tags, if that takes longer than a handler may."""
        return listing.tags_page(job["user_id"], job["arguments"]["page_size"]) or texts.NO_TAGS

    def turn_page(self, job: JobRow) -> JobResult:
        """Turn a page of a search, if that takes longer than a handler may."""
        arguments = job["arguments"]
        result = listing.turn_page(
            job["user_id"],
            arguments["listing_id"],
            arguments["position"],
            self._zone(job),
            to_older=arguments["to_older"],
        )
        return result.edit or result.toast


class JobRunner:
    """Runs the stored jobs and sends their results."""

    def __init__(
        self,
        telegram: Telegram,
        outbox: Outbox,
        handlers: Mapping[str, JobHandler],
        on_chat_migrated: Callable[[int, int], None] = journal.move_chat,
    ) -> None:
        self._telegram = telegram
        self._on_chat_migrated = on_chat_migrated
        self._outbox = outbox
        self._handlers = handlers
        self._executor: KeyedExecutor[int] = KeyedExecutor(
            "jobs", self._run_next, MAX_THREADS, slow_after_s=SLOW_AFTER_S, take_turn=telegram.pacing.take_turn
        )
        self._begun: set[int] = set()  # jobs whose current run is recorded
        self._failures: dict[int, Failures] = {}  # by user: of the next job, in a row
        # User → a job that is done but not yet recorded as done, and the reply that is left to send.
        self._unrecorded: dict[int, tuple[JobRow, Reply | None]] = {}

    def start(self) -> None:
        """Run the jobs that an earlier run left."""
        for user_id in journal.users_with_jobs():
            self._executor.wake(user_id)

    def stop(self, grace_s: float, linger_s: float) -> None:
        """Run due jobs for up to grace_s, then wait up to linger_s for running ones."""
        self._executor.stop(grace_s, linger_s)
        try:
            journal.forget_job_attempts()  # those still running end with the process, but did not kill it
        except Exception as error:
            if not storage.is_unavailable(error):
                raise

    def add(
        self, job: Job, *, user_id: int, chat_id: int, reply_to: int | None, thread_id: int | None = None
    ) -> None:
        """Store a job; it runs once the current transaction is committed."""
        journal.add_job(user_id, chat_id, reply_to, job.name, job.arguments, thread_id)
        storage.on_commit(partial(self._executor.wake, user_id))

    def _run_next(self, user_id: int) -> float | None:
        """Run the next job of a person; return the seconds until the next attempt, None if nothing is left."""
        if user_id not in self._unrecorded:
            job = journal.next_job(user_id)
            if job is None:
                return None
            if wait_s := self._telegram.pacing.chat_wait_s(job["chat_id"]):
                return wait_s
            try:
                reply = self._attempt(job)
            except TelegramError as error:
                delay_s = self._retry_delay_s(job, error)
                if delay_s is not None:
                    return delay_s
                reply = Reply(texts.IMPORT_UNAVAILABLE if job["name"] == "import" else texts.FILE_REFUSED)
            self._unrecorded[user_id] = (job, reply)
        # If recording fails, the executor calls again and the entry prevents a second run.
        self._record(*self._unrecorded[user_id])
        return 0.0

    def _attempt(self, job: JobRow) -> Reply | None:
        """Run a job, unless it has killed the process too often; return the reply to send, see _run()."""
        if job["id"] not in self._begun:
            if job["attempts"] >= MAX_ATTEMPTS:
                log.error("job %d (%s) is given up: the process died during it", job["id"], job["name"])
                return Reply(texts.JOB_GIVEN_UP)
            journal.begin_job(job["id"])
            self._begun.add(job["id"])
        return self._run(job)

    def _retry_delay_s(self, job: JobRow, error: TelegramError) -> float | None:
        """Return the seconds until the next run of a job at which Telegram failed; None if it is given up."""
        journal.forget_job_attempts(job["user_id"])  # this run has ended by itself
        self._begun.discard(job["id"])
        failures = self._failures.setdefault(job["user_id"], Failures())
        failures.add(error)
        if failures.is_hopeless(partial(self._outbox.accepts_calls, job["chat_id"], job["thread_id"])):
            log.error("job %d (%s) is given up: Telegram fails at its file", job["id"], job["name"])
            return None
        return failures.retry_delay_s(job["chat_id"], error)

    def _record(self, job: JobRow, reply: Reply | None) -> None:
        """Remove a job that is done, and put what is left to send into the outbox."""
        with storage.transaction():
            journal.finish_job(job["id"])
            if reply is not None:
                self._outbox.put(job["chat_id"], reply, job["reply_to"], job["thread_id"])
        del self._unrecorded[job["user_id"]]
        self._begun.discard(job["id"])
        self._failures.pop(job["user_id"], None)

    def _run(self, job: JobRow) -> Reply | None:
        """Run a job; return the reply to send, None after a file that is sent already."""
        try:
            result = self._handlers[job["name"]](job)
        except Exception as error:
            if isinstance(error, TelegramError) or storage.is_unavailable(error):
                raise
            log.exception("job %d (%s) failed", job["id"], job["name"])
            return Reply(texts.FAILED)
        if isinstance(result, File):
            return self._send_file(job, result)
        return Reply(result) if isinstance(result, str) else result

    def _send_file(self, job: JobRow, file: File) -> Reply | None:
        """Send a file; return the reply to send in its place if Telegram refuses it."""
        method = "sendPhoto" if file.is_photo else "sendDocument"
        params: dict[str, Any] = {"chat_id": job["chat_id"], "caption": file.caption}
        if job["thread_id"] is not None:
            params["message_thread_id"] = job["thread_id"]
        if job["reply_to"] is not None:
            params["reply_parameters"] = {"message_id": job["reply_to"], "allow_sending_without_reply": True}
        try:
            self._telegram.pacing.count_message(job["chat_id"])
            self._telegram.call(method, params, file)
        except TelegramError as error:
            if error.migrate_to_chat_id is not None:
                self._on_chat_migrated(job["chat_id"], error.migrate_to_chat_id)
                raise
            if not error.is_final:
                raise
            is_blocked = error.status == 403  # people block bots and leave groups every day
            level = logging.INFO if is_blocked else logging.WARNING
            log.log(level, "chat %d: %s refused: %s", job["chat_id"], method, error)
            if is_blocked:
                return None
            return Reply(file.caption if file.is_photo else texts.FILE_REFUSED)
        finally:
            file.content.close()
        return None
