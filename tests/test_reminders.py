"""Tests of notes/reminders.py and app/reminder_clock.py: reminders come once, at their time, also after a crash.

- by number, by reply, with a text of its own, with buttons; in the person's time zone; refused with a reason
- when due: the note again with its attachments; later, tomorrow, done; the list cancels
- killed around the due time: each reminder comes once, or again only as any reply may; a late one says so
"""

import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from conftest import BotProcess, Person, eventually, text_of
from test_bot import handle, tap

import clock
import config
import db_people
import db_reminders
import journal
import storage
import texts
from app.reminder_clock import ReminderClock
from notes import reminders
from sandbox.telegram import TOKEN
from sandbox.telegram.world import World
from telegram.outbox import Outbox
from telegram.replies import Reply
from telegram.transport import Telegram

MakePerson = Callable[..., Person]
ANN, BOB, GROUP = 1, 2, -10
MOSCOW = ZoneInfo("Europe/Moscow")
NOW = clock.to_moment(datetime(2026, 11, 21, 16, 0), MOSCOW)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the current moment in a list, for the test to change."""
    moments = [NOW]
    monkeypatch.setattr(clock, "now", lambda: moments[0])
    return moments


@pytest.fixture
def moscow(database: None) -> None:  # noqa: ARG001
    for user_id in (ANN, BOB):
        db_people.save_settings(user_id, {**db_people.DEFAULTS, "timezone": "Europe/Moscow"})


def waiting(user_id: int = ANN) -> list[tuple[str, str]]:
    """Return when and how often reminders come."""
    rows = db_reminders.list_reminders(user_id, user_id, 100)
    return [(f"{clock.to_local(row['due_at'], MOSCOW):%d.%m %H:%M}", row["repeat"]) for row in rows]


def new_reminder(text: str, *, due_at: int, chat_id: int = ANN) -> db_reminders.NewReminder:
    return {
        "user_id": ANN,
        "chat_id": chat_id,
        "thread_id": None,
        "note_id": None,
        "text": text,
        "starts_at": "2026-11-21T16:00:00",
        "repeat": "",
        "due_at": due_at,
    }


def deliver_due(now: int) -> list[Reply]:
    replies = []
    while reminder := db_reminders.first_due(now):
        replies.append(reminders.deliver(reminder, now, MOSCOW))
    return [reply for reply in replies if reply]


@pytest.mark.usefixtures("moscow", "now")
def test_a_reminder_of_a_note_and_of_a_text() -> None:
    handle("/note_add молоко")
    assert handle("/remind 1 завтра в 9") == texts.reminder_set(NOW + 17 * 3600, "", "заметка #1 — молоко", MOSCOW)
    assert handle("/remind #1 каждый день в 21:30") == texts.reminder_set(
        NOW + 19800, "day", "заметка #1 — молоко", MOSCOW
    )
    handle("/remind в пятницу в 18:00 позвонить маме")
    assert waiting() == [("21.11 21:30", "day"), ("22.11 09:00", ""), ("27.11 18:00", "")]
    assert waiting(BOB) == []
    listed = handle("/reminders")
    assert isinstance(listed, Reply)
    assert "3. 27.11.2026 18:00: позвонить маме" in listed.text
    assert "1. 21.11.2026 21:30, каждый день: заметка #1 — молоко" in listed.text


@pytest.mark.usefixtures("moscow", "now")
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("/remind 7 по будням в 9", texts.REMIND_WHEN),
        ("/remind 7 каждые 2 дня", texts.REMIND_WHEN),
        ("/remind молоко", texts.REMIND_WHEN),
        ("/remind вчера в 9 молоко", texts.REMIND_PAST),
        ("/remind сегодня в 9 молоко", texts.REMIND_PAST),
        ("/remind 7 завтра", texts.note_missing(7)),
    ],
)
def test_what_cannot_be_set_gets_a_reason(text: str, answer: str) -> None:
    assert handle(text) == answer
    assert waiting() == []


@pytest.mark.usefixtures("moscow", "now")
def test_a_number_that_no_note_can_have_is_a_text() -> None:
    assert handle(f"/remind {'9' * 30} завтра в 9") == texts.reminder_set(NOW + 17 * 3600, "", "9" * 30, MOSCOW)


@pytest.mark.usefixtures("moscow", "now")
def test_a_time_alone_is_completed_by_the_next_message() -> None:
    asked = handle("/remind завтра в 9")
    assert isinstance(asked, Reply)
    assert (asked.text, asked.asks_for_text) == (texts.REMIND_WHAT, True)
    assert handle("позвонить маме") == texts.reminder_set(NOW + 17 * 3600, "", "позвонить маме", MOSCOW)


@pytest.mark.usefixtures("moscow", "now")
def test_a_note_of_another_person_or_a_deleted_one_is_refused() -> None:
    handle("/note_add раз")
    assert handle("/remind 1 завтра", BOB) == texts.note_missing(1)
    handle("/note_del 1")
    assert handle("/remind 1 завтра") == texts.note_is_deleted(1)


@pytest.mark.usefixtures("moscow")
def test_the_buttons_under_a_note(now: list[int]) -> None:
    handle("/note_add раз")
    menu = tap("remind_menu:0:0:1")
    assert menu.buttons
    times = {button.label: button.data for row in menu.buttons for button in row}
    assert list(times) == [*reminders.BUTTON_TIMES.values(), texts.BACK]
    for label in reminders.BUTTON_TIMES.values():
        assert tap(times[label]).buttons
    assert [time for time, _ in waiting()] == ["21.11 17:00", "21.11 19:00", "22.11 09:00", "23.11 09:00"]
    assert tap(times[texts.BACK]).toast == ""
    assert len(waiting()) == 4
    now[0] += 4 * 3600
    tap(times[texts.REMIND_THIS_EVENING])
    assert ("22.11 19:00", "") in waiting()


@pytest.mark.usefixtures("moscow")
def test_a_due_reminder_shows_the_note_and_can_be_postponed(now: list[int]) -> None:
    handle("/note_add молоко")
    handle("/remind 1 завтра в 9")
    assert deliver_due(NOW + 17 * 3600 - 1) == []
    now[0] = NOW + 17 * 3600
    [reply] = deliver_due(now[0])
    assert reply.text.startswith("⏰ Напоминание\n#1")
    assert reply.text.endswith("молоко")
    assert deliver_due(now[0]) == []
    done, in_an_hour, tomorrow = (button.data for button in reply.buttons[0])
    assert tap(in_an_hour).toast == texts.reminder_postponed(now[0] + 3600, MOSCOW)
    assert waiting() == [("22.11 10:00", "")]
    assert tap(tomorrow, BOB).toast == texts.REMINDER_GONE
    tap(tomorrow)
    assert waiting() == [("23.11 09:00", "")], "at the same time of the day"
    assert tap(done).buttons == ()


@pytest.mark.usefixtures("moscow")
def test_a_repeated_reminder_goes_on(now: list[int]) -> None:
    handle("/remind каждый день в 18:00 таблетки")
    now[0] = NOW + 2 * 3600
    [reply] = deliver_due(now[0])
    assert waiting() == [("22.11 18:00", "day")]
    tap(reply.buttons[0][1].data)
    assert waiting() == [("21.11 19:00", ""), ("22.11 18:00", "day")]
    now[0] = NOW + 10 * 86400
    late = deliver_due(now[0])
    assert [texts.reminder_head(NOW + 86400 + 7200, MOSCOW) in reply.text for reply in late] == [False, True]
    assert waiting() == [("01.12 18:00", "day")], "a day that was missed is not made up for"


@pytest.mark.usefixtures("moscow")
def test_a_reminder_of_a_deleted_note_does_not_come_unless_it_is_restored(now: list[int]) -> None:
    for _ in range(2):
        handle("/note_add раз")
    handle("/remind 1 через час")
    handle("/remind 2 через час")
    handle("/note_del 1")
    handle("/note_del 2")
    handle("/note_restore 2")
    now[0] += 3600
    assert ["#2" in reply.text for reply in deliver_due(now[0])] == [True]


@pytest.mark.usefixtures("moscow", "now")
def test_the_list_cancels_own_reminders() -> None:
    for hour in range(30):
        handle(f"/remind завтра в {hour % 24} дело {hour}")
    listed = handle("/reminders")
    assert isinstance(listed, Reply)
    data = [button.data for row in listed.buttons for button in row]
    assert len(data) == reminders.MAX_LISTED
    assert tap(data[0], BOB).toast == texts.REMINDER_GONE
    assert tap(data[0]).toast == texts.REMINDER_CANCELED
    assert tap(data[0]).toast == texts.REMINDER_GONE
    assert len(waiting()) == 29


@pytest.mark.usefixtures("moscow", "now")
def test_there_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reminders, "MAX_REMINDERS", 2)
    for _ in range(3):
        last = handle("/remind завтра дело")
    assert last == texts.too_many_reminders(2)


# The running bot


def due_in(bot: BotProcess, seconds: float) -> None:
    """Make all waiting reminders due so many seconds from now."""
    with closing(sqlite3.connect(bot.db_path)) as connection, connection:
        connection.execute("UPDATE reminders SET due_at = ? WHERE is_waiting = 1", (int(time.time() + seconds),))


def test_reminders_come_from_the_running_bot_with_attachments_and_by_reply(
    bot_process: BotProcess, person: MakePerson
) -> None:
    bot = bot_process.start()
    ann = person()
    photo = ann.keeps("photo", caption="ёлка")
    ann.says("/remind завтра в 9", reply_to_message=photo)
    assert "Напомню" in text_of(ann.hears())
    bot.stop()
    due_in(bot, -7200)
    bot.start()
    came = ann.hears()
    assert came["photo"]
    assert "опоздало" in came["caption"]
    assert came["caption"].endswith("ёлка")
    ann.taps(came, texts.REMINDER_FINISH)
    assert ann.hears()["reply_markup"]["inline_keyboard"] == []
    assert ann.asks("/reminders") == texts.NO_REMINDERS


@pytest.mark.usefixtures("database")
def test_a_reminder_canceled_at_its_due_time_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    settings = config.load_settings()
    outbox = Outbox(Telegram(settings))
    reminder_id = db_reminders.add_reminder(new_reminder("раз", due_at=NOW))
    sending = threading.Thread(target=ReminderClock(settings, outbox).send_due, args=(NOW,))
    with storage.transaction():
        sending.start()
        waiting_in = storage.transaction.__wrapped__.__code__  # type: ignore[attr-defined]
        eventually(lambda: sys._current_frames()[sending.ident or 0].f_code is waiting_in)
        db_reminders.end_reminder(reminder_id)
    sending.join()
    assert journal.chats_with_replies() == {}


def test_killed_around_the_due_time_each_reminder_comes_once(
    bot_process: BotProcess, person: MakePerson, world: World
) -> None:
    bot = bot_process.start()
    ann = person()
    for number in range(5):
        ann.asks(f"/remind завтра в {number} дело {number}")
    bot.stop()
    due_in(bot, 0)

    def received() -> list[str]:
        shown = [event["message"] for event in world.events_of(ANN) if event.get("message")]
        return [text_of(message) for message in shown if "Напоминание" in text_of(message)]

    for number in range(1, 5):  # kill the bot as soon as it has sent so many
        bot.start()
        world.wait(lambda number=number: len(received()) >= number)  # type: ignore[misc]
        bot.kill()
    bot.start()
    eventually(lambda: len({text.rsplit(" ", 1)[1] for text in received()}) == 5)
    assert bot.stop() in (0, -signal.SIGTERM)
    assert len(received()) <= 5 * 5, "a kill may repeat what was sent just before"
    assert bot.rows("SELECT * FROM reminders WHERE is_waiting = 1") == []


def test_a_reminder_set_in_a_group_comes_to_the_group(bot_process: BotProcess, person: MakePerson) -> None:
    bot = bot_process.start()
    group = person(ANN, GROUP)
    assert "Напомню" in group.asks("/remind завтра собрание")
    due_in(bot, 0)
    message: dict[str, Any] = group.hears()
    assert text_of(message).endswith("собрание")


@pytest.mark.usefixtures("database")
def test_a_group_that_becomes_a_supergroup_keeps_its_reminders() -> None:
    db_reminders.add_reminder(new_reminder("раз", chat_id=GROUP, due_at=NOW))
    db_reminders.move_chat(GROUP, -20)
    assert [row["text"] for row in db_reminders.list_reminders(ANN, -20, 10)] == ["раз"]
