"""bot: what every command says, with a real database and real messages, without the network.

- the table: dispatch, @names, case, newlines, hints, what is not for us
- notes: adding, listing, showing, finding, editing, deleting, counting, exporting
- undo: of deletions and edits; edits of the messages themselves; plain texts
- models and questions
- any junk after any command gets an answer
"""

import re
import time
from html import unescape
from typing import Any

import pytest
from conftest import without_times
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from telebot.types import CallbackQuery, Message

import db
import storage
import texts
from bot import router
from runtime import exports
from runtime.answers import Question
from runtime.outbox import Reply
from runtime.router import Said, Tapped
from runtime.telegram import Upload

pytestmark = pytest.mark.usefixtures("database", "_name")

ANN, BOB, GROUP = 1, 2, -100500
unicode = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
one_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def _name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "username", "Our_Bot")


def message(text: str | None, user_id: int | None = ANN, chat_id: int = ANN, **more: Any) -> Message:
    raw: dict[str, Any] = {
        "message_id": 5,
        "date": int(time.time()),
        "chat": {"id": chat_id, "type": "private" if chat_id > 0 else "supergroup"},
        **more,
    }
    if text is not None:
        raw["text"] = text
    if user_id is not None:
        raw["from"] = {"id": user_id, "is_bot": False, "first_name": "Анна"}
    made: Message = Message.de_json(raw)  # type: ignore[no-untyped-call]
    return made


def exported(kind: str, user_id: int = ANN) -> str:
    """Return what the exported file says."""
    upload = exports.export(user_id, kind)
    assert isinstance(upload, Upload)
    with upload.content as content:
        content.seek(0)
        return content.read().decode()


def say(text: str, user_id: int = ANN) -> Said:
    return router.answer(message(text, user_id))


def heard(text: str, user_id: int = ANN) -> str:
    """Say something and return what a person reads."""
    said = say(text, user_id)
    if isinstance(said, Reply):
        return unescape(re.sub("<[^>]+>", "", said.text)) if said.is_html else said.text
    return str(said)


def buttons(said: Said) -> dict[str, str]:
    """Return the buttons under a reply: label → data."""
    assert isinstance(said, Reply)
    return {button.label: button.data for row in said.buttons for button in row}


def tap(data: str, user_id: int = ANN, chat_id: int = ANN) -> Tapped:
    """Press a button."""
    under = {"message_id": 6, "date": 1_700_000_000, "chat": {"id": chat_id, "type": "private"}}
    who = {"id": user_id, "is_bot": False, "first_name": "Анна"}
    raw = {"id": "1", "from": who, "message": under, "chat_instance": "1", "data": data}
    return router.tapped(CallbackQuery.de_json(raw))  # type: ignore[no-untyped-call]


# The table


def test_help_the_menu_and_dispatch_are_one_table() -> None:
    names = ["start", "help", "note_add", "note_list", "note_show", "note_find", "note_edit", "note_del"]
    names += ["note_restore", "note_count", "note_stats", "note_export", "note_import", "models", "model"]
    names += ["models_refresh", "providers", "ask", "compare", "web", "note_ask", "usage", "status"]
    assert list(router.commands) == names
    assert [command.command for command in router.menu()] == names
    said = say("/help")
    assert isinstance(said, str)
    assert [line.split()[0] for line in said.split("\n")[1:]] == [f"/{name}" for name in names]
    assert said in str(say("/start"))


def test_the_menu_is_as_telegram_wants_it() -> None:
    for command in router.menu():
        assert command.command.islower()
        assert 1 <= len(command.description) <= 256


@pytest.mark.parametrize(
    "text",
    [
        "/note_add раз",
        "/note_add@Our_Bot раз",
        "/note_add@our_bot раз",
        "/Note_Add раз",
        "/note_add\nраз",
        "/note_add  раз ",
    ],
)
def test_a_command_is_recognised(text: str) -> None:
    assert say(text) == "Заметка #1 добавлена."
    assert db.list_notes(ANN, 1)[0]["text"] == "раз"


