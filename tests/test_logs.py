"""logs: no secret gets out, tracebacks and uncaught exceptions included."""

import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from runtime import logs

TOKEN = "123456789:AAE-abcdefghijklmnopqrstuvwxyz_12345"
KEY = "sk-or-secret-key"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root, excepthook, thread_hook = logging.getLogger(), sys.excepthook, threading.excepthook
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], sys.excepthook, threading.excepthook = handlers, excepthook, thread_hook
    root.setLevel(level)


def test_secrets_are_taken_out_of_messages_and_tracebacks(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("DEBUG", [TOKEN, KEY, ""])
    logging.getLogger("x").info("asked %s with %s", f"https://api.telegram.org/bot{TOKEN}/getMe", KEY)
    try:
        raise ValueError(f"bot{TOKEN.replace(':', '%3A')} {KEY}")
    except ValueError:
        logging.getLogger("x").exception("failed")
    written = capsys.readouterr().err
    assert "Traceback" in written
    assert "asked https://api.telegram.org/bot***/getMe with ***" in written
    assert TOKEN.split(":")[1] not in written
    assert KEY not in written


def test_what_nobody_catches_is_logged_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("DEBUG", [TOKEN, KEY, ""])

    def fail() -> None:
        raise ValueError(TOKEN)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    sys.excepthook(ValueError, ValueError(KEY), None)
    written = capsys.readouterr().err
    assert written.count("nobody caught this") == 2
    assert TOKEN not in written
    assert KEY not in written


def test_the_libraries_own_debug_lines_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("DEBUG", [TOKEN, KEY, ""])
    for library in ("urllib3.connectionpool", "TeleBot", "requests"):
        logging.getLogger(library).debug("text of a note")
    assert capsys.readouterr().err == ""
