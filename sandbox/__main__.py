"""`python -m sandbox`: both services played here, the bot between them, and a chat in the terminal."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import config
from sandbox import openrouter, telegram
from sandbox.server import Server
from sandbox.telegram import World
from sandbox.terminal import Terminal

BOT = Path(__file__).resolve().parent.parent / "bot.py"


def main() -> int:
    """Play until Ctrl-C; return the exit code."""
    world = World()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Server(telegram.application(world)) as telegram_server,
        Server(openrouter.application(openrouter.Gateway())) as openrouter_server,
        open(Path(folder, "bot.log"), "w+", encoding="utf-8") as log,
    ):
        bot = subprocess.Popen(
            [sys.executable, str(BOT)],
            cwd=folder,
            env=bot_environment(telegram_server.url, openrouter_server.url),
            stderr=log,
        )
        try:
            wait_until_polling(world, bot)
            Terminal(world).run()
        except KeyboardInterrupt:
            pass
        finally:
            bot.send_signal(signal.SIGTERM)
            code = bot.wait()
        if code not in (0, -signal.SIGTERM, 1):
            print(Path(log.name).read_text(encoding="utf-8"), file=sys.stderr)
    return 0


def bot_environment(telegram_url: str, openrouter_url: str) -> dict[str, str]:
    """Return the environment that puts a bot between the two servers; a real key makes real answers."""
    ours = {
        "TOKEN": telegram.TOKEN,
        "TELEGRAM_API_URL": telegram_url,
        "DB_PATH": "notes.db",
        "NO_PROXY": "127.0.0.1",
        "PYTHONUTF8": "1",
    }
    real = config.gateways()["openrouter"]
    if real.api_key:
        ours |= {"OPENROUTER_API_KEY": real.api_key, "OPENROUTER_BASE_URL": real.base_url}
    else:
        ours |= {"OPENROUTER_API_KEY": "sandbox", "OPENROUTER_BASE_URL": f"{openrouter_url}/api"}
    return os.environ | ours


def wait_until_polling(world: World, bot: "subprocess.Popen[bytes]") -> None:
    """Wait for the bot's first getUpdates, or for its end."""
    while not world.poll_number and bot.poll() is None:
        try:
            world.wait(lambda: world.poll_number, timeout_s=0.2)
        except TimeoutError:
            continue


if __name__ == "__main__":
    sys.exit(main())
