"""Takes the README's pictures: starts the sandbox, chats in it, looks. Needs requirements-dev.txt and Chromium."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import FilePayload, Page, expect, sync_playwright

HERE = Path(__file__).resolve().parent
SANDBOX = [sys.executable, "-X", "utf8", "-m", "sandbox", "--no-browser"]
PER_DAY = [2, 5, 3, 0, 1, 2, 2, 4, 0, 1, 3, 1]  # notes of the days before today


def says(page: Page, text: str, expected: str, where: str = ".message:not(.own):not(.draft)") -> None:
    """Say something, and wait for what the bot says to it."""
    page.locator("#text").fill(text)
    page.locator("#send").click()
    expect(page.locator(where).last).to_contain_text(expected)


def desktop(page: Page) -> None:
    """Show a search, and an answer that is being written."""
    says(page, "/note_add Ёлка: гирлянда, звезда, мандарины", "добавлена")
    says(page, "/note_find елк", "Найдено")
    says(page, "/ask Список или кортеж: что выбрать в Python?", "steps.append", ".draft")


def phone(page: Page) -> None:
    """Show the chart, and what a button undoes or decides."""
    made = [int(time.time()) - day * 86400 - n for day, count in enumerate(PER_DAY, 1) for n in range(count)]
    notes = [{"text": f"Заметка {n}", "created_at": moment} for n, moment in enumerate(made)]
    file = json.dumps({"format": "notes-bot", "version": 1, "notes": notes}).encode()
    page.locator("#file").set_input_files(FilePayload(name="notes.json", mimeType="application/json", buffer=file))
    says(page, "/note_import", "Добавлено")
    says(page, "/note_stats 14", "Заметки за 14 дней")
    says(page, "/note_del 3", "удалена")
    says(page, "Почему зимой темнеет рано?", "Что с этим сделать?")


with subprocess.Popen(SANDBOX, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, encoding="utf-8") as sandbox:
    try:
        assert sandbox.stdout
        url = re.findall(r"http://\S+", sandbox.stdout.readline())[0]
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            light = chromium.new_page(locale="ru-RU", viewport={"width": 1100, "height": 780})
            look = {"width": 390, "height": 822}
            dark = chromium.new_page(locale="ru-RU", viewport=look, device_scale_factor=2, color_scheme="dark")
            for page, person, show, name in ((light, 1, desktop, "chat.png"), (dark, 2, phone, "chat-dark.png")):
                page.goto(f"{url}/#{person}")
                expect(page.locator("#text")).to_be_enabled()
                show(page)
                page.mouse.move(0, 0)
                page.screenshot(path=HERE / name)
    finally:
        sandbox.terminate()
