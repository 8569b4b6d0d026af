"""sandbox: the chat in a real browser with the real bot; skipped where no browser is installed.

- first steps: notes, the menu, questions, buttons, files
- every command gets a reply; pages of a list, undo buttons, export and import
- drafts and the Stop button
- security: what a model or another site must not do
- how messages are shown
- formatting, albums, voice messages, forwards; a phone of 320 pixels
- unsent texts; the keyboard, screen readers and magnified pages
"""

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from conftest import PATIENCE_S, ROOT, BotProcess, eventually
from playwright.sync_api import Browser, ConsoleMessage, FilePayload, Locator, Page, expect, sync_playwright

import texts
from bot import router
from sandbox import browser, chat, demo, launcher
from sandbox.openrouter import EmulatedGateway
from sandbox.server import Server
from sandbox.telegram import World, call_method
from sandbox.telegram.checks import Upload
from sandbox.telegram.files import sample

ANN, BOB = 1, 2
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
FLAGS += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # a microphone that beeps
OPTIONS: dict[str, Any] = {"locale": "ru-RU", "color_scheme": "light", "viewport": {"width": 1100, "height": 760}}

expect.set_options(timeout=PATIENCE_S * 1000)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no chromium is installed")
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    flags = [*FLAGS, "--no-sandbox"] if is_root else FLAGS  # as root, Chromium starts only without its sandbox
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def site(world: World) -> Iterator[str]:
    with Server(browser.application(world)) as server:
        yield server.url


@pytest.fixture(scope="module")
def desktop(chromium: Browser) -> Page:
    """Return the page that most tests share: to load it again takes a quarter of the time that a new one takes."""
    return chromium.new_context(**OPTIONS).new_page()


