"""Tell systemd that the bot runs, and that it is not stuck; without systemd, nothing happens.

The protocol is that of sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names.
"""

import logging
import socket
import threading
from collections.abc import Callable

import config

log = logging.getLogger(__name__)

SEND_TIMEOUT_S = 0.5  # systemd does not read while it is overloaded


def notify(message: str) -> None:
    """Send a message to the service manager, if the bot has one."""
    path = config.notify_socket()
    if not path:
        return
    address = f"\0{path[1:]}" if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(SEND_TIMEOUT_S)
            sender.sendto(message.encode(), address)
    except OSError as error:
        log.warning("systemd is not reached: %s", type(error).__name__)


class Watchdog:
    """Tells systemd in time that the bot is not stuck, or it restarts the bot (WatchdogSec= of the unit)."""

    def __init__(self) -> None:
        self._is_stuck: Callable[[], bool] = lambda: False
        self._stopping = threading.Event()

    def start(self) -> None:
        """Report that the bot runs, and from now on that it is not stuck."""
        notify("READY=1")
        interval_s = config.watchdog_s() / 3
        if interval_s:
            threading.Thread(target=self._run, args=(interval_s,), name="watchdog", daemon=True).start()

    def watch(self, is_stuck: Callable[[], bool]) -> None:
        """Stop reporting when is_stuck() is true."""
        self._is_stuck = is_stuck

    def stop(self) -> None:
        """Report that the bot stops; from then on TimeoutStopSec= of the unit counts."""
        self._stopping.set()
        notify("STOPPING=1")

    def _run(self, interval_s: float) -> None:
        while not self._stopping.is_set():
            if self._is_stuck():
                log.critical("polling is stuck; systemd restarts the bot")
                return
            notify("WATCHDOG=1")
            self._stopping.wait(interval_s)
