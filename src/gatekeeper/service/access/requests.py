"""Access requests: the acts of whoever asks and of time, and the one place to import all acts and readers from.

Each act stands in a module of its own: asking in `creating`, reviews in `deciding`, questions, claims, escalation
and break-glass in theirs; how requests are stored and read in `request_rows`.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.claims import claim_request, release_request
from gatekeeper.service.access.creating import create_request
from gatekeeper.service.access.deciding import Reviewed, approve_request, deny_request
from gatekeeper.service.access.grants import cancel_place, grants_of_request
from gatekeeper.service.access.lifecycle import APPROVED, BREAK_GLASS, CANCEL, LAPSE, PENDING, WAITLISTED
from gatekeeper.service.access.questions import ask_question, messages_of, reply
from gatekeeper.service.access.request_rows import (
    AccessRequest,
    get_request,
    move,
    pending_requests,
    requests_for,
    requests_of,
)
from gatekeeper.service.audit import log
from gatekeeper.service.people.subjects import Subject
from gatekeeper.service.store.tables.access import requests

__all__ = [
    "AccessRequest",
    "Reviewed",
    "approve_request",
    "ask_question",
    "cancel_request",
    "claim_request",
    "create_request",
    "deny_request",
    "get_request",
    "lapse_requests",
    "messages_of",
    "pending_requests",
    "release_request",
    "reply",
    "requests_for",
    "requests_of",
]


def cancel_request(tx: Connection, request_id: str, *, subject: Subject, now: int) -> AccessRequest:
    """Take one's own request back, or the own place in the queue that it became.

    Raises:
        GatekeeperError: GK409, there is none, or it is another's; GK408, it is no longer open, or an emergency that
            waits for its review.
    """
    request = get_request(tx, request_id, now=now)
    if request.asked_by != subject.id:
        raise GatekeeperError("GK409", "There is no such request.")
    if request.kind == BREAK_GLASS:
        raise GatekeeperError("GK408", "An emergency can't be taken back: it is reviewed.")
    places = [one for one in grants_of_request(tx, request.number, now=now) if one.state == WAITLISTED]
    if request.state == APPROVED and places:
        for grant in places:
            cancel_place(tx, grant, by=subject, now=now)
        return get_request(tx, request.id, now=now)
    return move(tx, request, CANCEL, actor=subject.id, now=now)


def lapse_requests(tx: Connection, now: int) -> int:
    """Write down which requests lapsed; return how many were not yet. What is read doesn't depend on it."""
    over = select(requests.c.number).where(
        requests.c.state == PENDING,
        requests.c.lapses_at <= now,
        requests.c.question_at.is_(None),
        requests.c.kind != BREAK_GLASS,
    )
    numbers = tx.execute(over.order_by(requests.c.number)).scalars().all()
    for number in numbers:
        request = get_request(tx, f"R-{number}", now=now)
        move(tx, request.replace(state=PENDING), LAPSE, actor=log.SERVICE, now=now)
    return len(numbers)
