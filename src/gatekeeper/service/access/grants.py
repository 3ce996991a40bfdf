"""Grants: what an approved request becomes. A function for each arrow, and the readers.

Every arrow is one compare-and-set on the state, with its audit entry, its notification and the status list's
bits, in the caller's transaction. A grant whose time is over reads as expired from that second on, whether or
not the worker has written it down yet.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from gatekeeper.documents import status_list
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.lifecycle import (
    ACTIVE,
    END,
    EXPIRED,
    RESUME,
    REVOKE,
    SUSPEND,
    SUSPENDED,
    grant_after,
)
from gatekeeper.service.access.reviews import check_method, check_review
from gatekeeper.service.audit import log
from gatekeeper.service.notify import outbox
from gatekeeper.service.people.names import check_free_text
from gatekeeper.service.people.subjects import Subject
from gatekeeper.service.store.tables.access import grants
from gatekeeper.service.store.tables.issue import status_entries
from gatekeeper.values import Value

_ID = re.compile(r"G-([1-9][0-9]{0,9})")
_RECORDED = {
    REVOKE: "grant.revoked",
    SUSPEND: "grant.suspended",
    RESUME: "grant.resumed",
    END: "grant.expired",
}
_STATUS = {
    REVOKE: status_list.INVALID,
    SUSPEND: status_list.SUSPENDED,
    RESUME: status_list.VALID,
    END: status_list.INVALID,
}

# Built once, as every token asks: building a statement costs more than running it.
_of_subject = (
    select(grants).where(grants.c.subject == bindparam("of_subject")).order_by(grants.c.number.desc())
)
_of_tool = _of_subject.where(grants.c.tool == bindparam("of_tool"))


class Grant(Value):
    """A subject may use a tool in some zones, from one instant until another. `ended_by` is a name, for people."""

    id: str
    number: int
    request: str
    subject: str
    tool: str
    zones: tuple[str, ...]
    state: str
    starts_at: int
    ends_at: int
    ended_at: int | None
    ended_by: str
    ended_reason: str


def make_grant(
    tx: Connection,
    *,
    request: int,
    subject: str,
    tool: str,
    zones: tuple[str, ...],
    duration_for: int,
    actor: str,
    now: int,
) -> Grant:
    """Make the grant of a request that was just approved; its time begins now."""
    made = insert(grants).values(
        request=request,
        subject=subject,
        tool=tool,
        zones=list(zones),
        state=ACTIVE,
        starts_at=now,
        ends_at=now + duration_for,
    )
    number = tx.execute(made.returning(grants.c.number)).scalar_one()
    grant = get_grant(tx, f"G-{number}", now=now)
    _announce(tx, grant, "grant.created", actor=actor, now=now)
    return grant


def get_grant(tx: Connection, grant_id: str, *, now: int) -> Grant:
    """Return a grant by an id that somebody may have typed, as it stands at `now`.

    Raises:
        GatekeeperError: GK409, there is none.
    """
    match = _ID.fullmatch(grant_id)
    row = None
    if match:
        row = tx.execute(select(grants).where(grants.c.number == int(match[1]))).one_or_none()
    if row is None:
        raise GatekeeperError("GK409", "There is no such grant.")
    return _as_of(row, now)


def grants_of(tx: Connection, subject_id: str, *, tool: str = "", now: int) -> list[Grant]:
    """Return a subject's grants (for one tool, where it is named), the newest first."""
    rows = tx.execute(_of_tool if tool else _of_subject, {"of_subject": subject_id, "of_tool": tool})
    return [_as_of(row, now) for row in rows]


def revoke_grant(tx: Connection, grant_id: str, *, by: Subject, method: str, reason: str, now: int) -> Grant:
    """End a grant for good.

    Raises:
        GatekeeperError: GK409, there is none; GK408, it has ended; GK405, `method` proves nothing.
    """
    check_method(method)
    return _act(tx, get_grant(tx, grant_id, now=now), REVOKE, by=by, method=method, reason=reason, now=now)


