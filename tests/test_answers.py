"""Tests of llm/answers.py: answers of models through the running bot, and the parts of llm/ that need no bot.

- the growing draft, Stop, groups
- failures: an error message for each kind, fallback models, retries, and no retry where it would not help
- conversations: replies to answers continue them, also after a restart, and people do not mix
- the rate limit, fairness between people, the ledger, costs
- buttons; several models at once
- fallback models and the reply on their own
"""

import re
import time
from collections.abc import Callable
from datetime import timedelta, timezone
from functools import partial
from typing import Any

import pytest
from conftest import BotProcess, Person, catalog_model, eventually, next_delivered, text_of

import db
import storage
import texts
from llm.answer_reply import describe_error
from llm.models import fallback_models, is_free
from openrouter_client import ErrorKind, OpenRouterError
from sandbox.openrouter import EmulatedGateway
from sandbox.telegram import METHODS, Faults, World

GROUP = -100500
Start = Callable[..., BotProcess]


@pytest.fixture
def start(bot_process: BotProcess, gateway: EmulatedGateway) -> Start:
    """Return a function that starts the bot with these models, the first one active: start("sandbox/echo", …)."""
    gateway.catalog = 500  # so that the list stays as it is
    bot_process.env["ALLOW_PAID_MODELS"] = "1"

    def start(*keys: str, context_length: int | None = None, **env: str) -> BotProcess:
        db.open(bot_process.db_path)
        with storage.transaction():
            for table in ("answer_messages", "questions", "models"):
                storage.execute(f"DELETE FROM {table}")
            for number, key in enumerate(keys, 1):
                storage.execute(
                    "INSERT INTO models (id, key, label, active, context_length) VALUES (?,?,?,?,?)",
                    (number, key, key, number == 1, context_length),
                )
        storage.close()
        bot_process.env |= env
        return bot_process.start()

    return start


def ledger(bot: BotProcess, columns: str) -> list[Any]:
    return bot.rows(f"SELECT {columns} FROM llm_requests ORDER BY id")


def availability(bot: BotProcess) -> list[int]:
    return [available for (available,) in bot.rows("SELECT available FROM models ORDER BY id")]


def footer_of(answer: str) -> str:
    return re.sub(r"^\d+ мс", "812 мс", answer.rsplit("\n\n", 1)[1])


# Growing drafts


def test_the_draft_grows_and_becomes_the_answer(start: Start, ann: Person, gateway: EmulatedGateway) -> None:
    gateway.think_s, gateway.chunk_delay_s = 0.3, 0.02
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


def test_the_answer_is_one_rich_message_in_reply_to_the_question(start: Start, ann: Person) -> None:
    start("sandbox/echo")
    ann.says("/ask | a | b |\n|---|---|\n| **раз** | `два` |")
    message = ann.hears()
    markdown = message["rich_message"]["markdown"]
    assert markdown.startswith("| a | b |\n| --- | --- |\n| **раз** | `два` |\n\n")
    assert footer_of(markdown) == "812 мс; модель: sandbox/echo"
    assert message["reply_to_message"]["text"].startswith("/ask")


def test_stop_keeps_the_text_so_far_and_breaks_the_stream(
    start: Start, ann: Person, gateway: EmulatedGateway, world: World
) -> None:
    gateway.chunk_delay_s = 0.02
    bot = start("sandbox/long-90")
    ann.says("/ask раз")
    eventually(lambda: ann.sees_drafts()[-1:] and ann.sees_drafts()[-1]["text"])
    world.stop_draft(1, ann.sees_drafts()[-1]["draft_id"])
    answer = text_of(ann.hears())
    assert answer.startswith("Абзац номер 0:")
    assert "\n\n(остановлено)\n\n" in answer
    eventually(lambda: gateway.closed_streams == ["sandbox/long-90"])
    # The bot asks for the cost until the gateway knows it.
    eventually(lambda: ledger(bot, "finish_reason, cost, completion_tokens") == [("stopped", 0.0125, 7)])
    assert ledger(bot, "provider, provider_latency_ms, provider_requests") == [("Sandbox", 1643, 2)]
    assert ann.asks("/note_count") == "У вас 0 заметок."


def test_stop_works_while_the_model_thinks(
    start: Start, ann: Person, gateway: EmulatedGateway, world: World
) -> None:
    gateway.think_s = 600
    start("sandbox/echo")
    ann.says("/ask раз")
    eventually(lambda: ann.sees_drafts() and gateway.requests)
    world.stop_draft(1, ann.sees_drafts()[-1]["draft_id"])
    answer = text_of(ann.hears())
    assert answer.startswith("(остановлено)\n\n")
    assert answer.endswith("модель: sandbox/echo")
    eventually(lambda: gateway.closed_streams == ["sandbox/echo"])  # the request has ended, too


