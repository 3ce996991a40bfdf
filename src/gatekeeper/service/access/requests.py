"""Access requests: asking, cancelling, deciding. A function for each arrow, and the readers.

Every arrow is one compare-and-set on the state, with its audit entry and its notification, in the caller's
write transaction: two approvers at once make one grant, and what was cancelled can't be approved. A request
that nobody answered reads as lapsed from that second on, whether or not the worker has written it down yet.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, select, update

from gatekeeper.documents.api import NewRequest
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.asking import Asked, check_offered, check_request
from gatekeeper.service.access.grants import Grant, actor_of, make_grant
from gatekeeper.service.access.idempotency import remember_key, request_of_key
from gatekeeper.service.access.lifecycle import APPROVE, CANCEL, DENY, LAPSE, LAPSED, PENDING, request_after
from gatekeeper.service.access.reviews import check_review, narrow_duration, narrow_zones
from gatekeeper.service.audit import log
from gatekeeper.service.notify import outbox
from gatekeeper.service.people.names import check_free_text, visible_length
from gatekeeper.service.people.subjects import Subject
from gatekeeper.service.policy.folder import Policy, parse_duration
from gatekeeper.service.store.tables.access import grants, requests, reviews
from gatekeeper.service.store.tables.people import subjects
from gatekeeper.values import Value

_ID = re.compile(r"R-([1-9][0-9]{0,9})")


class AccessRequest(Value):
    """A subject asks for a tool, for a reason, a duration (seconds) and zones. `decided_by` is a name, for people."""

    id: str
    number: int
    subject: str
    tool: str
    zones: tuple[str, ...]
    reason: str
    ticket: str
    duration_for: int
    state: str
    created_at: int
    lapses_at: int
    decided_at: int | None
    decided_by: str
    decision_reason: str
    grant: str


def create_request(
    tx: Connection, *, policy: Policy, subject: Subject, new: NewRequest, idempotency_key: str, now: int
) -> tuple[AccessRequest, bool]:
    """Record a request whose contents may be hostile, and say whether it is new.

    It is not where one of the same subject, tool and zones is pending already, or where the same call came
    within 24 hours (`idempotency_key`, "" for none): then that one is returned, whatever became of it.

    Raises:
        GatekeeperError: GK302, GK303, the tool isn't offered; GK404, the reason is too short; GK410, the tool is
            open, or a duration, zone or text is outside what policy allows; GK411, the key came with another
            body; GK100, a ticket or key that can't be one.
    """
    known = request_of_key(tx, subject.id, idempotency_key, new, now=now)
    if known:
        return get_request(tx, f"R-{known}", now=now), False
    asked = check_request(policy, new)
    pending = _pending_of(tx, subject, asked.scope_key, now=now)
    if pending is not None:
        remember_key(tx, subject.id, idempotency_key, new, pending.number, now=now)
        return pending, False
    request = _insert(tx, policy, subject, asked, now=now)
    remember_key(tx, subject.id, idempotency_key, new, request.number, now=now)
    _announce(tx, request, "request.created", actor=subject.id, now=now)
    return request, True


def get_request(tx: Connection, request_id: str, *, now: int) -> AccessRequest:
    """Return a request by an id that somebody may have typed, as it stands at `now`.

    Raises:
        GatekeeperError: GK409, there is none.
    """
    match = _ID.fullmatch(request_id)
    row = None
    if match:
        row = tx.execute(_select().where(requests.c.number == int(match[1]))).one_or_none()
    if row is None:
        raise GatekeeperError("GK409", "There is no such request.")
    return _as_of(row, now)


def requests_of(tx: Connection, subject_id: str, *, tool: str = "", now: int) -> list[AccessRequest]:
    """Return a subject's requests (for one tool, where it is named), the newest first."""
    wanted = _select().where(requests.c.subject == subject_id)
    if tool:
        wanted = wanted.where(requests.c.tool == tool)
    return [_as_of(row, now) for row in tx.execute(wanted.order_by(requests.c.number.desc()))]


