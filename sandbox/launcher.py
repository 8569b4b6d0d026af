"""The sandbox as a program: both emulated services, the bot between them, a chat in a browser or a terminal."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import config
from sandbox import bot_without_limits, browser, demo, openrouter, telegram
from sandbox.openrouter import EmulatedGateway
from sandbox.server import Server
from sandbox.telegram import World
from sandbox.terminal import Terminal
from unicode_text import let_streams_print

TRANSCRIBE_MODEL = "openrouter/openai/whisper-1"  # one that the emulated OpenRouter has
BOT_CHECK_S = 0.2
USUAL_PORT = 8726  # the browser keeps unsent texts and the theme by address, so it stays the same if it can

BotProcess = subprocess.Popen[bytes]


def main() -> int:
    """Run the sandbox until Ctrl-C; return the exit code."""
    let_streams_print("Чат")
    options = parse_options()
    # SIGTERM acts as Ctrl-C, so that the bot is stopped before the sandbox ends.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run_sandbox(options)
    except config.SetupError as error:  # of a gateway in .env
        sys.exit(str(error))
    return 0


def run_sandbox(options: argparse.Namespace) -> None:
    """Start both services and the bot, and chat with it until Ctrl-C."""
    world = World()
    gateway = EmulatedGateway() if options.terminal else demo.build_gateway()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Server(telegram.application(world)) as telegram_server,
        Server(openrouter.application(gateway)) as openrouter_server,
        run_bot(Path(folder), bot_environment(telegram_server.url, openrouter_server.url)) as bot,
    ):
        wait_until_polling(world, bot)
        if options.terminal:
            Terminal(world).run()
        else:
            show_page(world, bot, options)


def parse_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="Try the bot without any account.")
    parser.add_argument("--terminal", action="store_true", help="chat in the terminal, not in a browser")
    parser.add_argument("--no-browser", action="store_true", help="print the address of the page, do not open it")
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        help=f"serve the page on this port (default: {USUAL_PORT}, or any that is free)",
    )
    return parser.parse_args()


@contextmanager
def run_bot(folder: Path, environment: dict[str, str]) -> Iterator[BotProcess]:
    """Run the bot in a folder while the block runs; Ctrl-C ends the block. Print the log of a bot that failed."""
    with open(folder / "bot.log", "w", encoding="utf-8") as log:
        bot = subprocess.Popen(bot_without_limits.COMMAND, cwd=folder, env=environment, stderr=log)
        try:
            yield bot
        except KeyboardInterrupt:
            pass
        finally:
            has_failed = bot.poll() not in (None, 0)
            bot.send_signal(signal.SIGTERM)
            bot.wait()
    if has_failed:
        print(Path(log.name).read_text(encoding="utf-8"), file=sys.stderr)


def bot_environment(telegram_url: str, openrouter_url: str) -> dict[str, str]:
    """Return the environment of a bot between the emulated services; with a real key the models are real."""
    environment = os.environ | {
        "TOKEN": telegram.TOKEN,
        "TELEGRAM_API_URL": telegram_url,
        "OPENROUTER_API_KEY": "sandbox",
        "OPENROUTER_BASE_URL": f"{openrouter_url}/api",
        "DB_PATH": "notes.db",
        "NO_PROXY": "127.0.0.1",
        "PYTHONUTF8": "1",
    }
    real = config.load_gateways()["openrouter"]
    if real.api_key:
        environment |= {"OPENROUTER_API_KEY": real.api_key, "OPENROUTER_BASE_URL": real.base_url}
    else:  # nothing costs money here, so that transcription can be tried too
        environment |= {"TRANSCRIBE_MODEL": TRANSCRIBE_MODEL, "ALLOW_PAID_MODELS": "1"}
    return environment


def wait_until_polling(world: World, bot: BotProcess) -> None:
    """Wait until the bot has called getUpdates or has ended."""
    while not world.poll_number and bot.poll() is None:
        try:
            world.wait(lambda: world.poll_number, timeout_s=BOT_CHECK_S)
        except TimeoutError:
            continue


def show_page(world: World, bot: BotProcess, options: argparse.Namespace) -> None:
    """Serve the page until the bot ends."""
    try:
        with serve_page(world, options.port) as server:
            print(f"Чат открыт: {server.url} (выход — Ctrl-C)", flush=True)
            if not options.no_browser:
                webbrowser.open(server.url)
            bot.wait()
    except (OSError, OverflowError):
        sys.exit(f"Не удалось открыть порт {options.port}. Выберите другой: --port.")


@contextmanager
def serve_page(world: World, port: int) -> Iterator[Server]:
    """Serve the page while the block runs: on this port, or with 0 on the usual one or any that is free."""
    has_real_models = bool(config.load_gateways()["openrouter"].api_key)
    with ExitStack() as stack:
        try:
            page = browser.application(world, has_real_models=has_real_models)
            server = stack.enter_context(Server(page, port or USUAL_PORT))
        except OSError:
            if port:
                raise
            page = browser.application(world, has_real_models=has_real_models)
            server = stack.enter_context(Server(page))
        yield server
