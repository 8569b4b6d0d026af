"""The one door to Telegram: every call, the library's own included, goes through post() here.

Parameters travel in the body. The library's default is the address, where the text of a note would end up
in the logs of every server on the way.
"""

import json
from dataclasses import dataclass
from typing import Any

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

Files = dict[str, tuple[str, bytes]]  # field → (name, content)


class TelegramError(Exception):
    """A call that failed: an HTTP status (0 if there was no answer) and what Telegram said of it."""

    def __init__(self, status: int, description: str, retry_after: float | None = None) -> None:
        super().__init__(f"[{status}] {description}")
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


class Telegram:
    """The Bot API over connections that stay open; any thread may call."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = f"{settings.telegram_api_url}/bot{settings.token}/"
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
        files: Files | None = None,
        timeout_s: float = READ_TIMEOUT_S,
    ) -> Any:
        """Call a method and return its result; TelegramError if there is none."""
        return self._post(self._prefix + method, params, files, timeout_s).payload["result"]

    def _post(self, url: str, params: dict[str, Any] | None, files: Files | None, timeout_s: float) -> "_Response":
        body, content_type = _body(params or {}, files)
        try:
            response = self._pool.urlopen(
                "POST",
                url,
                body=body,
                headers={"Content-Type": content_type},
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
        files: Files | None = None,
        timeout: tuple[float, float] = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
        **_: Any,
    ) -> "_Response":
        return self._post(url, params, files, timeout[1])


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
        raise TelegramError(status if status >= 400 else 502, "not JSON")
    if not payload.get("ok"):
        retry_after = (payload.get("parameters") or {}).get("retry_after")
        raise TelegramError(payload.get("error_code", status), payload.get("description", ""), retry_after)
    return _Response(status, payload)


def _body(params: dict[str, Any], files: Files | None) -> tuple[bytes, str]:
    """Return the body of a call and its content type: JSON, or a form where files go along."""
    if not files:
        return json.dumps(params).encode(), "application/json"
    fields = {key: value if isinstance(value, str) else json.dumps(value) for key, value in params.items()}
    return urllib3.encode_multipart_formdata({**fields, **files})
