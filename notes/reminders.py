"""Reminders: set by a command or a button, listed, and what comes when one is due."""

from datetime import datetime, time, timedelta

import clock
import db
import db_reminders
import texts
from clock import TimeZone
from db_reminders import NewReminder, Reminder
from entities import FormattedText
from notes import contents, note_card, schedule
from notes.note_card import Place
from notes.schedule import When
from telegram.messages import CallbackQuery, Message
from telegram.replies import Button, ButtonResult, Reply, in_rows

MAX_REMINDERS = 500  # of a person
MAX_LISTED, BUTTONS_PER_ROW = 20, 5
MAX_EXCERPT_LENGTH = 60  # characters
LATE_AFTER_S = 120

GO_BACK, IN_AN_HOUR, THIS_EVENING, TOMORROW, ON_MONDAY = range(5)  # the numbers in the data of buttons
BUTTON_TIMES = {
    IN_AN_HOUR: texts.REMIND_IN_AN_HOUR,
    THIS_EVENING: texts.REMIND_THIS_EVENING,
    TOMORROW: texts.REMIND_TOMORROW,
    ON_MONDAY: texts.REMIND_ON_MONDAY,
}


def set_by_command(message: Message, text: str, note_number: int | None, zone: TimeZone) -> str | None:
    """Set a reminder of the note whose number comes first, of the text, or of the note with note_number.

    Return None if the text says only when.
    """
    now = _local_now(zone)
    number_text, _, rest = text.removeprefix("#").partition(" ")
    if number_text.isdecimal() and len(number_text) <= schedule.MAX_DIGITS:
        when = schedule.parse(rest, now)
        if when:
            return _set_of_note(message, int(number_text), when, zone)
    found = schedule.split(text, now)
    if found is None:
        return texts.REMIND_WHEN
    when, own_text = found
    if own_text:
        return _set(message, None, own_text, when, zone)
    if note_number is None:
        return None
    return _set_of_note(message, note_number, when, zone)


def choices(number: int, place: Place) -> ButtonResult:
    """Show the buttons that set a reminder of a note, in place of those under the note."""
    data = note_card.button_data(place, number)
    buttons = [Button(label, f"remind:{data}:{choice}") for choice, label in BUTTON_TIMES.items()]
    back = Button(texts.BACK, f"remind:{data}:{GO_BACK}")
    return ButtonResult(buttons=[buttons[:2], buttons[2:], [back]])


def choose(query: CallbackQuery, number: int, place: Place, choice: int, zone: TimeZone) -> ButtonResult:
    """Set a reminder of a note, and show the buttons under the note again."""
    toast = ""
    if choice in BUTTON_TIMES:
        now = _local_now(zone)
        toast = _set_of_note(query, number, When(_chosen_time(choice, now, schedule.MORNING)), zone)
    return ButtonResult(toast, buttons=note_card.buttons(query.user_id, number, place))


def upcoming(user_id: int, chat_id: int, zone: TimeZone) -> Reply:
    """List the next reminders of a person in a chat, with a button to cancel each."""
    reminders = db_reminders.list_reminders(user_id, chat_id, MAX_LISTED + 1)
    if not reminders:
        return Reply(texts.NO_REMINDERS)
    lines, buttons = [], []
    for position, reminder in enumerate(reminders[:MAX_LISTED], 1):
        lines.append(texts.reminder_line(position, reminder["due_at"], reminder["repeat"], _title(reminder), zone))
        buttons.append(Button(texts.cancel_reminder(position), f"unremind:{reminder['id']}"))
    text = texts.reminder_list(lines, has_more=len(reminders) > MAX_LISTED)
    return Reply(text, buttons=in_rows(buttons, BUTTONS_PER_ROW))


def cancel(query: CallbackQuery, reminder_id: int, zone: TimeZone) -> ButtonResult:
    """Cancel a reminder and show the list without it."""
    reminder = db_reminders.get_reminder(query.user_id, reminder_id)
    if reminder is None or not reminder["is_waiting"]:
        return ButtonResult(texts.REMINDER_GONE)
    db_reminders.end_reminder(reminder_id)
    return ButtonResult(texts.REMINDER_CANCELED, edit=upcoming(query.user_id, query.chat_id, zone))


def finish(query: CallbackQuery, reminder_id: int) -> ButtonResult:
    """Take the buttons away under a reminder that has come."""
    is_own = db_reminders.get_reminder(query.user_id, reminder_id) is not None
    return ButtonResult(texts.REMINDER_DONE, buttons=()) if is_own else ButtonResult(texts.REMINDER_GONE)


