"""The words and facts of a message about a request or a grant: what the inbox shows, in a few lines. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from gatekeeper.service.access.grant_rows import Grant
from gatekeeper.service.access.inbox import InboxItem
from gatekeeper.service.access.lifecycle import BREAK_GLASS
from gatekeeper.service.access.request_rows import AccessRequest
from gatekeeper.service.people.subjects import Subject
from gatekeeper.service.policy.durations import render_duration

Facts = tuple[tuple[str, str], ...]
_TITLES = {
    "request.created": "{who} asks for {tool}",
    "request.answered": "{who} answered a question about {tool}",
    "request.escalated": "{who} still waits for {tool}",
    "request.reviewed": "One more approval of {tool} for {who}",
    "request.question": "A question about the request for {tool}",
    "request.approved": "Approved: {tool} for {who}",
    "request.denied": "Denied: {tool} for {who}",
    "request.cancelled": "Taken back: {tool} for {who}",
    "request.lapsed": "Nobody answered: {tool} for {who}",
    "break_glass.used": "{who} broke the glass for {tool}",
    "break_glass.escalated": "{who} broke the glass for {tool}",
    "grant.created": "{who} may use {tool}",
    "grant.waitlisted": "{who} waits for a seat of {tool}",
    "grant.activated": "A seat of {tool} is free for {who}",
    "grant.suspended": "Suspended: {tool} for {who}",
    "grant.resumed": "Resumed: {tool} for {who}",
    "grant.revoked": "Revoked: {tool} for {who}",
    "grant.ended": "Off the waiting list: {tool} for {who}",
    "grant.expired": "Over: {tool} for {who}",
    "grant.unused": "Unused: the seat of {tool} of {who} falls free soon",
}
_OVER = ("grant.suspended", "grant.revoked", "grant.ended", "grant.expired")


def title_of(kind: str, *, who: str, tool: str) -> str:
    """Return one line that says what happened."""
    return _TITLES[kind].format(who=who, tool=tool)


def asking_facts(item: InboxItem) -> Facts:
    """Return what a reviewer wants to know before opening the page, without the reason."""
    request, precedent = item.request, item.precedent
    allowed = "allows it" if item.verdict.allowed else "refuses it"
    rule = f" ({item.verdict.rule})" if item.verdict.rule else ""
    facts = [
        *_scope(request),
        ("Groups", ", ".join(item.subject.groups[:10])),
        ("Devices", ", ".join(item.devices[:3])),
        ("Policy", f"{allowed}{rule}{'' if item.verdict.allowed else f': {item.verdict.reason}'}"),
        ("Before", f"{precedent.approved} approved, {precedent.denied} denied in 90 days"),
        *(("Note", note) for note in item.notes),
    ]
    if request.kind == BREAK_GLASS:
        facts.append(("Review", "The grant stands already; this review is due."))
    return tuple((label, text) for label, text in facts if text)


def telling_facts(kind: str, request: AccessRequest, grant: Grant | None, *, place: int | None) -> Facts:
    """Return how it went. `place` is the grant's in the queue, None where it has none."""
    facts = [*_scope(request)]
    if kind.startswith("request."):
        facts.append(("By", request.decided_by))
    if grant is not None:
        facts.append(("Grant", grant.id))
        if kind in _OVER:
            facts.append(("By", grant.ended_by))
        elif place is not None:
            facts.append(("Seat", f"none is free yet: place {place} of the waiting list"))
        else:
            facts.append(("Until", moment(grant.ends_at)))
    return tuple((label, text) for label, text in facts if text)


def data_of(
    request: AccessRequest, grant: Grant | None, *, subject: Subject, requester: Subject
) -> dict[str, object]:
    """Return the same for programs: ids and names, times in Unix seconds."""
    found: dict[str, object] = {
        "request": {
            "id": request.id,
            "kind": request.kind,
            "state": request.state,
            "tool": request.tool,
            "zones": list(request.zones),
            "subject": subject.id,
            "subject_name": subject.name,
            "requester": requester.id,
            "requester_name": requester.name,
            "team": request.team,
            "reason": request.reason,
            "ticket": request.ticket,
            "duration": request.duration_for,
            "created_at": request.created_at,
            "decided_at": request.decided_at,
            "decided_by": request.decided_by,
            "decision_reason": request.decision_reason,
        }
    }
    if grant is not None:
        found["grant"] = {
            "id": grant.id,
            "kind": grant.kind,
            "state": grant.state,
            "subject": grant.subject,
            "starts_at": grant.starts_at,
            "ends_at": grant.ends_at,
            "ended_at": grant.ended_at,
            "ended_by": grant.ended_by,
            "ended_reason": grant.ended_reason,
        }
    return found


def moment(at: int) -> str:
    """Return a time as people read it, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _scope(request: AccessRequest) -> list[tuple[str, str]]:
    where = ["outside every zone" if zone == "none" else zone for zone in request.zones]
    return [
        ("Request", request.id),
        ("Where", ", ".join(where)),
        ("For", render_duration(request.duration_for)),
        ("Ticket", request.ticket),
    ]
