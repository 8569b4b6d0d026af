"""Every Russian sentence the bot says, and the helpers that make text fit to be said."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any


def plural(number: int, one: str, few: str, many: str) -> str:
    """Return the number with the form of the word that goes with it: 1 заметка, 2 заметки, 5 заметок."""
    tens, ones = number % 100, number % 10
    if ones == 1 and tens != 11:
        return f"{number} {one}"
    if 2 <= ones <= 4 and not 12 <= tens <= 14:
        return f"{number} {few}"
    return f"{number} {many}"


def storable(text: str) -> str:
    """Replace what JSON can carry but SQLite's index or the wire cannot: NUL, and halves of surrogate pairs."""
    text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def without_yo(text: str) -> str:
    """Write ё as е, as most people do."""
    return text.replace("ё", "е").replace("Ё", "Е")


def notes(number: int) -> str:
    """Count notes in words."""
    return plural(number, "заметка", "заметки", "заметок")


def when(seconds: int) -> str:
    """Say a moment (Unix seconds) as a local date and time."""
    return f"{datetime.fromtimestamp(seconds):%d.%m.%Y %H:%M}"


# The commands ------------------------------------------------------------------------------------------

GREETING = (
    "Привет! Я храню ваши заметки и спрашиваю языковые модели.\n"
    "Начните с /note_add купить молоко или /ask почему небо голубое?"
)
HINT = "Я понимаю команды, начинающиеся с «/». Вот все: /help"
FAILED = "Что-то пошло не так, ошибка записана в журнал. Попробуйте ещё раз."


def help_line(name: str, usage: str, summary: str) -> str:
    """Describe one command."""
    command = f"/{name} {usage}".strip()
    return f"{command} — {summary}"


def help_text(lines: Iterable[str]) -> str:
    """List the commands."""
    return "\n".join(["Команды:", *lines])


def usage_line(name: str, usage: str) -> str:
    """Say how a command is written."""
    return f"Использование: /{name} {usage}".rstrip()


def unknown_command(name: str) -> str:
    """Point a person who mistyped a command to the list."""
    return f"Не знаю команды /{name}. Вот все: /help"


# Notes -------------------------------------------------------------------------------------------------

NO_NOTES = "Заметок пока нет. Добавьте первую: /note_add <текст>"
NOTHING_FOUND = "Ничего не нашлось."
EXPORT_CAPTION = "Все ваши заметки."


def note_added(number: int) -> str:
    """Confirm a new note."""
    return f"Заметка #{number} добавлена."


def note_edited(number: int) -> str:
    """Confirm an edit."""
    return f"Заметка #{number} изменена."


def note_deleted(number: int) -> str:
    """Confirm a deletion."""
    return f"Заметка #{number} удалена."


def note_missing(number: int) -> str:
    """Answer for a note that is not there, or is not theirs."""
    return f"Заметка #{number} не найдена."


def note(row: Mapping[str, Any]) -> str:
    """Show one note."""
    return f"#{row['id']} · {when(row['created_at'])}\n{row['text']}"


def note_list(rows: Iterable[Mapping[str, Any]], heading: str) -> str:
    """Show notes under a heading."""
    return "\n\n".join([heading, *map(note, rows)])


def latest(shown: int, total: int) -> str:
    """Head a list of the newest notes."""
    return f"Последние заметки ({shown} из {total}):"


def found(shown: int, *, more: bool) -> str:
    """Head the notes that a search found."""
    return f"Первые {notes(shown)} из найденных:" if more else f"Найдено: {notes(shown)}."


def note_count(total: int) -> str:
    """Say how many notes there are."""
    return f"У вас {notes(total)}."


def note_stats(per_day: Mapping[date, int], days: int) -> str:
    """Show notes per day, newest first, and their total; days without notes are left out."""
    total = sum(per_day.values())
    period = plural(days, "день", "дня", "дней")
    lines = [f"{day:%d.%m.%Y}: {number}" for day, number in sorted(per_day.items(), reverse=True)]
    return "\n".join([f"Заметки за {period}:", *lines, f"Всего: {notes(total)}."])


