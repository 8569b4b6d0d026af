"""The rules of docs/architecture.md, checked against imports and literals.

They hold for the product; sandbox/, bench/ and tests/ are exempt, except where a test says otherwise.

- imports point in one direction, between the folders and inside them
- only storage.py and the modules db*.py and journal*.py contain SQL; db*.py and journal*.py name different tables
- only texts.py contains Russian, except a command's own line in bot.py
- only config.py reads the environment
- only telegram/, llm/ and app/ start threads
- every module starts with a docstring and is short enough to read in one sitting
- a Python that is too old can parse what tells its owner so
"""

import ast
import re
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT

FOLDERS = ("telegram", "llm", "notes", "app")
TOOLS = {"sandbox", "bench", "tests", "docs"}
PRODUCT = sorted([*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in ROOT.glob(f"{folder}/*.py"))])
ROOT_MODULES = {path.stem for path in ROOT.glob("*.py")}

LEAVES = {"clock", "unicode_text", "json_values", "entities", "texts", "config"}
TELEGRAM = LEAVES | {"storage", "journal", "journal_awaited", "telegram"}
DB = {path.stem for path in ROOT.glob("db*.py")}  # what people keep
LLM = TELEGRAM | DB | {"journal_transcriptions", "openrouter_client", "gateway_audio", "llm"}
LLM |= {"notes.search", "notes.contents", "notes.transcripts", "notes.long_messages"}

# For each module at the root and each folder: the modules and folders that it may import.
ALLOWED_IMPORTS: dict[str, set[str]] = {
    "clock": set(),
    "unicode_text": set(),
    "json_values": {"unicode_text"},
    "entities": {"unicode_text", "json_values"},
    "texts": {"clock"},
    "config": {"texts"},
    "words": {"texts", "unicode_text", "entities"},
    "storage": {"config", "texts", "unicode_text", "words"},
    "db_search": LEAVES | {"storage", "words"},
    "db_messages": LEAVES | {"storage"},
    "db_reminders": LEAVES | {"storage"},
    "db_people": LEAVES | {"storage"},
    "db_attachments": LEAVES | {"storage"},
    "db": LEAVES | {"storage", "db_search", "db_attachments"},
    "db_cleanup": LEAVES | {"storage", "db"},
    "journal": LEAVES | {"storage"},
    "journal_transcriptions": LEAVES | {"storage"},
    "journal_awaited": {"storage"},
    "journal_cleanup": LEAVES | {"storage", "journal"},
    "gateway_connection": set(),
    "gateway_errors": {"texts"},
    "gateway_response": {"texts", "unicode_text", "json_values", "gateway_connection", "gateway_errors"},
    "gateway_stream": {"texts", "json_values", "gateway_connection", "gateway_errors", "gateway_response"},
    "openrouter_client": {
        *("config", "texts", "json_values"),
        *("gateway_connection", "gateway_errors", "gateway_response", "gateway_stream"),
    },
    "gateway_audio": {"config", "json_values", "gateway_response", "openrouter_client"},
    "telegram": TELEGRAM,
    "notes": {
        *DB,
        *("storage", "texts", "clock", "unicode_text", "json_values", "entities", "words"),
        *("telegram.replies", "telegram.messages", "telegram.contents", "telegram.limits", "notes"),
    },
    "llm": LLM,
    "app": LLM | {"notes", "app", "db_cleanup", "journal_cleanup"},
    "bot_messages": LLM | {"notes"},
    "bot_buttons": LLM | {"bot_messages", "notes"},
    "bot": LLM | {"bot_buttons", "bot_messages", "notes", "app"},
}

# Inside a folder a module may import only modules that come before it.
ORDER = {
    "telegram": (
        *("limits", "messages", "replies", "access", "model_markdown", "markdown_writer", "markdown"),
        *("keyed_executor", "pacing", "connections", "transport", "failures", "media_calls", "calls"),
        *("due_replies", "outbox", "drafts", "rich_text", "contents", "updates", "albums", "router", "dispatcher"),
        *("heartbeat", "fence", "polling_failures", "update_handler", "polling"),
    ),
    "llm": (
        *(
            "models",
            "model_menu",
            "settings_menu",
            "free_router",
            "catalog_readers",
            "catalog",
            "conversations",
            "quota",
            "prompts",
        ),
        *(
            "rate_limiter",
            "gateway_pace",
            "progress",
            "queue_positions",
            "answer_cache",
            "ledger",
            "failure_rules",
            "model_choice",
            "pictures",
            "model_caller",
            "answer_reply",
            "costs",
            "speech",
            "spoken_questions",
            "transcriptions",
            "answers",
        ),
    ),
    "notes": (
        "search",
        "contents",
        "transcripts",
        "capture",
        "finding",
        "dates",
        "listing",
        "editing",
        "note_card",
        "trash",
        "schedule",
        "reminders",
        "plain_texts",
        "long_messages",
        "statistics",
        "chart",
        "export_texts",
        "exports",
        "import_archive",
        "import_entries",
        "imports",
    ),
    "app": (
        "logs",
        "status",
        "checks",
        "file_archive",
        "jobs",
        "reminder_clock",
        "cleaner",
        "health",
        "systemd",
        "service",
    ),
}

