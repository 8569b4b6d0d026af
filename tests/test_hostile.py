"""Hostile input over HTTP against the running bot: afterwards, it still answers a person's next command.

- updates of every shape, with every kind of id, thousands in a row
- unreadable responses of Telegram
- numbers that SQLite cannot store
- SQL and FTS5 syntax in texts, invented button data
- hostile answers of models
- nothing of all this in the log
"""

import json
import random
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any

import pytest
from aiohttp import web
from conftest import BotProcess, Person, eventually, text_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import texts
from sandbox import openrouter, telegram
from sandbox.openrouter import EmulatedGateway
from sandbox.server import Server
from sandbox.telegram import Faults, World
from sandbox.telegram.checks import Json, Refusal
from unicode_text import storable

ANN = 424242  # an ordinary person, who sends nothing hostile
GROUP = -100500

# What replaces a placeholder in the response to getUpdates; json.dumps() could not write it.
RAW = {
    "<deep>": b"[" * 100_000 + b"]" * 100_000,
    "<deep objects>": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "<digits>": b"9" * 5_000,
    "<garbage>": b"not json",
    "<not utf-8>": b'"\xff\xfe\xc3"',
}


class HostileWorld(World):
    """An emulated Telegram that queues anything as an update."""

    damaged_responses = 0  # this many responses to getUpdates are damaged on their way

    def queue(self, updates: list[Any]) -> None:
        """Queue updates as they are, except that the id "next" becomes the next id."""
        with self._changed:
            for update in updates:
                if isinstance(update, dict) and update.get("update_id") == "next":
                    update = {**update, "update_id": self._next_update}
                    self._next_update += 1
                self._updates.append(update)
            self._wake()

    def _confirm(self, offset: int) -> None:
        """Confirm updates by id; one without an id is confirmed together with a later update."""
        confirmed = [
            position
            for position, update in enumerate(self._updates)
            if has_id(update) and update["update_id"] < offset
        ]
        last_confirmed = max(confirmed, default=-1)
        self._updates = [
            update
            for position, update in enumerate(self._updates)
            if (update["update_id"] >= offset if has_id(update) else position > last_confirmed)
        ]


def has_id(update: Any) -> bool:
    update_id = update.get("update_id") if isinstance(update, dict) else None
    return type(update_id) is int and update_id < 2**63


@pytest.fixture
def world() -> HostileWorld:
    return HostileWorld()


