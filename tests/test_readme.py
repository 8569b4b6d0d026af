"""The README in both languages: the same commands, settings and set-up lines, and nothing that does not exist."""

import ast
import re
from pathlib import Path

import pytest
from conftest import ROOT, names_of_settings

from bot import router
from docs import update_commands

ENGLISH, RUSSIAN = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ru.md"))
both_readmes = pytest.mark.parametrize("readme", [ENGLISH, RUSSIAN], ids=["en", "ru"])

FOLDERS = ("telegram", "llm", "notes", "app")
MAX_LINES = 150
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def set_up_lines(readme: str) -> list[str]:
    return [line for line in readme.split("\n") if re.match(r"(python3|py) -m venv .*/?python ", line)]


def first_cells(page: str) -> str:
    """Return the first cells of all table rows that start with code."""
    rows = [re.split(r"(?<!\\)\|", line) for line in page.split("\n") if line.startswith("| `")]
    return "\n".join(cells[1] for cells in rows)


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_set_up_lines_are_the_same() -> None:
    assert set_up_lines(ENGLISH) == set_up_lines(RUSSIAN)
    assert [re.split(r"python3? (?!-m venv)", line)[-1] for line in set_up_lines(ENGLISH)] == [
        "-m sandbox",
        "-m sandbox",
        "bot.py",
        "-m pytest",
    ]


@both_readmes
def test_the_line_for_powershell_uses_only_what_version_5_knows(readme: str) -> None:
    [line] = re.findall("```powershell\n(.*)\n```", readme)
    assert "&&" not in line
    assert "/" not in line
    [same_for_sh] = [line for line in set_up_lines(readme) if "/bin/" in line and line.endswith("-m sandbox")]
    as_powershell = same_for_sh.replace("python3 ", "py ").replace(" &&", ";").replace("/bin/", "/Scripts/")
    assert line == as_powershell.replace("/", "\\")


@both_readmes
def test_tests_and_service_install_from_the_lock_with_hashes(readme: str) -> None:
    [tests_line] = [line for line in set_up_lines(readme) if line.endswith("-m pytest")]
    assert "-r requirements-dev.lock " in tests_line
    for page in ("hosting.md", "ru/hosting.md"):
        assert "-r requirements.lock\n" in (ROOT / "docs" / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["README.md", "README.ru.md"])
def test_the_command_table_is_up_to_date(name: str) -> None:
    readme = (ROOT / name).read_text(encoding="utf-8")
    table = update_commands.tables()[name]
    assert update_commands.replace_table(readme, table) == readme, "run: python -m docs.update_commands"
    assert f"{update_commands.START}{table}{update_commands.END}" in readme


@both_readmes
def test_every_command_is_listed_as_it_is_written(readme: str) -> None:
    listed = first_cells(readme).replace("\\|", "|")
    assert re.findall(r"^ `/(\w+)", listed, re.MULTILINE) == list(router.commands)
    for command in router.commands.values():
        assert f"`/{command.name} {command.usage}".rstrip() + "`" in listed


def test_an_outdated_table_is_replaced() -> None:
    outdated = ENGLISH.replace("| `/note_add <текст>` |", "| `/add` |")
    assert outdated != ENGLISH
    assert update_commands.replace_table(outdated, update_commands.tables()["README.md"]) == ENGLISH


@pytest.mark.parametrize("name", ["settings.md", "ru/settings.md"])
def test_every_setting_is_described(name: str) -> None:
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert set(re.findall(r"`([A-Z][A-Z_]+)`", first_cells(page))) == names_of_settings()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_targets_of_links_exist(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    targets = re.findall(r'\]\(([^)#:\s]*)(#[^)]*)?\)|src="([^"]+)"', page)
    for file, anchor, source in targets:
        target = path.parent / (file or source or path.name)
        assert target.exists(), target
        if anchor:
            assert anchor[1:] in anchors(target.read_text(encoding="utf-8")), anchor


@both_readmes
def test_it_has_links(readme: str) -> None:
    assert len(re.findall(r"\]\(docs/", readme)) > 5


def test_each_links_to_the_index_in_its_language() -> None:
    assert "](docs/README.md)" in ENGLISH
    assert "](docs/ru/README.md)" in RUSSIAN


def test_each_links_to_the_other_at_its_top() -> None:
    assert "](README.ru.md)" in ENGLISH.split("\n##", 1)[0]
    assert "](README.md)" in RUSSIAN.split("\n##", 1)[0]


def test_both_have_the_same_parts() -> None:
    assert ENGLISH.count("\n## ") == RUSSIAN.count("\n## ")
    transcripts = [re.findall("```text\n(.*?)```", readme, re.DOTALL) for readme in (ENGLISH, RUSSIAN)]
    assert len(transcripts[0]) == 1
    assert transcripts[0] == transcripts[1]
    pages = [set(re.findall(r"\]\((?:docs/(?:ru/)?)?([\w-]+\.md)", readme)) for readme in (ENGLISH, RUSSIAN)]
    indexes = {"README.md", "README.ru.md"}
    assert pages[0] - indexes == pages[1] - indexes


@both_readmes
def test_it_says_what_each_package_is_for(readme: str) -> None:
    pinned = re.findall(r"^([\w-]+)==", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert pinned
    assert [name for name in pinned if not re.search(rf"\b{name} \(", readme, re.IGNORECASE)] == []


def test_it_is_short() -> None:
    assert len(ENGLISH.splitlines()) <= MAX_LINES


def product_modules() -> list[str]:
    """Return the paths of the modules of the bot itself."""
    product = [*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in ROOT.glob(f"{folder}/*.py"))]
    return [path.relative_to(ROOT).as_posix() for path in product if path.name[0] != "_"]


@pytest.mark.parametrize("name", ["architecture.md", "ru/architecture.md"])
def test_every_file_is_listed_in_reading_order(name: str) -> None:
    table = (ROOT / "docs" / name).read_text(encoding="utf-8").rsplit("\n## ", 1)[1]
    assert [name for name in product_modules() if f"`{name}`" not in table] == []
    sandbox = [path.name for path in ROOT.glob("sandbox/**/*.py") if path.name[0] != "_"]
    assert [name for name in sandbox if f"`{name}`" not in table] == []


def test_the_opening_of_every_module_is_translated() -> None:
    page = (ROOT / "docs" / "ru" / "modules.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([\w/]+\.py)` \| \S[^|]* \| ([^|]+) \|$", page, re.MULTILINE)
    openings = {}
    for name in product_modules():
        docstring = ast.get_docstring(ast.parse((ROOT / name).read_text(encoding="utf-8"))) or ""
        openings[name] = docstring.split("\n")[0]
    changed = [name for name, opening in listed if openings.get(name) != opening]
    assert changed == [], "translate the new first lines, and copy them into the third column"
    names = [name for name, _ in listed]
    assert [name for name in openings if names.count(name) != 1] == [], "give each of them a row"
