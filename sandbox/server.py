"""Runs a stand-in's web application on a loopback port, on a thread of its own."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from aiohttp import web


class Server:
    """A web application that other threads and processes reach at .url while the block runs."""

    def __init__(self, app: web.Application, port: int = 0) -> None:
        self._app = app
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._failure: OSError | None = None
        self.url = ""

    def __enter__(self) -> "Server":
        self._thread.start()
        self._ready.wait()
        if self._failure:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def call_soon(self, function: Callable[..., Any], *args: Any) -> None:
        """Call a function on the server's thread."""
        self._loop.call_soon_threadsafe(function, *args)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=0.1)
        try:
            self._loop.run_until_complete(self._listen(runner))
            self._ready.set()
            self._loop.run_forever()
        except OSError as error:  # the port is another's
            self._failure = error
            self._ready.set()
        self._loop.run_until_complete(self._leave(runner))
        self._loop.close()

    async def _listen(self, runner: web.AppRunner) -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port)
        await site.start()
        self.url = site.name if self._port else f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def _leave(self, runner: web.AppRunner) -> None:
        await runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
