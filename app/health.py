"""The state of the bot for monitors, over HTTP: /health and /metrics (Prometheus).

It contains numbers only: nothing that a person wrote, and no ids.
"""

import json
import logging
import math
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any, NamedTuple

import clock
import config
import db
import journal
import storage
import texts
from config import SetupError
from telegram.heartbeat import Heartbeat

log = logging.getLogger(__name__)

MAX_FETCH_AGE_S = 120.0  # a long poll takes 25 s; after this, the bot counts as cut off from Telegram
CLIENT_TIMEOUT_S = 5.0


class Metric(NamedTuple):
    """A number for Prometheus. One whose name ends in _total only grows, except at a restart."""

    name: str
    help: str
    value: float


class Health:
    """Knows the state of the running bot."""

    def __init__(self, heartbeat: Heartbeat, count_dropped_replies: Callable[[], int]) -> None:
        self._heartbeat = heartbeat
        self._count_dropped_replies = count_dropped_replies
        self._started_at = clock.now()

    def is_polling(self) -> bool:
        """Return whether Telegram has recently answered a getUpdates call."""
        return self._heartbeat.seconds_since_fetch() <= MAX_FETCH_AGE_S

    def summary(self) -> dict[str, Any]:
        """Describe the state in a few words and numbers; null is unknown or nothing."""
        age_s = self._heartbeat.seconds_since_fetch()
        waiting = journal.waiting()
        return {
            "status": "ok" if self.is_polling() else "not polling",
            "seconds_since_fetch": None if math.isnan(age_s) else round(age_s, 1),
            "oldest_reply_seconds": _age_s(waiting["oldest_reply_at"]),
            "replies_waiting": waiting["replies"],
            "questions_waiting": waiting["questions"],
        }

    def metrics(self) -> list[Metric]:
        """Return the numbers for Prometheus."""
        waiting = journal.waiting()
        return [
            Metric("polling_up", "1 if Telegram has recently answered getUpdates.", self.is_polling()),
            Metric("fetch_age_seconds", "Since Telegram answered.", self._heartbeat.seconds_since_fetch()),
            Metric("updates_total", "Updates handled since the start.", self._heartbeat.updates),
            Metric("replies_waiting", "Replies that wait to be sent.", waiting["replies"]),
            Metric("oldest_reply_age_seconds", "0 if none waits.", _age_s(waiting["oldest_reply_at"]) or 0),
            Metric("replies_dropped_total", "Replies at which Telegram failed.", self._count_dropped_replies()),
            Metric("questions_waiting", "Questions that wait for a model.", waiting["questions"]),
            Metric("questions_total", "Questions ever asked.", storage.rows_ever_added("questions")),
            Metric("jobs_waiting", "Exports, imports and other jobs that wait.", waiting["jobs"]),
            Metric("notes", "Notes that exist.", db.note_totals()["notes"]),
            Metric("notes_total", "Notes ever added.", storage.rows_ever_added("notes")),
            Metric("database_bytes", "Size of the database with its write-ahead log.", storage.size()),
            Metric("start_time_seconds", "When the bot was started, in Unix seconds.", self._started_at),
        ]


class HealthServer(TCPServer):
    """Serves the state at an address, on a thread of its own, until the process ends.

    Not HTTPServer: that looks up the name of the address, which takes long where there is no name server.
    """

    allow_reuse_address = sys.platform != "win32"  # there, it would allow two servers at one port

    def __init__(self, health: Health, address: tuple[str, int]) -> None:
        """Open the port; SetupError if that is impossible."""
        try:
            super().__init__(address, _handler_of(health))
        except OSError as error:
            raise SetupError(texts.health_port_unusable(address[0], address[1])) from error

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self.serve_forever, name="health", daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that has gone away."""


def prometheus_text(metrics: list[Metric]) -> str:
    """Write metrics in the text format of Prometheus."""
    lines = ["# TYPE notes_bot_info gauge", f'notes_bot_info{{version="{config.VERSION}"}} 1']
    for name, description, value in metrics:
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [
            f"# HELP notes_bot_{name} {description}",
            f"# TYPE notes_bot_{name} {kind}",
            f"notes_bot_{name} {'NaN' if math.isnan(value) else format(value, '.15g')}",
        ]
    return "\n".join(lines) + "\n"


def _age_s(moment: int | None) -> int | None:
    return None if moment is None else max(0, clock.now() - moment)


def _handler_of(health: Health) -> type[BaseHTTPRequestHandler]:
    """Return the class that the server instantiates for each request."""

    class Handler(BaseHTTPRequestHandler):
        timeout = CLIENT_TIMEOUT_S
        server_version, sys_version = "notes-bot", ""

        def do_GET(self) -> None:
            try:
                status, content_type, body = _respond(health, self.path)
            except Exception as error:
                if not storage.is_unavailable(error):
                    log.exception("the state of the bot cannot be read")
                status, content_type, body = HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", "database unavailable\n"
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: a monitor asks again and again."""

    return Handler


def _respond(health: Health, path: str) -> tuple[HTTPStatus, str, str]:
    """Return the status, the content type and the body of a response."""
    if path == "/health":
        status = HTTPStatus.OK if health.is_polling() else HTTPStatus.SERVICE_UNAVAILABLE
        return status, "application/json", json.dumps(health.summary()) + "\n"
    if path == "/metrics":
        return HTTPStatus.OK, "text/plain; version=0.0.4", prometheus_text(health.metrics())
    return HTTPStatus.NOT_FOUND, "text/plain", "/health or /metrics\n"
