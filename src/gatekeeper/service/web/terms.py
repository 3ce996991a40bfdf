"""`/v1/terms/{tool}`: the terms of a tool, and accepting them by the device's signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.api import MAX_CALL_BYTES
from gatekeeper.documents.terms import TermsView, render_terms
from gatekeeper.service.access.terms import accept_signed, has_accepted, terms_of
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.web.answers import answer_json
from gatekeeper.service.web.bodies import JSON, read_body
from gatekeeper.strict import parse_object, text_of

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.responses import Response

    from gatekeeper.service.web.calls import SignedInCall


async def show(call: SignedInCall) -> Response:
    """Answer with the terms of a tool, and whether the caller has accepted them."""
    return answer_json(render_terms(await call.service.turns.read(lambda tx: _view(tx, call))))


async def accept(call: SignedInCall) -> Response:
    """Keep the caller's acceptance."""
    body = parse_object(await read_body(call.request, media_type=JSON), max_bytes=MAX_CALL_BYTES)
    statement = text_of(body, "statement", max_chars=4096)

    def work(tx: Connection) -> TermsView:
        accept_signed(
            tx,
            current_policy(tx, now=call.now),
            subject=call.subject,
            device=call.device,
            word=str(call.request.path_params["tool"]),
            statement=statement,
            issuer=call.service.issuer,
            now=call.now,
        )
        return _view(tx, call)

    return answer_json(render_terms(await call.service.turns.write(work)))


def _view(tx: Connection, call: SignedInCall) -> TermsView:
    policy = current_policy(tx, now=call.now)
    tool, terms = terms_of(policy, str(call.request.path_params["tool"]))
    return TermsView(
        tool=tool.id,
        version=terms.version,
        sha256=terms.sha256,
        text=terms.text,
        accepted=has_accepted(tx, subject=call.subject.id, tool=tool),
    )
