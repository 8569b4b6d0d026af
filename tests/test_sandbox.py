"""sandbox: the emulated Telegram is as strict as the real one; the chat in the terminal works.

- calls that Telegram refuses
- where a client may put parameters
- polling: offsets, limits, conflicts
- the control API and `python -m sandbox --terminal`
- the Insomnia collection, and what the emulated RVFreeLLM accepts
"""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from conftest import ROOT, without_times

from sandbox.openrouter import SEED_MODELS, EmulatedGateway
from sandbox.openrouter.rvfreellm import SAMPLE_MODEL, SAMPLE_PROVIDER
from sandbox.telegram import TOKEN, Faults, World

ANN, BOB = 1, 2
Call = Callable[..., Any]


def rich(markdown: str) -> dict[str, Any]:
    return {"chat_id": ANN, "rich_message": {"markdown": markdown}}


@pytest.fixture
def call(telegram_url: str) -> Call:
    """Return a function that calls a method and returns its result, or (code, description) of an error."""

    def call(method: str, token: str = TOKEN, **params: Any) -> Any:
        response = requests.post(f"{telegram_url}/bot{token}/{method}", json=params, timeout=60).json()
        return response["result"] if response["ok"] else (response["error_code"], response["description"])

    return call


@pytest.mark.parametrize(
    ("method", "params", "expected_code", "part"),
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
        ("sendDocument", {"chat_id": ANN}, 400, "there is no document"),
        ("sendMessage", {"chat_id": ANN, "text": "раз", "txt": "два"}, 400, "has no parameter txt"),
        ("sendMessage", {"chat_id": ANN, "text": "раз", "reply_parameters": {"id": 1}}, 400, "no parameter id"),
        ("sendChatAction", {"chat_id": ANN, "action": "dancing"}, 400, "wrong parameter action"),
        ("sendRichMessage", rich("![](https://a.b/c.png)"), 400, "PHOTO_NO_MEDIA_FOUND"),
        ("sendRichMessage", rich("<tg-button>да</tg-button>"), 400, "no HTML"),
        ("sendRichMessage", rich("раз\n\n" * 501), 400, "BLOCKS_TOO_MANY"),
        ("sendRichMessage", rich("> " * 17 + "раз"), 400, "DEPTH_TOO_LARGE"),
        ("sendRichMessage", rich("|a" * 21 + "|\n" + "|-" * 21 + "|"), 400, "TABLE_TOO_WIDE"),
        ("editMessageText", {"chat_id": ANN, "message_id": 1, "text": "раз"}, 400, "can't be edited"),
        ("editMessageText", {"chat_id": ANN, "message_id": 99, "text": "раз"}, 400, "not found"),
        ("answerCallbackQuery", {"callback_query_id": "1"}, 400, "query is too old"),
        ("noSuchMethod", {}, 404, "Not Found"),
        ("getMe", {"token": "1:wrong"}, 401, "Unauthorized"),
        ("setMyCommands", {"commands": [{"command": "Note Add", "description": "x"}]}, 400, "COMMAND_INVALID"),
        ("setMyCommands", {"commands": [{"command": "note", "description": ""}]}, 400, "DESCRIPTION_INVALID"),
    ],
)
def test_telegram_refuses_bad_calls(
    world: World, call: Call, method: str, params: dict[str, Any], expected_code: int, part: str
) -> None:
    world.say(ANN, "/start")
    code, description = call(method, **params)
    assert code == expected_code
    assert part in description


@pytest.mark.parametrize(("data", "is_accepted"), [("я" * 32, True), ("я" * 33, False), ("", False)])
def test_callback_data_has_1_to_64_bytes(world: World, call: Call, data: str, is_accepted: bool) -> None:
    world.say(ANN, "/start")
    keyboard = {"inline_keyboard": [[{"text": "да", "callback_data": data}]]}
    result = call("sendMessage", chat_id=ANN, text="раз", reply_markup=keyboard)
    assert isinstance(result, dict) is is_accepted


