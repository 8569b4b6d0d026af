"""docs: what the pages name exists, and what they tell a reader to do works.

- docs/architecture.md and its picture name files, functions and classes that are there
- docs/add-a-command.md, done to the letter in a copy of the house: its test passes, and fails without its code
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest
from conftest import PATIENCE_S, ROOT

DOCS = ROOT / "docs"
PAGE = (DOCS / "add-a-command.md").read_text(encoding="utf-8")
NAMED = re.compile(r"(?P<file>[\w./-]+\.(?:py|sql|md|svg)|[\w./-]+/)(?:: (?P<name>[\w.]+))?")
STEP = re.compile(
    r"Put this into `(?P<file>[^`]+)`(?:, directly before the line `(?P<before>[^`]+?)…`)?:\n"
    r"\n *```python\n(?P<code>.*?)\n *```\n",
    re.DOTALL,
)


# What is named is there


def spans(page: str) -> list[str]:
    """Return what a page sets as code within its lines: the names are among it."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def names_in(path: Path) -> set[str]:
    """Return the functions, classes, methods (`Class.method`) and values that a module defines."""
    found = set()
    module = ast.parse(path.read_text(encoding="utf-8"))
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
        if isinstance(node, ast.Assign):
            found |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    return found


def is_there(named: re.Match[str]) -> bool:
    path = ROOT / named["file"]
    return path.exists() and (named["name"] is None or named["name"] in names_in(path))


def test_what_the_architecture_page_names_is_there() -> None:
    named = [match for match in map(NAMED.fullmatch, spans("architecture.md")) if match]
    assert [match[0] for match in named if not is_there(match)] == []
    assert len([match for match in named if match["name"]]) > 20
    odd = [span for span in spans("architecture.md") if re.search(r"\.(py|sql)\b", span)]
    assert [span for span in odd if not NAMED.fullmatch(span)] == [], "written so that nobody looks for it"


@pytest.mark.parametrize("wrong", ["nowhere.py", "bot.py: nothing", "db.py: Polling.start", "runtime/nowhere/"])
def test_what_is_not_there_is_seen(wrong: str) -> None:
    match = NAMED.fullmatch(wrong)
    assert match
    assert not is_there(match)


def test_what_the_picture_names_is_there() -> None:
    picture = (DOCS / "architecture.svg").read_text(encoding="utf-8")
    files = set(re.findall(r"\w+\.(?:py|sql)\b", picture))
    assert files >= {path.name for path in ROOT.glob("*.py")}
    assert [name for name in files if not ((ROOT / name).exists() or (ROOT / "runtime" / name).exists())] == []


@pytest.mark.parametrize("page", ["architecture.md", "add-a-command.md"])
def test_a_link_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (DOCS / page).read_text(encoding="utf-8"))
    assert [link for link in links if not (DOCS / link).exists()] == []


@pytest.mark.parametrize("span", [span for span in spans("add-a-command.md") if NAMED.fullmatch(span)])
def test_a_file_of_the_other_page_is_there_or_is_to_be_made(span: str) -> None:
    to_be_made = {step.file for step in steps()} | {"migrations/N.sql"}
    assert span in to_be_made or (ROOT / span).exists()


# The page is done to the letter


class Step(NamedTuple):
    file: str
    before: str  # how the line begins that the code comes before; "" if the file is new
    code: str

    def do(self, folder: Path) -> None:
        path = folder / self.file
        if not self.before:
            assert not path.exists()
            path.write_text(self.code, encoding="utf-8")
            return
        text = path.read_text(encoding="utf-8")
        [place] = [match.start() for match in re.finditer(f"^{re.escape(self.before)}", text, re.MULTILINE)]
        path.write_text(f"{text[:place]}{self.code}\n\n{text[place:]}", encoding="utf-8")


def steps() -> list[Step]:
    """Return what the page tells to put where."""
    return [
        Step(match["file"], match["before"] or "", dedent(match["code"]) + "\n") for match in STEP.finditer(PAGE)
    ]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Give a copy of the house, with the tests that the page needs or names."""
    copy = tmp_path / "house"
    (copy / "tests").mkdir(parents=True)
    for path in [*ROOT.glob("*.py"), *(ROOT / name for name in ("schema.sql", "pyproject.toml", ".env.example"))]:
        shutil.copy(path, copy)
    for name in ("runtime", "sandbox", "migrations"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "test_bot.py", "test_architecture.py"):
        shutil.copy(ROOT / "tests" / name, copy / "tests")
    return copy


def outcome(house: Path, *what: str) -> tuple[int, str]:
    """Run tests there; return pytest's exit code (1 where tests ran and failed) and what it printed."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *what]
    env = {**os.environ, "PYTHONUTF8": "1"}
    ran = subprocess.run(command, cwd=house, env=env, capture_output=True, encoding="utf-8", timeout=PATIENCE_S)
    return ran.returncode, ran.stdout + ran.stderr


def test_the_page_is_short() -> None:
    assert [step.file for step in steps()] == ["bot.py", "tests/test_note_last.py"]
    assert PAGE.count("```python") == len(steps())
    assert all(len([line for line in step.code.splitlines() if line]) <= 10 for step in steps())


def test_who_does_what_the_page_says_has_the_command(house: Path) -> None:
    for step in steps():
        step.do(house)
    code, printed = outcome(house, "tests/test_note_last.py", "tests/test_architecture.py")
    assert code == 0, printed
    code, printed = outcome(house, "tests/test_bot.py", "-k", "one_table")
    assert code == 1, "the page says that the list of commands reminds of the new one"
    assert "note_last" in printed


def test_the_pages_test_fails_without_its_code(house: Path) -> None:
    for step in steps():
        if step.file != "bot.py":
            step.do(house)
    code, printed = outcome(house, "tests/test_note_last.py")
    assert code == 1, printed
    assert "1 failed" in printed
