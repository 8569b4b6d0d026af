"""docs: the names on the pages exist, and a reader who follows a page gets what it promises.

- the pages and the picture of the architecture name existing files, functions and classes, in both languages
- docs/add-a-command.md, followed to the letter in a copy of the project: its test and all checks pass
- requirements.txt, the locks and constraints.txt pin the same versions
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
TRANSLATED_PAGES = ["architecture.md", "add-a-command.md", "settings.md", "hosting.md", "commands.md"]
PAGES = [*TRANSLATED_PAGES, *(f"ru/{page}" for page in TRANSLATED_PAGES)]
NAME = re.compile(r"(?P<file>[\w./-]+\.(?:py|sql|md|svg)|[\w./-]+/)(?:: (?P<name>[\w.]+))?")


# The names on the pages exist


def read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def code_spans(page: str) -> list[str]:
    """Return what a page formats as code within its lines: the names are among them."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", read(page), flags=re.DOTALL))


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


def find_file(name: str) -> Path | None:
    """Return a file or folder by its path, a file of the sandbox also by its bare name."""
    candidates = [ROOT / name, *(ROOT.glob(f"sandbox/**/{name}") if "/" not in name.rstrip("/") else [])]
    return next((path for path in candidates if path.exists()), None)


def exists(match: re.Match[str]) -> bool:
    path = find_file(match["file"])
    return path is not None and (match["name"] is None or match["name"] in names_in(path))


@pytest.mark.parametrize("page", PAGES)
def test_the_names_on_a_page_exist(page: str) -> None:
    names = [match for match in map(NAME.fullmatch, code_spans(page)) if match and match["name"]]
    assert [match[0] for match in names if not exists(match)] == []


@pytest.mark.parametrize("page", ["architecture.md", "ru/architecture.md"])
def test_the_architecture_page_names_only_what_exists(page: str) -> None:
    names = [match for match in map(NAME.fullmatch, code_spans(page)) if match]
    assert [match[0] for match in names if not exists(match)] == []
    assert len([match for match in names if match["name"]]) > 20
    files = [span for span in code_spans(page) if re.search(r"\.(py|sql)\b", span)]
    assert [span for span in files if not NAME.fullmatch(span)] == [], "written so that no test can check it"


@pytest.mark.parametrize("page", TRANSLATED_PAGES)
def test_both_languages_name_the_same_things(page: str) -> None:
    assert sorted(code_spans(page)) == sorted(code_spans(f"ru/{page}"))
    blocks = [re.findall(r"```.*?```", read(name), re.DOTALL) for name in (page, f"ru/{page}")]
    without_comments = [[re.sub(r"  +# .*|<.*?>", "", block) for block in part] for part in blocks]
    assert without_comments[0] == without_comments[1]


@pytest.mark.parametrize("name", ["nowhere.py", "bot.py: nothing", "db.py: Polling.start", "telegram/nowhere/"])
def test_a_wrong_name_is_detected(name: str) -> None:
    match = NAME.fullmatch(name)
    assert match
    assert not exists(match)


def test_the_names_in_the_picture_exist() -> None:
    picture = read("architecture.svg")
    files = set(re.findall(r"\w+\.(?:py|sql)\b", picture))
    # bot.py, db.py and journal.py stand for their parts, and the client for the modules of gateways
    parts = {path.name for name in ("bot", "db", "journal", "gateway") for path in ROOT.glob(f"{name}_*.py")}
    assert files >= {path.name for path in ROOT.glob("*.py")} - parts
    folders = [ROOT, *(ROOT / folder for folder in ("telegram", "llm", "notes", "app"))]
    assert [name for name in files if not any((folder / name).exists() for folder in folders)] == []
    assert [folder for folder in re.findall(r">(\w+/)<", picture) if not (ROOT / folder).is_dir()] == []


