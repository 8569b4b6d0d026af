"""Tests of openrouter_client.py, gateway_response.py and gateway_errors.py over real HTTP.

- good answers: unpacking, metadata, parts
- requests: body, key, headers
- streams: chunks, interruptions, stalls, close()
- errors: every status, errors inside HTTP 200, empty and malformed answers, limits
- broken and slow connections, and those on which a byte arrives now and then
"""

import gc
import json
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import requests
from conftest import eventually
from hypothesis import given
from hypothesis import strategies as st

import config
import gateway_connection
import gateway_errors
import gateway_response
import openrouter_client
import texts
from openrouter_client import ChatRequest, Completion, ErrorKind, OpenRouterError, chat_once, require_gateway
from sandbox.openrouter import EmulatedGateway

QUESTION = [{"role": "user", "content": "Почему небо голубое?"}]


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, openrouter_url: str) -> None:
    monkeypatch.setenv("OPENROUTER_BASE_URL", openrouter_url)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-one")


def openrouter() -> config.Gateway:
    return openrouter_client.load_gateways()["openrouter"]


def error_of(model: str, timeout_s: float = 30) -> OpenRouterError:
    with pytest.raises(OpenRouterError) as caught:
        chat_once(QUESTION, model=model, timeout_s=timeout_s)
    return caught.value


# Good answers


def test_a_completion_unpacks_as_text_and_latency() -> None:
    text, latency_ms = chat_once(QUESTION, model="sandbox/slow-2")
    assert "Почему небо голубое?" in text
    assert latency_ms >= 200


def test_a_completion_has_the_model_the_usage_and_the_finish_reason() -> None:
    completion = chat_once(QUESTION, model="sandbox/echo")
    assert completion.model == "sandbox/echo"
    assert completion.usage["total_tokens"] == 23
    assert completion.finish_reason == "stop"


def test_content_parts_are_joined() -> None:
    assert chat_once(QUESTION, model="sandbox/content-3").text == "из частей"


def test_a_lone_surrogate_is_replaced() -> None:
    assert chat_once(QUESTION, model="sandbox/content-7").text == "половина \ufffd"


def test_keep_alive_spaces_before_the_answer_are_ignored() -> None:
    assert chat_once(QUESTION, model="sandbox/trickle-3").text == "дождались"


# Requests


def test_request_body(gateway: EmulatedGateway) -> None:
    openrouter_client.complete(ChatRequest(QUESTION, "some/model:free", openrouter(), user="telegram-1"))
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


def test_chat_once_sends_the_options_of_the_course(gateway: EmulatedGateway) -> None:
    chat_once(QUESTION, model="some/model:free", temperature=0.7, max_tokens=100)
    assert gateway.requests == [
        {"model": "some/model:free", "messages": QUESTION, "temperature": 0.7, "max_tokens": 100}
    ]


def test_chat_once_reads_the_key_at_every_call(monkeypatch: pytest.MonkeyPatch, gateway: EmulatedGateway) -> None:
    chat_once(QUESTION, model="sandbox/echo")
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-two")
    chat_once(QUESTION, model="sandbox/echo")
    assert [headers["Authorization"] for headers in gateway.headers] == ["Bearer sk-or-one", "Bearer sk-or-two"]


def test_no_request_is_sent_without_a_key(monkeypatch: pytest.MonkeyPatch, gateway: EmulatedGateway) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY")
    assert str(error_of("sandbox/echo")) == "[401] Не задан OPENROUTER_API_KEY: впишите его в .env."
    assert gateway.requests == []


