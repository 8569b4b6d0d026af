"""One person or one slow chat against the others: `python -m bench.bench_fairness` prints a table.

The reply to another person's note is compared with the reply of the same bot when nothing else happens. The last
rows run the bot as it is shipped, with pacing, against a Telegram that refuses what is too much.
"""

import json
import statistics
import time
from collections import defaultdict

from bench.bench_bot import Samples, reply_times_ms, warm_up
from bench.measure import PACED_BOT_COMMAND, print_table, running_bot
from sandbox.openrouter import EmulatedGateway
from sandbox.telegram import World
from sandbox.telegram.flood_limits import FloodLimits

RUNS = 3
NOTES = 60
HANGING_CHATS = 200
HANGING_QUESTIONS = 100
IMPORTS = 40
NOTES_PER_IMPORT = 2000
FLOOD = 300
HANGING_MODEL = "sandbox/slow-9999"  # answers after 1000 s
GREEDY = 5000  # the person who harms the others


def hanging_chats(world: World, _: EmulatedGateway) -> None:
    """Let calls to many chats hang."""
    chats = range(1000, 1000 + HANGING_CHATS)
    world.hanging_chats.update(chats)
    calls = len(world.calls)
    with world.batch():
        for chat_id in chats:
            world.say(chat_id, "/note_count")
    while len(world.calls) < calls + HANGING_CHATS:
        time.sleep(0.01)


def hanging_questions(world: World, gateway: EmulatedGateway) -> None:
    """Let many people ask a model that hangs."""
    with world.batch():
        for user_id in range(1000, 1000 + HANGING_QUESTIONS):
            world.say(user_id, "/ask почему небо голубое?")
    while len(gateway.requests) < HANGING_QUESTIONS:
        time.sleep(0.01)


def imports(world: World, _: EmulatedGateway) -> None:
    """Let one person import many files."""
    for number in range(IMPORTS):
        entries = [{"text": f"{number} {n}", "created_at": 1_700_000_000} for n in range(NOTES_PER_IMPORT)]
        content = "[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]"
        world.send_file(GREEDY, "notes.json", content.encode(), "/note_import")
    time.sleep(0.5)


DISTURBANCES = {
    f"{HANGING_CHATS} chats hang": hanging_chats,
    f"{HANGING_QUESTIONS} questions hang": hanging_questions,
    f"one person imports {IMPORTS} files": imports,
}


def measure_reply(name: str, samples: Samples) -> None:
    """Record how long replies take before and during a disturbance, and the memory that it takes."""
    world, gateway = World(), EmulatedGateway()
    with running_bot(world, gateway, model=HANGING_MODEL) as bot:
        warm_up(world)
        idle_ms = statistics.median(reply_times_ms(world, NOTES))
        memory = bot.memory_mib()
        DISTURBANCES[name](world, gateway)
        busy_ms = statistics.median(reply_times_ms(world, NOTES))
        samples["idle"].append(idle_ms)
        samples["busy"].append(busy_ms)
        samples["ratio"].append(busy_ms / idle_ms)
        samples["memory"].append(bot.memory_mib("VmHWM") - memory)
        if name == f"{HANGING_QUESTIONS} questions hang":
            samples["begin"].append(question_begins_s(world, gateway))
        world.hanging_chats.clear()


def question_begins_s(world: World, gateway: EmulatedGateway) -> float:
    """Ask one more question; return how long it took to reach the model."""
    requests, started = len(gateway.requests), time.perf_counter()
    world.say(1, "/ask почему трава зелёная?")
    while len(gateway.requests) == requests:
        time.sleep(0.001)
    return time.perf_counter() - started


def paced_flood() -> tuple[float, float]:
    """Send notes all at once to the paced bot; return calls per reply and replies per second."""
    world = World()
    world.flood_limits = FloodLimits()
    with running_bot(world, EmulatedGateway(), PACED_BOT_COMMAND):
        warm_up(world)
        events, calls, started = len(world.events), sent_calls(world), time.perf_counter()
        with world.batch():
            for n in range(FLOOD):
                world.say(1 + n % 50, f"/note_add заметка номер {n}")
        while len(world.events) < events + FLOOD:
            time.sleep(0.05)
        return (sent_calls(world) - calls) / FLOOD, FLOOD / (time.perf_counter() - started)


def sent_calls(world: World) -> int:
    """Return the number of messages that the bot has tried to send."""
    return sum(method == "sendMessage" for method, _ in world.calls)


def main() -> None:
    """Measure everything and print the tables."""
    rows = []
    for name in DISTURBANCES:
        samples: Samples = defaultdict(list)
        for _ in range(RUNS):
            measure_reply(name, samples)
        median = {key: statistics.median(values) for key, values in samples.items()}
        begins = f"{median['begin'] * 1000:.0f} ms" if "begin" in median else ""
        rows.append(
            [
                name,
                f"{median['busy']:.1f} ms, {median['ratio']:.2f} ×",
                begins,
                f"{median['memory']:.0f} MiB",
            ]
        )
    header = ["meanwhile", "reply to another person's note", "a question reaches the model after", "memory for it"]
    print_table(f"Fairness, medians of {RUNS} runs", header, rows)
    calls_per_reply, rate = paced_flood()
    header = ["calls per reply", "replies per second"]
    print()
    print_table("A flood within the limits of Telegram", header, [[f"{calls_per_reply:.2f}", f"{rate:.0f}"]])


if __name__ == "__main__":
    main()
