"""HTTP connections to the gateways, which can be closed at any time: while they connect, wait or read.

The timeout of a socket limits each single read. A server that sends a byte now and then, or `100 Continue` again
and again, never meets it; so at the deadline of a request, another thread closes its connection.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import requests
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

_thread = threading.local()  # .closer: of the request that this thread sends


class RequestCloser:
    """Closes the connection of one request from any thread, also before the response has begun.

    A model may think for minutes before the first byte of its answer, and requests offers no way to end that.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None  # a duplicate: TLS takes the original socket over
        self._closed = False

    def close(self) -> None:
        """Break the connection now, or as soon as the request has one."""
        with self._lock:
            self._closed = True
            self._shut_down()

    def attach(self, connected: socket.socket | None) -> None:
        """Remember the connection of the request; None when the request has ended."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = connected.dup() if connected is not None else None
            if self._closed:
                self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                self._socket.shutdown(socket.SHUT_RDWR)


def new_session() -> requests.Session:
    """Return a session for all threads: it keeps the connections open between requests."""
    session = requests.Session()
    session.mount("https://", _Adapter(pool_maxsize=64))
    session.mount("http://", _Adapter(pool_maxsize=64))
    return session


def send(
    session: requests.Session, closer: RequestCloser | None, *, deadline: float, **request: Any
) -> requests.Response:
    """Send a request, as session.request() does; the closer can end it.

    requests.Timeout if the headers of the response are not complete at `deadline` (on time.monotonic()'s clock).
    """
    closer = closer or RequestCloser()
    _thread.closer = closer
    try:
        with closed_at(lambda: deadline, closer.close) as is_closed:
            response = session.request(**request)
        if is_closed():  # the headers arrived at the last moment: their connection is broken
            response.close()
            raise requests.Timeout
        return response
    except requests.RequestException as error:
        if time.monotonic() >= deadline:
            raise requests.Timeout from error
        raise
    finally:
        _thread.closer = None
        closer.attach(None)  # from now on, the response is closed instead


@contextmanager
def closed_at(deadline: Callable[[], float], close: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Call close() on another thread once `deadline()` has passed (it may move), if the block still runs then.

    Yield a function that returns whether close() has been called: the deadline may have moved since, and the
    block may have received its data just before.
    """
    lock = threading.Lock()
    ended, closed = threading.Event(), threading.Event()

    def watch() -> None:
        while not ended.wait(max(deadline() - time.monotonic(), 0)):
            with lock:  # the block cannot end between the check and close()
                if not ended.is_set() and time.monotonic() >= deadline():
                    closed.set()
                    close()
                    return

    with suppress(RuntimeError):  # no other thread can start: only the timeout of each read remains
        threading.Thread(target=watch, name="gateway deadline", daemon=True).start()
    try:
        yield closed.is_set
    finally:
        with lock:
            ended.set()


def close_response(response: requests.Response) -> None:
    """Break the connection of a response; may be called from any thread."""
    connection = response.raw.connection
    if connection is not None and connection.sock is not None:
        with suppress(OSError):  # the connection is closed already
            connection.sock.shutdown(socket.SHUT_RDWR)


def _attach(connected: socket.socket | None) -> None:
    closer: RequestCloser | None = getattr(_thread, "closer", None)
    if closer is not None:
        closer.attach(connected)


class _ClosableConnection(HTTPConnection):
    """A connection that the closer of the request can end, from the moment it is connected."""

    def _new_conn(self) -> socket.socket:
        connected: socket.socket = super()._new_conn()
        _attach(connected)
        return connected

    def getresponse(self) -> Any:
        _attach(self.sock)  # a connection that an earlier request has opened
        return super().getresponse()


class _ClosableHTTPSConnection(_ClosableConnection, HTTPSConnection):
    pass


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _ClosableConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _ClosableHTTPSConnection


_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


class _Adapter(requests.adapters.HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager
