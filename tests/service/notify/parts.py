"""The other ends of notifications: an HTTP server and an SMTP server on loopback, which fail when told to."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sqlalchemy import select
from tests.service.access.office import Office

from gatekeeper.service.access.news import NewsDesk
from gatekeeper.service.notify.deliveries import Standing, standing
from gatekeeper.service.notify.delivering import Deliverer
from gatekeeper.service.notify.mail import Mail
from gatekeeper.service.notify.news import ASKS, KINDS, TELLS
from gatekeeper.service.notify.settings import PLAIN, MailSettings
from gatekeeper.service.notify.target import Target
from gatekeeper.service.notify.webhook import Webhook
from gatekeeper.service.store.tables.notify import deliveries, outbox

ISSUER = "https://gatekeeper.acme.example"
SECRET = b"a secret of the receiver's"


class Receiver:
    """A channel's or webhook's other end. `status` is what it answers."""

    def __init__(self) -> None:
        self.status = 200
        self.retry_after = ""
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.bodies.append(self.rfile.read(int(self.headers["content-length"])))
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(outer.status)
                if outer.retry_after:
                    self.send_header("retry-after", outer.retry_after)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    @property
    def sent(self) -> list[Any]:
        """What came, parsed."""
        return [json.loads(body) for body in self.bodies]


class MailServer:
    """An SMTP server (RFC 5321) that keeps what it takes. `refused` recipients get 550, `down` is 421 at once."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.mails: list[tuple[str, EmailMessage]] = []
        self.refused: set[str] = set()
        self.down = False
        self.logins: list[str] = []
        self.encrypted: list[bool] = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                session = _Session(outer, self, tls)
                with suppress(OSError):  # a client that doesn't like our certificate goes away
                    session.run()
                if session.encrypted:
                    session.read.close()
                    session.channel.close()

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port: int = self.server.server_address[1]


class _Session:
    def __init__(
        self, outer: MailServer, handler: socketserver.StreamRequestHandler, tls: ssl.SSLContext | None
    ) -> None:
        self.outer, self.tls, self.encrypted = outer, tls, False
        self.channel = handler.request
        self.read = handler.rfile
        self.to = ""

    def say(self, line: str) -> None:
        self.channel.sendall(line.encode() + b"\r\n")

    def run(self) -> None:
        if self.outer.down:
            self.say("421 come again")
            return
        self.say("220 sink")
        while line := self.read.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb == "QUIT":
                self.say("221 bye")
                return
            self.answer(verb, line)

    def answer(self, verb: str, line: str) -> None:
        if verb == "EHLO":
            offers = ["STARTTLS"] if self.tls and not self.encrypted else []
            offers += ["AUTH PLAIN"] if self.encrypted else []
            words = ["sink", *offers]
            for one in words[:-1]:
                self.say(f"250-{one}")
            self.say(f"250 {words[-1]}")
        elif verb == "STARTTLS" and self.tls:
            self.say("220 go on")
            self.channel = self.tls.wrap_socket(self.channel, server_side=True, do_handshake_on_connect=False)
            self.read = self.channel.makefile("rb")
            self.encrypted = True
            self.channel.do_handshake()
        elif verb == "AUTH":
            self.outer.logins.append(line)
            self.say("235 welcome")
        elif verb == "RCPT":
            self.to = line.partition("<")[2].partition(">")[0]
            self.say("550 nobody" if self.to in self.outer.refused else "250 ok")
        elif verb == "DATA":
            self.say("354 go on")
            lines: list[bytes] = []
            while (content := self.read.readline()) != b".\r\n":
                lines.append(content)
            self.outer.encrypted.append(self.encrypted)
            mail = message_from_bytes(b"".join(lines), policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self.outer.mails.append((self.to, mail))
            self.say("250 ok")
        else:
            self.say("250 ok")


@contextmanager
def listening(end: Receiver | MailServer) -> Iterator[None]:
    """Serve while the block runs."""
    thread = threading.Thread(target=end.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        end.server.shutdown()
        end.server.server_close()
        thread.join()


def webhook(receiver: Receiver, *, name: str = "webhook", on: tuple[str, ...] = KINDS) -> Webhook:
    """Return a webhook at a receiver."""
    return Webhook(name=name, on=on, url=receiver.url, secret=SECRET)


def mail(server: MailServer) -> Mail:
    """Return mail by a server."""
    settings = MailSettings(
        host="127.0.0.1", port=server.port, security=PLAIN, sender="gatekeeper@acme.example"
    )
    return Mail(settings, name="email", on=(*ASKS, *TELLS), password="")


def deliverer(*targets: Target) -> Deliverer:
    """Return what brings messages to targets."""
    return Deliverer(NewsDesk(issuer=ISSUER), targets)


def stands(office: Office) -> Standing:
    """Return how the deliveries stand."""
    with office.store.read() as tx:
        return standing(tx)


def states(office: Office) -> list[str]:
    """Return the states of the deliveries, the oldest first."""
    with office.store.read() as tx:
        return list(tx.execute(select(deliveries.c.state).order_by(deliveries.c.id)).scalars())


def open_messages(office: Office) -> int:
    """Return how many messages aren't done."""
    with office.store.read() as tx:
        return len(tx.execute(select(outbox.c.id).where(outbox.c.delivered_at.is_(None))).all())


def work(office: Office, one: Deliverer, *, rounds: int = 1) -> int:
    """Let the worker's part be done some times, without time going by."""
    return sum(one.act(office.store, office.now) for _ in range(rounds))