def test_a_note_may_span_lines_and_is_kept_as_it_is() -> None:
    say("/note_add\n  раз\n\n   два  три")
    assert db.list_notes(ANN, 1)[0]["text"] == "раз\n\n   два  три"


def test_a_command_for_another_bot_is_not_ours() -> None:
    assert say("/note_add@OtherBot раз") is None
    assert db.count_notes(ANN) == 0


@pytest.mark.parametrize("text", ["/wat", "/wat раз", "/wat@our_bot", "/modelss 3", "/note_addраз", "/", "//"])
def test_what_is_not_a_command_gets_a_hint_in_private(text: str) -> None:
    assert "/help" in str(say(text))


def test_in_a_group_only_what_is_for_us_is_answered() -> None:
    for text in ("/wat", "привет", "/"):
        assert router.answer(message(text, chat_id=GROUP)) is None
    assert "/help" in str(router.answer(message("/wat@our_bot", chat_id=GROUP)))
    assert router.answer(message("/note_add раз", chat_id=GROUP)) == "Заметка #1 добавлена."


@pytest.mark.parametrize(
    "odd",
    [
        message("/note_add раз", user_id=None, sender_chat={"id": GROUP, "type": "channel"}),
        message(None, pinned_message={"message_id": 1, "date": 0, "chat": {"id": 1, "type": "private"}}),
        message(None, left_chat_member={"id": 2, "is_bot": False, "first_name": "Боб"}),
    ],
    ids=["no sender", "pinned", "left"],
)
def test_what_holds_no_command_is_passed_over(odd: Message) -> None:
    assert router.answer(odd) is None


PHOTO: dict[str, Any] = {"photo": [{"file_id": "1", "file_unique_id": "1", "width": 1, "height": 1}]}
STICKER: dict[str, Any] = {"file_id": "1", "file_unique_id": "1", "width": 1, "height": 1, "type": "regular"}
STICKER |= {"is_animated": False, "is_video": False}


def test_a_caption_may_hold_a_command() -> None:
    assert router.answer(message(None, **PHOTO, caption="/note_add раз")) == "Заметка #1 добавлена."
    assert db.list_notes(ANN, 1)[0]["text"] == "раз"


def test_what_has_no_text_gets_a_hint_in_private_once_an_album() -> None:
    assert (
        router.answer(message(None, **PHOTO)) == router.answer(message(None, sticker=STICKER)) == texts.ONLY_TEXT
    )
    assert router.answer(message(None, **PHOTO, media_group_id="1")) is None
    assert router.answer(message(None, chat_id=GROUP, **PHOTO)) is None


FORWARDED: dict[str, Any] = {"forward_origin": {"type": "hidden_user", "sender_user_name": "Боб", "date": 0}}


def test_a_forwarded_command_was_not_said_to_us() -> None:
    said = router.answer(message("/note_add раз", **FORWARDED))
    assert isinstance(said, Reply)
    assert list(buttons(said)) == ["📝 В заметки", "🤖 Спросить модель"]
    assert db.count_notes(ANN) == 0
    assert router.answer(message("/note_add@our_bot раз", chat_id=GROUP, **FORWARDED)) is None


@pytest.mark.parametrize("odd", ["\ud83d", "\0"])
def test_what_cannot_be_stored_is_replaced(odd: str) -> None:
    say(f"/note_add не{odd}что")
    assert db.list_notes(ANN, 1)[0]["text"] == "не\ufffdчто"
    assert "не\ufffdчто" in heard(f"/note_find не{odd}что")


# Usage


