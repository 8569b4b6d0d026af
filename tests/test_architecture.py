"""The rules of the house, read off its imports and literals.

Of the product (sandbox, bench and tests aside): arrows point one way; only db.py (and below it storage.py, which
names no table) holds SQL, only texts.py holds Russian, only config.py reads the environment, only runtime/ starts
threads.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

PRODUCT = sorted([*ROOT.glob("*.py"), *ROOT.glob("runtime/*.py")])
OURS = {path.stem for path in ROOT.glob("*.py")} | {"runtime", "sandbox", "bench", "tests"}

MAY_IMPORT = {
    "texts": set[str](),
    "config": {"texts"},
    "storage": {"config", "texts"},
    "db": {"config", "texts", "storage"},
    "openrouter_client": {"config", "texts"},
    "runtime": {"config", "texts", "db", "openrouter_client", "runtime"},
    "bot": {"config", "texts", "db", "runtime"},
}
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT (OR \w+ )?INTO|UPDATE\s+\w+\s+SET|DELETE FROM|PRAGMA \w+|CREATE TABLE)\b"
)
TABLE = re.compile(r"\b(FROM|INTO|UPDATE|JOIN) (?!sqlite_)[a-z_]+\b")
CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)


def room(path: Path) -> str:
    return path.parent.name if path.parent != ROOT else path.stem


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield node.module or ""


def literals(path: Path) -> Iterator[str]:
    """Yield the string literals, docstrings and the table of commands aside.

    A command's own line, @command("note_add", "добавить заметку", …), is the one place where a command is
    described: menu, /help and dispatch come from it.
    """
    module = tree(path)
    aside: set[ast.AST] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr):
                aside.add(first.value)
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if ast.unparse(decorator).startswith("command("):
                    aside.update(ast.walk(decorator))
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in aside:
            yield node.value


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
class TestModule:
    def test_arrows_point_one_way(self, path: Path) -> None:
        ours = {name.partition(".")[0] for name in imported(path)} & OURS
        assert ours <= MAY_IMPORT[room(path)]

    def test_only_db_holds_sql(self, path: Path) -> None:
        if path.stem not in ("db", "storage"):
            assert [text for text in literals(path) if SQL.search(text)] == []
            assert "sqlite3" not in set(imported(path))

    def test_only_db_names_tables(self, path: Path) -> None:
        if path.stem != "db":
            assert [text for text in literals(path) if TABLE.search(text)] == []

    def test_only_texts_holds_russian(self, path: Path) -> None:
        if path.stem != "texts":
            assert [text for text in literals(path) if CYRILLIC.search(text)] == []

    def test_only_config_reads_the_environment(self, path: Path) -> None:
        if path.stem != "config":
            assert not {"os", "dotenv"} & set(imported(path))

    def test_only_runtime_starts_threads(self, path: Path) -> None:
        if room(path) != "runtime":
            used = {ast.unparse(node) for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
            assert not {"threading.Thread", "threading.Timer"} & used
            assert not {"concurrent.futures", "multiprocessing", "_thread", "asyncio"} & set(imported(path))

    def test_it_begins_with_what_it_is_for(self, path: Path) -> None:
        assert ast.get_docstring(tree(path))


def test_the_rules_see_what_they_forbid() -> None:
    assert list(filter(SQL.search, literals(ROOT / "db.py")))
    assert list(filter(TABLE.search, literals(ROOT / "db.py")))
    assert list(filter(CYRILLIC.search, literals(ROOT / "texts.py")))
    assert "os" in set(imported(ROOT / "config.py"))
    assert "db" in {name.partition(".")[0] for name in imported(ROOT / "bot.py")}