# Models and questions ----------------------------------------------------------------------------------

SYSTEM_PROMPT = (
    "Ты отвечаешь кратко и по-существу.\nПравила:\n1) Технические ответы давай корректно и по пунктам.\n"
)
NO_MODELS = "Список моделей пуст."
UNKNOWN_MODEL = "Неизвестный ID модели. Сначала /models."


def model_list(models: Iterable[Mapping[str, Any]], page: int = 1, pages: int = 1) -> str:
    """List the models of a page, the active one starred."""
    where = f" (страница {page} из {pages})" if pages > 1 else ""
    lines = [
        f"{'★' if m['active'] else ' '} {m['id']}. {m['label']} [{m['key']}]"
        + ("" if m["available"] else " — недоступна")
        for m in models
    ]
    return "\n".join([f"Доступные модели{where}:", *lines, "Активировать: /model <ID>"])


def model_button(model: Mapping[str, Any]) -> str:
    """Label the button of a model."""
    return f"{'★ ' if model['active'] else ''}{model['id']}. {model['label']}"


def model_paid(model: Mapping[str, Any]) -> str:
    """Refuse a model that costs money."""
    return (
        f"{model['label']} — платная модель, за неё платит хозяин бота."
        " Разрешить платные: ALLOW_PAID_MODELS=1 в .env. Бесплатные: /models"
    )


def model_vanished(switch: Mapping[str, Any]) -> str:
    """Tell once that the active model is gone, and which took its place."""
    return f"Модель {switch['vanished']} больше недоступна, вместо неё теперь {switch['active']}. Сменить: /models"


NO_PROVIDERS = "Провайдеры есть только у RVFreeLLM: задайте RVFREELLM_API_KEY в .env."
PREVIOUS, NEXT = "◀", "▶"


def catalogue_line(gateway: str, new: int, vanished: int) -> str:
    """Say what changed in a gateway's list of models."""
    return f"{gateway}: новых {new}, исчезло {vanished}"


def catalogue_failed(gateway: str, error: object) -> str:
    """Say why a gateway's list of models is not fetched."""
    return f"{gateway}: список прежний. {error}"


def catalogue_refreshed(lines: Iterable[str]) -> str:
    """Say what changed in the lists of models."""
    return "\n".join(["Список моделей обновлён:", *lines, "Посмотреть: /models"])


def providers(rows: Iterable[Mapping[str, Any]]) -> str:
    """Show a gateway's providers."""
    lines = []
    for row in rows:
        line = f"{row['name']}: {plural(row['models'], 'модель', 'модели', 'моделей')}"
        if row["latency_ms"] is not None:
            line += f", {row['latency_ms']:.0f} мс"
        if row["quality"] is not None:
            line += f", качество {row['quality']:g}"
        lines.append(line)
    return "\n".join(["Провайдеры RVFreeLLM:", *lines])


def model_active(model: Mapping[str, Any]) -> str:
    """Say which model is active."""
    return f"Текущая активная модель: {model['label']} [{model['key']}]\n(сменить: /model <ID> или /models)"


def model_switched(model: Mapping[str, Any]) -> str:
    """Confirm the switch to another model."""
    return f"Активная модель переключена: {model['label']} [{model['key']}]"


NOT_YOUR_TALK = "Это ответ на чужой вопрос. Чтобы спросить самому: /ask <вопрос>"
QUESTION_TOO_LONG = "Вопрос не помещается в память модели. Сократите его или выберите другую модель: /models."
AGAIN, SAVE = "🔁 Ещё раз", "📝 В заметки"
ANSWER_GONE = "Этого ответа больше нет."
ASKED_AGAIN = "Спрашиваю ещё раз."
STOPPED = "остановлено"
LENGTH = "ответ обрезан: модель дошла до предела длины"
FILTERED = "ответ прерван фильтром модели"
CUT = "ответ оборвался"


