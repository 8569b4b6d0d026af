"""answers: /ask through the real process: live, whole, honest.

- the draft grows and becomes the answer; Stop; groups
- failures: a sentence for each, the next model, the same once more, nothing where it would not help
- the talk: replies to answers go on with it, also after a restart, and people do not mix
- pace, fairness, the ledger and what it costs
- the buttons; several models at once
"""

import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from conftest import BotProcess, Person, eventually, hears_it_out, text_of

import db
import storage
import texts
from sandbox.openrouter import Gateway
from sandbox.telegram import METHODS, Faults, World

GROUP = -100500
Start = Callable[..., BotProcess]


@pytest.fixture
def start(bot_process: BotProcess, gateway: Gateway) -> Start:
    """Give a way to start the bot with models of its own, the first one active: start("sandbox/echo", …)."""
    gateway.catalogue = 500  # the list stays as it is
    bot_process.env["ALLOW_PAID_MODELS"] = "1"

    def start(*keys: str, context_length: int | None = None, **env: str) -> BotProcess:
        db.open(bot_process.db_path)
        with db.transaction():
            for table in ("answer_messages", "questions", "models"):
                storage.write(f"DELETE FROM {table}")
            for number, key in enumerate(keys, 1):
                storage.write(
                    "INSERT INTO models (id, key, label, active, context_length) VALUES (?,?,?,?,?)",
                    *(number, key, key, number == 1, context_length),
                )
        db.close()
        bot_process.env |= env
        return bot_process.start()

    return start


@pytest.fixture
def ann(world: World) -> Person:
    return Person(world, 1)


def ledger(bot: BotProcess, columns: str) -> list[Any]:
    with closing(sqlite3.connect(bot.db_path)) as connection:
        return connection.execute(f"SELECT {columns} FROM llm_requests ORDER BY id").fetchall()


def available(bot: BotProcess) -> list[int]:
    with closing(sqlite3.connect(bot.db_path)) as connection:
        return [row[0] for row in connection.execute("SELECT available FROM models ORDER BY id")]


def foot_of(answer: str) -> str:
    return re.sub(r"^\d+ мс", "812 мс", answer.rsplit("\n\n", 1)[1])


# Live


def test_the_draft_grows_and_becomes_the_answer(start: Start, ann: Person, gateway: Gateway) -> None:
    gateway.think_s, gateway.piece_s = 0.3, 0.02
    start("sandbox/long-1")
    answer = ann.asks("/ask раз")
    drafts = ann.sees_drafts()
    assert drafts[0]["text"] == ""  # Telegram shows «Thinking…»
    grown = [draft["text"] for draft in drafts[1:]]
    assert len(grown) >= 2
    whole = answer.rsplit("\n\n", 1)[0]
    assert all(whole.startswith(text.strip()) for text in grown)
    assert [len(text) for text in grown] == sorted(len(text) for text in grown)
    assert len({draft["draft_id"] for draft in drafts}) == 1
    assert all(draft["can_stop"] for draft in drafts)


def test_the_answer_is_one_rich_message_that_shows_what_it_answers(start: Start, ann: Person) -> None:
    start("sandbox/echo")
    ann.says("/ask | a | b |\n|---|---|\n| **раз** | `два` |")
    message = ann.hears()
    markdown = message["rich_message"]["markdown"]
    assert markdown.startswith("| a | b |\n|---|---|\n| **раз** | `два` |\n\n")
    assert foot_of(markdown) == "812 мс; модель: sandbox/echo"
    assert message["reply_to_message"]["text"].startswith("/ask")


def test_stop_keeps_what_came_and_breaks_the_stream(
    start: Start, ann: Person, gateway: Gateway, world: World
) -> None:
    gateway.piece_s = 0.02
    bot = start("sandbox/long-90")
    ann.says("/ask раз")
    eventually(lambda: ann.sees_drafts()[-1:] and ann.sees_drafts()[-1]["text"])
    world.stop_draft(1, ann.sees_drafts()[-1]["draft_id"])
    answer = text_of(ann.hears())
    assert answer.startswith("Абзац номер 0:")
    assert "\n\n(остановлено)\n\n" in answer
    eventually(lambda: gateway.broken_off == ["sandbox/long-90"])
    # What it has cost is asked for afterwards, until the gateway knows.
    eventually(lambda: ledger(bot, "finish_reason, cost, completion_tokens") == [("stopped", 0.0125, 7)])
    assert ann.asks("/note_count") == "У вас 0 заметок."