@pytest.fixture
def open_page(chromium: Browser, desktop: Page, site: str) -> Iterator[Callable[..., Page]]:
    """Return a function that opens the chat, with options on a page of its own; in the end, check what it did.

    The page may send requests to the sandbox only, and log neither errors nor warnings.
    """
    pages, requested, failures = list[Page](), list[str](), list[str]()

    def open_page(**options: Any) -> Page:
        page = chromium.new_context(**{**OPTIONS, **options}).new_page() if options else desktop
        pages.append(page)
        for event, listener in listeners.items():
            page.on(event, listener)  # type: ignore[call-overload]
        page.goto(site)
        expect(page.locator("#text")).to_be_enabled()  # before, nothing listens to clicks and files
        return page

    def note_failure(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            failures.append(message.text)

    listeners = {
        "request": lambda request: requested.append(request.url),
        "pageerror": lambda error: failures.append(str(error)),
        "console": note_failure,
    }
    yield open_page
    for page in pages:
        for event, listener in listeners.items():
            page.remove_listener(event, listener)
        if page is desktop:
            leave(page, site)
        else:
            page.context.close()
    assert [url for url in requested if not url.startswith((f"{site}/", f"blob:{site}/"))] == []
    assert failures == []


def leave(page: Page, site: str) -> None:
    """Leave a shared page as a new one."""
    page.goto("about:blank")
    page.mouse.move(0, 0)
    page.set_viewport_size(OPTIONS["viewport"])
    page.context.clear_permissions()
    storage = {"origin": site, "storageTypes": "all"}  # another site may get the same port
    page.context.new_cdp_session(page).send("Storage.clearDataForOrigin", storage)


@pytest.fixture
def page(open_page: Callable[..., Page], bot_process: BotProcess, world: World) -> Page:
    """Open the chat while the bot is running."""
    bot_process.start()
    world.wait(lambda: world.commands)
    return open_page()


@pytest.fixture
def quiet_page(open_page: Callable[..., Page], world: World) -> Page:
    """Open the chat without a bot: the test acts as the bot, through call_method()."""
    page = open_page()
    says(page, "/start")
    world.wait(lambda: world.pending())
    return page


def says(page: Page, text: str) -> None:
    """Send a text."""
    page.locator("#text").fill(text)
    page.locator("#text").press("Enter")


def last_reply(page: Page) -> Locator:
    """Return the last message of the bot."""
    return page.locator(".message:not(.own):not(.draft)").last


def buttons(message: Locator) -> Locator:
    """Return the buttons under a message."""
    return message.locator(".buttons button")


def suggestion(page: Page, name: str) -> Locator:
    """Return a button of the suggestions."""
    return page.locator("#suggestions").get_by_role("button", name=name, exact=True)


def last_own(page: Page) -> Locator:
    """Return the last message of the person."""
    return page.locator(".message.own").last


def message_by_id(page: Page, message: Locator) -> Locator:
    """Return a locator that keeps finding the same message when newer ones follow."""
    return page.locator(f".message[data-id='{message.get_attribute('data-id')}']")


def asks(page: Page, text: str, reply: str) -> None:
    """Send a text and wait for a reply that contains another."""
    says(page, text)
    expect(last_reply(page)).to_contain_text(reply)


def attach(page: Page, name: str, content_type: str, content: bytes) -> None:
    """Choose a file to send."""
    page.locator("#file").set_input_files(FilePayload(name=name, mimeType=content_type, buffer=content))


def picture() -> bytes:
    """Return a PNG picture of 2 × 2 pixels."""

    def png_chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0\xff\0\0\0\xff\0" * 2)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


# First steps


def test_a_new_person_adds_lists_and_finds_notes(page: Page) -> None:
    page.get_by_role("button", name="Начать").click()
    expect(last_reply(page)).to_contain_text("Привет! Я храню ваши заметки")
    field = page.locator("#text")
    field.press_sequentially("/note_add Ёлка:")
    field.press("Shift+Enter")
    field.press_sequentially("гирлянда")
    field.press("Enter")
    expect(last_reply(page)).to_have_text(re.compile(r"^Заметки: Заметка #1 добавлена\.\d\d:\d\d"))
    expect(last_own(page).locator(".text")).to_have_text("/note_add Ёлка:\nгирлянда", use_inner_text=True)
    asks(page, "/note_add Молоко", "#2")
    asks(page, "/note_list", "Последние заметки (2 из 2)")
    asks(page, "/note_find елка", "Найдено: 1 заметка.")
    chat_before = page.locator("#log").inner_text()
    page.reload()
    expect(page.locator(".message")).to_have_count(10)
    assert page.locator("#log").inner_text() == chat_before
    page.locator(".command", has_text="/help").first.click()
    expect(last_reply(page)).to_contain_text("Команды:")


def test_the_menu_of_commands(page: Page, world: World) -> None:
    field, menu = page.locator("#text"), page.locator("#menu")
    field.press("/")
    expect(menu.get_by_role("option")).to_have_count(len(world.commands))
    field.press_sequentially("note_e")
    expect(menu.get_by_role("option")).to_have_count(2)
    expect(menu).to_contain_text("все заметки файлом")
    field.press("ArrowDown")
    expect(menu.locator("[aria-selected=true] b")).to_have_text("/note_export")
    field.press("ArrowUp")
    field.press("Tab")
    expect(field).to_have_value("/note_edit ")
    expect(menu).to_be_hidden()
    field.fill("/note_c")
    expect(menu).to_be_visible()
    field.press("Enter")
    expect(last_reply(page)).to_contain_text("У вас 0 заметок.")
    asks(page, "/model", "Текущая активная модель")
    page.get_by_role("button", name="Команды бота").click()
    menu.locator("b", has_text="/note_list").click()
    expect(last_reply(page)).to_contain_text("Заметок пока нет")
    expect(menu).to_be_hidden()


def test_a_button_edits_its_message(page: Page) -> None:
    asks(page, "/models", "★ 5. Gemma")
    count = page.locator(".message").count()
    last_reply(page).get_by_role("button", name="9. North").click()
    expect(last_reply(page)).to_contain_text("★ 9. North")
    expect(last_reply(page)).not_to_contain_text("★ 5.")
    expect(page.locator("#toast")).to_contain_text("Активная модель переключена")
    assert page.locator(".message").count() == count


def test_two_people_do_not_see_each_other(page: Page, site: str, world: World) -> None:
    asks(page, "/note_add Тайна", "#1")
    asks(page, "/note_export", "Все ваши заметки.")
    [file_id] = world.files
    page.get_by_role("button", name="Борис").click()
    expect(page.get_by_role("button", name="Начать")).to_be_visible()
    asks(page, "/note_count", "У вас 0 заметок.")
    expect(page.locator("#log")).not_to_contain_text("Тайна")
    page.get_by_role("button", name="Анна").click()
    expect(page.locator("#log")).to_contain_text("Тайна")
    expect(page.locator("#log")).not_to_contain_text("У вас 0 заметок.")
    for user_id, status in ((ANN, 200), (BOB, 404)):
        assert requests.get(f"{site}/people/{user_id}/files/{file_id}", timeout=60).status_code == status


def test_an_own_message_is_edited(page: Page, world: World) -> None:
    asks(page, "/note_add Молоко", "#1")
    page.locator("#text").press("ArrowUp")
    expect(page.locator("#bar")).to_contain_text("Изменение")
    expect(page.locator("#text")).to_have_value("/note_add Молоко")
    says(page, "/note_add Кефир")
    expect(last_own(page)).to_contain_text("/note_add Кефир")
    expect(last_own(page)).to_contain_text("изменено")
    expect(page.locator(".message.own")).to_have_count(1)
    assert world.messages[ANN][1]["text"] == "/note_add Кефир"


def test_a_reply_to_an_answer_continues_the_conversation(page: Page, gateway: EmulatedGateway) -> None:
    asks(page, "/ask Почему небо голубое?", "Вы спросили")
    last_reply(page).hover()
    last_reply(page).get_by_role("button", name="Ответить").click()
    expect(page.locator("#bar")).to_contain_text("Заметки")
    says(page, "А ночью?")
    expect(last_own(page).locator(".quote")).to_contain_text("Это песочница")
    expect(last_reply(page)).to_contain_text("Вы спросили: «А ночью?»")
    assert [message["content"] for message in gateway.requests[-1]["messages"][1::2]] == [
        "Почему небо голубое?",
        "А ночью?",
    ]


def test_files_and_pictures_are_sent_with_captions(page: Page, world: World) -> None:
    attach(page, "список.txt", "text/plain", "раз\nдва".encode())
    expect(page.locator("#bar")).to_contain_text("13 Б")
    says(page, "вот список")
    expect(last_own(page).locator(".document")).to_contain_text("список.txt")
    expect(last_own(page)).to_contain_text("вот список")
    attach(page, "точки.png", "image/png", picture())
    page.locator("#send").click()
    expect(last_own(page).locator(".photo")).to_be_visible()
    eventually(lambda: page.evaluate("document.querySelector('.photo').naturalWidth") == 2)
    assert list(world.files.values()) == ["раз\nдва".encode(), picture()]


def test_a_document_can_be_downloaded(page: Page) -> None:
    asks(page, "/note_add Молоко", "#1")
    asks(page, "/note_export", "Все ваши заметки.")
    with page.expect_download() as download:
        last_reply(page).locator(".document").click()
    assert download.value.suggested_filename == "notes.txt"
    assert Path(download.value.path()).read_text(encoding="utf-8").endswith("Молоко\n\n")


# Every command, and the buttons under notes

EXPECTED_REPLIES = [  # what is typed, and a part of each reply
    ("/start", ["Привет! Я храню ваши заметки"]),
    ("/help", ["Команды:"]),
    ("/note_add Ёлка", ["Заметка #1 добавлена."]),
    ("/note_list", ["Последние заметки (1 из 1):"]),
    ("/note_find елка", ["Найдено: 1 заметка."]),
    ("/note_edit 1 Ёлка и гирлянда", ["Заметка #1 изменена."]),
    ("/note_show 1", ["Ёлка и гирлянда"]),
    ("/note_del 1", ["Заметка #1 удалена."]),
    ("/note_restore 1", ["Заметка #1 снова на месте."]),
    ("/note_count", ["У вас 1 заметка."]),
    ("/note_stats 7", ["Заметки за 7 дней: 1."]),
    ("/note_export md", ["notes.md"]),
    ("/note_import", [texts.IMPORT_NO_FILE]),
    ("/models", ["★ 5. Gemma 4 31B"]),
    ("/model 6", ["Активная модель переключена: Gemma 4 26B"]),
    ("/models_refresh", ["новых 0, исчезло 0"]),
    ("/providers", [texts.NO_PROVIDERS]),
    ("/ask Почему небо голубое?", ["Вы спросили: «Почему небо голубое?»"]),
    ("/compare Сколько звёзд?", ["Вы спросили: «Сколько звёзд?»"] * 3),
    ("/web Какая погода?", ["ALLOW_PAID_MODELS=1"]),  # a search costs money
    ("/note_ask Где гирлянда?", ["заметки: #1"]),
    ("/usage", ["Ваши запросы к моделям за 30 дней:"]),
    ("/status", ["Ошибок не было."]),
]


def test_every_command_gets_a_reply_in_the_chat(page: Page) -> None:
    messages = page.locator(".message:not(.own):not(.draft)")
    count = 0
    for typed, replies in EXPECTED_REPLIES:
        says(page, typed)
        for reply in replies:
            expect(messages.nth(count)).to_contain_text(reply)
            count += 1
    expect(messages).to_have_count(count)
    tested = {typed.split()[0].removeprefix("/") for typed, _ in EXPECTED_REPLIES}
    assert tested <= set(router.commands)
    for name in router.commands:
        if name not in tested:  # a command that was added later; it may reply more than once
            says(page, f"/{name}")
            expect(messages.nth(count)).not_to_contain_text(texts.FAILED)
            count = messages.count()


def test_a_long_list_turns_its_pages_in_one_message(page: Page) -> None:
    def numbers() -> list[int]:
        return [int(number) for number in re.findall(r"#(\d+) · ", shown.inner_text())]

    for n in range(1, 13):
        asks(page, f"/note_add Дело {n}", f"Заметка #{n} добавлена.")
    asks(page, "/note_list", "Последние заметки (10 из 12):")
    count = page.locator(".message").count()
    shown = message_by_id(page, last_reply(page))
    expect(buttons(shown).last).to_have_text("▶")
    assert numbers() == list(range(12, 2, -1))
    buttons(shown).last.click()
    expect(shown).to_contain_text("Более ранние заметки (всего 12):")
    expect(buttons(shown)).to_have_text(["2", "1", "◀"])
    assert numbers() == [2, 1]
    buttons(shown).last.click()
    expect(shown).to_contain_text("Последние заметки (10 из 12):")
    expect(buttons(shown).last).to_have_text("▶")
    assert numbers() == list(range(12, 2, -1))
    expect(page.locator(".message")).to_have_count(count)


def test_a_button_restores_a_deleted_note(page: Page) -> None:
    asks(page, "/note_add Молоко", "#1")
    asks(page, "/note_del 1", "Заметка #1 удалена.")
    asks(page, "/note_count", "У вас 0 заметок.")
    deleted = page.locator(".message", has=page.get_by_role("button", name="↩️ Вернуть", exact=True))
    deleted.get_by_role("button", name="↩️ Вернуть", exact=True).click()
    expect(page.locator("#log")).to_contain_text("Заметка #1 снова на месте.")
    expect(deleted).to_have_count(0)
    asks(page, "/note_show 1", "Молоко")


def test_a_button_undoes_an_edit(page: Page) -> None:
    asks(page, "/note_add Молоко", "#1")
    asks(page, "/note_edit 1 Кефир", "Заметка #1 изменена.")
    edited = message_by_id(page, last_reply(page))
    asks(page, "/note_show 1", "Кефир")
    expect(buttons(edited)).to_have_text(["↩️ Отменить правку"])
    buttons(edited).click()
    expect(edited).to_contain_text("Заметка #1: прежний текст вернулся.")
    asks(page, "/note_show 1", "Молоко")
    expect(buttons(edited)).to_have_text(["↪️ Вернуть правку"])


def test_editing_a_message_edits_its_note(page: Page) -> None:
    asks(page, "/note_add Молоко", "#1")
    last_own(page).hover()
    last_own(page).get_by_role("button", name="Изменить").click()
    says(page, "/note_add Кефир")
    expect(last_reply(page)).to_contain_text("Заметка #1 изменена.")
    expect(buttons(last_reply(page))).to_have_text(["↩️ Отменить правку"])
    asks(page, "/note_show 1", "Кефир")
    asks(page, "/note_count", "У вас 1 заметка.")


def test_a_plain_text_is_a_note_that_a_button_deletes(page: Page) -> None:
    asks(page, "Купить хлеб", "Заметка #1 добавлена.")
    count = page.locator(".message").count()
    expect(buttons(last_reply(page))).to_have_text(["🤖 Спросить модель", "🗑 Удалить"])
    last_reply(page).get_by_role("button", name="🗑 Удалить").click()
    expect(last_reply(page)).to_contain_text("Заметка #1 удалена.")
    last_reply(page).get_by_role("button", name="↩️ Вернуть").click()
    expect(last_reply(page)).to_contain_text("Заметка #1 снова на месте.")
    expect(page.locator(".message")).to_have_count(count)
    asks(page, "/note_show 1", "Купить хлеб")


def test_importing_exported_notes_adds_no_duplicates(page: Page) -> None:
    asks(page, "/note_add Молоко", "#1")
    asks(page, "/note_add Хлеб", "#2")
    asks(page, "/note_export json", "Все ваши заметки.")
    with page.expect_download() as download:
        last_reply(page).locator(".document").click()
    name, content = download.value.suggested_filename, Path(download.value.path()).read_bytes()
    assert name == "notes.json"
    attach(page, name, "application/json", content)
    asks(page, "/note_import", "Добавлено заметок: 0. Уже было: 2.")
    expect(last_own(page).locator(".document")).to_contain_text("notes.json")
    asks(page, "/note_count", "У вас 2 заметки.")


def test_the_chart_of_notes_is_shown(page: Page) -> None:
    asks(page, "/note_add Молоко", "#1")
    asks(page, "/note_stats", "Заметки за 30 дней: 1.")
    chart = last_reply(page).locator("img.photo")
    expect(chart).to_be_visible()
    eventually(lambda: chart.evaluate("image => image.naturalWidth") > 500)


# A walk with buttons


def test_a_new_visitor_needs_only_buttons_after_the_first_message(
    open_page: Callable[..., Page], bot_process: BotProcess, world: World, gateway: EmulatedGateway
) -> None:
    bot_process.start()
    world.wait(lambda: world.commands)
    gateway.answer_to = demo.build_gateway().answer_to
    page = open_page(viewport={"width": 390, "height": 700}, is_mobile=True, has_touch=True)

    def choose(command: str) -> Locator:
        """Choose a command in the menu; return the reply."""
        count = page.locator(".message").count()
        page.get_by_role("button", name="Команды бота").tap()
        page.locator(f"[data-command={command}]").tap()
        expect(page.locator(".message")).to_have_count(count + 2)
        return message_by_id(page, last_reply(page))

    def tap(message: Locator, label: str, expected: str) -> None:
        message.get_by_role("button", name=label).tap()
        expect(message).to_contain_text(expected)

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Начать").tap()
    expect(last_reply(page)).to_contain_text("/help — все команды")
    assert page.locator("#scroll").evaluate("e => e.scrollHeight - e.clientHeight") <= 0  # it fits on the screen
    page.set_viewport_size({"width": 320, "height": 640})
    says(page, "Купить ёлку и гирлянду")
    expect(last_reply(page)).to_contain_text("Заметка #1 добавлена.")
    notes = choose("note_list")
    tap(notes, "1", "Купить ёлку и гирлянду")
    tap(notes, "Изменить", "Пришлите новый текст")
    notes.get_by_role("button", name="Скопировать текст").tap()
    expect(page.locator("#toast")).to_have_text("Скопировано.")
    tap(notes, "Отмена", "Напомнить")
    tap(notes, "Закрепить", "Открепить")
    tap(notes, "Напомнить", "Через час")
    tap(notes, "Через час", "Открепить")
    listed = choose("reminders")
    expect(listed).to_contain_text("заметка #1 — Купить ёлку и гирлянду")
    tap(listed, "✕ 1", "Напоминаний здесь нет.")
    notes = choose("note_list")
    tap(notes, "1", "Спросить модель")
    notes.get_by_role("button", name="Спросить модель").tap()
    expect(last_reply(page)).to_contain_text("Вы спросили: «Купить ёлку и гирлянду»")
    last_reply(page).get_by_role("button", name="В заметки").tap()
    expect(page.locator("#toast")).to_contain_text("#2")
    tap(notes, "Удалить", "Заметка #1 удалена.")
    tap(notes, "Вернуть", "Заметка #1 снова на месте.")
    settings = choose("settings")
    tap(settings, "Часовой пояс", "Омск · ")
    tap(settings, "Омск", "Часовой пояс: Омск")
    tap(choose("models"), "9. North", "★ 9. North")


# Drafts and failing models


def test_an_answer_grows_and_stop_keeps_its_beginning(page: Page, gateway: EmulatedGateway) -> None:
    gateway.chunk_delay_s = 0.02
    gateway.answer_to = lambda _: "**Начало** " + "слово " * 3000 + "конец"
    says(page, "/ask Расскажи")
    draft = page.locator(".draft")
    expect(draft.locator(".thinking, .rich")).to_be_visible()
    expect(draft.locator("b, strong")).to_have_text("Начало")
    length = len(draft.inner_text())
    eventually(lambda: len(draft.inner_text()) > length)
    draft.get_by_role("button", name="Остановить").click()
    expect(draft).to_have_count(0)
    expect(last_reply(page)).to_contain_text("остановлен")
    expect(last_reply(page)).to_contain_text("Начало слово слово")
    expect(last_reply(page)).not_to_contain_text("конец")


def test_a_suggestion_shows_how_the_bot_replaces_a_busy_model(page: Page, gateway: EmulatedGateway) -> None:
    demo_gateway = demo.build_gateway()
    gateway.catalog, gateway.answer_to = demo_gateway.catalog, demo_gateway.answer_to
    asks(page, "/models_refresh", f"новых {len(demo.FAILING_MODELS)}")
    page.get_by_role("button", name="Модель занята").click()
    expect(last_reply(page)).to_contain_text(
        "модель: qwen/qwen3-coder:free (вместо sandbox/busy:free: лимит запросов)"
    )
    page.get_by_role("button", name="Вернуть обычную модель").click()
    expect(last_reply(page)).to_contain_text("★ 5. Gemma 4 31B")
    suggestion(page, "Ответ с таблицей и кодом").click()
    expect(last_reply(page).locator("table td", has_text="Ключ словаря")).to_be_visible()
    expect(last_reply(page).locator(".code pre")).to_contain_text("steps.append((5, 6))")
    expect(last_reply(page).locator(".code-head")).to_contain_text("python")
    expect(last_reply(page).locator("ol > li > ul > li")).to_have_count(2)


def test_suggestions_show_what_the_bot_does_with_notes(page: Page, gateway: EmulatedGateway) -> None:
    gateway.answer_to = demo.build_gateway().answer_to
    suggestion(page, "Загрузить примеры из файла").click()
    expect(last_reply(page)).to_contain_text(f"Добавлено заметок: {len(chat.SAMPLE_NOTES)}.")
    suggestion(page, "Изменить и передумать").click()
    expect(buttons(last_reply(page))).to_have_text(["↩️ Отменить правку"])
    suggestion(page, "Удалить и вернуть").click()
    expect(buttons(last_reply(page))).to_have_text(["↩️ Вернуть"])
    suggestion(page, "График").click()
    expect(last_reply(page).get_by_role("img", name="Картинка: Заметки за 14 дней")).to_be_visible()
    suggestion(page, "Спросить о своих заметках").click()
    expect(last_reply(page).locator("li")).to_contain_text(["#9", "#8", "#13"])
    expect(last_reply(page)).to_contain_text("заметки: #8, #9, #13")
    suggestion(page, "Спросить три модели").click()
    asked = page.locator(".message:not(.own)", has_text="модель:")
    expect(asked).to_have_count(4)
    answers = asked.locator(".rich").all_inner_texts()[1:]
    assert len({answer.partition("Это песочница")[0] for answer in answers}) == 3


def test_suggestions_send_commands_that_exist() -> None:
    html = (browser.WEB / "index.html").read_text(encoding="utf-8")
    sent = re.findall(r'data-(?:send|then|fill)="/(\w+)', html)
    assert len(sent) > 10
    assert set(sent) <= set(router.commands)


# Security: what a model or another site must not do

HOSTILE = """\
<script>window.pwned = 1</script> <img src="x" onerror="window.pwned = 2">

<iframe src="https://evil.example/"></iframe>

[раз](javascript:window.pwned=3) [два](https://good.example/?a=1&b=2) [три](data:text/html,<script>1</script>)
[четыре](//evil.example) [пять](JaVaScRiPt:window.pwned=4)

![пиксель](https://evil.example/pixel.png) ![и](data:image/png;base64,AAAA)

<a href="javascript:window.pwned=5">шесть</a> <style>body { display: none }</style>

```"><script>window.pwned = 6</script>
<script>window.pwned = 7</script>
```

| <b onmouseover="window.pwned = 8">a</b> | b |
|:-:|--:|
| <svg onload="window.pwned = 9"> | c |
"""


def test_hostile_markdown_runs_nothing_and_loads_nothing(page: Page, gateway: EmulatedGateway) -> None:
    gateway.answer_to = lambda _: HOSTILE
    asks(page, "/ask раз", "<script>window.pwned = 1</script>")
    message = last_reply(page)
    assert message.locator("script, img, iframe, svg, style, [style], b[onmouseover]").count() == 0
    addresses = [link.get_attribute("href") for link in message.locator("a[href]").all()]
    assert addresses == [
        "https://evil.example/",  # from the iframe, which is shown as text
        "https://good.example/?a=1&b=2",
        "https://evil.example/pixel.png",
    ]
    for link in message.locator("a[href]").all():
        assert link.get_attribute("target") == "_blank"
        assert "noopener" in str(link.get_attribute("rel"))
    says(page, '/note_add <img src="https://evil.example/x" onerror="window.pwned = 10">')
    asks(page, "/note_list", "<img src=")
    assert page.evaluate("window.pwned") is None


def test_the_content_security_policy_allows_no_other_site(site: str) -> None:
    policy = requests.get(site, timeout=60).headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "script-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    for name in browser.PAGES.values():
        assert not re.search(r"(src|href|url\()[=\"']*https?:", (browser.WEB / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Sandbox": "1"}, 200),
        ({"X-Sandbox": "1", "Host": "localhost:8000"}, 200),
        ({"X-Sandbox": "1", "Host": "[::1]"}, 200),
        ({"X-Sandbox": "1", "Host": "evil.example"}, 403),
        ({"X-Sandbox": "1", "Host": "127.0.0.1.evil.example"}, 403),
        ({"X-Sandbox": "1", "Host": "evil.example:127.0.0.1"}, 403),
        ({"X-Sandbox": "1", "Origin": "https://evil.example"}, 403),
        ({"X-Sandbox": "1", "Origin": "null"}, 403),
        ({"X-Sandbox": "1", "Origin": "http://127.0.0.1:1"}, 403),
        ({}, 403),
    ],
)
def test_only_the_page_itself_has_access(site: str, world: World, headers: dict[str, str], status: int) -> None:
    response = requests.post(f"{site}/people/1/say", json={"text": "раз"}, headers=headers, timeout=60)
    assert response.status_code == status
    assert world.pending() == (status == 200)
    if "Host" in headers:
        assert requests.get(site, headers=headers, timeout=60).status_code == status


@pytest.mark.parametrize(
    ("path", "status"),
    [("/people/3/events", 404), ("/people/1/files/file1", 404), ("/chat.py", 404), ("/../bot.py", 404)],
)
def test_nothing_else_is_served(site: str, path: str, status: int) -> None:
    assert requests.get(f"{site}{path}", timeout=60).status_code == status


def test_a_person_can_do_only_what_telegram_allows(site: str, world: World) -> None:
    def post(action: str, **body: Any) -> int:
        url = f"{site}/people/1/{action}"
        return requests.post(url, json=body, headers={"X-Sandbox": "1"}, timeout=60).status_code

    assert post("say", text="/start") == 200
    keyboard = {"inline_keyboard": [[{"text": "да", "callback_data": "yes"}]]}
    sent = call_method(world, "sendMessage", {"chat_id": ANN, "text": "раз", "reply_markup": keyboard})[
        "message_id"
    ]
    assert post("tap", message_id=sent, data="yes") == 200
    for action, body in (
        ("tap", {"message_id": sent, "data": "no"}),
        ("tap", {"message_id": 99, "data": "yes"}),
        ("edit", {"message_id": sent, "text": "два"}),
        ("edit", {"message_id": [], "text": "два"}),
        ("say", {"text": "раз", "reply_to": 99}),
        ("say", {}),
        ("stop", {"draft_id": "x"}),
    ):
        assert post(action, **body) == 400


# How messages are shown


def test_entities_format_a_text(quiet_page: Page, world: World) -> None:
    html = '😀 <b>жирно <i>и косо</i></b> <code>/start</code> <a href="https://a.example/">сюда</a> <s>нет</s>'
    html += ' <a href="javascript:alert(1)">туда</a> /help https://b.example/x.'
    call_method(world, "sendMessage", {"chat_id": ANN, "text": html, "parse_mode": "HTML"})
    message = last_reply(quiet_page)
    expect(message.locator("b")).to_have_text("жирно и косо")
    expect(message.locator("b > i")).to_have_text("и косо")
    expect(message.locator("code")).to_have_text("/start")
    expect(message.locator("s")).to_have_text("нет")
    addresses = [link.get_attribute("href") for link in message.locator("a").all()]
    assert addresses == ["https://a.example/", "#", "https://b.example/x"]
    expect(message.locator(".command")).to_have_text("/help")


def test_a_long_text_is_sent_as_several_messages(quiet_page: Page, world: World) -> None:
    says(quiet_page, "а" * 4096 + "я" * 10)
    expect(last_own(quiet_page)).to_contain_text("я" * 10)
    assert [len(message["text"]) for message in world.messages[ANN].values()] == [6, 4096, 10]


def test_pictures_are_shown_but_not_fetched_from_other_servers(quiet_page: Page, world: World) -> None:
    photo = Upload("chart.png", picture())
    call_method(
        world, "sendPhoto", {"chat_id": ANN, "photo": photo, "caption": "<b>вот</b>", "parse_mode": "HTML"}
    )
    expect(last_reply(quiet_page).locator(".photo")).to_be_visible()
    expect(last_reply(quiet_page).locator("b")).to_have_text("вот")
    call_method(world, "sendPhoto", {"chat_id": ANN, "photo": "https://evil.example/pixel.png"})
    expect(last_reply(quiet_page).locator("a")).to_have_attribute("href", "https://evil.example/pixel.png")


def test_a_draft_is_shown_until_the_message_arrives(quiet_page: Page, world: World) -> None:
    def draft(method: str, **content: Any) -> None:
        call_method(world, method, {"chat_id": ANN, "draft_id": 7, "can_stop": True, **content})

    call_method(world, "sendChatAction", {"chat_id": ANN, "action": "typing"})
    expect(quiet_page.locator("#status")).to_have_text("печатает…")
    shown = quiet_page.locator(".draft .bubble")
    draft("sendMessageDraft", text="")
    expect(shown).to_have_text("Думает…")
    draft("sendMessageDraft", text="в очереди: 2")
    expect(shown).to_have_text("в очереди: 2")
    draft("sendRichMessageDraft", rich_message={"markdown": "```python\nprint("})
    expect(shown.locator("pre")).to_have_text("print(\n")
    quiet_page.reload()
    expect(shown.locator("pre")).to_be_visible()
    call_method(world, "sendRichMessage", {"chat_id": ANN, "rich_message": {"markdown": "**всё**"}})
    expect(last_reply(quiet_page).locator("strong")).to_have_text("всё")
    expect(shown).to_have_count(0)
    expect(quiet_page.locator("#status")).to_have_text("бот")


def test_the_chat_stays_at_its_end_unless_the_person_scrolls_up(quiet_page: Page, world: World) -> None:
    def send(text: str) -> None:
        call_method(world, "sendMessage", {"chat_id": ANN, "text": text})
        expect(last_reply(quiet_page)).to_contain_text(text)

    for n in range(5):
        send(f"{n}\n" * 20)
    send("последнее")
    expect(last_reply(quiet_page)).to_be_in_viewport()
    quiet_page.locator("#scroll").evaluate("element => element.scrollTop = 100")
    expect(quiet_page.locator("#down")).to_be_visible()
    send("новое")
    expect(last_reply(quiet_page)).not_to_be_in_viewport()
    assert quiet_page.locator("#scroll").evaluate("element => element.scrollTop") == 100
    quiet_page.locator("#down").click()
    expect(last_reply(quiet_page)).to_be_in_viewport()


def test_the_chat_fits_a_phone_and_has_a_dark_theme(open_page: Callable[..., Page], world: World) -> None:
    phone = open_page(viewport={"width": 390, "height": 800}, color_scheme="dark", is_mobile=True, has_touch=True)
    says(phone, "Д" * 300)
    expect(last_own(phone)).to_be_visible()
    wide = (
        "| " + " | ".join(["колонка"] * 12) + " |\n|" + "---|" * 12 + f"\n\n```\n{'код ' * 100}\n```\n{'я' * 200}"
    )
    call_method(world, "sendRichMessage", {"chat_id": ANN, "rich_message": {"markdown": wide}})
    expect(last_reply(phone).locator("table")).to_be_visible()
    keyboard = {"inline_keyboard": [[{"text": "кнопка " * 5, "callback_data": str(n)} for n in range(3)]]}
    call_method(world, "sendMessage", {"chat_id": ANN, "text": "раз", "reply_markup": keyboard})
    expect(last_reply(phone).get_by_role("button").first).to_be_visible()
    phone.locator("#text").fill("/")
    for element in ("html", "#scroll"):
        assert phone.locator(element).evaluate("e => e.scrollWidth - e.clientWidth") == 0
    assert phone.evaluate("document.documentElement.scrollHeight <= innerHeight")

    def background() -> Any:
        return phone.locator("header").evaluate("e => getComputedStyle(e).backgroundColor")

    dark = background()
    phone.get_by_role("button", name="Сменить тему").click()
    assert background() == "rgb(255, 255, 255)" != dark


def test_events_continue_after_the_last_received_one(site: str, world: World) -> None:
    def events(after: int, count: int) -> list[str]:
        """Return the texts of some events after a sequence number."""
        url, headers = f"{site}/people/1/events", {"Last-Event-ID": str(after)}
        with requests.get(url, headers=headers, stream=True, timeout=60) as response:
            response.encoding = "utf-8"
            lines = (line for line in response.iter_lines(decode_unicode=True) if line.startswith("data: {"))
            return [json.loads(next(lines)[6:])["message"]["text"] for _ in range(count)]

    requests.post(f"{site}/people/1/say", json={"text": "раз"}, headers={"X-Sandbox": "1"}, timeout=60)
    call_method(world, "sendMessage", {"chat_id": ANN, "text": "два"})
    call_method(world, "sendMessage", {"chat_id": ANN, "text": "три"})
    assert events(0, 3) == ["раз", "два", "три"]
    assert events(2, 1) == ["три"]


@pytest.mark.parametrize("key", ["", "sk-or-test-key"])
def test_python_m_sandbox_serves_the_page_until_sigterm(tmp_path: Path, key: str) -> None:
    command = [sys.executable, "-X", "utf8", "-m", "sandbox", "--no-browser"]
    settings = {"OPENROUTER_API_KEY": key, "OPENROUTER_BASE_URL": "http://127.0.0.1:9"}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, **settings, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as sandbox:
        assert sandbox.stdout
        address = re.search(r"http://127\.0\.0\.1:\d+", sandbox.stdout.readline())
        assert address
        assert "Заметки" in requests.get(address[0], timeout=60).content.decode()
        assert requests.get(f"{address[0]}/setup", timeout=60).json()["has_real_models"] is bool(key)
        sandbox.send_signal(signal.SIGTERM)
        assert sandbox.wait(PATIENCE_S) == 0


def test_the_page_keeps_its_address_unless_its_port_is_in_use(world: World) -> None:
    with launcher.serve_page(world, 0) as first, launcher.serve_page(world, 0) as second:
        assert first.url != second.url  # both run, on any machine
        for url in (first.url, second.url):
            assert "Заметки" in requests.get(url, timeout=60).content.decode()
    with Server(browser.application(world)) as free:
        port = int(free.url.rpartition(":")[2])
    for _ in range(2):  # the same port again right after the last run
        with launcher.serve_page(world, port) as server:
            assert server.url == f"http://127.0.0.1:{port}"


def test_a_port_that_cannot_exist_is_an_error_and_no_hang(world: World) -> None:
    with pytest.raises(OverflowError), launcher.serve_page(world, 70_000):
        pass


def test_a_port_in_use_is_reported(site: str, tmp_path: Path) -> None:
    command = [sys.executable, "-X", "utf8", "-m", "sandbox", "--no-browser", "--port", site.rpartition(":")[2]]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    sandbox = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE_S
    )
    assert sandbox.returncode == 1
    assert "Не удалось открыть порт" in sandbox.stderr
    assert "Traceback" not in sandbox.stderr


