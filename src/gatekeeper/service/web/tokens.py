"""`/oauth/token` and `/oauth/revoke` as HTTP; who may have what is decided in `oauth`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from gatekeeper.documents.api import render_token_answer
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.oauth.code import ask_for_sign_in
from gatekeeper.service.oauth.exchange import GRANT_TYPE as EXCHANGE
from gatekeeper.service.oauth.exchange import NO_PLATFORMS, Platforms
from gatekeeper.service.oauth.revoke import revoke
from gatekeeper.service.oauth.token import answer
from gatekeeper.service.people.authorizations import DEVICE_CODE_FOR, POLL_AFTER
from gatekeeper.service.web.answers import NO_STORE, answer_json
from gatekeeper.service.web.bodies import read_form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatekeeper.service.web.calls import ProvenCall


async def token(call: ProvenCall) -> Response:
    """Answer RFC 6749 §5.1. Raises `GatekeeperError`, which is answered as §5.2."""
    form = await read_form(call.request)
    service = call.service
    # Before the transaction: a platform that is slow to give its keys must not hold the write lock.
    platforms = await _platforms(call, form)
    outcome = await service.turns.write(
        lambda tx: answer(
            tx,
            service.authority,
            form,
            proof=call.proof,
            address=_address_of(call),
            platforms=platforms,
            now=call.now,
        )
    )
    if isinstance(outcome, GatekeeperError):
        raise outcome
    if service.newest is not None:
        outcome = outcome.replace(checkpoint=service.newest.note(now=call.now))
    return answer_json(render_token_answer(outcome), headers={**NO_STORE, "pragma": "no-cache"})


async def device_authorization(call: ProvenCall) -> Response:
    """Answer RFC 8628 §3.2. Raises `GatekeeperError` GK207 where the organisation doesn't sign devices in so."""
    form = await read_form(call.request)
    provider = call.service.provider
    if provider is None or not provider.settings.device_grant:
        raise GatekeeperError(
            "GK207",
            "This organisation signs no device in by a typed code.",
            remedy="gatekeeper login",
            facts={"error": "unauthorized_client"},
        )
    address = _address_of(call)
    outcome = await call.service.turns.write(
        lambda tx: ask_for_sign_in(tx, form, proof=call.proof, address=address, now=call.now)
    )
    if isinstance(outcome, GatekeeperError):
        raise outcome
    device_code, user_code = outcome
    page = f"{call.service.issuer}/sign-in/device"
    members: dict[str, object] = {
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "expires_in": DEVICE_CODE_FOR,
        "interval": POLL_AFTER,
    }
    return answer_json(members, headers=NO_STORE)


async def revocation(call: ProvenCall) -> Response:
    """Answer RFC 7009 §2.2: 200 also for a token that is unknown."""
    form = await read_form(call.request)
    refusal = await call.service.turns.write(lambda tx: revoke(tx, form, proof=call.proof, now=call.now))
    if refusal is not None:
        raise refusal
    return Response(status_code=200, headers=NO_STORE)


async def _platforms(call: ProvenCall, form: Mapping[str, str]) -> Platforms:
    workload_keys = call.service.workload_keys
    if workload_keys is None or form.get("grant_type") != EXCHANGE:
        return NO_PLATFORMS
    keys = await workload_keys.keys_for(form.get("subject_token", ""), now=call.now)
    return Platforms(issuers=workload_keys.issuers, keys=keys)


def _address_of(call: ProvenCall) -> str:
    client = call.request.client
    return client.host if client is not None else ""
