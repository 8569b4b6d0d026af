"""The cost of a note: `python -m bench.bench_bot` prints the table in docs/benchmarks.md.

Fifty people write to the bot. The bot and the emulated services are separate processes that talk HTTP on loopback.
"""

import statistics
import sys
import threading
import time
from collections import defaultdict

from bench.measure import BOT_COMMAND, Bot, print_table, running_bot
from sandbox.openrouter import EmulatedGateway
from sandbox.telegram import Faults, World
from storage import SCHEMA

RUNS = 3
START_RUNS = 7
PEOPLE = 50
NOTES = 1000
SINGLE_NOTES = 100
WAITING_QUESTIONS = 20
MODEL_S = 3.0
ROUND_TRIP_S = 0.04

# The smallest bot with the same library that stores something: it creates tables, sets its menu and polls.
# Start-up time and memory are compared with it.
BARE_BOT = f"""
import os, sqlite3, dotenv, requests, telebot
dotenv.load_dotenv()
db = sqlite3.connect(os.environ["DB_PATH"])
db.executescript(open({str(SCHEMA)!r}, encoding="utf-8").read())
telebot.apihelper.API_URL = os.environ["TELEGRAM_API_URL"] + "/bot{{0}}/{{1}}"
bot = telebot.TeleBot(os.environ["TOKEN"])
bot.set_my_commands([telebot.types.BotCommand("start", "начать")])
bot.infinity_polling()
"""

Samples = dict[str, list[float]]


def flood(round_trip_s: float, samples: Samples) -> None:
    """Send all notes at once; record the rate, the cost and the order of the replies."""
    world = World()
    with running_bot(world, EmulatedGateway()) as bot:
        warm_up(world)
        world.faults = Faults(delay_s=round_trip_s)
        cpu_s, events = bot.cpu_s(), len(world.events)
        open_files = _OpenFilesPeak(bot)
        started = time.perf_counter()
        send_notes(world)
        while len(world.events) < events + NOTES:  # costs the emulated Telegram less time than World.wait()
            time.sleep(0.002)
        samples[f"rate {round_trip_s}"].append(NOTES / (time.perf_counter() - started))
        samples["cpu"].append((bot.cpu_s() - cpu_s) / NOTES * 1000)
        samples["memory"].append(bot.memory_mib("VmHWM"))
        samples["open files"].append(open_files.stop())
        samples["out of order"].append(people_out_of_order(world, events))


def send_notes(world: World) -> None:
    """Send all notes at once."""
    with world.batch():
        for n in range(NOTES):
            world.say(1 + n % PEOPLE, f"/note_add заметка номер {n}")


