"""The pictures of a question: downloaded from Telegram in a bounded size, for models that see."""

import io
import json
import time
from collections.abc import Callable

import texts
from journal import QuestionRow
from openrouter_client import ErrorKind, OpenRouterError
from telegram.transport import Telegram, TelegramError, backoff_s

MAX_PICTURE_BYTES = 5 * 2**20  # a photo of medium size takes about 0.2 MB
MAX_ATTEMPTS = 3
MAX_PAUSE_S = 5.0


def download(telegram: Telegram, question: QuestionRow, is_stopped: Callable[[], bool]) -> tuple[bytes, ...]:
    """Return the pictures of a question; OpenRouterError with a sentence for the person if one is unavailable."""
    try:
        return tuple(_download(telegram, file_id, is_stopped) for file_id in json.loads(question["pictures"]))
    except TelegramError as error:
        raise OpenRouterError(0, texts.PICTURE_UNAVAILABLE, ErrorKind.SETUP) from error


def _download(telegram: Telegram, file_id: str, is_stopped: Callable[[], bool]) -> bytes:
    attempts = 0
    while True:
        attempts += 1
        content = io.BytesIO()
        try:
            telegram.download(file_id, content)
        except TelegramError as error:
            if error.is_final or attempts == MAX_ATTEMPTS or is_stopped():
                raise
            time.sleep(min(error.retry_after or backoff_s(attempts), MAX_PAUSE_S))
            continue
        if content.tell() > MAX_PICTURE_BYTES:
            raise OpenRouterError(0, texts.PICTURE_TOO_LARGE, ErrorKind.SETUP)
        return content.getvalue()
