"""Who calls: DPoP proofs (RFC 9449), server nonces, access tokens. The narrowest way is the default.

`Auth` names what an operation demands; the one table in `routes` says which demands what. A call that
carries a credential always carries a proof, for this method and address, with a nonce of ours, once.
The address is the issuer's: no header of the call has a say in it.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.oauth.nonces import is_current, remember_proof
from gatekeeper.service.oauth.token import note_wrong_key, replayed
from gatekeeper.service.people.devices import touch_device
from gatekeeper.service.people.scim_settings import is_token, token_of
from gatekeeper.service.people.sessions import use_access
from gatekeeper.service.web.bodies import one_header
from gatekeeper.service.web.calls import Call, ProvenCall, SignedInCall
from gatekeeper.service.web.problems import HttpFault
from gatekeeper.trust.dpop import DpopError, Proof, verify_proof

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gatekeeper.service.people.devices import Device
    from gatekeeper.service.people.subjects import Subject

_SCHEME = "dpop "


class Auth(Enum):
    """What an operation demands of its caller."""

    PUBLIC = "nothing: what is signed, or says nothing of anyone"
    PROOF = "a DPoP proof: the call brings its own credential"
    DEVICE = "a DPoP-bound access token of an enrolled device"
    SESSION = "the cookie of a console session; with a form, its token and our own origin"
    SCIM = "the bearer token of the directory's provisioning client"


def prove(call: Call, *, access_token: str = "") -> ProvenCall:
    """Check the proof of a hostile call (RFC 9449 §4.3), but for its `jti`, which the store knows.

    Raises:
        GatekeeperError: GK604 with the fact `error`: `invalid_dpop_proof`, or `use_dpop_nonce` where the proof
            holds and its nonce is missing, old or not ours.
    """
    request, service = call.request, call.service
    header = one_header(request, "dpop")
    if not header:
        raise _bad_proof("There is no DPoP proof.")
    raw_path = request.scope.get("raw_path") or request.url.path.encode("utf-8")
    url = service.issuer + raw_path.decode("latin-1").split("?", 1)[0]
    try:
        proof = verify_proof(header, method=request.method, url=url, access_token=access_token)
    except DpopError as error:
        raise _bad_proof(error.detail) from error
    if not is_current(service.nonce_secret, proof.nonce, now=call.now):
        raise GatekeeperError(
            "GK604", "The DPoP proof needs the nonce of this answer.", facts={"error": "use_dpop_nonce"}
        )
    return ProvenCall(service=service, request=request, now=call.now, proof=proof)


async def sign_in(call: Call) -> SignedInCall:
    """Check access token and proof of a hostile call (RFC 9449 §7.1).

    Raises:
        GatekeeperError: GK201 no valid sign-in, GK202 revoked device, GK604 as `prove` and for a used `jti`.
    """
    token = _access_token(call)
    proof = prove(call, access_token=token).proof
    outcome = await call.service.turns.write(lambda tx: _use(tx, call, token, proof))
    if isinstance(outcome, GatekeeperError):
        raise outcome
    subject, device = outcome
    return SignedInCall(
        service=call.service, request=call.request, now=call.now, subject=subject, device=device
    )


def provision(call: Call) -> Call:
    """Check the bearer token of a hostile call of the directory's client (RFC 7644 §2).

    Raises:
        HttpFault: 404, nothing is provisioned here; 401, not one of the tokens.
        GatekeeperError: GK101, the tokens can't be read: a bug's answer, and the log tells more.
    """
    settings = call.service.scim
    if settings is None:
        raise HttpFault(404, "There is nothing at this address: service.toml has no [scim].")
    given = token_of(one_header(call.request, "authorization"))
    if not given or not is_token(given, settings):
        raise HttpFault(
            401, "The bearer token is not this service's.", headers={"www-authenticate": "Bearer"}
        )
    return call


def _use(tx: Connection, call: Call, token: str, proof: Proof) -> tuple[Subject, Device] | GatekeeperError:
    """Use up the proof and look the token up. A refusal is returned, so that the proof stays used up."""
    if not remember_proof(tx, jkt=proof.jkt, jti=proof.jti, now=call.now):
        return replayed()
    try:
        subject, device = use_access(tx, token, jkt=proof.jkt, now=call.now)
    except GatekeeperError as refusal:
        note_wrong_key(tx, refusal, token="access", now=call.now)  # noqa: S106 - the record's word
        return refusal
    touch_device(tx, device, call.now)
    return subject, device


def _access_token(call: Call) -> str:
    header = one_header(call.request, "authorization")
    if header[: len(_SCHEME)].lower() != _SCHEME or not header.isascii():
        raise GatekeeperError("GK201", "There is no access token of the scheme DPoP.")
    return header[len(_SCHEME) :].strip()


def _bad_proof(detail: str) -> GatekeeperError:
    return GatekeeperError("GK604", detail, facts={"error": "invalid_dpop_proof"})
