"""What a question costs beside the model's own time: `python -m bench.bench_answers` prints the README's table.

Fifty people ask at once, each in a private chat; the model thinks, then writes word by word.
"""

import statistics
import time
from collections import defaultdict

from bench.bench_bot import latencies, warm_up
from bench.measure import bot_between, print_table
from sandbox.openrouter import Gateway
from sandbox.telegram import World

RUNS = 3
PEOPLE = 50
NOTES = 50
THINK_S, PIECE_S = 1.0, 0.02
MODEL = "sandbox/long-1"  # about 180 words


def talks(people: int, measured: dict[str, list[float]]) -> None:
    """Let so many people ask at once; note down what the bot adds, and what a note takes meanwhile."""
    world, gateway = World(), Gateway()
    with bot_between(world, gateway, model=MODEL) as bot:
        warm_up(world)
        idle_ms = statistics.median(latencies(world, NOTES))
        gateway.think_s, gateway.piece_s = THINK_S, PIECE_S
        asked_at: dict[int, float] = {}
        began = len(world.events)
        with world.frozen():
            for user_id in range(1000, 1000 + people):
                asked_at[user_id] = time.time()
                world.say(user_id, "/ask почему небо голубое?")
        while len(gateway.requests) < people:
            time.sleep(0.005)
        measured["note"].append(statistics.median(latencies(world, NOTES)) / idle_ms)
        while sum("message" in event for event in world.events[began:]) < people + NOTES:
            time.sleep(0.05)
        measured["memory"].append(bot.memory_mib("VmHWM"))
        for user_id, moment in asked_at.items():
            first = next(event["at"] for event in world.events_of(user_id) if event.get("draft"))
            measured["draft"].append((first - moment) * 1000)
            model_s = gateway.took_s[f"telegram-{user_id}"]
            measured["end"].append((_answers(world, user_id)[0]["at"] - moment - model_s) * 1000)


def _answers(world: World, user_id: int) -> list[dict[str, float]]:
    return [event for event in world.events_of(user_id) if event.get("message")]


def main() -> None:
    """Measure everything RUNS times; print medians."""
    rows = []
    for people in (1, PEOPLE):
        m: dict[str, list[float]] = defaultdict(list)
        for _ in range(RUNS):
            talks(people, m)
        of = {name: statistics.median(values) for name, values in m.items()}
        rows.append(
            [
                str(people),
                f"{of['draft']:.0f} ms",
                f"{of['end']:.0f} ms",
                f"{of['note']:.2f} ×",
                f"{of['memory']:.0f} MiB",
            ]
        )
    print_table(
        f"A question, medians of {RUNS} runs",
        [
            "people asking at once",
            "/ask to first draft",
            "added to the model's time, to the end",
            "a note's reply meanwhile, to idle",
            "peak memory",
        ],
        rows,
    )


if __name__ == "__main__":
    main()