MAX_LINES = 300
LONG_MODULES = {
    "texts.py": "a list of texts, not code to follow",
    "bot.py": "a list of commands, one short handler each",
    "db.py": "a list of statements, one short function each",
    "journal.py": "the same",
    "storage.py": "one subject; a fourth module with SQL would be harder to explain",
}

SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT (OR \w+ )?INTO|UPDATE\s+\w+\s+SET|DELETE FROM|PRAGMA \w+|CREATE TABLE)\b"
)
TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN) (?!sqlite_|json_each)([a-z_]+)\b")
SHARED_TABLES = {"questions"}  # db.import_note looks up the question that an imported note answers
DB_MODULES = sorted(ROOT.glob("db*.py"))  # what people keep
JOURNAL_MODULES = sorted(ROOT.glob("journal*.py"))  # what is in progress
TABLE_MODULES = [*DB_MODULES, *JOURNAL_MODULES]
CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)


def name_of(path: Path) -> str:
    """Return a file's path as it is written in the docs: telegram/outbox.py."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> frozenset[str]:
    """Return the full name of every module that a file imports, wherever in the file: telegram.outbox."""
    found = set[str]()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            module = node.module or ""
            for alias in node.names:
                submodule = f"{module}.{alias.name}"
                found.add(submodule if (ROOT / f"{submodule.replace('.', '/')}.py").exists() else module)
    return frozenset(found)


def our_imports(path: Path) -> set[str]:
    """Return the imports of this project's modules."""
    ours = {*FOLDERS, *ROOT_MODULES, *TOOLS}
    return {name for name in imports(path) if name.partition(".")[0] in ours}


def is_allowed(importer: Path, imported: str) -> bool:
    """Whether a file of the product may import a module."""
    folder = importer.parent.name if importer.parent != ROOT else ""
    allowed = ALLOWED_IMPORTS[folder or importer.stem]
    imported_folder, _, module = imported.partition(".")
    if folder and imported_folder == folder:
        return module in modules_below(folder, importer.stem)
    return imported in allowed or imported_folder in allowed


def modules_below(folder: str, module: str) -> tuple[str, ...]:
    """Return the modules that a module may import from its own folder."""
    if module == "__init__":
        return ()
    return ORDER[folder][: ORDER[folder].index(module)]


@cache
def literals(path: Path) -> list[str]:
    """Return the string literals of a file, except docstrings and the command table.

    The decorator @router.command("note_add", "добавить заметку", …) is the only place that describes a command.
    """
    module = tree(path)
    skipped: set[ast.AST] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr):
                skipped.add(first.value)
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if ast.unparse(decorator).startswith("router.command("):
                    skipped.update(ast.walk(decorator))
    return [
        node.value
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped
    ]


def tables_in(*paths: Path) -> set[str]:
    """Return the tables, views and common table expressions that the SQL of files names."""
    return {table for path in paths for text in literals(path) for table in TABLE.findall(text)}


Check = Callable[[Path], Collection[object]]


def broken_rules(
    check: Check, *exempt: Path, modules: Collection[Path] = PRODUCT
) -> dict[str, Collection[object]]:
    """Return what a check finds in the modules that are not exempt."""
    found = {name_of(path): check(path) for path in modules if path not in exempt}
    return {name: what for name, what in found.items() if what}


def test_imports_point_in_one_direction() -> None:
    assert broken_rules(lambda path: [name for name in our_imports(path) if not is_allowed(path, name)]) == {}


def test_sql_has_its_modules() -> None:
    exempt = [*TABLE_MODULES, ROOT / "storage.py"]
    assert broken_rules(lambda path: [text for text in literals(path) if SQL.search(text)], *exempt) == {}
    assert broken_rules(lambda path: {"sqlite3"} & imports(path), *exempt) == {}


def test_only_db_and_journal_name_tables() -> None:
    assert broken_rules(tables_in, *TABLE_MODULES) == {}


def test_only_texts_contains_russian() -> None:
    def russian(path: Path) -> list[str]:
        """Return the texts in Russian; a single letter, as in fold(), is no text."""
        return [text for text in literals(path) if CYRILLIC.search(text) and len(text) > 1]

    assert broken_rules(russian, ROOT / "texts.py") == {}


def test_only_config_reads_the_environment() -> None:
    assert broken_rules(lambda path: {"os", "dotenv"} & imports(path), ROOT / "config.py") == {}


