"""Something at the service's address that passes calls on to the real one, and lies where it is told to.

The real service says that it stands behind a proxy, so the calls that it sees are honest ones; what people get
for an answer is up to the lie.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # path, status, body -> status, content type ("" leaves it), chunks of the body
    Lie = Callable[[str, int, bytes], "tuple[int, str, Iterator[bytes]]"]


class Liar:
    """The proxy. `lie` is None while it is honest; `seen` lists the paths that were called."""

    def __init__(self, port: int, *, behind: int) -> None:
        self.lie: Lie | None = None
        self.seen: list[str] = []
        self.called = threading.Event()
        self.over = threading.Event()
        liar = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

            def _pass_on(self) -> None:
                liar.seen.append(self.path)
                liar.called.set()
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                connection = http.client.HTTPConnection("127.0.0.1", behind, timeout=60)
                try:
                    connection.request(self.command, self.path, body, dict(self.headers.items()))
                    answer = connection.getresponse()
                    content = answer.read()
                finally:
                    connection.close()
                status, kind, chunks = answer.status, "", iter((content,))
                if liar.lie is not None:
                    status, kind, chunks = liar.lie(self.path, answer.status, content)
                self.send_response(status)
                for name, value in answer.getheaders():
                    if name.lower() not in (
                        "content-length",
                        "transfer-encoding",
                        "connection",
                        "content-type",
                    ):
                        self.send_header(name, value)
                self.send_header("content-type", kind or answer.getheader("content-type") or "text/plain")
                self.send_header("connection", "close")
                self.end_headers()
                # Whoever has had enough hangs up; that is what an endless lie waits for.
                with contextlib.suppress(OSError):
                    for chunk in chunks:
                        self.wfile.write(chunk)
                self.close_connection = True

            do_GET = do_POST = _pass_on  # noqa: N815 - the names that http.server looks for

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and end what still dribbles."""
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def dribble(self, _path: str, _status: int, _body: bytes) -> tuple[int, str, Iterator[bytes]]:
        """Answer one byte at a time, without an end."""

        def drops() -> Iterator[bytes]:
            while not self.over.wait(0.2):
                yield b" "

        return 200, "application/json", drops()

    def flood(self, _path: str, _status: int, _body: bytes) -> tuple[int, str, Iterator[bytes]]:
        """Answer without an end, as fast as it goes."""

        def waves() -> Iterator[bytes]:
            while not self.over.is_set():
                yield b" " * 65_536

        return 200, "application/json", waves()


def page(_path: str, _status: int, _body: bytes) -> tuple[int, str, Iterator[bytes]]:
    """Answer as a captive portal does."""
    return 200, "text/html", iter((b"<!doctype html><title>Sign in to the guest network</title>",))


def failure(_path: str, _status: int, _body: bytes) -> tuple[int, str, Iterator[bytes]]:
    """Answer that something broke."""
    return 500, "text/plain", iter((b"Internal Server Error",))


def nonsense(_path: str, _status: int, _body: bytes) -> tuple[int, str, Iterator[bytes]]:
    """Answer JSON of another kind."""
    return 200, "application/json", iter((b'[1, {"a": 1, "a": 2}]',))