@pytest.mark.parametrize(
    ("text", "usage"),
    [
        ("/note_add", "/note_add <текст>"),
        ("/note_add \n ", "/note_add <текст>"),
        ("/note_find", "/note_find <слова или «фраза»>"),
        ("/note_show", "/note_show <id>"),
        ("/note_restore ²", "/note_restore <id>"),
        ("/note_export pdf", "/note_export [txt|md|json]"),
        ("/note_ask", "/note_ask <вопрос>"),
        ("/note_list ²", "/note_list [сколько]"),
        ("/note_list 0", "/note_list [сколько]"),
        ("/note_list " + "9" * 30, "/note_list [сколько]"),
        ("/note_edit", "/note_edit <id> <текст>"),
        ("/note_edit 1", "/note_edit <id> <текст>"),
        ("/note_edit раз два", "/note_edit <id> <текст>"),
        ("/note_edit ² два", "/note_edit <id> <текст>"),
        ("/note_del", "/note_del <id>"),
        ("/note_del ²", "/note_del <id>"),
        ("/note_del -1", "/note_del <id>"),
        ("/note_del 1 2", "/note_del <id>"),
        ("/note_del " + "9" * 30, "/note_del <id>"),
        ("/note_stats вчера", "/note_stats [дней]"),
        ("/note_stats 0", "/note_stats [дней]"),
        ("/model ²", "/model <ID из /models>"),
        ("/model x", "/model <ID из /models>"),
        ("/model " + "9" * 30, "/model <ID из /models>"),
        ("/ask", "/ask <вопрос>"),
        ("/compare", "/compare <вопрос>"),
        ("/usage много", "/usage [дней] [all]"),
    ],
)
def test_what_does_not_fit_gets_the_usage_line(text: str, usage: str) -> None:
    assert say(text) == f"Использование: {usage}"


# Notes


def test_adding_listing_editing_deleting_counting() -> None:
    assert say("/note_add раз") == "Заметка #1 добавлена."
    assert say("/note_add два") == "Заметка #2 добавлена."
    assert without_times(heard("/note_list")) == (
        "Последние заметки (2 из 2):\n\n#2 · 21.11.2026 12:00\nдва\n\n#1 · 21.11.2026 12:00\nраз"
    )
    assert heard("/note_edit #1 РАЗ\nи ещё") == "Заметка #1 изменена."
    assert "РАЗ\nи ещё" in heard("/note_list")
    assert heard("/note_del 2") == "Заметка #2 удалена."
    assert say("/note_del 2") == "Заметка #2 не найдена."
    assert say("/note_count") == "У вас 1 заметка."


def test_showing_a_note_whole() -> None:
    text = "начало " + "середина " * 100 + "конец"
    db.add_note(ANN, ANN, 5, text, 1_700_000_000)
    assert "конец" not in heard("/note_list")
    assert "Целиком: /note_show <id>" in heard("/note_list")
    shown = heard("/note_show #1")
    assert shown.startswith("#1 · ")
    assert shown.endswith(text)
    assert "изменена" not in shown
    say("/note_edit 1 два")
    assert re.fullmatch(r"#1 · [\d.: ]+ · изменена [\d.: ]+\nдва", heard("/note_show 1"))


def test_finding() -> None:
    say("/note_add Купить Молоко & <сыр>")
    say("/note_add позвонить")
    assert without_times(heard("/note_find молок")) == (
        "Найдено: 1 заметка.\n\n#1 · 21.11.2026 12:00\nКупить Молоко & <сыр>"
    )
    said = say("/note_find молок <")
    assert isinstance(said, Reply)
    assert said.text.endswith("Купить <b>Молок</b>о &amp; <b>&lt;</b>сыр&gt;")
    assert say("/note_find кефир") == "Ничего не нашлось."


def test_without_notes() -> None:
    assert say("/note_list") == say("/note_export") == say("/note_stats") == texts.NO_NOTES
    assert say("/note_count") == "У вас 0 заметок."


def test_another_persons_note_answers_like_a_missing_one() -> None:
    say("/note_add секрет", ANN)
    say("/note_add тайна", ANN)
    say("/note_del 2", ANN)
    for text in ("/note_edit 1 взлом", "/note_del 1", "/note_show 1", "/note_restore 1", "/note_restore 2"):
        number = text.split()[1]
        assert say(text, BOB) == f"Заметка #{number} не найдена."
        assert say(text.replace(number, "77", 1), BOB) == "Заметка #77 не найдена."
    assert say("/note_find секрет", BOB) == "Ничего не нашлось."
    assert say("/note_list", BOB) == texts.NO_NOTES
    assert "секрет" in heard("/note_list", ANN)


