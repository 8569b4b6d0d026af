"""The personal settings in the chat: one message with buttons, and pages to choose a time zone and a model."""

import clock
import config
import db
import db_people
import texts
from clock import TimeZone
from config import Settings
from llm import model_menu
from llm.models import is_paid
from telegram.replies import Button, ButtonResult, Reply, in_rows

MAX_PROMPT_LENGTH = 1000  # characters
ZONES_PER_ROW = 2

# The buttons hold the position in this list: append new zones at its end.
ZONES = (
    *("Europe/Kaliningrad", "Europe/Moscow", "Europe/Samara", "Asia/Yekaterinburg", "Asia/Omsk"),
    *("Asia/Krasnoyarsk", "Asia/Irkutsk", "Asia/Yakutsk", "Asia/Vladivostok", "Asia/Magadan", "Asia/Kamchatka"),
    *("Europe/Minsk", "Asia/Almaty", "Asia/Tashkent", "Asia/Tbilisi", "Asia/Yerevan", "Europe/Berlin"),
)


def overview(user_id: int, default_zone: TimeZone) -> Reply:
    """Return the settings of a person with a button to change each."""
    own = db_people.get_settings(user_id)
    model = _own_model(user_id)
    text = texts.personal_settings(
        zone=own["timezone"],
        now=clock.to_local(clock.now(), db_people.zone_in_chat(user_id, user_id, default_zone)),
        model=model["label"] if model else None,
        prompt=own["prompt"],
        plain_text=own["plain_text"],
        confirmation=own["confirmation"],
    )
    buttons = [
        [Button(texts.CHOOSE_ZONE, "zones:0"), Button(texts.CHOOSE_MODEL, "own_models:1")],
        [Button(texts.SHOW_PROMPT, "own_prompt:0")],
        [Button(texts.PLAIN_TEXT_MODE, "plain_text_mode:0"), Button(texts.CONFIRMATION_MODE, "confirmation:0")],
    ]
    if own != db_people.DEFAULTS:
        buttons.append([Button(texts.RESET_SETTINGS, "reset_settings:0")])
    return Reply(text, buttons=buttons)


def reset(user_id: int, default_zone: TimeZone) -> ButtonResult:
    """Forget all settings of a person."""
    db_people.reset_settings(user_id)
    return ButtonResult(texts.SETTINGS_RESET, edit=overview(user_id, default_zone))


# Notes


def switch_plain_text(settings: Settings, user_id: int) -> ButtonResult:
    """Switch between saving a text without a command at once and asking what to do with it."""
    own = db_people.get_settings(user_id)
    is_note = (own["plain_text"] or settings.plain_text) == "note"
    db_people.save_settings(user_id, {**own, "plain_text": "ask_first" if is_note else "note"})
    return ButtonResult(texts.SETTINGS_SAVED, edit=overview(user_id, settings.timezone))


def switch_confirmation(settings: Settings, user_id: int) -> ButtonResult:
    """Switch between a reply and a reaction as the confirmation of a note."""
    own = db_people.get_settings(user_id)
    is_reaction = own["confirmation"] == "reaction"
    db_people.save_settings(user_id, {**own, "confirmation": "reply" if is_reaction else "reaction"})
    return ButtonResult(texts.SETTINGS_SAVED, edit=overview(user_id, settings.timezone))


# Time zone


def zone_page() -> Reply:
    """Return a button for each time zone, with the time there: a person knows what time it is."""
    buttons = [
        Button(texts.zone_button(name, clock.to_local(clock.now(), config.time_zone(name))), f"zone:{number}")
        for number, name in enumerate(ZONES)
    ]
    owners_zone = Button(texts.OWNERS_ZONE, f"zone:{len(ZONES)}")
    return Reply(texts.ZONES_HEADING, buttons=[*in_rows(buttons, ZONES_PER_ROW), [owners_zone], _back_row()])