# What is not only text


def photos(count: int) -> list[FilePayload]:
    return [FilePayload(name=f"{n}.jpg", mimeType="image/jpeg", buffer=sample("photo")) for n in range(count)]


def last_message(world: World) -> dict[str, Any]:
    return dict(list(world.messages[ANN].values())[-1])


def test_marks_and_shortcuts_format_a_text(quiet_page: Page, world: World) -> None:
    says(quiet_page, "**жирно и __косо__** 😀 `a**b**` ||тайна|| [тут](https://a.example/)\n> раз\n> два\nконец")
    expect(last_own(quiet_page)).to_contain_text("конец")
    message = last_message(world)
    assert message["text"] == "жирно и косо 😀 a**b** тайна тут\nраз\nдва\nконец"
    text = message["text"].encode("utf-16-le")
    spans = {
        entity["type"]: text[2 * entity["offset"] :][: 2 * entity["length"]].decode("utf-16-le")
        for entity in message["entities"]
    }
    assert spans == {
        "bold": "жирно и косо",
        "italic": "косо",
        "code": "a**b**",
        "spoiler": "тайна",
        "text_link": "тут",
        "blockquote": "раз\nдва",
    }
    spoiler = last_own(quiet_page).locator(".spoiler")
    expect(spoiler.locator("span")).to_be_hidden()
    spoiler.press("Enter")
    expect(last_own(quiet_page).get_by_text("тайна")).to_be_visible()
    quiet_page.locator("#text").press("ArrowUp")  # the same text again, to edit it: nothing is lost
    quiet_page.locator("#text").press("Enter")
    expect(last_own(quiet_page)).to_contain_text("изменено")
    edited = last_message(world)
    assert (edited["text"], edited["entities"]) == (message["text"], message["entities"])
    quiet_page.locator("#text").fill("важно")
    quiet_page.locator("#text").press("ControlOrMeta+a")
    quiet_page.locator("#text").press("ControlOrMeta+b")
    quiet_page.locator("#text").press("Enter")
    expect(last_own(quiet_page).locator("b")).to_have_text("важно")