@one_database
@given(text=unicode.filter(lambda text: text.strip()))
@example(text="'); DROP TABLE notes; --")
@example(text='"" «»')
@example(text="<b>жирно</b> & <script>")
def test_any_text_survives_the_whole_way(text: str) -> None:
    text = text.strip()
    number = str(say(f"/note_add {text}")).split("#")[1].split()[0]
    assert text in heard(f"/note_show {number}")
    assert text in heard("/note_list 1")
    assert f"#{number} " in heard(f"/note_find {text}")
    assert text in exported("txt")
    assert heard(f"/note_edit {number} {text}!") == f"Заметка #{number} изменена."
    assert f"{text}!" in heard("/note_list 1")
    assert heard(f"/note_del {number}") == f"Заметка #{number} удалена."
    assert f"#{number} " not in heard(f"/note_find {text}")


# Undo


def test_a_deleted_note_can_be_brought_back_by_button_and_by_command() -> None:
    say("/note_add раз")
    tapped = tap(buttons(say("/note_del 1"))["↩️ Вернуть"])
    assert tapped.edit
    assert tapped.edit.text == "Заметка #1 снова на месте."
    assert "раз" in heard("/note_list")
    say("/note_del 1")
    assert say("/note_restore #1") == "Заметка #1 снова на месте."
    assert say("/note_count") == "У вас 1 заметка."
    assert say("/note_restore 1") == "Заметка #1 не удалена: /note_show 1"


def test_a_deleted_note_is_nowhere_to_be_seen() -> None:
    say("/note_add раз два три")
    say("/note_add другая")
    say("/note_del 1")
    assert "раз" not in heard("/note_list")
    assert say("/note_find раз") == say("/note_find ра") == texts.NOTHING_FOUND
    assert say("/note_count") == "У вас 1 заметка."
    assert say("/note_edit 1 снова") == say("/note_del 1") == "Заметка #1 не найдена."
    assert say("/note_show 1") == "Заметка #1 удалена. Вернуть её: /note_restore 1"
    for kind in ("txt", "md", "json"):
        assert "раз два" not in exported(kind)
    assert len(db.note_times(ANN, 0)) == 1
    assert db.similar_notes(ANN, ["раз"], 5) == []


def test_a_deleted_note_is_purged_after_thirty_days_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    say("/note_add раз")
    say("/note_edit 1 два")
    say("/note_del 1")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 29.9 * 86400)
    db.forget_the_old()
    assert say("/note_restore 1") == "Заметка #1 снова на месте."
    say("/note_del 1")
    monkeypatch.setattr(time, "time", lambda: now + 60 * 86400)
    assert say("/note_restore 1") == "Заметка #1 не найдена."  # also where nothing has purged it yet
    db.forget_the_old()
    assert storage.read("SELECT * FROM notes") == storage.read("SELECT * FROM edits") == []
    storage.write("INSERT INTO notes_fts(notes_fts, rank) VALUES ('integrity-check', 1)")


def test_an_edit_can_be_undone_and_the_undoing_too() -> None:
    say("/note_add раз")
    undo = buttons(say("/note_edit 1 два"))["↩️ Отменить правку"]
    undone = tap(undo).edit
    assert undone
    assert undone.text == "Заметка #1: прежний текст вернулся."
    assert "раз" in heard("/note_list")
    assert tap(undo).toast == "Так в заметке и написано."
    redone = tap(buttons(undone)["↪️ Вернуть правку"]).edit
    assert redone
    assert redone.text == "Заметка #1: правка вернулась."
    assert "два" in heard("/note_list")
    tap(buttons(redone)["↩️ Отменить правку"])
    assert "раз" in heard("/note_list")


def test_an_edit_that_changes_nothing_has_nothing_to_undo() -> None:
    say("/note_add раз")
    assert buttons(say("/note_edit 1 раз")) == {}


def test_nobody_else_can_press_these_buttons() -> None:
    say("/note_add раз")
    undo = buttons(say("/note_edit 1 два"))["↩️ Отменить правку"]
    assert tap(undo, BOB).toast == "Эту правку уже не отменить."
    restore = buttons(say("/note_del 1"))["↩️ Вернуть"]
    assert (said := tap(restore, BOB).edit)
    assert said.text == "Заметка #1 не найдена."
    assert say("/note_list") == texts.NO_NOTES


