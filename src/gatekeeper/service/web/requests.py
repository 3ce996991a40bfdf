"""`/v1/requests`: ask for a tool, read what is one's own or one's to review, wait for an answer, reply, take it back.

A workstation's credential reads an inbox and never decides: deciding needs a step-up (`reviews`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.api import (
    MAX_CALL_BYTES,
    OPEN_STATES,
    PENDING,
    RequestView,
    parse_new_request,
    render_request,
)
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.inbox import inbox_of, items_of
from gatekeeper.service.access.members import members_of
from gatekeeper.service.access.requests import (
    cancel_request,
    create_request,
    get_request,
    reply,
    requests_of,
)
from gatekeeper.service.access.terms import accept_signed
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.web.answers import NO_STORE, answer_json
from gatekeeper.service.web.bodies import JSON, one_header, read_body
from gatekeeper.service.web.problems import HttpFault
from gatekeeper.service.web.request_views import review_views_of, views_of
from gatekeeper.strict import parse_object, text_of

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.responses import Response

    from gatekeeper.service.access.requests import AccessRequest
    from gatekeeper.service.web.calls import SignedInCall

REVIEWER = "reviewer"


async def create(call: SignedInCall) -> Response:
    """Make a request: 201, or 200 with the one of the same scope that is pending already."""
    new = parse_new_request(await read_body(call.request, media_type=JSON))
    key = one_header(call.request, "idempotency-key")

    def work(tx: Connection) -> tuple[RequestView, bool]:
        policy = current_policy(tx, now=call.now)
        if new.terms:
            accept_signed(
                tx,
                policy,
                subject=call.subject,
                device=call.device,
                word=new.tool,
                statement=new.terms,
                issuer=call.service.issuer,
                now=call.now,
            )
        request, created = create_request(
            tx,
            policy=policy,
            subject=call.subject,
            new=new.replace(terms=""),  # a statement is signed anew each time, and makes no other request
            idempotency_key=key,
            rules=call.service.authority.rules,
            now=call.now,
        )
        return _view(tx, call, request, now=call.now), created

    view, created = await call.service.turns.write(work)
    return answer_json(
        render_request(view),
        status=201 if created else 200,
        headers={**NO_STORE, "location": f"{call.service.issuer}/v1/requests/{view.id}"},
    )


async def listing(call: SignedInCall) -> Response:
    """Answer with the subject's requests, the newest first; with `role=reviewer`, with what waits for its review."""
    role = call.request.query_params.getlist("role")
    if role not in ([], [REVIEWER]):
        raise HttpFault(400, "role must be reviewer, once.")

    def look(tx: Connection) -> list[RequestView]:
        policy = current_policy(tx, now=call.now)
        if role:
            items = inbox_of(
                tx, policy=policy, rules=call.service.authority.rules, reviewer=call.subject, now=call.now
            )
            return review_views_of(tx, items, issuer=call.service.issuer)
        found = requests_of(tx, call.subject.id, now=call.now)
        return views_of(
            tx, found, policy=policy, viewer=call.subject, issuer=call.service.issuer, now=call.now
        )

    found = await call.service.turns.read(look)
    return answer_json({"requests": [render_request(view) for view in found]})


async def show(call: SignedInCall) -> Response:
    """Answer with one request; with `wait`, as soon as it isn't pending any more, or when that time is over."""
    wait = _seconds(call.request.query_params.getlist("wait"))
    wanted = str(call.request.path_params["request"])

    def look() -> AccessRequest:
        with call.service.store.read() as tx:
            return _visible(tx, call, wanted, now=call.service.clock())

    request = await call.service.waiting.until(
        look, lambda seen: seen.state != PENDING, seconds=wait, request=call.request
    )
    now = call.service.clock()
    return answer_json(
        render_request(await call.service.turns.read(lambda tx: _view(tx, call, request, now=now)))
    )


async def cancel(call: SignedInCall) -> Response:
    """Take a request back that is still open, or the place in the queue that it became."""
    wanted = str(call.request.path_params["request"])

    def work(tx: Connection) -> RequestView:
        return _view(tx, call, cancel_request(tx, wanted, subject=call.subject, now=call.now), now=call.now)

    return answer_json(render_request(await call.service.turns.write(work)))


async def answer(call: SignedInCall) -> Response:
    """Reply to the question about one's own request."""
    body = parse_object(await read_body(call.request, media_type=JSON), max_bytes=MAX_CALL_BYTES)
    text = text_of(body, "text", max_chars=4000)
    wanted = str(call.request.path_params["request"])

    def work(tx: Connection) -> RequestView:
        return _view(tx, call, reply(tx, wanted, subject=call.subject, text=text, now=call.now), now=call.now)

    return answer_json(render_request(await call.service.turns.write(work)))


def _view(tx: Connection, call: SignedInCall, request: AccessRequest, *, now: int) -> RequestView:
    """Return a request as the caller sees it: who only reviews it sees what a reviewer sees."""
    policy = current_policy(tx, now=now)
    issuer = call.service.issuer
    if _concerns(tx, call, request):
        return views_of(tx, [request], policy=policy, viewer=call.subject, issuer=issuer, now=now)[0]
    items = items_of(
        tx, [request], policy=policy, rules=call.service.authority.rules, reviewer=call.subject, now=now
    )
    view = review_views_of(tx, items, issuer=issuer)[0]
    return view if request.state in OPEN_STATES else view.replace(waits_for=(), notes=())


def _visible(tx: Connection, call: SignedInCall, wanted: str, *, now: int) -> AccessRequest:
    """Return a request that concerns the caller, or that is the caller's to review; no other exists, as far as it hears.

    Raises:
        GatekeeperError: GK409.
    """
    request = get_request(tx, wanted, now=now)
    if not _concerns(tx, call, request):
        policy = current_policy(tx, now=now)
        rules = call.service.authority.rules
        if not items_of(tx, [request], policy=policy, rules=rules, reviewer=call.subject, now=now)[0].may:
            raise GatekeeperError("GK409", "There is no such request.")
    return request


def _concerns(tx: Connection, call: SignedInCall, request: AccessRequest) -> bool:
    own = call.subject.id
    if own in (request.subject, request.requester):
        return True
    return request.team != "" and own in {one.id for one in members_of(tx, request)}


def _seconds(given: list[str]) -> int:
    if not given:
        return 0
    if len(given) > 1 or not given[0].isascii() or not given[0].isdecimal() or len(given[0]) > 6:
        raise HttpFault(400, "wait must be a whole number of seconds.")
    return int(given[0])