def foot(latency_ms: int, model: str, instead: str = "", mark: str = "") -> str:
    """Say under an answer how long it took and who gave it; after which model failed, and what it lacks."""
    return f"{f'({mark})' if mark else ''}\n\n{latency_ms} мс; модель: {model}{instead}".strip("\n")


def instead_of(model: str, reason: str) -> str:
    """Say which model should have answered, and why it did not."""
    return f" (вместо {model}: {reason})"


def answer(text: str, foot: str) -> str:
    """Put the foot under an answer."""
    return f"{text}\n\n{foot}".strip()


def answer_failed(error: object, model: str = "") -> str:
    """Say why there is no answer, and whose, where several were asked."""
    return f"Ошибка: {error}" + (f"\n\nмодель: {model}" if model else "")


def in_line(place: int) -> str:
    """Say how many are before a question in the line."""
    return f"в очереди: {place}"


def answer_saved(number: int, *, is_new: bool) -> str:
    """Confirm that an answer is kept as a note."""
    return note_added(number) if is_new else f"Уже в заметках: #{number}."


def usage(rows: Iterable[Mapping[str, Any]], days: int, free_today: int, free_limit: int) -> str:
    """Show what was asked of models, and how much of the account's day is spent."""
    lines = [
        f"{row['model']}: {plural(row['requests'], 'запрос', 'запроса', 'запросов')},"
        f" {plural(int(row['tokens']), 'токен', 'токена', 'токенов')}, ${row['cost']:.4f}"
        for row in rows
    ]
    period = plural(days, "день", "дня", "дней")
    return "\n".join(
        [
            f"Ваши запросы к моделям за {period}:",
            *(lines or ["пока не было"]),
            f"Бесплатных запросов сегодня (на всех): {free_today} из {free_limit}.",
        ]
    )


# What OpenRouter's statuses mean, and what to do next ----------------------------------------------------

NO_WEB = "Эта модель не умеет искать в интернете. Выберите другую: /models."
NO_GATEWAY = "Шлюз этой модели не настроен (.env). Выберите другую: /models."
NO_API_KEY = "Отсутствует OPENROUTER_API_KEY (.env)."
STATUS = {
    400: "Модель не приняла запрос. Сократите или перефразируйте вопрос либо выберите другую модель: /models.",
    401: "Ключ OpenRouter неверен или отключён. Проверьте OPENROUTER_API_KEY в .env.",
    402: "На счёте OpenRouter не хватает средств. Пополните счёт или выберите бесплатную модель: /models.",
    403: "Запрос отклонён правилами модели или провайдера. Переформулируйте вопрос или выберите другую модель:"
    " /models.",
    404: "Модель сейчас недоступна. Выберите другую: /models.",
    408: "Модель не успела ответить. Спросите ещё раз или выберите другую: /models.",
    413: "Вопрос слишком велик для этой модели. Сократите его.",
    422: "Модель не смогла разобрать запрос. Перефразируйте вопрос или выберите другую модель: /models.",
    429: "Слишком много запросов. Подождите минуту и спросите снова или выберите другую модель: /models.",
    500: "Внутренняя ошибка OpenRouter. Спросите ещё раз чуть позже.",
    502: "Провайдер модели ответил ошибкой. Спросите ещё раз или выберите другую модель: /models.",
    503: "Сейчас эту модель никто не обслуживает. Спросите позже или выберите другую: /models.",
    504: "Провайдер модели не ответил вовремя. Спросите ещё раз или выберите другую модель: /models.",
    524: "Провайдер модели не ответил вовремя. Спросите ещё раз или выберите другую модель: /models.",
    529: "Провайдер модели перегружен. Спросите позже или выберите другую модель: /models.",
}
MODEL_TIMEOUT = "Модель не ответила вовремя. Спросите ещё раз или выберите другую: /models."
NO_CONNECTION = "Нет связи с OpenRouter. Проверьте интернет и спросите ещё раз."
BAD_ANSWER = "Сервер ответил непонятно. Спросите ещё раз или выберите другую модель: /models."
EMPTY_ANSWER = "Модель вернула пустой ответ. Спросите ещё раз или выберите другую: /models."
CUT_ANSWER = "Ответ модели оборвался. Спросите ещё раз или выберите другую модель: /models."
MODEL_REFUSED = "Модель отказалась отвечать. Перефразируйте вопрос или выберите другую модель: /models."
BAD_API_KEY = "В OPENROUTER_API_KEY есть недопустимые символы. Проверьте ключ в .env."


