"""The power fails while the bot writes: whatever it has confirmed to Telegram is on the disk.

The writes, syncs, truncations and deletions of the database files are recorded while the bot plays the scenario
(see disk.py), and with them what it sends. From the record, the files are rebuilt as a disk may hold them after
the power failed at some point: what was synced before is there; of what was written since, each sector of 512
bytes may be there or not, independent of the others. The bot's own start opens these files. Then the notes must
be those after some update, and that update must not be older than the last one that the bot confirmed or
replied to.

One thing is assumed, as SQLite does: a deleted file does not come back after a later sync. The suite tries some
points, chosen anew by a seed at every run; `-m long` tries each point in several ways. To repeat a failure, set
SEED.
"""

import json
import pickle
import random
import struct
import sys
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("needs fork and POSIX signals", allow_module_level=True)

from forked_bot import ForkServer
from scenario import ANN, BOB, CID, GROUP, IMPORTED, play

import db
import journal
import storage
from sandbox import telegram

SEED: int | None = None
SAMPLE = 150
WAYS = 12  # at each point, with -m long
SECTOR = 512

QUESTION = 5  # the number of this update, see scenario.py
# After each update: who gets a reply to it, and the notes of Ann and Bob.
UPDATES: list[tuple[int | None, list[str], list[str]]] = [
    (None, [], []),  # of a future version
    (ANN, ["яблоко"], []),
    (ANN, ["яблоко", "груша"], []),
    (GROUP, ["яблоко", "груша"], ["вишня"]),
    (ANN, ["яблоко и слива", "груша"], ["вишня"]),
    (BOB, ["яблоко и слива", "груша"], ["вишня"]),
    (ANN, ["яблоко и слива"], ["вишня"]),
    (None, ["яблоко и слива", "груша"], ["вишня"]),
]


# The record ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """A recorded call."""

    kind: str
    path: str
    offset: int
    data: bytes


@dataclass
class Confirmed:
    """What Telegram may know at some point."""

    updates: int = 0  # how many are confirmed by an offset
    sent: Counter[int] = field(default_factory=Counter)  # chat → messages; the answer to the question is one


def read_record(path: Path) -> list[Event]:
    events, content = [], path.read_bytes()
    while content:
        [size] = struct.unpack("I", content[:4])
        events.append(Event(*pickle.loads(content[4 : 4 + size])))
        content = content[4 + size :]
    return events


def confirmations(events: list[Event]) -> list[Confirmed]:
    """Return what Telegram may know before each event."""
    result: list[Confirmed] = []
    known, first_id = Confirmed(), None
    methods: dict[str, str] = {}  # thread → the method that it is calling
    for event in events:
        result.append(Confirmed(known.updates, known.sent.copy()))
        if event.kind != "send":
            continue
        if event.data.startswith(b"POST /"):
            methods[event.path] = event.data.split(b" ")[1].rpartition(b"/")[2].decode()
        elif event.data.startswith(b"{"):
            params, method = json.loads(event.data), methods[event.path]
            if method == "getUpdates" and "offset" in params:
                first_id = first_id or first_update_id()
                known.updates = max(known.updates, params["offset"] - first_id)
            elif method in ("sendMessage", "sendRichMessage"):
                known.sent[params["chat_id"]] += 1
    return result


def first_update_id() -> int:
    return telegram.World().update({"of_a_future_version": {}})


# The disk ------------------------------------------------------------------------------------------------


class Disk:
    """The files as they are on the disk for certain, and what may have reached them since."""

    def __init__(self) -> None:
        self._files: dict[str, bytearray] = {}
        self._unsynced: dict[str, list[Event]] = {}

    def apply(self, event: Event) -> None:
        if event.kind == "sync":
            for call in self._unsynced.pop(event.path, []):
                _change(self._files, call)
            for path, calls in list(self._unsynced.items()):
                if calls[-1].kind == "delete":
                    del self._unsynced[path]
                    self._files.pop(path, None)
        elif event.kind != "send":
            self._unsynced.setdefault(event.path, []).append(event)

    def image(self, generator: random.Random) -> dict[str, bytearray]:
        """Return the files after a power failure: some of the unsynced calls are lost, some writes are torn."""
        files = {path: bytearray(content) for path, content in self._files.items()}
        kept = generator.choice([0.0, 0.1, 0.5, 0.9, 1.0])
        for calls in self._unsynced.values():
            for call in calls:
                for part in _sectors(call) if call.kind == "write" else [call]:
                    if generator.random() < kept:
                        _change(files, part)
        return files