def test_pictures_make_an_album_and_a_caption_is_edited(quiet_page: Page, world: World) -> None:
    quiet_page.locator("#file").set_input_files(photos(3))
    expect(quiet_page.locator("#bar-pictures img")).to_have_count(3)
    says(quiet_page, "**море**")
    album = quiet_page.locator(".album.own")
    expect(album.locator(".photo")).to_have_count(3)
    sent = list(world.messages[ANN].values())[1:]
    assert len({message["media_group_id"] for message in sent}) == 1
    assert [message.get("caption") for message in sent] == ["море", None, None]
    assert sent[0]["caption_entities"] == [{"type": "bold", "offset": 0, "length": 4}]
    album.locator(".message").first.hover()
    album.get_by_role("button", name="Изменить").first.click()
    says(quiet_page, "лес")
    expect(album.locator(".message").first).to_contain_text("лес")
    media = [{"type": "photo", "media": message["photo"][-1]["file_id"]} for message in sent]
    call_method(world, "sendMediaGroup", {"chat_id": ANN, "media": media})
    expect(quiet_page.locator(".album:not(.own) .photo")).to_have_count(3)


def test_samples_are_sent_shown_forwarded_and_answered(quiet_page: Page, world: World) -> None:
    for kind, shown in (
        ("voice", "audio"),
        ("video", "video"),
        ("document", ".document"),
        ("location", ".card"),
        ("contact", ".card"),
        ("sticker", ".sticker"),
        ("post", ".origin"),
    ):
        quiet_page.locator(f"[data-sample={kind}]").click()
        expect(last_own(quiet_page).locator(shown)).to_be_visible()
        if kind == "voice":
            voice = last_message(world)
            message = quiet_page.locator(f".message[data-id='{voice['message_id']}']")
    assert last_message(world)["forward_origin"]["chat"]["username"] == "sandbox_news"
    message.hover()
    message.get_by_role("button", name="Переслать").click()
    expect(last_own(quiet_page).locator("audio")).to_be_visible()
    assert last_message(world)["forward_origin"]["sender_user"]["id"] == ANN
    message.get_by_role("button", name="Ответить").press("Enter")
    expect(quiet_page.locator("#bar")).to_contain_text("Голосовое")
    says(quiet_page, "раз")
    expect(last_own(quiet_page).locator(".quote")).to_contain_text("Голосовое")
    assert last_message(world)["reply_to_message"]["voice"] == voice["voice"]


