"""telegram.connections: which connections are kept open, and that TLS is checked."""

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from telegram.connections import ConnectionFailed, Connections, connections_to

CONTENT = b"0123456789" * 100_000


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open

    def do_POST(self) -> None:
        """Respond with CONTENT; close the connection afterwards, unannounced, if the path says so."""
        self.server.ports.append(self.client_address[1])  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(404 if self.path == "/base/unknown" else 200)
        if self.path == "/base/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"4\r\n0123\r\n0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:10] if self.path == "/base/cut" else CONTENT)
        self.close_connection = self.path in ("/base/cut", "/base/last")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ports: list[int] = []  # of the clients, one per request: each connection has its own
        self.finished = threading.Semaphore(0)  # counts closed connections

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.finished.release()

    def handle_error(self, *_: object) -> None:
        """Log nothing: a client that does not trust the certificate goes away."""


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def connections(server: _Server) -> Connections:
    return connections_to(f"http://127.0.0.1:{server.server_port}/base", None)


def post(connections: Connections, path: str) -> tuple[int, bytes]:
    with connections.request("POST", path, b"body", {}, 30.0) as response:
        return response.status, response.read()


def test_requests_use_the_connection_again(connections: Connections, server: _Server) -> None:
    assert post(connections, "/known") == (200, CONTENT)
    assert post(connections, "/unknown") == (404, CONTENT)
    assert post(connections, "/chunked") == (200, b"0123")
    assert len(set(server.ports)) == 1


def test_a_request_in_the_meantime_has_a_connection_of_its_own(connections: Connections, server: _Server) -> None:
    with connections.request("POST", "/known", None, {}, 30.0):
        post(connections, "/known")
    assert len(set(server.ports)) == 2


def test_a_connection_that_the_server_has_closed_is_not_used_again(
    connections: Connections, server: _Server
) -> None:
    post(connections, "/last")
    server.finished.acquire()
    assert post(connections, "/known") == (200, CONTENT)
    assert len(set(server.ports)) == 2


def test_a_response_that_was_not_read_does_not_get_into_the_next_one(
    connections: Connections, server: _Server
) -> None:
    with connections.request("POST", "/unknown", None, {}, 30.0) as response:
        assert response.read(4) == b"0123"
    assert post(connections, "/known") == (200, CONTENT)
    assert len(set(server.ports)) == 2


def test_half_a_response_is_a_failure(connections: Connections) -> None:
    with pytest.raises(ConnectionFailed, match="IncompleteRead"):
        post(connections, "/cut")
    assert post(connections, "/known") == (200, CONTENT)


@pytest.mark.parametrize(
    ("host", "error"), [("127.0.0.1:1", "ConnectionRefusedError"), ("a" * 64 + ".invalid", "UnicodeError")]
)
def test_a_server_that_does_not_exist(host: str, error: str) -> None:
    with pytest.raises(ConnectionFailed, match=error):
        post(connections_to(f"http://{host}", None), "/known")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl, which makes a certificate")
def test_only_a_trusted_certificate_is_accepted(
    server: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost"
    subprocess.run([*command.split(), "-out", certificate, "-keyout", key], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://localhost:{server.server_port}/base"
    with pytest.raises(ConnectionFailed, match="SSLCertVerificationError"):
        post(connections_to(url, None), "/known")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert post(connections_to(url, None), "/known") == (200, CONTENT)
    with pytest.raises(ConnectionFailed, match="SSLCertVerificationError"):  # the certificate is for another name
        post(connections_to(url.replace("localhost", "127.0.0.1"), None), "/known")