def test_stop_while_the_model_thinks_is_heard_at_once(
    start: Start, ann: Person, gateway: Gateway, world: World
) -> None:
    gateway.think_s = 600
    start("sandbox/echo")
    ann.says("/ask раз")
    eventually(lambda: ann.sees_drafts() and gateway.requests)
    world.stop_draft(1, ann.sees_drafts()[-1]["draft_id"])
    assert text_of(ann.hears()).startswith("(остановлено)\n\n")


def test_a_stop_of_another_persons_answer_does_nothing(
    start: Start, ann: Person, gateway: Gateway, world: World
) -> None:
    gateway.think_s = 1
    start("sandbox/echo")
    world.say(2, "/start")
    ann.says("/ask раз")
    eventually(lambda: ann.sees_drafts())
    world.stop_draft(2, ann.sees_drafts()[-1]["draft_id"])
    assert text_of(ann.hears()).startswith("раз\n\n")


def test_in_a_group_it_types_and_asks_for_the_whole_answer(start: Start, world: World, gateway: Gateway) -> None:
    gateway.think_s = 0.5
    start("sandbox/echo")
    answer = Person(world, 1, GROUP).asks("/ask раз")
    assert answer.startswith("раз\n\n")
    methods = [event["method"] for event in world.events_of(GROUP)]
    assert methods == ["sendChatAction", "sendRichMessage"]
    assert "stream" not in gateway.requests[0]


@pytest.mark.parametrize("missing", [["sendRichMessageDraft"], ["sendRichMessageDraft", "sendMessageDraft"]])
def test_an_older_telegram_shows_what_it_can(
    start: Start, ann: Person, world: World, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, missing: list[str]
) -> None:
    for method in missing:
        monkeypatch.delitem(METHODS, method)
    gateway.think_s, gateway.piece_s = 0.3, 0.02
    start("sandbox/long-1")
    assert ann.asks("/ask раз").startswith("Абзац номер 0")
    shown = {event["method"] for event in world.events_of(1)} - {"sendRichMessage"}
    assert shown == ({"sendMessageDraft"} if len(missing) == 1 else {"sendChatAction"})


def test_drafts_that_fail_do_not_touch_the_answer(
    start: Start, ann: Person, world: World, gateway: Gateway
) -> None:
    gateway.piece_s = 0.02
    drafts = frozenset(["sendRichMessageDraft", "sendMessageDraft"])
    world.faults = Faults(too_many=0.4, bad_gateway=0.3, drop_after=0.3, methods=drafts)
    start("sandbox/long-1")
    assert ann.asks("/ask раз").count("Абзац") == 10


def test_a_long_answer_comes_whole_in_several_messages(start: Start, ann: Person) -> None:
    start("sandbox/long-40")
    ann.says("/ask раз")
    messages = [ann.hears(), ann.hears()]
    assert sum(text_of(message).count("Абзац") for message in messages) == 400
    assert ["reply_markup" in message for message in messages] == [False, True]
    assert "rich_message" in messages[0]


# Honest about failure


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("sandbox/status-401", f"[401] {texts.STATUS[401]}"),
        ("sandbox/status-402", f"[402] {texts.STATUS[402]}"),
        ("sandbox/status-403", f"[403] {texts.STATUS[403]}"),
        ("sandbox/refuse", f"[403] {texts.MODEL_REFUSED}"),
        ("sandbox/status-413", f"[413] {texts.STATUS[413]}"),
        ("sandbox/status-400", f"[400] {texts.STATUS[400]}"),
    ],
)
def test_where_another_model_would_not_help_none_is_asked(
    start: Start, ann: Person, gateway: Gateway, model: str, said: str
) -> None:
    start(model, "sandbox/echo")
    assert ann.asks("/ask раз") == f"Ошибка: {said}"
    assert [request["model"] for request in gateway.requests] == [model]