def test_reactions_copy_buttons_and_forced_replies_are_shown(quiet_page: Page, world: World) -> None:
    quiet_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    own = last_message(world)["message_id"]
    reaction = [{"type": "emoji", "emoji": "👍"}]
    call_method(world, "setMessageReaction", {"chat_id": ANN, "message_id": own, "reaction": reaction})
    expect(last_own(quiet_page).locator(".reaction")).to_have_text("👍")
    keyboard = {"inline_keyboard": [[{"text": "Скопировать", "copy_text": {"text": "раз"}}]]}
    call_method(world, "sendMessage", {"chat_id": ANN, "text": "код", "reply_markup": keyboard})
    buttons(last_reply(quiet_page)).click()
    expect(quiet_page.locator("#toast")).to_have_text("Скопировано.")
    assert quiet_page.evaluate("navigator.clipboard.readText()") == "раз"
    forced = {"force_reply": True, "input_field_placeholder": "Новый текст"}
    call_method(world, "sendMessage", {"chat_id": ANN, "text": "Что записать?", "reply_markup": forced})
    expect(quiet_page.get_by_placeholder("Новый текст")).to_be_focused()
    says(quiet_page, "два")
    expect(last_own(quiet_page).locator(".quote")).to_contain_text("Что записать?")
    assert last_message(world)["reply_to_message"]["text"] == "Что записать?"


