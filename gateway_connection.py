"""HTTP connections to the gateways, which can be closed while they wait for a response."""

import socket
import threading
from contextlib import suppress
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
        self._socket: socket.socket | None = None
        self._closed = False

    def close(self) -> None:
        """Break the connection now, or as soon as the request has one."""
        with self._lock:
            self._closed = True
            self._shut_down()

    def attach(self, connected: socket.socket | None) -> None:
        """Remember the connection of the request."""
        with self._lock:
            self._socket = connected
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


def send(session: requests.Session, closer: RequestCloser | None, **request: Any) -> requests.Response:
    """Send a request, as session.request() does; the closer can end it."""
    _thread.closer = closer
    try:
        return session.request(**request)
    finally:
        _thread.closer = None
        if closer is not None:
            closer.attach(None)  # from now on, the response is closed instead


def _attach(connection: HTTPConnection) -> None:
    closer: RequestCloser | None = getattr(_thread, "closer", None)
    if closer is not None:
        closer.attach(connection.sock)


class _HTTPConnection(HTTPConnection):
    def getresponse(self) -> Any:
        _attach(self)
        return super().getresponse()


class _HTTPSConnection(HTTPSConnection):
    def getresponse(self) -> Any:
        _attach(self)
        return super().getresponse()


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(requests.adapters.HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
