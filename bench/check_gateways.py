"""Ask the real bot through gateways that nobody here wrote: `python -m bench.check_gateways <folder>`.

The folder holds what the gateways are started from; docs/benchmarks.md tells how to install it:

- node_modules/.bin/llmock: aimock, which emulates OpenRouter
- litellm/bin/litellm: LiteLLM's proxy, which asks aimock
- llama/bin/python with xllamacpp: a llama.cpp server with random weights

A gateway that is not installed is left out. The exit code is 1 if a check fails.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from bench.measure import BOT_COMMAND, ROOT, Bot
from sandbox import telegram
from sandbox.server import Server
from sandbox.telegram import World

QUESTION = "Почему небо голубое?"
ANSWER = "Из-за рассеяния света 😀: синий рассеивается сильнее красного."
START_S = 120.0
ANN = 1

Steps = Sequence[tuple[str, str]]  # a message to the bot, and what its reply must contain


def main(folder: Path) -> int:
    """Run all checks; return the exit code."""
    aimock = folder / "node_modules" / ".bin" / "llmock"
    litellm = folder / "litellm" / "bin" / "litellm"
    llama_python = folder / "llama" / "bin" / "python"
    is_ok = True
    with tempfile.TemporaryDirectory() as work:
        if aimock.exists():
            with running(aimock_command(aimock, Path(work)), "/v1/models") as url:
                is_ok &= check_aimock(url)
                if litellm.exists():
                    with running(litellm_command(litellm, Path(work), url), "/v1/models") as proxy_url:
                        is_ok &= check_litellm(proxy_url)
        if llama_python.exists():
            script = ROOT / "bench" / "llama_server.py"
            with running([str(llama_python), str(script), "{port}"], "/v1/models") as url:
                is_ok &= check_llama(url)
    return 0 if is_ok else 1


def check_aimock(url: str) -> bool:
    """aimock as OpenRouter: an answer, the cache, the account's status."""
    env = {"OPENROUTER_BASE_URL": f"{url}/api", "OPENROUTER_API_KEY": "sk-or-mock", "ALLOW_PAID_MODELS": "1"}
    steps = [
        (f"/ask {QUESTION}", ANSWER),
        (f"/ask {QUESTION}", "недавний ответ"),
        ("/models_refresh", "openrouter: новых"),
        ("/models", "★"),
        ("/usage", "запрос"),
    ]
    return check("aimock (OpenRouter)", env, steps)


def check_litellm(url: str) -> bool:
    """LiteLLM's proxy as the local server: one model is there, another one's upstream is down."""
    env = {"LOCAL_LLM_URL": url}
    first = model_number(env, "proxied")
    steps = [
        (f"/model {first}", "proxied"),
        (f"/ask {QUESTION}", ANSWER),
        (f"/model {first + 1}", "broken"),
        (f"/ask {QUESTION} Ещё раз?", "вместо broken"),
    ]
    return check("LiteLLM proxy", env, steps)


def check_llama(url: str) -> bool:
    """llama.cpp: the answer is random, so only its footer is known."""
    env = {"LOCAL_LLM_URL": url}
    model = requests.get(f"{url}/v1/models", timeout=10).json()["data"][0]["id"]
    number = model_number(env, model)
    return check("llama.cpp server", env, [(f"/model {number}", model), (f"/ask {QUESTION}", f"модель: {model}")])


def check(name: str, env: Mapping[str, str], steps: Steps) -> bool:
    """Send messages to a new bot and compare its replies; print a line for each."""
    print(f"{name}:")
    is_ok = True
    with running_bot(env) as world:
        for text, expected in steps:
            started = time.perf_counter()
            reply = ask(world, text)
            is_right = expected in reply
            is_ok &= is_right
            verdict = "ok" if is_right else f"FAILED, the reply is: {reply}"
            print(f"  {text}: {verdict} ({time.perf_counter() - started:.1f} s)", flush=True)
    return is_ok


def model_number(env: Mapping[str, str], key: str) -> int:
    """Return the number under which a new bot lists a model."""
    with running_bot(env) as world:
        message = ask(world, "/models", with_buttons=True)
    for line in message.split("\n"):
        number, _, label = line.strip("★ ").partition(". ")
        if label.startswith(key):
            return int(number)
    raise ValueError(f"{key} is not listed: {message}")


def ask(world: World, text: str, *, with_buttons: bool = False) -> str:
    """Send a message to the bot and return its reply."""
    count = len(replies(world))
    world.say(ANN, text)
    world.wait(lambda: len(replies(world)) > count, START_S)
    reply = replies(world)[count]
    lines = [str(reply.get("rich_message", {}).get("markdown") or reply.get("text"))]
    if with_buttons:
        lines += [button["text"] for row in reply["reply_markup"]["inline_keyboard"] for button in row]
    return "\n".join(lines)


def replies(world: World) -> list[dict[str, Any]]:
    """Return the bot's messages so far."""
    return [event["message"] for event in world.events_of(ANN) if event.get("message")]


@contextmanager
def running_bot(env: Mapping[str, str]) -> Iterator[World]:
    """Run a bot with a new database; the block begins when it has fetched the gateways' lists of models."""
    world = World()
    with tempfile.TemporaryDirectory() as folder, Server(telegram.application(world)) as server:
        defaults = {
            "TOKEN": telegram.TOKEN,
            "TELEGRAM_API_URL": server.url,
            "OPENROUTER_BASE_URL": "http://127.0.0.1:9/api/v1",  # nothing listens there
            "DB_PATH": str(Path(folder, "notes.db")),
            "NO_PROXY": "127.0.0.1",
        }
        bot = Bot(BOT_COMMAND, {**os.environ, **defaults, **env}, folder)
        try:
            world.wait(lambda: world.poll_number)
            gateway = "local" if "LOCAL_LLM_URL" in env else "openrouter"
            wait_until(lambda: f" {gateway}: " in Path(folder, "bot.log").read_text(encoding="utf-8"))
            yield world
        finally:
            bot.stop()


@contextmanager
def running(command: Sequence[str], path: str) -> Iterator[str]:
    """Run a server on a free port, which replaces {port} in its command; yield its address once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as home, Path(home, "log").open("wb") as log:
        env = os.environ | {
            "HOME": home,
            "NO_PROXY": "*",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        }
        process = subprocess.Popen(
            [word.replace("{port}", str(port)) for word in command], env=env, stdout=log, stderr=log
        )
        try:
            wait_until(lambda: is_serving(f"{url}{path}"))
            yield url
        finally:
            process.terminate()
            process.wait(30)


def is_serving(url: str) -> bool:
    """Return whether a server answers HTTP 200."""
    try:
        return requests.get(url, timeout=2).status_code == 200
    except requests.RequestException:
        return False


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until a condition is true; TimeoutError if that takes too long."""
    deadline = time.monotonic() + START_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)


def aimock_command(program: Path, work: Path) -> list[str]:
    """Return the command for aimock, which answers every question with ANSWER."""
    fixtures = Path(work, "fixtures.json")
    fixture = {"match": {"userMessage": "небо"}, "response": {"content": ANSWER}}
    fixtures.write_text(json.dumps({"fixtures": [fixture]}), encoding="utf-8")
    return [str(program), "-p", "{port}", "-f", str(fixtures)]


def litellm_command(program: Path, work: Path, upstream: str) -> list[str]:
    """Return the command for LiteLLM's proxy; JSON is YAML too."""
    config = Path(work, "litellm.yaml")
    models = [
        {"model_name": name, "litellm_params": {"model": "openai/gpt-4o", "api_base": url, "api_key": "mock"}}
        for name, url in (("proxied", f"{upstream}/v1"), ("broken", "http://127.0.0.1:9/v1"))
    ]
    config.write_text(json.dumps({"model_list": models}), encoding="utf-8")
    return [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", "{port}"]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]).resolve()))