@pytest.fixture
def telegram_url(world: HostileWorld) -> Iterator[str]:
    @web.middleware
    async def insert_raw(request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = await handler(request)
        body = getattr(response, "body", None)
        if request.path.endswith("getUpdates") and isinstance(response, web.Response) and isinstance(body, bytes):
            for placeholder, raw in RAW.items():
                body = body.replace(json.dumps(placeholder).encode(), raw)
            if world.damaged_responses and world.pending():
                world.damaged_responses -= 1
                body = body[:-10]
            response.body = body
        return response

    app = telegram.application(world)
    app.middlewares.append(insert_raw)
    with Server(app) as server:
        yield server.url


def has_no_serious_errors(bot: BotProcess) -> bool:
    return "CRITICAL" not in bot.log and "polling failed" not in bot.log


# Updates of every shape


SPECIAL = [
    "\0",
    "\ud800",
    "\udc00\ud83d",
    "\u202e\u200f\u2066перевёрнуто",
    "а\u200d\u200b\ufeff" * 50,
    "👨‍👩‍👧‍👦" * 300,
    "🏳️‍🌈",
    "ж" * 4096,
    "\u0301" * 1000,
    "İıſß",
    "/",
    "/@",
    "/note_add@",
    "/note_add \0",
    "/note_add \ud800",
    "/note_edit 99999999999999999999 x",
    "/note_list -1",
    "/note_stats 0",
    "/note_find \u202e",
    "/model 999999999999999999",
    '"update_id": 5',
]
KINDS = [
    *("message", "edited_message", "callback_query", "stopped_message_generation", "channel_post", "inline_query"),
    *("my_chat_member", "poll", "message_reaction", "business_message", "a_kind_of_the_future", ""),
]


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


strings = st.one_of(st.sampled_from(SPECIAL), st.text(st.characters(), max_size=20))
integers = st.one_of(
    st.integers().filter(lambda number: number != ANN),
    st.sampled_from([0, -1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**30, True]),
)
scalars = st.one_of(st.none(), st.booleans(), integers, st.floats(allow_nan=False, allow_infinity=False), strings)
junk = st.one_of(
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=3),
        max_leaves=5,
    ),
    st.integers(100, 800).map(nested),
)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Generate objects with these fields; sometimes a field is missing or junk, or the whole object is junk."""
    return st.one_of(
        st.fixed_dictionaries(fields),
        st.fixed_dictionaries({}, optional={name: st.one_of(valid, junk) for name, valid in fields.items()}),
        junk,
    )


ids = st.integers(1, 5)
people = objects(id=ids, is_bot=st.just(False), first_name=strings)
chats = objects(id=ids, type=st.sampled_from(["private", "supergroup", "channel"]))
message_fields = {
    "message_id": ids,
    "date": st.just(1_700_000_000),
    "chat": chats,
    "from": people,
    "text": strings,
}
messages = st.one_of(
    objects(**message_fields),
    objects(
        **message_fields,
        reply_to_message=objects(**message_fields),
        entities=junk,
        forward_origin=junk,
        document=junk,
    ),
)
button_data = st.one_of(strings, st.sampled_from(["keep:1", "again:999999999999999999", "older:1:1", "model:0"]))
query_fields = {"id": strings, "from": people, "message": messages, "chat_instance": strings, "data": button_data}
queries = objects(**query_fields)
contents = st.one_of(messages, queries, objects(chat=chats, draft_id=ids), junk)
updates = st.one_of(
    st.builds(lambda kind, content: {"update_id": "next", kind: content}, st.sampled_from(KINDS), contents),
    st.builds(lambda message: {"update_id": "next", "message": message}, messages),
    st.builds(lambda query: {"update_id": "next", "callback_query": query}, queries),
)
WRONG_IDS: list[Any] = [None, "5", "", -1, -(10**30), 2**63, 10**30, 1.5, True, [], {}]


def test_the_next_command_is_answered_after_any_updates(bot_process: BotProcess, world: HostileWorld) -> None:
    bot_process.start()
    ann = Person(world, ANN)
    assert ann.asks("/note_add раз") == "Заметка #1 добавлена."
    pool: list[Any] = []

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(st.lists(updates, max_size=50), st.lists(st.sampled_from(WRONG_IDS), max_size=8), st.randoms())
    def send(valid: list[Any], wrong_ids: list[Any], random_source: random.Random) -> None:
        pool.extend(valid)
        without_valid_id = [{"update_id": wrong_id, "message": {}} for wrong_id in wrong_ids]
        batch = valid + without_valid_id + [None, {}, "?"][: len(valid) + len(without_valid_id)]
        with world.batch():
            first_id = world._next_update
            world.queue(batch)
            queued = world._updates[-len(batch) :] if batch else []
            queued += [dict(update) for update in queued[:2] if has_id(update)]  # duplicates
            random_source.shuffle(queued)
            world._updates = queued
            assert world._next_update >= first_id
            ann.says("/note_count")
        assert text_of(ann.hears()) == "У вас 1 заметка."

    send()
    with world.batch():
        world.queue(random.Random(3).choices(pool, k=2_000))
        ann.says("/note_count")
    assert text_of(ann.hears()) == "У вас 1 заметка."
    assert has_no_serious_errors(bot_process)
    assert bot_process.stop() == 0


def test_updates_without_ids_are_waited_out(bot_process: BotProcess, world: HostileWorld) -> None:
    bot_process.start()
    ann = Person(world, ANN)
    ann.asks("/note_add раз")
    world.queue([{"update_id": wrong_id, "message": {}} for wrong_id in WRONG_IDS])
    eventually(lambda: "no update has an id" in bot_process.log)
    assert ann.asks("/note_count") == "У вас 1 заметка."
    world.wait(lambda: world.pending() == 0)
    assert has_no_serious_errors(bot_process)


# Unreadable responses


@pytest.mark.parametrize("placeholder", RAW)
def test_only_the_unreadable_update_is_skipped(
    bot_process: BotProcess, world: HostileWorld, placeholder: str
) -> None:
    bot_process.start()
    ann = Person(world, ANN)
    ann.asks("/start")
    with world.batch():
        ann.says("/note_add раз")
        unreadable_id = world._next_update
        world.queue([{"update_id": "next", "message": placeholder}])
        ann.says("/note_add два")
    assert [text_of(ann.hears()) for _ in range(2)] == [f"Заметка #{n} добавлена." for n in (1, 2)]
    world.wait(lambda: world.pending() == 0)
    assert bot_process.log.count(f"update {unreadable_id} cannot be read and is skipped") == 1
    assert has_no_serious_errors(bot_process)
    assert [params["limit"] for method, params in world.calls if method == "getUpdates"][-1] == 100


def test_a_response_damaged_on_its_way_loses_nothing(bot_process: BotProcess, world: HostileWorld) -> None:
    bot_process.start()
    ann = Person(world, ANN)
    ann.asks("/start")
    world.damaged_responses = 2
    assert ann.asks("/note_add раз") == "Заметка #1 добавлена."
    assert world.damaged_responses == 0
    assert "skipped" not in bot_process.log


# Numbers


@pytest.mark.parametrize("number", [2**63, -(2**64), 10**30, 1.0, "7", True, None], ids=str)
@pytest.mark.parametrize("field", ["from", "chat", "message_id", "date"])
def test_updates_with_invalid_numbers_are_skipped(
    bot_process: BotProcess, world: HostileWorld, field: str, number: Any
) -> None:
    bot_process.start()
    ann = Person(world, ANN)
    message: Json = {"message_id": 7, "date": 1_700_000_000, "text": "/note_add раз"}
    message |= {"chat": {"id": 7, "type": "private"}, "from": telegram.person(7)}
    valid = message[field]
    message[field] = {**valid, "id": number} if isinstance(valid, dict) else number
    query = {"id": "1", "chat_instance": "1", "data": "keep:1", "from": message["from"], "message": message}
    with world.batch():
        world.queue([{"update_id": "next", kind: message} for kind in ("message", "edited_message")])
        world.queue([{"update_id": "next", "callback_query": query}])
        world.queue([{"update_id": "next", "stopped_message_generation": {**message, "draft_id": number}}])
        ann.says("/note_add два")
    assert text_of(ann.hears()) == "Заметка #1 добавлена."
    assert has_no_serious_errors(bot_process)


# Texts and buttons


SYNTAX = [
    '" OR 1=1 --',
    "' OR '1'='1",
    "'; DROP TABLE notes; --",
    "NEAR(",
    "NEAR(a b, 5)",
    "*",
    "моло*",
    "-foo",
    "a AND",
    "OR",
    "NOT",
    "text:x",
    "{a b}: x",
    "^x",
    '"',
    '""""',
    "«",
    "(((",
    "a + b",
    "%",
    "_",
    "\\",
    "?1",
    ":user_id",
    "$x",
    "x\0y",
    "\ud83d",
    "1 UNION SELECT * FROM notes",
    "<b>",
    "&lt;",
    "' || (SELECT text FROM notes) || '",
]


