"""What people send, from the update to the bot's replies, with the running bot and the emulated Telegram.

- who speaks: anonymous administrators, channels, linked channels
- topics: everything goes back to the topic it came from
- groups that become supergroups
- long messages, which arrive in parts
- messages without text, albums, rich messages

The shapes follow https://core.telegram.org/bots/api#message; see also "Learned since" in facts/telegram.md.
"""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from conftest import BotProcess, Person, eventually, next_delivered, text_of

import texts
from sandbox.openrouter import EmulatedGateway
from sandbox.telegram import Faults, World, from_user
from sandbox.telegram import world as sandbox_world

MakePerson = Callable[..., Person]
ANN, BOB, GROUP = 1, 2, -100500
CHANNEL = {"id": -100900, "type": "channel", "title": "Канал"}
THIS_GROUP = {"id": GROUP, "type": "supergroup", "title": "Общий чат"}


@pytest.fixture
def bot(bot_process: BotProcess) -> BotProcess:
    return bot_process.start()


def notes_in(bot: BotProcess) -> list[str]:
    """Return the texts of all notes, oldest first."""
    return [text for (text,) in bot.rows("SELECT text FROM notes ORDER BY id")]


def calls_to(world: World, chat_id: int) -> list[tuple[str, dict[str, Any]]]:
    """Return the calls for a chat, accepted or refused."""
    return [(method, params) for method, params in list(world.calls) if params.get("chat_id") == chat_id]


# Who speaks


@pytest.mark.parametrize("sender_chat", [THIS_GROUP, CHANNEL], ids=["anonymous administrator", "channel"])
def test_a_sender_without_a_name_keeps_no_notes(
    bot: BotProcess, world: World, person: MakePerson, sender_chat: dict[str, Any]
) -> None:
    group = person(ANN, GROUP)
    assert group.asks("/note_add раз") == "Заметка #1 добавлена."
    for text in ("/note_add два", "/note_list", "/note_del 1"):
        world.say_as_chat(sender_chat, text, GROUP)
        assert text_of(group.hears()) == texts.ANONYMOUS
    assert notes_in(bot) == ["раз"]


def test_the_allow_list_never_offers_the_id_of_a_sender_without_a_name(
    bot_process: BotProcess, world: World, person: MakePerson
) -> None:
    bot_process.env["ALLOWED_USER_IDS"] = str(ANN)
    bot_process.start()
    group = person(ANN, GROUP)
    for sender_chat in (THIS_GROUP, CHANNEL):
        world.say_as_chat(sender_chat, "/note_add раз", GROUP)
        assert text_of(group.hears()) == texts.ANONYMOUS


@pytest.mark.usefixtures("bot")
def test_a_post_of_the_linked_channel_gets_a_reply_only_if_it_addresses_the_bot(
    world: World, person: MakePerson
) -> None:
    fields: dict[str, Any] = {
        "from": {"id": 777000, "is_bot": False, "first_name": "Telegram"},
        "is_automatic_forward": True,
        "forward_origin": {"type": "channel", "chat": CHANNEL, "message_id": 3, "date": 0},
    }
    world.say_as_chat(CHANNEL, "новости", GROUP, **fields)
    world.say_as_chat(CHANNEL, "/note_add@sandbox_notes_bot раз", GROUP, **fields)
    group = person(ANN, GROUP)
    assert text_of(group.hears()) == texts.ANONYMOUS
    assert group.asks("/note_count") == "У вас 0 заметок."


# Topics


def thread_of(event_or_message: dict[str, Any]) -> Any:
    return event_or_message.get("message_thread_id")


def test_everything_goes_back_to_its_topic(
    bot: BotProcess, world: World, person: MakePerson, gateway: EmulatedGateway
) -> None:
    assert bot.is_running()
    world.topics[GROUP] = {77}
    world.closed_general.add(GROUP)
    topic: dict[str, Any] = {"message_thread_id": 77, "is_topic_message": True}
    group = person(ANN, GROUP)
    for text in ("/note_add раз", "/note_export", "/ask почему?", "/note_add", "/status", "/help"):
        group.says(text, **topic)
        assert thread_of(group.hears()) == 77
    group.says("/ask ещё?", **topic)
    answer = group.hears()
    assert thread_of(answer) == 77
    group.taps(answer, texts.ASK_AGAIN)
    assert thread_of(group.hears()) == 77
    threads = {
        params.get("message_thread_id") for method, params in calls_to(world, GROUP) if "edit" not in method
    }
    assert threads == {77}
    assert gateway.requests


