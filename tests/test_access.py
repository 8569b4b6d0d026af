"""access: who may, and how much.

- every handler there is, for somebody who may not: one sentence, nothing stored, no model asked
- what is for admins; what /help and the menu show
- questions in a row and in a day, notes of a person; a restart changes nothing
- the whole way, in private and in a group
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from conftest import BotProcess, Person, text_of
from telebot.types import CallbackQuery, Message

import db
import storage
import texts
from bot import router
from runtime import access, imports
from runtime.access import Access, Refused
from runtime.outbox import Reply
from sandbox.openrouter import Gateway
from sandbox.telegram import World

MakePerson = Callable[..., Person]
ANN, BOB, EVE, GROUP = 1, 2, 3, -100500
NOW = 1_800_000_000


@pytest.fixture
def _private(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ann and Bob in; Bob is the admin."""
    monkeypatch.setattr(router, "access", Access(allowed=frozenset([ANN]), admins=frozenset([BOB])))
    monkeypatch.setattr(router, "username", "our_bot")


def message(text: str, user_id: int, chat_id: int | None = None, **more: Any) -> Message:
    chat_id = chat_id or user_id
    raw = {
        "message_id": 5,
        "date": NOW,
        "chat": {"id": chat_id, "type": "private" if chat_id > 0 else "supergroup"},
        "from": {"id": user_id, "is_bot": False, "first_name": "Кто-то"},
        "text": text,
        **more,
    }
    made: Message = Message.de_json(raw)  # type: ignore[no-untyped-call]
    return made


def tap(data: str, user_id: int) -> Any:
    under = {"message_id": 6, "date": NOW, "chat": {"id": user_id, "type": "private"}}
    who = {"id": user_id, "is_bot": False, "first_name": "Кто-то"}
    raw = {"id": "1", "from": who, "message": under, "chat_instance": "1", "data": data}
    return router.tapped(CallbackQuery.de_json(raw))  # type: ignore[no-untyped-call]


def all_ways(user_id: int) -> dict[str, Callable[[], Any]]:
    """Return every way that leads to a handler: all commands, edits, buttons, and texts without a command."""
    ways: dict[str, Callable[[], Any]] = {}
    for name in router.commands:
        for text in (f"/{name}", f"/{name} 1 раз"):
            ways[text] = lambda text=text: router.answer(message(text, user_id))  # type: ignore[misc]
            ways[f"edited {text}"] = lambda text=text: router.answer_edit(message(text, user_id))  # type: ignore[misc]
    for name, (_, numbers, _) in router.buttons.items():
        data = f"{name}{':1' * numbers}"
        ways[data] = lambda data=data: tap(data, user_id)  # type: ignore[misc]
    replied = {"message_id": 4, "date": NOW, "chat": {"id": user_id, "type": "private"}}
    ways["a text"] = lambda: router.answer(message("привет", user_id))
    ways["an edited text"] = lambda: router.answer_edit(message("привет", user_id))
    ways["a reply"] = lambda: router.answer(message("привет", user_id, reply_to_message=replied))
    ways["a wrong command"] = lambda: router.answer(message("/wat", user_id))
    ways["a caption"] = lambda: router.answer(message("", user_id, caption="/note_add раз", photo=[]))
    ways["a command in a group"] = lambda: router.answer(message("/note_add@our_bot раз", user_id, GROUP))
    return ways


@pytest.mark.usefixtures("database", "_private")
@pytest.mark.parametrize("way", all_ways(EVE))
def test_who_may_not_gets_one_sentence_and_nothing_is_stored(way: str) -> None:
    db.add_note(EVE, EVE, 5, "из прошлого", NOW)
    before = storage.connection().total_changes
    with pytest.raises(Refused) as refused:
        all_ways(EVE)[way]()
    assert str(refused.value) == texts.not_allowed(EVE)
    assert str(EVE) in str(refused.value)
    assert storage.connection().total_changes == before


