"""Speech becomes text: llm/speech.py, llm/transcriptions.py, notes/transcripts.py and gateway_audio.py.

- a recording is a note at once, and its transcript follows, is found, shown and removed
- both forms of the request, formats, failures, retries, a restart
- without a model for it, the bot says so once

The requests and responses have the shapes of sandbox/openrouter/transcription.py, which names the documents.
"""

import re
from collections.abc import Callable

import pytest
from conftest import BotProcess, Person, eventually, next_delivered, text_of

import texts
from llm.speech import audio_format
from sandbox.openrouter import EmulatedGateway
from sandbox.telegram import World, from_user
from telegram.messages import Attachment

MakePerson = Callable[..., Person]
GROUP = -100500
PAID = {"TRANSCRIBE_MODEL": "openrouter/openai/whisper-1", "ALLOW_PAID_MODELS": "1"}


@pytest.fixture
def paid_bot(bot_process: BotProcess, gateway: EmulatedGateway) -> BotProcess:
    """Start the bot with a model of OpenRouter that hears the word «молоко»."""
    gateway.transcript_of = lambda asked: f"Купить молоко, {asked['format']}."
    bot_process.env |= PAID
    return bot_process.start()


@pytest.fixture
def local_bot(bot_process: BotProcess, local_llm: EmulatedGateway) -> Callable[..., BotProcess]:
    """Return a function that starts the bot with a local model."""

    def start(model: str = "whisper-1") -> BotProcess:
        bot_process.env |= {"TRANSCRIBE_MODEL": f"local/{model}", "LOCAL_LLM_URL": local_llm.url}
        return bot_process.start()

    return start


# What the person sees


def test_the_transcript_of_a_voice_follows_and_is_found(
    paid_bot: BotProcess, person: MakePerson, gateway: EmulatedGateway
) -> None:
    ann = person()
    voice = ann.sends("voice", details={"duration": 42})
    assert text_of(ann.hears()) == "Заметка #1 добавлена: голосовое, 0:42."
    transcript = next_delivered(ann, paid_bot)
    assert text_of(transcript) == "Расшифровка, заметка #1:\n\nКупить молоко, ogg."
    assert transcript["reply_to_message"]["message_id"] == voice["message_id"]
    [asked] = gateway.transcriptions
    assert (asked["model"], asked["format"]) == ("openai/whisper-1", "ogg")
    assert "Голосовое, 0:42: Купить молоко" in ann.asks("/note_find молоко")
    ann.says("/note_show 1")
    shown = ann.hears()
    assert shown["voice"]["file_unique_id"] == voice["voice"]["file_unique_id"]
    assert shown["caption"].endswith("\n\nРасшифровка: Купить молоко, ogg.")
    ledger = "SELECT module, gateway, model, status, is_free, cost > 0, cause FROM llm_requests"
    assert paid_bot.rows(ledger) == [("transcribe", "openrouter", "openai/whisper-1", 200, 0, 1, None)]
    assert "openai/whisper-1" in ann.asks("/usage")