def test_the_days_limit_says_when_it_opens(start: Start, ann: Person, gateway: Gateway) -> None:
    reset_at = int(time.time()) // 86400 * 86400 + 86400
    start(f"sandbox/limit_day-{reset_at}", "sandbox/echo")
    opens = time.strftime("%d.%m в %H:%M", time.localtime(reset_at))
    assert opens in ann.asks("/ask раз")
    assert len(gateway.requests) == 1


def test_the_minutes_limit_is_waited_for_when_it_is_short(start: Start, ann: Person) -> None:
    bot = start("sandbox/limit_minute-1")
    assert ann.asks("/ask раз").startswith("минута прошла\n\n")
    bot.stop()
    start("sandbox/limit_minute-50")
    assert re.search(r"следующие — в \d\d:\d\d:\d\d", ann.asks("/ask раз"))


@pytest.mark.parametrize(
    ("model", "reason", "times"),
    [
        ("sandbox/status-404", "недоступна", 1),
        ("sandbox/unknown", "недоступна", 1),
        ("sandbox/busy", "лимит запросов", 1),
        ("sandbox/busy-60", "лимит запросов", 1),
        ("sandbox/status-502", "ошибка сервера", 2),
        ("sandbox/status-408", "не ответила вовремя", 2),
        ("sandbox/content-1", "пустой ответ", 2),
        ("sandbox/cut", "нет связи", 2),
        ("sandbox/stream-5", "ошибка сервера", 2),
    ],
)
def test_the_next_model_answers_and_the_foot_says_why(
    start: Start, ann: Person, gateway: Gateway, model: str, reason: str, times: int
) -> None:
    bot = start(model, "sandbox/echo")
    answer = ann.asks("/ask раз")
    assert answer.startswith("раз\n\n")
    assert foot_of(answer) == f"812 мс; модель: sandbox/echo (вместо {model}: {reason})"
    assert [request["model"] for request in gateway.requests] == [model] * times + ["sandbox/echo"]
    assert available(bot) == ([0, 1] if reason == "недоступна" else [1, 1])
    assert len(ledger(bot, "id")) == times + 1


def test_a_busy_model_that_says_when_is_asked_again(start: Start, ann: Person, gateway: Gateway) -> None:
    start("sandbox/flaky-1", "sandbox/echo")
    assert ann.asks("/ask раз").startswith("теперь получилось\n\n")
    assert gateway.asked == {"sandbox/flaky-1": 2}


def test_no_more_than_three_models_are_asked(start: Start, ann: Person, gateway: Gateway) -> None:
    start(*(f"sandbox/status-{status}" for status in (404, 500, 529)), "sandbox/echo")
    assert ann.asks("/ask раз") == f"Ошибка: [529] {texts.STATUS[529]}"
    assert "sandbox/echo" not in gateway.asked


def test_a_model_that_spent_its_tokens_on_thinking_is_given_room(
    start: Start, ann: Person, gateway: Gateway
) -> None:
    start("sandbox/thinker-2000", "sandbox/echo")
    answer = ann.asks("/ask раз")
    assert answer.startswith("надумал\n\n")
    assert [request["max_tokens"] for request in gateway.requests] == [2000, 8000]


def test_a_model_that_takes_no_reasoning_setting_is_asked_without(
    start: Start, ann: Person, gateway: Gateway
) -> None:
    start("sandbox/no_reasoning")
    assert ann.asks("/ask раз").startswith("без размышлений\n\n")
    assert ["reasoning" in request for request in gateway.requests] == [True, False]


@pytest.mark.parametrize(("which", "mark"), [(0, texts.LENGTH), (1, texts.FILTERED)])
def test_an_answer_that_lacks_something_says_so(start: Start, ann: Person, which: int, mark: str) -> None:
    start(f"sandbox/finish-{which}")
    assert f"часть ответа\n\n({mark})\n\n" in ann.asks("/ask раз")