def test_an_edit_that_changes_nothing_is_refused(world: World, call: Call) -> None:
    world.say(ANN, "/start")
    message_id = call("sendMessage", chat_id=ANN, text="раз")["message_id"]
    assert "not modified" in call("editMessageText", chat_id=ANN, message_id=message_id, text="раз")[1]
    assert call("editMessageText", chat_id=ANN, message_id=message_id, text="два")["text"] == "два"
    # https://core.telegram.org/bots/api#editmessagereplymarkup
    keyboard = {"inline_keyboard": [[{"text": "да", "callback_data": "yes"}]]}
    edited = call("editMessageReplyMarkup", chat_id=ANN, message_id=message_id, reply_markup=keyboard)
    assert (edited["text"], edited["reply_markup"]) == ("два", keyboard)
    again = call("editMessageReplyMarkup", chat_id=ANN, message_id=message_id, reply_markup=keyboard)
    assert "not modified" in again[1]
    assert "reply_markup" not in call("editMessageReplyMarkup", chat_id=ANN, message_id=message_id)


def test_a_callback_query_is_answered_once(world: World, call: Call) -> None:
    world.say(ANN, "/start")
    message_id = call("sendMessage", chat_id=ANN, text="раз")["message_id"]
    query_id = world.tap(ANN, ANN, message_id, "data")
    assert call("answerCallbackQuery", callback_query_id=query_id) is True
    assert call("answerCallbackQuery", callback_query_id=query_id)[0] == 400


def test_a_toast_has_at_most_200_characters(world: World, call: Call) -> None:
    world.say(ANN, "/start")
    message = call("sendMessage", chat_id=ANN, text="раз")
    query_id = world.tap(ANN, ANN, message["message_id"], "x")
    assert call("answerCallbackQuery", callback_query_id=query_id, text="а" * 201)[0] == 400
    assert call("answerCallbackQuery", callback_query_id=query_id, text="а" * 200) is True


def test_drafts_exist_in_private_chats_only(world: World, call: Call) -> None:
    world.say(ANN, "/start", chat_id=-100)
    assert call("sendMessageDraft", chat_id=-100, draft_id=1, text="а") == (
        400,
        "Bad Request: TEXTDRAFT_PEER_INVALID",
    )


def test_a_person_who_blocked_the_bot_gets_nothing(world: World, call: Call) -> None:
    world.say(ANN, "/start")
    world.blocked.add(ANN)
    assert call("sendMessage", chat_id=ANN, text="раз")[0] == 403


def test_html_is_stored_as_plain_text(world: World, call: Call) -> None:
    world.say(ANN, "/start")
    assert call("sendMessage", chat_id=ANN, text="<b>a</b> &lt; b", parse_mode="HTML")["text"] == "a < b"


def test_documents_are_checked(world: World, telegram_url: str) -> None:
    world.say(ANN, "/start")
    url = f"{telegram_url}/bot{TOKEN}/sendDocument"
    for caption, content, status in (("вот", b"x", 200), ("а" * 1025, b"x", 400), ("", b"", 400)):
        params = {"chat_id": ANN, "caption": caption}
        response = requests.post(url, data=params, files={"document": ("a.txt", content)}, timeout=60)
        assert response.status_code == status
    assert next(iter(world.files.values())) == b"x"


def test_parameters_come_from_the_query_string_a_form_or_json(world: World, telegram_url: str) -> None:
    world.say(ANN, "/start")
    url = f"{telegram_url}/bot{TOKEN}/sendMessage"
    keyboard = json.dumps({"inline_keyboard": [[{"text": "да", "callback_data": "1"}]]})
    params = {"chat_id": str(ANN), "text": "[раз]", "reply_markup": keyboard}
    for response in (
        requests.get(url, params=params, timeout=60),
        requests.post(url, data=params, timeout=60),
        requests.post(url, json=params, timeout=60),
    ):
        message = response.json()["result"]
        assert message["text"] == "[раз]"
        assert message["reply_markup"]["inline_keyboard"][0][0]["callback_data"] == "1"


# Polling


def test_an_offset_confirms_updates_and_a_limit_applies(world: World, call: Call) -> None:
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
    updates: list[Any] = []
    thread = threading.Thread(target=lambda: updates.extend(call("getUpdates", timeout=50)))
    thread.start()
    world.wait(lambda: world.poll_number == 1)
    world.say(ANN, "раз")
    thread.join(60)
    assert updates[0]["message"]["text"] == "раз"


