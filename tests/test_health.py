"""app.health, app.systemd and telegram.heartbeat: what monitors and systemd learn about the bot.

- /health and /metrics of the real process, while Telegram answers, while it does not, and without a database
- the format of Prometheus' text (https://prometheus.io/docs/instrumenting/exposition_formats/)
- the messages of sd_notify(3) that the real process sends
- a polling thread that is stuck, and one that only waits
"""

import json
import re
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import BotProcess, Person, eventually

import config
import journal
import storage
from app import health, systemd
from app.health import Health, HealthServer
from app.systemd import Watchdog
from sandbox.openrouter import EmulatedGateway
from sandbox.telegram import Faults, World
from telegram import heartbeat
from telegram.heartbeat import Heartbeat

MakePerson = Callable[..., Person]
ANN = 987_654_321


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> tuple[int, str]:
    """Return the status and the body of a response; status 0 if nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except urllib.error.URLError:
        return 0, ""


def read_metrics(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.MULTILINE)}


@pytest.fixture
def port(bot_process: BotProcess) -> int:
    port = free_port()
    bot_process.env["HEALTH_PORT"] = str(port)
    return port


def test_a_monitor_sees_how_the_bot_does(
    bot_process: BotProcess, port: int, person: MakePerson, gateway: EmulatedGateway
) -> None:
    bot_process.start()
    ann = person(ANN)
    ann.asks("/note_add секретное слово")
    ann.asks("/note_add второе")
    ann.asks("/note_del 2")
    gateway.think_s = 600
    ann.says("/ask секретный вопрос")
    eventually(lambda: gateway.requests)
    eventually(lambda: get(port, "/health")[0] == 200)
    state = json.loads(get(port, "/health")[1])
    assert state["seconds_since_fetch"] >= 0
    del state["seconds_since_fetch"]
    assert state == {
        "status": "ok",
        "oldest_reply_seconds": None,
        "replies_waiting": 0,
        "questions_waiting": 1,
    }
    text = get(port, "/metrics")[1]
    metrics = read_metrics(text)
    expected = {"polling_up": 1, "updates_total": 4, "questions_waiting": 1, "questions_total": 1}
    expected |= {"notes": 1, "notes_total": 2, "jobs_waiting": 0, "replies_dropped_total": 0}
    assert {name: metrics[f"notes_bot_{name}"] for name in expected} == expected
    assert metrics["notes_bot_database_bytes"] > 10_000
    assert abs(metrics["notes_bot_start_time_seconds"] - time.time()) < 600
    assert 'notes_bot_info{version="1.0"} 1\n' in text
    assert "секрет" not in text
    assert str(ANN) not in text
    assert get(port, "/")[0] == 404
    assert bot_process.stop() == 0
    assert "GET /" not in bot_process.log


def test_waiting_replies_are_counted(bot_process: BotProcess, port: int, person: MakePerson, world: World) -> None:
    world.faults.bad_gateway, world.faults.methods = 1.0, frozenset(["sendMessage"])
    bot_process.start()
    person(ANN).says("/note_add раз")
    eventually(lambda: '"replies_waiting": 1' in get(port, "/health")[1])
    eventually(lambda: json.loads(get(port, "/health")[1])["oldest_reply_seconds"] >= 1)
    assert read_metrics(get(port, "/metrics")[1])["notes_bot_oldest_reply_age_seconds"] >= 1


@pytest.mark.usefixtures("database")
def test_without_a_database_the_bot_is_not_healthy(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    beat = Heartbeat()
    beat.record_fetch()
    with HealthServer(Health(beat, lambda: 0), ("127.0.0.1", port)) as server:
        server.start()
        assert get(port, "/health")[0] == 200
        storage.execute("ALTER TABLE outbox RENAME TO elsewhere")
        assert get(port, "/health") == (503, "database unavailable\n")
        assert "the state of the bot cannot be read" in caplog.text
        storage.execute("ALTER TABLE elsewhere RENAME TO outbox")
        assert get(port, "/metrics")[0] == 200
        server.shutdown()


def test_a_port_that_is_taken_is_reported(bot_process: BotProcess, port: int) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        assert bot_process.start().wait() == 2
    assert f"HEALTH_PORT: не удалось открыть 127.0.0.1:{port}." in bot_process.log
    assert "Traceback" not in bot_process.log


@pytest.mark.usefixtures("database")
def test_the_text_has_the_format_of_prometheus() -> None:
    text = health.prometheus_text(Health(Heartbeat(), lambda: 0).metrics())
    assert text.endswith("\n")
    names = set()
    for line in text.splitlines():
        match = re.fullmatch(
            r"# HELP (?P<help>[a-z_]+) [^\\]+|# TYPE (?P<type>[a-z_]+) (counter|gauge)"
            r'|(?P<name>[a-z_]+)(\{version="[\d.]+"\})? (NaN|[\d.]+(e[+-]?\d+)?)',
            line,
        )
        assert match, line
        names |= {match["name"]} - {None}
    assert len(names) == len(re.findall("^# TYPE", text, re.MULTILINE))
    assert "notes_bot_fetch_age_seconds NaN\n" in text


@pytest.mark.usefixtures("database")
def test_a_bot_that_telegram_does_not_answer_is_not_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    beat = Heartbeat()
    state = Health(beat, lambda: 0)
    assert state.summary()["status"] == "not polling"
    beat.record_fetch()
    assert state.summary()["status"] == "ok"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + health.MAX_FETCH_AGE_S + 1)
    assert state.summary() == {
        "status": "not polling",
        "seconds_since_fetch": health.MAX_FETCH_AGE_S + 1,
        "oldest_reply_seconds": None,
        "replies_waiting": 0,
        "questions_waiting": 0,
    }


@pytest.mark.usefixtures("database")
def test_what_waits() -> None:
    assert journal.waiting() == {"replies": 0, "oldest_reply_at": None, "questions": 0, "jobs": 0}
    journal.add_job(1, 1, None, "export", {})
    assert journal.waiting()["jobs"] == 1


# A polling thread that is stuck


def test_a_step_that_does_not_end_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    beat = Heartbeat()
    assert not beat.is_stuck(), "it has not begun"
    beat.begin_step(35)
    now += 35 + heartbeat.MARGIN_S
    assert not beat.is_stuck()
    now += 1
    assert beat.is_stuck()
    beat.record_fetch()
    assert not beat.is_stuck()


# systemd


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """Listen as systemd does; return the growing list of what the bot has sent."""
    if sys.platform == "win32":
        pytest.skip("there is no systemd")
    received: list[str] = []

    def listen() -> None:
        while (message := listener.recv(100)) != b"the end":
            received.append(message.decode())

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "30000")
        thread = threading.Thread(target=listen)
        thread.start()
        yield received
        systemd.notify("the end")
        thread.join()


def test_the_process_tells_systemd_how_it_does(bot_process: BotProcess, messages: list[str]) -> None:
    bot_process.env |= {"NOTIFY_SOCKET": config.notify_socket(), "WATCHDOG_USEC": "30000"}
    bot_process.start()
    eventually(lambda: messages[:3] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"])
    eventually(lambda: "started as" in bot_process.log)
    assert bot_process.stop() == 0
    eventually(lambda: "STOPPING=1" in messages)
    assert set(messages[1 : messages.index("STOPPING=1")]) == {"WATCHDOG=1"}


def test_systemd_learns_of_a_stop_during_the_start(
    bot_process: BotProcess, messages: list[str], world: World
) -> None:
    world.faults = Faults(delay_s=600, methods=frozenset(["getMe"]))
    bot_process.env["NOTIFY_SOCKET"] = config.notify_socket()
    bot_process.start()
    eventually(lambda: world.calls)
    assert bot_process.stop() == 0
    eventually(lambda: "STOPPING=1" in messages)


def test_a_stuck_bot_stops_telling(messages: list[str], caplog: pytest.LogCaptureFixture) -> None:
    watchdog = Watchdog()
    watchdog.start()
    eventually(lambda: "WATCHDOG=1" in messages)
    watchdog.watch(lambda: True)
    eventually(lambda: "polling is stuck" in caplog.text)
    watchdog.stop()


def test_without_systemd_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    systemd.notify("READY=1")
    assert caplog.text == ""
    monkeypatch.setenv("NOTIFY_SOCKET", "@nobody-listens-here")
    systemd.notify("READY=1")
    assert "systemd is not reached" in caplog.text