def pending_requests(tx: Connection, *, now: int) -> list[AccessRequest]:
    """Return everybody's requests that wait for a review, the oldest first."""
    waiting = _select().where(requests.c.state == PENDING, requests.c.lapses_at > now)
    return [_as_of(row, now) for row in tx.execute(waiting.order_by(requests.c.number))]


def cancel_request(tx: Connection, request_id: str, *, subject: Subject, now: int) -> AccessRequest:
    """Take one's own request back.

    Raises:
        GatekeeperError: GK409, there is none, or it is another's; GK408, it is no longer pending.
    """
    request = get_request(tx, request_id, now=now)
    if request.subject != subject.id:
        raise GatekeeperError("GK409", "There is no such request.")
    return _move(tx, request, CANCEL, actor=subject.id, now=now)


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
) -> tuple[AccessRequest, Grant]:
    """Approve a request, as it was asked (`duration` "", `zones` None) or narrower, and make its grant.

    Raises:
        GatekeeperError: GK409, there is none; GK408, it is no longer pending; GK405, the reviewer may not;
            GK302, GK303, the tool isn't offered any more; GK410, wider than asked or than policy allows.
    """
    request = get_request(tx, request_id, now=now)
    _check_reviewer(request, reviewer, method=method)
    tool = check_offered(policy.tool_of_id(request.tool))
    given_for = parse_duration(duration) if duration else None
    duration_for = narrow_duration(
        asked_for=request.duration_for, given_for=given_for, max_for=tool.max_duration_for
    )
    given_zones = narrow_zones(asked=request.zones, given=zones)
    actor = actor_of(reviewer, method=method)
    _move(tx, request, APPROVE, actor=actor, now=now)
    _review(
        tx,
        request,
        APPROVE,
        reviewer=reviewer,
        method=method,
        reason=reason,
        zones=given_zones,
        duration_for=duration_for,
        now=now,
    )
    grant = make_grant(
        tx,
        request=request.number,
        subject=request.subject,
        tool=request.tool,
        zones=given_zones,
        duration_for=duration_for,
        actor=actor,
        now=now,
    )
    return get_request(tx, request.id, now=now), grant


def deny_request(
    tx: Connection, request_id: str, *, reviewer: Subject, method: str, reason: str, now: int
) -> AccessRequest:
    """Deny a request; one denial denies.

    Raises:
        GatekeeperError: GK409, there is none; GK408, it is no longer pending; GK405, the reviewer may not;
            GK404, no reason is given.
    """
    request = get_request(tx, request_id, now=now)
    _check_reviewer(request, reviewer, method=method)
    if visible_length(reason) == 0:
        raise GatekeeperError("GK404", "A denial needs a reason: the person who asked will read it.")
    _move(tx, request, DENY, actor=actor_of(reviewer, method=method), now=now)
    _review(
        tx,
        request,
        DENY,
        reviewer=reviewer,
        method=method,
        reason=reason,
        zones=request.zones,
        duration_for=request.duration_for,
        now=now,
    )
    return get_request(tx, request.id, now=now)


def lapse_requests(tx: Connection, now: int) -> int:
    """Write down which requests lapsed; return how many were not yet. What is read doesn't depend on it."""
    over = _select().where(requests.c.state == PENDING, requests.c.lapses_at <= now)
    rows = tx.execute(over.order_by(requests.c.number)).all()
    for row in rows:
        _move(tx, _typed(row), LAPSE, actor=log.SERVICE, now=now)
    return len(rows)


def _check_reviewer(request: AccessRequest, reviewer: Subject, *, method: str) -> None:
    check_review(reviewer_id=reviewer.id, subject_id=request.subject, method=method)
    if not reviewer.active:
        raise GatekeeperError("GK405", "The reviewer is deactivated.")


