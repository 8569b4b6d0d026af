"""bot: what every command says, with a real database and real messages, without the network.

- the table: dispatch, @names, case, newlines, hints, what is not for us
- notes: adding, listing, finding, editing, deleting, counting, exporting, counting by day
- models and questions
- any junk after any command gets an answer
"""

import time
from datetime import datetime
from typing import Any

import pytest
from conftest import without_times
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from telebot.types import Message

import db
import texts
from bot import router
from runtime import files
from runtime.answers import Question
from runtime.outbox import Reply
from runtime.router import Said

pytestmark = pytest.mark.usefixtures("database", "_name")

ANN, BOB, GROUP = 1, 2, -100500
STILL = {"is_animated": False, "is_video": False}
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


def say(text: str, user_id: int = ANN) -> Said:
    return router.answer(message(text, user_id))


# The table


def test_help_the_menu_and_dispatch_are_one_table() -> None:
    names = ["start", "help", "note_add", "note_list", "note_find", "note_edit", "note_del", "note_count"]
    names += ["note_export", "note_stats", "models", "model", "models_refresh", "providers", "ask", "compare"]
    names += ["web", "usage"]
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


@pytest.mark.parametrize(
    "text", ["/wat", "/wat раз", "/wat@our_bot", "/modelss 3", "/note_addраз", "/", "//", "привет"]
)
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
        message(
            None,
            sticker={"file_id": "1", "file_unique_id": "1", "width": 1, "height": 1, "type": "regular", **STILL},
        ),
        message(None, photo=[], caption="/note_add раз"),
        message("/note_add раз", user_id=None, sender_chat={"id": GROUP, "type": "channel"}),
        message(None, pinned_message={"message_id": 1, "date": 0, "chat": {"id": 1, "type": "private"}}),
        message(None, left_chat_member={"id": 2, "is_bot": False, "first_name": "Боб"}),
    ],
    ids=["sticker", "photo", "no sender", "pinned", "left"],
)
def test_what_holds_no_command_is_passed_over(odd: Message) -> None:
    assert router.answer(odd) is None


def test_a_forwarded_command_is_a_command() -> None:
    origin = {"type": "hidden_user", "sender_user_name": "Боб", "date": 0}
    assert router.answer(message("/note_add раз", forward_origin=origin)) == "Заметка #1 добавлена."


@pytest.mark.parametrize("odd", ["\ud83d", "\0"])
def test_what_cannot_be_stored_is_replaced(odd: str) -> None:
    say(f"/note_add не{odd}что")
    assert db.list_notes(ANN, 1)[0]["text"] == "не\ufffdчто"
    assert "не\ufffdчто" in str(say(f"/note_find не{odd}что"))


# Usage


@pytest.mark.parametrize(
    ("text", "usage"),
    [
        ("/note_add", "/note_add <текст>"),
        ("/note_add \n ", "/note_add <текст>"),
        ("/note_find", "/note_find <подстрока>"),
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
        ("/usage много", "/usage [дней]"),
    ],
)
def test_what_does_not_fit_gets_the_usage_line(text: str, usage: str) -> None:
    assert say(text) == f"Использование: {usage}"


# Notes


def test_adding_listing_editing_deleting_counting() -> None:
    assert say("/note_add раз") == "Заметка #1 добавлена."
    assert say("/note_add два") == "Заметка #2 добавлена."
    assert without_times(str(say("/note_list"))) == (
        "Последние заметки (2 из 2):\n\n#2 · 21.11.2026 12:00\nдва\n\n#1 · 21.11.2026 12:00\nраз"
    )
    assert say("/note_edit #1 РАЗ\nи ещё") == "Заметка #1 изменена."
    assert "РАЗ\nи ещё" in str(say("/note_list"))
    assert say("/note_del 2") == "Заметка #2 удалена."
    assert say("/note_del 2") == "Заметка #2 не найдена."
    assert say("/note_count") == "У вас 1 заметка."