@pytest.mark.usefixtures("bot")
def test_drafts_and_parts_of_a_long_answer_go_to_the_topic_of_a_private_chat(
    world: World, person: MakePerson, gateway: EmulatedGateway
) -> None:
    gateway.chunk_delay_s = 0.1  # an answer that is there at once has no draft
    world.topics[ANN] = {77}
    ann = person()
    ann.says("/ask почему?", message_thread_id=77, is_topic_message=True)
    assert thread_of(ann.hears()) == 77
    drafts = [params for method, params in calls_to(world, ANN) if method.endswith("Draft")]
    assert drafts
    assert {params.get("message_thread_id") for params in drafts} == {77}


@pytest.mark.usefixtures("bot")
def test_the_thread_of_a_reply_outside_of_topics_is_not_sent_back(person: MakePerson) -> None:
    group = person(ANN, GROUP)
    group.says("/note_add раз", message_thread_id=12)
    assert text_of(group.hears()) == "Заметка #1 добавлена."


# Supergroups


@pytest.mark.parametrize("is_announced", [True, False], ids=["service message first", "400 first"])
def test_what_waits_follows_a_group_that_becomes_a_supergroup(
    bot: BotProcess, world: World, person: MakePerson, is_announced: bool
) -> None:
    group = person(ANN, GROUP)
    group.asks("/note_add раз")
    group.asks("/ask раз")
    world.faults = Faults(bad_gateway=1, methods=frozenset(["sendMessage", "sendDocument", "sendRichMessage"]))
    group.says("/note_add два")
    group.says("/note_export")
    group.says("/ask почему?")
    eventually(lambda: len(notes_in(bot)) == 2 and world.pending() == 0)
    new_id = world.upgrade_group(GROUP, is_announced=is_announced)
    world.faults = Faults()
    moved = person(ANN, new_id)
    replies = [moved.hears() for _ in range(3)]
    assert "Заметка #2 добавлена." in map(text_of, replies)
    assert [reply for reply in replies if "document" in reply]
    [answer] = [reply for reply in replies if "rich_message" in reply]
    assert not [reply for reply in replies if "reply_to_message" in reply]
    assert moved.taps(answer, texts.SAVE_AS_NOTE)
    with closing(sqlite3.connect(bot.db_path)) as connection:
        for table in ("notes", "questions"):
            chats = connection.execute(f"SELECT DISTINCT chat_id FROM {table}").fetchall()
            assert chats == [(new_id,)], table
        eventually(lambda: connection.execute("SELECT count(*) FROM outbox").fetchone() == (0,))


def test_a_message_of_a_supergroup_is_not_taken_for_one_of_the_old_group(
    bot: BotProcess, world: World, person: MakePerson
) -> None:
    group = person(ANN, GROUP)
    old = group.says("/note_add раз")
    group.hears()
    new_id = world.upgrade_group(GROUP)
    moved = person(ANN, new_id)
    while moved.says("/note_add два")["message_id"] < old["message_id"]:
        moved.hears()
    moved.hears()
    with world.batch():
        message = moved.says("/note_ad три", date=old["date"] + 1000)
        message["message_id"] = old["message_id"]
        world.messages[new_id][old["message_id"]] = message
    moved.edits(message, "/note_add три")
    eventually(lambda: "три" in notes_in(bot))
    assert notes_in(bot)[0] == "раз"


# Long messages


def long_text(length: int) -> str:
    """Return a text of at least this length in which every word is different."""
    words: list[str] = []
    while sum(map(len, words)) + len(words) <= length:
        words.append(f"слово{len(words)}")
    return " ".join(words)


def test_the_parts_of_a_long_note_become_one_note(bot: BotProcess, world: World, person: MakePerson) -> None:
    ann = person()
    text = long_text(10_000)
    ann.says(f"/note_add {text}")
    assert text_of(ann.hears()) == "Заметка #1 добавлена."
    assert ann.asks("/note_count") == "У вас 1 заметка."
    assert notes_in(bot) == [text]
    parts = list(world.messages[ANN].values())[1:3]
    assert parts[0]["text"].startswith("слово")
    ann.edits(parts[0], parts[0]["text"].replace("слово600", "замена"))
    ann.hears()
    assert notes_in(bot) == [text.replace("слово600", "замена")]


