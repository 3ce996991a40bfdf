"""`/v1/requests`: ask for a tool, read one's own requests, wait for an answer, take a request back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.api import PENDING, RequestView, parse_new_request, render_request
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.requests import cancel_request, create_request, get_request, requests_of
from gatekeeper.service.policy.durations import render_duration
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.web.answers import NO_STORE, answer_json
from gatekeeper.service.web.bodies import JSON, one_header, read_body
from gatekeeper.service.web.problems import HttpFault

if TYPE_CHECKING:
    from starlette.responses import Response

    from gatekeeper.service.access.requests import AccessRequest
    from gatekeeper.service.web.calls import SignedInCall


async def create(call: SignedInCall) -> Response:
    """Make a request: 201, or 200 with the one of the same scope that is pending already."""
    new = parse_new_request(await read_body(call.request, media_type=JSON))
    key = one_header(call.request, "idempotency-key")
    with call.service.store.write() as tx:
        request, created = create_request(
            tx,
            policy=current_policy(tx, now=call.now),
            subject=call.subject,
            new=new,
            idempotency_key=key,
            now=call.now,
        )
    view = view_of(call, request)
    return answer_json(
        render_request(view),
        status=201 if created else 200,
        headers={**NO_STORE, "location": f"{call.service.issuer}/v1/requests/{view.id}"},
    )


async def listing(call: SignedInCall) -> Response:
    """Answer with the subject's requests, the newest first."""
    with call.service.store.read() as tx:
        found = requests_of(tx, call.subject.id, now=call.now)
    return answer_json({"requests": [render_request(view_of(call, request)) for request in found]})


async def show(call: SignedInCall) -> Response:
    """Answer with one request; with `wait`, as soon as it isn't pending any more, or when that time is over."""
    wait = _seconds(call.request.query_params.getlist("wait"))
    wanted = str(call.request.path_params["request"])

    def look() -> AccessRequest:
        return _own(call, wanted)

    request = await call.service.waiting.until(
        look, lambda seen: seen.state != PENDING, seconds=wait, request=call.request
    )
    return answer_json(render_request(view_of(call, request)))


async def cancel(call: SignedInCall) -> Response:
    """Take a request back that is still pending."""
    wanted = str(call.request.path_params["request"])
    with call.service.store.write() as tx:
        request = cancel_request(tx, wanted, subject=call.subject, now=call.now)
    return answer_json(render_request(view_of(call, request)))


def view_of(call: SignedInCall, request: AccessRequest) -> RequestView:
    """Return a request as its own subject sees it."""
    return RequestView(
        id=request.id,
        tool=request.tool,
        subject_name=call.subject.name,
        state=request.state,
        reason=request.reason,
        duration=render_duration(request.duration_for),
        zones=request.zones,
        url="",  # no page of ours shows a request yet
        created_at=request.created_at,
        ticket=request.ticket,
        grant=request.grant,
        decided_by=request.decided_by,
        decision_reason=request.decision_reason,
    )


def _own(call: SignedInCall, wanted: str) -> AccessRequest:
    """Return the caller's own request; another's doesn't exist, as far as the caller hears.

    Raises:
        GatekeeperError: GK409.
    """
    with call.service.store.read() as tx:
        request = get_request(tx, wanted, now=call.service.clock())
    if request.subject != call.subject.id:
        raise GatekeeperError("GK409", "There is no such request.")
    return request


def _seconds(given: list[str]) -> int:
    if not given:
        return 0
    if len(given) > 1 or not given[0].isascii() or not given[0].isdecimal() or len(given[0]) > 6:
        raise HttpFault(400, "wait must be a whole number of seconds.")
    return int(given[0])
