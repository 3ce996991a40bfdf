"""Claims: a reviewer says that they are at a request, so that two don't do the same work. For half an hour.

A claim is a courtesy, not a lock: whoever may decide about the request may do so all the same.
"""

from __future__ import annotations

from sqlalchemy import Connection, or_, update

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.lifecycle import PENDING, QUESTION
from gatekeeper.service.access.request_rows import AccessRequest, get_request
from gatekeeper.service.audit import log
from gatekeeper.service.people.subjects import Subject, get_subject
from gatekeeper.service.store.tables.access import requests

CLAIMED_FOR = 1800


def claim_request(tx: Connection, request_id: str, *, reviewer: Subject, now: int) -> AccessRequest:
    """Claim a request, or claim it longer. Whether the reviewer may decide about it is the caller's to check.

    Raises:
        GatekeeperError: GK409, there is none; GK408, it is decided, or somebody else is at it.
    """
    request = get_request(tx, request_id, now=now)
    if request.state not in (PENDING, QUESTION):
        raise GatekeeperError("GK408", f"The request is {request.state}, so this can't be done any more.")
    free = or_(
        requests.c.claimed_by.in_(("", reviewer.id)),
        requests.c.claimed_until.is_(None),
        requests.c.claimed_until <= now,
    )
    still = (requests.c.number == request.number) & (requests.c.state == PENDING) & free
    claimed = update(requests).where(still).values(claimed_by=reviewer.id, claimed_until=now + CLAIMED_FOR)
    if tx.execute(claimed).rowcount != 1:
        who = get_subject(tx, request.claimed_by).name if request.claimed_by else "Somebody else"
        raise GatekeeperError("GK408", f"{who} is at it.", facts={"by": who})
    log.record(tx, at=now, actor=reviewer.id, act="request.claimed", object=request.id, detail={})
    return get_request(tx, request.id, now=now)


def release_request(tx: Connection, request_id: str, *, reviewer: Subject, now: int) -> AccessRequest:
    """Give one's own claim back; nothing happens where there is none.

    Raises:
        GatekeeperError: GK409, there is no such request.
    """
    request = get_request(tx, request_id, now=now)
    own = (requests.c.number == request.number) & (requests.c.claimed_by == reviewer.id)
    if tx.execute(update(requests).where(own).values(claimed_by="", claimed_until=None)).rowcount:
        log.record(tx, at=now, actor=reviewer.id, act="request.released", object=request.id, detail={})
    return get_request(tx, request.id, now=now)
