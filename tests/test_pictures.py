"""Pictures as questions, with the running bot and the emulated services; and what /note_ask sends of notes.

The shapes of the requests are those of sandbox/openrouter/pictures.py, which names the document.
"""

import base64
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from conftest import BotProcess, Person, catalog_model, eventually, next_delivered, store_question, text_of
from PIL import Image
from test_attachments import DOCUMENT

import config
import db
import db_attachments
import journal
import texts
from llm import free_router
from llm.prompts import build_prompt
from openrouter_client import OpenRouterError
from sandbox.openrouter import EmulatedGateway
from sandbox.openrouter.payloads import describe_model
from sandbox.telegram import World

MakePerson = Callable[..., Person]
ANN = 1
SEEING, OTHER_SEEING, BLIND = "google/gemma-4-31b-it:free", "google/gemma-4-26b-a4b-it:free", "vendor/blind:free"


@pytest.fixture
def start(bot_process: BotProcess, gateway: EmulatedGateway) -> Callable[..., BotProcess]:
    """Return a function that starts the bot with models, the first one active."""

    def start(*keys: str) -> BotProcess:
        gateway.catalog = {"data": [describe_model(key) for key in keys]}
        bot_process.start()
        eventually(lambda: rows(bot_process, "SELECT count(*) FROM catalogs") == [(1,)])
        with closing(sqlite3.connect(bot_process.db_path, timeout=60)) as connection, connection:
            connection.execute("UPDATE models SET active = 0")
            connection.execute("UPDATE models SET active = 1 WHERE key = ?", (keys[0],))
        return bot_process

    return start


