"""sandbox/openrouter: pictures in questions and speech to text, as the gateways document them.

- https://openrouter.ai/docs/guides/overview/multimodal/images and …/stt
- https://platform.openai.com/docs/api-reference/audio/createTranscription for local servers
"""

import base64
import json
from typing import Any

import pytest
import requests

from sandbox import demo
from sandbox.openrouter import EmulatedGateway, describe_model
from sandbox.telegram.files import sample

KEY = {"Authorization": "Bearer sandbox"}
SEEING, BLIND = "google/gemma-4-31b-it:free", "cohere/north-mini-code:free"
VOICE = base64.b64encode(sample("voice")).decode()


def picture_part(content: bytes, kind: str = "jpeg") -> dict[str, Any]:
    url = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def ask(url: str, model: str, *parts: dict[str, Any]) -> requests.Response:
    content = [{"type": "text", "text": "Что здесь?"}, *parts]
    body = {"model": model, "messages": [{"role": "user", "content": content}]}
    return requests.post(f"{url}/chat/completions", json=body, headers=KEY, timeout=60)


def test_only_a_model_that_sees_accepts_a_picture(openrouter_url: str, gateway: EmulatedGateway) -> None:
    photo = sample("photo")
    answer = ask(openrouter_url, SEEING, picture_part(photo), picture_part(b"\x89PNG...", "png")).json()
    text = answer["choices"][0]["message"]["content"]
    assert "Что здесь?" in text
    assert f"[JPEG, {len(photo)} Б]\n[PNG, 7 Б]" in text
    refused = ask(openrouter_url, BLIND, picture_part(photo))
    assert refused.status_code == 404
    assert refused.json()["error"]["message"] == "No endpoints found that support image input"
    gateway.catalog["data"].append(describe_model("lab/eye:free", input_modalities=["text", "image"]))
    assert ask(openrouter_url, "lab/eye:free", picture_part(photo)).status_code == 200
    assert ask(openrouter_url, BLIND).status_code == 200


@pytest.mark.parametrize(
    "part",
    [
        picture_part(b"\x89PNG..."),
        {"type": "image_url", "image_url": "data:image/png;base64,AAAA"},
        {"type": "image_url", "image_url": {"url": "https://a.example/cat.png"}},
        {"type": "image", "text": "?"},
    ],
)
def test_a_picture_that_is_none_is_refused(openrouter_url: str, part: dict[str, Any]) -> None:
    assert ask(openrouter_url, SEEING, part).status_code == 400


def test_a_local_server_without_eyes_says_so(local_llm: EmulatedGateway) -> None:
    refused = ask(local_llm.url, "llama", picture_part(sample("photo")))
    assert refused.status_code == 500
    assert "image input is not supported" in refused.json()["error"]["message"]
    local_llm.seeing_models.add("llama")
    assert ask(local_llm.url, "llama", picture_part(sample("photo"))).status_code == 200


def test_the_prepared_answers_cite_notes_that_hold_more_than_a_text() -> None:
    notes = [
        {"id": 1, "date": "…", "text": "Купить ёлку", "forwarded_from": "Новости"},
        {"id": 2, "date": "…", "text": "", "files": ["Фото", "Файл «Договор.pdf»"]},
        {"id": 3, "date": "…", "text": "", "transcript": "стоматолог в среду", "files": ["Голосовое"]},
    ]
    lines = "\n".join(json.dumps(note, ensure_ascii=False) for note in notes)
    contents = ["правила", lines, "Что в заметках?"]
    messages = [{"role": "user", "content": content} for content in contents]
    answer = demo.Answers().answer_to({"model": "a/b", "messages": messages})
    assert "- «Купить ёлку» #1\n- «Фото, Файл «Договор.pdf»» #2\n- «стоматолог в среду» #3" in answer


def transcribe(url: str, headers: dict[str, str] | None = None, **changes: Any) -> requests.Response:
    body = {"model": "openai/whisper-1", "input_audio": {"data": VOICE, "format": "ogg"}, **changes}
    return requests.post(f"{url}/audio/transcriptions", json=body, headers=headers or KEY, timeout=60)


def test_openrouter_transcribes_json(openrouter_url: str, gateway: EmulatedGateway) -> None:
    response = transcribe(openrouter_url, language="ru")
    assert response.json()["text"] == f"Расшифровка записи: OGG, {len(sample('voice'))} Б."
    assert set(response.json()["usage"]) == {"seconds", "cost"}
    assert response.headers["X-Generation-Id"].startswith("gen-")
    [asked] = gateway.transcriptions
    assert (asked["audio"], asked["format"], asked["language"]) == (sample("voice"), "ogg", "ru")
    listed = requests.get(f"{openrouter_url}/models?output_modalities=transcription", timeout=60).json()["data"]
    assert "openai/whisper-1" in [model["id"] for model in listed]
    listed = requests.get(f"{openrouter_url}/models", timeout=60).json()["data"]
    assert "openai/whisper-1" not in [model["id"] for model in listed]


def test_openrouter_refuses_other_recordings(openrouter_url: str) -> None:
    for changes, status in (
        ({"model": SEEING}, 400),
        ({"input_audio": {"data": VOICE, "format": "oga"}}, 400),
        ({"input_audio": {"data": "data:audio/ogg;base64,AAAA", "format": "ogg"}}, 400),
        ({"input_audio": VOICE}, 400),
        ({"file": VOICE}, 400),
        ({"headers": {"X-Title": "notes"}}, 401),
        ({"model": "sandbox/status-503"}, 503),
        ({"model": "sandbox/busy"}, 429),
        ({"model": "sandbox/junk"}, 200),
    ):
        assert transcribe(openrouter_url, **changes).status_code == status
    url, files = f"{openrouter_url}/audio/transcriptions", {"file": ("a.ogg", sample("voice"))}
    response = requests.post(url, files=files, data={"model": "openai/whisper-1"}, headers=KEY, timeout=60)
    assert response.status_code == 400


def test_a_fault_of_a_transcription_passes(openrouter_url: str) -> None:
    statuses = [transcribe(openrouter_url, model="sandbox/flaky-1") for _ in range(2)]
    assert [response.status_code for response in statuses] == [503, 200]
    assert statuses[1].json()["text"] == "теперь получилось"


def test_a_local_server_transcribes_a_form(local_llm: EmulatedGateway) -> None:
    url = f"{local_llm.url}/audio/transcriptions"

    def post(name: str) -> requests.Response:
        form = {"model": "whisper", "language": "ru"}
        return requests.post(url, files={"file": (name, sample("voice"))}, data=form, timeout=60)

    assert set(post("voice.ogg").json()) == {"text"}
    assert local_llm.transcriptions[0]["audio"] == sample("voice")
    assert post("voice").status_code == 400
    assert transcribe(local_llm.url).status_code == 422
