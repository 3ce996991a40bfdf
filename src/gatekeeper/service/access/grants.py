"""Grants: what an approved request becomes. A function for each arrow that people take, and for what time ends.

Whatever frees a seat seats at once whoever waits for it. How grants are stored and read stands in `grant_rows`.
"""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.grant_rows import (
    Grant,
    announce,
    as_of,
    get_grant,
    grants_of,
    grants_of_request,
    move,
    note_use,
)
from gatekeeper.service.access.lifecycle import (
    ACTIVE,
    BREAK_GLASS,
    CANCEL,
    END,
    RESUME,
    REVOKE,
    SUSPEND,
    SUSPENDED,
    WAITLISTED,
)
from gatekeeper.service.access.persons import person_of
from gatekeeper.service.access.reviews import STEP_UP, check_method, check_not_own
from gatekeeper.service.access.seats import WAIT_FOR, fill_seats, is_seated, place_of, seats_of
from gatekeeper.service.audit import log
from gatekeeper.service.people.names import check_free_text
from gatekeeper.service.people.subjects import Subject, get_subject
from gatekeeper.service.policy.folder import Policy, PolicyTool, current_policy
from gatekeeper.service.store.tables.access import grants

__all__ = [
    "Grant",
    "actor_of",
    "cancel_place",
    "expire_grants",
    "get_grant",
    "grants_of",
    "grants_of_request",
    "make_grant",
    "note_use",
    "place_of",
    "resume_grant",
    "revoke_grant",
    "suspend_grant",
]


def make_grant(
    tx: Connection,
    *,
    policy: Policy,
    tool: PolicyTool,
    request: int,
    subject: str,
    zones: tuple[str, ...],
    duration_for: int,
    kind: str,
    actor: str,
    now: int,
) -> Grant:
    """Make the grant of a request that was just approved: active from now, or waitlisted where no seat is free.

    Raises:
        GatekeeperError: GK402, no seat is free for a break-glass grant, which can't wait.
    """
    fill_seats(tx, policy, tool.id, now=now)
    seated = seats_of(tx, policy, tool.id, now=now).free or is_seated(
        tx, subject=subject, tool=tool.id, now=now
    )
    if not seated and kind == BREAK_GLASS:
        raise GatekeeperError(
            "GK402", f"All seats for {tool.name} are taken, and an emergency can't wait for one."
        )
    made = insert(grants).values(
        request=request,
        subject=subject,
        tool=tool.id,
        zones=list(zones),
        state=ACTIVE if seated else WAITLISTED,
        kind=kind,
        starts_at=now,
        ends_at=now + (duration_for if seated else WAIT_FOR),
        duration_seconds=duration_for,
        waitlisted_at=None if seated else now,
    )
    number = tx.execute(made.returning(grants.c.number)).scalar_one()
    grant = get_grant(tx, f"G-{number}", now=now)
    announce(tx, grant, "grant.created" if seated else "grant.waitlisted", actor=actor, now=now)
    return grant


def revoke_grant(tx: Connection, grant_id: str, *, by: Subject, method: str, reason: str, now: int) -> Grant:
    """End a grant for good.

    Raises:
        GatekeeperError: GK409, there is none; GK408, it has ended; GK405, `method` proves nothing.
    """
    check_method(method)
    return _act(tx, get_grant(tx, grant_id, now=now), REVOKE, by=by, method=method, reason=reason, now=now)


def suspend_grant(tx: Connection, grant_id: str, *, by: Subject, method: str, reason: str, now: int) -> Grant:
    """Stop a grant for the time being; its end and its seat stay. Raises as `revoke_grant` does."""
    check_method(method)
    return _act(tx, get_grant(tx, grant_id, now=now), SUSPEND, by=by, method=method, reason=reason, now=now)


def resume_grant(tx: Connection, grant_id: str, *, by: Subject, method: str, reason: str, now: int) -> Grant:
    """Let a suspended grant stand again.

    Raises:
        GatekeeperError: GK405, it is the own grant; else as `revoke_grant` does.
    """
    check_method(method)
    grant = get_grant(tx, grant_id, now=now)
    check_not_own(person_of(by), [person_of(get_subject(tx, grant.subject))])
    return _act(tx, grant, RESUME, by=by, method=method, reason=reason, now=now)


def cancel_place(tx: Connection, grant: Grant, *, by: Subject, now: int) -> Grant:
    """Give the own place in the queue up. Raises `GatekeeperError` GK408: the grant doesn't wait any more."""
    return move(tx, grant, CANCEL, actor=by.id, now=now, changes=_ended(by, "", now))


def expire_grants(tx: Connection, now: int) -> int:
    """Write down which grants are over; return how many were not yet. What is read doesn't depend on it."""
    over = select(grants).where(grants.c.state.in_((ACTIVE, SUSPENDED)), grants.c.ends_at <= now)
    rows = tx.execute(over.order_by(grants.c.number)).all()
    for row in rows:
        changes = {"ended_at": row.ends_at, "ended_by": "", "ended_reason": ""}
        move(tx, as_of(row, row.ends_at - 1), END, actor=log.SERVICE, now=now, changes=changes)
    for tool in sorted({row.tool for row in rows}):
        fill_seats(tx, current_policy(tx, now=now), tool, now=now)
    return len(rows)


def actor_of(by: Subject, *, method: str) -> str:
    """Return what the audit log calls whoever acted: on the service's own machine the log says "operator"."""
    return by.id if method == STEP_UP else f"{method}:{by.name}"


def _act(tx: Connection, grant: Grant, act: str, *, by: Subject, method: str, reason: str, now: int) -> Grant:
    changes = (
        {"ended_at": None, "ended_by": "", "ended_reason": ""}
        if act == RESUME
        else _ended(by, check_free_text(reason, what="reason"), now)
    )
    after = move(tx, grant, act, actor=actor_of(by, method=method), now=now, changes=changes)
    if act == REVOKE:
        fill_seats(tx, current_policy(tx, now=now), grant.tool, now=now)
    return after


def _ended(by: Subject, reason: str, now: int) -> dict[str, object]:
    return {"ended_at": now, "ended_by": by.name, "ended_reason": reason}