def choose_zone(user_id: int, number: int, default_zone: TimeZone) -> ButtonResult:
    """Set the time zone with this position in the list; the position after the last one is the bot's own zone."""
    if number > len(ZONES):
        return ButtonResult()
    _set_zone(user_id, ZONES[number] if number < len(ZONES) else None)
    return ButtonResult(texts.SETTINGS_SAVED, edit=overview(user_id, default_zone))


def set_zone_by_name(user_id: int, name: str, default_zone: TimeZone) -> Reply:
    """Set any time zone by its name; case and spaces do not matter."""
    wanted = name.replace(" ", "_").casefold()
    known = {zone.casefold(): zone for zone in config.time_zone_names()}
    if wanted not in known:
        return Reply(texts.ZONE_UNKNOWN)
    _set_zone(user_id, known[wanted])
    return overview(user_id, default_zone)


def _set_zone(user_id: int, name: str | None) -> None:
    db_people.save_settings(user_id, {**db_people.get_settings(user_id), "timezone": name})


# Instructions for models


def prompt_page(user_id: int) -> Reply:
    """Return the instructions of a person for models, with a button to remove them."""
    prompt = db_people.get_settings(user_id)["prompt"]
    remove = [[Button(texts.REMOVE_PROMPT, "remove_prompt:0")]] if prompt else []
    return Reply(texts.prompt_page(prompt), buttons=[*remove, _back_row()])


def set_prompt(user_id: int, prompt: str) -> Reply:
    """Store the instructions of a person for models."""
    if len(prompt) > MAX_PROMPT_LENGTH:
        return Reply(texts.prompt_too_long(len(prompt), MAX_PROMPT_LENGTH))
    db_people.save_settings(user_id, {**db_people.get_settings(user_id), "prompt": prompt})
    return Reply(texts.PROMPT_SAVED)


def remove_prompt(user_id: int) -> ButtonResult:
    """Forget the instructions of a person."""
    db_people.save_settings(user_id, {**db_people.get_settings(user_id), "prompt": None})
    return ButtonResult(texts.SETTINGS_SAVED, edit=prompt_page(user_id))


# Model


def model_page(settings: Settings, user_id: int, page_number: int) -> Reply:
    """Return a page of the models that a person may choose; pages count from 1."""
    models = [model for model in db.list_models() if _may_choose(settings, model)]
    page = model_menu.page_of(models, page_number, "own_models")
    rows = [[Button(texts.model_button(model), f"own_model:{model['id']}:1")] for model in page.models]
    shared = [Button(texts.SHARED_MODEL, "own_model:0:0")]
    own = _own_model(user_id)
    heading = texts.own_model_heading(own["label"] if own else None)
    return Reply(heading, buttons=[*rows, *page.turn_buttons, shared, _back_row()])


def choose_model(settings: Settings, user_id: int, model_id: int, *, is_own: bool) -> ButtonResult:
    """Set the model that answers a person; with is_own=False, the shared active model answers again."""
    if is_own:
        try:
            model = db.get_model(model_id)
        except ValueError:
            return ButtonResult(texts.UNKNOWN_MODEL)
        if not _may_choose(settings, model):
            return ButtonResult(texts.OWN_MODEL_UNAVAILABLE)
    own = db_people.get_settings(user_id)
    db_people.save_settings(user_id, {**own, "model_id": model_id if is_own else None})
    return ButtonResult(texts.SETTINGS_SAVED, edit=overview(user_id, settings.timezone))


def _may_choose(settings: Settings, model: db.Model) -> bool:
    return bool(model["available"]) and (settings.allow_paid_models or not is_paid(model))


def _own_model(user_id: int) -> db.Model | None:
    model_id = db_people.get_settings(user_id)["model_id"]
    return None if model_id is None else db.get_model(model_id)


def _back_row() -> list[Button]:
    return [Button(texts.BACK_TO_SETTINGS, "settings:0")]