def test_a_long_text_replaces_the_text_of_a_note(bot: BotProcess, world: World, person: MakePerson) -> None:
    ann = person()
    ann.asks("/note_add раз")
    text = long_text(9000)
    ann.says(f"/note_edit 1 {text}")
    edited = ann.hears()
    assert ann.asks("/note_count") == "У вас 1 заметка."
    assert notes_in(bot) == [text]
    command = world.messages[ANN][edited["message_id"] - 3]
    ann.edits(command, command["text"].replace("слово7 ", "замена "))
    ann.hears()
    assert notes_in(bot) == [text.replace("слово7 ", "замена ")]
    ann.taps(edited, texts.UNDO_EDIT)
    assert notes_in(bot) == ["раз"]


def test_a_long_text_in_reply_to_a_note_is_appended_to_it(bot: BotProcess, person: MakePerson) -> None:
    ann = person()
    ann.says("/note_add раз")
    note = next_delivered(ann, bot)
    text = long_text(9000)
    ann.says(text, reply_to_message=note)
    assert text_of(ann.hears()) == texts.note_appended(1)
    assert ann.asks("/note_count") == "У вас 1 заметка."
    assert notes_in(bot) == [f"раз\n{text}"]


@pytest.mark.parametrize("command", ["ask", "note_ask"])
def test_a_long_question_reaches_the_model_whole(
    command: str, bot: BotProcess, person: MakePerson, gateway: EmulatedGateway
) -> None:
    ann = person()
    ann.asks("/note_add слово1")
    text = long_text(9000)
    ann.says(f"/{command} {text}")
    ann.hears()
    assert text in str(gateway.requests[-1]["messages"][-1]["content"])
    assert notes_in(bot) == ["слово1"]


def test_a_word_that_is_cut_at_the_limit_stays_whole(bot: BotProcess, person: MakePerson) -> None:
    ann = person()
    text = "ж" * 9000
    ann.says(f"/note_add {text}")
    ann.hears()
    ann.asks("/note_count")
    assert notes_in(bot) == [text]


def test_the_parts_of_a_long_text_become_one_text(bot: BotProcess, person: MakePerson) -> None:
    ann = person()
    text = long_text(9000)
    first_end = text.rindex(" ", 0, 4096)  # where the client cuts
    text = f"{text[: first_end - 1]}?{text[first_end:]}"
    ann.says(text)
    offer = ann.hears()
    assert text_of(offer) == texts.PLAIN_QUESTION
    assert ann.asks("/note_count") == "У вас 0 заметок."
    ann.taps(offer, texts.SAVE_AS_NOTE)
    # The client has removed the space, and a part that ends a sentence most likely ended a paragraph.
    assert notes_in(bot) == [f"{text[:first_end]}\n{text[first_end + 1 :]}"]


def test_parts_are_joined_after_a_restart(bot: BotProcess, world: World, person: MakePerson) -> None:
    ann = person()
    text = long_text(6000)
    cut = text.rindex(" ", 0, 4000)
    first = ann.says(f"/note_add {text[:cut]}")
    next_delivered(ann, bot)
    assert bot.stop() == 0
    ann.says(text[cut:], date=first["date"] + 1)
    bot.start()
    eventually(lambda: world.pending() == 0)
    assert ann.asks("/note_count") == "У вас 1 заметка."
    assert notes_in(bot) == [text]


@pytest.mark.parametrize("seconds", [3, 3600])
def test_a_long_message_sent_later_is_not_joined(bot: BotProcess, person: MakePerson, seconds: int) -> None:
    ann = person()
    text = "ж" * 4096
    first = ann.says(f"/note_add {text[:4000]}")
    ann.hears()
    ann.says(text, date=first["date"] + seconds)
    assert text_of(ann.hears()) == "Заметка #2 добавлена."
    ann.says(text, date=first["date"] + 2 * seconds)
    assert text_of(ann.hears()) == "Заметка #3 добавлена."
    assert notes_in(bot) == [text[:4000], text, text]


def test_what_does_not_continue_a_long_message(bot: BotProcess, person: MakePerson) -> None:
    ann, bob = person(), person(BOB)
    first = ann.says(f"/note_add {'ж' * 4000}")
    ann.hears()
    bob.says("раз", date=first["date"])
    assert text_of(bob.hears()) == "Заметка #1 добавлена."
    origin = from_user(BOB)
    ann.says("раз", date=first["date"], forward_origin=origin)
    assert text_of(ann.hears()) == "Заметка #2 добавлена."
    ann.says("/note_add два", date=first["date"])
    assert text_of(ann.hears()) == "Заметка #3 добавлена."
    ann.says("три", date=first["date"])
    eventually(lambda: notes_in(bot) == [f"{'ж' * 4000} три", "раз", "раз", "два"])
    ann.says("четыре", date=first["date"])
    assert text_of(ann.hears()) == "Заметка #4 добавлена."


# Messages without text

