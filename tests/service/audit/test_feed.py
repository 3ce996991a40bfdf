"""The live feed: everything once at least, in order, past receivers that fail; and the settings that name it."""

from __future__ import annotations

import hmac
import json
import socket
import threading
from base64 import b64encode
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.service.audit.test_tree import note
from tests.service.audit_parts import keep_now
from tests.service.local import LocalService

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.feed import Syslog, Webhook, push, sinks_of
from gatekeeper.service.audit.feed_settings import (
    AuditSettings,
    SyslogSettings,
    WebhookSettings,
    parse_audit,
    read_secret,
)
from gatekeeper.service.outbound import NoAnswer

SECRET = b"a secret of the receiver's"


class Receiver:
    """A webhook's other end."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.bodies.append(self.rfile.read(int(self.headers["content-length"])))
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(outer.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def test_a_webhook_gets_everything_signed_and_what_failed_again(local: LocalService) -> None:
    """The position moves only with a good answer; a receiver that fails is left alone for a while."""
    receiver = Receiver()
    try:
        sink = Webhook(WebhookSettings(url=receiver.url, secret_file=Path("x")), secret=SECRET)
        note(local, 149)
        keep_now(local)
        receiver.status = 503
        with pytest.raises(OSError, match="503"):
            push(local.store, sink, now=local.now)
        assert push(local.store, sink, now=local.now) == 0
        receiver.status = 204
        local.now += 60
        assert [push(local.store, sink, now=local.now) for _ in range(3)] == [100, 50, 0]
    finally:
        receiver.close()
    first, *good = [json.loads(body) for body in receiver.bodies]
    assert first["entries"] == good[0]["entries"]
    assert [one["index"] for body in good for one in body["entries"]] == list(range(150))
    assert "gatekeeper.acme.example/log/1\n150\n" in good[0]["checkpoint"]
    for headers, body in zip(receiver.headers, receiver.bodies, strict=True):
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = b64encode(hmac.digest(SECRET, signed, sha256)).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
    assert receiver.headers[0]["webhook-id"] == receiver.headers[1]["webhook-id"]
    local.now += 3600
    note(local, 1)
    keep_now(local)
    with pytest.raises(NoAnswer):  # nobody listens any more
        push(local.store, sink, now=local.now)


def test_syslog_over_tcp_and_udp(local: LocalService) -> None:
    """RFC 5424 messages, counted on TCP, one a datagram on UDP, the head after the entries."""
    keep_now(local)
    with socket.create_server(("127.0.0.1", 0)) as server:
        got: list[bytes] = []

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                while part := connection.recv(4096):
                    got.append(part)

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        sink = Syslog(SyslogSettings(scheme="tcp", host="127.0.0.1", port=port), host="gk1")
        assert push(local.store, sink, now=local.now) == 1
        thread.join()
    stream = b"".join(got)
    messages = []
    while stream:
        count, _, stream = stream.partition(b" ")
        messages.append(stream[: int(count)])
        stream = stream[int(count) :]
    assert messages[0].startswith(
        b'<110>1 2027-01-15T08:00:00Z gk1 gatekeeper - service.initialised [gatekeeper@32473 index="0"] \xef\xbb\xbf{'
    )
    assert b"checkpoint" in messages[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        port = server.getsockname()[1]
        sink = Syslog(SyslogSettings(scheme="udp", host="127.0.0.1", port=port), host="gk1")
        assert push(local.store, sink, now=local.now) == 1
        assert server.recv(65_535) == messages[0]


def test_settings_name_what_is_wrong(tmp_path: Path) -> None:
    """Misspelt keys, other schemes, secrets that are open to others."""
    assert parse_audit({}, data=tmp_path) == AuditSettings()
    good = parse_audit(
        {"syslog": "udp://127.0.0.1", "webhook": {"url": "https://siem.acme.example/x", "secret_file": "s"}},
        data=tmp_path,
    )
    assert good.syslog == SyslogSettings(scheme="udp", host="127.0.0.1", port=514)
    assert good.webhook is not None
    for raw, words in (
        ({"sylog": "x"}, "Did you mean syslog"),
        ({"syslog": "http://x"}, "no udp"),
        ({"syslog": "tcp://h:99999"}, "no udp"),
        ({"syslog": 1}, "no udp"),
        ({"webhook": {"url": "https://x"}}, "needs url and secret_file"),
        ({"webhook": {"url": "ftp://x", "secret_file": "s"}}, "no https"),
        ([], "no table"),
    ):
        with pytest.raises(GatekeeperError, match=words) as caught:
            parse_audit(raw, data=tmp_path)
        assert caught.value.code == "GK101"
    with pytest.raises(GatekeeperError, match="No such file"):
        sinks_of(good, host="h")
    secret = tmp_path / "s"
    secret.write_bytes(SECRET)
    secret.chmod(0o644)
    with pytest.raises(GatekeeperError, match="open to others"):
        read_secret(secret)
    secret.chmod(0o600)
    assert [sink.id for sink in sinks_of(good, host="h")]
    secret.write_bytes(b"short")
    with pytest.raises(GatekeeperError, match="fewer"):
        read_secret(secret)
