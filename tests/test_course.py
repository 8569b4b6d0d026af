"""The pages for students of the course, docs/ru/slides.md and docs/ru/exercises/, say what is true.

- each slide and homework task of the course has its part, and every file, function and test on the page exists
- the statements of the slides do what the page says, in the table of the slides
- each exercise begins with a test that fails, and with a solution (tests/exercises/) the test passes
"""

import re
import shlex
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import ROOT
from test_docs import DOCS, NAME, code_spans, exists, names_in, read, run, run_tests, steps
from test_readme import ENGLISH, MAX_LINES

PAGE = "ru/slides.md"
SLIDES = [  # of the course, in its order; the numbers of the homework tasks are at the end
    *("Основы HTTP", "OpenRouter: авторизация и получение токена", "OpenRouter: бесплатные модели"),
    *("Insomnia: переменные окружения и POST-запрос", "Подготовка окружения", "Таблица моделей"),
    *("Только одна активная модель", "Список моделей в таблице", "Функция `list_models`"),
    *("Функция `get_active_model`", "Функция `set_active_model`", "Команда `/models`", "Команда `/model`"),
    *("Команды в списке команд", "Файл `openrouter_client.py`: ошибки"),
    *(
        "Файл `openrouter_client.py`: `chat_once`",
        "Команда `/ask`",
        "Функция `_build_messages`",
        "Домашняя работа",
    ),
]
TEST = re.compile(r"(?P<file>tests/\w+\.py)::(?P<name>test_\w+)")

# From the slides "СОЗДАНИЕ ТАБЛИЦЫ ДЛЯ ХРАНЕНИЯ МОДЕЛЕЙ" and "СОЗДАНИЕ ФУНКЦИЙ ДЛЯ РАБОТЫ С ДАННЫМИ".
TABLE = """
    CREATE TABLE IF NOT EXISTS models (
        id      INTEGER PRIMARY KEY,
        key     TEXT NOT NULL UNIQUE,
        label   TEXT NOT NULL,
        active  INTEGER NOT NULL DEFAULT 0 CHECK (active IN (0,1))
    );
    CREATE UNIQUE INDEX IF NOT EXISTS ux_models_single_active ON models(active) WHERE active=1;
"""
INSERT = "INSERT OR IGNORE INTO models(id, key, label, active) VALUES (?,?,?,?)"
SWITCH = "UPDATE models SET active=CASE WHEN id=? THEN 1 ELSE 0 END"


# The page


def test_every_slide_has_its_part() -> None:
    assert re.findall(r"^## (.+)$", read(PAGE), re.MULTILINE) == SLIDES
    homework = read(PAGE).rsplit("\n## ", 1)[1]
    assert re.findall(r"^\*\*(\d)\. ", homework, re.MULTILINE) == ["1", "2", "3"]


def test_every_part_says_where_to_look() -> None:
    for part in read(PAGE).split("\n## ")[1:]:
        assert TEST.search(part), part
        assert re.search(r"`[\w./]+\.(py|sql|yaml)", part), part


def test_every_part_says_what_is_new_and_where_it_is() -> None:
    parts = read(PAGE).split("\n## ")[1:-1]  # the last one is the homework
    for label in ("Что нового", "Где в коде"):
        assert [part.split("\n")[0] for part in parts if f"\n**{label}.**" not in part] == []


def test_every_name_on_the_page_exists() -> None:
    names = [match for match in map(NAME.fullmatch, code_spans(PAGE)) if match]
    assert [match[0] for match in names if not exists(match)] == []
    assert len([match for match in names if match["name"]]) > 50


def test_every_test_on_the_page_exists() -> None:
    tests = TEST.findall(read(PAGE))
    assert [f"{file}::{name}" for file, name in tests if name not in names_in(ROOT / file)] == []
    assert len(set(tests)) > 30
    unchecked = [span for span in code_spans(PAGE) if "test_" in span and not TEST.fullmatch(span)]
    assert unchecked == [], "written so that no test can check it"


# The traps