@pytest.mark.usefixtures("database", "_private")
@pytest.mark.parametrize("user_id", [ANN, BOB])
def test_who_may_is_let_in(user_id: int) -> None:
    for way, go in all_ways(user_id).items():
        try:
            go()
        except Refused as refused:
            assert (str(refused), user_id) == (texts.ADMINS_ONLY, ANN), way


FOR_ADMINS = {"/model 2", "/models_refresh", "/status", "/usage all"}


@pytest.mark.usefixtures("database", "_private")
@pytest.mark.parametrize("text", sorted(FOR_ADMINS))
def test_what_is_for_admins(text: str) -> None:
    with pytest.raises(Refused, match=texts.ADMINS_ONLY):
        router.answer(message(text, ANN))
    assert router.answer(message(text, BOB))


@pytest.mark.usefixtures("database", "_private")
def test_a_button_is_no_way_around() -> None:
    with pytest.raises(Refused, match=texts.ADMINS_ONLY):
        tap("model:5", ANN)
    assert db.get_active_model()["id"] == 1
    assert "переключена" in tap("model:5", BOB).toast
    assert router.answer(message("/model", ANN))
    assert isinstance(router.answer(message("/models", ANN)), Reply)


@pytest.mark.usefixtures("database")
def test_without_settings_everybody_may_everything() -> None:
    for text in FOR_ADMINS:
        assert router.answer(message(text, EVE))


@pytest.mark.usefixtures("_private")
def test_help_and_the_menu_show_what_one_may() -> None:
    assert "/status" not in str(router.answer(message("/help", ANN)))
    assert "/status" in str(router.answer(message("/help", BOB)))
    assert "status" not in [command.command for command in router.menu()]
    router.access = Access()
    assert "status" in [command.command for command in router.menu()]


@pytest.mark.usefixtures("database", "_private")
def test_talk_in_a_group_that_is_not_for_us_is_passed_over() -> None:
    assert router.answer(message("привет", EVE, GROUP)) is None
    assert router.answer_edit(message("привет", EVE, GROUP)) is None
    assert router.answer(message("/wat", EVE, GROUP)) is None


# How much


def asked(*ages_s: int, user_id: int = ANN) -> None:
    about = {"user_id": user_id, "chat_id": user_id, "message_id": 1, "is_private": True, "kind": "ask", "lane": 1}
    for age_s in ages_s:
        db.add_question({**about, "model_id": 1, "text": "?", "asked_at": NOW - age_s})


@pytest.mark.usefixtures("database")
def test_questions_in_a_row() -> None:
    asked(*range(9))
    access.check_questions(ANN, NOW, per_day=50)
    asked(30)
    with pytest.raises(Refused) as refused:
        access.check_questions(ANN, NOW, per_day=50)
    assert str(refused.value) == texts.too_many_in_a_row(10, NOW - 30 + 60)
    access.check_questions(ANN, NOW + 31, per_day=50)
    access.check_questions(ANN, NOW, per_day=1000)
    access.check_questions(BOB, NOW, per_day=50)


@pytest.mark.usefixtures("database")
def test_questions_in_a_day() -> None:
    asked(86399, 80000, 70000, user_id=ANN)
    with pytest.raises(Refused) as refused:
        access.check_questions(ANN, NOW, per_day=3)
    assert str(refused.value) == texts.too_many_in_a_day(3, NOW + 1)
    access.check_questions(ANN, NOW + 1, per_day=3)
    with pytest.raises(Refused) as refused:
        access.check_questions(ANN, NOW, per_day=2)
    assert str(refused.value) == texts.too_many_in_a_day(2, NOW - 80000 + 86400)


