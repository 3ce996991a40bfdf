"""Where a subject stands with a tool: what decides whether a launch token is issued.

Active grants win. Then a request that waits; then the newest of what ended badly, so that people are told the
last thing that happened.
"""

from __future__ import annotations

from sqlalchemy import Connection

from gatekeeper.service.access.grants import Grant, grants_of
from gatekeeper.service.access.lifecycle import (
    ACTIVE,
    DENIED,
    EXPIRED,
    PENDING,
    REVOKED,
    SUSPENDED,
    WAITLISTED,
)
from gatekeeper.service.access.requests import AccessRequest, requests_of
from gatekeeper.values import Value

_CODES = {REVOKED: "GK307", EXPIRED: "GK308", SUSPENDED: "GK403", WAITLISTED: "GK402"}


class Active(Value):
    """These grants stand now, the one that ends last first."""

    grants: tuple[Grant, ...]


class Waiting(Value):
    """No grant stands, and this request waits for a review."""

    request: AccessRequest


class Over(Value):
    """Nothing stands and nothing waits. `by` and `reason` are the words of whoever ended or denied it."""

    code: str
    grant: Grant | None
    request: AccessRequest | None
    by: str
    reason: str


def standing(tx: Connection, subject_id: str, tool: str, *, now: int) -> Active | Waiting | Over:
    """Return where a subject stands with the tool of that id."""
    grants = grants_of(tx, subject_id, tool=tool, now=now)
    active = [grant for grant in grants if grant.state == ACTIVE]
    if active:
        return Active(grants=tuple(sorted(active, key=lambda grant: grant.ends_at, reverse=True)))
    asked = requests_of(tx, subject_id, tool=tool, now=now)
    for request in asked:
        if request.state == PENDING:
            return Waiting(request=request)
    # A tie goes to the grant: a revocation is never hidden by a denial of the same second.
    endings = [
        (_ended_at(grant), 1, grant.number, _over_grant(grant)) for grant in grants if grant.state in _CODES
    ]
    endings += [
        (request.decided_at or 0, 0, request.number, _denied(request))
        for request in asked
        if request.state == DENIED
    ]
    if not endings:
        return Over(code="GK301", grant=None, request=None, by="", reason="")
    return max(endings, key=lambda ending: ending[:3])[3]


def _ended_at(grant: Grant) -> int:
    return grant.starts_at if grant.ended_at is None else grant.ended_at


def _over_grant(grant: Grant) -> Over:
    return Over(
        code=_CODES[grant.state], grant=grant, request=None, by=grant.ended_by, reason=grant.ended_reason
    )


def _denied(request: AccessRequest) -> Over:
    return Over(
        code="GK309", grant=None, request=request, by=request.decided_by, reason=request.decision_reason
    )
