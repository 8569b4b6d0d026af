"""Who may use the bot: anyone can find it, but its owner pays for it."""

import texts
from config import Settings
from telegram.replies import AccessDenied


def is_admin(settings: Settings, user_id: int) -> bool:
    """Return whether a person may use the admin commands: everyone may when no admins are configured."""
    return not settings.admin_user_ids or user_id in settings.admin_user_ids


def check_access(settings: Settings, user_id: int, *, admin_only: bool = False) -> None:
    """Raise AccessDenied unless a person may use the bot or, with admin_only, its admin commands."""
    may_use_bot = not settings.allowed_user_ids or user_id in settings.allowed_user_ids | settings.admin_user_ids
    if not may_use_bot:
        raise AccessDenied(texts.not_allowed(user_id))
    if admin_only and not is_admin(settings, user_id):
        raise AccessDenied(texts.ADMINS_ONLY)
