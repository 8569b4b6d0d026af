"""`python -m sandbox`: both services played here, the bot between them, and the chat in a browser."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import webbrowser
from pathlib import Path

import config
from sandbox import browser, demo, openrouter, telegram
from sandbox.openrouter import Gateway
from sandbox.server import Server
from sandbox.telegram import World
from sandbox.terminal import Terminal

BOT = Path(__file__).resolve().parent.parent / "bot.py"


def main() -> int:
    """Play until Ctrl-C; return the exit code."""
    options = read_options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a kill, too, ends the bot first
    world = World()
    gateway = Gateway() if options.terminal else demo.gateway()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Server(telegram.application(world)) as telegram_server,
        Server(openrouter.application(gateway)) as openrouter_server,
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
            if options.terminal:
                Terminal(world).run()
            else:
                show_page(world, bot, options)
        except KeyboardInterrupt:
            pass
        finally:
            has_failed = bot.poll() not in (None, 0)
            bot.send_signal(signal.SIGTERM)
            bot.wait()
        if has_failed:
            print(Path(log.name).read_text(encoding="utf-8"), file=sys.stderr)
    return 0


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="The bot, with no account needed.")
    parser.add_argument("--terminal", action="store_true", help="chat in the terminal, not in a browser")
    parser.add_argument("--no-browser", action="store_true", help="print the page's address, do not open it")
    parser.add_argument("--port", type=int, default=0, help="serve the page on this port, not on any free one")
    return parser.parse_args()


def show_page(world: World, bot: "subprocess.Popen[bytes]", options: argparse.Namespace) -> None:
    """Serve the page until the bot ends, or Ctrl-C."""
    is_real = bool(config.gateways()["openrouter"].api_key)
    try:
        with Server(browser.application(world, is_real=is_real), options.port) as server:
            print(f"Чат открыт: {server.url} (выход — Ctrl-C)", flush=True)
            if not options.no_browser:
                webbrowser.open(server.url)
            bot.wait()
    except OSError:
        sys.exit(f"Порт {options.port} открыть нельзя: выберите другой, --port.")


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
