"""Deliveries: one row for each message, target and recipient, and who is to try it when.

Whoever takes a delivery moves its `due_at` on by a lease, so that nobody else tries meanwhile, and somebody does
where the taker died. A delivery ends as delivered, dropped (nothing to tell any more) or dead (given up); with the
last of its deliveries a message is done.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from gatekeeper.service.notify.outbox import Message, mark_addressed, mark_delivered
from gatekeeper.service.store.tables.notify import deliveries, outbox
from gatekeeper.values import Value

WAITING, DELIVERED, DROPPED, DEAD = "waiting", "delivered", "dropped", "dead"
LEASE = 600
MOST_TRIES = 12
GIVE_UP_AFTER = 3 * 86_400
KEPT_FOR = 30 * 86_400
_FIRST_WAIT = 15
_LONGEST_WAIT = 6 * 3600
_MOST_ERROR = 200
_MOST_AT_ONCE = 1000


class Delivery(Value):
    """One message on its way to one target; `recipient` is a subject's id, "" where the target is one place."""

    id: int
    message: Message
    target: str
    recipient: str
    failures: int


class Standing(Value):
    """How the deliveries stand; `error` is of the newest that was given up in the last 30 days."""

    waiting: int
    dead: int
    error: str


def address(tx: Connection, message: Message, to: Iterable[tuple[str, str]], *, now: int) -> bool:
    """Make the deliveries of a message, each a target and a recipient; False where another process did."""
    if not mark_addressed(tx, message.id, now=now):
        return False
    rows = [
        {
            "message": message.id,
            "target": target,
            "recipient": recipient,
            "state": WAITING,
            "failures": 0,
            "due_at": now,
            "error": "",
        }
        for target, recipient in sorted(set(to))
    ]
    if rows:
        tx.execute(insert(deliveries), rows)
    else:
        mark_delivered(tx, message.id, now=now)
    return True


def is_due(tx: Connection, *, now: int) -> bool:
    """Say whether any delivery is due."""
    due = (deliveries.c.state == WAITING) & (deliveries.c.due_at <= now)
    return tx.execute(select(deliveries.c.id).where(due).limit(1)).scalar() is not None


def claim(tx: Connection, target: str, *, limit: int, now: int) -> list[Delivery]:
    """Take up to `limit` deliveries that are due at a target, the oldest first; nobody else gets them for the lease."""
    due = (deliveries.c.state == WAITING) & (deliveries.c.target == target) & (deliveries.c.due_at <= now)
    columns = (outbox.c.kind, outbox.c.payload, outbox.c.created_at)
    query = select(deliveries, *columns).join(outbox, outbox.c.id == deliveries.c.message).where(due)
    rows = tx.execute(query.order_by(deliveries.c.id).limit(limit)).all()
    if rows:
        mine = deliveries.c.id.in_([row.id for row in rows])
        tx.execute(update(deliveries).where(mine).values(due_at=now + LEASE))
    return [_typed(row) for row in rows]


def drop_unknown(tx: Connection, known: Iterable[str], *, now: int) -> int:
    """End what waits for targets that the settings don't name any more; return how many."""
    lost = (deliveries.c.state == WAITING) & (deliveries.c.target.not_in(sorted(known)))
    query = select(deliveries.c.id, deliveries.c.message).where(lost).limit(_MOST_AT_ONCE)
    rows = tx.execute(query).all()
    for row in rows:
        _end(tx, row.id, row.message, DROPPED, now=now)
    return len(rows)


def succeed(tx: Connection, delivery: Delivery, *, now: int) -> None:
    """Note that the target took it."""
    _end(tx, delivery.id, delivery.message.id, DELIVERED, now=now)


def drop(tx: Connection, delivery: Delivery, *, now: int) -> None:
    """Note that there is nothing to tell any more."""
    _end(tx, delivery.id, delivery.message.id, DROPPED, now=now)


def fail(tx: Connection, delivery: Delivery, error: str, *, wait_for: int = 0, now: int) -> int | None:
    """Note a failure; return when it is tried again, None where it is given up."""
    failures = delivery.failures + 1
    here = (deliveries.c.id == delivery.id) & (deliveries.c.state == WAITING)
    retry_at = now + max(wait_for, wait_after(failures))
    tx.execute(
        update(deliveries).where(here).values(failures=failures, due_at=retry_at, error=error[:_MOST_ERROR])
    )
    if failures < MOST_TRIES and now - delivery.message.created_at < GIVE_UP_AFTER:
        return retry_at
    _end(tx, delivery.id, delivery.message.id, DEAD, now=now)
    return None


def postpone(tx: Connection, target: str, claimed: Iterable[Delivery], *, until: int, now: int) -> None:
    """Let wait what else is due at a target that is down, and give back what was claimed; no failure is counted."""
    mine = deliveries.c.id.in_([one.id for one in claimed])
    due = (deliveries.c.target == target) & (deliveries.c.due_at <= now)
    tx.execute(update(deliveries).where((deliveries.c.state == WAITING) & (mine | due)).values(due_at=until))


def wait_after(failures: int) -> int:
    """Return how many seconds to wait after so many failures: 15, doubled with each, at most six hours."""
    return min(_LONGEST_WAIT, _FIRST_WAIT << (min(failures, 20) - 1))


def standing(tx: Connection) -> Standing:
    """Return how the deliveries stand."""
    counted = select(deliveries.c.state, func.count().label("many")).where(
        deliveries.c.state.in_((WAITING, DEAD))
    )
    many = {row.state: row.many for row in tx.execute(counted.group_by(deliveries.c.state))}
    newest = select(deliveries.c.target, deliveries.c.error).where(deliveries.c.state == DEAD)
    row = tx.execute(newest.order_by(deliveries.c.id.desc()).limit(1)).one_or_none()
    error = f"{row.target}: {row.error}" if row is not None else ""
    return Standing(waiting=many.get(WAITING, 0), dead=many.get(DEAD, 0), error=error)


def sweep_messages(tx: Connection, now: int) -> int:
    """Forget messages that were done 30 days ago, and their deliveries: the worker's step. Return how many."""
    done = select(outbox.c.id).where(outbox.c.delivered_at <= now - KEPT_FOR)
    old = list(tx.execute(done.order_by(outbox.c.id).limit(_MOST_AT_ONCE)).scalars())
    if old:
        tx.execute(delete(deliveries).where(deliveries.c.message.in_(old)))
        tx.execute(delete(outbox).where(outbox.c.id.in_(old)))
    return len(old)


def _end(tx: Connection, id_: int, message: int, state: str, *, now: int) -> None:
    here = (deliveries.c.id == id_) & (deliveries.c.state == WAITING)
    tx.execute(update(deliveries).where(here).values(state=state, ended_at=now))
    left = (deliveries.c.message == message) & (deliveries.c.state == WAITING)
    if tx.execute(select(deliveries.c.id).where(left).limit(1)).scalar() is None:
        mark_delivered(tx, message, now=now)


def _typed(row: Row[tuple[object, ...]]) -> Delivery:
    return Delivery(
        id=row.id,
        message=Message(
            id=row.message, kind=row.kind, payload=tuple(row.payload.items()), created_at=row.created_at
        ),
        target=row.target,
        recipient=row.recipient,
        failures=row.failures,
    )
