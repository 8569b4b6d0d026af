"""What the owner sees with /status."""

import clock
import config
import db
import journal
import openrouter_client
import storage
import texts
from app.logs import ErrorLog
from config import Settings
from openrouter_client import OpenRouterError


def report(settings: Settings, error_log: ErrorLog, started_at: int, dropped_replies: int = 0) -> str:
    """Describe the bot since started_at (Unix seconds); asks OpenRouter about the key."""
    progress = journal.progress(updates_since=started_at)
    totals = db.note_totals()
    oldest_reply_at = progress["oldest_reply_at"]
    return texts.bot_state(
        version=config.VERSION,
        uptime_s=clock.now() - started_at,
        updates=progress["updates"],
        replies=progress["replies"] + progress["jobs"] - 1,  # this report is the result of a job
        dropped_replies=dropped_replies,
        oldest_reply_s=None if oldest_reply_at is None else clock.now() - oldest_reply_at,
        questions=progress["questions"],
        database_size=storage.size(),
        notes=totals["notes"],
        people=totals["people"],
        free_today=len(journal.free_request_times(clock.utc_midnight())),
        free_limit=settings.free_requests_per_day,
        key=_key_balance(),
        answering=journal.answering_models(clock.utc_midnight()),
        failures=journal.failure_counts(clock.utc_midnight()),
        errors=error_log.recent(),
        zone=settings.timezone,
    )


def _key_balance() -> str:
    """Return what is left of the OpenRouter key, or why that is unknown."""
    try:
        gateway = openrouter_client.load_gateways()["openrouter"]
        return texts.key_balance(openrouter_client.fetch_key(gateway))
    except OpenRouterError as error:
        return str(error)
