"""Notes of everything that people send, with the running bot and the emulated Telegram.

- every kind of content becomes a note at once and comes back as it was sent
- albums are one note; /note_add works as a caption and in reply to any message
- forwards keep their source; edits follow the message; what Telegram forgot is said
- any text with any formatting comes back the same

The shapes follow https://core.telegram.org/bots/api#message.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from conftest import BotProcess, Person, text_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_bot import buttons, handle, handle_edited, tap
from test_entities import formatted_texts

import db
import entities
import texts
from entities import FormattedText
from sandbox.telegram import World, from_channel, from_hidden_user, from_user
from sandbox.telegram.files import make_file_id
from telegram.calls import reply_calls
from telegram.limits import MAX_CAPTION_LENGTH
from telegram.replies import Reply
from unicode_text import utf16_length

MakePerson = Callable[..., Person]
ANN, GROUP = 1, -100500
LINK: dict[str, Any] = {"type": "text_link", "offset": 5, "length": 4, "url": "https://example.org/hidden"}
BOLD: dict[str, Any] = {"type": "bold", "offset": 0, "length": 3}
KINDS = {  # kind → how its note is called
    "photo": "Фото",
    "document": "Файл «образец.txt»",
    "video": "Видео",
    "animation": "Анимация",
    "audio": "Аудио",
    "voice": "Голосовое",
    "video_note": "Видеосообщение",
    "sticker": "Стикер",
    "location": "Геопозиция",
    "venue": "Место «Эрмитаж»",
    "contact": "Контакт Мария Иванова",
}
WITHOUT_CAPTION = ("video_note", "sticker", "location", "venue", "contact")


@pytest.fixture
def bot(bot_process: BotProcess) -> BotProcess:
    return bot_process.start()


def same_media(sent: dict[str, Any], kind: str) -> Any:
    """Return what identifies the content of a message: the file, or the place."""
    content = sent[kind][-1] if kind == "photo" else sent[kind]
    return content.get("file_unique_id", content)


@pytest.mark.usefixtures("bot")
def test_every_kind_becomes_a_note_at_once_and_comes_back(person: MakePerson) -> None:
    ann = person()
    for number, (kind, name) in enumerate(KINDS.items(), 1):
        sent = ann.sends(kind)
        assert text_of(ann.hears()).startswith(f"Заметка #{number} добавлена: {name[0].lower()}{name[1:]}"), kind
        assert name in ann.asks("/note_list 1")
        ann.says(f"/note_show {number}")
        shown = ann.hears()
        if kind == "contact":
            assert shown[kind]["phone_number"] == sent[kind]["phone_number"]
        else:
            assert same_media(shown, kind) == same_media(sent, kind)
        head = ann.hears() if kind in WITHOUT_CAPTION else shown
        assert text_of(head).startswith(f"#{number} · ")


@pytest.mark.usefixtures("bot")
def test_a_caption_with_formatting_comes_back_under_the_media(person: MakePerson) -> None:
    ann = person()
    sent = ann.sends("photo", caption="вот 😀 сайт", caption_entities=[BOLD, {**LINK, "offset": 7}])
    assert text_of(ann.hears()) == "Заметка #1 добавлена: фото."
    ann.says("/note_show 1")
    shown = ann.hears()
    assert same_media(shown, "photo") == same_media(sent, "photo")
    head, _, text = shown["caption"].partition("\n")
    assert text == "вот 😀 сайт"
    assert entities.clip(shown["caption_entities"], f"{head}\n", text) == [BOLD, {**LINK, "offset": 7}]
    assert ann.asks("/note_find example.org").count("#1") == 1
    long_caption = "ж" * MAX_CAPTION_LENGTH
    ann.keeps("document", caption=long_caption)
    ann.says("/note_show 2")
    assert "caption" not in ann.hears()
    assert text_of(ann.hears()).endswith(long_caption)


def test_an_album_is_one_note_in_any_split_of_batches(bot: BotProcess, world: World, person: MakePerson) -> None:
    ann = person()
    number = 0
    for captioned in (0, 2):
        for batches in ([4], [1, 1, 1, 1], [1, 3], [3, 1]):
            number += 1
            with world.batch():
                world.batch_sizes = list(batches)
                parts = [world.media(kind) for kind in ("photo", "video", "photo", "photo")]
                album = world.send_album(ANN, parts, captioned=captioned, caption="/note_add отпуск")
            assert text_of(ann.hears()) == f"Заметка #{number} добавлена: альбом."
            world.wait(lambda: world.pending() == 0)
            ann.says(f"/note_show {number}")
            shown = [ann.hears() for _ in album]
            assert len({message["media_group_id"] for message in shown}) == 1
            for message, sent in zip(shown, album, strict=True):
                kind = "video" if "video" in sent else "photo"
                assert same_media(message, kind) == same_media(sent, kind)
            assert shown[0]["caption"].endswith("\nотпуск")
    assert len(bot.rows("SELECT * FROM notes")) == number


def test_edits_of_an_album_bring_the_new_captions(bot: BotProcess, person: MakePerson) -> None:
    ann = person()
    album = ann.sends_album("photo", "photo", caption="раз")
    assert text_of(ann.hears()) == "Заметка #1 добавлена: альбом."
    ann.edits(album[1], "два", [BOLD])
    assert text_of(ann.hears()) == "Заметка #1 изменена."
    assert bot.rows("SELECT text FROM notes") == [("раз\n\nдва",)]
    assert entities.loads(bot.rows("SELECT entities FROM notes")[0][0]) == [{**BOLD, "offset": 5}]
    ann.edits(album[0], "")
    reply = ann.hears()
    assert bot.rows("SELECT text FROM notes") == [("два",)]
    ann.taps(reply, texts.UNDO_EDIT)
    assert text_of(ann.hears()) == texts.edit_undone(1)
    assert bot.rows("SELECT text FROM notes") == [("раз\n\nдва",)]
    ann.edits(album[0], "", None)
    assert ann.asks("/note_count") == "У вас 1 заметка.", "an edit that changes nothing gets no reply"
    assert len(bot.rows("SELECT * FROM attachments")) == 2


def test_a_reaction_leaves_an_edited_note_alone(bot: BotProcess, world: World, person: MakePerson) -> None:
    ann = person()
    album = ann.sends_album("photo", "photo", caption="раз")
    ann.hears()
    assert ann.asks("/note_edit 1 два") == "Заметка #1 изменена."
    for message in album:
        world.update({"edited_message": {**message, "edit_date": message["date"] + 1}})
    place = ann.keeps("location")
    assert ann.asks("/note_edit 2 дача") == "Заметка #2 изменена."
    moved = {"latitude": 59.95, "longitude": 30.32}
    world.update({"edited_message": {**place, "location": moved, "edit_date": place["date"] + 1}})
    assert ann.asks("/note_count") == "У вас 2 заметки.", "a live location moves silently"
    assert bot.rows("SELECT text FROM notes") == [("два",), ("дача",)]
    assert "59.95" in bot.rows("SELECT details FROM attachments WHERE kind = 'location'")[0][0]


def test_a_message_is_edited_with_its_formatting_and_its_media(
    bot: BotProcess, world: World, person: MakePerson
) -> None:
    ann = person()
    sent = ann.keeps("photo", caption="раз")
    ann.edits(sent, "раз", [BOLD])
    assert text_of(ann.hears()) == "Заметка #1 изменена."
    assert entities.loads(bot.rows("SELECT entities FROM notes")[0][0]) == [BOLD]
    other = world.media("photo", b"")
    edited = {**sent, **other, "caption_entities": [BOLD], "edit_date": sent["date"] + 5}
    world.update({"edited_message": edited})
    assert text_of(ann.hears()) == "Заметка #1 изменена."
    [(file_id,)] = bot.rows("SELECT file_id FROM attachments")
    assert file_id == other["photo"][-1]["file_id"]
    world.update({"edited_message": {**edited, "edit_date": sent["date"] + 6}})
    assert ann.asks("/note_count") == "У вас 1 заметка.", "a reaction is no edit"


def test_note_add_in_reply_keeps_the_message_replied_to(bot: BotProcess, person: MakePerson) -> None:
    ann, group, bob = person(), person(ANN, GROUP), person(2, GROUP)
    photo = bob.sends("photo", caption="чужое фото", caption_entities=[BOLD])
    text = bob.says("чужой текст", entities=[{**BOLD, "offset": 6, "length": 5}])
    group.says("/note_add", reply_to_message=photo)
    assert text_of(group.hears()) == "Заметка #1 добавлена: фото."
    group.says("/note_add", reply_to_message=text)
    assert text_of(group.hears()) == "Заметка #2 добавлена."
    group.says("/note_add", reply_to_message=text)
    assert text_of(group.hears()) == texts.note_already_saved(2)
    group.says("/note_add паспорт", reply_to_message=photo)
    assert text_of(group.hears()) == "Заметка #3 добавлена: фото."
    help_message = ann.says("/help")
    answer = ann.hears()
    ann.says("/note_add", reply_to_message=answer)
    assert text_of(ann.hears()) == "Заметка #4 добавлена."
    rich = {
        **help_message,
        "message_id": 900,
        "rich_message": {"blocks": [{"type": "paragraph", "text": "абзац"}]},
    }
    del rich["text"]
    ann.says("/note_add", reply_to_message=rich)
    assert text_of(ann.hears()) == "Заметка #5 добавлена."
    stored = [row[0] for row in bot.rows("SELECT text FROM notes ORDER BY id")]
    assert stored == ["чужое фото", "чужой текст", "паспорт", text_of(answer), "абзац"]
    assert bot.rows("SELECT note_id FROM attachments ORDER BY id") == [(1,), (3,)]
    poll = {**help_message, "message_id": 901, "poll": {"id": "1", "question": "Когда?", "options": []}}
    del poll["text"]
    ann.says("/note_add", reply_to_message=poll)
    assert text_of(ann.hears()) == texts.unsupported("poll", 6)


@pytest.mark.usefixtures("bot")
def test_forwards_show_their_source(world: World, person: MakePerson) -> None:
    ann = person()
    photo = world.media("photo")
    for number, (origin, name, url) in enumerate(
        (
            (from_channel("Новости <дня>", "news", 42), "Новости <дня>", "https://t.me/news/42"),
            (from_user(7, last_name="Котова"), "Котова", None),
            (from_hidden_user("Инкогнито"), "Инкогнито", None),
        ),
        1,
    ):
        ann.forwards(photo, origin, caption="/note_del 1")
        assert text_of(ann.hears()) == f"Заметка #{number} добавлена: фото."
        assert name in ann.asks("/note_list 1")
        ann.says(f"/note_show {number}")
        shown = ann.hears()
        assert name in shown["caption"].split("\n")[1]
        links = [entity["url"] for entity in shown.get("caption_entities", []) if entity["type"] == "text_link"]
        assert links == ([url] if url else [])
        assert f"#{number}" in ann.asks(f"/note_find {name}")
    assert ann.asks("/note_count") == "У вас 3 заметки."


def test_a_file_that_telegram_no_longer_knows_leaves_the_text(bot: BotProcess, person: MakePerson) -> None:
    ann = person()
    ann.keeps("document", caption="договор", caption_entities=[BOLD])
    ann.sends_album("photo", "photo", caption="отпуск")
    ann.hears()
    with closing(sqlite3.connect(bot.db_path)) as connection:
        connection.execute("UPDATE attachments SET file_id = ?", (make_file_id("document", 777, 5),))
        connection.commit()
    for number, text in ((1, "договор"), (2, "отпуск")):
        shown = ann.asks(f"/note_show {number}")
        assert shown.startswith(texts.MEDIA_UNAVAILABLE)
        assert shown.endswith(text)
    assert ann.asks("/note_count") == "У вас 2 заметки."


def test_deleted_restored_and_limited_like_any_note(
    bot_process: BotProcess, world: World, person: MakePerson
) -> None:
    bot_process.env["NOTES_MAX"] = "1"
    bot = bot_process.start()
    ann = person()
    ann.sends("voice", details={"duration": 42})
    assert text_of(ann.hears()).startswith("Заметка #1 добавлена: голосовое, 0:42.")
    ann.sends_album("photo", "photo")
    assert text_of(ann.hears()) == texts.notes_full(1)
    assert ann.asks("/note_del 1") == "Заметка #1 удалена."
    assert ann.asks("/note_restore 1") == texts.note_restored(1)
    ann.says("/note_show 1")
    assert ann.hears()["voice"]
    assert len(bot.rows("SELECT * FROM attachments")) == 1
    world.wait(lambda: world.pending() == 0)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("ending", ["", "?"])
def test_a_forwarded_text_is_saved_with_its_formatting_and_source(ending: str) -> None:
    origin = from_channel("Новости", "news", 5)
    reply = handle(f"вот сайт{ending}", entities=[{**LINK, "offset": 4}], forward_origin=origin)
    if ending:
        tap(buttons(reply)[texts.SAVE_AS_NOTE])
    shown = handle("/note_show 1")
    assert isinstance(shown, Reply)
    _, source, text = shown.text.split("\n")
    assert (source, text) == ("↪ Новости", f"вот сайт{ending}")
    assert [entity.get("url") for entity in shown.entities] == ["https://t.me/news/5", LINK["url"]]


# Any text with any formatting


def shown_text(number: int) -> FormattedText:
    """Return what /note_show sends of a note below its head, over all messages."""
    reply = handle(f"/note_show {number}", message_id=9_999_999)
    assert isinstance(reply, Reply)
    [head, *_] = reply.text.split("\n")
    text = reply.text.removeprefix(f"{head}\n")
    return FormattedText(text, entities.clip(reply.entities, f"{head}\n", text))


@pytest.mark.usefixtures("database")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=formatted_texts, second=formatted_texts, message_id=st.integers(1, 10**6))
def test_any_formatted_text_is_stored_edited_and_shown_the_same(
    first: FormattedText, second: FormattedText, message_id: int
) -> None:
    command = FormattedText("/note_add .")  # the dot keeps white space inside the text
    for send, formatted in ((handle, first), (handle_edited, second)):
        whole = command + formatted + FormattedText(".")
        send(whole.text, entities=whole.entities, message_id=message_id)
        [listed] = db.list_notes(ANN, 1)
        expected = FormattedText(".") + formatted + FormattedText(".")
        assert shown_text(listed["number"]) == expected
    db.delete_note(ANN, listed["number"])


@given(formatted=formatted_texts, repeats=st.integers(1, 400))
def test_the_messages_of_a_long_note_carry_all_formatting(formatted: FormattedText, repeats: int) -> None:
    whole = FormattedText("начало")
    for _ in range(repeats):
        whole = whole + FormattedText("слово ") + formatted
    calls = reply_calls(ANN, Reply(whole.text, whole.entities), None)
    position = 0
    for _, params in calls:
        part = params["text"]
        assert utf16_length(part) <= 4096
        position = whole.text.index(part, position)
        assert params.get("entities", []) == entities.clip(whole.entities, whole.text[:position], part)
        position += len(part)