def test_stop_names_the_model_that_was_writing(
    start: Start, ann: Person, gateway: EmulatedGateway, world: World
) -> None:
    gateway.chunk_delay_s = 0.02
    start("sandbox/status-404", "sandbox/long-90")
    ann.says("/ask раз")
    eventually(lambda: ann.sees_drafts()[-1:] and ann.sees_drafts()[-1]["text"])
    world.stop_draft(1, ann.sees_drafts()[-1]["draft_id"])
    assert text_of(ann.hears()).endswith("модель: sandbox/long-90")


def test_stopping_another_persons_answer_does_nothing(
    start: Start, ann: Person, gateway: EmulatedGateway, world: World
) -> None:
    gateway.think_s = 1
    start("sandbox/echo")
    world.say(2, "/start")
    ann.says("/ask раз")
    eventually(lambda: ann.sees_drafts())
    world.stop_draft(2, ann.sees_drafts()[-1]["draft_id"])
    assert text_of(ann.hears()).startswith("раз\n\n")


def test_in_a_group_the_bot_shows_typing_and_requests_the_whole_answer(
    start: Start, world: World, gateway: EmulatedGateway
) -> None:
    gateway.think_s = 0.5
    start("sandbox/echo")
    answer = Person(world, 1, GROUP).asks("/ask раз")
    assert answer.startswith("раз\n\n")
    methods = [event["method"] for event in world.events_of(GROUP)]
    assert methods == ["sendChatAction", "sendRichMessage"]
    assert "stream" not in gateway.requests[0]


@pytest.mark.parametrize("missing", [["sendRichMessageDraft"], ["sendRichMessageDraft", "sendMessageDraft"]])
def test_an_older_telegram_server_shows_what_it_supports(
    start: Start,
    ann: Person,
    world: World,
    gateway: EmulatedGateway,
    monkeypatch: pytest.MonkeyPatch,
    missing: list[str],
) -> None:
    for method in missing:
        monkeypatch.delitem(METHODS, method)
    gateway.think_s, gateway.chunk_delay_s = 0.3, 0.02
    start("sandbox/long-1")
    assert ann.asks("/ask раз").startswith("Абзац номер 0")
    shown = {event["method"] for event in world.events_of(1)} - {"sendRichMessage"}
    assert shown == ({"sendMessageDraft"} if len(missing) == 1 else {"sendChatAction"})


def test_failed_drafts_do_not_affect_the_answer(
    start: Start, ann: Person, world: World, gateway: EmulatedGateway
) -> None:
    gateway.chunk_delay_s = 0.02
    drafts = frozenset(["sendRichMessageDraft", "sendMessageDraft"])
    world.faults = Faults(too_many=0.4, bad_gateway=0.3, drop_after=0.3, methods=drafts)
    start("sandbox/long-1")
    assert ann.asks("/ask раз").count("Абзац") == 10


def test_a_long_answer_arrives_complete_in_several_messages(start: Start, ann: Person) -> None:
    start("sandbox/long-40")
    ann.says("/ask раз")
    messages = [ann.hears(), ann.hears()]
    assert sum(text_of(message).count("Абзац") for message in messages) == 400
    assert ["reply_markup" in message for message in messages] == [False, True]
    assert "rich_message" in messages[0]


# Failures


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("sandbox/status-401", f"[401] {texts.status_message(401)}"),
        ("sandbox/status-402", f"[402] {texts.status_message(402)}"),
        ("sandbox/status-403", f"[403] {texts.status_message(403)}"),
        ("sandbox/refuse", f"[403] {texts.model_refused('openrouter')}"),
        ("sandbox/status-413", f"[413] {texts.status_message(413)}"),
        ("sandbox/status-400", f"[400] {texts.status_message(400)}"),
    ],
)
def test_no_fallback_model_is_called_where_it_would_not_help(
    start: Start, ann: Person, gateway: EmulatedGateway, model: str, message: str
) -> None:
    start(model, "sandbox/echo")
    assert ann.asks("/ask раз") == f"Ошибка: {message}"
    assert [request["model"] for request in gateway.requests] == [model]