@pytest.mark.parametrize("which", [2, 3], ids=["an error within", "cut off"])
def test_half_an_answer_is_better_than_none_but_a_whole_one_is_better(
    start: Start, ann: Person, which: int, bot_process: BotProcess
) -> None:
    start(f"sandbox/stream-{which}", "sandbox/echo")
    assert ann.asks("/ask раз").startswith("раз\n\n")
    bot_process.stop()
    start(f"sandbox/stream-{which}")
    assert ann.asks("/ask раз").startswith(f"начало\n\n({texts.CUT})\n\n")


def test_a_question_that_does_not_fit_is_not_cut_silently(start: Start, ann: Person, gateway: Gateway) -> None:
    start("sandbox/echo", context_length=3000)
    assert ann.asks(f"/ask {'слово ' * 600}") == f"Ошибка: [413] {texts.QUESTION_TOO_LONG}"
    assert gateway.requests == []


# The talk goes on


def test_a_reply_to_an_answer_goes_on_with_the_talk_also_after_a_restart(
    start: Start, ann: Person, world: World, bot_process: BotProcess
) -> None:
    start("sandbox/talk")
    ann.says("/ask первый")
    first = hears_it_out(ann, bot_process)
    world.say(1, "второй", reply_to_message=first)
    second = hears_it_out(ann, bot_process)
    assert text_of(second).startswith("user: первый | assistant: user: первый | user: второй\n\n")
    bot_process.stop()
    bot_process.start()
    world.say(1, "третий", reply_to_message=second)
    assert text_of(hears_it_out(ann, bot_process)).count("user: ") == 7
    assert ann.asks("/ask заново").startswith("user: заново\n\n")


def test_a_long_talk_is_cut_to_the_models_memory_by_whole_turns(
    start: Start, ann: Person, world: World, bot_process: BotProcess
) -> None:
    start("sandbox/talk", context_length=2600)  # 1200 characters beside the answer
    answer = None
    for n in range(4):
        text = f"вопрос {n} {'х' * 250}"
        if answer:
            world.say(1, text, reply_to_message=answer)
        else:
            ann.says(f"/ask {text}")
        answer = hears_it_out(ann, bot_process)
    assert answer
    said = text_of(answer)
    assert "вопрос 3" in said
    assert "вопрос 0" not in said
    assert said.startswith("user: ")


def test_two_people_in_one_chat_do_not_mix(start: Start, world: World, bot_process: BotProcess) -> None:
    start("sandbox/talk")
    ann, bob = Person(world, 1, GROUP), Person(world, 2, GROUP)
    ann.says("/ask секрет Анны")
    answer = hears_it_out(ann, bot_process)
    bob.hears()
    world.say(2, "а мне?", chat_id=GROUP, reply_to_message=answer)
    assert text_of(bob.hears()) == texts.NOT_YOUR_TALK
    world.say(1, "ещё", chat_id=GROUP, reply_to_message=answer)
    assert "секрет Анны" in text_of(bob.hears())


# Pace, fairness, the ledger


def test_beyond_the_accounts_pace_one_waits_in_line_and_sees_it(
    start: Start, world: World, gateway: Gateway
) -> None:
    start("sandbox/echo:free", FREE_REQUESTS_PER_MINUTE="2")
    people = [Person(world, n) for n in (1, 2, 3)]
    for person in people[:2]:
        assert person.asks("/ask раз").startswith("раз\n\n")
    people[2].says("/ask раз")
    eventually(lambda: "в очереди: 1" in [draft["text"] for draft in people[2].sees_drafts()])
    assert len(gateway.requests) == 2
    world.stop_draft(3, people[2].sees_drafts()[-1]["draft_id"])
    assert text_of(people[2].hears()).startswith("(остановлено)")


def test_the_pace_survives_a_restart(start: Start, ann: Person, bot_process: BotProcess, gateway: Gateway) -> None:
    start("sandbox/echo:free", FREE_REQUESTS_PER_MINUTE="2")
    for _ in range(2):
        ann.asks("/ask раз")
    bot_process.stop()
    bot_process.start()
    ann.says("/ask раз")
    eventually(lambda: "в очереди: 1" in [draft["text"] for draft in ann.sees_drafts()])
    assert len(gateway.requests) == 2