def test_a_double_click_records_once(quiet_page: Page) -> None:
    quiet_page.evaluate("""() => {
        const devices = navigator.mediaDevices, open = devices.getUserMedia.bind(devices);
        window.streams = [];
        devices.getUserMedia = (wanted) => {
            const stream = open(wanted);
            window.streams.push(stream);
            return stream;
        };
    }""")
    quiet_page.locator("#record").dblclick()
    expect(quiet_page.locator("#bar-title")).to_have_text("Запись голоса")
    quiet_page.locator("#bar-close").click()
    states = """async () => (await Promise.all(window.streams)).flatMap((stream) => stream.getTracks())
        .map((track) => track.readyState)"""
    assert quiet_page.evaluate(states) == ["ended"]


def test_a_voice_message_is_recorded(quiet_page: Page, world: World) -> None:
    quiet_page.context.grant_permissions(["microphone"])
    quiet_page.get_by_role("button", name="Записать голосовое").click()
    expect(quiet_page.locator("#bar")).to_contain_text("Запись голоса")
    expect(quiet_page.locator("#bar")).to_contain_text("0:01")
    quiet_page.locator("#send").click()
    expect(last_own(quiet_page).locator("audio")).to_be_visible()
    voice = last_message(world)["voice"]
    assert voice["mime_type"] in ("audio/webm", "audio/ogg")
    assert len(world.files[voice["file_id"]]) == voice["file_size"] > 0


