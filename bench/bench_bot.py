"""What a note costs: `python -m bench.bench_bot` prints the table of the README.

Fifty people write to the bot between the two stand-ins, over real HTTP on loopback, in processes of their own.
"""

import statistics
import sys
import threading
import time
from collections import defaultdict

from bench.measure import OURS, Bot, bot_between, median_of, print_table
from sandbox.openrouter import Gateway
from sandbox.telegram import Faults, World
from storage import SCHEMA

RUNS = 3
PEOPLE = 50
NOTES = 1000
NOTES_MEANWHILE = 100
# As little as a bot with this library can be that keeps something: it makes its tables, sets its menu and polls.
# Start-up and memory are compared with it.
BARE = f"""
import os, sqlite3, dotenv, requests, telebot
dotenv.load_dotenv()
db = sqlite3.connect(os.environ["DB_PATH"])
db.executescript(open({str(SCHEMA)!r}, encoding="utf-8").read())
telebot.apihelper.API_URL = os.environ["TELEGRAM_API_URL"] + "/bot{{0}}/{{1}}"
bot = telebot.TeleBot(os.environ["TOKEN"])
bot.set_my_commands([telebot.types.BotCommand("start", "начать")])
bot.infinity_polling()
"""


def flood(round_trip_s: float, measured: dict[str, list[float]]) -> None:
    """Let all people write at once; note down the rate, the cost and the order."""
    world = World()
    with bot_between(world, Gateway()) as bot:
        warm_up(world)
        world.faults = Faults(delay_s=round_trip_s)
        cpu, events = bot.cpu_s(), len(world.events)
        files = _Peak(bot)
        started = time.perf_counter()
        with world.frozen():
            for n in range(NOTES):
                world.say(1 + n % PEOPLE, f"/note_add заметка номер {n}")
        while len(world.events) < events + NOTES:  # looking now and then takes less from the stand-in than wait()
            time.sleep(0.002)
        took = time.perf_counter() - started
        measured[f"rate {round_trip_s}"].append(NOTES / took)
        measured["cpu"].append((bot.cpu_s() - cpu) / NOTES * 1000)
        measured["memory"].append(bot.memory_mib("VmHWM"))
        measured["files"].append(files.stop())
        measured["out of order"].append(people_out_of_order(world, events))


def stop_halfway() -> float:
    """Stop the bot in the middle of a flood; return how long it took to leave, in seconds."""
    world = World()
    with bot_between(world, Gateway()) as bot:
        with world.frozen():
            for n in range(NOTES):
                world.say(1 + n % PEOPLE, f"/note_add заметка номер {n}")
        world.wait(lambda: len(world.events) > NOTES // 2)
        started = time.perf_counter()
        bot.stop()
        return time.perf_counter() - started


class _Peak:
    """Watches how many files a bot has open."""

    def __init__(self, bot: Bot) -> None:
        self._bot, self._most, self._over = bot, 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self._most = max(self._most, self._bot.open_files())

    def stop(self) -> int:
        self._over.set()
        self._thread.join()
        return self._most


def people_out_of_order(world: World, after: int) -> int:
    """Return how many people's replies came in another order than their notes."""
    numbers: dict[int, list[int]] = defaultdict(list)
    for event in world.events[after:]:
        numbers[event["chat_id"]].append(int(event["message"]["text"].split("#")[1].split()[0]))
    return sum(mine != sorted(mine) for mine in numbers.values())


def latencies(world: World, count: int, user_id: int = 1) -> list[float]:
    """Send notes one at a time; return how long each reply took, in milliseconds."""
    taken = []
    for n in range(count):
        already = len(world.events_of(user_id))
        started = time.perf_counter()
        world.say(user_id, f"/note_add по одной {n}")
        world.wait(lambda already=already: len(world.events_of(user_id)) > already)
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def warm_up(world: World) -> None:
    """Have every connection and cache of the way of a note in use."""
    latencies(world, 10, user_id=999)


def idle(round_trip_s: float) -> float:
    """Return the median time to a note's reply when nothing else goes on, in milliseconds."""
    world = World()
    with bot_between(world, Gateway()):
        warm_up(world)
        world.faults = Faults(delay_s=round_trip_s)
        return statistics.median(latencies(world, 100))


def while_models_think(measured: dict[str, list[float]]) -> None:
    """Let twenty people ask a model that takes three seconds; note down what a note's reply takes meanwhile."""
    world, gateway = World(), Gateway()
    gateway.think_s = 3.0
    with bot_between(world, gateway):
        warm_up(world)
        measured["before"].append(statistics.median(latencies(world, NOTES_MEANWHILE)))
        began = len(world.events)
        started = time.perf_counter()
        for user_id in range(100, 120):
            world.say(user_id, "/ask почему небо голубое?")
        while len(gateway.requests) < 20:
            time.sleep(0.01)
        measured["meanwhile"].append(statistics.median(latencies(world, NOTES_MEANWHILE)))
        while sum("message" in event for event in world.events[began:]) < 20 + NOTES_MEANWHILE:
            time.sleep(0.005)
        measured["questions"].append(time.perf_counter() - started)


def start_up(measured: dict[str, list[float]], name: str, command: tuple[str, ...]) -> None:
    """Note down the time to the first getUpdates, and the memory a second later."""
    world = World()
    with bot_between(world, Gateway(), command) as bot:
        measured[f"{name} start"].append((time.perf_counter() - bot.started_at) * 1000)
        time.sleep(1)
        measured[f"{name} rest"].append(bot.memory_mib())


def main() -> None:
    """Measure everything RUNS times; print medians."""
    m: dict[str, list[float]] = defaultdict(list)
    for _ in range(RUNS):
        flood(0.0, m)
        flood(0.04, m)
        while_models_think(m)
    for _ in range(2 * RUNS + 1):
        start_up(m, "bare", (sys.executable, "-c", BARE))
        start_up(m, "ours", OURS)
    of = {name: statistics.median(values) for name, values in m.items()}
    print_table(
        f"A note, {PEOPLE} people, medians of {RUNS} runs",
        ["", "measured"],
        [
            ["notes a second, all at once, round trip 0 / 40 ms", f"{of['rate 0.0']:.0f} / {of['rate 0.04']:.0f}"],
            [
                "a note's reply when idle, round trip 0 / 40 ms",
                f"{median_of(RUNS, lambda: idle(0)):.1f} / {median_of(RUNS, lambda: idle(0.04)):.1f} ms",
            ],
            [
                "… while 20 questions wait 3 s each, to idle",
                f"{of['meanwhile']:.1f} ms, {of['meanwhile'] / of['before']:.2f} ×",
            ],
            ["20 such questions answered in", f"{of['questions']:.1f} s"],
            ["SIGTERM in the middle of the flood: gone in", f"{median_of(RUNS, stop_halfway):.1f} s"],
            ["people whose replies came out of order", f"{max(m['out of order']):.0f}"],
            ["processor time per update in the flood", f"{of['cpu']:.2f} ms"],
            ["peak memory, open files in the flood", f"{max(m['memory']):.0f} MiB, {max(m['files']):.0f}"],
            [
                "start to first getUpdates, to a bare bot with the same library",
                f"{of['ours start']:.0f} ms, {of['ours start'] / of['bare start']:.2f} ×",
            ],
            [
                "memory at rest, to the bare bot",
                f"{of['ours rest']:.0f} MiB, {of['ours rest'] / of['bare rest']:.2f} ×",
            ],
        ],
    )


if __name__ == "__main__":
    main()
