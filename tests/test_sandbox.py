"""sandbox: as strict as the real thing; the chat in the terminal runs from the README's command.

- what Telegram refuses is refused
- parameters are read from wherever a client puts them
- polling: offsets, limits, conflicts
- python -m sandbox --terminal
"""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
from conftest import ROOT, without_times

from sandbox.telegram import TOKEN, Faults, World

ANN, BOB = 1, 2
Call = Callable[..., Any]


@pytest.fixture
def call(telegram_url: str) -> Call:
    """Give a way to call a method; the answer is the result, or the error's (code, description)."""

    def call(method: str, token: str = TOKEN, **params: Any) -> Any:
        body = requests.post(f"{telegram_url}/bot{token}/{method}", json=params, timeout=60).json()
        return body["result"] if body["ok"] else (body["error_code"], body["description"])

    return call


@pytest.mark.parametrize(
    ("method", "params", "code", "part"),
    [
        ("sendMessage", {"chat_id": ANN, "text": ""}, 400, "message text is empty"),
        ("sendMessage", {"chat_id": ANN, "text": " \n "}, 400, "message text is empty"),
        ("sendMessage", {"chat_id": ANN, "text": "а" * 4097}, 400, "message is too long"),
        ("sendMessage", {"chat_id": 77, "text": "раз"}, 400, "chat not found"),
        ("sendMessage", {"chat_id": ANN, "text": "a < b", "parse_mode": "HTML"}, 400, "can't parse entities"),
        ("sendMessage", {"chat_id": ANN, "text": "<b>a", "parse_mode": "HTML"}, 400, "can't parse entities"),
        ("sendMessage", {"chat_id": ANN, "text": "<b></i>", "parse_mode": "HTML"}, 400, "can't parse entities"),
        ("sendMessage", {"chat_id": ANN, "text": "<h1>a</h1>", "parse_mode": "HTML"}, 400, "can't parse entities"),
        (
            "sendMessage",
            {"chat_id": ANN, "text": "a", "reply_parameters": {"message_id": 99}},
            400,
            "to be replied",
        ),
        ("sendDocument", {"chat_id": ANN, "document": "text"}, 400, "no document"),
        ("editMessageText", {"chat_id": ANN, "message_id": 1, "text": "раз"}, 400, "can't be edited"),
        ("editMessageText", {"chat_id": ANN, "message_id": 99, "text": "раз"}, 400, "not found"),
        ("answerCallbackQuery", {"callback_query_id": "1"}, 400, "query is too old"),
        ("noSuchMethod", {}, 404, "Not Found"),
        ("getMe", {"token": "1:wrong"}, 401, "Unauthorized"),
        ("setMyCommands", {"commands": [{"command": "Note Add", "description": "x"}]}, 400, "COMMAND_INVALID"),
        ("setMyCommands", {"commands": [{"command": "note", "description": ""}]}, 400, "DESCRIPTION_INVALID"),
    ],
)
def test_what_telegram_refuses(
    world: World, call: Call, method: str, params: dict[str, Any], code: int, part: str
) -> None:
    world.say(ANN, "/start")
    refused_code, description = call(method, **params)
    assert (refused_code, part in description) == (code, True)


def test_button_data_of_more_than_64_bytes_is_refused(world: World, call: Call) -> None:
    world.say(ANN, "/start")
    for data, good in (("я" * 32, True), ("я" * 33, False), ("", False)):
        keyboard = {"inline_keyboard": [[{"text": "да", "callback_data": data}]]}
        answer = call("sendMessage", chat_id=ANN, text="раз", reply_markup=keyboard)
        assert isinstance(answer, dict) is good


def test_an_edit_that_changes_nothing_is_refused_and_a_callback_is_answered_once(world: World, call: Call) -> None:
    world.say(ANN, "/start")
    sent = call("sendMessage", chat_id=ANN, text="раз")
    edit = {"chat_id": ANN, "message_id": sent["message_id"]}
    assert "not modified" in call("editMessageText", **edit, text="раз")[1]
    assert call("editMessageText", **edit, text="два")["text"] == "два"
    query = world.tap(ANN, ANN, sent["message_id"], "data")
    assert call("answerCallbackQuery", callback_query_id=query) is True
    assert call("answerCallbackQuery", callback_query_id=query)[0] == 400


def test_a_person_who_blocked_the_bot(world: World, call: Call) -> None:
    world.say(ANN, "/start")
    world.blocked.add(ANN)
    assert call("sendMessage", chat_id=ANN, text="раз")[0] == 403


def test_html_counts_as_the_text_it_shows(world: World, call: Call) -> None:
    world.say(ANN, "/start")
    assert call("sendMessage", chat_id=ANN, text="<b>a</b> &lt; b", parse_mode="HTML")["text"] == "a < b"


