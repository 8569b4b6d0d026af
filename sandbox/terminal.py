"""The chat in a terminal: one types commands and sees what the bot says."""

import threading
from typing import Any

from sandbox.telegram import World

USER_ID = 1
QUIET_S = 1.0  # after the last line of a script, the bot is heard out until it is silent for so long
PREVIEW_LINES = 6

WELCOME = "Пишите боту, как в Telegram: /start, /note_add купить молоко, /ask почему небо голубое?"


class Terminal:
    """Shows one person's private chat."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shown = 0
        self._buttons: list[tuple[int, str]] = []  # (message, data) of the last keyboard
        self._closed = threading.Event()

    def run(self) -> None:
        """Read lines until the end of input or Ctrl-C."""
        print(
            WELCOME,
            "Нажать кнопку — её номер: !1. Остановить ответ — !stop. Выход — Ctrl-C.",
            sep="\n",
            flush=True,
        )
        threading.Thread(target=self._show_events, name="terminal", daemon=True).start()
        try:
            while True:
                self._read(input())
        except EOFError:
            self._hear_out()
        except KeyboardInterrupt:
            print()
        self._closed.set()

    def _read(self, line: str) -> None:
        if line.startswith("!") and line[1:].isdecimal() and 0 < int(line[1:]) <= len(self._buttons):
            message_id, data = self._buttons[int(line[1:]) - 1]
            self._world.tap(USER_ID, USER_ID, message_id, data)
        elif line == "!stop":
            drafts = [event["draft"] for event in self._world.events_of(USER_ID) if "draft" in event]
            if drafts:
                self._world.stop_draft(USER_ID, drafts[-1]["draft_id"])
        elif line.strip():
            self._world.say(USER_ID, line.replace("\\n", "\n"))

    def _hear_out(self) -> None:
        self._world.wait(lambda: self._world.pending() == 0)
        seen = -1
        while seen != len(self._world.events):
            seen = len(self._world.events)
            self._closed.wait(QUIET_S)

    def _show_events(self) -> None:
        while not self._closed.is_set():
            events = self._world.events[self._shown :]
            for event in events:
                self._show(event)
            self._shown += len(events)
            self._closed.wait(0.05)

    def _show(self, event: dict[str, Any]) -> None:
        message = event.get("message")
        if not message:
            return
        text = (
            message.get("rich_message", {}).get("markdown") or message.get("text") or message.get("caption") or ""
        )
        print(*[f"  │ {line}" for line in text.split("\n")], sep="\n", flush=True)
        if document := message.get("document"):
            self._show_file(document)
        rows = message.get("reply_markup", {}).get("inline_keyboard", [])
        buttons = [button for row in rows for button in row]
        if buttons:
            self._buttons = [(message["message_id"], button.get("callback_data", "")) for button in buttons]
            print("  │", *[f"[!{n} {button['text']}]" for n, button in enumerate(buttons, 1)], flush=True)

    def _show_file(self, document: dict[str, Any]) -> None:
        content = self._world.files[document["file_id"]]
        print(f"  │ 📎 {document['file_name']} ({len(content)} байт)", flush=True)
        lines = content[:2000].decode("utf-8", "replace").split("\n")
        print(*[f"  │    {line}" for line in lines[:PREVIEW_LINES]], sep="\n", flush=True)
