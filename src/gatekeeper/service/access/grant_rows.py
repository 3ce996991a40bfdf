"""Grants as they are stored and read, and the one way in which their state changes.

Every change is a compare-and-set on the state, with its audit entry, its message and the status list's bits, in
the caller's transaction. A grant whose time is over reads as expired from that second on (a place in the queue as
ended), whether or not the worker has written it down yet. Which arrows there are is `grants`' and `seats`' to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from gatekeeper.documents import status_list
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.lifecycle import (
    ACTIVATE,
    ACTIVE,
    APPROVED_KIND,
    CANCEL,
    END,
    ENDED,
    EXPIRED,
    LAPSE,
    RESUME,
    REVOKE,
    REVOKED,
    SUSPEND,
    SUSPENDED,
    WAITLISTED,
    grant_after,
)
from gatekeeper.service.audit import log
from gatekeeper.service.notify import outbox
from gatekeeper.service.store.tables.access import grants
from gatekeeper.service.store.tables.issue import status_entries
from gatekeeper.values import Value

_ID = re.compile(r"G-([1-9][0-9]{0,9})")
_STATUS = {
    REVOKE: status_list.INVALID,
    SUSPEND: status_list.SUSPENDED,
    RESUME: status_list.VALID,
    END: status_list.INVALID,
}
_RECORDED = {
    (ACTIVE, ACTIVATE): "grant.activated",
    (ACTIVE, RESUME): "grant.resumed",
    (SUSPENDED, SUSPEND): "grant.suspended",
    (REVOKED, REVOKE): "grant.revoked",
    (EXPIRED, END): "grant.expired",
    (ENDED, REVOKE): "grant.ended",
    (ENDED, CANCEL): "grant.ended",
    (ENDED, LAPSE): "grant.ended",
}

# Built once, as every token asks: building a statement costs more than running it.
_of_subject = (
    select(grants).where(grants.c.subject == bindparam("of_subject")).order_by(grants.c.number.desc())
)
_of_tool = _of_subject.where(grants.c.tool == bindparam("of_tool"))
_used = (
    update(grants)
    .where(grants.c.number == bindparam("of_number"))
    .values(last_used_at=bindparam("at"), noticed_at=None)
)
_USED_GRAIN = 3600


class Grant(Value):
    """A subject may use a tool in some zones, from one instant until another. `ended_by` is a name, for people.

    On the waiting list `ends_at` is when the place lapses, and `duration_for` what follows once a seat is free.
    """

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
    kind: str = APPROVED_KIND
    duration_for: int = 0
    waitlisted_at: int | None = None
    last_used_at: int | None = None
    noticed_at: int | None = None


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
    return as_of(row, now)


def grants_of(tx: Connection, subject_id: str, *, tool: str = "", now: int) -> list[Grant]:
    """Return a subject's grants (for one tool, where it is named), the newest first."""
    rows = tx.execute(_of_tool if tool else _of_subject, {"of_subject": subject_id, "of_tool": tool})
    return [as_of(row, now) for row in rows]


def grants_of_request(tx: Connection, number: int, *, now: int) -> list[Grant]:
    """Return the grants that a request became, one a member."""
    query = select(grants).where(grants.c.request == number).order_by(grants.c.number)
    return [as_of(row, now) for row in tx.execute(query)]


def note_use(tx: Connection, grant: Grant, *, now: int) -> None:
    """Note that a launch token was issued on a grant: its seat is in use. Written once an hour at most."""
    if grant.last_used_at is None or now - grant.last_used_at >= _USED_GRAIN or grant.noticed_at is not None:
        tx.execute(_used, {"of_number": grant.number, "at": now})


def move(
    tx: Connection,
    grant: Grant,
    act: str,
    *,
    actor: str,
    now: int,
    changes: Mapping[str, object] | None = None,
) -> Grant:
    """Take an arrow of the state machine, with the columns that change with it.

    Raises:
        GatekeeperError: GK408, the state has no such arrow, or somebody else was faster.
    """
    after = grant_after(grant.state, act)
    same = (grants.c.number == grant.number) & (grants.c.state == grant.state)
    if tx.execute(update(grants).where(same).values(state=after, **(changes or {}))).rowcount != 1:
        raise GatekeeperError("GK408", "The grant was changed by somebody else just now.")
    if act in _STATUS:
        _mark(tx, grant.number, act)
    moved = get_grant(tx, grant.id, now=now)
    announce(tx, moved, _RECORDED[after, act], actor=actor, now=now)
    return moved


def announce(tx: Connection, grant: Grant, act: str, *, actor: str, now: int) -> None:
    """Record what happened to a grant, and put the message about it into the outbox."""
    detail = {
        "request": grant.request,
        "subject": grant.subject,
        "tool": grant.tool,
        "zones": list(grant.zones),
        "ends_at": grant.ends_at,
        "kind": grant.kind,
    }
    log.record(tx, at=now, actor=actor, act=act, object=grant.id, detail=detail)
    outbox.enqueue(tx, kind=act, payload={"grant": grant.id, "subject": grant.subject}, now=now)


def as_of(row: Row[Any], now: int) -> Grant:
    """Type a row of the table `grants`, as it stands at `now`."""
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
        kind=row.kind,
        duration_for=row.duration_seconds,
        waitlisted_at=row.waitlisted_at,
        last_used_at=row.last_used_at,
        noticed_at=row.noticed_at,
    )
    over = {ACTIVE: EXPIRED, SUSPENDED: EXPIRED, WAITLISTED: ENDED}.get(grant.state)
    if over is not None and now >= grant.ends_at:
        return grant.replace(state=over, ended_at=grant.ends_at, ended_by="", ended_reason="")
    return grant


def _mark(tx: Connection, number: int, act: str) -> None:
    # Invalid is for ever: resuming a grant must not wake the entries of a device that was revoked meanwhile.
    of_grant = (status_entries.c.grant == number) & (status_entries.c.status != status_list.INVALID)
    tx.execute(update(status_entries).where(of_grant).values(status=_STATUS[act]))
