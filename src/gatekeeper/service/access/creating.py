"""Asking: a request is checked, recorded once, and approved at once where a rule of the policy says so."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection, insert

from gatekeeper.documents.api import NewRequest
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.asking import Asked, check_offered, check_request
from gatekeeper.service.access.deciding import RULES
from gatekeeper.service.access.escalation import escalate_missing_manager
from gatekeeper.service.access.grants import make_grant
from gatekeeper.service.access.idempotency import remember_key, request_of_key
from gatekeeper.service.access.lifecycle import APPROVE, AUTOMATIC, LAPSE, LAPSED, PENDING
from gatekeeper.service.access.members import (
    LIST,
    find_workload_subject,
    group_members,
    keep_members,
    named_members,
)
from gatekeeper.service.access.request_rows import (
    APPROVAL,
    AccessRequest,
    announce,
    get_request,
    move,
    pending_of_scope,
)
from gatekeeper.service.audit import log
from gatekeeper.service.people.subjects import Subject
from gatekeeper.service.policy.folder import Policy
from gatekeeper.service.policy.rules import AUTO_APPROVE, REQUEST, Rules, Verdict
from gatekeeper.service.store.tables.access import requests
from gatekeeper.values import Value


class Target(Value):
    """For whom a request is: `subject` holds it, `members` get the grants, `requester` is "" where one asks for oneself."""

    subject: Subject
    members: tuple[Subject, ...]
    requester: str
    team: str


def create_request(
    tx: Connection,
    *,
    policy: Policy,
    subject: Subject,
    new: NewRequest,
    idempotency_key: str,
    now: int,
    rules: Rules = RULES,
) -> tuple[AccessRequest, bool]:
    """Record a request whose contents may be hostile, and say whether it is new.

    It is not where one of the same subject, tool and zones is pending already, or where the same call came
    within 24 hours (`idempotency_key`, "" for none): then that one is returned, whatever became of it.

    Raises:
        GatekeeperError: GK302, GK303, the tool isn't offered; GK310, a rule refuses it; GK404, the reason is too
            short; GK410, the tool is open, or a duration, zone, text or person is outside what policy allows;
            GK411, the key came with another body; GK100, a ticket or key that can't be one.
    """
    known = request_of_key(tx, subject.id, idempotency_key, new, now=now)
    if known:
        return get_request(tx, f"R-{known}", now=now), False
    asked = check_request(policy, new)
    target = _target(tx, subject, new)
    asked = _scoped(asked, target)
    _check_rules(policy, rules, asked, target, now=now)
    pending = pending_of_scope(tx, target.subject.id, asked.scope_key, now=now)
    if pending is not None and pending.state == LAPSED:
        # It lapsed unseen; written down, for it holds the place.
        move(tx, pending.replace(state=PENDING), LAPSE, actor=log.SERVICE, now=now)
        pending = None
    if pending is not None:
        remember_key(tx, subject.id, idempotency_key, new, pending.number, now=now)
        return pending, False
    request = insert_request(tx, policy, target, asked, kind=APPROVAL, now=now)
    remember_key(tx, subject.id, idempotency_key, new, request.number, now=now)
    announce(tx, request, "request.created", actor=subject.id, now=now)
    verdict = _automatic(policy, rules, asked, target.members, now=now)
    if verdict is not None:
        return _approve_by_rule(tx, policy, request, target.members, verdict, now=now), True
    return escalate_missing_manager(tx, policy, request, now=now), True


def insert_request(
    tx: Connection, policy: Policy, target: Target, asked: Asked, *, kind: str, now: int
) -> AccessRequest:
    """Store a request that was checked, with its members."""
    made = insert(requests).values(
        subject=target.subject.id,
        tool=asked.tool,
        zones=list(asked.zones),
        scope_key=asked.scope_key,
        reason=asked.reason,
        ticket=asked.ticket,
        duration_seconds=asked.duration_for,
        policy_version=policy.version,
        state=PENDING,
        created_at=now,
        lapses_at=now + policy.request_lapse_for,
        kind=kind,
        requester=target.requester,
        team=target.team,
    )
    number = tx.execute(made.returning(requests.c.number)).scalar_one()
    if target.team:
        keep_members(tx, number, target.members)
    return get_request(tx, f"R-{number}", now=now)


def own_target(subject: Subject) -> Target:
    """Return the target of somebody who asks for themselves."""
    return Target(subject=subject, members=(subject,), requester="", team="")


def _target(tx: Connection, subject: Subject, new: NewRequest) -> Target:
    if sum(1 for one in (new.group, new.subjects, new.workload) if one) > 1:
        raise GatekeeperError("GK410", "A request is for a group, for a list of people, or for a workload.")
    if new.workload:
        workload = find_workload_subject(tx, new.workload)
        return Target(subject=workload, members=(workload,), requester=subject.id, team="")
    if new.group:
        members = group_members(tx, new.group)
        return Target(subject=subject, members=tuple(members), requester="", team=f"group:{new.group}")
    if new.subjects:
        members = named_members(tx, new.subjects)
        return Target(subject=subject, members=tuple(members), requester="", team=LIST)
    return own_target(subject)


def _scoped(asked: Asked, target: Target) -> Asked:
    """Return what is asked under a scope that tells teams apart, by their members."""
    if not target.team:
        return asked
    whole = "\n".join((asked.scope_key, *(member.id for member in target.members)))
    return asked.replace(scope_key=f"{asked.tool} team {hashlib.sha256(whole.encode()).hexdigest()}")


def _check_rules(policy: Policy, rules: Rules, asked: Asked, target: Target, *, now: int) -> None:
    """Refuse what a rule forbids to ask for. A team is told who may not."""
    tool = check_offered(policy.tool_of_id(asked.tool))
    for member in target.members:
        for zone in asked.zones:
            verdict = rules.decide(
                policy=policy, subject=member, action=REQUEST, tool=tool, zone=zone, grant=None, now=now
            )
            if not verdict.allowed:
                raise GatekeeperError(
                    "GK310",
                    f"{verdict.reason} ({member.name})" if target.team else verdict.reason,
                    facts={"tool": tool.id, "rule": verdict.rule, "reason": verdict.reason},
                )


def _automatic(
    policy: Policy, rules: Rules, asked: Asked, members: Iterable[Subject], *, now: int
) -> Verdict | None:
    """Return the verdict that approves all of it without asking anybody, None where there is none."""
    tool = check_offered(policy.tool_of_id(asked.tool))
    last = None
    for member in members:
        for zone in asked.zones:
            last = rules.decide(
                policy=policy, subject=member, action=AUTO_APPROVE, tool=tool, zone=zone, grant=None, now=now
            )
            if not last.allowed:
                return None
    return last


def _approve_by_rule(
    tx: Connection,
    policy: Policy,
    request: AccessRequest,
    members: Iterable[Subject],
    verdict: Verdict,
    *,
    now: int,
) -> AccessRequest:
    rule = f"{verdict.rule}@{policy.version}"
    detail = {"rule": rule}
    move(
        tx, request, APPROVE, actor=log.SERVICE, now=now, changes={"decided_rule": rule[:160]}, detail=detail
    )
    for member in members:
        make_grant(
            tx,
            policy=policy,
            tool=check_offered(policy.tool_of_id(request.tool)),
            request=request.number,
            subject=member.id,
            zones=request.zones,
            duration_for=request.duration_for,
            kind=AUTOMATIC,
            actor=log.SERVICE,
            now=now,
        )
    return get_request(tx, request.id, now=now)
