"""The bot's memory over 240 000 updates: `python -m bench.bench_memory` prints a table.

The memory should stay flat. The bot is a process of its own; the emulated Telegram forgets its messages between
waves.
"""

import random
import time

from bench.measure import Bot, print_table, running_bot
from sandbox.openrouter import EmulatedGateway
from sandbox.telegram import World, person
from sandbox.telegram.checks import Json

PEOPLE = 50
WAVE, WARM_UP, UPDATES, UPDATES_PER_ROW = 1_000, 2_000, 240_000, 20_000
WORDS = ("молоко", "хлеб", "ёлка", "гирлянда", "врач", "книга", "билет", "письмо")
UNUSUAL_UPDATES: tuple[Json, ...] = (
    {"message": {"message_id": "?"}},
    {"message": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}, "sticker": {"file_id": "1"}}},
    {"callback_query": {"id": "1", "from": person(1), "chat_instance": "1", "data": "older:1:1"}},
    {"edited_message": None},
    {},
)


class Crowd:
    """People who add, edit, find and list notes and tap buttons."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = random.Random(1)
        self._notes: dict[int, Json] = {}  # user_id → the message of the last note
        self._lists: dict[int, Json] = {}  # user_id → the bot's last message with buttons

    def send_wave(self) -> None:
        """Send a wave of updates at once and wait until every person has every reply."""
        with self._world.batch():
            for _ in range(WAVE - PEOPLE):
                self._act(self._random.randint(1, PEOPLE))
            for user_id in range(1, PEOPLE + 1):
                self._world.say(user_id, "/note_count")
        waiting = set(range(1, PEOPLE + 1))
        while waiting:  # replies come in order within a chat, so the reply to /note_count is the last
            time.sleep(0.02)
            for user_id in list(waiting):
                if any(is_note_count(event) for event in self._world.events_of(user_id)):
                    waiting.remove(user_id)
        self._forget()

    def _act(self, user_id: int) -> None:
        text = " ".join(self._random.choices(WORDS, k=5))
        number = self._random.random()
        if number < 0.4 or user_id not in self._notes:
            self._notes[user_id] = self._world.say(user_id, f"/note_add {text}")
        elif number < 0.55:
            self._world.edit(user_id, self._notes[user_id]["message_id"], f"/note_add {text}")
        elif number < 0.7:
            self._world.say(user_id, f"/note_find {self._random.choice(WORDS)}")
        elif number < 0.8 or user_id not in self._lists:
            self._world.say(user_id, "/note_list 5")
        elif number < 0.9:
            message = self._lists[user_id]
            data = message["reply_markup"]["inline_keyboard"][-1][-1]["callback_data"]
            self._world.tap(user_id, user_id, message["message_id"], data)
        else:
            self._world.update(self._random.choice(UNUSUAL_UPDATES))

    def _forget(self) -> None:
        """Make the emulated Telegram forget everything but the messages that are edited or tapped next."""
        world = self._world
        with world.batch():
            for event in world.events:
                message = event.get("message")
                if message and "reply_markup" in message:
                    self._lists[event["chat_id"]] = message
            world.events.clear()
            world.calls.clear()
            world.paths.clear()
            world.messages.clear()
            world.open_queries.clear()
            for messages in (self._notes, self._lists):
                for user_id, message in messages.items():
                    world.messages[user_id][message["message_id"]] = message


def is_note_count(event: Json) -> bool:
    """Return whether an event is the bot's reply to /note_count."""
    return str(event.get("message", {}).get("text")).startswith("У вас ")


def row(name: str, bot: Bot, rate: str) -> list[str]:
    """Format a row of the table."""
    return [name, f"{bot.memory_mib():.1f} MiB", rate, str(bot.open_files())]


def main() -> None:
    """Send the updates; print the memory after the warm-up and after every part."""
    world = World()
    with running_bot(world, EmulatedGateway()) as bot:
        crowd = Crowd(world)
        for _ in range(WARM_UP // WAVE):
            crowd.send_wave()
        rows = [row("warm-up", bot, "")]
        for sent in range(UPDATES_PER_ROW, UPDATES + 1, UPDATES_PER_ROW):
            started = time.perf_counter()
            for _ in range(UPDATES_PER_ROW // WAVE):
                crowd.send_wave()
            rate = UPDATES_PER_ROW / (time.perf_counter() - started)
            rows.append(row(str(sent), bot, f"{rate:.0f}"))
    header = ["updates", "memory", "updates per second", "open files"]
    print_table(f"Memory of the bot, {PEOPLE} people, waves of {WAVE}", header, rows)


if __name__ == "__main__":
    main()
