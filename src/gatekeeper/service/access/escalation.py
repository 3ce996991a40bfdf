"""Escalation: an access request that nobody answers, or whose manager nobody knows, goes to further people."""

from __future__ import annotations

from sqlalchemy import Connection, update

from gatekeeper.service.access.lifecycle import PENDING
from gatekeeper.service.access.members import cases_of, members_of, without_manager
from gatekeeper.service.access.request_rows import AccessRequest, announce, get_request, pending_requests
from gatekeeper.service.audit import log
from gatekeeper.service.policy.folder import Policy, PolicyTool, current_policy
from gatekeeper.service.store.tables.access import requests


def escalate_missing_manager(
    tx: Connection, policy: Policy, request: AccessRequest, *, now: int
) -> AccessRequest:
    """Escalate a new request at once where it needs a manager that nobody knows; return it as it then is."""
    tool = policy.tool_of_id(request.tool)
    if tool is None or tool.escalate is None:
        return request
    cases = cases_of(tx, policy, tool, request, members=members_of(tx, request), zones=request.zones)
    if not any(without_manager(case) for case in cases):
        return request
    return _escalate(tx, tool, request, now=now)


def escalate_requests(tx: Connection, now: int) -> int:
    """Escalate what has waited for as long as policy says: the worker's step. Return how many."""
    waiting = [
        one for one in pending_requests(tx, now=now) if one.state == PENDING and one.escalated_at is None
    ]
    policy = current_policy(tx, now=now) if waiting else None
    count = 0
    for request in waiting:
        tool = policy.tool_of_id(request.tool) if policy is not None else None
        if tool is None or tool.escalate is None or now < request.created_at + tool.escalate.after_for:
            continue
        _escalate(tx, tool, request, now=now)
        count += 1
    return count


def _escalate(tx: Connection, tool: PolicyTool, request: AccessRequest, *, now: int) -> AccessRequest:
    still = (
        (requests.c.number == request.number)
        & (requests.c.state == PENDING)
        & requests.c.escalated_at.is_(None)
    )
    tx.execute(update(requests).where(still).values(escalated_at=now))
    to = list(tool.escalate.to) if tool.escalate is not None else []
    announce(tx, request, "request.escalated", actor=log.SERVICE, now=now, detail={"to": to})
    return get_request(tx, request.id, now=now)
