"""Persistent HTTP connections to one server. Each request borrows a connection, and opens one if none is idle."""

import base64
import ssl
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

import urllib3
from urllib3.util import wait_for_read

CONNECT_TIMEOUT_S = 5.0
MAX_IDLE_CONNECTIONS = 64  # kept open for the threads that send

# When the response to a message is lost, only the outbox may decide to send the message again.
NO_RETRIES = urllib3.Retry(total=False)

Body = bytes | Iterable[bytes] | None


class ConnectionFailed(Exception):
    """The server is unreachable, or the connection broke; str() is the kind of the error."""


class Response:
    """A response whose body is still to be read."""

    def __init__(self, response: HTTPResponse | urllib3.BaseHTTPResponse) -> None:
        self._response = response
        self.status = response.status

    def read(self, size: int | None = None) -> bytes:
        """Return the rest of the body, or up to `size` bytes of it; b"" at the end."""
        with _failures_translated():
            return self._response.read(size)


class Connections(Protocol):
    """What is common to the connections with and without a proxy. All methods are thread-safe."""

    def request(
        self, method: str, path: str, body: Body, headers: dict[str, str], timeout_s: float
    ) -> AbstractContextManager[Response]:
        """Send a request and lend the response; ConnectionFailed if there is none.

        The path follows the base URL. timeout_s limits each time that the server is waited for.
        """
        ...


def connections_to(base_url: str, proxy_url: str | None) -> Connections:
    """Return the connections to the server at a URL, through a proxy if there is one."""
    return ProxiedConnections(base_url, proxy_url) if proxy_url else DirectConnections(base_url)


class DirectConnections:
    """Connections of the standard library: a call takes half the processor time that urllib3's pool needs."""

    def __init__(self, base_url: str) -> None:
        self._server = urlsplit(base_url)
        self._base_path = quote(self._server.path, safe="/%")
        self._tls = ssl.create_default_context() if self._server.scheme == "https" else None
        self._idle: deque[HTTPConnection] = deque()

    def __del__(self) -> None:
        for connection in self._idle:
            connection.close()

    @contextmanager
    def request(
        self, method: str, path: str, body: Body, headers: dict[str, str], timeout_s: float
    ) -> Iterator[Response]:
        """Send a request on an idle or a new connection, see Connections.request()."""
        connection = self._take_idle() or self._new_connection()
        try:
            with _failures_translated():
                if connection.sock is None:
                    connection.timeout = min(CONNECT_TIMEOUT_S, timeout_s)
                    connection.connect()
                connection.sock.settimeout(timeout_s)
                with suppress(BrokenPipeError):  # the server may answer before it has read everything
                    connection.request(method, self._base_path + path, body, headers)
                response = connection.getresponse()
            yield Response(response)
        except BaseException:
            connection.close()
            raise
        if response.isclosed() and connection.sock is not None:  # the body was read, and the server allows more
            self._keep(connection)
        else:
            connection.close()

    def _take_idle(self) -> HTTPConnection | None:
        with suppress(IndexError):  # none is idle
            while True:
                connection = self._idle.pop()
                if not wait_for_read(connection.sock, 0):
                    return connection
                connection.close()  # as the server has done
        return None

    def _new_connection(self) -> HTTPConnection:
        host, port = self._server.hostname or "", self._server.port
        return HTTPSConnection(host, port, context=self._tls) if self._tls else HTTPConnection(host, port)

    def _keep(self, connection: HTTPConnection) -> None:
        self._idle.append(connection)
        if len(self._idle) > MAX_IDLE_CONNECTIONS:
            self._idle.popleft().close()


class ProxiedConnections:
    """Connections of urllib3, which knows every kind of proxy."""

    def __init__(self, base_url: str, proxy_url: str) -> None:
        headers = {}
        if user_and_password := urllib3.util.parse_url(proxy_url).auth:
            encoded = base64.b64encode(unquote(user_and_password).encode()).decode()
            headers["Proxy-Authorization"] = f"Basic {encoded}"
        self._base_url = base_url
        self._pool = urllib3.ProxyManager(proxy_url, maxsize=MAX_IDLE_CONNECTIONS, proxy_headers=headers)

    @contextmanager
    def request(
        self, method: str, path: str, body: Body, headers: dict[str, str], timeout_s: float
    ) -> Iterator[Response]:
        """Send a request through the proxy, see Connections.request()."""
        with _failures_translated():
            response = self._pool.urlopen(
                method,
                self._base_url + path,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, timeout_s), read=timeout_s),
                retries=NO_RETRIES,
                preload_content=False,
            )
        with response:
            yield Response(response)


@contextmanager
def _failures_translated() -> Iterator[None]:
    # A UnicodeError comes from a host name that cannot exist, such as one with a label of more than 63 characters.
    try:
        yield
    except (OSError, HTTPException, UnicodeError, urllib3.exceptions.HTTPError) as error:
        raise ConnectionFailed(type(error).__name__) from error