@pytest.mark.parametrize("page", [*PAGES, "guarantees.md", "benchmarks.md", "../README.md", "../CONTRIBUTING.md"])
def test_the_files_on_a_page_exist_or_will_be_created(page: str) -> None:
    created = {step.file for step in steps(page)} | {"migrations/N.sql"}
    files = [span for span in code_spans(page) if re.fullmatch(r"[\w./-]+\.(py|sql|md|svg|txt|lock)", span)]
    assert files or page.endswith(("settings.md", "commands.md", "benchmarks.md", "guarantees.md"))
    assert [file for file in files if file not in created and find_file(file) is None] == []


# A reader follows docs/add-a-command.md

# "In `bot.py`, add before the line `def …`:" or "Create `tests/….py`:", then the code
STEP = re.compile(
    r"`(?P<file>[\w./]+)`[^`\n]*(?:`(?P<line>[^`\n]+)…`[^`\n]*)?:\n\n *```python\n(?P<code>.*?)\n *```\n",
    re.DOTALL,
)
REMINDERS = [  # the tests that tell a reader what is still missing
    "tests/test_architecture.py",
    "tests/test_readme.py",
    "tests/test_docs.py",
    "tests/test_bot.py",
]
NO_REMINDERS = ["follows_the_page", "fails_without", "tables_are_noticed", "any_text"]  # slow tests in these files


class Step(NamedTuple):
    file: str
    line: str  # the beginning of the line before which the code is inserted; "" for a new file
    code: str

    def follow(self, folder: Path) -> None:
        path = folder / self.file
        if not self.line:
            assert not path.exists()
            path.write_text(self.code, encoding="utf-8")
            return
        text = path.read_text(encoding="utf-8")
        [position] = [match.start() for match in re.finditer(f"^{re.escape(self.line)}", text, re.MULTILINE)]
        path.write_text(f"{text[:position]}{self.code}\n\n{text[position:]}", encoding="utf-8")

    def undo(self, folder: Path) -> None:
        """Remove the code again, if it is there."""
        path = folder / self.file
        if not self.line:
            path.unlink(missing_ok=True)
        else:
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace(f"{self.code}\n\n", ""), encoding="utf-8")


def steps(page: str) -> list[Step]:
    """Return the edits that a page asks for."""
    return [
        Step(match["file"], match["line"] or "", dedent(match["code"]) + "\n")
        for match in STEP.finditer(read(page))
    ]


