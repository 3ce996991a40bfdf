"""`/oauth/token` and `/oauth/revoke` as HTTP; who may have what is decided in `oauth`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from gatekeeper.documents.api import render_token_answer
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.oauth.revoke import revoke
from gatekeeper.service.oauth.token import answer
from gatekeeper.service.web.answers import NO_STORE, answer_json
from gatekeeper.service.web.bodies import read_form

if TYPE_CHECKING:
    from gatekeeper.service.web.calls import ProvenCall


async def token(call: ProvenCall) -> Response:
    """Answer RFC 6749 §5.1. Raises `GatekeeperError`, which is answered as §5.2."""
    form = await read_form(call.request)
    service = call.service
    with service.store.write() as tx:
        outcome = answer(
            tx, service.authority, form, proof=call.proof, address=_address_of(call), now=call.now
        )
    if isinstance(outcome, GatekeeperError):
        raise outcome
    return answer_json(render_token_answer(outcome), headers={**NO_STORE, "pragma": "no-cache"})


async def revocation(call: ProvenCall) -> Response:
    """Answer RFC 7009 §2.2: 200 also for a token that is unknown."""
    form = await read_form(call.request)
    with call.service.store.write() as tx:
        refusal = revoke(tx, form, proof=call.proof, now=call.now)
    if refusal is not None:
        raise refusal
    return Response(status_code=200, headers=NO_STORE)


def _address_of(call: ProvenCall) -> str:
    client = call.request.client
    return client.host if client is not None else ""