# The names of the buttons in the chat that something else covers, as elementFromPoint finds.
OVERLAPPING = """() => {
  const area = document.querySelector("#scroll").getBoundingClientRect();
  const isCovered = (button) => {
    const { x, y, width, height } = button.getBoundingClientRect();
    const [left, top] = [x + width / 2, y + height / 2];
    return top > area.top && top < area.bottom && !button.contains(document.elementFromPoint(left, top));
  };
  return [...document.querySelectorAll("#log button")].filter(isCovered).map((button) => button.textContent);
}"""


def test_nothing_overlaps_on_the_narrowest_phone(open_page: Callable[..., Page], world: World) -> None:
    phone = open_page(viewport={"width": 320, "height": 640}, is_mobile=True, has_touch=True)
    phone.locator("#file").set_input_files(photos(2))
    phone.get_by_role("button", name="Оформление текста").click()
    says(phone, "альбом")
    expect(phone.locator(".album .photo")).to_have_count(2)
    voice = world.send_media(ANN, "voice")["voice"]["file_id"]
    call_method(world, "sendVoice", {"chat_id": ANN, "voice": voice})
    expect(phone.locator("audio")).to_be_visible()
    phone.locator("#text").fill("текст")
    for element in ("html", "#scroll", "header", "#composer", "#format"):
        assert phone.locator(element).evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    boxes = [phone.locator(f"#composer > {name}").bounding_box() for name in ("#attach", "#text", "#send")]
    assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= 320 for box in boxes)
    first = phone.locator(".album .message").first
    assert phone.evaluate(OVERLAPPING) == []
    first.get_by_role("button", name="Ответить").tap()
    expect(phone.locator("#bar")).to_contain_text("альбом")


