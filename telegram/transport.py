"""HTTP calls to Telegram. Every method call, also of the telebot library, goes through Telegram._post().

Parameters travel in the request body. The library puts them into the URL, where the text of a note would end up in
the logs of every server on the way.
"""

import io
import itertools
import json
import logging
import random
import re
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

import urllib3

import texts
from config import Settings, SetupError
from telegram.connections import Body, ConnectionFailed, connections_to
from telegram.limits import MAX_DOWNLOAD_BYTES
from telegram.pacing import Limits, Pacing
from telegram.replies import File

if TYPE_CHECKING:
    import telebot

log = logging.getLogger(__name__)

READ_TIMEOUT_S = 30.0
CHUNK_BYTES = 64 * 1024
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.5, 30.0
MAX_RETRY_AFTER_S = 3600.0

# Servers older than Bot API 10.1 do not know them; the bot then uses simpler ones.
OPTIONAL_METHODS = frozenset(["sendRichMessage", "sendRichMessageDraft", "sendMessageDraft"])


class TelegramError(Exception):
    """A failed call: the HTTP status (0 without a response) and Telegram's description."""

    def __init__(
        self,
        status: int,
        description: str,
        retry_after: float | None = None,
        migrate_to_chat_id: int | None = None,
    ) -> None:
        super().__init__(f"[{status}] {_without_quotes(description)}")
        self.status = status
        self.description = description
        self.retry_after = retry_after  # seconds
        self.migrate_to_chat_id = migrate_to_chat_id  # the new id of a group that has become a supergroup

    @property
    def is_final(self) -> bool:
        """Whether Telegram would refuse the same call again: blocked, malformed, too large, …"""
        return 400 <= self.status < 500 and self.status not in (401, 408, 409, 429)

    @property
    def rejects_token(self) -> bool:
        """Whether Telegram does not know the token. Only meaningful for a method that exists."""
        return self.status in (401, 404)

    @property
    def says_too_big(self) -> bool:
        """Whether Telegram does not give the bot a file because of its size."""
        return "too big" in self.description


class UnreadableResponse(TelegramError):
    """A successful response that is not JSON, or is nested too deeply to parse."""

    def __init__(self, body: bytes) -> None:
        super().__init__(502, "not JSON")
        self.body = body


def _without_quotes(description: str) -> str:
    """Remove what Telegram may have quoted from a person's text: anything in quotes or after a second colon."""
    without_details = ":".join(description.split(":")[:2])
    return re.split(r"""["«“`]|\s'""", without_details)[0].strip()


def backoff_s(failures: int) -> float:
    """Return how long to wait after so many consecutive failures: exponential, capped, with jitter."""
    longest = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(failures - 1, 16))
    return random.uniform(longest / 2, longest)


class Telegram:
    """The Bot API over persistent connections. All methods are thread-safe."""

    def __init__(self, settings: Settings, limits: Limits | None = None) -> None:
        self.pacing = Pacing(limits or Limits())
        self._token = settings.token
        self._missing_methods: set[str] = set()
        self._connections = connections_to(settings.telegram_api_url, settings.telegram_proxy)

    @cached_property
    def bot(self) -> "telebot.TeleBot":
        """The telebot library, imported when it is first used: a third of the start would go into importing it."""
        import telebot
        from telebot import apihelper

        library: Any = apihelper
        library.API_URL = "/bot{0}/{1}"  # follows the base URL of the connections
        library.CUSTOM_REQUEST_SENDER = self._send_for_library
        return telebot.TeleBot(self._token, threaded=False)

    def call(
        self,
        method: str,
        params: dict[str, Any],
        file: File | None = None,
        timeout_s: float = READ_TIMEOUT_S,
    ) -> Any:
        """Call a method and return its result; TelegramError if the call fails.

        An optional method that the server does not know is not called again.
        """
        if method in self._missing_methods:
            raise TelegramError(404, "Not Found")
        try:
            return self._post(f"/bot{self._token}/{method}", params, file, timeout_s).payload["result"]
        except TelegramError as error:
            if error.status == 404 and method in OPTIONAL_METHODS:
                self._missing_methods.add(method)
                log.warning("this server does not know %s; the bot does without it", method)
            raise

    def is_missing(self, method: str) -> bool:
        """Return whether the server does not know an optional method."""
        return method in self._missing_methods

    def download(self, file_id: str, target: BinaryIO) -> None:
        """Write a file that a person sent into target; TelegramError if that fails or the file is too big."""
        description = self.call("getFile", {"file_id": file_id})
        path = quote(str(description.get("file_path", "")))
        try:
            with self._connections.request(
                "GET", f"/file/bot{self._token}/{path}", None, {}, READ_TIMEOUT_S
            ) as response:
                if response.status != 200:
                    _decode(response.status, response.read(CHUNK_BYTES))
                    raise TelegramError(0, f"no file, but status {response.status}")
                while chunk := response.read(CHUNK_BYTES):
                    target.write(chunk)
                    if target.tell() > MAX_DOWNLOAD_BYTES:
                        raise TelegramError(400, "file is too big")
        except ConnectionFailed as error:
            raise TelegramError(0, str(error)) from error

    def _post(self, path: str, params: dict[str, Any], file: File | None, timeout_s: float) -> "_Response":
        body, headers = _encode(params, file)
        try:
            with self._connections.request("POST", path, body, headers, timeout_s) as response:
                status, content = response.status, response.read()
        except ConnectionFailed as error:
            raise TelegramError(0, str(error)) from error
        return _decode(status, content)

    def _send_for_library(
        self,
        _http_method: str,
        path: str,
        params: dict[str, Any] | None = None,
        timeout: tuple[float, float] = (READ_TIMEOUT_S, READ_TIMEOUT_S),  # to connect, to read
        **_: Any,
    ) -> "_Response":
        """Send a request of the telebot library."""
        return self._post(path, params or {}, None, timeout[1])


