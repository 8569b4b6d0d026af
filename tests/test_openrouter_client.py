"""openrouter_client: every way in which a model answers, or does not, over real HTTP.

- a good answer unpacks as text and milliseconds, and carries the rest
- the request: what is sent, to where, with which key
- streams: in pieces, broken, stalled, closed
- every status, errors inside HTTP 200, empty and odd answers, broken and slow lines
"""

import json
import socket
import threading
import time
from typing import Any

import pytest
import requests
from conftest import eventually
from hypothesis import given
from hypothesis import strategies as st

import openrouter_client
import texts
from openrouter_client import Completion, OpenRouterError, Traits, Trouble, chat_once, chat_stream
from sandbox.openrouter import Gateway

QUESTION = [{"role": "user", "content": "Почему небо голубое?"}]


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, openrouter_url: str) -> None:
    monkeypatch.setenv("OPENROUTER_BASE_URL", openrouter_url)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-one")


def refusal(model: str, timeout_s: float = 30) -> OpenRouterError:
    with pytest.raises(OpenRouterError) as caught:
        chat_once(QUESTION, model=model, timeout_s=timeout_s)
    return caught.value


# A good answer


def test_it_unpacks_as_text_and_milliseconds() -> None:
    text, latency_ms = chat_once(QUESTION, model="sandbox/slow-2")
    assert "Почему небо голубое?" in text
    assert latency_ms >= 200


def test_it_carries_the_model_the_usage_and_the_finish_reason() -> None:
    completion = chat_once(QUESTION, model="sandbox/echo")
    assert completion.model == "sandbox/echo"
    assert completion.usage["total_tokens"] == 23
    assert completion.finish_reason == "stop"


def test_parts_are_joined() -> None:
    assert chat_once(QUESTION, model="sandbox/content-3").text == "из частей"


def test_half_a_surrogate_pair_is_replaced() -> None:
    assert chat_once(QUESTION, model="sandbox/content-7").text == "половина \ufffd"


def test_spaces_that_keep_the_line_alive_are_waited_out() -> None:
    assert chat_once(QUESTION, model="sandbox/trickle-3").text == "дождались"


# The request


def test_what_is_sent(gateway: Gateway) -> None:
    chat_once(QUESTION, model="some/model:free", user="telegram-1")
    assert gateway.requests == [
        {
            "model": "some/model:free",
            "messages": QUESTION,
            "temperature": 0.2,
            "max_tokens": openrouter_client.MAX_TOKENS,
            "user": "telegram-1",
        }
    ]
    assert gateway.headers[0]["Authorization"] == "Bearer sk-or-one"


def test_the_key_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch, gateway: Gateway) -> None:
    chat_once(QUESTION, model="sandbox/echo")
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-two")
    chat_once(QUESTION, model="sandbox/echo")
    assert [headers["Authorization"] for headers in gateway.headers] == ["Bearer sk-or-one", "Bearer sk-or-two"]


def test_no_key(monkeypatch: pytest.MonkeyPatch, gateway: Gateway) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY")
    assert str(refusal("sandbox/echo")) == "[401] Отсутствует OPENROUTER_API_KEY (.env)."
    assert gateway.requests == []