def test_the_daily_limit_says_when_it_is_lifted(start: Start, ann: Person, gateway: EmulatedGateway) -> None:
    reset_at = int(time.time()) // 86400 * 86400 + 86400
    start(f"sandbox/limit_day-{reset_at}", "sandbox/echo")
    lifted = time.strftime("%d.%m в %H:%M", time.localtime(reset_at))
    assert lifted in ann.asks("/ask раз")
    assert len(gateway.requests) == 1


def test_the_bot_waits_for_a_limit_per_minute_if_it_ends_soon(start: Start, ann: Person) -> None:
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
def test_a_fallback_model_answers_and_the_footer_says_why(
    start: Start, ann: Person, gateway: EmulatedGateway, model: str, reason: str, times: int
) -> None:
    bot = start(model, "sandbox/echo")
    answer = ann.asks("/ask раз")
    assert answer.startswith("раз\n\n")
    assert footer_of(answer) == f"812 мс; модель: sandbox/echo (вместо {model}: {reason})"
    assert [request["model"] for request in gateway.requests] == [model] * times + ["sandbox/echo"]
    assert availability(bot) == ([0, 1] if reason == "недоступна" else [1, 1])
    assert len(ledger(bot, "id")) == times + 1


def test_a_busy_model_is_called_again_when_it_says_when(
    start: Start, ann: Person, gateway: EmulatedGateway
) -> None:
    start("sandbox/flaky-1", "sandbox/echo")
    assert ann.asks("/ask раз").startswith("теперь получилось\n\n")
    assert gateway.request_counts == {"sandbox/flaky-1": 2}


def test_at_most_three_models_are_called(start: Start, ann: Person, gateway: EmulatedGateway) -> None:
    start(*(f"sandbox/status-{status}" for status in (404, 500, 529)), "sandbox/echo")
    assert ann.asks("/ask раз") == f"Ошибка: [404] {texts.model_missing('openrouter')}"  # of the first model
    assert "sandbox/echo" not in gateway.request_counts


def test_a_model_that_spent_its_tokens_on_thinking_gets_more(
    start: Start, ann: Person, gateway: EmulatedGateway
) -> None:
    start("sandbox/thinker-2000", "sandbox/echo")
    answer = ann.asks("/ask раз")
    assert answer.startswith("надумал\n\n")
    assert [request["max_tokens"] for request in gateway.requests] == [2000, 8000]


def test_a_model_without_the_reasoning_setting_is_called_without_it(
    start: Start, ann: Person, gateway: EmulatedGateway
) -> None:
    start("sandbox/no_reasoning")
    assert ann.asks("/ask раз").startswith("без размышлений\n\n")
    assert ["reasoning" in request for request in gateway.requests] == [True, False]


@pytest.mark.parametrize(("index", "warning"), [(0, texts.TRUNCATED), (1, texts.FILTERED)])
def test_an_incomplete_answer_has_a_warning(start: Start, ann: Person, index: int, warning: str) -> None:
    start(f"sandbox/finish-{index}")
    assert f"часть ответа\n\n({warning})\n\n" in ann.asks("/ask раз")


@pytest.mark.parametrize("index", [2, 3], ids=["an error inside", "cut off"])
def test_a_partial_answer_is_used_only_if_no_model_gives_a_whole_one(
    start: Start, ann: Person, index: int, bot_process: BotProcess
) -> None:
    start(f"sandbox/stream-{index}", "sandbox/echo")
    assert ann.asks("/ask раз").startswith("раз\n\n")
    bot_process.stop()
    start(f"sandbox/stream-{index}")
    assert ann.asks("/ask раз").startswith(f"начало\n\n({texts.INTERRUPTED})\n\n")


def test_a_question_that_does_not_fit_is_refused_and_not_cut(
    start: Start, ann: Person, gateway: EmulatedGateway
) -> None:
    start("sandbox/echo", context_length=3000)
    assert ann.asks(f"/ask {'слово ' * 600}") == f"Ошибка: [413] {texts.QUESTION_TOO_LONG}"
    assert gateway.requests == []


# Conversations


def test_a_reply_to_an_answer_continues_the_conversation_also_after_a_restart(
    start: Start, ann: Person, world: World, bot_process: BotProcess
) -> None:
    start("sandbox/history")
    ann.says("/ask первый")
    first = next_delivered(ann, bot_process)
    world.say(1, "второй", reply_to_message=first)
    second = next_delivered(ann, bot_process)
    assert text_of(second).startswith("user: первый | assistant: user: первый | user: второй\n\n")
    bot_process.stop()
    bot_process.start()
    world.say(1, "третий", reply_to_message=second)
    assert text_of(next_delivered(ann, bot_process)).count("user: ") == 7
    assert ann.asks("/ask заново").startswith("user: заново\n\n")


