"""telegram.transport: how calls are made, how they fail, and how long to wait before the next attempt."""

import base64
import io
import socket
import threading

import pytest

import config
from sandbox import telegram as sandbox
from sandbox.telegram import Faults, World
from telegram import transport
from telegram.limits import MAX_DOWNLOAD_BYTES
from telegram.replies import File
from telegram.transport import Telegram, TelegramError, backoff_s

ANN = 1


@pytest.fixture
def telegram(telegram_url: str, world: World, monkeypatch: pytest.MonkeyPatch) -> Telegram:
    monkeypatch.setenv("TOKEN", sandbox.TOKEN)
    monkeypatch.setenv("TELEGRAM_API_URL", telegram_url)
    world.say(ANN, "/start")
    return Telegram(config.load_settings())


def test_the_text_of_a_message_is_not_in_the_url(telegram: Telegram, world: World) -> None:
    telegram.call("sendMessage", {"chat_id": ANN, "text": "секрет"})
    telegram.bot.send_message(ANN, "секрет библиотеки")
    sent_texts = [event["message"]["text"] for event in world.events_of(ANN)]
    assert sent_texts == ["секрет", "секрет библиотеки"]
    assert world.paths[-2:] == [f"/bot{sandbox.TOKEN}/sendMessage"] * 2


@pytest.mark.parametrize(("is_photo", "field"), [(False, "document"), (True, "photo")])
def test_a_file_is_sent_from_its_beginning(telegram: Telegram, world: World, is_photo: bool, field: str) -> None:
    content = b"\x89PNG\r\n" + b"x" * 200_000
    file = File("файл.png", io.BytesIO(content), is_photo=is_photo)
    for _ in range(2):
        file.content.read(10)
        message = telegram.call(f"send{field.title()}", {"chat_id": ANN, "caption": "подпись"}, file)
        attachment = message[field][0] if is_photo else message[field]
        assert world.files[attachment["file_id"]] == content
        assert message["caption"] == "подпись"


def test_a_file_is_downloaded(telegram: Telegram, world: World) -> None:
    message = world.send_file(ANN, "notes.json", b"content" * 100_000)
    target = io.BytesIO()
    telegram.download(message["document"]["file_id"], target)
    assert target.getvalue() == b"content" * 100_000


def test_a_file_that_is_too_big_or_unknown_is_not_downloaded(telegram: Telegram, world: World) -> None:
    message = world.send_file(ANN, "notes.json", bytes(MAX_DOWNLOAD_BYTES + 1))
    for file_id in (message["document"]["file_id"], "no such file"):
        with pytest.raises(TelegramError) as raised:
            telegram.download(file_id, io.BytesIO())
        assert raised.value.is_final


def test_a_download_stops_at_the_limit(telegram: Telegram, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_DOWNLOAD_BYTES", 1000)
    message = world.send_file(ANN, "notes.json", bytes(1001))
    with pytest.raises(TelegramError, match="too big") as raised:
        telegram.download(message["document"]["file_id"], io.BytesIO())
    assert raised.value.is_final


def test_a_download_over_a_bad_connection_is_an_error(telegram: Telegram, world: World) -> None:
    message = world.send_file(ANN, "notes.json", b"content")
    world.faults = Faults(drop_before=1.0, methods=frozenset(["download"]))
    with pytest.raises(TelegramError) as raised:
        telegram.download(message["document"]["file_id"], io.BytesIO())
    assert raised.value.status == 0
    assert not raised.value.is_final


SIGN_IN_PAGE = "<html><h1>Sign in to this network</h1></html>"


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 407, 413, 429, 451, 502, 511])
@pytest.mark.parametrize("body", [SIGN_IN_PAGE, "{}", "[]", '{"error": "no"}', '{"ok": false}', '{"ok": true}'])
def test_only_telegram_speaks_for_telegram(telegram: Telegram, world: World, status: int, body: str) -> None:
    """A proxy or a captive portal answers in Telegram's place: that is a failure of the network."""
    world.faults = Faults(captive_portal=1.0, portal_status=status, portal_body=body)
    for method in ("sendMessage", "getMe"):
        with pytest.raises(TelegramError) as raised:
            telegram.call(method, {"chat_id": ANN, "text": "раз"})
        assert not raised.value.is_final
        assert not raised.value.rejects_token


@pytest.mark.parametrize("status", [403, 404])
def test_a_page_in_place_of_a_file_is_an_error_of_the_network(
    telegram: Telegram, world: World, status: int
) -> None:
    message = world.send_file(ANN, "notes.json", b"content")
    world.faults = Faults(captive_portal=1.0, portal_status=status, methods=frozenset(["download"]))
    with pytest.raises(TelegramError) as raised:
        telegram.download(message["document"]["file_id"], io.BytesIO())
    assert not raised.value.is_final


@pytest.mark.parametrize(
    ("retry_after", "expected"), [(7, 7.0), (10**10, 3600.0), ("5", None), (-1, None), (None, None), ([], None)]
)
def test_only_a_sensible_retry_after_is_used(
    telegram: Telegram, world: World, retry_after: object, expected: float | None
) -> None:
    world.faults = Faults(too_many=1.0, retry_after=retry_after)
    with pytest.raises(TelegramError) as raised:
        telegram.call("getMe", {})
    assert (raised.value.status, raised.value.retry_after) == (429, expected)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_gets_its_user_and_password(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://анна:p%40ss@127.0.0.1:{port}")
        monkeypatch.setenv("TOKEN", sandbox.TOKEN)
        monkeypatch.setenv("TELEGRAM_API_URL", f"{scheme}://api.telegram.example")
        telegram = Telegram(config.load_settings())
        received = []

        def refuse() -> None:
            connection, _ = server.accept()
            with connection:
                received.append(connection.recv(10_000))
                connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        proxy = threading.Thread(target=refuse)
        proxy.start()
        with pytest.raises(TelegramError):
            telegram.call("getMe", {})
        proxy.join()
    expected = base64.b64encode("анна:p@ss".encode())
    assert b"proxy-authorization: basic " + expected.lower() in received[0].lower()


def test_what_telegram_quotes_is_not_logged() -> None:
    for quoted in (
        'can\'t parse entities: "секрет" at byte 3',
        "can't parse entities: секрет",
        "URL 'секрет' is bad",
    ):
        error = TelegramError(400, f"Bad Request: {quoted}")
        assert "секрет" not in str(error)
        assert str(error).startswith("[400] Bad Request: ")
        assert "секрет" in error.description


def test_backoff_doubles_and_is_capped() -> None:
    for failures in range(1, 100):
        longest = min(30.0, 0.5 * 2.0 ** (failures - 1))
        assert longest / 2 <= backoff_s(failures) <= longest
