"""Connections that are patient, but not forever."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import uvicorn

from gatekeeper.service.connections import PatientProtocol

CALL = b"GET / HTTP/1.1\r\nHost: x\r\n"


class Hasty(PatientProtocol):
    """The protocol with a short patience."""

    header_seconds = 0.3


async def app(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer after longer than the patience for headers."""
    await asyncio.sleep(0.6)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def received(*sent: bytes, keep_sending: bytes = b"") -> bytes:
    """Return what a server answers until it closes, to parts that are sent with an answer awaited between them."""

    async def whole() -> bytes:
        config = uvicorn.Config(
            app, http=Hasty, loop="asyncio", lifespan="off", log_config=None, access_log=False
        )
        server = uvicorn.Server(config)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            running = asyncio.create_task(server._serve([listener]))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            answers = b""
            for part in sent:
                writer.write(part)
                await writer.drain()
                if part.endswith(b"\r\n\r\n"):
                    answers += await reader.readuntil(b"ok")
            while keep_sending and not reader.at_eof():
                try:
                    writer.write(keep_sending)
                    await writer.drain()
                except ConnectionError:
                    break
                await asyncio.sleep(0.05)
            async with asyncio.timeout(20):
                with contextlib.suppress(ConnectionError):
                    answers += await reader.read()
            writer.close()
            server.should_exit = True
            await running
            return answers

    return asyncio.run(whole())


def test_nothing_at_all_is_let_go() -> None:
    """A connection that says nothing ends."""
    assert received() == b""


def test_headers_that_never_end_are_let_go() -> None:
    """A byte now and then buys no more time."""
    assert received(CALL + b"X: ", keep_sending=b"x") == b""


def test_a_call_may_take_longer_than_its_headers() -> None:
    """Once the headers are there, the answer takes the time that it takes; so does a second call's."""
    assert received(CALL + b"\r\n", CALL + b"\r\n", CALL + b"X: ").count(b"200 OK") == 2


def test_a_second_calls_headers_are_watched_too() -> None:
    """After one good call, headers byte by byte are let go as well."""
    assert received(CALL + b"\r\n", CALL, keep_sending=b"X").count(b"200 OK") == 1
