"""`/v1/requests/{id}/reviews` and `/v1/grants/{id}/revoke`: deciding over the API, by a person who stepped up.

Both take a console session whose person signed in at the provider within the last five minutes. A workstation's
credential is none, however valid, so that whoever acts as its user can't approve; a passkey confirms in the
console, where its owner sees what is signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.documents.api import MAX_CALL_BYTES, GrantView, RequestView, render_grant, render_request
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.deciding import approve_request, deny_request
from gatekeeper.service.access.grant_reviewers import may_act_on_grant
from gatekeeper.service.access.grants import get_grant, revoke_grant
from gatekeeper.service.access.inbox import may_review
from gatekeeper.service.access.request_rows import get_request
from gatekeeper.service.access.reviews import STEP_UP
from gatekeeper.service.people.roles import Role, roles_of
from gatekeeper.service.people.subjects import get_subject
from gatekeeper.service.policy.durations import render_duration
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.web.answers import answer_json
from gatekeeper.service.web.bodies import JSON, read_body
from gatekeeper.service.web.step_up import require_fresh
from gatekeeper.strict import parse_object

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.responses import Response

    from gatekeeper.service.web.calls import SessionCall

_REVIEW_MEMBERS = {"verdict", "reason", "duration", "zones"}
_VERDICTS = ("approve", "deny")


async def review(call: SessionCall) -> Response:
    """Approve or deny a request.

    Raises:
        GatekeeperError: GK405, no step-up, or the person may not; GK409, GK408, GK404, GK410 as reviewing does;
            GK100, the body says something else.
    """
    body = _members(await read_body(call.request, media_type=JSON), _REVIEW_MEMBERS)
    require_fresh(call)
    verdict, reason, duration = (_text(body, name) for name in ("verdict", "reason", "duration"))
    if verdict not in _VERDICTS:
        raise GatekeeperError("GK100", 'verdict must be "approve" or "deny".')
    zones = _zones(body)
    wanted = str(call.request.path_params["request"])

    def work(tx: Connection) -> RequestView:
        policy = current_policy(tx, now=call.now)
        subject = call.session.subject
        if not may_review(tx, policy, get_request(tx, wanted, now=call.now), subject, now=call.now):
            raise GatekeeperError("GK409", "There is no such request.")
        if verdict == "approve":
            approve_request(
                tx,
                wanted,
                policy=policy,
                reviewer=subject,
                method=STEP_UP,
                duration=duration,
                zones=zones,
                reason=reason,
                now=call.now,
            )
        else:
            deny_request(
                tx,
                wanted,
                policy=policy,
                reviewer=subject,
                method=STEP_UP,
                reason=reason,
                now=call.now,
            )
        request = get_request(tx, wanted, now=call.now)
        return RequestView(
            id=request.id,
            tool=request.tool,
            subject_name=get_subject(tx, request.subject).name,
            state=request.state,
            reason=request.reason,
            duration=render_duration(request.duration_for),
            zones=request.zones,
            url=f"{call.service.issuer}/requests/{request.id}",
            created_at=request.created_at,
            ticket=request.ticket,
            grant=request.grant,
            decided_by=request.decided_by,
            decision_reason=request.decision_reason,
        )

    return answer_json(render_request(await call.service.turns.write(work)))


async def revoke(call: SessionCall) -> Response:
    """Revoke a grant whose tool and zones the person reviews, or any grant as an operator.

    Raises:
        GatekeeperError: GK405, no step-up; GK409, there is no such grant, as far as this person hears; GK408, it has
            ended; GK404, no reason is given.
    """
    body = _members(await read_body(call.request, media_type=JSON), {"reason"})
    require_fresh(call)
    reason = _text(body, "reason")
    if not reason.strip():
        raise GatekeeperError("GK404", "Revoking needs a reason: the person will read it.")
    wanted = str(call.request.path_params["grant"])

    def work(tx: Connection) -> GrantView:
        policy = current_policy(tx, now=call.now)
        subject = call.session.subject
        operates = Role.OPERATOR in roles_of(call.service.console, subject.groups, approves=False)
        grant = get_grant(tx, wanted, now=call.now)
        if not operates and not may_act_on_grant(
            policy, subject, tool=grant.tool, zones=grant.zones, now=call.now
        ):
            raise GatekeeperError("GK409", "There is no such grant.")
        ended = revoke_grant(tx, wanted, by=subject, method=STEP_UP, reason=reason, now=call.now)
        return GrantView(
            id=ended.id,
            tool=ended.tool,
            subject_name=get_subject(tx, ended.subject).name,
            state=ended.state,
            zones=ended.zones,
            starts_at=ended.starts_at,
            ends_at=ended.ends_at,
            request=ended.request,
            ended_by=ended.ended_by,
            ended_reason=ended.ended_reason,
        )

    return answer_json(render_grant(await call.service.turns.write(work)))


def _members(body: bytes, known: set[str]) -> dict[str, Any]:
    members = parse_object(body, max_bytes=MAX_CALL_BYTES)
    for name in members:
        if name not in known:
            raise GatekeeperError("GK100", f"The member {name[:40]!r} is unknown here.")
    return members


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name, "")
    if not isinstance(value, str):
        raise GatekeeperError("GK100", f"{name} must be a text.")
    return value


def _zones(members: dict[str, Any]) -> tuple[str, ...] | None:
    value = members.get("zones")
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise GatekeeperError("GK100", "zones must be a list of texts.")
    return tuple(value)