STRANGE = ["unedit:99", "restore:99", "keep:99", "ask:99", "older:1", "older:1:2:3", "newer:9:9", "save:9", "x:1"]


@pytest.mark.parametrize("data", [*STRANGE, "", "unedit", "unedit:", "unedit:-1", "unedit:" + "9" * 40])
def test_a_button_of_another_time_changes_nothing(data: str) -> None:
    say("/note_add раз")
    tap(data)
    assert "раз" in heard("/note_list")


# Edits of the messages themselves


def test_an_edited_message_edits_its_note() -> None:
    router.answer(message("/note_add раз", message_id=7))
    router.answer(message("/note_add другая", message_id=8))
    said = router.answer_edit(message("/note_add@our_bot два", message_id=7))
    assert isinstance(said, Reply)
    assert said.text == "Заметка #1 изменена."
    assert [row["text"] for row in db.list_notes(ANN, 5)] == ["другая", "два"]
    tap(buttons(said)["↩️ Отменить правку"])
    assert db.list_notes(ANN, 5)[1]["text"] == "раз"


def test_an_edit_that_changes_no_text_says_nothing() -> None:
    router.answer(message("/note_add раз", message_id=7))
    assert router.answer_edit(message("/note_add раз", message_id=7)) is None
    assert router.answer_edit(message("/note_list", message_id=9)) is None
    assert router.answer_edit(message("привет", message_id=9)) is None
    assert router.answer_edit(message("/note_add@OtherBot раз", message_id=7)) is None
    assert router.answer_edit(message(None, message_id=7, **PHOTO)) is None
    assert db.count_notes(ANN) == 1


def test_an_edited_message_without_text_gets_the_usage_line_and_the_note_stays() -> None:
    router.answer(message("/note_add раз", message_id=7))
    assert router.answer_edit(message("/note_add", message_id=7)) == "Использование: /note_add <текст>"
    assert db.list_notes(ANN, 5)[0]["text"] == "раз"


def test_a_mistyped_command_that_is_put_right_adds_a_note() -> None:
    router.answer(message("/note_ad раз", message_id=7))
    assert router.answer_edit(message("/note_add раз", message_id=7)) == "Заметка #1 добавлена."


def test_an_edited_message_of_a_deleted_note_says_so() -> None:
    router.answer(message("/note_add раз", message_id=7))
    say("/note_del 1")
    said = router.answer_edit(message("/note_add два", message_id=7))
    assert said == "Заметка #1 удалена. Вернуть её: /note_restore 1"


def test_an_edited_caption_edits_its_note() -> None:
    router.answer(message(None, message_id=7, **PHOTO, caption="/note_add раз"))
    router.answer_edit(message(None, message_id=7, **PHOTO, caption="/note_add два"))
    assert db.list_notes(ANN, 5)[0]["text"] == "два"


def test_an_edited_note_edit_edits_once_more() -> None:
    say("/note_add раз")
    router.answer(message("/note_edit 1 два", message_id=7))
    said = router.answer_edit(message("/note_edit 1 три", message_id=7))
    assert isinstance(said, Reply)
    assert said.text == "Заметка #1 изменена."
    assert db.list_notes(ANN, 5)[0]["text"] == "три"
    assert router.answer_edit(message("/note_edit 1 три", message_id=7)) is None
    assert router.answer_edit(message("/note_edit", message_id=7)) == "Использование: /note_edit <id> <текст>"


def test_somebody_elses_edit_does_not_touch_a_note() -> None:
    router.answer(message("/note_add раз", ANN, GROUP, message_id=7))
    router.answer_edit(message("/note_add два", BOB, GROUP, message_id=7))
    assert db.list_notes(ANN, 5)[0]["text"] == "раз"


# Plain texts