class _OpenFilesPeak:
    """Measures the largest number of files that a bot has open."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._peak = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._measure)
        self._thread.start()

    def _measure(self) -> None:
        while not self._stopped.wait(0.02):
            self._peak = max(self._peak, self._bot.open_files())

    def stop(self) -> int:
        self._stopped.set()
        self._thread.join()
        return self._peak


def people_out_of_order(world: World, first_event: int) -> int:
    """Return the number of people whose replies arrived in another order than their notes."""
    note_ids: dict[int, list[int]] = defaultdict(list)
    for event in world.events[first_event:]:
        note_ids[event["chat_id"]].append(int(event["message"]["text"].split("#")[1].split()[0]))
    return sum(ids != sorted(ids) for ids in note_ids.values())


def stop_halfway() -> float:
    """Stop the bot in the middle of a flood; return how long it took to exit, in seconds."""
    world = World()
    with running_bot(world, EmulatedGateway()) as bot:
        send_notes(world)
        world.wait(lambda: len(world.events) > NOTES // 2)
        started = time.perf_counter()
        bot.stop()
        return time.perf_counter() - started


def reply_times_ms(world: World, count: int, user_id: int = 1) -> list[float]:
    """Send notes one at a time; return how long each reply took, in milliseconds."""
    return [reply_time_ms(world, user_id, f"/note_add по одной {n}") for n in range(count)]


def reply_time_ms(world: World, user_id: int, text: str) -> float:
    """Send a text; return how long the reply took, in milliseconds."""
    replies = len(world.events_of(user_id))
    started = time.perf_counter()
    world.say(user_id, text)
    world.wait(lambda: len(world.events_of(user_id)) > replies)
    return (time.perf_counter() - started) * 1000


def warm_up(world: World) -> None:
    """Send a few notes, so that connections are open and caches are filled."""
    reply_times_ms(world, 10, user_id=999)


def idle_reply_ms(round_trip_s: float) -> float:
    """Return the median time of a reply while the bot does nothing else, in milliseconds."""
    world = World()
    with running_bot(world, EmulatedGateway()):
        warm_up(world)
        world.faults = Faults(delay_s=round_trip_s)
        return statistics.median(reply_times_ms(world, SINGLE_NOTES))


def notes_while_models_think(samples: Samples) -> None:
    """Record how long replies to notes take before and while questions wait for a slow model."""
    world, gateway = World(), EmulatedGateway()
    gateway.think_s = MODEL_S
    with running_bot(world, gateway):
        warm_up(world)
        samples["before"].append(statistics.median(reply_times_ms(world, SINGLE_NOTES)))
        events = len(world.events)
        started = time.perf_counter()
        for user_id in range(100, 100 + WAITING_QUESTIONS):
            world.say(user_id, "/ask почему небо голубое?")
        while len(gateway.requests) < WAITING_QUESTIONS:
            time.sleep(0.01)
        samples["meanwhile"].append(statistics.median(reply_times_ms(world, SINGLE_NOTES)))
        while sum("message" in event for event in world.events[events:]) < WAITING_QUESTIONS + SINGLE_NOTES:
            time.sleep(0.005)
        samples["questions"].append(time.perf_counter() - started)


def start_up(samples: Samples, name: str, command: tuple[str, ...]) -> None:
    """Record the time until the first getUpdates, and the memory one second later."""
    world = World()
    with running_bot(world, EmulatedGateway(), command) as bot:
        samples[f"{name} start"].append((time.perf_counter() - bot.started_at) * 1000)
        time.sleep(1)
        samples[f"{name} memory"].append(bot.memory_mib())


def measure() -> Samples:
    """Run every benchmark that records samples."""
    samples: Samples = defaultdict(list)
    for _ in range(RUNS):
        for round_trip_s in (0.0, ROUND_TRIP_S):
            flood(round_trip_s, samples)
            samples[f"idle {round_trip_s}"].append(idle_reply_ms(round_trip_s))
        notes_while_models_think(samples)
        samples["exit"].append(stop_halfway())
    for _ in range(START_RUNS):
        start_up(samples, "bare", (sys.executable, "-c", BARE_BOT))
        start_up(samples, "bot", BOT_COMMAND)
    return samples


def table_rows(samples: Samples) -> list[tuple[str, str]]:
    """Return the rows of the table: medians, but the worst run for order, memory and open files."""
    median = {name: statistics.median(values) for name, values in samples.items()}
    meanwhile_ratio = median["meanwhile"] / median["before"]
    start_ratio = median["bot start"] / median["bare start"]
    memory_ratio = median["bot memory"] / median["bare memory"]
    return [
        (
            "notes per second, round trip 0 / 40 ms",
            f"{median['rate 0.0']:.0f} / {median[f'rate {ROUND_TRIP_S}']:.0f}",
        ),
        (
            "reply to a note when idle, round trip 0 / 40 ms",
            f"{median['idle 0.0']:.1f} / {median[f'idle {ROUND_TRIP_S}']:.1f} ms",
        ),
        (
            f"the same while {WAITING_QUESTIONS} questions wait {MODEL_S:.0f} s each, relative to idle",
            f"{median['meanwhile']:.1f} ms, {meanwhile_ratio:.2f} ×",
        ),
        (f"time to answer these {WAITING_QUESTIONS} questions", f"{median['questions']:.1f} s"),
        ("SIGTERM under full load: time to exit", f"{median['exit']:.1f} s"),
        ("people whose replies arrived out of order", f"{max(samples['out of order']):.0f}"),
        ("CPU time per update under full load", f"{median['cpu']:.2f} ms"),
        (
            "peak memory and open files under full load",
            f"{max(samples['memory']):.0f} MiB, {max(samples['open files']):.0f}",
        ),
        (
            "start to the first getUpdates, relative to the bare bot",
            f"{median['bot start']:.0f} ms, {start_ratio:.2f} ×",
        ),
        ("memory at rest, relative to the bare bot", f"{median['bot memory']:.0f} MiB, {memory_ratio:.2f} ×"),
    ]


def main() -> None:
    """Run everything and print the table."""
    rows = table_rows(measure())
    print_table(f"A note, {PEOPLE} people, medians of {RUNS} runs", ["", "measured"], rows)


if __name__ == "__main__":
    main()
