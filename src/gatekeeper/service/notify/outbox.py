"""The outbox: messages that must go out because something happened, stored in the transaction in which it did.

The worker delivers at least once; a message's id lets a receiver drop what came twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from gatekeeper.service.notify.news import KINDS
from gatekeeper.service.store.tables.notify import outbox
from gatekeeper.values import Value


class Message(Value):
    """One message. `payload` holds ids; what people read is looked up when it is written out."""

    id: int
    kind: str
    payload: tuple[tuple[str, object], ...]
    created_at: int


def enqueue(tx: Connection, *, kind: str, payload: Mapping[str, object], now: int) -> None:
    """Store a message to be sent once this transaction stands. `payload` holds JSON types."""
    if kind not in KINDS:
        raise RuntimeError(f"no kind of message {kind!r}")
    tx.execute(insert(outbox).values(kind=kind, payload=dict(payload), created_at=now))


def undelivered(tx: Connection, *, limit: int) -> list[Message]:
    """Return up to `limit` messages that nobody has addressed yet, oldest first."""
    waiting = select(outbox).where(outbox.c.addressed_at.is_(None), outbox.c.delivered_at.is_(None))
    return [message_of_row(row) for row in tx.execute(waiting.order_by(outbox.c.id).limit(limit))]


def mark_addressed(tx: Connection, message_id: int, *, now: int) -> bool:
    """Note that the deliveries of a message are made; say whether this call was the first to."""
    waiting = (outbox.c.id == message_id) & outbox.c.addressed_at.is_(None)
    return tx.execute(update(outbox).where(waiting).values(addressed_at=now)).rowcount == 1


def mark_delivered(tx: Connection, message_id: int, *, now: int) -> bool:
    """Note that no delivery of a message waits any more; say whether this call was the first to."""
    waiting = (outbox.c.id == message_id) & outbox.c.delivered_at.is_(None)
    return tx.execute(update(outbox).where(waiting).values(delivered_at=now)).rowcount == 1


def message_of_row(row: Row[Any]) -> Message:
    """Type a row of the table `outbox`."""
    return Message(id=row.id, kind=row.kind, payload=tuple(row.payload.items()), created_at=row.created_at)
