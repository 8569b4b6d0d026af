"""A web application on a loopback port, served by a thread of its own."""

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable

from aiohttp import web

LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def refuse_web_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests that a web page makes: programs send no Origin, and they use an address of this machine.

    If a site's DNS name points to this machine, the Host header shows that name.
    """
    if "Origin" in request.headers or not LOOPBACK_HOST.fullmatch(request.headers.get("Host", "")):
        raise web.HTTPForbidden
    return await handler(request)


class Server:
    """A context manager that serves a web application at `url` while the block runs."""

    def __init__(self, app: web.Application, port: int = 0) -> None:
        self._app = app
        self._port = port  # 0: any free port
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._error: Exception | None = None
        self.url = ""

    def __enter__(self) -> "Server":
        self._thread.start()
        self._started.wait()
        if self._error:
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=0.1)
        try:
            self._loop.run_until_complete(self._listen(runner))
            self._started.set()
            self._loop.run_forever()
        except (OSError, OverflowError) as error:  # the port is in use, or there is no such port
            self._error = error
            self._started.set()
        self._loop.run_until_complete(self._shut_down(runner))
        self._loop.close()

    async def _listen(self, runner: web.AppRunner) -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port)
        await site.start()
        self.url = site.name if self._port else f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def _shut_down(self, runner: web.AppRunner) -> None:
        await runner.cleanup()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
