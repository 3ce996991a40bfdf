"""The way out: where the service calls, where it never does, and how much it takes."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gatekeeper.service.outbound import MAX_ANSWER_BYTES, NoAnswer, fetch, send, send_now


class Handler(BaseHTTPRequestHandler):
    """Answers by path."""

    timeout = 5

    def do_GET(self) -> None:
        """Answer as the path says."""
        if self.path == "/slow":
            self.server.gone.wait(30)  # type: ignore[attr-defined]
            return
        status = {"/moved": 302, "/broken": 500}.get(self.path, 200)
        self.send_response(status)
        if self.path == "/moved":
            self.send_header("Location", "/")
        if self.path == "/zipped":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(
            b"x" * (MAX_ANSWER_BYTES + 1) if self.path == "/long" else self.headers["Host"].encode()
        )

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    """Run a server on loopback."""
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.gone = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield running
    running.gone.set()  # type: ignore[attr-defined]
    running.shutdown()
    thread.join()
    running.server_close()


def url_of(server: ThreadingHTTPServer, path: str = "/") -> str:
    """Return an address of the server."""
    return f"http://localhost:{server.server_address[1]}{path}"


def test_an_answer_comes_back(server: ThreadingHTTPServer) -> None:
    """The host that was named is the one that is asked for, whatever address its name leads to."""
    answer = send_now("GET", url_of(server))
    assert (answer.status, answer.body) == (200, url_of(server, "").removeprefix("http://").encode())
    assert asyncio.run(fetch(url_of(server))) == answer.body


def test_a_redirect_is_not_followed(server: ThreadingHTTPServer) -> None:
    """It is an answer; who fetches a document has none."""
    assert send_now("GET", url_of(server, "/moved")).status == 302
    for path in ("/moved", "/broken"):
        with pytest.raises(NoAnswer, match="status"):
            asyncio.run(fetch(url_of(server, path)))


@pytest.mark.parametrize(("path", "why"), [("/long", "longer than 1 MiB"), ("/zipped", "compressed")])
def test_an_answer_that_is_too_much(server: ThreadingHTTPServer, path: str, why: str) -> None:
    """It is dropped as soon as that is known."""
    with pytest.raises(NoAnswer, match=why):
        send_now("GET", url_of(server, path))


def test_nobody_waits_for_ever(server: ThreadingHTTPServer) -> None:
    """The limit is for all of a call."""
    with pytest.raises(NoAnswer, match=r"within 0\.2 seconds"):
        send_now("GET", url_of(server, "/slow"), seconds=0.2)


@pytest.mark.parametrize(
    "url",
    [
        "http://login.acme.example/",
        "http://127.0.0.2/",
        "http://localhost.evil.example/",
        "ftp://localhost/",
        "file:///etc/passwd",
        "https://ada:secret@login.acme.example/",
        "https:///x",
        "https://login.acme.example\\@evil.example/",
        "https://login.acme.example/\n",
        "https://[::1",
        "",
    ],
)
def test_an_address_that_is_never_called(url: str) -> None:
    """Its text alone says so."""
    with pytest.raises(NoAnswer) as raised:
        asyncio.run(send("GET", url))
    assert raised.value.code == "GK605"


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "100.100.100.200",
        "[fd00:ec2::254]",
        "0.0.0.0",
        "224.0.0.1",
    ],
)
def test_a_clouds_metadata_is_never_called(host: str) -> None:
    """Not by https, and not by any way of writing its address."""
    with pytest.raises(NoAnswer, match="not called"):
        send_now("GET", f"https://{host}/latest/meta-data/")


def test_a_port_where_nobody_listens() -> None:
    """The words say what the system says."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(NoAnswer, match="can't be reached"):
        send_now("GET", f"http://127.0.0.1:{port}/")
