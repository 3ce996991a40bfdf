"""The grant types `authorization_code` (RFC 6749 §4.1.3) and `device_code` (RFC 8628 §3.4): a browser said yes.

Both enrol the device whose key was proved, which is the key that the person was asked about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.api import TokenAnswer
from gatekeeper.documents.launch_token import CLIENT_ID
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import record
from gatekeeper.service.oauth.nonces import remember_proof
from gatekeeper.service.people.authorizations import ask_for_device, poll
from gatekeeper.service.people.authorizations import redeem as redeem_authorization
from gatekeeper.service.people.sessions import ACCESS_FOR, issue_access, issue_refresh

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from gatekeeper.service.people.devices import Device
    from gatekeeper.service.people.subjects import Subject
    from gatekeeper.trust.dpop import Proof

GRANT_TYPE = "authorization_code"
DEVICE_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"


def redeem(tx: Connection, *, code: str, redirect_uri: str, verifier: str, jkt: str, now: int) -> TokenAnswer:
    """Enrol the device whose key `jkt` was proved, with a hostile code.

    Raises:
        GatekeeperError: GK203, GK202, as `people.authorizations.redeem`.
    """
    subject, device = redeem_authorization(
        tx, code=code, redirect_uri=redirect_uri, verifier=verifier, jkt=jkt, now=now
    )
    return _enrolled(tx, subject, device, method="browser", now=now)


def ask_for_sign_in(
    tx: Connection, form: Mapping[str, str], *, proof: Proof, address: str, now: int
) -> tuple[str, str] | GatekeeperError:
    """Begin a device authorization for the key that was proved; return the two codes, or a refusal of the form.

    Commit the transaction whatever is returned: the proof stays used up.
    """
    if not remember_proof(tx, jkt=proof.jkt, jti=proof.jti, now=now):
        return GatekeeperError(
            "GK604", "The DPoP proof was used before.", facts={"error": "invalid_dpop_proof"}
        )
    if form.get("client_id") != CLIENT_ID:
        return GatekeeperError("GK604", "The client is not known.", facts={"error": "invalid_client"})
    try:
        return ask_for_device(
            tx, jkt=proof.jkt, device_name=form.get("device_name", ""), address=address, now=now
        )
    except GatekeeperError as refusal:
        return refusal


def redeem_device(tx: Connection, *, device_code: str, jkt: str, now: int) -> TokenAnswer | GatekeeperError:
    """Enrol the device once somebody allowed it. A refusal is returned, because the poll counts.

    Raises:
        GatekeeperError: GK202, the key was revoked.
    """
    outcome = poll(tx, device_code=device_code, jkt=jkt, now=now)
    if isinstance(outcome, GatekeeperError):
        return outcome
    return _enrolled(tx, *outcome, method="device-code", now=now)


def _enrolled(tx: Connection, subject: Subject, device: Device, *, method: str, now: int) -> TokenAnswer:
    record(
        tx,
        at=now,
        actor=subject.id,
        act="device.enrolled" if device.enrolled_at == now else "device.signed_in",
        object=device.id,
        detail={"method": method},
    )
    return TokenAnswer(
        access_token=issue_access(tx, device=device, now=now),
        token_type="DPoP",  # noqa: S106 - RFC 9449's word
        expires_in=ACCESS_FOR,
        refresh_token=issue_refresh(tx, device=device, now=now),
        subject=subject.id,
        name=subject.name,
        device=device.id,
    )