def status(code: int) -> str:
    """Say what a status of OpenRouter means and what to do next."""
    if code in STATUS:
        return STATUS[code]
    if code >= 500:
        return "Сервер модели ответил ошибкой. Спросите ещё раз чуть позже или выберите другую модель: /models."
    return "Запрос не принят. Перефразируйте вопрос или выберите другую модель: /models."


def limit_minute(reset_at: float | None) -> str:
    """Say that the account's requests of this minute are spent; reset_at in Unix seconds."""
    opens = f"в {datetime.fromtimestamp(reset_at):%H:%M:%S}" if reset_at else "через минуту"
    return f"Запросы этой минуты израсходованы, следующие — {opens}. Спросите снова."


def limit_day(reset_at: float | None) -> str:
    """Say that the account's free requests of today are spent; reset_at in Unix seconds."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    opens = datetime.fromtimestamp(reset_at) if reset_at else midnight.astimezone()
    return f"Бесплатные запросы на сегодня израсходованы, новые — {opens:%d.%m в %H:%M}. Спросите снова тогда."


# Why a model was passed over, for the foot of an answer
REASONS = {408: "не ответила вовремя", 404: "недоступна", 429: "лимит запросов", 504: "не ответила вовремя"}
REASON_TIMEOUT, REASON_EMPTY, REASON_CUT = "не ответила вовремя", "пустой ответ", "ответ оборвался"
REASON_GONE, REASON_CONNECTION, REASON_OTHER = "недоступна", "нет связи", "ошибка сервера"


# The exported file --------------------------------------------------------------------------------------


def exported_note(row: Mapping[str, Any]) -> str:
    """Write one note for the exported file."""
    return f"{note(row)}\n"


# Start-up: what the owner has to mend --------------------------------------------------------------------

NO_TOKEN = "Не задан TOKEN: получите его у @BotFather и впишите в .env (образец — .env.example)."
BAD_TOKEN = "TOKEN записан неверно: он выглядит как 123456789:AAE… — скопируйте его у @BotFather целиком."
TOKEN_REFUSED = "Telegram не принял TOKEN: скопируйте его у @BotFather заново и впишите в .env."
BAD_ENV_FILE = "Файл .env не в кодировке UTF-8: сохраните его как UTF-8."


def not_ascii(name: str) -> str:
    """Refuse a setting that no HTTP header can carry."""
    return f"{name} может содержать только латинские буквы, цифры и знаки."


def bad_number(name: str) -> str:
    """Refuse a setting that is no positive whole number."""
    return f"{name} должен быть целым числом больше нуля."


BAD_LOG_LEVEL = "LOG_LEVEL должен быть DEBUG, INFO, WARNING или ERROR."


def bad_url(name: str) -> str:
    """Refuse a setting that is no address."""
    return f"{name} должен быть адресом, который начинается с http:// или https://."


def db_unusable(path: object) -> str:
    """Refuse a database that cannot be opened or written."""
    return f"Не удаётся открыть базу {path}: проверьте DB_PATH, папку и права на запись."


def db_busy(path: object) -> str:
    """Refuse a database that another program holds."""
    return f"База {path} занята другой программой: закройте её и запустите бота снова."


def db_foreign(path: object) -> str:
    """Refuse a file that is not our database."""
    return f"Файл {path} — не база этого бота: укажите другой DB_PATH, этот файл не тронут."


def db_newer(path: object) -> str:
    """Refuse a database written by newer code."""
    return f"База {path} создана более новой версией бота: обновите код, база не тронута."
