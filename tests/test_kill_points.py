"""The bot is killed at each step at which something gets out of it, and must have lost nothing after the restart.

A step is a write, sync, truncation or deletion of SQLite, or a send to Telegram or to a gateway; the process is
killed (SIGKILL) before it, and but for a write also after it. The suite tries a few steps, chosen anew by a
seed at every run; `-m long` tries all. To repeat a failure, set SEED to the seed that it shows.
"""

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("needs fork and POSIX signals", allow_module_level=True)

from forked_bot import ForkServer
from scenario import ANN, CID, GIVEN_UP, IMPORTED, Streams, check_streams, play

from app.jobs import MAX_ATTEMPTS

SEED: int | None = None
SAMPLE = 8

Undisturbed = tuple[tuple[Streams, Streams], str]


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def undisturbed(server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Play the scenario without a crash; return what the bot did in its halves, and the steps that it took."""
    halves, steps = play(server, tmp_path_factory.mktemp("undisturbed"), counts=True)
    assert halves[0][ANN, "files"] == [str(["яблоко и слива", "груша"])]
    assert all(text in halves[1][CID, "messages"][-2] for text in IMPORTED)
    assert set(steps) >= set("wsdn")
    return halves, steps


def check_kill(
    server: ForkServer, folder: Path, undisturbed: Undisturbed, kill_at: tuple[int, ...], seed: int
) -> int:
    """Play the scenario with kills at these steps; return how many messages the bot repeated."""
    folder.mkdir()
    halves, _ = play(server, folder, kill_at)
    given_up = sum(len(streams.pop(key)) for streams in halves for key in list(streams) if key[1] == GIVEN_UP)
    try:
        assert given_up <= len(kill_at) // MAX_ATTEMPTS, "a job is given up too early"
        return sum(map(check_streams, halves, undisturbed[0]))
    except AssertionError as error:
        log = (folder / "bot.log").read_text(encoding="utf-8")
        raise AssertionError(f"killed at {kill_at}, seed {seed}: {error}\n{log}") from error


def test_a_kill_at_some_steps(server: ForkServer, undisturbed: Undisturbed, tmp_path: Path) -> None:
    seed = SEED if SEED is not None else random.randrange(10**6)
    generator = random.Random(seed)
    steps = len(undisturbed[1])
    for number in range(SAMPLE):
        first = generator.randrange(steps * number // SAMPLE, steps * (number + 1) // SAMPLE) + 1
        second = generator.randrange(1, 150)  # the first steps after the restart, which repairs the database
        kill_at = (first, second) if number % 2 else (first,)
        check_kill(server, tmp_path / str(number), undisturbed, kill_at, seed)


@pytest.mark.long
def test_a_kill_at_every_step(server: ForkServer, undisturbed: Undisturbed, tmp_path: Path) -> None:
    steps = len(undisturbed[1])
    repeated = sum(
        check_kill(server, tmp_path / str(step), undisturbed, (step,), 0) for step in range(1, steps + 1)
    )
    print(f"{steps} kills, {repeated} repeated messages")