def test_a_document_and_its_caption(world: World, telegram_url: str) -> None:
    world.say(ANN, "/start")
    url = f"{telegram_url}/bot{TOKEN}/sendDocument"
    for caption, content, status in (("вот", b"x", 200), ("а" * 1025, b"x", 400), ("", b"", 400)):
        answer = requests.post(
            url, data={"chat_id": ANN, "caption": caption}, files={"document": ("a.txt", content)}, timeout=60
        )
        assert answer.status_code == status
    assert next(iter(world.files.values())) == b"x"


def test_parameters_from_the_address_a_form_and_json(world: World, telegram_url: str) -> None:
    world.say(ANN, "/start")
    url = f"{telegram_url}/bot{TOKEN}/sendMessage"
    keyboard = json.dumps({"inline_keyboard": [[{"text": "да", "callback_data": "1"}]]})
    params = {"chat_id": str(ANN), "text": "[раз]", "reply_markup": keyboard}
    for answer in (
        requests.get(url, params=params, timeout=60),
        requests.post(url, data=params, timeout=60),
        requests.post(url, json=params, timeout=60),
    ):
        message = answer.json()["result"]
        assert message["text"] == "[раз]"
        assert message["reply_markup"]["inline_keyboard"][0][0]["callback_data"] == "1"


# Polling


def test_an_offset_confirms_and_a_limit_limits(world: World, call: Call) -> None:
    for n in range(5):
        world.say(ANN, str(n))
    first = call("getUpdates", limit=2)
    assert [update["message"]["text"] for update in first] == ["0", "1"]
    assert call("getUpdates", limit=2) == first
    rest = call("getUpdates", offset=first[1]["update_id"] + 1)
    assert [update["message"]["text"] for update in rest] == ["2", "3", "4"]
    assert world.pending() == 3
    assert call("getUpdates", offset=rest[-1]["update_id"] + 1) == []


def test_a_poll_waits_for_an_update(world: World, call: Call) -> None:
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.extend(call("getUpdates", timeout=50)))
    thread.start()
    world.wait(lambda: world.poll_number == 1)
    world.say(ANN, "раз")
    thread.join(60)
    assert got[0]["message"]["text"] == "раз"


def test_the_older_of_two_polls_is_ended(world: World, call: Call) -> None:
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(call("getUpdates", timeout=50)))
    thread.start()
    world.wait(lambda: world.poll_number == 1)
    assert call("getUpdates", timeout=0) == []
    thread.join(60)
    assert got[0][0] == 409


def test_a_failed_poll_confirms_nothing(world: World, call: Call) -> None:
    world.say(ANN, "раз")
    [update] = call("getUpdates")
    world.faults = Faults(too_many=1.0, methods=frozenset(["getUpdates"]))
    assert call("getUpdates", offset=update["update_id"] + 1)[0] == 429
    assert world.pending() == 1


def test_updates_that_were_not_asked_for_do_not_come(world: World, call: Call) -> None:
    call("getUpdates", allowed_updates=["message"])
    world.update({"edited_message": {}})
    world.say(ANN, "раз")
    assert [list(update) for update in call("getUpdates")] == [["update_id", "message"]]


# The control API and the terminal


def test_a_person_may_be_played_from_another_process(telegram_url: str, call: Call) -> None:
    said = requests.post(f"{telegram_url}/control/say", json={"user_id": ANN, "text": "/start"}, timeout=60).json()
    assert call("getUpdates")[0]["message"] == said
    call("sendMessage", chat_id=ANN, text="раз")
    events = requests.get(f"{telegram_url}/control/events?after=0&wait=1", timeout=60).json()
    assert [event["message"]["text"] for event in events] == ["раз"]
    requests.post(f"{telegram_url}/control/faults", json={"bad_gateway": 1.0}, timeout=60)
    assert requests.post(f"{telegram_url}/bot{TOKEN}/getMe", timeout=60).status_code == 502


def test_the_chat_in_the_terminal() -> None:
    script = "/note_add Купить\\nмолоко\n/note_export\n/ask Почему?\n"
    run = subprocess.run(
        [sys.executable, "-X", "utf8", "-m", "sandbox", "--terminal"],
        cwd=ROOT,
        input=script,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    shown = without_times(run.stdout)
    for line in (
        "Заметка #1 добавлена.",
        "📎 notes.txt",
        "#1 · 21.11.2026 12:00",
        "молоко",
        "Вы спросили: «Почему?»",
    ):
        assert line in shown


def test_the_collection_for_insomnia_has_a_request_for_everything() -> None:
    collection = (ROOT / "docs" / "insomnia.yaml").read_text(encoding="utf-8")
    bodies = re.findall(r"^      text: \|\n((?:        .*\n)+)", collection, re.MULTILINE)
    models = [json.loads(body)["model"] for body in bodies]
    assert len(models) == 3 + 13
    for status in (400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504):
        assert f"sandbox/status-{status}" in models
    for path in ("/models", "/key", "/generation?id="):
        assert f'url: "{{{{ _.base_url }}}}{path}' in collection
    for setting in ("base_url: https://openrouter.ai/api/v1", "OPENROUTER_API_KEY: "):
        assert setting in collection