def rows(bot: BotProcess, sql: str) -> list[Any]:
    try:
        with closing(sqlite3.connect(f"file:{bot.db_path}?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchall()
    except sqlite3.OperationalError:  # right after the start
        return []


def seen(gateway: EmulatedGateway, request: int = -1) -> tuple[str, list[bytes]]:
    """Return the text and the pictures of a question as the model got them."""
    first, *others = gateway.requests[request]["messages"][-1]["content"]
    urls = [part["image_url"]["url"] for part in others]
    assert all(url.startswith("data:image/jpeg;base64,") for url in urls)
    return first["text"], [base64.b64decode(url.partition(",")[2]) for url in urls]


def jpeg(color: int) -> bytes:
    """Return a picture of one color."""
    content = io.BytesIO()
    Image.new("RGB", (1600, 1200), (40 * color, 0, 0)).save(content, "JPEG")
    return content.getvalue()


def middle_size(world: World, message: dict[str, Any]) -> bytes:
    """Return the content of a photo in its size of 800 pixels."""
    [size] = [size for size in message["photo"] if size["width"] == 800]
    return world.files[size["file_id"]]


def test_a_photo_with_a_question_as_its_caption(
    start: Callable[..., BotProcess], person: MakePerson, world: World, gateway: EmulatedGateway
) -> None:
    start(SEEING, BLIND)
    ann = person()
    photo = ann.sends("photo", caption="/ask Что это?")
    answer = text_of(ann.hears())
    assert answer.endswith(f"модель: {SEEING}")
    assert seen(gateway) == ("Что это?", [middle_size(world, photo)])
    with Image.open(io.BytesIO(seen(gateway)[1][0])) as picture:
        assert picture.width == 800
    ann.sends("photo", caption="/ask")
    ann.hears()
    assert seen(gateway)[0] == texts.WHAT_IS_IN_THE_PICTURE
    assert ann.asks("/note_count") == "У вас 0 заметок."


@pytest.mark.parametrize("batch_sizes", [(6,), (1, 2, 3)], ids=["one batch", "three batches"])
def test_an_album_with_a_question_as_its_caption(
    batch_sizes: tuple[int, ...],
    start: Callable[..., BotProcess],
    person: MakePerson,
    world: World,
    gateway: EmulatedGateway,
) -> None:
    start(SEEING)
    ann = person()
    world.batch_sizes = list(batch_sizes)
    parts = [world.media("photo", content=jpeg(number)) for number in range(5)]
    photos = world.send_album(ANN, parts, caption="/ask Что общего?")
    assert text_of(ann.hears()).endswith(f"модель: {SEEING}")
    assert seen(gateway) == ("Что общего?", [middle_size(world, photo) for photo in photos[:4]])
    assert ann.asks("/note_list") == texts.NO_NOTES


def test_another_model_answers_if_the_chosen_one_cannot_see(
    start: Callable[..., BotProcess], person: MakePerson, gateway: EmulatedGateway
) -> None:
    bot = start(BLIND, OTHER_SEEING)
    ann = person()
    ann.sends("photo", caption="/ask Что это?")
    answer = text_of(ann.hears())
    assert answer.endswith(f"модель: {OTHER_SEEING} (вместо {BLIND}: не видит картинок)")
    assert gateway.request_counts == {OTHER_SEEING: 1}
    assert rows(bot, "SELECT model, status FROM llm_requests") == [(OTHER_SEEING, 200)]
    assert ann.asks("/ask а без картинки?").endswith(f"модель: {BLIND}")


def test_without_a_model_that_sees_the_person_is_told(
    start: Callable[..., BotProcess], person: MakePerson, gateway: EmulatedGateway
) -> None:
    start(BLIND)
    ann = person()
    ann.sends("photo", caption="/ask Что это?")
    assert texts.NO_SEEING_MODEL in text_of(ann.hears())
    assert not gateway.requests


def test_a_reply_to_a_photo_an_album_or_a_shown_note_asks_about_it(
    start: Callable[..., BotProcess], person: MakePerson, world: World, gateway: EmulatedGateway
) -> None:
    bot = start(SEEING)
    ann, group = person(), person(1, -100500)
    photo = group.sends("photo")  # is no note
    group.says("/ask Что это?", reply_to_message=photo)
    group.hears()
    assert seen(gateway) == ("Что это?", [middle_size(world, photo)])
    album = ann.sends_album(*["photo"] * 5)
    ann.hears()
    ann.says("/ask", reply_to_message=album[2])
    ann.hears()
    assert seen(gateway)[1] == [middle_size(world, part) for part in album[:4]]
    single = ann.keeps("photo")
    ann.says("/note_show 2")
    ann.says("/ask Кто это?", reply_to_message=next_delivered(ann, bot))
    ann.hears()
    assert seen(gateway) == ("Кто это?", [middle_size(world, single)])


def test_a_question_in_reply_to_a_text_is_about_the_text(
    start: Callable[..., BotProcess], person: MakePerson, gateway: EmulatedGateway
) -> None:
    bot = start(SEEING)

    def question() -> str:
        return str(gateway.requests[-1]["messages"][-1]["content"])

    ann, group = person(), person(1, -100500)
    ann.says("/note_add Guten Tag")
    confirmation = next_delivered(ann, bot)
    ann.says("/ask Переведи", reply_to_message=confirmation)
    answer = next_delivered(ann, bot)
    assert question() == "Переведи\n\nGuten Tag"
    ann.says("/ask А по-французски?", reply_to_message=answer)
    ann.hears()
    assert question() == "А по-французски?"
    assert [message["content"] for message in gateway.requests[-1]["messages"]][-3] == "Переведи\n\nGuten Tag"
    said = person(2, -100500).says("Bonjour")
    group.says("/ask", reply_to_message=said)
    group.hears()
    assert question() == "Bonjour"


def test_pictures_stay_with_the_conversation_and_out_of_the_cache(
    start: Callable[..., BotProcess], person: MakePerson, world: World, gateway: EmulatedGateway
) -> None:
    bot = start(SEEING)
    ann = person()
    first = ann.sends("photo", caption="/ask Что это?")
    answer = ann.hears()
    second = ann.sends("photo", caption="/ask Что это?")
    second_answer = next_delivered(ann, bot)  # only then a reply to it continues the conversation
    assert seen(gateway, 1) == ("Что это?", [middle_size(world, second)])
    ann.says("А какого цвета?", reply_to_message=answer)
    ann.hears()
    assert seen(gateway, 2) == ("А какого цвета?", [middle_size(world, first)])
    ann.taps(second_answer, texts.ASK_AGAIN)
    ann.hears()
    assert seen(gateway, 3) == ("Что это?", [middle_size(world, second)])
    assert "Что это" in ann.asks("/ask Что это?")
    assert len(gateway.requests) == 5  # the question without a picture is another one


def test_a_picture_that_telegram_does_not_give(
    start: Callable[..., BotProcess], person: MakePerson, world: World, gateway: EmulatedGateway
) -> None:
    start(SEEING)
    with world.batch():
        photo = world.send_media(1, "photo", caption="/ask Что это?")
        for size in photo["photo"]:
            del world.files[size["file_id"]]
    assert texts.PICTURE_UNAVAILABLE in text_of(person().hears())
    assert not gateway.requests


def test_a_question_with_a_picture_survives_a_kill(
    start: Callable[..., BotProcess], person: MakePerson, gateway: EmulatedGateway
) -> None:
    gateway.think_s = 600
    bot = start(SEEING)
    ann = person()
    ann.sends("photo", caption="/ask Что это?")
    eventually(lambda: gateway.requests)
    bot.kill()
    gateway.think_s = 0
    bot.start()
    next_delivered(ann, bot)
    assert seen(gateway, 0) == seen(gateway, 1)
    assert rows(bot, "SELECT state FROM questions") == [("answered",)]


@pytest.mark.usefixtures("database")
def test_the_free_model_router_picks_a_model_that_sees() -> None:
    gateways = config.load_gateways()
    seeing = catalog_model("vendor/sees:free", sees_images=True)
    db.update_catalog("openrouter", [catalog_model(BLIND), seeing])
    router = db.get_model(0)
    assert free_router.route(router, "раз", gateways)["key"] == BLIND
    assert free_router.route(router, "раз", gateways, needs_sight=True)["key"] == "vendor/sees:free"
    db.update_catalog("openrouter", [catalog_model(BLIND)])
    with pytest.raises(OpenRouterError, match="не видит картинок"):
        free_router.route(router, "раз", gateways, needs_sight=True)


@pytest.mark.usefixtures("database")
def test_note_ask_gets_names_transcripts_and_sources() -> None:
    note = db.add_note(1, 1, 1, "", 1_700_000_000)
    db_attachments.add_attachment(note["id"], DOCUMENT)
    voice = db_attachments.add_attachment(note["id"], {**DOCUMENT, "kind": "voice", "file_name": None})
    db_attachments.set_transcript(voice, "стоматолог в среду")
    db_attachments.set_source(note["id"], {"name": "Клиника", "url": None, "sent_at": 1})
    question_id = store_question(1, message_id=2, kind="note_ask", model_id=5, text="Когда стоматолог?")
    question = journal.get_question(1, question_id)
    assert question
    sent = json.loads(build_prompt(question, None).messages(db.get_active_model())[1]["content"])
    assert sent.pop("date")
    assert sent == {
        "id": 1,
        "text": "",
        "transcript": "стоматолог в среду",
        "files": ["Файл «Договор.pdf»", "Голосовое"],
        "forwarded_from": "Клиника",
    }
