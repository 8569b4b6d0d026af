"""The README in both languages: the same commands, settings and set-up lines, and nothing that is not there."""

import re

import pytest
from conftest import ROOT

from bot import router

ENGLISH, RUSSIAN = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ru.md"))
BOTH = pytest.mark.parametrize("readme", [ENGLISH, RUSSIAN], ids=["en", "ru"])


def section(readme: str, title: str) -> str:
    return readme.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def set_up_lines(readme: str) -> list[str]:
    return [line for line in readme.split("\n") if re.match("python3 -m venv .*/python ", line)]


def first_cells(table: str) -> str:
    rows = [re.split(r"(?<!\\)\|", line) for line in table.split("\n") if line.startswith("| `")]
    return "\n".join(cells[1] for cells in rows)


def test_the_set_up_lines_are_the_same() -> None:
    assert set_up_lines(ENGLISH) == set_up_lines(RUSSIAN)
    assert [line.rpartition("/python ")[2] for line in set_up_lines(ENGLISH)] == [
        "-m sandbox",
        "bot.py",
        "-m pytest",
    ]


@pytest.mark.parametrize(("readme", "title"), [(ENGLISH, "Commands"), (RUSSIAN, "Команды")], ids=["en", "ru"])
def test_every_command_is_told_of_as_it_is_written(readme: str, title: str) -> None:
    told = first_cells(section(readme, title)).replace("\\|", "|")
    assert re.findall(r"/(\w+)", told) == list(router.commands)
    for command in router.commands.values():
        usage = {"model": "[ID]", "providers": "[имя]"}.get(command.name, command.usage)
        assert f"`/{command.name} {usage}".rstrip() + "`" in told


@pytest.mark.parametrize(("readme", "title"), [(ENGLISH, "Settings"), (RUSSIAN, "Настройки")], ids=["en", "ru"])
def test_every_setting_is_told_of(readme: str, title: str) -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    settings = set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", example, re.MULTILINE))
    assert set(re.findall(r"`([A-Z][A-Z_]+)`", first_cells(section(readme, title)))) == settings


@BOTH
def test_what_it_links_to_is_there(readme: str) -> None:
    targets = re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)|src="([^"]+)"', readme)
    assert targets
    assert [path for pair in targets for path in pair if path and not (ROOT / path).exists()] == []


def test_each_leads_to_the_other_at_its_top() -> None:
    assert "](README.ru.md)" in ENGLISH.split("\n##", 1)[0]
    assert "](README.md)" in RUSSIAN.split("\n##", 1)[0]


def test_every_file_is_told_of() -> None:
    told = section(ENGLISH, "The files, in reading order")
    product = [*ROOT.glob("*.py"), *ROOT.glob("runtime/*.py"), *ROOT.glob("sandbox/*.py")]
    assert [path.name for path in product if path.name[0] != "_" and path.name not in told] == []
