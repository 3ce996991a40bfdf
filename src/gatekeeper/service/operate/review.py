"""`service review …`: the operator's hand on the service's own machine.

`as_name` says whose decision it is; the audit log says "operator:<name>". Each function is one transaction.
"""

from __future__ import annotations

from gatekeeper.service.access import grants, requests
from gatekeeper.service.access.grants import Grant
from gatekeeper.service.access.requests import AccessRequest, Reviewed
from gatekeeper.service.access.reviews import OPERATOR
from gatekeeper.service.people.subjects import Subject, ensure_subject, get_subject
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.store.transactions import Store
from gatekeeper.values import Value


class Item(Value):
    """An access request and whose it is."""

    request: AccessRequest
    subject: Subject


def list_pending(store: Store, *, now: int) -> list[Item]:
    """Return what waits for a review, the oldest first."""
    with store.read() as tx:
        return [
            Item(request=request, subject=get_subject(tx, request.subject))
            for request in requests.pending_requests(tx, now=now)
        ]


def approve(
    store: Store,
    request_id: str,
    *,
    as_name: str,
    duration: str,
    zones: tuple[str, ...] | None,
    reason: str,
    now: int,
) -> Reviewed:
    """Approve as asked (`duration` "", `zones` None) or narrower. Raises as `requests.approve_request` does."""
    with store.write() as tx:
        return requests.approve_request(
            tx,
            request_id,
            policy=current_policy(tx, now=now),
            reviewer=ensure_subject(tx, as_name, now=now),
            method=OPERATOR,
            duration=duration,
            zones=zones,
            reason=reason,
            now=now,
        )


def deny(store: Store, request_id: str, *, as_name: str, reason: str, now: int) -> AccessRequest:
    """Deny, with a reason. Raises as `requests.deny_request` does."""
    with store.write() as tx:
        reviewer = ensure_subject(tx, as_name, now=now)
        return requests.deny_request(
            tx,
            request_id,
            policy=current_policy(tx, now=now),
            reviewer=reviewer,
            method=OPERATOR,
            reason=reason,
            now=now,
        )


def revoke(store: Store, grant_id: str, *, as_name: str, reason: str, now: int) -> Grant:
    """End a grant for good. Raises as `grants.revoke_grant` does."""
    with store.write() as tx:
        by = ensure_subject(tx, as_name, now=now)
        return grants.revoke_grant(tx, grant_id, by=by, method=OPERATOR, reason=reason, now=now)


def suspend(store: Store, grant_id: str, *, as_name: str, reason: str, now: int) -> Grant:
    """Stop a grant for the time being. Raises as `grants.suspend_grant` does."""
    with store.write() as tx:
        by = ensure_subject(tx, as_name, now=now)
        return grants.suspend_grant(tx, grant_id, by=by, method=OPERATOR, reason=reason, now=now)


def resume(store: Store, grant_id: str, *, as_name: str, reason: str, now: int) -> Grant:
    """Let a suspended grant stand again. Raises as `grants.resume_grant` does."""
    with store.write() as tx:
        by = ensure_subject(tx, as_name, now=now)
        return grants.resume_grant(tx, grant_id, by=by, method=OPERATOR, reason=reason, now=now)
