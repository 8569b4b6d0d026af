"""Turn a recording into text: download it from Telegram, and ask the model in TRANSCRIBE_MODEL."""

import io
import logging
import random
import time
from collections import Counter

import gateway_audio
import journal
import openrouter_client
import storage
import texts
from config import Settings
from gateway_audio import Recording
from journal import LlmRequest
from llm.answer_reply import describe_error
from llm.ledger import ledger_row
from llm.rate_limiter import RateLimiter
from openrouter_client import Completion, ErrorKind, OpenRouterError
from telegram.limits import MAX_DOWNLOAD_BYTES
from telegram.messages import Attachment
from telegram.transport import Telegram, TelegramError, backoff_s

log = logging.getLogger(__name__)

MODULE = "transcribe"  # in the ledger
MAX_FAILURES = 8  # of one recording: it is given up after about half an hour
FIRST_RETRY_S, MAX_RETRY_S = 1.0, 900.0
RETRY_FACTOR = 4.0

FORMATS = ("ogg", "mp3", "m4a", "mp4", "aac", "flac", "wav", "webm")
# In MIME types and in suffixes of files
OTHER_NAMES = {"mpeg": "mp3", "oga": "ogg", "opus": "ogg", "x-m4a": "m4a", "m4b": "m4a", "x-aac": "aac"}
OTHER_NAMES |= {"x-flac": "flac", "x-wav": "wav", "vnd.wave": "wav"}
DEFAULT_FORMATS = {"voice": "ogg", "video_note": "mp4", "audio": "mp3"}


class SpeechError(Exception):
    """A recording is not transcribed: a sentence for the person, or a time after which to try again."""

    def __init__(self, msg: str, retry_after_s: float | None = None) -> None:
        super().__init__(msg)
        self.retry_after_s = retry_after_s  # None: another attempt makes no sense


class SpeechToText:
    """Transcribes recordings within a rate limit of its own: questions never wait for it."""

    def __init__(self, settings: Settings, telegram: Telegram) -> None:
        self._settings = settings
        self._telegram = telegram
        self._limiter = RateLimiter(settings.free_requests_per_minute)
        self._failures: Counter[str] = Counter()  # by file_id

    def transcribe(
        self, user_id: int, attachment: Attachment, max_failures: int = MAX_FAILURES
    ) -> tuple[Completion, LlmRequest]:
        """Return a transcript and the ledger row to store with it; SpeechError if there is none."""
        try:
            result = self._transcribe(user_id, attachment)
        except (TelegramError, OpenRouterError) as error:
            retry_after_s = self._retry_after_s(attachment.file_id, error, max_failures)
            if retry_after_s is None:
                self._failures.pop(attachment.file_id, None)
            raise SpeechError(self._sentence(error), retry_after_s) from error
        except Exception as error:
            if storage.is_unavailable(error):
                raise
            log.exception("a recording is not transcribed")
            raise SpeechError(texts.FAILED) from error
        self._failures.pop(attachment.file_id, None)
        return result

    def _transcribe(self, user_id: int, attachment: Attachment) -> tuple[Completion, LlmRequest]:
        if self._settings.transcribe_model is None:  # it was set when the recording arrived
            raise OpenRouterError(0, texts.TRANSCRIPTION_OFF, ErrorKind.SETUP)
        gateway_name, model = self._settings.transcribe_model
        gateway = openrouter_client.require_gateway(openrouter_client.load_gateways(), gateway_name)
        recording = Recording(self._download(attachment), audio_format(attachment))
        if gateway_name != "local":
            self._limiter.acquire(lambda: False, lambda _: None)
        started = time.monotonic()
        try:
            completion = gateway_audio.transcribe(recording, model=model, gateway=gateway)
        except OpenRouterError as error:
            if error.kind is not ErrorKind.SETUP:
                log.info("a recording is not transcribed: HTTP %d, %s", error.status, error.cause)
                journal.add_llm_request(ledger_row(user_id, MODULE, gateway_name, model, error, started))
            raise
        return completion, ledger_row(user_id, MODULE, gateway_name, model, completion, started)

    def _download(self, attachment: Attachment) -> bytes:
        if (attachment.file_size or 0) > MAX_DOWNLOAD_BYTES:
            raise TelegramError(400, "file is too big")
        content = io.BytesIO()
        self._telegram.download(attachment.file_id, content)
        return content.getvalue()

    def _retry_after_s(
        self, file_id: str, error: TelegramError | OpenRouterError, max_failures: int
    ) -> float | None:
        """Count a failure; return after how many seconds to try again, None if that makes no sense."""
        if isinstance(error, TelegramError):
            if error.is_final:
                return None
            if error.status < 500:  # no connection, or too many calls: this says nothing about the recording
                return error.retry_after or backoff_s(1)
        elif error.kind in (ErrorKind.SETUP, ErrorKind.LIMIT_DAY) or not _is_temporary(error):
            return None
        self._failures[file_id] += 1
        failures = self._failures[file_id]
        if failures >= max_failures:
            return None
        delay_s = min(FIRST_RETRY_S * RETRY_FACTOR ** (failures - 1), MAX_RETRY_S)
        asked_s = (error.retry_after if isinstance(error, TelegramError) else error.retry_after_s) or 0.0
        return max(min(asked_s, MAX_RETRY_S), random.uniform(delay_s / 2, delay_s))

    def _sentence(self, error: TelegramError | OpenRouterError) -> str:
        if isinstance(error, OpenRouterError):
            return texts.not_transcribed(describe_error(error, self._settings.timezone))
        return texts.RECORDING_TOO_LARGE if error.says_too_big else texts.RECORDING_UNAVAILABLE


def audio_format(attachment: Attachment) -> str:
    """Return the format of a recording, as gateways name it."""
    subtype = (attachment.mime_type or "").partition("/")[2].partition(";")[0]
    suffix = (attachment.file_name or "").rpartition(".")[2]
    for name in (subtype.strip().lower(), suffix.lower()):
        known = OTHER_NAMES.get(name, name)
        if known in FORMATS:
            return known
    return DEFAULT_FORMATS.get(attachment.kind, "mp3")


def _is_temporary(error: OpenRouterError) -> bool:
    return error.status in (0, 408, 429) or error.status >= 500
