"""Reviews of access requests: approving, which makes a grant once the reviews suffice, and denying.

One denial denies. Each approval is kept with what it gives, which may be narrower than what was asked; the grant
is what all of them give. Two approvers at once make one grant, and what was cancelled can't be approved.
"""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.asking import check_offered
from gatekeeper.service.access.grants import (
    Grant,
    actor_of,
    grants_of_request,
    make_grant,
    revoke_grant,
)
from gatekeeper.service.access.lifecycle import (
    ACTIVE,
    APPROVE,
    APPROVED_KIND,
    BREAK_GLASS,
    DENY,
    SUSPENDED,
    request_after,
)
from gatekeeper.service.access.members import approvals_of, cases_of, members_of
from gatekeeper.service.access.persons import person_of
from gatekeeper.service.access.request_rows import AccessRequest, announce, as_seen, get_request, move
from gatekeeper.service.access.reviews import (
    OPERATOR,
    check_method,
    check_not_own,
    is_complete,
    may_meet,
    narrow_duration,
    narrow_zones,
)
from gatekeeper.service.people.names import check_free_text, visible_length
from gatekeeper.service.people.subjects import PERSON, Subject
from gatekeeper.service.policy.folder import Policy, PolicyTool, parse_duration
from gatekeeper.service.policy.rules import REVIEW, CedarRules, Rules, Verdict
from gatekeeper.service.store.tables.access import requests, reviews
from gatekeeper.values import Value

RULES: Rules = CedarRules()
_NOT_YOURS = "The policy's reviews ask for somebody else here, or for a step-up of another person."


class Reviewed(Value):
    """What came of a review: `grants`, one a member, once the reviews were `complete`."""

    request: AccessRequest
    grants: tuple[Grant, ...]
    complete: bool


class _Given(Value):
    """What all approvals together give."""

    duration_for: int
    zones: tuple[str, ...]


def approve_request(
    tx: Connection,
    request_id: str,
    *,
    policy: Policy,
    reviewer: Subject,
    method: str,
    duration: str,
    zones: tuple[str, ...] | None,
    reason: str,
    now: int,
    rules: Rules = RULES,
) -> Reviewed:
    """Approve a request, as it was asked (`duration` "", `zones` None) or narrower.

    Its grants are made once every entry of the policy's reviews is met. Nobody is granted anything who was
    deactivated meanwhile. Approving what was taken by breaking the glass only says that it was right.

    Raises:
        GatekeeperError: GK409, there is none; GK408, it is no longer pending, or this person approved it already;
            GK405, the reviewer may not; GK302, GK303, the tool isn't offered any more; GK410, wider than asked or
            than policy allows, or nothing is left of it.
    """
    request = get_request(tx, request_id, now=now)
    tool = check_offered(policy.tool_of_id(request.tool))
    members = members_of(tx, request)
    check_reviewer(
        tx, policy, tool, request, members=members, reviewer=reviewer, method=method, rules=rules, now=now
    )
    request_after(request.state, APPROVE)
    if not any(member.active for member in members):
        raise GatekeeperError("GK408", "Whoever this is for was deactivated meanwhile.")
    given = _Given(
        duration_for=narrow_duration(
            asked_for=request.duration_for,
            given_for=parse_duration(duration) if duration else None,
            max_for=tool.max_duration_for,
        ),
        zones=narrow_zones(asked=request.zones, given=zones),
    )
    _keep(tx, request, APPROVE, reviewer=reviewer, method=method, reason=reason, given=given, now=now)
    given = _all_given(tx, request, given)
    approvals = approvals_of(tx, request.number)
    cases = cases_of(tx, policy, tool, request, members=members, zones=given.zones)
    actor = actor_of(reviewer, method=method)
    if not all(is_complete(case, approvals) for case in cases):
        _still_open(tx, request)
        announce(tx, request, "request.reviewed", actor=actor, now=now, detail={"method": method})
        return Reviewed(request=get_request(tx, request.id, now=now), grants=(), complete=False)
    move(tx, request, APPROVE, actor=actor, now=now, detail={"method": method})
    if request.kind == BREAK_GLASS:
        made = grants_of_request(tx, request.number, now=now)
    else:
        made = [
            make_grant(
                tx,
                policy=policy,
                tool=tool,
                request=request.number,
                subject=member.id,
                zones=given.zones,
                duration_for=given.duration_for,
                kind=APPROVED_KIND,
                actor=actor,
                now=now,
            )
            for member in members
            if member.active
        ]
    return Reviewed(request=get_request(tx, request.id, now=now), grants=tuple(made), complete=True)