def _sectors(call: Event) -> Iterator[Event]:
    """Divide a write at the limits of the sectors."""
    start = call.offset
    while start < call.offset + len(call.data):
        end = min((start // SECTOR + 1) * SECTOR, call.offset + len(call.data))
        yield Event("write", call.path, start, call.data[start - call.offset : end - call.offset])
        start = end


def _change(files: dict[str, bytearray], call: Event) -> None:
    if call.kind == "delete":
        files.pop(call.path, None)
        return
    content = files.setdefault(call.path, bytearray())
    if call.kind == "truncate":
        del content[call.offset :]
    else:
        content.extend(bytes(max(0, call.offset - len(content))))
        content[call.offset : call.offset + len(call.data)] = call.data


# The check -----------------------------------------------------------------------------------------------


def check_image(files: dict[str, bytearray], confirmed: Confirmed, folder: Path) -> None:
    """Open the files as the bot does, and check that they hold what is confirmed."""
    folder.mkdir()
    for path, content in files.items():
        (folder / Path(path).name).write_bytes(content)
    db.open(folder / "bot.db")
    try:
        db.use_bot(telegram.BOT["id"])
        assert storage.fetch_all("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        check_content(confirmed)
    finally:
        storage.close()


def check_content(confirmed: Confirmed) -> None:
    notes = [notes_of(user_id) for user_id in (ANN, BOB)]
    handled = [number for number, (_, *state) in enumerate(UPDATES, 1) if state == notes]
    if notes == [[], []]:
        handled.append(0)
    replied = Counter(chat_id for chat_id, *_ in UPDATES[: confirmed.updates])
    assert handled, f"the notes {notes} belong to no update"
    assert max(handled) >= min(confirmed.updates, len(UPDATES)), f"{notes}, but {confirmed}"
    for chat_id, sent in confirmed.sent.items():
        sources = [number for number, (chat, *_) in enumerate(UPDATES, 1) if chat == chat_id]
        if sources:
            replied_to = sources[min(sent, len(sources)) - 1]
            assert max(handled) >= replied_to, f"replied in chat {chat_id}, but {notes}"
    waiting = [*journal.chats_with_replies()]
    for chat_id in (ANN, GROUP):
        is_due = confirmed.sent[chat_id] < replied[chat_id]
        assert not is_due or chat_id in waiting, f"a reply to chat {chat_id} is lost"
    check_question(confirmed, waiting)
    imported = notes_of(CID)[-len(IMPORTED) :]
    assert confirmed.sent[CID] < 2 or imported == IMPORTED, f"imported: {imported}"


def check_question(confirmed: Confirmed, waiting: Container[int]) -> None:
    is_pending = (BOB, 0) in journal.pending_question_keys()
    if confirmed.sent[BOB]:
        assert not is_pending, "an answered question would be answered again"
    elif confirmed.updates > QUESTION:
        assert is_pending or BOB in waiting, "a question is lost"


def notes_of(user_id: int) -> list[str]:
    rows: list[dict[str, Any]] = storage.fetch_all(
        "SELECT text FROM notes WHERE user_id = ? AND deleted_at IS NULL ORDER BY id", (user_id,)
    )
    return [row["text"] for row in rows]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """Record the scenario."""
    folder = tmp_path_factory.mktemp("recorded")
    server = ForkServer()
    try:
        play(server, folder, records=True)
    finally:
        server.close()
    return read_record(folder / "record")


def check_points(events: list[Event], points: list[int], seed: int, folder: Path) -> None:
    """Let the power fail before each of these events."""
    known = confirmations(events)
    disk = Disk()
    generator = random.Random(seed)
    wanted = Counter(points)
    for point, event in enumerate(events):
        for way in range(wanted[point]):
            try:
                check_image(disk.image(generator), known[point], folder / f"{point}-{way}")
            except Exception as error:
                raise AssertionError(f"power lost at {point} of {len(events)}, seed {seed}: {error}") from error
        disk.apply(event)


def test_the_record_is_complete(events: list[Event]) -> None:
    last = confirmations(events)[-1]
    assert last.updates > len(UPDATES)
    assert set(last.sent) == {ANN, BOB, CID, GROUP}
    kinds = {(event.kind, Path(event.path).name) for event in events if event.kind != "send"}
    assert kinds >= {("sync", "bot.db"), ("sync", "bot.db-wal"), ("delete", "bot.db-journal")}


def test_a_power_loss_at_some_points(events: list[Event], tmp_path: Path) -> None:
    seed = SEED if SEED is not None else random.randrange(10**6)
    points = random.Random(seed).choices(range(len(events)), k=SAMPLE)
    check_points(events, points, seed, tmp_path)


@pytest.mark.long
def test_a_power_loss_at_every_point(events: list[Event], tmp_path: Path) -> None:
    check_points(events, list(range(len(events))) * WAYS, 0, tmp_path)
    print(f"{len(events)} points, {len(events) * WAYS} disk images")