def test_only_three_folders_and_the_deadline_of_a_request_start_threads() -> None:
    def concurrency(path: Path) -> set[str]:
        used = {ast.unparse(node) for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
        modules = {"concurrent.futures", "multiprocessing", "_thread", "asyncio"} & imports(path)
        return {"threading.Thread", "threading.Timer"} & used | modules

    others = [path for path in PRODUCT if path.parent.name not in ("telegram", "llm", "app")]
    assert broken_rules(concurrency, ROOT / "gateway_connection.py", modules=others) == {}


def test_every_module_starts_with_a_docstring() -> None:
    assert [name_of(path) for path in PRODUCT if not ast.get_docstring(tree(path))] == []


def test_every_module_can_be_read_in_one_sitting() -> None:
    lines = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in PRODUCT}
    too_long = {name: count for name, count in lines.items() if count > MAX_LINES}
    assert set(too_long) <= set(LONG_MODULES), too_long


def test_every_module_has_its_place() -> None:
    for folder, modules in ORDER.items():
        existing = {path.stem for path in ROOT.glob(f"{folder}/*.py")} - {"__init__"}
        assert existing == set(modules)
    assert set(ALLOWED_IMPORTS) == ROOT_MODULES | set(FOLDERS)


def test_a_module_is_listed_as_long_only_while_it_is() -> None:
    for name, reason in LONG_MODULES.items():
        assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) > MAX_LINES
        assert reason


def test_every_package_is_checked() -> None:
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} <= {*FOLDERS, *TOOLS}


def test_the_product_does_not_import_its_tools() -> None:
    for path in PRODUCT:
        assert not {name.partition(".")[0] for name in our_imports(path)} & TOOLS


def test_db_and_journal_each_name_their_own_tables() -> None:
    shared = tables_in(*DB_MODULES) & tables_in(*JOURNAL_MODULES)
    assert shared <= SHARED_TABLES
    schema = (ROOT / "schema.sql").read_text(encoding="utf-8")
    in_schema = set(re.findall(r"^CREATE (?:VIRTUAL )?TABLE (\w+)", schema, re.MULTILINE))
    named = tables_in(*TABLE_MODULES)
    assert in_schema <= named, "a table that no statement uses"


# A Python that is too old says so instead of failing with an ImportError or a SyntaxError.

FIRST_VERSION = (3, 8)  # the oldest Python that can still say it
PARSED_BY_OLD_PYTHON = ["bot.py", "texts.py", "clock.py", "sandbox/__init__.py", "sandbox/__main__.py"]
MODULES_OF_OLD_PYTHON = {"__future__", "collections", "datetime", "math", "sys", "time", "typing", "re"}


@pytest.mark.parametrize("name", PARSED_BY_OLD_PYTHON)
def test_an_old_python_can_parse_it(name: str) -> None:
    ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=FIRST_VERSION)


@pytest.mark.parametrize("name", ["texts.py", "clock.py"])
def test_an_old_python_can_import_it(name: str) -> None:
    foreign = imports(ROOT / name) - our_imports(ROOT / name)
    assert {module.partition(".")[0] for module in foreign} <= MODULES_OF_OLD_PYTHON
    assert our_imports(ROOT / name) <= {"clock"}
    first = next(node for node in tree(ROOT / name).body if not isinstance(node, ast.Expr))
    assert ast.unparse(first) == "from __future__ import annotations"


@pytest.mark.parametrize("name", ["bot.py", "sandbox/__main__.py"])
def test_the_version_is_checked_before_anything_newer_is_imported(name: str) -> None:
    imported_before: set[str] = set()
    for node in tree(ROOT / name).body:
        if isinstance(node, ast.If) and "sys.version_info" in ast.unparse(node.test):
            assert "PYTHON_TOO_OLD" in ast.unparse(node)
            break
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            imported_before.update(names)
    else:
        pytest.fail("nothing checks sys.version_info")
    assert imported_before <= {"__future__", "sys", "texts"}


def test_the_rules_detect_what_they_forbid() -> None:
    assert list(filter(SQL.search, literals(ROOT / "db.py")))
    assert list(filter(SQL.search, literals(ROOT / "journal.py")))
    assert "notes" in tables_in(ROOT / "db.py")
    assert "outbox" in tables_in(ROOT / "journal.py")
    assert list(filter(CYRILLIC.search, literals(ROOT / "texts.py")))
    assert "os" in imports(ROOT / "config.py")
    assert "db" in our_imports(ROOT / "bot.py")
    assert "telegram.replies" in our_imports(ROOT / "bot.py")


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("db.py", "journal"),
        ("journal.py", "db"),
        ("db_search.py", "db"),
        ("telegram/polling.py", "db"),
        ("telegram/polling.py", "llm.answers"),
        ("telegram/replies.py", "telegram.outbox"),
        ("notes/listing.py", "telegram.outbox"),
        ("notes/search.py", "notes.listing"),
        ("llm/prompts.py", "notes.exports"),
        ("llm/models.py", "app.service"),
        ("app/status.py", "app.service"),
        ("texts.py", "config"),
    ],
)
def test_the_wrong_direction_is_refused(importer: str, imported: str) -> None:
    assert not is_allowed(ROOT / importer, imported)