def test_a_second_poll_ends_the_first(world: World, call: Call) -> None:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call("getUpdates", timeout=50)))
    thread.start()
    world.wait(lambda: world.poll_number == 1)
    assert call("getUpdates", timeout=0) == []
    thread.join(60)
    assert results[0][0] == 409


def test_a_failed_poll_confirms_nothing(world: World, call: Call) -> None:
    world.say(ANN, "раз")
    [update] = call("getUpdates")
    world.faults = Faults(too_many=1.0, methods=frozenset(["getUpdates"]))
    assert call("getUpdates", offset=update["update_id"] + 1)[0] == 429
    assert world.pending() == 1


def test_updates_of_other_types_are_dropped(world: World, call: Call) -> None:
    call("getUpdates", allowed_updates=["message"])
    world.update({"edited_message": {}})
    world.say(ANN, "раз")
    assert [list(update) for update in call("getUpdates")] == [["update_id", "message"]]


# The control API and the terminal


def test_another_process_acts_as_a_person(telegram_url: str, call: Call) -> None:
    message = requests.post(
        f"{telegram_url}/control/say", json={"user_id": ANN, "text": "/start"}, timeout=60
    ).json()
    assert call("getUpdates")[0]["message"] == message
    call("sendMessage", chat_id=ANN, text="раз")
    events = requests.get(f"{telegram_url}/control/events?after=0&wait=1", timeout=60).json()
    assert [event["message"]["text"] for event in events] == ["раз"]
    requests.post(f"{telegram_url}/control/faults", json={"bad_gateway": 1.0}, timeout=60)
    assert requests.post(f"{telegram_url}/bot{TOKEN}/getMe", timeout=60).status_code == 502


@pytest.mark.parametrize("path", ["/control/say", f"/bot{TOKEN}/sendMessage"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8081"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:8080"}, 403),
    ],
)
def test_a_web_page_has_no_access_to_the_telegram_port(
    world: World, telegram_url: str, path: str, headers: dict[str, str], status: int
) -> None:
    """A page may post JSON as text/plain without asking first; the browser adds its Origin."""
    world.say(ANN, "/start")
    body = {"text": "раз", "chat_id": ANN}
    if path == "/control/say":
        body["user_id"] = ANN
    response = requests.post(telegram_url + path, json=body, headers=headers, timeout=60)
    assert response.status_code == status