@pytest.mark.parametrize(
    "command", ["add", "list", "show", "find", "edit 1", "del", "restore", "count", "stats", "export"]
)
def test_sql_and_search_syntax_is_text(bot_process: BotProcess, world: HostileWorld, command: str) -> None:
    bot_process.start()
    ann, bob = Person(world, ANN), Person(world, 7)
    assert bob.asks("/note_add чужая") == "Заметка #1 добавлена."
    assert ann.asks("/note_add молоко") == "Заметка #1 добавлена."
    for text in SYNTAX:
        answer = ann.asks(f"/note_{command} {text}")
        assert texts.FAILED not in answer
        assert "чужая" not in answer
    with closing(sqlite3.connect(bot_process.db_path)) as connection:
        rows = connection.execute("SELECT text FROM notes ORDER BY id").fetchall()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    added = [storable(text) for text in SYNTAX] if command == "add" else []
    own = storable(SYNTAX[-1]) if command == "edit 1" else "молоко"
    assert [text for (text,) in rows] == ["чужая", own, *added]
    assert has_no_serious_errors(bot_process)
    assert "Traceback" not in bot_process.log


def test_any_button_data_is_answered(bot_process: BotProcess, world: HostileWorld) -> None:
    bot_process.start()
    ann = Person(world, ANN)
    ann.says("молоко")
    offer = ann.hears()
    names = ["older", "newer", "unedit", "restore", "model", "models", "keep", "ask", "again", "save"]
    numbers = st.lists(st.sampled_from(["0", "-1", "99999999", "9" * 18, "9" * 5000, "x", "", "²"]), max_size=4)
    known = st.builds(lambda name, rest: ":".join([name, *rest]), st.sampled_from(names), numbers)

    @settings(max_examples=150, suppress_health_check=list(HealthCheck))
    @given(st.one_of(known, strings, st.binary(max_size=64).map(lambda raw: raw.decode("latin-1"))))
    def tap(data: str) -> None:
        ann.taps_data(offer, data)

    tap()
    assert "Traceback" not in bot_process.log
    assert has_no_serious_errors(bot_process)