def test_the_list_is_ten_long_or_as_asked_and_never_over_fifty() -> None:
    for n in range(60):
        say(f"/note_add номер {n}")
    for text, shown in (("/note_list", 10), ("/note_list 3", 3), ("/note_list 1000", 50)):
        assert str(say(text)).startswith(f"Последние заметки ({shown} из 60):")
        assert str(say(text)).count("номер") == shown


def test_finding() -> None:
    say("/note_add Купить Молоко")
    say("/note_add позвонить")
    assert without_times(str(say("/note_find молок"))) == (
        "Найдено: 1 заметка.\n\n#1 · 21.11.2026 12:00\nКупить Молоко"
    )
    assert say("/note_find кефир") == "Ничего не нашлось."


def test_a_search_that_finds_too_much_shows_the_first_fifty() -> None:
    for n in range(51):
        say(f"/note_add номер {n}")
    said = str(say("/note_find номер"))
    assert said.startswith("Первые 50 заметок из найденных:")
    assert said.count("номер") == 50


def test_without_notes() -> None:
    assert say("/note_list") == say("/note_export") == texts.NO_NOTES
    assert say("/note_count") == "У вас 0 заметок."


def test_another_persons_note_answers_like_a_missing_one() -> None:
    say("/note_add секрет", ANN)
    for text in ("/note_edit 1 взлом", "/note_del 1"):
        assert say(text, BOB) == "Заметка #1 не найдена."
        assert say(text.replace("1", "77", 1), BOB) == "Заметка #77 не найдена."
    assert say("/note_find секрет", BOB) == "Ничего не нашлось."
    assert say("/note_list", BOB) == texts.NO_NOTES
    assert "секрет" in str(say("/note_list", ANN))


def test_the_exported_file() -> None:
    say("/note_add раз\nи ещё")
    say("/note_add два ё 🎄")
    reply = say("/note_export")
    assert isinstance(reply, Reply)
    assert reply.attachment
    [(name, content)] = files.notes_txt(reply.attachment["user_id"]).values()
    assert name == "notes.txt"
    assert without_times(content.decode()) == (
        "#1 · 21.11.2026 12:00\nраз\nи ещё\n\n#2 · 21.11.2026 12:00\nдва ё 🎄\n"
    )


@one_database
@given(text=unicode.filter(lambda text: text.strip()))
@example(text="'); DROP TABLE notes; --")
def test_any_text_survives_the_whole_way(text: str) -> None:
    text = text.strip()
    number = str(say(f"/note_add {text}")).split("#")[1].split()[0]
    assert text in str(say("/note_list 1"))
    assert f"#{number} " in str(say(f"/note_find {text}"))
    [(_, content)] = files.notes_txt(ANN).values()
    assert text in content.decode()
    assert say(f"/note_edit {number} {text}") == f"Заметка #{number} изменена."
    assert text in str(say("/note_list 1"))
    assert say(f"/note_del {number}") == f"Заметка #{number} удалена."
    assert f"#{number} " not in str(say(f"/note_find {text}"))


def test_notes_are_counted_by_local_day() -> None:
    now = int(time.time())
    for days_ago, count in ((0, 2), (1, 1), (40, 5)):
        for _ in range(count):
            db.add_note(ANN, ANN, 1, "раз", now - days_ago * 86400)
    db.add_note(BOB, BOB, 1, "чужая", now)
    today, yesterday = (f"{datetime.fromtimestamp(now - ago * 86400):%d.%m.%Y}" for ago in (0, 1))
    assert say("/note_stats") == f"Заметки за 30 дней:\n{today}: 2\n{yesterday}: 1\nВсего: 3 заметки."
    assert say("/note_stats 1") == f"Заметки за 1 день:\n{today}: 2\nВсего: 2 заметки."
    assert str(say("/note_stats 9999")).startswith("Заметки за 366 дней:")
    assert str(say("/note_stats 366")).endswith("Всего: 8 заметок.")


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
    db._write("DELETE FROM models")
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
