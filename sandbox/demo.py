"""The models of `python -m sandbox`: answers that show what a visitor asked for, and models that fail."""

import json
from collections import Counter

from sandbox.openrouter import SEED_MODELS, EmulatedGateway, Json, describe_model
from sandbox.openrouter.pictures import question_of

CHUNK_DELAY_S = 0.05  # slow enough to watch an answer grow

# Each failing model comes before a working one, because the bot falls back to the next model of the list.
FAILING_MODELS = {
    "sandbox/busy:free": "Песочница: занята (429)",
    "qwen/qwen3-coder:free": "Qwen3 Coder (free)",
    "sandbox/half:free": "Песочница: обрывается",
    "openai/gpt-oss-20b:free": "gpt-oss 20B (free)",
    "sandbox/slow-80:free": "Песочница: думает 8 секунд",
    "sandbox/long-9:free": "Песочница: пишет долго",
}

TABLE_AND_CODE = """\
Вот как бот показывает Markdown.

## Список или кортеж?

| | Список | Кортеж |
|:--|:-:|:-:|
| Запись | `[1, 2]` | `(1, 2)` |
| Можно изменить | да | **нет** |
| Ключ словаря | нет | да |

```python
point = (3, 4)
steps = [point]
steps.append((5, 6))  # список растёт
point[0] = 7          # TypeError: кортеж не меняется
```

1. Нужно добавлять и убирать — берите **список**.
2. Значения заданы раз и навсегда — **кортеж**:
   - координаты точки,
   - ключ словаря."""

PREPARED_ANSWERS = {  # a part of the question, in lower case → answers that take turns
    "список или кортеж": [TABLE_AND_CODE],
    "почему небо голубое": [
        "Воздух рассеивает **синий** свет примерно вчетверо сильнее красного, и он приходит к нам со всех сторон.",
        "По шагам:\n\n1. Солнечный свет — смесь всех цветов.\n"
        "2. Молекулы воздуха рассеивают короткие волны сильнее длинных: это рэлеевское рассеяние.\n"
        "3. Самого короткого, фиолетового, света меньше, и глаз видит его хуже.\n4. Остаётся **голубой**.",
        "Представьте пинбол: красные лучи пролетают насквозь, а синие отскакивают от каждой молекулы и попадают в"
        " глаз отовсюду.\n\n> А на закате путь длиннее: синий рассеялся по дороге, и небо **красное**.",
    ],
}
OTHER_ANSWERS = [
    "Вы спросили: «{question}». Настоящая модель ответила бы здесь.",
    "Вопрос получен: «{question}». Ответ модели был бы таким же **сообщением**, как это.",
    "- Вопрос: «{question}»\n- Отвечает: `{model}`\n- Ответ: его дала бы настоящая модель",
]
SIGNATURE = (
    "Это **песочница**: вместо модели `{model}` — имитация. Задайте `OPENROUTER_API_KEY` — и ответит настоящая."
)

MAX_CITED_NOTES = 5


def build_gateway() -> EmulatedGateway:
    """Return OpenRouter as a visitor of the sandbox sees it."""
    gateway = EmulatedGateway()
    models = {**SEED_MODELS, **FAILING_MODELS}
    gateway.catalog = {"data": [describe_model(key, label) for key, label in models.items()]}
    gateway.chunk_delay_s = CHUNK_DELAY_S
    gateway.answer_to = Answers().answer_to
    return gateway


class Answers:
    """The answers to questions. The same question gets another answer each time, so that /compare shows three."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()  # question → how often it was answered

    def answer_to(self, body: Json) -> str:
        """Return an answer that shows what the question, the conversation and the notes were."""
        question = " ".join(question_of(body).split())
        notes = notes_in(body)
        if notes:
            parts = [cite(notes)]
        else:
            parts = [*recall(body), self._take_turns(question).format(question=question, model=body["model"])]
        return "\n\n".join([*parts, SIGNATURE.format(model=body["model"])])

    def _take_turns(self, question: str) -> str:
        matching = (answers for part, answers in PREPARED_ANSWERS.items() if part in question.lower())
        answers = next(matching, OTHER_ANSWERS)
        self._counts[question] += 1
        return answers[(self._counts[question] - 1) % len(answers)]


def notes_in(body: Json) -> list[Json]:
    """Return the notes that the prompt of a /note_ask quotes: one JSON object a line, after the system prompt."""
    try:
        lines = str(body["messages"][1]["content"]).split("\n")
        notes = [json.loads(line) for line in lines]
    except (IndexError, ValueError):
        return []
    return [note for note in notes if isinstance(note, dict) and note.keys() >= {"id", "date", "text"}]


def cite(notes: list[Json]) -> str:
    """Return an answer that cites notes by their numbers."""
    lines = [f"- «{' '.join(words_of(note).split())}» #{note['id']}" for note in notes[:MAX_CITED_NOTES]]
    return "\n".join(["В ваших заметках об этом есть вот что:\n", *lines])


def words_of(note: Json) -> str:
    """Return the text of a note; without one, what is said in it or the names of its files."""
    return str(note["text"] or note.get("transcript") or ", ".join(note.get("files", [])))


def recall(body: Json) -> list[str]:
    """Return what shows that the model knows the conversation; nothing at its beginning."""
    earlier = [message["content"] for message in body["messages"][1:-1] if message["role"] == "user"]
    return [f"Мы уже говорили об этом, вы спрашивали: «{earlier[-1]}»."] if earlier else []
