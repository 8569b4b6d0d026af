"""Questions that are spoken: llm/spoken_questions.py, with the running bot and the emulated services."""

from collections.abc import Callable

import pytest
from conftest import BotProcess, Person, eventually, next_delivered, text_of

import texts
from sandbox.openrouter import EmulatedGateway

MakePerson = Callable[..., Person]
WORDS = "сколько звёзд на небе"


@pytest.fixture
def bot(bot_process: BotProcess, gateway: EmulatedGateway) -> BotProcess:
    """Start the bot with models that hear WORDS and repeat the question."""
    gateway.transcript_of = lambda _asked: WORDS
    gateway.answer_to = lambda body: str(body["messages"][-1]["content"])
    bot_process.env |= {"TRANSCRIBE_MODEL": "openrouter/openai/whisper-1", "ALLOW_PAID_MODELS": "1"}
    return bot_process.start()


def test_a_voice_with_ask_or_in_reply_to_an_answer_is_a_question(
    bot: BotProcess, person: MakePerson, gateway: EmulatedGateway
) -> None:
    ann = person()
    ann.sends("voice", caption="/ask")
    answer = next_delivered(ann, bot)
    assert text_of(answer).startswith(f"{WORDS}\n\nВопрос: «{WORDS}»\n")
    ann.sends("voice", reply_to_message=answer)
    assert f"Вопрос: «{WORDS}»" in text_of(next_delivered(ann, bot))
    assert [message["content"] for message in gateway.requests[-1]["messages"][1:]] == [WORDS, WORDS, WORDS]
    ann.sends("voice", caption="/ask Ответь коротко.")
    assert text_of(ann.hears()).startswith(f"Ответь коротко.\n\n{WORDS}")
    assert ann.asks("/note_count") == "У вас 0 заметок."
    ledger = bot.rows("SELECT module FROM llm_requests ORDER BY id")
    assert [module for (module,) in ledger] == ["transcribe", "ask"] * 3
    assert "Вопрос:" not in ann.asks("/ask раз")


def test_a_spoken_question_that_nobody_understands_gets_a_reason(
    bot: BotProcess, person: MakePerson, gateway: EmulatedGateway
) -> None:
    ann = person()
    gateway.transcript_of = lambda _asked: ""
    ann.sends("voice", caption="/ask")
    assert text_of(ann.hears()) == texts.NOBODY_SPEAKS
    ann.sends("audio", bytes(21 * 2**20), caption="/ask")
    assert text_of(ann.hears()) == texts.RECORDING_TOO_LARGE
    assert bot.rows("SELECT state FROM questions") == [("failed",), ("failed",)]
    assert ann.asks("/ask раз").startswith("раз")
    assert len(gateway.requests) == 1


def test_a_spoken_question_is_asked_once_after_a_kill(
    bot: BotProcess, person: MakePerson, gateway: EmulatedGateway
) -> None:
    ann = person()
    gateway.think_s = 600
    ann.sends("voice", caption="/ask")
    eventually(lambda: gateway.transcriptions)  # killed while the recording is transcribed
    bot.kill()
    gateway.think_s = 0.5
    bot.start()
    eventually(lambda: gateway.requests)  # and while the model thinks
    bot.kill()
    gateway.think_s = 0
    bot.start()
    assert text_of(next_delivered(ann, bot)).startswith(WORDS)
    assert bot.rows("SELECT text, state FROM questions") == [(WORDS, "answered")]
    assert len(gateway.transcriptions) == 2
    assert ann.asks("/note_count") == "У вас 0 заметок."


def test_a_busy_server_is_asked_again(
    bot_process: BotProcess, person: MakePerson, local_llm: EmulatedGateway
) -> None:
    bot_process.env |= {"TRANSCRIBE_MODEL": "local/sandbox/flaky-1", "LOCAL_LLM_URL": local_llm.url}
    bot_process.start()
    ann = person()
    ann.sends("voice", caption="/ask")
    assert "Вопрос: «теперь получилось»" in text_of(ann.hears())
    assert local_llm.request_counts["sandbox/flaky-1"] == 2


def test_without_a_model_that_transcribes_the_person_is_told(bot_process: BotProcess, person: MakePerson) -> None:
    bot_process.start()
    ann = person()
    ann.sends("voice", caption="/ask")
    assert text_of(ann.hears()) == texts.TRANSCRIPTION_OFF
    assert "#1" in ann.asks("/note_add раз")