@dataclass(frozen=True)
class BotUser:
    """The bot's own user."""

    id: int
    username: str  # "" if Telegram does not say


def get_me(telegram: Telegram) -> BotUser:
    """Return the bot's own user; SetupError if Telegram does not know the token."""
    try:
        user = telegram.call("getMe", {})
    except TelegramError as error:
        if error.rejects_token:
            raise SetupError(texts.TOKEN_REFUSED) from error
        raise
    if not isinstance(user, dict) or type(user.get("id")) is not int:
        raise TelegramError(502, "getMe returned no user")
    return BotUser(user["id"], str(user.get("username") or ""))


@dataclass(frozen=True)
class _Response:
    """A response with the attributes that the telebot library reads."""

    status_code: int
    payload: dict[str, Any]
    text: str = ""

    def json(self) -> dict[str, Any]:
        return self.payload


def _encode(params: dict[str, Any], file: File | None) -> tuple[Body, dict[str, str]]:
    """Return the body and the headers of a call: JSON, or a form that streams the file."""
    if file is None:
        return json.dumps(params).encode(), {"Content-Type": "application/json"}
    fields: dict[str, Any] = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()
    }
    fields["photo" if file.is_photo else "document"] = (file.name, b"")
    form, content_type = urllib3.encode_multipart_formdata(fields)
    file_position = form.rindex(b"\r\n--")  # the file is the last field, still empty
    file_size = file.content.seek(0, io.SEEK_END)
    file.content.seek(0)
    chunks = iter(partial(file.content.read, CHUNK_BYTES), b"")
    body = itertools.chain([form[:file_position]], chunks, [form[file_position:]])
    return body, {"Content-Type": content_type, "Content-Length": str(len(form) + file_size)}


def _decode(status: int, body: bytes) -> _Response:
    """Return a successful response; TelegramError for any other.

    Only JSON with "ok" and, after a failure, an error code comes from Telegram. Everything else comes from a proxy
    or a captive portal on the way: its status says nothing about the call, which counts as a lost connection.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        if status < 400:
            raise UnreadableResponse(body)
        # The web server before the Bot API says 502 when the Bot API fails; a 4xx may be of a proxy on the way.
        raise TelegramError(status if status >= 500 else 0, f"not JSON, status {status}")
    if payload.get("ok") is True and "result" in payload:
        return _Response(status, payload)
    if payload.get("ok") is not False or type(payload.get("error_code")) is not int:
        raise TelegramError(0, f"not from Telegram, status {status}")
    parameters = payload.get("parameters")
    if not isinstance(parameters, dict):
        parameters = {}
    raise TelegramError(
        payload["error_code"],
        str(payload.get("description", "")),
        _read_retry_after(parameters.get("retry_after")),
        parameters.get("migrate_to_chat_id"),
    )


def _read_retry_after(value: Any) -> float | None:
    """Return how many seconds Telegram asks to wait, at most an hour; None if that is not a positive number."""
    if isinstance(value, int | float) and value > 0:
        return min(value, MAX_RETRY_AFTER_S)
    return None