def deny_request(
    tx: Connection,
    request_id: str,
    *,
    policy: Policy,
    reviewer: Subject,
    method: str,
    reason: str,
    now: int,
    rules: Rules = RULES,
) -> AccessRequest:
    """Deny a request; one denial denies. What was taken by breaking the glass is revoked, if it still stands.

    Raises:
        GatekeeperError: GK409, there is none; GK408, it is no longer open; GK405, the reviewer may not;
            GK404, no reason is given.
    """
    request = get_request(tx, request_id, now=now)
    members = members_of(tx, request)
    tool = policy.tool_of_id(request.tool)
    check_reviewer(
        tx, policy, tool, request, members=members, reviewer=reviewer, method=method, rules=rules, now=now
    )
    if visible_length(reason) == 0:
        raise GatekeeperError("GK404", "A denial needs a reason: the person who asked will read it.")
    request_after(request.state, DENY)
    given = _Given(duration_for=request.duration_for, zones=request.zones)
    _keep(tx, request, DENY, reviewer=reviewer, method=method, reason=reason, given=given, now=now)
    move(tx, request, DENY, actor=actor_of(reviewer, method=method), now=now, detail={"method": method})
    for grant in grants_of_request(tx, request.number, now=now):
        if grant.state in (ACTIVE, SUSPENDED):
            revoke_grant(tx, grant.id, by=reviewer, method=method, reason=reason, now=now)
    return get_request(tx, request.id, now=now)


def check_reviewer(
    tx: Connection,
    policy: Policy,
    tool: PolicyTool | None,
    request: AccessRequest,
    *,
    members: list[Subject],
    reviewer: Subject,
    method: str,
    rules: Rules,
    now: int,
) -> None:
    """Refuse whoever may not decide about this request, by this way.

    Raises:
        GatekeeperError: GK405.
    """
    check_method(method)
    if not reviewer.active or reviewer.kind != PERSON:
        raise GatekeeperError("GK405", "The reviewer is deactivated, or no person.")
    person = person_of(reviewer)
    if method == OPERATOR or not request.team:
        check_not_own(person, [person_of(one) for one in members])
    if method == OPERATOR:
        return
    cases = [] if tool is None else cases_of(tx, policy, tool, request, members=members, zones=request.zones)
    if tool is None or not any(may_meet(case, person) for case in cases):
        raise GatekeeperError("GK405", _NOT_YOURS)
    verdict = review_verdict(policy, rules, tool, request.zones, reviewer, now=now)
    if not verdict.allowed:
        facts: dict[str, object] = {"rule": verdict.rule, "reason": verdict.reason}
        raise GatekeeperError("GK405", verdict.reason, facts=facts)


def review_verdict(
    policy: Policy, rules: Rules, tool: PolicyTool, zones: tuple[str, ...], reviewer: Subject, *, now: int
) -> Verdict:
    """Return what the rules say of this reviewer: the first refusal among the zones, else that it is allowed."""
    verdicts = [
        rules.decide(
            policy=policy, subject=reviewer, action=REVIEW, tool=tool, zone=zone, grant=None, now=now
        )
        for zone in zones
    ]
    return next((one for one in verdicts if not one.allowed), verdicts[0])


def _keep(
    tx: Connection,
    request: AccessRequest,
    verdict: str,
    *,
    reviewer: Subject,
    method: str,
    reason: str,
    given: _Given,
    now: int,
) -> None:
    """Keep a review. Whoever approved may still deny, and the operator's hand may follow a step-up."""
    own = (reviews.c.request == request.number) & (reviews.c.reviewer == reviewer.id)
    before = tx.execute(select(reviews.c.verdict, reviews.c.method).where(own)).one_or_none()
    if before is not None and verdict == APPROVE and method == before.method:
        raise GatekeeperError("GK408", "You approved this already; it waits for somebody else.")
    values = {
        "verdict": verdict,
        "method": method,
        "reason": check_free_text(reason, what="reason"),
        "zones": list(given.zones),
        "duration_seconds": given.duration_for,
        "groups": list(reviewer.groups),
        "at": now,
    }
    if before is None:
        tx.execute(insert(reviews).values(request=request.number, reviewer=reviewer.id, **values))
    else:
        tx.execute(update(reviews).where(own).values(**values))


def _all_given(tx: Connection, request: AccessRequest, own: _Given) -> _Given:
    """Return what every approval gives: the shortest duration, and the zones of all.

    Raises:
        GatekeeperError: GK410, they have no zone in common.
    """
    query = select(reviews.c.zones, reviews.c.duration_seconds).where(
        reviews.c.request == request.number, reviews.c.verdict == APPROVE
    )
    duration_for, zones = own.duration_for, set(own.zones)
    for row in tx.execute(query):
        duration_for, zones = min(duration_for, row.duration_seconds), zones & set(row.zones)
    if not zones:
        raise GatekeeperError("GK410", "Another review gives other zones: nothing would be left.")
    return _Given(duration_for=duration_for, zones=tuple(sorted(zones)))


def _still_open(tx: Connection, request: AccessRequest) -> None:
    """Give the claim back, if the request is still what was read: a review of what was decided counts for nothing."""
    still = (requests.c.number == request.number) & as_seen(request)
    freed = update(requests).where(still).values(claimed_by="", claimed_until=None)
    if tx.execute(freed).rowcount != 1:
        raise GatekeeperError("GK408", "The request was decided or cancelled by somebody else just now.")