@pytest.mark.parametrize("more", [{}, FORWARDED], ids=["typed", "forwarded"])
def test_a_plain_text_becomes_a_note_once(more: dict[str, Any]) -> None:
    offer = router.answer(message("купить молоко", message_id=7, **more))
    kept = tap(buttons(offer)["📝 В заметки"])
    assert kept.edit
    assert kept.edit.text == "Заметка #1 добавлена."
    assert list(buttons(kept.edit)) == ["🤖 Спросить модель"]
    assert tap(buttons(offer)["📝 В заметки"]).toast == "Уже в заметках: #1."
    assert [row["text"] for row in db.list_notes(ANN, 5)] == ["купить молоко"]


def test_a_plain_text_becomes_a_question_once() -> None:
    offer = router.answer(message("Почему небо голубое?", message_id=7))
    asked = tap(buttons(offer)["🤖 Спросить модель"])
    assert asked.question == Question("Почему небо голубое?")
    assert asked.edit
    assert list(buttons(asked.edit)) == ["📝 В заметки"]
    assert tap(buttons(offer)["🤖 Спросить модель"]) == Tapped("Уже спросили.")


def test_a_plain_text_follows_the_edits_of_its_message() -> None:
    offer = router.answer(message("рас", message_id=7))
    assert router.answer_edit(message("раз", message_id=7)) is None
    tap(buttons(offer)["📝 В заметки"])
    assert db.list_notes(ANN, 5)[0]["text"] == "раз"
    said = router.answer_edit(message("раз, два", message_id=7))
    assert isinstance(said, Reply)
    assert said.text == "Заметка #1 изменена."


def test_a_plain_text_is_nobody_elses() -> None:
    offer = router.answer(message("секрет", message_id=7))
    for data in buttons(offer).values():
        assert tap(data, BOB) == Tapped(texts.PLAIN_TEXT_GONE)


# Models and questions


def test_the_list_of_models() -> None:
    said = say("/models")
    assert isinstance(said, Reply)
    lines = said.text.split("\n")
    assert lines[0] == "Доступные модели:"
    assert lines[1] == "★ 1. DeepSeek V3.1 (free) [deepseek/deepseek-chat-v3.1:free] — недоступна"
    assert lines[5] == "  5. Gemma 4 31B (free) [google/gemma-4-31b-it:free]"
    assert lines[-1] == "Активировать: /model <ID>"
    assert len(lines) == 12


def test_switching_from_a_higher_model_to_a_lower_one() -> None:
    assert say("/model 4") == (
        "Активная модель переключена: Llama 3.1 8B (free) [meta-llama/llama-3.1-8b-instruct:free]"
    )
    assert say("/model@our_bot 2") == "Активная модель переключена: DeepSeek R1 (free) [deepseek/deepseek-r1:free]"
    assert say("/model") == (
        "Текущая активная модель: DeepSeek R1 (free) [deepseek/deepseek-r1:free]\n"
        "(сменить: /model <ID> или /models)"
    )
    assert say("/model\n3") == (
        "Активная модель переключена: Mistral Small 24b (free) [mistralai/mistral-small-24b-instruct-2501:free]"
    )


@pytest.mark.parametrize("text", ["/model 0", "/model 99", "/model " + "9" * 18])
def test_an_unknown_model(text: str) -> None:
    assert say(text) == "Неизвестный ID модели. Сначала /models."
    assert db.get_active_model()["id"] == 1


def test_without_models() -> None:
    storage.write("DELETE FROM models")
    for text in ("/models", "/model", "/model 1", "/ask раз"):
        assert say(text) == "Список моделей пуст."


def test_a_question_is_handed_on() -> None:
    assert say("/ask Почему\nнебо голубое?") == Question("Почему\nнебо голубое?")


# Junk


@one_database
@given(name=st.sampled_from(sorted(router.commands)), junk=st.text())
def test_any_junk_after_any_command_gets_an_answer(name: str, junk: str) -> None:
    said = say(f"/{name} {junk}")
    assert said
    if isinstance(said, str):
        assert said.strip()


@one_database
@given(text=st.text())
def test_any_text_at_all_gets_an_answer_in_private(text: str) -> None:
    assert say(text) if text else say(text) is None