def suspend_grant(tx: Connection, grant_id: str, *, by: Subject, method: str, reason: str, now: int) -> Grant:
    """Stop a grant for the time being; its end stays where it is. Raises as `revoke_grant` does."""
    check_method(method)
    return _act(tx, get_grant(tx, grant_id, now=now), SUSPEND, by=by, method=method, reason=reason, now=now)


def resume_grant(tx: Connection, grant_id: str, *, by: Subject, method: str, reason: str, now: int) -> Grant:
    """Let a suspended grant stand again.

    Raises:
        GatekeeperError: GK405, it is the own grant; else as `revoke_grant` does.
    """
    grant = get_grant(tx, grant_id, now=now)
    check_review(reviewer_id=by.id, subject_id=grant.subject, method=method)
    return _act(tx, grant, RESUME, by=by, method=method, reason=reason, now=now)


def expire_grants(tx: Connection, now: int) -> int:
    """Write down which grants are over; return how many were not yet. What is read doesn't depend on it."""
    over = select(grants).where(grants.c.state.in_((ACTIVE, SUSPENDED)), grants.c.ends_at <= now)
    count = 0
    for row in tx.execute(over.order_by(grants.c.number)).all():
        changes = {"state": EXPIRED, "ended_at": row.ends_at, "ended_by": "", "ended_reason": ""}
        if _compare_and_set(tx, row.number, row.state, changes):
            _mark(tx, row.number, END)
            _announce(tx, _as_of(row, now), _RECORDED[END], actor=log.SERVICE, now=now)
            count += 1
    return count


def _act(tx: Connection, grant: Grant, act: str, *, by: Subject, method: str, reason: str, now: int) -> Grant:
    after = grant_after(grant.state, act)
    ended = {"ended_at": now, "ended_by": by.name, "ended_reason": check_free_text(reason, what="reason")}
    if act == RESUME:
        ended = {"ended_at": None, "ended_by": "", "ended_reason": ""}
    if not _compare_and_set(tx, grant.number, grant.state, {"state": after, **ended}):
        raise GatekeeperError("GK408", "The grant was changed by somebody else just now.")
    _mark(tx, grant.number, act)
    _announce(tx, grant, _RECORDED[act], actor=actor_of(by, method=method), now=now)
    return get_grant(tx, grant.id, now=now)


def actor_of(by: Subject, *, method: str) -> str:
    """Return what the audit log calls whoever acted: on the service's own machine the log says "operator"."""
    return f"{method}:{by.name}"


def _compare_and_set(tx: Connection, number: int, state: str, changes: dict[str, Any]) -> bool:
    return (
        tx.execute(
            update(grants).where(grants.c.number == number, grants.c.state == state).values(**changes)
        ).rowcount
        == 1
    )


def _mark(tx: Connection, number: int, act: str) -> None:
    # Invalid is for ever: resuming a grant must not wake the entries of a device that was revoked meanwhile.
    of_grant = (status_entries.c.grant == number) & (status_entries.c.status != status_list.INVALID)
    tx.execute(update(status_entries).where(of_grant).values(status=_STATUS[act]))


def _announce(tx: Connection, grant: Grant, act: str, *, actor: str, now: int) -> None:
    detail = {
        "subject": grant.subject,
        "tool": grant.tool,
        "zones": list(grant.zones),
        "ends_at": grant.ends_at,
    }
    log.record(tx, at=now, actor=actor, act=act, object=grant.id, detail={"request": grant.request, **detail})
    outbox.enqueue(tx, kind=act, payload={"grant": grant.id, "subject": grant.subject}, now=now)


def _as_of(row: Row[Any], now: int) -> Grant:
    grant = Grant(
        id=f"G-{row.number}",
        number=row.number,
        request=f"R-{row.request}",
        subject=row.subject,
        tool=row.tool,
        zones=tuple(row.zones),
        state=row.state,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        ended_reason=row.ended_reason,
    )
    if grant.state in {ACTIVE, SUSPENDED} and now >= grant.ends_at:
        return grant.replace(state=EXPIRED, ended_at=grant.ends_at, ended_by="", ended_reason="")
    return grant