def commands(page: str) -> list[str]:
    """Return the command lines that a page asks to run."""
    [block] = re.findall(r"```sh\n(.*?)```", read(page), re.DOTALL)
    return dedent(block).split("\n")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the project as it was before a reader followed the page."""
    copy = tmp_path / "project"
    ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "*.db*", "*.png")
    shutil.copytree(ROOT, copy, ignore=ignored)
    for name in ("chat.png", "chat-dark.png"):  # links lead to them
        (copy / "docs" / name).touch()
    for step in steps("add-a-command.md"):
        step.undo(copy)
    if "def note_random(" in (copy / "bot.py").read_text(encoding="utf-8"):
        pytest.skip("somebody has followed the page and then changed the example")
    assert run(copy, sys.executable, "-m", "docs.update_commands")[0] == 0
    return copy


def run(project: Path, *command: str) -> tuple[int, str]:
    """Run a command in the copy; return its exit code and its output."""
    # Cached bytecode does not notice an edit of the same length within a second.
    env = {**os.environ, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(
        command, cwd=project, env=env, capture_output=True, encoding="utf-8", timeout=5 * PATIENCE_S
    )
    return result.returncode, result.stdout + result.stderr


def run_tests(project: Path, *arguments: str) -> tuple[int, str]:
    """Run tests in the copy; the exit code is 1 if tests ran and failed."""
    return run(project, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments)


def test_the_page_is_short() -> None:
    page = read("add-a-command.md")
    assert [step.file for step in steps("add-a-command.md")] == [
        "db.py",
        "texts.py",
        "notes/note_card.py",
        "bot.py",
        "bot_buttons.py",
        "tests/test_note_random.py",
    ]
    assert page.count("```python") == len(steps("add-a-command.md"))
    for step in steps("add-a-command.md"):
        assert len([line for line in step.code.splitlines() if line]) <= 20


def test_the_page_is_the_same_in_both_languages() -> None:
    assert steps("add-a-command.md") == steps("ru/add-a-command.md")
    assert commands("add-a-command.md") == commands("ru/add-a-command.md")


def test_a_reader_who_follows_the_page_has_the_command_and_passes_all_checks(project: Path) -> None:
    for step in steps("add-a-command.md"):
        step.follow(project)
    update, test, gate = [line for line in commands("add-a-command.md") if line]
    assert gate == ".ci/run"
    for line in (update, test):
        code, output = run(project, *line.replace(".venv/bin/python", sys.executable).split())
        assert code == 0, output
    assert "`/note_random`" in (project / "README.md").read_text(encoding="utf-8")
    code, output = run_tests(project, *REMINDERS, "-k", f"not {' and not '.join(NO_REMINDERS)}")
    assert code == 0, output
    changed = [step.file for step in steps("add-a-command.md")]
    for check in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy", f"--cache-dir={ROOT}/.mypy_cache"]):
        code, output = run(project, sys.executable, "-m", *check, *changed)
        assert code == 0, output


def test_the_outdated_tables_are_noticed(project: Path) -> None:
    for step in steps("add-a-command.md"):
        step.follow(project)
    code, output = run_tests(project, "tests/test_readme.py", "-k", "up_to_date")
    assert code == 1, output
    assert "python -m docs.update_commands" in output


def test_the_test_on_the_page_fails_without_the_code_on_the_page(project: Path) -> None:
    for step in steps("add-a-command.md"):
        if step.file != "bot.py":
            step.follow(project)
    code, output = run_tests(project, "tests/test_note_random.py")
    assert code == 1, output
    assert "2 failed" in output


# The requirements pin the same versions


def pins(name: str) -> set[str]:
    """Return the `package==version` of a requirements file, with the package's normalized name."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = re.findall(r"^([A-Za-z][\w.-]*)==([\w.]+)", text, re.MULTILINE)
    return {f"{re.sub(r'[-_.]+', '-', package).lower()}=={version}" for package, version in found}


def test_the_requirements_and_their_locks_agree() -> None:
    assert pins("requirements.txt") < pins("requirements.lock") <= pins("constraints.txt")
    assert pins("requirements-dev.txt") | pins("requirements.lock") < pins("requirements-dev.lock")
    assert pins("constraints.txt") == pins("requirements-dev.lock")


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-replica.txt"])
def test_every_direct_dependency_is_pinned_and_explained(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    dependencies = [line for line in lines if line and line[0] not in "#-"]
    assert dependencies
    assert [line for line in dependencies if not re.fullmatch(r"[\w-]+==[\w.]+ +# \S.*", line)] == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_package_of_a_lock_has_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    packages = re.findall(r"^[a-z][^\n]*\\\n {4}--hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert len(packages) == len(re.findall(r"^[a-z]", text, re.MULTILINE))
    assert not re.search(r"https?://|index-url|file:", text)


# The index


def test_the_index_lists_every_page() -> None:
    pages = {path.relative_to(DOCS).as_posix() for path in [*DOCS.rglob("*.md"), DOCS / "insomnia.yaml"]}
    indexes = {"README.md", "ru/README.md"}
    exercises = {page for page in pages if page.startswith("ru/exercises/") and not page.endswith("README.md")}
    translations = {f"ru/{page}" for page in TRANSLATED_PAGES}
    assert links_of("README.md") == pages - indexes - exercises - translations | {"ru/README.md"}
    assert links_of("ru/README.md") == pages - indexes - exercises - set(TRANSLATED_PAGES) | {"README.md"}


def links_of(index: str) -> set[str]:
    """Return the pages that an index links to; each has one line, with a description."""
    found = re.findall(r"^(?:- )?\[[^]]+\]\(([^)]+)\)(: \S.*)?$", read(index), re.MULTILINE)
    assert [page for page, description in found if not description and not page.endswith("README.md")] == []
    assert len({page for page, _ in found}) == len(found)
    folder = (DOCS / index).parent
    return {Path(os.path.relpath((folder / page).resolve(), DOCS)).as_posix() for page, _ in found}
