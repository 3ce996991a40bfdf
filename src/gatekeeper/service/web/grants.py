"""`/v1/grants` and `/v1/catalogue`: what the caller has, and what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.api import GrantView, render_grant
from gatekeeper.service.access.grants import grants_of, place_of
from gatekeeper.service.access.lifecycle import WAITLISTED
from gatekeeper.service.issue.catalogue import catalogue_for, sign_catalogue
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.policy.stops import stops_in_force
from gatekeeper.service.web.answers import answer_document, answer_json, has_current

if TYPE_CHECKING:
    from starlette.responses import Response

    from gatekeeper.service.web.calls import SignedInCall


async def listing(call: SignedInCall) -> Response:
    """Answer with the subject's grants, the newest first, ended ones included."""
    with call.service.store.read() as tx:
        found = grants_of(tx, call.subject.id, now=call.now)
        places = {g.id: place_of(tx, g, now=call.now).place for g in found if g.state == WAITLISTED}
    views = [
        GrantView(
            id=grant.id,
            tool=grant.tool,
            subject_name=call.subject.name,
            state=grant.state,
            zones=grant.zones,
            starts_at=grant.starts_at,
            ends_at=grant.ends_at,
            request=grant.request,
            ended_by=grant.ended_by,
            ended_reason=grant.ended_reason,
            kind=grant.kind,
            place=places.get(grant.id),
        )
        for grant in found
    ]
    return answer_json({"grants": [render_grant(view) for view in views]})


async def catalogue(call: SignedInCall) -> Response:
    """Answer with the subject's signed catalogue, a compact JWS."""
    authority = call.service.authority
    with call.service.store.read() as tx:
        policy = current_policy(tx, now=call.now)
        stops = stops_in_force(tx)
    offered = catalogue_for(authority, policy=policy, stops=stops, subject=call.subject, now=call.now)
    signed = "" if has_current(call.request, offered.etag) else sign_catalogue(authority, offered)
    return answer_document(
        call.request,
        signed.encode("ascii"),
        media_type="application/jwt",
        etag=offered.etag,
        cache_control="private, no-cache",
    )
