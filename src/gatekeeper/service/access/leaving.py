"""Somebody leaves the organisation: what they hold and what they asked for ends, and seats fall free.

For those whom the directory removes. A deactivation ends no grant: it may be a leave, or a mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.service.access.grant_rows import grants_of, move
from gatekeeper.service.access.lifecycle import ACTIVE, BREAK_GLASS, REVOKE, SUSPENDED, WAITLISTED
from gatekeeper.service.access.requests import cancel_request, requests_of
from gatekeeper.service.access.seats import fill_seats
from gatekeeper.service.policy.folder import current_policy

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gatekeeper.service.people.subjects import Subject

_OPEN = (ACTIVE, SUSPENDED, WAITLISTED)
_OPEN_REQUESTS = ("pending", "question")


def end_access_of(tx: Connection, subject: Subject, *, by: str, reason: str, now: int) -> int:
    """Revoke every grant of a subject and cancel what it asked for itself; return how many those were.

    Two kinds of request stay: a team's that somebody else asked for, which grants nothing to who left, and an
    emergency, whose review is never waived. `by` is the actor on record, and who is shown to have done it.
    """
    held = [grant for grant in grants_of(tx, subject.id, now=now) if grant.state in _OPEN]
    for grant in held:
        changes = {"ended_at": now, "ended_by": by, "ended_reason": reason}
        move(tx, grant, REVOKE, actor=by, now=now, changes=changes)
    for tool in sorted({grant.tool for grant in held}):
        fill_seats(tx, current_policy(tx, now=now), tool, now=now)
    asked = [
        one
        for one in requests_of(tx, subject.id, now=now)
        if one.state in _OPEN_REQUESTS and one.asked_by == subject.id and one.kind != BREAK_GLASS
    ]
    for request in asked:
        cancel_request(tx, request.id, subject=subject, now=now)
    return len(held) + len(asked)
