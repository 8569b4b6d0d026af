"""Take the pictures of the README: `python docs/screenshots.py`.

The script starts the sandbox, chats in it and saves chat.png and chat-dark.png beside itself. It needs
requirements-dev.txt and Chromium.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

FOLDER = Path(__file__).resolve().parent
SANDBOX = [sys.executable, "-X", "utf8", "-m", "sandbox", "--no-browser"]
PATIENCE_MS = 60_000
LAST_REPLY = ".message:not(.own):not(.draft)"


def main() -> None:
    """Take both pictures."""
    expect.set_options(timeout=PATIENCE_MS)
    with sandbox_url() as url, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        desktop = chromium.new_page(locale="ru-RU", viewport={"width": 1100, "height": 780})
        open_chat(desktop, f"{url}/#1")
        chat_on_desktop(desktop)
        save(desktop, "chat.png")
        phone = chromium.new_page(
            locale="ru-RU", viewport={"width": 390, "height": 822}, device_scale_factor=2, color_scheme="dark"
        )
        open_chat(phone, f"{url}/#2")
        chat_on_phone(phone)
        save(phone, "chat-dark.png")


@contextmanager
def sandbox_url() -> Iterator[str]:
    """Run the sandbox during the block; yield the address of its page."""
    with subprocess.Popen(
        SANDBOX, cwd=FOLDER.parent, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as sandbox:
        try:
            assert sandbox.stdout
            yield re.findall(r"http://\S+", sandbox.stdout.readline())[0]
        finally:
            sandbox.terminate()


def open_chat(page: Page, url: str) -> None:
    """Open a person's chat."""
    page.goto(url)
    expect(page.locator("#text")).to_be_enabled()


def say(page: Page, text: str, expected: str, place: str = LAST_REPLY) -> None:
    """Send a text and wait until a part of the reply appears."""
    page.locator("#text").fill(text)
    page.locator("#send").click()
    expect(page.locator(place).last).to_contain_text(expected)


def chat_on_desktop(page: Page) -> None:
    """Show a plain text that became a note, a search, and an answer that is being written."""
    say(page, "Ёлка: гирлянда, звезда, мандарины", "добавлена")
    say(page, "/note_find ёлки", "Найдено")
    say(page, "/ask Список или кортеж: что выбрать в Python?", "steps.append", place=".draft")


def chat_on_phone(page: Page) -> None:
    """Show a chart, and a note of a search with its buttons."""
    page.locator("[data-sample=notes]").click()
    expect(page.locator(LAST_REPLY).last).to_contain_text("Добавлено")
    say(page, "/note_stats 14", "Заметки за 14 дней")
    say(page, "/note_find мандарины", "Найдено")
    page.locator(LAST_REPLY).last.locator(".buttons button").first.click()
    expect(page.locator(LAST_REPLY).last).to_contain_text("Напомнить")


def save(page: Page, name: str) -> None:
    """Take a picture of the page."""
    page.mouse.move(0, 0)
    page.screenshot(path=FOLDER / name)


if __name__ == "__main__":
    main()
