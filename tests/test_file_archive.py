"""app.file_archive: all notes with their files, through the running bot and the emulated Telegram."""

import io
import json
import random
import zipfile
from collections.abc import Callable

import pytest
from conftest import BotProcess, Person, eventually

import texts
from app import file_archive
from sandbox.telegram import World
from telegram.limits import MAX_DOWNLOAD_BYTES

MakePerson = Callable[..., Person]
LARGE = MAX_DOWNLOAD_BYTES // 2 + 2**20  # two of them are too large for an import


def export(ann: Person, world: World) -> tuple[zipfile.ZipFile, str]:
    """Ask for the archive; return it and its caption."""
    ann.says("/note_export zip")
    sent = ann.hears()
    assert sent["document"]["file_name"] == "notes.zip"
    return zipfile.ZipFile(io.BytesIO(world.files[sent["document"]["file_id"]])), sent["caption"]


def keep(ann: Person, kind: str, content: bytes = b"", **details: object) -> str:
    """Send a file, wait until it is a note; return its file_id."""
    media = ann.keeps(kind, content, details=details)[kind]
    return str((media[-1] if kind == "photo" else media)["file_id"])


def test_an_archive_holds_the_files_and_comes_back(
    bot_process: BotProcess, person: MakePerson, world: World
) -> None:
    bot_process.start()
    ann, bob = person(1), person(2)
    ann.asks("/note_add раз")
    named = keep(ann, "document", b"PK\x01\x02" * 200, file_name="../Отчёт: 1.docx")
    photo, voice = keep(ann, "photo"), keep(ann, "voice")
    lost = keep(ann, "video")
    keep(ann, "document", b" " * (MAX_DOWNLOAD_BYTES + 1), file_name="фильм.mkv")
    ann.keeps("location")
    del world.files[lost]
    world.faults.drop_before, world.faults.methods = 0.3, frozenset(["getFile", "download"])
    world.faults.generator = random.Random(33)  # the 4th and the 8th call fail; each makes the next pause longer
    calls = len(world.calls)
    archive, caption = export(ann, world)
    world.faults.drop_before = 0.0
    assert [method for method, _ in world.calls[calls:]].count("getFile") > 4, "some of four files are tried again"
    assert caption == texts.export_with_files(3, 2)
    assert archive.testzip() is None
    contents = {name: archive.read(name) for name in archive.namelist()}
    files = {name: content for name, content in contents.items() if name.startswith("files/")}
    assert files == {
        "files/2-1 .._Отчёт_ 1.docx": world.files[named],
        "files/3-1 photo.jpg": world.files[photo],
        "files/4-1 voice.ogg": world.files[voice],
    }
    missing = contents["not-included.txt"].decode()
    assert f"#5 · Видео, 0:02 — {texts.NOT_INCLUDED_UNAVAILABLE}\n" in missing
    assert f"#6 · Файл «фильм.mkv» — {texts.NOT_INCLUDED_TOO_LARGE}\n" in missing
    assert len(json.loads(contents["notes.json"])["notes"]) == 7
    assert archive.fp
    archive.fp.seek(0)
    bob.sends_file("notes.zip", archive.fp.read(), "/note_import")
    assert bob.hears()["text"] == texts.imported(7, 0, 0)
    bob.says("/note_show 3")
    assert bob.hears()["photo"][-1]["file_id"] == photo


def test_an_archive_stays_within_the_limit_of_files_that_a_bot_sends(
    bot_process: BotProcess, person: MakePerson, world: World
) -> None:
    bot_process.start()
    ann = person()
    for number in range(5):
        keep(ann, "document", bytes([number]) * LARGE, file_name=f"{number}.bin")
    archive, caption = export(ann, world)
    assert caption == texts.export_with_files(4, 1, is_too_large=True)
    assert texts.NOT_INCLUDED_NO_ROOM in archive.read("not-included.txt").decode()


def test_an_archive_of_texts_and_one_of_nothing(bot_process: BotProcess, person: MakePerson, world: World) -> None:
    bot_process.start()
    ann = person()
    ann.asks("/note_add раз")
    archive, caption = export(ann, world)
    assert archive.namelist() == ["notes.json"]
    assert caption == texts.export_with_files(0, 0)
    with world.batch():
        ann.says("/note_export zip")
        ann.says("/note_del 1")
    assert texts.NO_NOTES in {ann.hears()["text"] for _ in range(2)}


def test_an_export_with_files_survives_a_crash_and_delays_nobody(
    bot_process: BotProcess, person: MakePerson, world: World
) -> None:
    bot_process.start()
    ann, bob = person(1), person(2)
    keep(ann, "photo")
    keep(ann, "voice")
    world.faults.drop_before, world.faults.methods = 1.0, frozenset(["download"])
    ann.says("/note_export zip")
    eventually(lambda: [method for method, _ in world.calls].count("getFile") >= 2)
    assert bob.asks("/note_add раз").startswith("Заметка #1")
    assert ann.asks("/note_add раз").startswith("Заметка #3")
    bot_process.kill()
    world.faults.drop_before = 0.0
    bot_process.start()
    message = ann.hears()
    if "caption" not in message:  # the reply that the crash repeats
        message = ann.hears()
    assert message["caption"] == texts.export_with_files(2, 0)


@pytest.mark.parametrize(
    ("name", "in_archive"),
    [
        (None, "1-2 voice.ogg"),
        ("a/b\\c:d\0.txt", "1-2 a_b_c_d_.txt"),
        ("x" * 500 + ".pdf", "1-2 " + "x" * 76 + ".pdf"),
    ],
)
def test_names_in_an_archive(name: str | None, in_archive: str) -> None:
    attachment = {"kind": "voice", "file_name": name}
    assert file_archive.file_name(1, 2, attachment) == in_archive  # type: ignore[arg-type]