def test_notes_of_a_person(database: Any) -> None:
    db.open(database, notes_max=3)
    for n in range(3):
        db.add_note(ANN, ANN, n, "раз", NOW)
    with pytest.raises(db.NotesFull, match="3 заметки"):
        db.add_note(ANN, ANN, 9, "раз", NOW)
    db.add_note(BOB, BOB, 1, "раз", NOW)
    db.delete_note(ANN, 1)
    db.add_note(ANN, ANN, 9, "раз", NOW)
    with pytest.raises(db.NotesFull):
        db.restore_note(ANN, 1)
    entries = iter([{"text": str(n), "created_at": 1} for n in range(3)])
    assert imports._store(ANN, entries) == texts.imported(0, 0, 3)
    assert db.count_notes(ANN) == 3


# The whole way


def test_a_private_bot(bot_process: BotProcess, person: MakePerson, world: World, gateway: Gateway) -> None:
    bot_process.env |= {"ALLOWED_USER_IDS": "1, 77", "ADMIN_USER_IDS": "7"}
    bot_process.start()
    ann, eve, admin, in_group = person(1), person(3), person(7), person(3, GROUP)
    assert ann.asks("/note_add раз") == "Заметка #1 добавлена."
    assert ann.asks("/models_refresh") == texts.ADMINS_ONLY
    assert admin.asks("/model 5").startswith("Активная модель переключена")
    refusal = texts.not_allowed(3)
    written = eve.says("/note_add секрет")
    assert text_of(eve.hears()) == refusal
    eve.edits(written, "/note_add другой секрет")
    assert text_of(eve.hears()) == refusal
    for text in ("/ask раз", "привет", "/start", "/status", "/wat"):
        assert eve.asks(text) == refusal
    said = eve.says("раз")
    eve.hears()
    for data in ("keep:1", "ask:1", "model:2", "again:1", "older:1:1"):
        assert eve.taps_data(said, data) == refusal
    in_group.says("просто разговор")
    in_group.says("/note_add@sandbox_notes_bot раз")
    assert text_of(in_group.hears()) == refusal
    assert len(world.events_of(GROUP)) == 1
    assert gateway.requests == []
    with closing(sqlite3.connect(bot_process.db_path)) as connection:
        for table in ("notes", "questions", "plain_texts", "listings"):
            assert connection.execute(f"SELECT count(*) FROM {table} WHERE user_id = 3").fetchone() == (0,)


def test_a_question_too_many_is_refused_also_after_a_restart(
    bot_process: BotProcess, person: MakePerson, gateway: Gateway
) -> None:
    bot_process.env["ASK_PER_DAY"] = "2"
    bot_process.start()
    ann = person()
    answers = []
    for _ in range(2):
        ann.says("/ask раз")
        answers.append(ann.hears())
    said = ann.asks("/ask раз")
    assert said.startswith("Вопросов за сутки: 2, больше нельзя. Следующий можно задать ")
    bot_process.stop()
    bot_process.start()
    assert ann.asks("/web раз") == ann.asks("/compare раз") == ann.asks("/note_ask раз") == said
    assert ann.taps(answers[0], texts.AGAIN) == said
    ann.says("а ещё?", reply_to_message=answers[0])
    assert text_of(ann.hears()) == said
    ann.says("просто текст")
    offer = ann.hears()
    assert ann.taps(offer, texts.ASK_MODEL) == said
    assert ann.taps(offer, texts.ASK_MODEL) == said  # it is not taken for asked
    assert ann.asks("/note_add раз") == "Заметка #1 добавлена."
    assert len(gateway.requests) == 2


def test_a_note_too_many_is_refused_with_a_sentence(bot_process: BotProcess, person: MakePerson) -> None:
    bot_process.env["NOTES_MAX"] = "1"
    bot_process.start()
    ann = person()
    ann.asks("/note_add раз")
    full = texts.notes_full(1)
    assert ann.asks("/note_add два") == full
    ann.says("просто текст")
    assert ann.taps(ann.hears(), texts.KEEP) == full
    assert ann.asks("/note_count") == "У вас 1 заметка."
