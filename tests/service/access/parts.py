"""Ada asks, Sam decides: the shortest way to a grant."""

from __future__ import annotations

from sqlalchemy import Connection
from tests.service.store.parts import NOW, REASON

from gatekeeper.documents.api import NewRequest
from gatekeeper.service.access.grants import Grant
from gatekeeper.service.access.requests import AccessRequest, approve_request, create_request, deny_request
from gatekeeper.service.people.subjects import Subject, ensure_subject
from gatekeeper.service.policy.folder import PolicyTool, current_policy
from gatekeeper.service.store.transactions import Store


def subject_of(store: Store, name: str) -> Subject:
    """Return the subject `name`@acme.example."""
    with store.write() as tx:
        return ensure_subject(tx, f"{name}@acme.example", now=NOW)


def ask(
    store: Store, *, tool: str = "probe", zones: tuple[str, ...] = (), duration: str = "10d", now: int = NOW
) -> AccessRequest:
    """Let Ada ask."""
    new = NewRequest(tool=tool, reason=REASON, zones=zones, duration=duration)
    ada = subject_of(store, "ada")
    with store.write() as tx:
        policy = current_policy(tx, now=now)
        return create_request(tx, policy=policy, subject=ada, new=new, idempotency_key="", now=now)[0]


def approve(store: Store, request: str, *, by: str = "sam", now: int = NOW) -> Grant:
    """Let Sam approve."""
    reviewer = subject_of(store, by)
    with store.write() as tx:
        return approve_request(
            tx,
            request,
            policy=current_policy(tx, now=now),
            reviewer=reviewer,
            method="operator",
            duration="",
            zones=None,
            reason="fine",
            now=now,
        ).grants[0]


def deny(tx: Connection, request: str, by: Subject, *, reason: str = "no", now: int = NOW) -> AccessRequest:
    """Deny as the operator."""
    policy = current_policy(tx, now=now)
    return deny_request(tx, request, policy=policy, reviewer=by, method="operator", reason=reason, now=now)


def tool_of(tx: Connection, name: str) -> PolicyTool:
    """Return a tool of the policy in force."""
    tool = current_policy(tx, now=NOW).tool_of_id(name)
    assert tool is not None
    return tool


def granted(store: Store, *, zones: tuple[str, ...] = (), duration: str = "10d", now: int = NOW) -> Grant:
    """Return an active grant of Ada's."""
    return approve(store, ask(store, zones=zones, duration=duration, now=now).id, now=now)