# Unsent texts


def test_an_unsent_text_survives_a_switch_of_persons_and_a_restart(open_page: Callable[..., Page]) -> None:
    page = open_page()
    field = page.locator("#text")
    says(page, "раз")
    expect(last_own(page)).to_contain_text("раз")
    last_own(page).locator(".text").dblclick()
    expect(page.locator("#bar")).to_be_hidden()
    field.fill("не отправлено")
    page.get_by_role("button", name="Борис").click()
    expect(field).to_have_value("")
    field.fill("Борис пишет")
    page.get_by_role("button", name="Анна").click()
    expect(field).to_have_value("не отправлено")
    last_own(page).get_by_role("button", name="Изменить").click()
    expect(field).to_have_value("раз")
    field.press("Escape")
    expect(field).to_have_value("не отправлено")
    page.reload()
    expect(field).to_be_enabled()
    expect(field).to_have_value("не отправлено")
    field.press("Enter")
    expect(last_own(page)).to_contain_text("не отправлено")
    page.reload()
    expect(field).to_be_enabled()
    expect(field).to_have_value("")


# The keyboard, screen readers, magnified pages


def show_everything(page: Page, world: World) -> None:
    """Fill the chat with all kinds of messages."""
    for kind in ("voice", "photo", "album", "document", "video", "location", "contact", "sticker", "post"):
        page.locator(f"[data-sample={kind}]").click()
    says(page, "/start ||тайна|| `код` https://a.example/")
    rich = f"{demo.TABLE_AND_CODE}\n\n> цитата с [ссылкой](https://a.example/)"
    call_method(world, "sendRichMessage", {"chat_id": ANN, "rich_message": {"markdown": rich}})
    reply = {"message_id": next(iter(world.messages[ANN]))}
    keyboard = {"inline_keyboard": [[{"text": "да", "callback_data": "yes"}]]}
    fields = {"text": "раз /help два", "reply_parameters": reply, "reply_markup": keyboard}
    call_method(world, "sendMessage", {"chat_id": ANN, **fields})
    call_method(world, "sendChatAction", {"chat_id": ANN, "action": "typing"})
    call_method(world, "sendMessageDraft", {"chat_id": ANN, "draft_id": 7, "text": "", "can_stop": True})
    expect(page.get_by_role("button", name="Остановить")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_page: Callable[..., Page], world: World, theme: str) -> None:
    page = open_page(color_scheme=theme, reduced_motion="reduce")

    def violations() -> list[tuple[str, str]]:
        found = Axe().run(page).response["violations"]
        return [(violation["id"], node["html"]) for violation in found for node in violation["nodes"]]

    show_everything(page, world)
    page.get_by_role("button", name="Оформление текста").click()
    page.get_by_role("button", name="Ответить").last.click()
    assert violations() == []
    page.set_viewport_size({"width": 320, "height": 640})
    page.get_by_role("button", name="Команды бота").click()
    assert violations() == []


def test_everything_works_with_the_keyboard(page: Page) -> None:
    menu, menu_button = page.locator("#menu"), page.get_by_role("button", name="Команды бота")
    menu_button.press("Enter")
    expect(menu).to_be_focused()
    expect(menu).to_have_attribute("aria-activedescendant", "menu-start")
    menu.press("ArrowUp")
    expect(menu).to_have_attribute("aria-activedescendant", f"menu-{list(router.commands)[-1]}")
    menu.press("Escape")
    expect(menu).to_be_hidden()
    expect(menu_button).to_be_focused()
    page.locator("#text").fill("не отправлено")
    menu_button.press("Enter")
    for _ in range(list(router.commands).index("models")):
        menu.press("ArrowDown")
    menu.press("Enter")
    expect(last_reply(page)).to_contain_text("★ 5. Gemma")
    expect(menu_button).to_be_focused()
    expect(page.locator("#text")).to_have_value("не отправлено")
    button = last_reply(page).get_by_role("button", name="9. North")
    button.press("Enter")
    expect(last_reply(page)).to_contain_text("★ 9. North")
    assert page.evaluate("document.activeElement.closest('.message') !== null")  # the focus stays where it was
    suggestion(page, "Удалить и вернуть").press("Enter")
    last_reply(page).get_by_role("button", name="↩️ Вернуть").press("Enter")
    expect(last_reply(page)).to_have_text(re.compile(r"^Заметки: Заметка #1 снова на месте\."))
    expect(last_own(page)).to_have_text(re.compile(r"^Анна: /note_del 1"))
    expect(last_reply(page).get_by_role("button", name="Ответить")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_be_focused()


def test_the_chat_is_usable_at_a_zoom_of_400_percent(quiet_page: Page, world: World) -> None:
    quiet_page.set_viewport_size({"width": 320, "height": 200})  # 1280 × 800 pixels, magnified
    show_everything(quiet_page, world)
    says(quiet_page, "конец\n" * 9)
    expect(last_own(quiet_page)).to_contain_text("конец")
    field = quiet_page.locator("#text")
    eventually(lambda: is_above(last_own(quiet_page).locator(".time"), quiet_page.locator("footer")))
    assert field.evaluate("field => field.getBoundingClientRect().bottom <= innerHeight")
    assert quiet_page.evaluate("document.documentElement.scrollWidth") == 320
    quiet_page.evaluate("scrollTo(0, 0)")
    expect(quiet_page.locator("#people")).to_be_in_viewport()
    expect(field).to_be_in_viewport()
    quiet_page.locator("#down").click()
    expect(last_own(quiet_page).locator(".time")).to_be_in_viewport()


def is_above(upper: Locator, lower: Locator) -> bool:
    """Return whether one element ends above another."""
    boxes = upper.bounding_box(), lower.bounding_box()
    return bool(boxes[0] and boxes[1] and boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"])
