"""Update the command tables of both READMEs from the router: `python -m docs.update_commands`.

The English descriptions are the first lines of the handlers' docstrings in bot.py, the Russian ones are the
summaries in the @router.command(…) lines.
"""

import inspect
import re
from collections.abc import Callable
from pathlib import Path

from bot import router
from telegram.router import Command

ROOT = Path(__file__).resolve().parent.parent
START = "<!-- commands: written by python -m docs.update_commands -->\n"
END = "<!-- end of commands -->\n"


def english_description(command: Command) -> str:
    """Return the first line of the handler's docstring."""
    summary = (inspect.getdoc(command.handler) or "").partition("\n")[0]
    return f"{summary} For admins." if command.admin_only else summary


def russian_description(command: Command) -> str:
    """Return the summary that /help shows."""
    return f"{command.summary} (для админов)" if command.admin_only else command.summary


def table(header: str, describe: Callable[[Command], str]) -> str:
    """Return the Markdown table of all commands, in the order of the router."""
    lines = [header, "|---|---|"]
    for command in router.commands.values():
        cells = (f"`/{command.name} {command.usage}".rstrip() + "`", describe(command))
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def tables() -> dict[str, str]:
    """Return the tables: file name → Markdown."""
    return {
        "README.md": table("| command | what it does |", english_description),
        "README.ru.md": table("| команда | что делает |", russian_description),
    }


def replace_table(readme: str, new_table: str) -> str:
    """Return a README with the table between the two comments replaced."""
    pattern = f"(?<={re.escape(START)}).*(?={re.escape(END)})"
    return re.sub(pattern, lambda _: new_table, readme, count=1, flags=re.DOTALL)


def main() -> None:
    """Rewrite the tables in place and print the files that changed."""
    for name, new_table in tables().items():
        path = ROOT / name
        readme = path.read_text(encoding="utf-8")
        updated = replace_table(readme, new_table)
        if updated != readme:
            path.write_text(updated, encoding="utf-8", newline="\n")
            print(f"{name}: updated")


if __name__ == "__main__":
    main()