@pytest.mark.parametrize("key", ["ключ", "sk-or\none"])
def test_a_key_that_does_not_fit_into_a_header(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", key)
    assert str(error_of("sandbox/echo")) == f"[401] {texts.bad_api_key('openrouter')}"


def test_an_invalid_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_BASE_URL", "openrouter.ai")
    assert "OPENROUTER_BASE_URL" in error_of("sandbox/echo").msg


def test_a_gateway_that_is_not_configured() -> None:
    with pytest.raises(OpenRouterError) as caught:
        require_gateway(openrouter_client.load_gateways(), "rvfreellm")
    assert (str(caught.value), caught.value.kind) == (f"[404] {texts.NO_GATEWAY}", ErrorKind.SETUP)


# Statuses


@pytest.mark.parametrize(
    "status", [400, 401, 402, 403, 404, 408, 413, 418, 422, 429, 451, 500, 502, 503, 504, 524, 529, 599]
)
def test_every_status_has_a_message_with_advice(status: int) -> None:
    error = error_of(f"sandbox/status-{status}")
    message = texts.model_missing("openrouter") if status == 404 else texts.status_message(status)
    assert (error.status, str(error)) == (status, f"[{status}] {message}")
    assert any(
        word in error.msg.lower()
        for word in ("выберите", "спросите", "проверьте", "сократите", "перефразируйте", "пополните", "подождите")
    )


def test_common_statuses_have_different_messages() -> None:
    statuses = [400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504]
    assert len({texts.status_message(status) for status in statuses}) == len(statuses)


def test_an_html_error_page() -> None:
    assert str(error_of("sandbox/page-502")) == f"[502] {texts.status_message(502)}"


# Answers without text


@pytest.mark.parametrize(
    "index", [0, 1, 2, 4, 5, 6], ids=["null", "empty", "blank", "no parts", "a number", "object"]
)
def test_an_empty_answer(index: int) -> None:
    assert str(error_of(f"sandbox/content-{index}")) == f"[502] {texts.empty_answer('openrouter')}"


@pytest.mark.parametrize(
    ("index", "status"),
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
def test_an_error_inside_http_200(index: int, status: int) -> None:
    assert error_of(f"sandbox/odd-{index}").status == status


@pytest.mark.parametrize("index", range(5))
def test_a_body_that_is_not_json(index: int) -> None:
    assert str(error_of(f"sandbox/junk-{index}")) == f"[502] {texts.bad_answer('openrouter')}"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
field_names = st.sampled_from(
    ["choices", "message", "content", "error", "code", "usage", "model", "text", "finish_reason"]
)
bodies = st.recursive(
    json_values,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(field_names, inner, max_size=4),
    max_leaves=20,
)


def response_with(status: int) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    return response


@given(body=st.dictionaries(field_names, bodies, min_size=1), status=st.sampled_from([200, 200, 201, 400, 500]))
def test_any_json_is_a_completion_or_an_openrouter_error(body: object, status: int) -> None:
    try:
        completion = gateway_response.read_completion(
            "openrouter",
            response_with(status),
            json.dumps(body).encode(),
            model="m",
            latency_ms=0,
            strip_thoughts=False,
        )
    except OpenRouterError as error:
        assert error.msg
    else:
        assert completion.text


# Streams


def read_stream(model: str, *, timeout_s: float = 90, stall_s: float = 45.0) -> tuple[list[str], Completion]:
    request = ChatRequest(QUESTION, model, openrouter(), timeout_s=timeout_s)
    stream = openrouter_client.stream(request, stall_s)
    return list(stream), stream.completion


def stream_error(index: int, **options: float) -> OpenRouterError:
    with pytest.raises(OpenRouterError) as caught:
        read_stream(f"sandbox/stream-{index}", **options)
    return caught.value


def test_a_stream_yields_chunks_and_then_has_a_completion() -> None:
    chunks, completion = read_stream("sandbox/echo")
    assert chunks == ["Почему ", "небо ", "голубое?"]
    assert completion.text == "Почему небо голубое?"
    assert completion.finish_reason == "stop"
    assert completion.usage["total_tokens"] == 23
    assert completion.generation_id == "gen-sandbox/echo"


def test_split_characters_and_unusual_line_ends() -> None:
    assert read_stream("sandbox/stream-0")[1].text == "Ёлка зелёная"
    assert read_stream("sandbox/stream-1")[1].text == "раз\u2028два\u0085три"
    assert read_stream("sandbox/stream-6")[1].text == "чисто"
    assert read_stream("sandbox/stream-8")[1].text == "кот 😀"


@pytest.mark.parametrize(
    ("index", "status", "kind", "text"),
    [
        (2, 502, ErrorKind.STATUS, "начало"),
        (3, 502, ErrorKind.CUT, "начало"),
        (5, 502, ErrorKind.STATUS, ""),
        (7, 502, ErrorKind.CUT, "начало  конец"),
        (9, 502, ErrorKind.STATUS, "начало"),
    ],
    ids=["an error inside", "cut off", "an error at once", "a malformed event", "finish_reason error"],
)
def test_a_broken_stream_keeps_the_text_so_far(index: int, status: int, kind: ErrorKind, text: str) -> None:
    error = stream_error(index)
    assert (error.status, error.kind, error.text) == (status, kind, text)
    assert error.finish_reason == ("cut" if text else None)


def test_a_whole_answer_that_ended_with_an_error_keeps_its_text() -> None:
    error = error_of("sandbox/finish-3")
    assert (error.status, error.text, error.finish_reason, error.cause) == (
        502,
        "часть ответа",
        "cut",
        "finish_error",
    )


def test_thoughts_without_a_beginning_are_removed() -> None:
    answer = "хм, что бы\nсказать</think>\n\nвслух не надо"
    assert gateway_response.clean_text(answer, strip_thoughts=True) == "вслух не надо"
    assert gateway_response.clean_text(answer) == answer  # only a local server leaves them in


def test_comments_alone_do_not_keep_a_stream_alive() -> None:
    assert stream_error(4, stall_s=0.3).kind is ErrorKind.TIMEOUT
    assert stream_error(4, timeout_s=0.3).kind is ErrorKind.TIMEOUT


def test_thoughts_are_progress_but_not_an_answer() -> None:
    with pytest.raises(OpenRouterError) as caught:
        read_stream("sandbox/thinker-2000")
    assert caught.value.kind is ErrorKind.EMPTY
    assert caught.value.finish_reason == "length"
    assert caught.value.usage["completion_tokens_details"] == {"reasoning_tokens": 2000}


@pytest.mark.parametrize("model", ["sandbox/status-429", "sandbox/odd-1", "sandbox/page-502", "sandbox/refuse"])
def test_a_stream_reports_the_same_errors_as_a_plain_request(model: str) -> None:
    with pytest.raises(OpenRouterError) as caught:
        read_stream(model)
    assert str(caught.value) == str(error_of(model))


def test_a_gateway_that_does_not_stream_yields_one_chunk() -> None:
    assert read_stream("sandbox/content-3")[0] == ["из частей"]


def test_a_stream_can_be_closed_from_another_thread(gateway: EmulatedGateway) -> None:
    gateway.chunk_delay_s = 0.05
    stream = openrouter_client.stream(ChatRequest(QUESTION, "sandbox/long-90", openrouter(), timeout_s=90))
    chunks = []
    for chunk in stream:
        chunks.append(chunk)
        if len(chunks) == 3:
            thread = threading.Thread(target=stream.close)
            thread.start()
            thread.join()
    assert stream.completion.finish_reason == "stopped"
    assert stream.completion.text == "".join(chunks).strip()
    assert len(chunks) < 100
    eventually(lambda: gateway.closed_streams == ["sandbox/long-90"])


def test_the_cost_of_an_answer_is_known_some_time_later() -> None:
    with pytest.raises(OpenRouterError):
        openrouter_client.fetch_generation(openrouter(), "gen-1")
    assert openrouter_client.fetch_generation(openrouter(), "gen-1")["total_cost"] == 0.0125


# Limits


@pytest.mark.parametrize(
    ("model", "kind", "retry_after_s"),
    [
        ("sandbox/busy", ErrorKind.STATUS, None),
        ("sandbox/busy-7", ErrorKind.STATUS, 7),
        ("sandbox/limit_day-1800000000", ErrorKind.LIMIT_DAY, None),
    ],
)
def test_kinds_of_429(model: str, kind: ErrorKind, retry_after_s: float | None) -> None:
    error = error_of(model)
    assert (error.status, error.kind, error.retry_after_s) == (429, kind, retry_after_s)


def test_the_daily_limit_says_when_it_is_lifted() -> None:
    error = error_of("sandbox/limit_day-1800000000")
    assert (error.reset_at, error.msg) == (1_800_000_000, texts.LIMIT_DAY)


def test_the_retry_after_header() -> None:
    assert error_of("sandbox/flaky-9").retry_after_s == 1


def test_the_limit_per_minute_says_when_it_is_lifted() -> None:
    error = error_of("sandbox/limit_minute-30")
    assert (error.kind, error.msg) == (ErrorKind.LIMIT_MINUTE, texts.LIMIT_MINUTE)
    assert error.retry_after_s
    assert 28 < error.retry_after_s < 31
    assert error.reset_at
    assert abs(error.reset_at - time.time() - 30) < 2


def test_the_reset_time_is_in_seconds_or_milliseconds() -> None:
    now = time.time()
    for value in (now, now * 1000):
        reset_at = gateway_errors.read_reset_at({}, {"X-RateLimit-Reset": str(value)})
        assert reset_at
        assert abs(reset_at - now) < 1


# Broken connections


def test_a_slow_model() -> None:
    assert str(error_of("sandbox/slow-50", timeout_s=0.3)) == texts.model_timeout("openrouter")


def test_keep_alive_spaces_do_not_extend_the_timeout() -> None:
    started = time.monotonic()
    assert str(error_of("sandbox/trickle-600", timeout_s=0.5)) == texts.model_timeout("openrouter")
    assert time.monotonic() - started < 30  # the spaces alone take a minute


def test_a_connection_that_breaks_in_the_body() -> None:
    assert str(error_of("sandbox/cut")) == texts.no_connection("openrouter")


def test_a_port_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OPENROUTER_BASE_URL", f"http://127.0.0.1:{free.getsockname()[1]}/api/v1")
    assert str(error_of("sandbox/echo")) == texts.no_connection("openrouter")


def test_errors_contain_neither_the_key_nor_the_question() -> None:
    for model in ("sandbox/status-401", "sandbox/cut", "sandbox/junk-1"):
        error = error_of(model)
        assert "sk-or-one" not in repr(error)
        assert "небо" not in repr(error)


# Gateways that send a byte now and then, so that no timeout of a single read is met


DRIP_S = 0.02
DRIPS = 200  # takes several times as long as the request may
GOOD_ANSWER = b'{"choices": [{"message": {"content": "\\u0434\\u0430"}, "finish_reason": "stop"}]}'
GOOD_HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % len(GOOD_ANSWER)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD_ANSWER), GOOD_ANSWER)
DRIPPING_RESPONSES = {  # before the drips, one drip, after the drips
    "headers": (GOOD_HEADERS, b"X-Drip: 1\r\n", LENGTH + GOOD_ANSWER),
    "one header": (GOOD_HEADERS + b"X-Drip: ", b"1", b"\r\n" + LENGTH + GOOD_ANSWER),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", GOOD_HEADERS + LENGTH + GOOD_ANSWER),
    "chunk size": (GOOD_HEADERS + CHUNKED, b"0", CHUNK),
    "redirect": (b"HTTP/1.1 307 See Other\r\nLocation: /\r\nContent-Length: 200\r\n\r\n", b" ", b""),
    "TLS handshake": (b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb\x03\x03", b"\x00", b""),
}


@contextmanager
def dripping_server(first: bytes, drip: bytes, last: bytes) -> Iterator[int]:
    """Answer every connection with these bytes, slowly; yield the port."""

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(first)
            for _ in range(DRIPS):
                if stopped.wait(DRIP_S):
                    return
                connection.sendall(drip)
            connection.sendall(last)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        stopped.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("place", DRIPPING_RESPONSES)
def test_a_dripping_gateway_does_not_extend_the_timeout(
    monkeypatch: pytest.MonkeyPatch, place: str, is_streamed: bool
) -> None:
    with dripping_server(*DRIPPING_RESPONSES[place]) as port:
        scheme = "https" if place == "TLS handshake" else "http"
        monkeypatch.setenv("OPENROUTER_BASE_URL", f"{scheme}://127.0.0.1:{port}/api/v1")
        with pytest.raises(OpenRouterError) as caught:
            if is_streamed:
                read_stream("some/model", timeout_s=0.3)
            else:
                chat_once(QUESTION, model="some/model", timeout_s=0.3)
    kind = caught.value.kind
    with warnings.catch_warnings():
        # Python 3.11 does not close a TLS socket whose connection was reset before the handshake.
        warnings.simplefilter("ignore", ResourceWarning)
        del caught
        gc.collect()
    assert kind is ErrorKind.TIMEOUT


def test_a_drip_between_two_chunks_is_a_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    with dripping_server(headers + CHUNKED, b"0", CHUNK) as port:
        monkeypatch.setenv("OPENROUTER_BASE_URL", f"http://127.0.0.1:{port}/api/v1")
        with pytest.raises(OpenRouterError) as caught:
            read_stream("some/model", stall_s=0.3)
    assert caught.value.kind is ErrorKind.TIMEOUT


def wait_until_closed(response: requests.Response, **_: object) -> None:
    connected: socket.socket = response.raw.connection.sock  # type: ignore[union-attr]
    connected.settimeout(None)
    assert connected.recv(1) == b""


def test_headers_that_arrive_at_the_deadline_are_too_late() -> None:
    with (
        dripping_server(b"HTTP/1.1 200 OK\r\n" + CHUNKED, b"", b"") as port,
        gateway_connection.new_session() as session,
        pytest.raises(requests.Timeout),
    ):
        gateway_connection.send(
            session,
            None,
            deadline=time.monotonic() + 0.3,
            method="GET",
            url=f"http://127.0.0.1:{port}/",
            stream=True,
            hooks={"response": wait_until_closed},
        )


def test_a_deadline_that_moves_after_the_connection_was_closed_is_a_timeout() -> None:
    headers = b"HTTP/1.1 200 OK\r\n"
    with (
        dripping_server(headers + CHUNKED + b"1\r\nx\r\n", b"", CHUNK) as port,
        requests.get(f"http://127.0.0.1:{port}/", stream=True, timeout=60) as response,
        pytest.raises(OpenRouterError) as caught,
    ):
        deadline = time.monotonic() + 0.3
        chunks = gateway_response.read_bytes("openrouter", response, lambda: deadline)
        assert next(chunks) == b"x"
        wait_until_closed(response)
        deadline = time.monotonic() + 60
        next(chunks)
    assert caught.value.kind is ErrorKind.TIMEOUT


def test_a_dripping_proxy_does_not_extend_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    with dripping_server(*DRIPPING_RESPONSES["headers"]) as port:
        monkeypatch.setenv("OPENROUTER_BASE_URL", "http://gateway.invalid/api/v1")
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        assert error_of("some/model", timeout_s=0.3).kind is ErrorKind.TIMEOUT
