"""The models of `python -m sandbox`: an answer that shows all formatting, and models that fail."""

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

ANSWER = """\
Это **песочница**: вместо модели `{model}` — имитация, поэтому ответ всегда один и тот же. Зато видно, \
как бот показывает Markdown.

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
   - ключ словаря.

> Вы спросили: «{question}»

Задайте `OPENROUTER_API_KEY` — и ответит настоящая модель."""


def build_gateway() -> EmulatedGateway:
    """Return OpenRouter as a visitor of the sandbox sees it."""
    gateway = EmulatedGateway()
    models = {**SEED_MODELS, **FAILING_MODELS}
    gateway.catalog = {"data": [describe_model(key, label) for key, label in models.items()]}
    gateway.chunk_delay_s = CHUNK_DELAY_S
    gateway.answer_to = answer_to
    return gateway


def answer_to(body: Json) -> str:
    """Return an answer that uses every kind of formatting."""
    question = " ".join(question_of(body).split())
    return ANSWER.format(model=body["model"], question=question)
