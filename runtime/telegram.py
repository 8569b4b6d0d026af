"""The one door to Telegram: every call, the library's own included, goes through post() here.

Parameters travel in the body. The library's default is the address, where the text of a note would end up
in the logs of every server on the way.
"""

import io
import itertools
import json
import re
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import telebot
import urllib3
from telebot import apihelper

import texts
from config import Settings, SetupError

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
CONNECTIONS = 64  # kept open for the threads that send

# A message whose answer was lost must not be sent again unseen: whether and when is for the outbox to say.
NO_RETRIES = urllib3.Retry(total=False)

UPLOAD_MOST, DOWNLOAD_MOST = 50 * 2**20, 20 * 2**20  # bytes of a file: from a bot, to a bot
PART = 64 * 1024  # bytes


@dataclass(frozen=True)
class Upload:
    """A file that goes along with a call."""

    field: str  # of the call: document, photo
    name: str
    content: BinaryIO


class TelegramError(Exception):
    """A call that failed: an HTTP status (0 if there was no answer) and what Telegram said of it."""

    def __init__(self, status: int, description: str, retry_after: float | None = None) -> None:
        super().__init__(f"[{status}] {_without_quotes(description)}")
        self.status = status
        self.description = description
        self.retry_after = retry_after  # seconds

    @property
    def is_final(self) -> bool:
        """Whether the same call would be refused again: blocked, malformed, too large, …"""
        return 400 <= self.status < 500 and self.status not in (401, 408, 409, 429)

    @property
    def refuses_token(self) -> bool:
        """Whether Telegram does not know the token, when it comes of a method that surely exists."""
        return self.status in (401, 404)


class Unreadable(TelegramError):
    """A good answer that is not JSON, or nests too deep to be read."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(502, "not JSON")
        self.raw = raw


def _without_quotes(description: str) -> str:
    """Leave out what Telegram may have quoted of a person's text: what is in quotes, or after a second colon."""
    told = ":".join(description.split(":")[:2])
    return re.split(r"""["«“`]|\s'""", told)[0].strip()


class Telegram:
    """The Bot API over connections that stay open; any thread may call."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = f"{settings.telegram_api_url}/bot{settings.token}/"
        self._files = f"{settings.telegram_api_url}/file/bot{settings.token}/"
        self._pool = (
            urllib3.ProxyManager(settings.telegram_proxy, maxsize=CONNECTIONS)
            if settings.telegram_proxy
            else urllib3.PoolManager(maxsize=CONNECTIONS)
        )
        # The library's methods (getMe, setMyCommands, …) take the same way.
        library: Any = apihelper
        library.API_URL = f"{settings.telegram_api_url}/bot{{0}}/{{1}}"
        library.CUSTOM_REQUEST_SENDER = self._send_for_library
        self.bot = telebot.TeleBot(settings.token, threaded=False)

    def call(
        self,
        method: str,
        params: dict[str, Any],
        upload: Upload | None = None,
        timeout_s: float = READ_TIMEOUT_S,
    ) -> Any:
        """Call a method and return its result; TelegramError if there is none."""
        return self._post(self._prefix + method, params, upload, timeout_s).payload["result"]

    def download(self, file_id: str, into: BinaryIO) -> None:
        """Fetch a file that somebody sent; TelegramError if it does not come whole."""
        about = self.call("getFile", {"file_id": file_id})
        try:
            with self._pool.request(
                "GET",
                f"{self._files}{about.get('file_path', '')}",
                preload_content=False,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
                retries=NO_RETRIES,
            ) as response:
                if response.status != 200:
                    raise TelegramError(response.status, "the file does not come")
                for part in response.stream(PART):
                    into.write(part)
                    if into.tell() > DOWNLOAD_MOST:
                        raise TelegramError(400, "file is too big")
        except urllib3.exceptions.HTTPError as error:
            raise TelegramError(0, type(error).__name__) from error

    def _post(
        self, url: str, params: dict[str, Any] | None, upload: Upload | None, timeout_s: float
    ) -> "_Response":
        body, headers = _body(params or {}, upload)
        try:
            response = self._pool.urlopen(
                "POST",
                url,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, timeout_s), read=timeout_s),
                retries=NO_RETRIES,
            )
        except urllib3.exceptions.HTTPError as error:
            raise TelegramError(0, type(error).__name__) from error
        return _checked(response.status, response.data)

    def _send_for_library(
        self,
        _http_method: str,
        url: str,
        params: dict[str, Any] | None = None,
        timeout: tuple[float, float] = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
        **_: Any,
    ) -> "_Response":
        return self._post(url, params, None, timeout[1])


def get_me(telegram: Telegram) -> Any:
    """Ask who this bot is; SetupError if Telegram does not know the token."""
    try:
        return telegram.bot.get_me()
    except TelegramError as error:
        if error.refuses_token:
            raise SetupError(texts.TOKEN_REFUSED) from error
        raise


@dataclass(frozen=True)
class _Response:
    """As much of a response as the library looks at."""

    status_code: int
    payload: dict[str, Any]
    text: str = ""

    def json(self) -> dict[str, Any]:
        return self.payload


def _checked(status: int, raw: bytes) -> _Response:
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise TelegramError(status, "not JSON") if status >= 400 else Unreadable(raw)
    if not payload.get("ok"):
        retry_after = (payload.get("parameters") or {}).get("retry_after")
        raise TelegramError(payload.get("error_code", status), payload.get("description", ""), retry_after)
    return _Response(status, payload)


def _body(params: dict[str, Any], upload: Upload | None) -> tuple[Any, dict[str, str]]:
    """Return the body of a call and its headers: JSON, or a form with a file, which is read while it is sent."""
    if not upload:
        return json.dumps(params).encode(), {"Content-Type": "application/json"}
    fields = {key: value if isinstance(value, str) else json.dumps(value) for key, value in params.items()}
    form, content_type = urllib3.encode_multipart_formdata({**fields, upload.field: (upload.name, b"")})
    end = form.rindex(b"\r\n--")  # the file is the last field, and empty so far
    size = upload.content.seek(0, io.SEEK_END)
    upload.content.seek(0)
    parts = itertools.chain([form[:end]], iter(partial(upload.content.read, PART), b""), [form[end:]])
    return parts, {"Content-Type": content_type, "Content-Length": str(len(form) + size)}
