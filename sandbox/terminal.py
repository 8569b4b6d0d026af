"""The chat in a terminal: it sends what is typed and prints what the bot replies."""

import threading

from sandbox.telegram import World
from sandbox.telegram.checks import Json
from sandbox.views import NAMES

USER_ID = 1
SILENCE_S = 1.0  # at the end of the input, leave after the bot has been silent for this long
EVENTS_CHECK_S = 0.05
PREVIEW_LINES = 6
PREVIEW_BYTES = 2000

WELCOME = """\
Пишите боту, как в Telegram: /start, /note_add купить молоко, /ask почему небо голубое?
Нажать кнопку — её номер: !1. Остановить ответ — !stop. Выход — Ctrl-C."""


class Terminal:
    """One person's private chat with the bot."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shown_events = 0
        self._buttons: list[tuple[int, str]] = []  # (message_id, callback data) of the last keyboard
        self._closed = threading.Event()

    def run(self) -> None:
        """Send lines from the standard input until it ends or Ctrl-C is pressed."""
        print(WELCOME, flush=True)
        threading.Thread(target=self._show_events, name="terminal", daemon=True).start()
        try:
            while True:
                self._handle_line(input())
        except EOFError:
            self._wait_for_silence()
        except KeyboardInterrupt:
            print()
        self._closed.set()

    def _handle_line(self, line: str) -> None:
        if line.startswith("!") and line[1:].isdecimal() and 0 < int(line[1:]) <= len(self._buttons):
            message_id, data = self._buttons[int(line[1:]) - 1]
            self._world.tap(USER_ID, USER_ID, message_id, data)
        elif line == "!stop":
            drafts = [event["draft"] for event in self._world.events_of(USER_ID) if "draft" in event]
            if drafts:
                self._world.stop_draft(USER_ID, drafts[-1]["draft_id"])
        elif line.strip():
            self._world.say(USER_ID, line.replace("\\n", "\n"))

    def _wait_for_silence(self) -> None:
        self._world.wait(lambda: self._world.pending() == 0)
        events_before = -1
        while events_before != len(self._world.events):
            events_before = len(self._world.events)
            self._closed.wait(SILENCE_S)

    def _show_events(self) -> None:
        while not self._closed.is_set():
            events = self._world.events[self._shown_events :]
            for event in events:
                if message := event.get("message"):
                    self._show_message(message)
            self._shown_events += len(events)
            self._closed.wait(EVENTS_CHECK_S)

    def _show_message(self, message: Json) -> None:
        rich_text = message.get("rich_message", {}).get("markdown")
        text = rich_text or message.get("text") or message.get("caption") or ""
        print_lines("  │ ", text)
        if (document := message.get("document")) and "animation" not in message:
            self._show_file(document)
        elif kinds := [NAMES[kind] for kind in NAMES if kind in message]:
            print_lines("  │ ", f"[{kinds[0]}]")
        rows = message.get("reply_markup", {}).get("inline_keyboard", [])
        buttons = [button for row in rows for button in row]
        if buttons:
            self._buttons = [(message["message_id"], button.get("callback_data", "")) for button in buttons]
            labels = [f"[!{number} {button['text']}]" for number, button in enumerate(buttons, 1)]
            print("  │", *labels, flush=True)

    def _show_file(self, document: Json) -> None:
        content = self._world.files[document["file_id"]]
        print(f"  │ 📎 {document['file_name']} ({len(content)} Б)", flush=True)
        preview = content[:PREVIEW_BYTES].decode("utf-8", "replace").split("\n")[:PREVIEW_LINES]
        print_lines("  │    ", "\n".join(preview))


def print_lines(prefix: str, text: str) -> None:
    """Print each line of a text after a prefix."""
    for line in text.split("\n"):
        print(f"{prefix}{line}")
    print(end="", flush=True)
