"""What is made when it is sent, off the polling thread: documents, pictures, and texts that need the network."""

import io
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import db
import texts
from runtime import catalogue, chart, exports, imports, status
from runtime.telegram import Telegram, Upload


@dataclass(frozen=True)
class Made:
    """A file, and what to say of it."""

    upload: Upload
    caption: str


def make(telegram: Telegram, kind: str, **about: object) -> Made | str:
    """Make what a kind names: a file, or a text."""
    return MAKERS[kind](telegram, **about)


def _notes(_: Telegram, user_id: int, format: str) -> Made | str:
    made = exports.export(user_id, format)
    return Made(made, texts.EXPORT_CAPTION) if isinstance(made, Upload) else made


def _import(telegram: Telegram, user_id: int, file_id: str) -> str:
    return imports.import_now(telegram, user_id, file_id)


def _stats(_: Telegram, user_id: int, days: int) -> Made | str:
    """Draw the notes of the last so many days, today's among them; where there are none, say so."""
    first = texts.local(time.time()).date() - timedelta(days=days - 1)
    counts = Counter(texts.local(moment).date() for moment in db.note_times(user_id, texts.midnight(first)))
    per_day = [(day, counts[day]) for day in (first + timedelta(days=n) for n in range(days))]
    if not counts:
        return texts.stats_caption(per_day)
    picture = chart.notes_per_day(per_day, texts.stats_title(days), texts.day_label)
    return Made(Upload("photo", "stats.png", io.BytesIO(picture)), texts.stats_caption(per_day))


def _status(_: Telegram, state: db.Row) -> str:
    return status.report(state)


def _models(_: Telegram) -> str:
    return catalogue.refresh_now()


def _providers(_: Telegram, name: str) -> str:
    return catalogue.providers_now(name)


MAKERS: dict[str, Callable[..., Made | str]] = {
    "notes": _notes,
    "import": _import,
    "stats": _stats,
    "status": _status,
    "models": _models,
    "providers": _providers,
}
