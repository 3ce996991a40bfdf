"""Access requests as they are stored and read, and the one way in which their state changes.

Every change is one compare-and-set on the state, with its audit entry and its message, in the caller's write
transaction. A request that nobody answered reads as lapsed from that second on, whether or not the worker has
written it down yet; while a question waits for its answer, no clock runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, update

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.lifecycle import (
    ANSWER,
    ASK,
    BREAK_GLASS,
    LAPSED,
    PENDING,
    QUESTION,
    request_after,
)
from gatekeeper.service.audit import log
from gatekeeper.service.notify import outbox
from gatekeeper.service.store.tables.access import grants, request_members, requests, reviews
from gatekeeper.service.store.tables.people import subjects
from gatekeeper.values import Value

APPROVAL = "approval"  # the ordinary kind of request
_ID = re.compile(r"R-([1-9][0-9]{0,9})")
_RECORDED = {ASK: "request.question", ANSWER: "request.answered"}


class AccessRequest(Value):
    """A subject asks for a tool, for a reason, a duration (seconds) and zones. `decided_by` is a name, for people.

    `requester` is the id of who asked, where that isn't the subject. Of a team's request `subject` is who asked,
    `team` is `group:NAME` or `list`, and its members stand in a table of their own. `claimed_by` is an id.
    """

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
    kind: str = APPROVAL
    requester: str = ""
    team: str = ""
    question_at: int | None = None
    claimed_by: str = ""
    claimed_until: int | None = None
    escalated_at: int | None = None

    @property
    def asked_by(self) -> str:
        """The id of who asked."""
        return self.requester or self.subject


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
    """Return the requests that a subject made or that are for it (for one tool, where it is named), newest first."""
    own = or_(
        requests.c.subject == subject_id,
        requests.c.requester == subject_id,
        requests.c.number.in_(_of_member(subject_id)),
    )
    return _found(tx, own, tool=tool, now=now)


def requests_for(tx: Connection, subject_id: str, *, tool: str, now: int) -> list[AccessRequest]:
    """Return the requests whose grant for that tool would be the subject's, the newest first."""
    own = or_(
        and_(requests.c.subject == subject_id, requests.c.team == ""),
        requests.c.number.in_(_of_member(subject_id)),
    )
    return _found(tx, own, tool=tool, now=now)


def pending_requests(tx: Connection, *, now: int) -> list[AccessRequest]:
    """Return everybody's requests that wait for a review or an answer, the oldest first."""
    return [
        request
        for row in tx.execute(_select().where(requests.c.state == PENDING).order_by(requests.c.number))
        if (request := _as_of(row, now)).state in (PENDING, QUESTION)
    ]


def pending_of_scope(tx: Connection, subject_id: str, scope_key: str, *, now: int) -> AccessRequest | None:
    """Return the request of a scope that stands as pending in the table; it may have lapsed unseen."""
    same = and_(
        requests.c.subject == subject_id, requests.c.scope_key == scope_key, requests.c.state == PENDING
    )
    row = tx.execute(_select().where(same)).one_or_none()
    return None if row is None else _as_of(row, now)


def move(
    tx: Connection,
    request: AccessRequest,
    act: str,
    *,
    actor: str,
    now: int,
    changes: Mapping[str, object] | None = None,
    detail: Mapping[str, object] | None = None,
) -> AccessRequest:
    """Take an arrow of the state machine, with the columns that change with it.

    Raises:
        GatekeeperError: GK408, the state has no such arrow, or somebody else was faster.
    """
    after = request_after(request.state, act)
    stored = PENDING if after in (PENDING, QUESTION) else after
    decided = {} if stored == PENDING else {"decided_at": now, "claimed_by": "", "claimed_until": None}
    still = (requests.c.number == request.number) & as_seen(request)
    changed = tx.execute(update(requests).where(still).values(state=stored, **decided, **(changes or {})))
    if changed.rowcount != 1:
        raise GatekeeperError("GK408", "The request was decided or cancelled by somebody else just now.")
    announce(tx, request, _RECORDED.get(act, f"request.{after}"), actor=actor, now=now, detail=detail)
    return get_request(tx, request.id, now=now)


def as_seen(request: AccessRequest) -> ColumnElement[bool]:
    """Return the condition that the request's state is still the one that was read."""
    if request.state == QUESTION:
        return and_(requests.c.state == PENDING, requests.c.question_at.is_not(None))
    if request.state in {PENDING, LAPSED}:
        return and_(requests.c.state == PENDING, requests.c.question_at.is_(None))
    return requests.c.state == request.state


def announce(
    tx: Connection,
    request: AccessRequest,
    act: str,
    *,
    actor: str,
    now: int,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Record what happened to a request, and put the message about it into the outbox."""
    known = {"subject": request.subject, "tool": request.tool, "zones": list(request.zones)}
    log.record(tx, at=now, actor=actor, act=act, object=request.id, detail={**known, **(detail or {})})
    outbox.enqueue(tx, kind=act, payload={"request": request.id, "subject": request.subject}, now=now)


def _of_member(subject_id: str) -> Select[Any]:
    return select(request_members.c.request).where(request_members.c.subject == subject_id)


def _found(tx: Connection, which: ColumnElement[bool], *, tool: str, now: int) -> list[AccessRequest]:
    wanted = _select().where(which)
    if tool:
        wanted = wanted.where(requests.c.tool == tool)
    return [_as_of(row, now) for row in tx.execute(wanted.order_by(requests.c.number.desc()))]


def _select() -> Select[Any]:
    """Select requests with the subject's grant and the last review's words, in one statement."""
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
    if request.claimed_until is not None and now >= request.claimed_until:
        request = request.replace(claimed_by="", claimed_until=None)
    if request.state != PENDING:
        return request
    request = request.replace(decided_by="", decision_reason="")
    if request.question_at is not None:
        return request.replace(state=QUESTION)
    # What a break-glass grant was taken for is reviewed, however late.
    lapsed = now >= request.lapses_at and request.kind != BREAK_GLASS
    return request.replace(state=LAPSED) if lapsed else request


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
        decided_by=row.reviewer_name or (f"rule {row.decided_rule}" if row.decided_rule else ""),
        decision_reason=row.decision_reason or "",
        grant=f"G-{row.grant_number}" if row.grant_number else "",
        kind=row.kind,
        requester=row.requester,
        team=row.team,
        question_at=row.question_at,
        claimed_by=row.claimed_by,
        claimed_until=row.claimed_until,
        escalated_at=row.escalated_at,
    )
