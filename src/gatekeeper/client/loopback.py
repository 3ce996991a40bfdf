"""The port on loopback to which a browser brings the answer of a sign-in (RFC 8252 §7.3).

It listens on 127.0.0.1 alone, at a port that the system chooses, for one answer at one path. Whatever else comes is
told 404 and changes nothing. The answer is hostile: whoever asked checks it.
"""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH = "/callback"
_MAX_QUERY_CHARS = 4096
_SECONDS_A_CALL = 5
_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=color-scheme content='light dark'>"
    "<title>gatekeeper</title><body style='font:16px system-ui;max-width:32em;margin:15vh auto;padding:0 1em'>"
    "<h1>Back to the terminal</h1><p>gatekeeper goes on there. You can close this page.</p>"
)
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Connection": "close",
}


class Callback:
    """One waiting port; use it in a `with`."""

    def __init__(self) -> None:
        answers: SimpleQueue[Mapping[str, str]] = SimpleQueue()
        self._answers = answers

        class Handler(_Handler):
            """The handler of this port."""

            found = answers

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="callback", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def redirect_uri(self) -> str:
        """The address that the browser is sent back to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{PATH}"

    def wait(self, seconds: float) -> Mapping[str, str] | None:
        """Return the parameters of the first answer, None where none came in time. They are hostile."""
        try:
            return self._answers.get(timeout=seconds)
        except Empty:
            return None


class _Handler(BaseHTTPRequestHandler):
    found: SimpleQueue[Mapping[str, str]]
    timeout = _SECONDS_A_CALL

    def do_GET(self) -> None:
        """Take an answer, and show a page that sends people back."""
        parts = urlsplit(self.path)
        pairs = parse_qsl(parts.query) if len(parts.query) <= _MAX_QUERY_CHARS else []
        given = dict(pairs)
        if parts.path != PATH or "state" not in given or len(given) != len(pairs):
            self.send_error(404)
            return
        body = _PAGE.encode()
        self.send_response(200)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.found.put(given)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the terminal is the person's."""
