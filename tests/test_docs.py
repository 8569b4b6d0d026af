"""docs/: what the pages say is so.

- every file and name that the picture of the house speaks of is there
- «Add a command» does what it says, in as few lines as it says, and its test can fail
"""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
COMMAND, TEST = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "add-a-command.md").read_text(encoding="utf-8"), re.DOTALL
)
BEFORE = '@command("note_find"'


def names_in(path: Path) -> set[str]:
    """Return the functions, classes and methods of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    methods = {
        f"{node.name}.{method.name}"
        for node in named
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, ast.FunctionDef)
    }
    return {node.name for node in named} | methods


@pytest.mark.parametrize(
    "named", sorted(set(re.findall(r"`([\w/]+\.py): ([\w.]+)`", ARCHITECTURE))), ids=": ".join
)
def test_a_name_of_the_architecture_is_there(named: tuple[str, str]) -> None:
    file, name = named
    assert name in names_in(ROOT / file)


def test_a_file_of_the_architecture_is_there() -> None:
    picture = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")
    told = re.findall(r"`([\w/]+\.(?:py|sql|svg))`", ARCHITECTURE) + re.findall(r"\b(\w+\.(?:py|sql))\b", picture)
    assert len(told) > 15
    assert [name for name in told if not (ROOT / name).exists() and not (ROOT / "runtime" / name).exists()] == []


def lines(code: str) -> int:
    return len([line for line in code.split("\n") if line.strip()])


def test_adding_a_command_takes_ten_lines_and_ten_for_its_test() -> None:
    assert lines(COMMAND) <= 10
    assert lines(TEST) <= 10


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Give a copy of the house, with the page's test in it."""
    for pattern in ("*.py", "*.sql", "*.toml", "runtime/*.py", "sandbox/*.py", ".env.example"):
        for path in ROOT.glob(pattern):
            target = tmp_path / "house" / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    (tmp_path / "house" / "tests").mkdir()
    for name in ("conftest.py", "test_bot.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "house" / "tests" / name)
    (tmp_path / "house" / "tests" / "test_note_last.py").write_text(TEST, encoding="utf-8")
    return tmp_path / "house"


def run_its_test(house: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_note_last.py"]
    return subprocess.run(command, cwd=house, capture_output=True, text=True, check=False)


def test_a_command_is_added_as_the_page_says(house: Path) -> None:
    assert run_its_test(house).returncode == 1  # not there yet
    bot = (house / "bot.py").read_text(encoding="utf-8")
    assert bot.count(BEFORE) == 1
    (house / "bot.py").write_text(bot.replace(BEFORE, f"{COMMAND}\n\n{BEFORE}"), encoding="utf-8")
    done = run_its_test(house)
    assert done.returncode == 0, done.stdout
    ruff = [sys.executable, "-m", "ruff"]
    assert subprocess.run([*ruff, "check", "bot.py"], cwd=house, check=False).returncode == 0
    assert subprocess.run([*ruff, "format", "--check", "bot.py"], cwd=house, check=False).returncode == 0
