"""The live feed: each leaf of the log, and each new head, sent to a syslog receiver or a webhook, at least once.

The position of a sink is a leaf's index and moves only after a batch was taken, so a receiver that was down misses
nothing and may see something twice; `index` tells it. What is sent is what the leaves say: ids and hashes, no names.
"""

from __future__ import annotations

import hmac
import socket
import ssl
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import insert, select, update

from gatekeeper.documents.audit_entry import render_audit_entry
from gatekeeper.service.audit.checkpoints import latest_checkpoint
from gatekeeper.service.audit.feed_settings import read_secret, sink_id
from gatekeeper.service.audit.tree import leaves
from gatekeeper.service.outbound import NoAnswer, send_now
from gatekeeper.service.store.tables.audit import audit_feeds
from gatekeeper.strict import parse_object, render_json
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatekeeper.service.audit.feed_settings import AuditSettings, SyslogSettings, WebhookSettings
    from gatekeeper.service.store.transactions import Store

_BATCH = 100
_TIMEOUT = 5.0
_MOST_WAIT = 600
_FACILITY_AUDIT = 13  # log audit (RFC 5424 §6.2.1)
_INFORMATIONAL = 6
_PEN = "gatekeeper@32473"  # RFC 5612's number for documentation: we have none of our own


class Line(Value):
    """One leaf as it is fed: its index, its time, the act, and the leaf itself."""

    index: int
    at: int
    act: str
    leaf: bytes


class Sink(Protocol):
    """Somewhere the log is fed to."""

    @property
    def id(self) -> str:
        """What its position is kept under."""
        ...

    def send(self, lines: Sequence[Line], *, checkpoint: str, now: int) -> None:
        """Send a batch, or raise `OSError` or `NoAnswer`: then it comes again."""
        ...


def push(store: Store, sink: Sink, *, now: int) -> int:
    """Send a sink what it hasn't had, a batch at most; return how many leaves it took."""
    with store.write() as tx:
        row = tx.execute(select(audit_feeds).where(audit_feeds.c.sink == sink.id)).one_or_none()
        if row is None:
            tx.execute(insert(audit_feeds).values(sink=sink.id, position=0, failures=0, retry_at=0))
        elif row.retry_at > now:
            return 0
    position = 0 if row is None else int(row.position)
    with store.read() as tx:
        lines = [
            Line(index=index, at=entry.at, act=entry.act, leaf=render_audit_entry(entry))
            for index, entry in leaves(tx, start=position, count=_BATCH)
        ]
        note = (latest_checkpoint(tx) or b"").decode("utf-8")
    if not lines:
        return 0
    try:
        sink.send(lines, checkpoint=note, now=now)
    except (OSError, NoAnswer):
        _note_failure(store, sink, now=now)
        raise
    with store.write() as tx:
        # Another process may have sent the same meanwhile: the position only moves from where this one began.
        here = (audit_feeds.c.sink == sink.id) & (audit_feeds.c.position == position)
        tx.execute(
            update(audit_feeds).where(here).values(position=lines[-1].index + 1, failures=0, retry_at=0)
        )
    return len(lines)


def sinks_of(settings: AuditSettings, *, host: str) -> tuple[Sink, ...]:
    """Return the sinks of the settings. Raises `GatekeeperError` GK101 where the webhook's secret can't be read."""
    sinks: list[Sink] = []
    if settings.syslog is not None:
        sinks.append(Syslog(settings.syslog, host=host))
    if settings.webhook is not None:
        sinks.append(Webhook(settings.webhook, secret=read_secret(settings.webhook.secret_file)))
    return tuple(sinks)


class Syslog:
    """RFC 5424 over UDP (RFC 5426), TCP (RFC 6587, octet counting) or TLS (RFC 5425)."""

    def __init__(self, settings: SyslogSettings, *, host: str) -> None:
        self._settings = settings
        self._host = host

    @property
    def id(self) -> str:
        """What its position is kept under."""
        one = self._settings
        return sink_id(f"{one.scheme}://{one.host}:{one.port}")

    def send(self, lines: Sequence[Line], *, checkpoint: str, now: int) -> None:
        """Send each leaf as a message, and the newest head after them."""
        messages = [self._message(line.at, line.act, line.index, line.leaf) for line in lines]
        if checkpoint:
            messages.append(self._message(now, "checkpoint", None, render_json({"checkpoint": checkpoint})))
        where = (self._settings.host, self._settings.port)
        if self._settings.scheme == "udp":
            family = socket.getaddrinfo(*where, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family[0], family[1]) as channel:
                for message in messages:
                    channel.sendto(message, family[4])
            return
        with socket.create_connection(where, timeout=_TIMEOUT) as plain:
            channel = plain
            if self._settings.scheme == "tls":
                channel = ssl.create_default_context().wrap_socket(plain, server_hostname=where[0])
            channel.sendall(b"".join(b"%d %s" % (len(message), message) for message in messages))
            channel.shutdown(socket.SHUT_WR)
            # A receiver that closed early resets the connection: reading on to its end is how that is noticed.
            while channel.recv(4096):
                pass

    def _message(self, at: int, act: str, index: int | None, body: bytes) -> bytes:
        time = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        data = "-" if index is None else f'[{_PEN} index="{index}"]'
        head = (
            f"<{_FACILITY_AUDIT * 8 + _INFORMATIONAL}>1 {time} {self._host} gatekeeper - {act[:32]} {data} "
        )
        return head.encode("ascii", "replace") + b"\xef\xbb\xbf" + body


class Webhook:
    """A POST of up to 100 leaves, signed as Standard Webhooks has it: HMAC-SHA256 over id, time and body."""

    def __init__(self, settings: WebhookSettings, *, secret: bytes) -> None:
        self._settings = settings
        self._secret = secret

    @property
    def id(self) -> str:
        """What its position is kept under."""
        return sink_id(self._settings.url)

    def send(self, lines: Sequence[Line], *, checkpoint: str, now: int) -> None:
        """Send the batch; any answer but 2xx is a failure."""
        entries = [
            {"index": line.index, "entry": parse_object(line.leaf, max_bytes=len(line.leaf))}
            for line in lines
        ]
        body = render_json({"schema": 1, "checkpoint": checkpoint, "entries": entries})
        # The same batch has the same id, so that a receiver can tell a repetition.
        message = f"audit-{lines[0].index}-{lines[-1].index}"
        signed = f"{message}.{now}.".encode() + body
        signature = b64encode(hmac.digest(self._secret, signed, sha256)).decode("ascii")
        answer = send_now(
            "POST",
            self._settings.url,
            headers={
                "content-type": "application/json",
                "webhook-id": message,
                "webhook-timestamp": str(now),
                "webhook-signature": f"v1,{signature}",
            },
            body=body,
        )
        if not 200 <= answer.status < 300:
            raise OSError(f"the webhook answered {answer.status}")


def _note_failure(store: Store, sink: Sink, *, now: int) -> None:
    with store.write() as tx:
        here = audit_feeds.c.sink == sink.id
        failures: int = tx.execute(select(audit_feeds.c.failures).where(here)).scalar_one() + 1
        wait = min(_MOST_WAIT, 2 ** min(failures, 10))
        tx.execute(update(audit_feeds).where(here).values(failures=failures, retry_at=now + wait))
