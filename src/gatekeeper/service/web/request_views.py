"""Access requests as the API shows them: to whoever asked, to whom they are for, and to those who review them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.api import OPEN_STATES, RequestView
from gatekeeper.service.access.grants import grants_of_request, place_of
from gatekeeper.service.access.inbox import items_of
from gatekeeper.service.access.lifecycle import APPROVED, BREAK_GLASS, QUESTION, WAITLISTED
from gatekeeper.service.access.members import members_of
from gatekeeper.service.access.persons import subjects_of
from gatekeeper.service.access.questions import messages_of
from gatekeeper.service.access.terms import has_accepted
from gatekeeper.service.people.subjects import PERSON
from gatekeeper.service.policy.durations import render_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from gatekeeper.service.access.inbox import InboxItem
    from gatekeeper.service.access.requests import AccessRequest
    from gatekeeper.service.people.subjects import Subject
    from gatekeeper.service.policy.catalogue import Policy, ReviewEntry

MANAGER = "manager"
_LIST = "list"


def views_of(
    tx: Connection, asked: Sequence[AccessRequest], *, policy: Policy, viewer: Subject, issuer: str, now: int
) -> list[RequestView]:
    """Return requests, in their order, as somebody sees them who asked or may have a grant of them."""
    open_ones = [one for one in asked if one.state in OPEN_STATES]
    waiting = {
        item.request.number: item for item in items_of(tx, open_ones, policy=policy, reviewer=viewer, now=now)
    }
    people = subjects_of(tx, [id_ for one in asked for id_ in (one.subject, one.asked_by)])
    views = []
    for request in asked:
        view = _base(tx, request, people, issuer=issuer)
        item = waiting.get(request.number)
        if item is not None:
            view = view.replace(
                waits_for=words_of_entries(item), notes=item.notes, members=_names(item.members)
            )
        elif request.state == APPROVED:
            view = _with_grant(tx, view, request, viewer, now=now)
        tool = policy.tool_of_id(request.tool)
        own = viewer.kind == PERSON and request.asked_by == viewer.id
        if own and tool is not None and request.state in (*OPEN_STATES, APPROVED):
            view = view.replace(terms_needed=not has_accepted(tx, subject=viewer.id, tool=tool))
        views.append(view)
    return views


def review_views_of(tx: Connection, items: Sequence[InboxItem], *, issuer: str) -> list[RequestView]:
    """Return what waits as a reviewer sees it."""
    people = {one.id: one for item in items for one in (item.subject, item.requester)}
    views = []
    for item in items:
        verdict = "allows" if item.verdict.allowed else "refuses"
        precedent = item.precedent
        views.append(
            _base(tx, item.request, people, issuer=issuer).replace(
                waits_for=words_of_entries(item),
                notes=item.notes,
                members=_names(item.members),
                verdict=f"{verdict} ({item.verdict.rule})" if item.verdict.rule else item.verdict.reason,
                claimed_by=item.claimed_by,
                device=", ".join(item.devices[:3]),
                groups=item.subject.groups,
                precedent=f"{precedent.approved} approved, {precedent.denied} denied in 90 days",
            )
        )
    return views


def words_of_entries(item: InboxItem) -> tuple[str, ...]:
    """Return in words which reviews a request still waits for."""
    if not item.entries:
        return ("the operator",)
    return tuple(_words(entry) for entry in item.outstanding)


def _words(entry: ReviewEntry) -> str:
    sources = ["the manager" if one == MANAGER else one.removeprefix("group:") for one in entry.sources]
    return f"{entry.needed} of {' or '.join(sources)}" if sources != ["the manager"] else sources[0]


def _base(tx: Connection, request: AccessRequest, people: dict[str, Subject], *, issuer: str) -> RequestView:
    asked_by = people[request.asked_by]
    subject_name = people[request.subject].name
    if request.team:
        count = len(members_of(tx, request))
        subject_name = f"{count} people" if request.team == _LIST else f"{request.team} ({count})"
    talk = messages_of(tx, request) if request.state == QUESTION else []
    return RequestView(
        id=request.id,
        tool=request.tool,
        subject_name=subject_name,
        state=request.state,
        reason=request.reason,
        duration=render_duration(request.duration_for),
        zones=request.zones,
        url=f"{issuer}/requests/{request.id}",
        created_at=request.created_at,
        ticket=request.ticket,
        grant=request.grant,
        decided_by=request.decided_by,
        decision_reason=request.decision_reason,
        requester_name=asked_by.name if request.team or request.requester else "",
        question=talk[-1].text if talk else "",
        question_by=talk[-1].author if talk else "",
        break_glass=request.kind == BREAK_GLASS,
    )


def _with_grant(
    tx: Connection, view: RequestView, request: AccessRequest, viewer: Subject, *, now: int
) -> RequestView:
    """Add the viewer's own grant (of a request for one, that one's), and its place where it waits for a seat."""
    for grant in grants_of_request(tx, request.number, now=now):
        if grant.subject == viewer.id or not request.team:
            place = place_of(tx, grant, now=now).place if grant.state == WAITLISTED else None
            return view.replace(grant=grant.id, place=place)
    return view


def _names(members: Sequence[Subject]) -> tuple[str, ...]:
    return tuple(one.name for one in members)
