"""app.logs: neither secrets nor what a person wrote reach the log.

Not even in tracebacks, in uncaught exceptions, or in messages of libraries.
"""

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
from conftest import ROOT

from app import logs

TOKEN = "123456789:AAE-abcdefghijklmnopqrstuvwxyz_12345"
KEY = "sk-or-secret-key"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root, excepthook, thread_hook = logging.getLogger(), sys.excepthook, threading.excepthook
    handlers, level, unraisable_hook = root.handlers[:], root.level, sys.unraisablehook
    yield
    root.handlers[:], sys.excepthook, threading.excepthook = handlers, excepthook, thread_hook
    root.setLevel(level)
    sys.unraisablehook, logging.raiseExceptions = unraisable_hook, True
    logging.captureWarnings(False)
    for name in logs.OWN_LOGGERS:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_secrets_are_removed_from_messages_and_tracebacks(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start_logging("DEBUG", [TOKEN, KEY, ""])
    logging.getLogger("telegram.x").info("asked %s with %s", f"https://api.telegram.org/bot{TOKEN}/getMe", KEY)
    try:
        raise ValueError(f"bot{TOKEN.replace(':', '%3A')} {KEY}")
    except ValueError:
        logging.getLogger("telegram.x").exception("failed")
    written = capsys.readouterr().err
    assert "Traceback" in written
    assert "asked https://api.telegram.org/bot***/getMe with ***" in written
    assert TOKEN.split(":")[1] not in written
    assert KEY not in written


def test_uncaught_exceptions_are_logged_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start_logging("DEBUG", [TOKEN, KEY, ""])

    def fail() -> None:
        raise ValueError(TOKEN)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    sys.excepthook(ValueError, ValueError(KEY), None)
    written = capsys.readouterr().err
    assert written.count("uncaught exception") == 2
    assert TOKEN not in written
    assert KEY not in written


@pytest.mark.parametrize("level", ["DEBUG", "ERROR"])
def test_messages_of_libraries_are_left_out(capsys: pytest.CaptureFixture[str], level: str) -> None:
    logs.start_logging(level, [TOKEN, KEY, ""])
    for library in (
        "urllib3.connectionpool",
        "TeleBot",
        "requests",
        "matplotlib.font_manager",
        "PIL.PngImagePlugin",
    ):
        logging.getLogger(library).log(logging.WARNING if level == "ERROR" else logging.INFO, "text of a note")
    assert capsys.readouterr().err == ""


def test_the_telegram_library_logs_only_through_the_bots_handlers(capsys: pytest.CaptureFixture[str]) -> None:
    library = logging.getLogger("TeleBot")
    library.addHandler(logging.StreamHandler())  # as the library does when it is imported
    logs.start_logging("INFO", [TOKEN, KEY, ""])
    library.error("failed with %s", KEY)
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("ERROR TeleBot: failed with ***")


def _raise_chained() -> None:
    try:
        json.loads('{"секрет')
    except ValueError as error:
        raise RuntimeError("секрет") from error


def _raise_while_handling() -> None:
    try:
        dict[str, int]()["секрет"]
    except KeyError:
        _raise_with_note()


def _raise_with_note() -> None:
    error = ValueError("секрет")
    error.add_note("секрет")
    raise error


def _raise_in_a_circle() -> None:
    error, cause = ValueError("секрет"), KeyError("секрет")
    error.__cause__, cause.__cause__ = cause, error
    raise error


def _raise_group() -> None:
    raise ExceptionGroup("секрет", [ValueError("секрет")])


def _raise_in_sqlite() -> None:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute('SELECT "секрет" FROM nothing WHERE'.replace("nothing", "секрет"))
    finally:
        connection.close()


def _recurse() -> None:
    _recurse()


@pytest.mark.parametrize(
    "fail",
    [
        lambda: int("секрет"),
        lambda: "секрет".encode("ascii"),
        *(
            _raise_chained,
            _raise_while_handling,
            _raise_with_note,
            _raise_in_a_circle,
            _raise_group,
            _raise_in_sqlite,
            _recurse,
        ),
    ],
)
def test_an_exception_is_logged_only_with_its_type_and_stack(
    capsys: pytest.CaptureFixture[str], fail: Callable[[], object]
) -> None:
    logs.start_logging("DEBUG", [TOKEN, KEY, ""])
    try:
        fail()
    except Exception as error:
        logging.getLogger("telegram.x").exception("failed")
        kind = f"{type(error).__module__}.{type(error).__qualname__}"
    written = capsys.readouterr().err
    code = re.compile(r"^    .*$", re.MULTILINE)  # a line of source code
    assert "секрет" not in code.sub("", written)
    assert f"\n{kind}\n" in written
    assert "test_logs.py" in written
    assert len(written.splitlines()) < 120


def test_an_event_is_one_line_whatever_it_contains(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start_logging("DEBUG", [TOKEN, KEY, ""])
    for name in ("a\nb", "a\r\nb", "a\x0b\x0c\x1c\x85b", "a\u2028b\u2029", "\x1b[2Ka", "\u202ea", "\ud83d", "\0"):
        logging.getLogger("telegram.x").warning("sent by %s", name)
    written = capsys.readouterr().err
    lines = written.split("\n")
    assert lines == [*written.splitlines(), ""]
    assert len(lines) == 9
    assert all(line.isprintable() for line in lines)
    assert lines[0].endswith("sent by a\\nb")


def test_a_message_that_cannot_be_formatted_reveals_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start_logging("DEBUG", [TOKEN, KEY, ""])
    logging.getLogger("telegram.x").warning("chat %d", "секрет")
    assert "секрет" not in capsys.readouterr().err


class _FailsToClose:
    def __del__(self) -> None:
        raise ValueError("секрет")


def test_messages_of_python_itself_are_logged_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.start_logging("DEBUG", [TOKEN, KEY, ""])
        _FailsToClose()
        gc.collect()
        warnings.warn("first\nsecond", UserWarning, stacklevel=1)
    written = capsys.readouterr().err
    assert "секрет" not in re.sub(r"(?m)^    .*$", "", written)
    assert "uncaught exception" in written
    assert "first\\nsecond" in written


def test_recent_errors_are_counted_by_kind() -> None:
    error_log = logs.start_logging("INFO", [])
    assert error_log.recent() == []
    for n in range(3):
        logging.getLogger("telegram.x").warning("update %d failed", n)
    logging.getLogger("telegram.x").info("started")
    logging.getLogger("urllib3").error("text of a note %s", 1)
    kinds = [(kind, count) for kind, count, _ in error_log.recent()]
    assert kinds == [("urllib3", 1), ("telegram.x: update %d failed", 3)]
    for n in range(10):
        logging.getLogger("app").error(f"kind {n}")
    assert [kind for kind, _, _ in error_log.recent()] == [f"app: kind {n}" for n in range(9, 4, -1)]


def test_the_modules_that_log_are_known() -> None:
    modules = {path.stem for path in ROOT.glob("*.py")}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    with_logger = {name for name in modules | packages if _has_logger(name)}
    with_logger |= {"bot"}  # for uncaught exceptions, see logs.py
    assert with_logger - {"sandbox", "bench", "docs"} == set(logs.OWN_LOGGERS)


def _has_logger(name: str) -> bool:
    files = [ROOT / f"{name}.py", *(ROOT / name).glob("*.py")]
    return any("getLogger(__name__)" in file.read_text(encoding="utf-8") for file in files if file.exists())