def test_one_persons_questions_do_not_keep_another_waiting(start: Start, world: World, gateway: Gateway) -> None:
    gateway.think_s = 0.2
    start("sandbox/echo")
    ann, bob = Person(world, 1), Person(world, 2)
    for n in range(10):
        ann.says(f"/ask {n}")
    assert bob.asks("/ask раз").startswith("раз")
    assert len([event for event in world.events_of(1) if event.get("message")]) < 5


def test_the_ledger_and_what_a_person_sees_of_it(start: Start, world: World) -> None:
    bot = start("sandbox/status-404:free", "sandbox/echo:free")
    ann, bob = Person(world, 1), Person(world, 2)
    ann.asks("/ask раз два")
    assert ledger(
        bot, "user_id, module, gateway, model, status, finish_reason, prompt_tokens, completion_tokens"
    ) == [
        (1, "ask", "openrouter", "sandbox/status-404:free", 404, None, None, None),
        (1, "ask", "openrouter", "sandbox/echo:free", 200, "stop", 20, 2),
    ]
    assert ann.asks("/usage 7") == (
        "Ваши запросы к моделям за 7 дней:\n"
        "sandbox/echo:free: 1 запрос, 22 токена, $0.0000\n"
        "sandbox/status-404:free: 1 запрос, 0 токенов, $0.0000\n"
        "Бесплатных запросов сегодня (на всех): 2 из 50."
    )
    assert "пока не было" in bob.asks("/usage")


def test_what_was_never_sent_is_not_in_the_ledger(start: Start, ann: Person) -> None:
    bot = start("sandbox/echo:free", OPENROUTER_API_KEY="")
    assert ann.asks("/ask раз") == "Ошибка: [401] Отсутствует OPENROUTER_API_KEY (.env)."
    assert ledger(bot, "id") == []


# Buttons, and several models at once


def test_asking_again_and_keeping_an_answer(start: Start, ann: Person) -> None:
    start("sandbox/echo")
    ann.says("/ask раз")
    answer = ann.hears()
    assert ann.taps(answer, texts.SAVE) == "Заметка #1 добавлена."
    assert ann.taps(answer, texts.SAVE) == "Уже в заметках: #1."
    assert ann.asks("/note_list").endswith("раз")
    assert ann.taps(answer, texts.AGAIN) == texts.ASKED_AGAIN
    assert text_of(ann.hears()).startswith("раз\n\n")


def test_buttons_of_another_chat_or_another_time(start: Start, ann: Person, world: World) -> None:
    start("sandbox/echo")
    ann.says("/ask секрет")
    ann.hears()
    bob = Person(world, 2)
    bob.says("/start")
    greeting = bob.hears()
    for data in ("save:1", "again:1", "save:999999999999999999", "old", "save:x", ""):
        query_id = world.tap(2, 2, greeting["message_id"], data)
        eventually(partial(lambda query_id: any(e.get("query_id") == query_id for e in world.events), query_id))
    assert bob.asks("/note_count") == "У вас 0 заметок."
    assert not any("секрет" in str(event) for event in world.events_of(2))


def test_several_models_at_once_a_reply_each(start: Start, ann: Person, gateway: Gateway) -> None:
    gateway.think_s = 0.2
    start("sandbox/echo", "sandbox/status-500", "sandbox/slow-3", "sandbox/talk")
    ann.says("/compare раз")
    said = [text_of(ann.hears()) for _ in range(3)]
    assert said[0].startswith("раз\n\n")
    assert sorted(re.findall(r"модель: (\S+)", " ".join(said))) == [
        "sandbox/echo",
        "sandbox/slow-3",
        "sandbox/status-500",
    ]
    assert "sandbox/talk" not in gateway.asked


def test_an_answer_that_was_cut_by_a_restart_is_given_anew(
    start: Start, ann: Person, gateway: Gateway, bot_process: BotProcess
) -> None:
    gateway.piece_s = 0.05
    start("sandbox/long-5")
    ann.says("/ask раз")
    eventually(lambda: ann.sees_drafts()[-1:] and ann.sees_drafts()[-1]["text"])
    bot_process.kill()
    gateway.piece_s = 0
    bot_process.start()
    assert text_of(ann.hears()).count("Абзац") == 50
