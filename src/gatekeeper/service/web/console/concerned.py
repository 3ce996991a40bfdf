"""For whom a request is, as the list to be confirmed says it: one person, a workload, or everybody of a team."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gatekeeper.service.access.members import LIST, members_of
from gatekeeper.service.people.subjects import get_subject
from gatekeeper.strict import render_json

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gatekeeper.service.access.request_rows import AccessRequest

NAMED = 10
NOBODY_ELSE: Mapping[str, Any] = {"requester": "", "members": 0, "member_names": [], "members_sha256": ""}


def concerned_by(tx: Connection, request: AccessRequest) -> dict[str, Any]:
    """Return the members of an item that say for whom a request is, and who asks where that is somebody else.

    A team may be five hundred people: the first ten are named, and the number and a SHA-256 of the canonical JSON of
    all their sorted ids stand for the others, so that what is signed for one team confirms no other.
    """
    subject = get_subject(tx, request.subject)
    if not request.team:
        other = request.asked_by != request.subject
        asks = get_subject(tx, request.asked_by).name if other else ""
        return {**NOBODY_ELSE, "name": subject.name, "requester": asks}
    members = members_of(tx, request)
    ids = render_json(sorted(one.id for one in members))
    return {
        "name": "A list of people" if request.team == LIST else f"Team {request.team.partition(':')[2]}",
        "requester": get_subject(tx, request.asked_by).name,
        "members": len(members),
        "member_names": [one.name for one in members[:NAMED]],
        "members_sha256": hashlib.sha256(ids).hexdigest(),
    }
