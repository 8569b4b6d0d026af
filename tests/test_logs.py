"""logs: no secret gets out, nor what a person wrote; tracebacks and uncaught exceptions included."""

import gc
import json
import logging
import re
import sqlite3
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

import pytest

from runtime import logs

TOKEN = "123456789:AAE-abcdefghijklmnopqrstuvwxyz_12345"
KEY = "sk-or-secret-key"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root, excepthook, thread_hook = logging.getLogger(), sys.excepthook, threading.excepthook
    handlers, level, unraisable_hook = root.handlers[:], root.level, sys.unraisablehook
    yield
    root.handlers[:], sys.excepthook, threading.excepthook = handlers, excepthook, thread_hook
    root.setLevel(level)
    sys.unraisablehook, logging.raiseExceptions = unraisable_hook, True
    logging.captureWarnings(False)
    for name in logs.OURS:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_secrets_are_taken_out_of_messages_and_tracebacks(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("DEBUG", [TOKEN, KEY, ""])
    logging.getLogger("runtime.x").info("asked %s with %s", f"https://api.telegram.org/bot{TOKEN}/getMe", KEY)
    try:
        raise ValueError(f"bot{TOKEN.replace(':', '%3A')} {KEY}")
    except ValueError:
        logging.getLogger("runtime.x").exception("failed")
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


@pytest.mark.parametrize("level", ["DEBUG", "ERROR"])
def test_the_libraries_own_lines_are_left_out(capsys: pytest.CaptureFixture[str], level: str) -> None:
    logs.start(level, [TOKEN, KEY, ""])
    for library in (
        "urllib3.connectionpool",
        "TeleBot",
        "requests",
        "matplotlib.font_manager",
        "PIL.PngImagePlugin",
    ):
        logging.getLogger(library).log(logging.WARNING if level == "ERROR" else logging.INFO, "text of a note")
    assert capsys.readouterr().err == ""


def _chained() -> None:
    try:
        json.loads('{"секрет')
    except ValueError as error:
        raise RuntimeError("секрет") from error


def _while_handling() -> None:
    try:
        dict[str, int]()["секрет"]
    except KeyError:
        _noted()


def _noted() -> None:
    error = ValueError("секрет")
    error.add_note("секрет")
    raise error


def _in_a_circle() -> None:
    error, cause = ValueError("секрет"), KeyError("секрет")
    error.__cause__, cause.__cause__ = cause, error
    raise error


def _of_a_group() -> None:
    raise ExceptionGroup("секрет", [ValueError("секрет")])


def _of_sqlite() -> None:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute('SELECT "секрет" FROM nothing WHERE'.replace("nothing", "секрет"))
    finally:
        connection.close()


def _too_deep() -> None:
    _too_deep()


@pytest.mark.parametrize(
    "fail",
    [
        lambda: int("секрет"),
        lambda: "секрет".encode("ascii"),
        *(_chained, _while_handling, _noted, _in_a_circle, _of_a_group, _of_sqlite, _too_deep),
    ],
)
def test_of_an_exception_only_its_kind_and_place_are_told(
    capsys: pytest.CaptureFixture[str], fail: Callable[[], object]
) -> None:
    logs.start("DEBUG", [TOKEN, KEY, ""])
    try:
        fail()
    except Exception as error:
        logging.getLogger("runtime.x").exception("failed")
        kind = f"{type(error).__module__}.{type(error).__qualname__}"
    written = capsys.readouterr().err
    code = re.compile(r"^    .*$", re.MULTILINE)  # a line of source stands there as it is written
    assert "секрет" not in code.sub("", written)
    assert f"\n{kind}\n" in written
    assert "test_logs.py" in written
    assert len(written.splitlines()) < 120


def test_an_event_is_one_line_whatever_stands_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("DEBUG", [TOKEN, KEY, ""])
    for name in ("a\nb", "a\r\nb", "a\x0b\x0c\x1c\x85b", "a\u2028b\u2029", "\x1b[2Ka", "\u202ea", "\ud83d", "\0"):
        logging.getLogger("runtime.x").warning("said by %s", name)
    written = capsys.readouterr().err
    lines = written.split("\n")
    assert lines == [*written.splitlines(), ""]
    assert len(lines) == 9
    assert all(line.isprintable() for line in lines)
    assert lines[0].endswith("said by a\\nb")


def test_a_line_that_cannot_be_formatted_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("DEBUG", [TOKEN, KEY, ""])
    logging.getLogger("runtime.x").warning("chat %d", "секрет")
    assert "секрет" not in capsys.readouterr().err


class _FailsToDie:
    def __del__(self) -> None:
        raise ValueError("секрет")


def test_what_python_says_by_itself_goes_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.start("DEBUG", [TOKEN, KEY, ""])
        _FailsToDie()
        gc.collect()
        warnings.warn("first\nsecond", UserWarning, stacklevel=1)
    written = capsys.readouterr().err
    assert "секрет" not in re.sub(r"(?m)^    .*$", "", written)
    assert "nobody caught this" in written
    assert "first\\nsecond" in written
