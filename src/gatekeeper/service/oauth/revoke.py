"""Token revocation (RFC 7009), which is how a workstation signs out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import record
from gatekeeper.service.oauth.nonces import remember_proof
from gatekeeper.service.oauth.token import check_client, replayed, required
from gatekeeper.service.people.devices import device_of_key
from gatekeeper.service.people.sessions import revoke_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from gatekeeper.trust.dpop import Proof


def revoke(tx: Connection, form: Mapping[str, str], *, proof: Proof, now: int) -> GatekeeperError | None:
    """End the sign-in of the token in a hostile form, if it is of the key that was proved.

    An unknown token is a success (§2.2). Returns a refusal; commit the transaction whatever is returned.
    """
    if not remember_proof(tx, jkt=proof.jkt, jti=proof.jti, now=now):
        return replayed()
    try:
        check_client(form)
        token = required(form, "token")
    except GatekeeperError as refusal:
        return refusal
    device = device_of_key(tx, proof.jkt)
    if device is not None:
        revoke_token(tx, token, jkt=proof.jkt, now=now)
        record(tx, at=now, actor=device.id, act="device.signed_out", object=device.id, detail={})
    return None