# Answers of models

ANSWERS = {
    "html": "<script>alert(1)</script><b>не закрыт <a href='javascript:alert(1)'>сюда</a></div>",
    "link": "[сюда](javascript:alert(1)) ![](data:text/html;base64,AAAA) [x](tg://resolve?domain=a)",
    "fence": "```python\n" + "print('слово')\n" * 4_000,
    "table": "| a | b |\n|---|" + "\n| слово |" * 6_000,
    "asterisks": "*" * 10_000 + " слово " + "**_`~[" * 2_000,
    "quotes": ">" * 5_000 + " слово",
    "a megabyte": ("слово" * 50 + " ") * 4_200,
    "directions": "\u202eслово\u2066\u200f" * 500,
    "joiners": "👨\u200d👩\u200d👧" * 4_000 + "\u0301" * 5_000,
    "nul": "до\0после" * 100,
    "surrogates": "\ud83d слово \udc00" * 9_000,
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_any_answer_of_a_model_arrives_whole(
    bot_process: BotProcess, world: HostileWorld, gateway: EmulatedGateway, kind: str
) -> None:
    gateway.answer_to = lambda _: ANSWERS[kind]
    bot_process.start()
    # A private chat gets a stream, which the emulated gateway writes in UTF-8, without lone surrogates.
    ann = Person(world, ANN, GROUP if kind == "surrogates" else None)
    ann.says("/ask раз")
    received = ""
    while "мс; модель: " not in received:
        received += text_of(ann.hears())
    marks = re.compile(r"[\s`*_]+(python\n)?")  # code and emphasis that are split are closed and reopened
    answer = marks.sub("", storable(ANSWERS[kind]))
    assert marks.sub("", received).startswith(answer)
    assert ann.asks("/note_count") == "У вас 0 заметок."
    assert re.findall("WARNING|ERROR|CRITICAL|Traceback", bot_process.log) == []


# The log

WORDS = "сезам", "opensesame"
SECRET = " ".join(WORDS)
KEY = "sk-or-v1-a-key-that-nobody-may-see"
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [\w.]+: .+")
TRACEBACK_LINE = re.compile(r"Traceback \(most recent call last\):|  .*|[a-z_][\w.]*\.\w+")


@pytest.fixture
def _errors_quote_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make Telegram and the gateway quote in their errors what they received."""
    send_message = telegram.METHODS["sendMessage"]

    def refuse_quotes(world: World, params: Json) -> Any:
        text = str(params.get("text"))
        if "цитата" in text:
            raise Refusal(400, f'Bad Request: can\'t parse entities: unsupported tag "{text}"')
        if "отголосок" in text:
            raise Refusal(400, f"Bad Request: can't parse entities: unsupported tag {text}")
        return send_message(world, params)

    async def fail(_: EmulatedGateway, __: web.Request, body: Json, status: int) -> web.StreamResponse:
        error = f"{SECRET}: {body['messages'][-1]['content']} {KEY}"
        metadata = {"raw": error, "provider_name": error, "headers": {SECRET: 1}}
        return openrouter.error_response(status, error, metadata=metadata)

    async def fail_inside(
        gateway: EmulatedGateway, request: web.Request, body: Json, _: int
    ) -> web.StreamResponse:
        async def events() -> AsyncIterator[Json | bytes]:
            yield f"data: {SECRET}\n\n".encode()
            yield openrouter.chunk(body, SECRET)
            yield {"error": {"code": 502, "message": SECRET}}

        return await gateway.stream(request, body, events())

    monkeypatch.setitem(telegram.METHODS, "sendMessage", refuse_quotes)
    monkeypatch.setitem(openrouter.BEHAVIORS, "leak", fail)
    monkeypatch.setitem(openrouter.BEHAVIORS, "leak_inside", fail_inside)


def activate_model(bot: BotProcess, key: str) -> None:
    """Give the active model another key."""
    with closing(sqlite3.connect(bot.db_path)) as connection, connection:
        connection.execute("UPDATE models SET key = ? WHERE active = 1", (key,))


@pytest.mark.usefixtures("_errors_quote_input")
def test_the_log_contains_no_secrets_and_nothing_that_people_wrote(
    bot_process: BotProcess, world: HostileWorld, gateway: EmulatedGateway
) -> None:
    gateway.catalog = {"data": [openrouter.describe_model(f"{SECRET}/model:free", SECRET)]}
    bot_process.env |= {"LOG_LEVEL": "DEBUG", "OPENROUTER_API_KEY": KEY, "ALLOW_PAID_MODELS": "1"}
    bot_process.start()
    ann = Person(world, ANN)
    note = ann.says(f"/note_add {SECRET}")
    ann.hears()
    eventually(lambda: "1 models" in bot_process.log)

    # What people write, and how Telegram answers
    ann.edits(note, f"/note_add {SECRET} иначе")
    ann.hears()
    for command in (
        "note_edit 1",
        "note_find",
        "note_list",
        "note_show",
        "providers",
        "note_export",
        "wat",
        SECRET,
    ):
        ann.asks(f"/{command} {SECRET}")
    ann.asks("/note_stats")  # matplotlib and Pillow log a lot at DEBUG
    ann.asks("/note_export")
    ann.sends_file(f"{SECRET}.json", b"{" + SECRET.encode(), "/note_import")
    ann.hears()
    ann.sends_file(f"{SECRET}.png", b"\x89PNG\r\n", f"/note_add {SECRET}", is_picture=True)
    ann.hears()
    ann.says(SECRET)
    offer = ann.hears()
    for data in (SECRET, f"keep:{SECRET}", f"{SECRET}\n2026-01-01 00:00:00,000 CRITICAL bot: forged"):
        ann.taps_data(offer, data)
    for word in ("цитата", "отголосок"):
        ann.says(f"/note_add {word} {SECRET}")
        ann.hears()
        ann.says(f"/note_show {4 if word == 'цитата' else 5}")
    eventually(lambda: bot_process.log.count("sendMessage refused") == 2)

    # How models and gateways answer
    for model in (
        "sandbox/leak-429",
        "sandbox/leak-401",
        "sandbox/leak-500",
        "sandbox/leak_inside",
        f"{SECRET}/x",
    ):
        activate_model(bot_process, model)
        ann.asks(f"/ask {SECRET}")
    gateway.catalog = {"error": {"code": 500, "message": f"{SECRET} {KEY}"}}
    ann.asks("/models_refresh")

    # Unreadable updates and failing handlers
    unreadable = {
        "message_id": 1,
        "date": SECRET,
        "chat": {"id": 7, "type": "private"},
        "from": SECRET,
        SECRET: SECRET,
    }
    for content in (
        unreadable,
        SECRET,
        {**unreadable, "entities": SECRET},
        {SECRET: nested(300)},
        [SECRET, "<deep>"],
    ):
        world.queue([{"update_id": "next", "message": content}])
    world.wait(lambda: world.pending() == 0)
    world.queue([{"update_id": SECRET, "message": unreadable}])
    with closing(sqlite3.connect(bot_process.db_path)) as connection:
        connection.execute(
            "CREATE TRIGGER leak BEFORE INSERT ON notes WHEN new.text LIKE 'boom%'"
            f" BEGIN SELECT RAISE(ABORT, 'fts5: syntax error near \"{SECRET}\"'); END"
        )
        assert Person(world, 8).asks(f"/note_add boom {SECRET}") == texts.FAILED
        connection.execute("BEGIN IMMEDIATE")
        ann.says(f"/note_add {SECRET}")
        eventually(lambda: "the database is unavailable" in bot_process.log)
        connection.rollback()

    # A bad connection
    world.faults = Faults(drop_before=0.1, drop_after=0.1, too_many=0.1, bad_gateway=0.1, retry_after=0)
    for n in range(20):
        Person(world, 10 + n).says(f"/note_add {SECRET}")
    with closing(sqlite3.connect(bot_process.db_path)) as connection:
        eventually(lambda: connection.execute("SELECT count(*) FROM notes WHERE user_id < 30").fetchone() == (20,))
        eventually(lambda: connection.execute("SELECT count(*) FROM outbox").fetchone() == (0,))
    world.faults.offline = True
    eventually(lambda: "getUpdates failed: [0]" in bot_process.log)
    world.faults = Faults()
    assert bot_process.stop() == 0

    log = bot_process.log
    for event in ("cannot be read", "failed", "did not answer", "no id", "again in", "refused"):
        assert event in log
    token_secret = telegram.TOKEN.split(":")[1]
    for secret in (*WORDS, WORDS[0].encode("unicode_escape").decode(), WORDS[0].upper(), KEY, token_secret):
        assert secret not in log
    unexpected = [
        line for line in log.splitlines() if not (LINE.fullmatch(line) or TRACEBACK_LINE.fullmatch(line))
    ]
    assert unexpected == []
    assert "forged" not in log
