"""Seats: how many people may use a tool at once, who waits for one, and how a seat falls free.

A seat belongs to a person, not to a grant: whoever has one keeps it through a suspension and a renewal. Seats are
counted in the write transaction that takes one, and the store lets one writer in at a time, so the last seat is
taken once. The waiting list is first come, first served: nobody takes a free seat past those who wait.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from gatekeeper.service.access.grant_rows import Grant, announce, as_of, move
from gatekeeper.service.access.lifecycle import ACTIVATE, ACTIVE, END, LAPSE, SUSPENDED, WAITLISTED
from gatekeeper.service.audit import log
from gatekeeper.service.policy.folder import Policy, PolicyTool, current_policy
from gatekeeper.service.store.tables.access import grants
from gatekeeper.values import Value

WAIT_FOR = 30 * 86_400  # a place in the queue lapses then
_NOTICE_FOR = 3 * 86_400


class Seats(Value):
    """How a tool's seats stand. `limit` is None where there is no limit."""

    limit: int | None
    taken: int
    waiting: int

    @property
    def free(self) -> bool:
        """Whether one more person may be seated now."""
        return self.limit is None or self.taken + self.waiting < self.limit


class Place(Value):
    """A place in the queue, counted from 1, and how many wait in it."""

    place: int
    waiting: int


def seats_of(tx: Connection, policy: Policy, tool_id: str, *, now: int) -> Seats:
    """Return how the seats of a tool stand."""
    tool = policy.tool_of_id(tool_id)
    return Seats(
        limit=tool.seats if tool is not None else None,
        taken=_count(tx, tool_id, _seated(now)),
        waiting=_count(tx, tool_id, _queued(now)),
    )


def is_seated(tx: Connection, *, subject: str, tool: str, now: int) -> bool:
    """Say whether a subject holds a seat of a tool."""
    own = and_(grants.c.subject == subject, grants.c.tool == tool, _seated(now))
    return tx.execute(select(func.count()).select_from(grants).where(own)).scalar_one() > 0


def place_of(tx: Connection, grant: Grant, *, now: int) -> Place:
    """Return the place of a waitlisted grant."""
    of_tool = and_(grants.c.tool == grant.tool, _queued(now))
    earlier = and_(of_tool, grants.c.number < grant.number)
    return Place(
        place=tx.execute(select(func.count()).select_from(grants).where(earlier)).scalar_one() + 1,
        waiting=tx.execute(select(func.count()).select_from(grants).where(of_tool)).scalar_one(),
    )


def fill_seats(tx: Connection, policy: Policy, tool_id: str, *, now: int) -> int:
    """Seat whoever waits first, as long as a seat is free; return how many moved up."""
    tool = policy.tool_of_id(tool_id)
    seats = seats_of(tx, policy, tool_id, now=now)
    if tool is None or not seats.waiting:
        return 0
    free = seats.waiting if tool.seats is None else max(0, tool.seats - seats.taken)
    waiting = select(grants).where(grants.c.tool == tool_id, _queued(now)).order_by(grants.c.number)
    moved = 0
    for row in tx.execute(waiting).all():
        grant = as_of(row, now)
        # Somebody who got a seat meanwhile by another grant needs none for this one.
        seated = is_seated(tx, subject=grant.subject, tool=tool_id, now=now)
        if not seated and not free:
            continue
        free -= 0 if seated else 1
        changes = {"starts_at": now, "ends_at": now + grant.duration_for, "noticed_at": None}
        move(tx, grant, ACTIVATE, actor=log.SERVICE, now=now, changes=changes)
        moved += 1
    return moved


def free_seats(tx: Connection, now: int) -> int:
    """Take what time frees, and seat whoever waits: the worker's step. Return how many grants changed."""
    changed = 0
    over = select(grants).where(grants.c.state == WAITLISTED, grants.c.ends_at <= now)
    for row in tx.execute(over.order_by(grants.c.number)).all():
        # As it is stored: what reads as ended has yet to be written down.
        move(tx, as_of(row, row.ends_at - 1), LAPSE, actor=log.SERVICE, now=now, changes=_ended(row.ends_at))
        changed += 1
    policy = current_policy(tx, now=now)
    changed += sum(_free_unused(tx, tool, now=now) for tool in policy.tools)
    tools = tx.execute(select(grants.c.tool).where(grants.c.state == WAITLISTED).distinct()).scalars().all()
    return changed + sum(fill_seats(tx, policy, tool, now=now) for tool in sorted(tools))


def _free_unused(tx: Connection, tool: PolicyTool, *, now: int) -> int:
    """Give notice of seats that nobody uses, and end those whose notice is over. Suspended ones can't be used."""
    if tool.unused_for is None:
        return 0
    notice_for = min(_NOTICE_FOR, tool.unused_for // 2)
    used_at = func.coalesce(grants.c.last_used_at, grants.c.starts_at)
    idle = and_(
        grants.c.tool == tool.id,
        grants.c.state == ACTIVE,
        grants.c.ends_at > now,
        used_at <= now - tool.unused_for + notice_for,
    )
    changed = 0
    for row in tx.execute(select(grants).where(idle).order_by(grants.c.number)).all():
        grant = as_of(row, now)
        unused_at = grant.starts_at if grant.last_used_at is None else grant.last_used_at
        if grant.noticed_at is None:
            tx.execute(update(grants).where(grants.c.number == grant.number).values(noticed_at=now))
            announce(tx, grant, "grant.unused", actor=log.SERVICE, now=now)
        elif now >= max(unused_at + tool.unused_for, grant.noticed_at + notice_for):
            words = "The seat was not used, and fell free."
            move(tx, grant, END, actor=log.SERVICE, now=now, changes=_ended(now, words))
        else:
            continue
        changed += 1
    return changed


def _ended(at: int, reason: str = "") -> dict[str, object]:
    return {"ended_at": at, "ended_by": "", "ended_reason": reason}


def _seated(now: int) -> ColumnElement[bool]:
    return and_(or_(grants.c.state == ACTIVE, grants.c.state == SUSPENDED), grants.c.ends_at > now)


def _queued(now: int) -> ColumnElement[bool]:
    return and_(grants.c.state == WAITLISTED, grants.c.ends_at > now)


def _count(tx: Connection, tool: str, which: ColumnElement[bool]) -> int:
    """Count people, not grants."""
    query = select(func.count(grants.c.subject.distinct())).where(grants.c.tool == tool, which)
    return tx.execute(query).scalar_one()