CONTENTS: dict[str, Any] = {
    "poll": ({"id": "1", "question": "Когда?", "options": [{"text": "В субботу"}]}, texts.unsupported("poll", 1)),
    "checklist": ({"title": "Дела", "tasks": [{"id": 1, "text": "Хлеб"}]}, texts.unsupported("checklist", 2)),
    "game": ({"title": "Игра", "description": "Змейка", "photo": []}, texts.unsupported("game", 3)),
    "dice": ({"emoji": "🎲", "value": 3}, texts.unsupported("dice")),
    "story": ({"chat": CHANNEL, "id": 1}, texts.unsupported("story")),
    "paid_media": ({"star_count": 1, "paid_media": []}, texts.unsupported("paid_media")),
    "content_of_the_future": ({"a": [1]}, texts.CONTENT_UNKNOWN),
}


def test_what_cannot_be_kept_gets_a_sentence_and_leaves_its_text(
    bot: BotProcess, world: World, person: MakePerson
) -> None:
    ann = person()
    for name, (value, reply) in CONTENTS.items():
        world.send(ANN, {name: value})
        assert text_of(ann.hears()) == reply, name
    world.send(ANN, {"pinned_message": {"message_id": 1, "date": 0, "chat": {"id": ANN, "type": "private"}}})
    world.send(ANN, {"poll": {"id": "1", "question": "/note_del 1", "options": []}})
    assert text_of(ann.hears()) == texts.unsupported("poll", 4)
    assert notes_in(bot) == ["Когда?\n- В субботу", "Дела\n- Хлеб", "Игра\nЗмейка", "/note_del 1"]


PHOTO = [{"file_id": "1", "file_unique_id": "1", "width": 1, "height": 1}]


@pytest.mark.usefixtures("bot")
def test_an_album_gets_one_reply(world: World, person: MakePerson) -> None:
    ann = person()
    with world.batch():
        for _ in range(3):
            world.send(ANN, {"photo": PHOTO, "media_group_id": "1"})
    assert text_of(ann.hears()) == "Заметка #1 добавлена: альбом."
    world.wait(lambda: world.pending() == 0)
    world.send(ANN, {"photo": PHOTO, "media_group_id": "1"})
    with world.batch():
        world.send(ANN, {"photo": PHOTO, "media_group_id": "2"})
        world.send(ANN, {"photo": PHOTO, "media_group_id": "2", "caption": "/note_add раз"})
    assert text_of(ann.hears()) == "Заметка #2 добавлена: альбом."
    assert ann.asks("/note_count") == "У вас 2 заметки."


def test_a_stranger_is_refused_once_per_album(bot_process: BotProcess, world: World, person: MakePerson) -> None:
    bot_process.env["ALLOWED_USER_IDS"] = str(ANN)
    bot_process.start()
    bob = person(BOB)
    with world.batch():
        for _ in range(3):
            world.send(BOB, {"photo": PHOTO, "media_group_id": "1"})
    refusal = texts.not_allowed(BOB)
    assert text_of(bob.hears()) == refusal
    world.say(BOB, "раз")
    assert text_of(bob.hears()) == refusal
    assert len(world.events_of(BOB)) == 2


def test_the_text_of_a_rich_message_is_read(bot: BotProcess, world: World, person: MakePerson) -> None:
    blocks = [
        {"type": "heading", "size": 1, "text": "/note_add Покупки"},
        {"type": "paragraph", "text": ["на ", {"type": "bold", "text": "субботу"}]},
    ]
    ann = person()
    world.send(ANN, {"rich_message": {"blocks": blocks}})
    assert text_of(ann.hears()) == "Заметка #1 добавлена."
    assert notes_in(bot) == ["Покупки\n\nна субботу"]
    origin = {"type": "user", "sender_user": sandbox_world.BOT, "date": 0}
    world.send(ANN, {"rich_message": {"blocks": blocks[1:]}, "forward_origin": origin})
    assert text_of(ann.hears()) == "Заметка #2 добавлена."
    assert notes_in(bot)[1:] == ["на субботу"]


# The bot itself


def test_a_bot_without_a_username_starts(bot_process: BotProcess, world: World, person: MakePerson) -> None:
    world.bot = {"id": sandbox_world.BOT["id"], "is_bot": True, "first_name": "Заметки"}
    bot_process.start()
    group = person(ANN, GROUP)
    group.says("раз")
    group.says("/note_add@sandbox_notes_bot раз")
    assert group.asks("/note_add два") == "Заметка #1 добавлена."
    assert not re.search("Traceback|None", bot_process.log)
    assert bot_process.stop() == 0
