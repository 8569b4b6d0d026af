"""The proofs can fail: each mistake below, put into a copy of the product, is found by the test named with it.

Runs with `-m long` only. A mistake whose `old` text is no longer in the product has to be written anew.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="the proofs need fork and POSIX signals"),
]

KILL, POWER, MACHINE = "tests/test_kill_points.py", "tests/test_power_loss.py", "tests/test_state_machine.py"
FAILED_HANDLER = "tests/test_crash.py::test_a_failed_handler_is_rolled_back_and_reported_once"


@dataclass(frozen=True)
class Mutant:
    """A mistake: in this file, each `old` text becomes the `new` one."""

    name: str
    found_by: tuple[str, ...]
    file: str
    changes: tuple[tuple[str, str], ...]


CONFIRM_FIRST = """\
        self._offset = max(by_id) + 1
        self._get_updates(1, 0, timeout_s=5)
        with storage.transaction():
            new_ids"""
ONE_TRANSACTION = "        with storage.transaction():\n"
SEND = "        try:\n            message = self._telegram.call(method, params)\n"

MUTANTS = [
    Mutant(
        "updates are confirmed before the commit",
        (KILL, POWER),
        "telegram/polling.py",
        ((ONE_TRANSACTION + "            new_ids", CONFIRM_FIRST),),
    ),
    Mutant(
        "repeated updates are not recognized",
        (KILL, MACHINE),
        "telegram/polling.py",
        (("sorted(journal.unhandled_updates(by_id))", "sorted(by_id)"),),
    ),
    Mutant(
        "a commit does not wait for the disk",
        (POWER,),
        "storage.py",
        (('synchronous: str = "FULL"', 'synchronous: str = "NORMAL"'),),
    ),
    Mutant(
        "an answer and its reply are stored in two transactions",
        (POWER,),
        "llm/answers.py",
        (
            (
                ONE_TRANSACTION + "            if result.ledger_row",
                "        if True:\n            if result.ledger_row",
            ),
            (
                ONE_TRANSACTION + "            journal.finish_question",
                "        if True:\n            journal.finish_question",
            ),
        ),
    ),
    Mutant(
        "a reply is removed from the outbox before it is sent",
        (KILL,),
        "telegram/outbox.py",
        ((SEND, "        journal.finish_replies([_sent(reply, remaining_calls)])\n" + SEND),),
    ),
    Mutant(
        "a failed handler is not rolled back",
        (FAILED_HANDLER,),
        "storage.py",
        (("        with _savepoint(own):\n            yield\n", "        yield\n"),),
    ),
    Mutant(
        "a note can be read with the number that somebody else's has",
        (MACHINE,),
        "db.py",
        (
            (
                '"SELECT * FROM notes WHERE user_id = ? AND number = ?", (user_id, number)',
                '"SELECT * FROM notes WHERE number = ? ORDER BY user_id <> ? DESC", (number, user_id)',
            ),
        ),
    ),
]


def apply(mutant: Mutant, folder: Path) -> None:
    """Copy the product to a folder and put the mistake into it."""
    ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "*.png")
    shutil.copytree(ROOT, folder, ignore=ignored)
    file = folder / mutant.file
    content = file.read_text(encoding="utf-8")
    for old, new in mutant.changes:
        assert content.count(old) == 1, f"{mutant.file} no longer contains {old!r} once"
        content = content.replace(old, new)
    file.write_text(content, encoding="utf-8")


@pytest.mark.parametrize(
    ("mutant", "test"), [pytest.param(m, test, id=f"{m.name}: {test}") for m in MUTANTS for test in m.found_by]
)
def test_a_mistake_is_found(mutant: Mutant, test: str, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    apply(mutant, folder)
    command = [
        sys.executable,
        "-m",
        "pytest",
        test,
        "-q",
        "-x",
        "-m",
        "long or not long",
        "-p",
        "no:cacheprovider",
    ]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stdout
    assert "1 failed" in result.stdout or "FAILED" in result.stdout, result.stdout
