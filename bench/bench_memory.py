"""Whether memory stays flat: `python -m bench.bench_memory` prints what the bot holds while 100 000 updates come.

The bot is a process of its own between the two stand-ins; of what they remember all is dropped between waves.
"""

import random
import time

from bench.measure import bot_between, print_table
from sandbox.checks import Json
from sandbox.openrouter import Gateway
from sandbox.telegram import World, person

PEOPLE = 50
WAVE, WARM_UP, UPDATES, SHOWN_EVERY = 1_000, 2_000, 100_000, 20_000
WORDS = ("молоко", "хлеб", "ёлка", "гирлянда", "врач", "книга", "билет", "письмо")
JUNK: tuple[Json, ...] = (
    {"message": {"message_id": "?"}},
    {"message": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}, "sticker": {"file_id": "1"}}},
    {"callback_query": {"id": "1", "from": person(1), "chat_instance": "1", "data": "older:1:1"}},
    {"edited_message": None},
    {},
)


class Crowd:
    """People who do all that people do, and what they need to remember for it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = random.Random(1)
        self._notes: dict[int, Json] = {}  # person → the message of the last note
        self._lists: dict[int, Json] = {}  # person → the bot's last message with buttons

    def writes(self, count: int) -> None:
        """Have so many updates come at once, and wait until all is answered."""
        with self._world.frozen():
            for _ in range(count - PEOPLE):
                self._does_something(self._dice.randint(1, PEOPLE))
            last = [self._world.say(user_id, "/note_count") for user_id in range(1, PEOPLE + 1)]
        waiting = {int(message["chat"]["id"]): int(message["message_id"]) for message in last}
        while waiting:  # replies come in order within a chat: the last one is the last
            time.sleep(0.02)
            for user_id in list(waiting):
                if any(is_count(event) for event in self._world.events_of(user_id)):
                    del waiting[user_id]
        self._forget()

    def _does_something(self, user_id: int) -> None:
        text = " ".join(self._dice.choices(WORDS, k=5))
        what = self._dice.random()
        if what < 0.4 or user_id not in self._notes:
            self._notes[user_id] = self._world.say(user_id, f"/note_add {text}")
        elif what < 0.55:
            self._world.edit(user_id, self._notes[user_id]["message_id"], f"/note_add {text}")
        elif what < 0.7:
            self._world.say(user_id, f"/note_find {self._dice.choice(WORDS)}")
        elif what < 0.8 or user_id not in self._lists:
            self._world.say(user_id, "/note_list 5")
        elif what < 0.9:
            message = self._lists[user_id]
            data = message["reply_markup"]["inline_keyboard"][-1][-1]["callback_data"]
            self._world.tap(user_id, user_id, message["message_id"], data)
        else:
            self._world.update(self._dice.choice(JUNK))

    def _forget(self) -> None:
        """Drop what the stand-in remembers, but for the messages that are edited or tapped next."""
        world = self._world
        with world.frozen():
            for event in world.events:
                message = event.get("message")
                if message and "reply_markup" in message:
                    self._lists[event["chat_id"]] = message
            for remembered in (world.events, world.calls, world.paths):
                remembered.clear()
            world._messages.clear()
            world._open_queries.clear()
            for messages in (self._notes, self._lists):
                for user_id, message in messages.items():
                    world._messages[user_id][message["message_id"]] = message


def is_count(event: Json) -> bool:
    """Whether this is the bot's answer to /note_count."""
    return str(event.get("message", {}).get("text")).startswith("У вас ")


def main() -> None:
    """Feed the bot; print what it held before, on the way and after."""
    world = World()
    rows: list[list[str]] = []
    with bot_between(world, Gateway()) as bot:
        crowd = Crowd(world)
        for _ in range(WARM_UP // WAVE):
            crowd.writes(WAVE)
        rows.append(["warm", f"{bot.memory_mib():.1f} MiB", "", f"{bot.open_files()}"])
        for done in range(0, UPDATES, SHOWN_EVERY):
            began = time.perf_counter()
            for _ in range(SHOWN_EVERY // WAVE):
                crowd.writes(WAVE)
            rate = SHOWN_EVERY / (time.perf_counter() - began)
            held = f"{bot.memory_mib():.1f} MiB"
            rows.append([f"{done + SHOWN_EVERY}", held, f"{rate:.0f}", f"{bot.open_files()}"])
    print_table(
        f"Memory of the bot, {PEOPLE} people, waves of {WAVE}",
        ["updates", "memory", "updates/s", "open files"],
        rows,
    )


if __name__ == "__main__":
    main()
