"""Where a subject stands with a tool: what decides whether a launch token is issued.

Active grants win, once the tool's terms are accepted. Then a place in the queue; then a request that waits; then
the newest of what ended badly, so that people are told the last thing that happened.
"""

from __future__ import annotations

from sqlalchemy import Connection

from gatekeeper.service.access.grants import Grant, grants_of, place_of
from gatekeeper.service.access.lifecycle import (
    ACTIVE,
    DENIED,
    EXPIRED,
    PENDING,
    QUESTION,
    REVOKED,
    SUSPENDED,
    WAITLISTED,
)
from gatekeeper.service.access.request_rows import AccessRequest, get_request, requests_for
from gatekeeper.service.access.seats import Place
from gatekeeper.service.access.terms import has_accepted
from gatekeeper.service.policy.catalogue import PolicyTool
from gatekeeper.values import Value

_CODES = {REVOKED: "GK307", EXPIRED: "GK308", SUSPENDED: "GK403"}


class Active(Value):
    """These grants stand now, the one that ends last first."""

    grants: tuple[Grant, ...]


class TermsNeeded(Value):
    """Grants stand, and the terms of today are not accepted (GK406)."""

    grants: tuple[Grant, ...]


class Waitlisted(Value):
    """A request was approved, and no seat is free yet (GK402)."""

    grant: Grant
    place: Place


class Waiting(Value):
    """No grant stands, and this request waits for a review (GK401) or for an answer of its requester (GK407)."""

    code: str
    request: AccessRequest


class Over(Value):
    """Nothing stands and nothing waits. `by` and `reason` are the words of whoever ended or denied it."""

    code: str
    grant: Grant | None
    request: AccessRequest | None
    by: str
    reason: str


def standing(
    tx: Connection, subject_id: str, tool: PolicyTool, *, now: int
) -> Active | TermsNeeded | Waitlisted | Waiting | Over:
    """Return where a subject stands with a tool."""
    grants = grants_of(tx, subject_id, tool=tool.id, now=now)
    active = tuple(
        sorted((one for one in grants if one.state == ACTIVE), key=lambda one: one.ends_at, reverse=True)
    )
    if active:
        accepted = tool.terms is None or _accepted(tx, subject_id, tool, active, now=now)
        return Active(grants=active) if accepted else TermsNeeded(grants=active)
    for grant in grants:
        if grant.state == WAITLISTED:
            return Waitlisted(grant=grant, place=place_of(tx, grant, now=now))
    asked = requests_for(tx, subject_id, tool=tool.id, now=now)
    for request in asked:
        if request.state in (PENDING, QUESTION):
            return Waiting(code="GK407" if request.state == QUESTION else "GK401", request=request)
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


def _accepted(
    tx: Connection, subject_id: str, tool: PolicyTool, active: tuple[Grant, ...], *, now: int
) -> bool:
    """Say whether the terms are accepted: by the person, or by one who asked for the workload."""
    if has_accepted(tx, subject=subject_id, tool=tool):
        return True
    asked_by = {get_request(tx, grant.request, now=now).requester for grant in active} - {""}
    return any(has_accepted(tx, subject=one, tool=tool) for one in sorted(asked_by))


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