def chat_in_terminal(script: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the sandbox with the lines of a script, and with these settings."""
    return subprocess.run(
        [sys.executable, "-X", "utf8", "-m", "sandbox", "--terminal"],
        cwd=ROOT,
        env=os.environ | settings,
        input=script,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_the_chat_in_the_terminal() -> None:
    process = chat_in_terminal("/note_add Купить\\nмолоко\n/note_export\n/ask Почему?\n")
    assert process.returncode == 0, process.stderr
    output = without_times(process.stdout)
    for line in (
        "Заметка #1 добавлена.",
        "📎 notes.txt",
        "#1 · 21.11.2026 12:00",
        "молоко",
        "Вы спросили: «Почему?»",
    ):
        assert line in output


def test_a_wrong_setting_of_a_gateway_is_reported() -> None:
    process = chat_in_terminal("", LOCAL_LLM_URL="localhost")
    assert process.returncode == 1
    assert process.stderr == "LOCAL_LLM_URL должен быть адресом, который начинается с http:// или https://.\n"


# docs/insomnia.yaml, after the slides "INSOMNIA. …" of the course


@dataclass
class Request:
    """A request of the Insomnia collection."""

    folder: str
    name: str
    method: str
    url: str
    body: dict[str, Any] | None


def insomnia_collection() -> tuple[str, dict[str, Request], dict[str, int]]:
    """Return the text of the collection, its requests by id, and the expected status of each tested request."""
    text = (ROOT / "docs" / "insomnia.yaml").read_text(encoding="utf-8")
    found, statuses = {}, {}
    for resource in text.split("\n  - _id: ")[1:]:
        fields = dict(re.findall(r"^    (\w+): (.+)$", resource, re.MULTILINE))
        if fields["_type"] == "request":
            body = re.search(r"^      text: \|\n((?:        .*\n?)+)", resource, re.MULTILINE)
            found[resource.split("\n")[0]] = Request(
                fields["parentId"],
                json.loads(fields["name"]),
                fields["method"],
                json.loads(fields["url"]),
                json.loads(body[1]) if body else None,
            )
        elif fields["_type"] == "unit_test":
            status = re.search(r"equal\((\d+)\)", resource)
            assert status
            statuses[fields["requestId"]] = int(status[1])
    return text, found, statuses


def send(request: Request, url: str, key: str) -> requests.Response:
    """Send a request of the collection to an emulated gateway."""
    address = request.url.replace("{{ _.base_url }}", f"{url}/chat/completions")
    address = re.sub(r"\{\{ _\.\w+_url \}\}", url, address)
    headers = {"Authorization": f"Bearer {key}"}
    return requests.request(
        request.method, address, json=request.body, headers=headers, timeout=60, allow_redirects=False
    )


def test_the_insomnia_collection_follows_the_slides() -> None:
    text, found, _ = insomnia_collection()
    assert "base_url: https://openrouter.ai/api/v1/chat/completions\n" in text
    assert "OPENROUTER_API_KEY: " in text
    assert found["req_model_slide"].body == {
        "model": "deepseek/deepseek-r1:free",
        "messages": [
            {"role": "system", "content": "Отвечай кратко и по существу."},
            {"role": "user", "content": "Сформулируй, что такое HTTP, в двух предложениях."},
        ],
        "temperature": 0.6,
        "max_tokens": 300,
        "reasoning": {"enabled": False},
    }
    names = [request.name for request in found.values() if request.folder in ("fld_code", "fld_method")]
    assert names == ["test 200", "test 300", "test 400", "test 500", "test GET"]
    models = {request.body["model"] for request in found.values() if request.body}
    assert set(SEED_MODELS) <= models


def test_every_request_of_the_insomnia_collection_gets_its_status(openrouter_url: str) -> None:
    _, found, statuses = insomnia_collection()
    received = {name: send(found[name], openrouter_url, "sandbox").status_code for name in statuses}
    assert received | {"req_generation": 404} == statuses
    errors = [status for name, status in statuses.items() if name.startswith("req_error_")]
    assert errors == [400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504]


def test_the_insomnia_requests_to_rvfreellm(rvfreellm: EmulatedGateway) -> None:
    _, found, _ = insomnia_collection()
    rvfreellm.catalog, rvfreellm.providers = [SAMPLE_MODEL], [SAMPLE_PROVIDER]
    for request in found.values():
        if request.folder == "fld_rvf":
            response = send(request, rvfreellm.url, "rvf_key")
            assert response.status_code == 200
            assert "Capi" in response.text or "gpt-4o" in response.text


# RVFreeLLM: what its document requires, section "Эндпойнт: POST /v1/chat/completions"


@pytest.mark.parametrize(
    ("changes", "key", "status", "error_type"),
    [
        ({}, "rvf_key", 200, None),
        ({"stream": False, "top_p": 0.5, "frequency_penalty": 1, "presence_penalty": 1}, "rvf_key", 200, None),
        ({}, "sk-or-key", 401, "authentication_error"),
        ({"provider": None}, "rvf_key", 400, "invalid_request_error"),
        ({"user": "telegram-1"}, "rvf_key", 400, "invalid_request_error"),
    ],
)
def test_the_emulated_rvfreellm_is_strict(
    rvfreellm: EmulatedGateway, changes: dict[str, Any], key: str, status: int, error_type: str | None
) -> None:
    body = {"model": "gpt-4o", "provider": "Capi", "messages": [{"role": "user", "content": "Привет"}], **changes}
    headers = {"Authorization": f"Bearer {key}"}
    response = requests.post(f"{rvfreellm.url}/chat/completions", json=body, headers=headers, timeout=60)
    assert response.status_code == status
    assert response.json().get("error", {}).get("type") == error_type