def test_a_transcript_is_removed_with_its_button_and_the_recording_stays(
    paid_bot: BotProcess, world: World, person: MakePerson
) -> None:
    ann, bob = person(1), person(2)
    ann.sends("voice")
    transcript = [ann.hears(), ann.hears()][1]
    data = transcript["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    bob.says("/start")
    bob.hears()
    foreign = world.tap(2, 1, transcript["message_id"], data)
    world.wait(lambda: any(event.get("query_id") == foreign for event in world.events))
    assert paid_bot.rows("SELECT transcript FROM attachments") == [("Купить молоко, ogg.",)]
    ann.taps(transcript, texts.REMOVE_TRANSCRIPT)
    assert text_of(ann.hears()) == texts.transcript_removed(1)
    assert paid_bot.rows("SELECT transcript FROM attachments") == [(None,)]
    assert ann.asks("/note_find молоко") == texts.NOTHING_FOUND
    ann.says("/note_show 1")
    assert "voice" in ann.hears()


def test_video_notes_audio_captions_replies_forwards_and_groups_are_transcribed(
    paid_bot: BotProcess, person: MakePerson, gateway: EmulatedGateway
) -> None:
    ann, group = person(), person(1, GROUP)
    ann.keeps("video_note")
    assert text_of(ann.hears()).endswith("m4a.")  # the same container as MP4, which OpenRouter does not list
    ann.keeps("audio", caption="лекция")
    assert "заметка #2" in text_of(ann.hears())
    ann.forwards({"voice": ann.sends("voice")["voice"]}, from_user())
    assert sorted(text_of(ann.hears())[:19] for _ in range(4))[2:] == ["Расшифровка, заметк"] * 2
    group.says("/note_add", reply_to_message=group.sends("voice"))
    assert text_of(group.hears()).startswith("Заметка #5")
    assert "заметка #5" in text_of(group.hears())
    ann.keeps("photo")
    assert len(gateway.transcriptions) == 5
    assert paid_bot.rows("SELECT count(*) FROM transcriptions") == [(0,)]


def test_each_recording_of_an_album_is_transcribed(paid_bot: BotProcess, person: MakePerson) -> None:
    ann = person()
    ann.sends_album("audio", "audio")
    heard = [text_of(ann.hears()) for _ in range(3)]
    assert heard[0] == "Заметка #1 добавлена: альбом."
    assert all(text.startswith("Расшифровка, заметка #1:") for text in heard[1:])
    assert [len(text) > 0 for (text,) in paid_bot.rows("SELECT transcript FROM attachments")] == [True, True]


def test_a_long_transcript_is_split_and_silence_is_said(
    paid_bot: BotProcess, person: MakePerson, gateway: EmulatedGateway
) -> None:
    ann = person()
    gateway.transcript_of = lambda asked: "слово " * 1000 if asked["format"] == "ogg" else "  "
    ann.keeps("voice")
    first, second = ann.hears(), next_delivered(ann, paid_bot)
    assert "reply_markup" not in first
    assert (text_of(first) + text_of(second)).count("слово") == 1000
    ann.keeps("audio")
    assert text_of(ann.hears()) == texts.nobody_speaks(2)


def test_a_slow_transcript_delays_nothing(
    paid_bot: BotProcess, person: MakePerson, gateway: EmulatedGateway
) -> None:
    gateway.think_s = 600
    ann = person()
    ann.keeps("voice")
    eventually(lambda: gateway.transcriptions)
    gateway.think_s = 0
    assert ann.asks("/note_add раз") == "Заметка #2 добавлена."
    assert "два" in ann.asks("/ask два")
    assert paid_bot.stop() == 0
    assert paid_bot.rows("SELECT count(*) FROM transcriptions") == [(1,)]


def test_a_deleted_note_gets_no_transcript_in_the_chat(
    paid_bot: BotProcess, person: MakePerson, gateway: EmulatedGateway
) -> None:
    gateway.think_s = 600
    ann = person()
    ann.keeps("voice")
    eventually(lambda: gateway.transcriptions)
    ann.says("/note_del 1")
    next_delivered(ann, paid_bot)
    gateway.think_s = 0
    paid_bot.kill()
    paid_bot.start()
    eventually(lambda: paid_bot.rows("SELECT count(*) FROM transcriptions") == [(0,)])
    ann.asks("/note_restore 1")  # the next message: no transcript came before
    assert "Расшифровка: Купить молоко" in ann.asks("/note_show 1")


# The request, failures, retries, a restart


def test_a_local_server_gets_a_form(
    local_bot: Callable[..., BotProcess], person: MakePerson, local_llm: EmulatedGateway
) -> None:
    bot = local_bot()
    ann = person()
    ann.keeps("video_note")
    assert text_of(next_delivered(ann, bot)).startswith("Расшифровка, заметка #1:")
    [asked] = local_llm.transcriptions
    assert (asked["model"], asked["format"]) == ("whisper-1", "mp4")
    assert bot.rows("SELECT module, gateway, cost FROM llm_requests") == [("transcribe", "local", None)]


def test_a_failure_is_retried_and_recorded(
    local_bot: Callable[..., BotProcess], person: MakePerson, local_llm: EmulatedGateway
) -> None:
    bot = local_bot("sandbox/flaky-1")
    ann = person()
    ann.keeps("voice")
    assert text_of(next_delivered(ann, bot)).startswith("Расшифровка, заметка #1:")
    assert local_llm.request_counts == {"sandbox/flaky-1": 2}
    assert [status for (status,) in bot.rows("SELECT status FROM llm_requests ORDER BY id")] == [503, 200]


@pytest.mark.parametrize("status", [400, 402])
def test_a_final_failure_is_said_with_its_reason(
    local_bot: Callable[..., BotProcess], person: MakePerson, local_llm: EmulatedGateway, status: int
) -> None:
    bot = local_bot(f"sandbox/status-{status}")
    ann = person()
    ann.keeps("voice")
    assert text_of(ann.hears()).startswith(f"Расшифровать запись не удалось. Ошибка: [{status}] ")
    assert bot.rows("SELECT status FROM llm_requests") == [(status,)]
    assert ann.asks("/note_count") == "У вас 1 заметка."
    assert len(local_llm.transcriptions) == 1


def test_a_recording_that_telegram_does_not_give_is_said(
    paid_bot: BotProcess, person: MakePerson, world: World, gateway: EmulatedGateway
) -> None:
    ann = person()
    ann.keeps("audio", bytes(21 * 2**20))
    assert text_of(ann.hears()) == texts.RECORDING_TOO_LARGE
    with world.batch():
        voice = ann.sends("voice")
        del world.files[voice["voice"]["file_id"]]
    ann.hears()
    assert text_of(ann.hears()) == texts.RECORDING_UNAVAILABLE
    assert not gateway.transcriptions
    assert "Traceback" not in paid_bot.log


def test_a_transcript_is_made_after_a_restart_once(
    paid_bot: BotProcess, person: MakePerson, gateway: EmulatedGateway
) -> None:
    gateway.think_s = 600
    ann = person()
    ann.sends("voice")
    next_delivered(ann, paid_bot)
    eventually(lambda: gateway.transcriptions)
    paid_bot.kill()
    gateway.think_s = 0
    paid_bot.start()
    assert text_of(ann.hears()).startswith("Расшифровка, заметка #1:")
    assert ann.asks("/note_count") == "У вас 1 заметка."


# Without a model


def test_without_a_model_the_bot_says_once_how_to_turn_it_on(
    bot_process: BotProcess, person: MakePerson, gateway: EmulatedGateway
) -> None:
    bot_process.start()
    ann, bob = person(1), person(2)
    ann.sends("photo")
    assert texts.TRANSCRIPTION_OFF not in text_of(ann.hears())
    ann.sends("voice")
    assert text_of(ann.hears()).endswith(f"\n\n{texts.TRANSCRIPTION_OFF}")
    bot_process.stop()
    bot_process.start()
    ann.sends("voice")
    assert re.fullmatch(r"Заметка #3 добавлена: голосовое.*\.", text_of(ann.hears()))
    bob.sends("video_note")
    assert text_of(bob.hears()).endswith(texts.TRANSCRIPTION_OFF)
    assert not gateway.transcriptions


@pytest.mark.parametrize(
    ("kind", "mime_type", "file_name", "expected"),
    [
        ("voice", "audio/ogg", None, "ogg"),
        ("voice", None, None, "ogg"),
        ("video_note", None, None, "mp4"),
        ("audio", "audio/mpeg", "песня.mp3", "mp3"),
        ("audio", "audio/mp4", None, "mp4"),
        ("audio", "audio/x-m4a", None, "m4a"),
        ("audio", "application/octet-stream", "Запись.WAV", "wav"),
        ("audio", "audio/x-flac; rate=44100", None, "flac"),
        ("audio", "audio/unknown", "без суффикса", "mp3"),
    ],
)
def test_the_format_comes_from_the_type_or_the_name(
    kind: str, mime_type: str | None, file_name: str | None, expected: str
) -> None:
    assert audio_format(Attachment(kind=kind, mime_type=mime_type, file_name=file_name)) == expected
