"""The cost of a question beyond the model's own time: `python -m bench.bench_answers` prints a table.

Fifty people ask at the same moment, each in a private chat; the model thinks, then writes word by word.
"""

import statistics
import time
from collections import defaultdict

from bench.bench_bot import Samples, reply_times_ms, warm_up
from bench.measure import print_table, running_bot
from sandbox.openrouter import EmulatedGateway
from sandbox.telegram import World

RUNS = 3
PEOPLE = 50
NOTES = 50
THINK_S, CHUNK_DELAY_S = 1.0, 0.02
MODEL = "sandbox/long-1"  # about 180 words


def ask(people: int, samples: Samples) -> None:
    """Let people ask at once; record what the bot adds, and how long replies to notes take meanwhile."""
    world, gateway = World(), EmulatedGateway()
    with running_bot(world, gateway, model=MODEL) as bot:
        warm_up(world)
        idle_ms = statistics.median(reply_times_ms(world, NOTES))
        gateway.think_s, gateway.chunk_delay_s = THINK_S, CHUNK_DELAY_S
        events = len(world.events)
        asked_at: dict[int, float] = {}
        with world.batch():
            for user_id in range(1000, 1000 + people):
                asked_at[user_id] = time.time()
                world.say(user_id, "/ask почему небо голубое?")
        while len(gateway.requests) < people:
            time.sleep(0.005)
        samples["note"].append(statistics.median(reply_times_ms(world, NOTES)) / idle_ms)
        while sum("message" in event for event in world.events[events:]) < people + NOTES:
            time.sleep(0.05)
        samples["memory"].append(bot.memory_mib("VmHWM"))
        for user_id, moment in asked_at.items():
            model_s = gateway.answer_times_s[f"telegram-{user_id}"]
            samples["draft"].append((first_event_at(world, user_id, "draft") - moment) * 1000)
            samples["end"].append((first_event_at(world, user_id, "message") - moment - model_s) * 1000)


def first_event_at(world: World, user_id: int, kind: str) -> float:
    """Return the time of the first draft or message in a person's chat, in Unix seconds."""
    return next(float(event["at"]) for event in world.events_of(user_id) if event.get(kind))


def row(people: int) -> list[str]:
    """Measure several runs with this many people; return their medians."""
    samples: Samples = defaultdict(list)
    for _ in range(RUNS):
        ask(people, samples)
    median = {name: statistics.median(values) for name, values in samples.items()}
    return [
        str(people),
        f"{median['draft']:.0f} ms",
        f"{median['end']:.0f} ms",
        f"{median['note']:.2f} ×",
        f"{median['memory']:.0f} MiB",
    ]


def main() -> None:
    """Measure one person and many; print medians."""
    header = [
        "people asking at once",
        "/ask to first draft",
        "added to the model's time",
        "reply to a note meanwhile, relative to idle",
        "peak memory",
    ]
    print_table(f"A question, medians of {RUNS} runs", header, [row(people) for people in (1, PEOPLE)])


if __name__ == "__main__":
    main()