@pytest.mark.parametrize("key", ["ключ", "sk-or\none"])
def test_a_key_that_no_header_can_carry(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", key)
    assert str(refusal("sandbox/echo")) == f"[401] {texts.BAD_API_KEY}"


def test_a_wrong_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_BASE_URL", "openrouter.ai")
    assert "OPENROUTER_BASE_URL" in refusal("sandbox/echo").msg


# Statuses


@pytest.mark.parametrize(
    "status", [400, 401, 402, 403, 404, 408, 413, 418, 422, 429, 451, 500, 502, 503, 504, 524, 529, 599]
)
def test_every_status_has_a_sentence_that_says_what_to_do(status: int) -> None:
    error = refusal(f"sandbox/status-{status}")
    assert (error.status, str(error)) == (status, f"[{status}] {texts.status(status)}")
    assert any(
        word in error.msg.lower()
        for word in ("выберите", "спросите", "проверьте", "сократите", "перефразируйте", "пополните", "подождите")
    )


def test_the_sentences_of_the_named_statuses_differ() -> None:
    named = [400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504]
    assert len({texts.status(status) for status in named}) == len(named)


def test_an_error_page_instead_of_json() -> None:
    assert str(refusal("sandbox/page-502")) == f"[502] {texts.status(502)}"


# Answers that are none


@pytest.mark.parametrize(
    "which", [0, 1, 2, 4, 5, 6], ids=["null", "empty", "blank", "no parts", "a number", "object"]
)
def test_an_empty_answer(which: int) -> None:
    assert str(refusal(f"sandbox/content-{which}")) == f"[502] {texts.EMPTY_ANSWER}"


@pytest.mark.parametrize(
    ("which", "status"),
    [
        (0, 429),
        (1, 502),
        (2, 502),
        (3, 502),
        (4, 502),
        (5, 502),
        (6, 502),
        (7, 502),
        (8, 502),
        (9, 502),
        (10, 502),
        (11, 404),
        (12, 502),
    ],
)
def test_an_error_inside_http_200(which: int, status: int) -> None:
    assert refusal(f"sandbox/odd-{which}").status == status


@pytest.mark.parametrize("which", range(5))
def test_what_is_not_json(which: int) -> None:
    assert str(refusal(f"sandbox/junk-{which}")) == f"[502] {texts.BAD_ANSWER}"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
names = st.sampled_from(
    ["choices", "message", "content", "error", "code", "usage", "model", "text", "finish_reason"]
)
bodies = st.recursive(
    json_values,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


def a_response(status: int) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    return response


@given(body=st.dictionaries(names, bodies, min_size=1), status=st.sampled_from([200, 200, 201, 400, 500]))
def test_no_answer_raises_anything_but_openrouter_error(body: object, status: int) -> None:
    try:
        completion = openrouter_client._completion(
            Traits(), a_response(status), json.dumps(body).encode(), 0.0, "m"
        )
    except OpenRouterError as error:
        assert error.msg
    else:
        assert completion.text


# Streams


def streamed(model: str, **options: Any) -> tuple[list[str], Completion]:
    stream = chat_stream(QUESTION, model=model, **options)
    return list(stream), stream.completion


def broken_stream(which: int, **options: float) -> OpenRouterError:
    with pytest.raises(OpenRouterError) as caught:
        streamed(f"sandbox/stream-{which}", **options)
    return caught.value


def test_a_stream_comes_in_pieces_and_is_an_answer_then() -> None:
    pieces, completion = streamed("sandbox/echo")
    assert pieces == ["Почему ", "небо ", "голубое?"]
    assert completion.text == "Почему небо голубое?"
    assert completion.finish_reason == "stop"
    assert completion.usage["total_tokens"] == 23
    assert completion.generation_id == "gen-sandbox/echo"


def test_letters_cut_between_segments_and_odd_line_ends() -> None:
    assert streamed("sandbox/stream-0")[1].text == "Ёлка зелёная"
    assert streamed("sandbox/stream-1")[1].text == "раз\u2028два\u0085три"
    assert streamed("sandbox/stream-6")[1].text == "чисто"


@pytest.mark.parametrize(
    ("which", "status", "trouble", "text"),
    [
        (2, 502, Trouble.STATUS, "начало"),
        (3, 502, Trouble.CUT, "начало"),
        (5, 502, Trouble.STATUS, ""),
    ],
    ids=["an error within", "cut off", "an error at once"],
)
def test_a_stream_that_breaks_keeps_what_came(which: int, status: int, trouble: Trouble, text: str) -> None:
    error = broken_stream(which)
    assert (error.status, error.trouble, error.text) == (status, trouble, text)
    assert error.finish_reason == ("cut" if text else None)


def test_comments_alone_do_not_keep_a_stream_alive() -> None:
    assert broken_stream(4, stall_s=0.3).trouble is Trouble.TIMEOUT
    assert broken_stream(4, timeout_s=0.3).trouble is Trouble.TIMEOUT


def test_thoughts_are_not_the_answer_but_show_life() -> None:
    with pytest.raises(OpenRouterError) as caught:
        streamed("sandbox/thinker-2000")
    assert caught.value.trouble is Trouble.EMPTY
    assert caught.value.finish_reason == "length"
    assert caught.value.usage["completion_tokens_details"] == {"reasoning_tokens": 2000}


@pytest.mark.parametrize("model", ["sandbox/status-429", "sandbox/odd-1", "sandbox/page-502", "sandbox/refuse"])
def test_a_stream_that_is_refused_is_refused_like_a_plain_request(model: str) -> None:
    with pytest.raises(OpenRouterError) as caught:
        streamed(model)
    assert str(caught.value) == str(refusal(model))


def test_a_gateway_that_does_not_stream_answers_in_one_piece() -> None:
    assert streamed("sandbox/content-3")[0] == ["из частей"]


def test_a_stream_may_be_closed_from_another_thread(gateway: Gateway) -> None:
    gateway.piece_s = 0.05
    stream = chat_stream(QUESTION, model="sandbox/long-90")
    pieces = []
    for piece in stream:
        pieces.append(piece)
        if len(pieces) == 3:
            thread = threading.Thread(target=stream.close)
            thread.start()
            thread.join()
    assert stream.completion.finish_reason == "stopped"
    assert stream.completion.text == "".join(pieces).strip()
    assert len(pieces) < 100
    eventually(lambda: gateway.broken_off == ["sandbox/long-90"])


def test_what_an_answer_has_cost_is_told_later() -> None:
    with pytest.raises(OpenRouterError):
        openrouter_client.generation("gen-1")
    assert openrouter_client.generation("gen-1")["total_cost"] == 0.0125


# Limits


@pytest.mark.parametrize(
    ("model", "trouble", "retry_after_s"),
    [
        ("sandbox/busy", Trouble.STATUS, None),
        ("sandbox/busy-7", Trouble.STATUS, 7),
        ("sandbox/limit_day-1800000000", Trouble.LIMIT_DAY, None),
    ],
)
def test_kinds_of_429(model: str, trouble: Trouble, retry_after_s: float | None) -> None:
    error = refusal(model)
    assert (error.status, error.trouble, error.retry_after_s) == (429, trouble, retry_after_s)


def test_the_header_says_when_to_come_again() -> None:
    assert refusal("sandbox/flaky-9").retry_after_s == 1


def test_the_minutes_limit_tells_when_it_opens() -> None:
    error = refusal("sandbox/limit_minute-30")
    assert error.trouble is Trouble.LIMIT_MINUTE
    assert error.retry_after_s
    assert 28 < error.retry_after_s < 31


# Lines that break


def test_a_model_that_is_too_slow() -> None:
    assert str(refusal("sandbox/slow-50", timeout_s=0.3)) == f"[0] {texts.MODEL_TIMEOUT}"


def test_a_trickle_of_spaces_does_not_stretch_the_deadline() -> None:
    started = time.monotonic()
    assert str(refusal("sandbox/trickle-600", timeout_s=0.5)) == f"[0] {texts.MODEL_TIMEOUT}"
    assert time.monotonic() - started < 30  # the trickle alone lasts a minute


def test_an_answer_that_is_cut() -> None:
    assert str(refusal("sandbox/cut")) == f"[0] {texts.NO_CONNECTION}"


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OPENROUTER_BASE_URL", f"http://127.0.0.1:{free.getsockname()[1]}/api/v1")
    assert str(refusal("sandbox/echo")) == f"[0] {texts.NO_CONNECTION}"


def test_neither_the_key_nor_the_question_is_in_the_error() -> None:
    for model in ("sandbox/status-401", "sandbox/cut", "sandbox/junk-1"):
        error = refusal(model)
        assert "sk-or-one" not in repr(error)
        assert "небо" not in repr(error)