@pytest.fixture
def slides() -> Iterator[sqlite3.Connection]:
    """Return a database with the table of the slides and the first two of its models."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(TABLE)
        connection.execute(INSERT, (1, "deepseek/deepseek-chat-v3.1:free", "DeepSeek V3.1 (free)", 1))
        connection.execute(INSERT, (2, "deepseek/deepseek-r1:free", "DeepSeek R1 (free)", 0))
        yield connection


def test_the_case_update_fails_on_the_way_down(slides: sqlite3.Connection) -> None:
    slides.execute(SWITCH, (2,))
    with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE constraint failed: models\.active"):
        slides.execute(SWITCH, (1,))


def test_insert_or_ignore_hides_mistakes(slides: sqlite3.Connection) -> None:
    slides.execute(INSERT, (3, "deepseek/deepseek-r1:free", "the same key again", 0))
    slides.execute(INSERT, (4, "vendor/model:free", None, 0))
    slides.execute(INSERT, (5, "vendor/other:free", "a second active model", 1))
    slides.execute(INSERT, (2, "deepseek/deepseek-r1:free", "a new label", 0))
    labels = slides.execute("SELECT label FROM models ORDER BY id").fetchall()
    assert labels == [("DeepSeek V3.1 (free)",), ("DeepSeek R1 (free)",)]


def test_if_not_exists_adds_no_column(slides: sqlite3.Connection) -> None:
    slides.executescript(TABLE.replace("label ", "gateway TEXT NOT NULL, label "))
    columns = [column[1] for column in slides.execute("PRAGMA table_info(models)")]
    assert columns == ["id", "key", "label", "active"]


def test_only_a_strict_table_refuses_a_word_for_a_number(slides: sqlite3.Connection) -> None:
    slides.execute("CREATE TABLE usual (number INTEGER)")
    slides.execute("INSERT INTO usual VALUES ('да')")
    assert slides.execute("SELECT number FROM usual").fetchall() == [("да",)]
    slides.execute("CREATE TABLE strict (number INTEGER) STRICT")
    with pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT value in INTEGER column"):
        slides.execute("INSERT INTO strict VALUES ('да')")
    with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed"):
        slides.execute("UPDATE models SET active = 'да'")


# The exercises

EXERCISES = sorted(path.stem for path in (DOCS / "ru" / "exercises").glob("[0-9]-*.md"))
SOLUTIONS = ROOT / "tests" / "exercises"
COMMAND = re.compile(r'^@router\.command\("(\w+)"', re.MULTILINE)
EDIT = re.compile(r"^@@ (?P<file>\S+)(?: (?P<kind>before|replace) (?P<line>.+))?$", re.MULTILINE)


def test_every_exercise_has_a_solution_and_is_listed() -> None:
    assert [name[0] for name in EXERCISES] == ["1", "2", "3", "4", "5"]
    assert sorted(path.stem for path in SOLUTIONS.iterdir()) == EXERCISES
    assert re.findall(r"\]\((\d-\w+)\.md\)", read("ru/exercises/README.md")) == EXERCISES


@pytest.mark.parametrize("page", [f"ru/exercises/{name}.md" for name in ("README", *EXERCISES)])
def test_every_name_on_a_page_of_the_exercises_exists(page: str) -> None:
    created = [step.file for step in steps(page)] + ["tests/test_exercise_1.py"]
    names = [match for match in map(NAME.fullmatch, code_spans(page)) if match]
    assert [match[0] for match in names if match["file"] not in created and not exists(match)] == []
    assert [name for file, name in TEST.findall(read(page)) if name not in names_in(ROOT / file)] == []


def test_the_readme_has_room_for_the_commands_of_a_student() -> None:
    solutions = [path.read_text(encoding="utf-8") for path in SOLUTIONS.iterdir()]
    code = "\n".join([*solutions, *(step.code for step in steps("add-a-command.md"))])
    added = set(COMMAND.findall(code)) - set(COMMAND.findall((ROOT / "bot.py").read_text(encoding="utf-8")))
    assert len(ENGLISH.splitlines()) + len(added) <= MAX_LINES, "each command is a line of its table"


def apply_solution(name: str, project: Path) -> None:
    """Make the edits of a solution: lines go before a line that begins like this, or in place of a line."""
    parts = EDIT.split((SOLUTIONS / f"{name}.txt").read_text(encoding="utf-8"))[1:]
    for file, kind, line, code in zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True):
        path, code = project / file, code.removeprefix("\n")
        if kind is None:
            assert not path.exists()
            path.write_text(code, encoding="utf-8")
            continue
        ending = "" if kind == "before" else r"\n"
        text = path.read_text(encoding="utf-8")
        [place] = re.finditer(f"^{re.escape(line)}{ending}", text, re.MULTILINE)
        rest = text[place.start() if kind == "before" else place.end() :]
        path.write_text(text[: place.start()] + code + rest, encoding="utf-8")


def copy_project(copy: Path) -> Path:
    """Copy what the tests of the exercises need."""
    ignored = shutil.ignore_patterns("__pycache__", "*.png", "*.db*", "web", "samples")
    for name in ("app", "docs", "llm", "migrations", "notes", "sandbox", "telegram", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for path in [
        *ROOT.glob("*.py"),
        *ROOT.glob("*.md"),
        *ROOT.glob("*.sql"),
        *ROOT.glob("*.toml"),
        ROOT / ".env.example",
    ]:
        shutil.copy(path, copy)
    return copy


def test_every_exercise_begins_with_a_failing_test(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    files = []
    for name in EXERCISES:
        [test] = steps(f"ru/exercises/{name}.md")
        assert test.file == f"tests/test_exercise_{name[0]}.py"
        if not (ROOT / test.file).exists():  # otherwise somebody is solving it
            test.follow(project)
            files.append(test.file)
    if not files:
        pytest.skip("somebody is solving all exercises")
    code, output = run_tests(project, "-rpfE", "--tb=no", *files)
    assert code == 1, output
    assert re.findall(r"^(?:PASSED|ERROR) (.*)", output, re.MULTILINE) == [], "these tests need no solution"
    assert [file for file in files if f"FAILED {file}" not in output] == []


@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_can_be_solved_as_described(tmp_path: Path, name: str) -> None:
    project = copy_project(tmp_path)
    page = f"ru/exercises/{name}.md"
    [test] = steps(page)
    if (ROOT / test.file).exists():
        pytest.skip("somebody is solving the exercise")
    test.follow(project)
    for command in re.findall(r"^\.venv/bin/python (.*)", read(page), re.MULTILINE):
        assert run(project, sys.executable, *shlex.split(command)) == (0, "")
    apply_solution(name, project)
    also = [f"{file}::{old_test}" for file, old_test in TEST.findall(read(page))]
    code, output = run_tests(project, test.file, *also)
    assert code == 0, output