def _move(tx: Connection, request: AccessRequest, act: str, *, actor: str, now: int) -> AccessRequest:
    after = request_after(request.state, act)
    changed = tx.execute(
        update(requests)
        .where(requests.c.number == request.number, requests.c.state == request.state)
        .values(state=after, decided_at=now)
    )
    if changed.rowcount != 1:
        raise GatekeeperError("GK408", "The request was decided or cancelled by somebody else just now.")
    _announce(tx, request, f"request.{after}", actor=actor, now=now)
    return request.replace(state=after, decided_at=now)


def _review(
    tx: Connection,
    request: AccessRequest,
    verdict: str,
    *,
    reviewer: Subject,
    method: str,
    reason: str,
    zones: tuple[str, ...],
    duration_for: int,
    now: int,
) -> None:
    tx.execute(
        insert(reviews).values(
            request=request.number,
            reviewer=reviewer.id,
            verdict=verdict,
            method=method,
            reason=check_free_text(reason, what="reason"),
            zones=list(zones),
            duration_seconds=duration_for,
            at=now,
        )
    )


def _announce(tx: Connection, request: AccessRequest, act: str, *, actor: str, now: int) -> None:
    detail = {"subject": request.subject, "tool": request.tool, "zones": list(request.zones)}
    log.record(tx, at=now, actor=actor, act=act, object=request.id, detail=detail)
    outbox.enqueue(tx, kind=act, payload={"request": request.id, "subject": request.subject}, now=now)


def _insert(tx: Connection, policy: Policy, subject: Subject, asked: Asked, *, now: int) -> AccessRequest:
    made = insert(requests).values(
        subject=subject.id,
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
    )
    number = tx.execute(made.returning(requests.c.number)).scalar_one()
    return get_request(tx, f"R-{number}", now=now)


def _pending_of(tx: Connection, subject: Subject, scope_key: str, *, now: int) -> AccessRequest | None:
    """Return the pending request of a scope; one that lapsed unseen is written down, for it holds the place."""
    same = and_(requests.c.subject == subject.id, requests.c.scope_key == scope_key)
    row = tx.execute(_select().where(same, requests.c.state == PENDING)).one_or_none()
    if row is None:
        return None
    if _as_of(row, now).state == LAPSED:
        _move(tx, _typed(row), LAPSE, actor=log.SERVICE, now=now)
        return None
    return _as_of(row, now)


def _select() -> Select[Any]:
    """Select requests with their grant and the last review's words, in one statement."""
    of_request = reviews.alias()
    last = select(func.max(of_request.c.id)).where(of_request.c.request == requests.c.number)
    return select(
        requests,
        grants.c.number.label("grant_number"),
        reviews.c.reason.label("decision_reason"),
        subjects.c.name.label("reviewer_name"),
    ).select_from(
        requests.outerjoin(
            grants, and_(grants.c.request == requests.c.number, grants.c.subject == requests.c.subject)
        )
        .outerjoin(reviews, reviews.c.id == last.scalar_subquery())
        .outerjoin(subjects, subjects.c.id == reviews.c.reviewer)
    )


def _as_of(row: Row[Any], now: int) -> AccessRequest:
    request = _typed(row)
    if request.state == PENDING and now >= request.lapses_at:
        return request.replace(state=LAPSED)
    return request


def _typed(row: Row[Any]) -> AccessRequest:
    return AccessRequest(
        id=f"R-{row.number}",
        number=row.number,
        subject=row.subject,
        tool=row.tool,
        zones=tuple(row.zones),
        reason=row.reason,
        ticket=row.ticket,
        duration_for=row.duration_seconds,
        state=row.state,
        created_at=row.created_at,
        lapses_at=row.lapses_at,
        decided_at=row.decided_at,
        decided_by=row.reviewer_name or "",
        decision_reason=row.decision_reason or "",
        grant=f"G-{row.grant_number}" if row.grant_number else "",
    )