def postpone(query: CallbackQuery, reminder_id: int, choice: int, zone: TimeZone) -> ButtonResult:
    """Let a reminder that has come come again: in an hour, or tomorrow at the same time."""
    reminder = db_reminders.get_reminder(query.user_id, reminder_id)
    if reminder is None or choice not in (IN_AN_HOUR, TOMORROW):
        return ButtonResult(texts.REMINDER_GONE)
    now = _local_now(zone)
    came_at = datetime.fromisoformat(reminder["starts_at"])
    due_at = clock.to_moment(_chosen_time(choice, now, came_at.time()), zone)
    if reminder["repeat"]:
        db_reminders.repeat_once(reminder_id, due_at)
    else:
        db_reminders.move_reminder(reminder_id, due_at)
    return ButtonResult(texts.reminder_postponed(due_at, zone), buttons=())


def deliver(reminder: Reminder, now: int, zone: TimeZone) -> Reply | None:
    """Move or end a reminder that is due, and return what to send; None if its note is deleted."""
    note = db.get_note_by_id(reminder["user_id"], reminder["note_id"]) if reminder["note_id"] else None
    when = When(datetime.fromisoformat(reminder["starts_at"]), reminder["repeat"])
    next_time = when.next_after(clock.to_local(now, zone).replace(tzinfo=None)) if reminder["repeat"] else None
    if next_time:
        db_reminders.move_reminder(reminder["id"], clock.to_moment(next_time, zone))
    else:
        db_reminders.end_reminder(reminder["id"])
    if reminder["note_id"] and (note is None or note["deleted_at"] is not None):
        return None
    is_late = now - reminder["due_at"] > LATE_AFTER_S
    head = texts.reminder_head(reminder["due_at"] if is_late else None, zone)
    shown = contents.whole_note(note, zone) if note else Reply(reminder["text"])
    whole = FormattedText(f"{head}\n") + FormattedText(shown.text, shown.entities)
    buttons = [
        [
            Button(texts.REMINDER_FINISH, f"reminded:{reminder['id']}"),
            Button(texts.REMIND_IN_AN_HOUR, f"postpone:{reminder['id']}:{IN_AN_HOUR}"),
            Button(texts.REMIND_TOMORROW, f"postpone:{reminder['id']}:{TOMORROW}"),
        ]
    ]
    return Reply(whole.text, whole.entities, shown.media, buttons=buttons, note_id=reminder["note_id"])


def _set_of_note(source: Message | CallbackQuery, number: int, when: When, zone: TimeZone) -> str:
    note = note_card.existing(source.user_id, number)
    if note is None:
        return note_card.why_missing(source.user_id, number)
    return _set(source, note["id"], "", when, zone)


def _set(source: Message | CallbackQuery, note_id: int | None, text: str, when: When, zone: TimeZone) -> str:
    next_time = when.next_after(_local_now(zone))
    if next_time is None:
        return texts.REMIND_PAST
    if db_reminders.count_reminders(source.user_id) >= MAX_REMINDERS:
        return texts.too_many_reminders(MAX_REMINDERS)
    due_at = clock.to_moment(next_time, zone)
    reminder: NewReminder = {
        "user_id": source.user_id,
        "chat_id": source.chat_id,
        "thread_id": source.thread_id,
        "note_id": note_id,
        "text": text,
        "starts_at": when.start.isoformat(timespec="seconds"),
        "repeat": when.repeat,
        "due_at": due_at,
    }
    db_reminders.add_reminder(reminder)
    return texts.reminder_set(due_at, when.repeat, _title(reminder), zone)


def _chosen_time(choice: int, now: datetime, time_tomorrow: time) -> datetime:
    """Return the moment that a button means; «tomorrow» is tomorrow at time_tomorrow."""
    if choice == IN_AN_HOUR:
        return now + timedelta(hours=1)
    if choice == THIS_EVENING:
        evening = datetime.combine(now.date(), schedule.EVENING)
        return evening if evening > now else evening + timedelta(days=1)
    if choice == ON_MONDAY:
        return datetime.combine(now.date() + timedelta(days=7 - now.weekday()), schedule.MORNING)
    return datetime.combine(now.date() + timedelta(days=1), time_tomorrow)


def _title(reminder: NewReminder) -> str:
    """Return what a reminder is about, on one line."""
    text = reminder["text"]
    if reminder["note_id"]:
        note = db.get_note_by_id(reminder["user_id"], reminder["note_id"])
        text = texts.note_title(note["number"], note["text"]) if note else ""
    return texts.shorten(" ".join(text.split()), MAX_EXCERPT_LENGTH)


def _local_now(zone: TimeZone) -> datetime:
    return clock.to_local(clock.now(), zone).replace(tzinfo=None)