def test_a_long_conversation_is_cut_to_the_context_length_by_whole_turns(
    start: Start, ann: Person, world: World, bot_process: BotProcess
) -> None:
    start("sandbox/history", context_length=1200)  # 1200 characters beside the answer
    answer = None
    for n in range(4):
        text = f"вопрос {n} {'х' * 250}"
        if answer:
            world.say(1, text, reply_to_message=answer)
        else:
            ann.says(f"/ask {text}")
        answer = next_delivered(ann, bot_process)
    assert answer
    history = text_of(answer)
    assert "вопрос 3" in history
    assert "вопрос 0" not in history
    assert history.startswith("user: ")


def test_two_people_in_one_chat_do_not_mix(start: Start, world: World, bot_process: BotProcess) -> None:
    start("sandbox/history")
    ann, bob = Person(world, 1, GROUP), Person(world, 2, GROUP)
    ann.says("/ask секрет Анны")
    answer = next_delivered(ann, bot_process)
    bob.hears()
    world.say(2, "а мне?", chat_id=GROUP, reply_to_message=answer)
    assert text_of(bob.hears()) == texts.NOT_YOUR_CONVERSATION
    world.say(1, "ещё", chat_id=GROUP, reply_to_message=answer)
    assert "секрет Анны" in text_of(bob.hears())


# The rate limit, fairness, the ledger


