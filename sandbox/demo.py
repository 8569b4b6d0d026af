"""What the models of `python -m sandbox` are called and say: a visitor is to see what the bot makes of it."""

from sandbox import openrouter
from sandbox.openrouter import Gateway, Json

PIECE_S = 0.05  # for each word: an answer is seen growing

# Behind a model that fails stands one that answers well: the next of the list takes its place.
TROUBLE = {
    "sandbox/busy:free": "Песочница: занята (429)",
    "qwen/qwen3-coder:free": "Qwen3 Coder (free)",
    "sandbox/half:free": "Песочница: обрывается",
    "openai/gpt-oss-20b:free": "gpt-oss 20B (free)",
    "sandbox/slow-80:free": "Песочница: думает 8 секунд",
    "sandbox/long-9:free": "Песочница: пишет долго",
}

ANSWER = """\
Это **песочница**: за модель `{model}` отвечает программа, поэтому ответ всегда один и тот же. Зато видно, \
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


def gateway() -> Gateway:
    """Return OpenRouter as a visitor meets it: with models in trouble, and an answer worth looking at."""
    played = Gateway()
    models = {**openrouter.SEEDS, **TROUBLE}
    played.catalogue = {"data": [openrouter.described(key, label) for key, label in models.items()]}
    played.piece_s = PIECE_S
    played.answer_to = answer_to
    return played


def answer_to(body: Json) -> str:
    """Return an answer with all that Markdown has."""
    question = " ".join(body["messages"][-1]["content"].split())
    return ANSWER.format(model=body["model"], question=question)