def test_above_the_rate_limit_a_person_waits_and_sees_the_queue_position(
    start: Start, world: World, gateway: EmulatedGateway
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


def test_the_rate_limit_survives_a_restart(
    start: Start, ann: Person, bot_process: BotProcess, gateway: EmulatedGateway
) -> None:
    start("sandbox/echo:free", FREE_REQUESTS_PER_MINUTE="2")
    for n in range(2):
        ann.asks(f"/ask {n}")
    bot_process.stop()
    bot_process.start()
    ann.says("/ask раз")
    eventually(lambda: "в очереди: 1" in [draft["text"] for draft in ann.sees_drafts()])
    assert len(gateway.requests) == 2


def test_one_persons_questions_do_not_delay_another_persons(
    start: Start, world: World, gateway: EmulatedGateway
) -> None:
    gateway.think_s = 0.2
    start("sandbox/echo")
    ann, bob = Person(world, 1), Person(world, 2)
    for n in range(10):
        ann.says(f"/ask {n}")
    assert bob.asks("/ask раз").startswith("раз")
    assert len([event for event in world.events_of(1) if event.get("message")]) < 5


def test_the_ledger_and_the_usage_command(start: Start, world: World) -> None:
    bot = start("sandbox/status-404:free", "sandbox/echo:free")
    ann, bob = Person(world, 1), Person(world, 2)
    ann.asks("/ask раз два")
    assert ledger(
        bot, "user_id, module, gateway, model, status, finish_reason, prompt_tokens, completion_tokens, is_free"
    ) == [
        (1, "ask", "openrouter", "sandbox/status-404:free", 404, None, None, None, 1),
        (1, "ask", "openrouter", "sandbox/echo:free", 200, "stop", 20, 2, 1),
    ]
    assert ann.asks("/usage 7") == (
        "Ваши запросы к моделям за 7 дней:\n"
        "sandbox/echo:free: 1 запрос, 22 токена, $0,0000\n"
        "sandbox/status-404:free: 1 запрос, 0 токенов, $0,0000\n"
        "Бесплатных запросов сегодня (на всех): 2 из 50."
    )
    assert "пока не было" in bob.asks("/usage")


def test_a_paid_model_is_neither_free_nor_rate_limited(start: Start, ann: Person) -> None:
    bot = start("sandbox/echo", FREE_REQUESTS_PER_MINUTE="1")
    for n in range(3):
        assert ann.asks(f"/ask {n}").startswith(f"{n}\n\n")
    assert ledger(bot, "is_free") == [(0,), (0,), (0,)]


def test_a_request_that_was_never_sent_is_not_in_the_ledger(start: Start, ann: Person) -> None:
    bot = start("sandbox/echo:free", OPENROUTER_API_KEY="")
    assert ann.asks("/ask раз") == "Ошибка: [401] Не задан OPENROUTER_API_KEY: впишите его в .env."
    assert ledger(bot, "id") == []


# Buttons, and several models at once


def test_asking_again_and_saving_an_answer(start: Start, ann: Person) -> None:
    start("sandbox/echo")
    ann.says("/ask раз")
    answer = ann.hears()
    assert ann.taps(answer, texts.SAVE_AS_NOTE) == "Заметка #1 добавлена."
    assert ann.taps(answer, texts.SAVE_AS_NOTE) == "Уже в заметках: #1."
    assert ann.asks("/note_list").endswith("раз")
    assert ann.taps(answer, texts.ASK_AGAIN) == texts.ASKED_AGAIN
    assert text_of(ann.hears()).startswith("раз\n\n")


def test_buttons_of_another_chat_and_outdated_buttons(start: Start, ann: Person, world: World) -> None:
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


def test_several_models_at_once_reply_separately(start: Start, ann: Person, gateway: EmulatedGateway) -> None:
    gateway.think_s = 0.2
    start("sandbox/echo", "sandbox/status-500", "sandbox/slow-3", "sandbox/history")
    ann.says("/compare раз")
    answers = [text_of(ann.hears()) for _ in range(3)]
    assert answers[0].startswith("раз\n\n")
    assert sorted(re.findall(r"модель: (\S+)", " ".join(answers))) == [
        "sandbox/echo",
        "sandbox/slow-3",
        "sandbox/status-500",
    ]
    assert "sandbox/history" not in gateway.request_counts


def test_a_question_interrupted_by_a_crash_is_asked_again(
    start: Start, ann: Person, gateway: EmulatedGateway, bot_process: BotProcess
) -> None:
    gateway.chunk_delay_s = 0.05
    start("sandbox/long-5")
    ann.says("/ask раз")
    eventually(lambda: ann.sees_drafts()[-1:] and ann.sees_drafts()[-1]["text"])
    bot_process.kill()
    gateway.chunk_delay_s = 0
    bot_process.start()
    assert text_of(ann.hears()).count("Абзац") == 50


def test_compared_models_interrupted_by_a_crash_all_answer(
    start: Start, ann: Person, gateway: EmulatedGateway, bot_process: BotProcess
) -> None:
    gateway.think_s = 600
    keys = ["sandbox/echo", "sandbox/slow-1", "sandbox/slow-3"]
    start(*keys)
    ann.says("/compare раз")
    eventually(lambda: len(gateway.requests) == 3)
    bot_process.kill()
    gateway.think_s = 0
    bot_process.start()
    answers = " ".join(text_of(ann.hears()) for _ in keys)
    assert sorted(re.findall(r"модель: (\S+)", answers)) == keys


# Fallback models and the reply on their own


@pytest.mark.usefixtures("database")
def test_the_order_of_fallback_models() -> None:
    seed = [model["key"] for model in db.list_models() if model["gateway"] == "openrouter" and model["available"]]
    db.update_catalog("local", [catalog_model("local"), catalog_model("picture", category="image")])
    db.update_catalog("openrouter", [*map(catalog_model, seed), catalog_model("vendor/paid")])

    def keys(model_id: int, *, allow_paid: bool) -> list[str]:
        return [model["key"] for model in fallback_models(db.get_model(model_id), allow_paid=allow_paid)]

    # The rest of the gateway's list, its beginning, then the other gateways; images never answer for text.
    last_three = ["nvidia/nemotron-3-ultra-550b-a55b:free", "cohere/north-mini-code:free", "openrouter/free"]
    first_two = ["google/gemma-4-31b-it:free", "google/gemma-4-26b-a4b-it:free"]
    assert keys(7, allow_paid=False) == [*last_three, *first_two, "local"]
    assert keys(7, allow_paid=True) == [*last_three, "vendor/paid", *first_two, "local"]


def test_free_and_paid_models() -> None:
    assert is_free("openrouter", "vendor/model:free")
    assert is_free("openrouter", "openrouter/free")
    assert not is_free("openrouter", "vendor/model")
    assert not is_free("rvfreellm", "vendor/model:free")  # costs nothing, but is not limited by OpenRouter


def test_a_limit_is_described_in_the_persons_zone() -> None:
    zone = timezone(timedelta(hours=3))
    day = OpenRouterError(429, texts.LIMIT_DAY, ErrorKind.LIMIT_DAY, reset_at=1_800_000_000)
    minute = OpenRouterError(429, texts.LIMIT_MINUTE, ErrorKind.LIMIT_MINUTE, reset_at=1_800_000_000)
    assert describe_error(day, zone) == f"[429] {texts.limit_day(1_800_000_000, zone)}"
    assert "15.01 в 11:00" in describe_error(day, zone)
    assert "в 11:00:00" in describe_error(minute, zone)
    assert describe_error(OpenRouterError(502, "нет"), zone) == "[502] нет"
