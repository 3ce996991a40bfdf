"""The grant type `urn:gatekeeper:grant-type:invite`: a one-time code and the first proof enrol a device.

Wrong codes are counted and limited (`attempts`); a right one is redeemed all the same, short of a flood, because
one who guesses must not lock out everybody behind the same address. A code that was used, one that has ended
and one that never was take the same steps to the same answer and the same count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.api import TokenAnswer
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import record
from gatekeeper.service.oauth.attempts import check_attempts, check_flood
from gatekeeper.service.people.invites import redeem_invite
from gatekeeper.service.people.sessions import ACCESS_FOR, issue_access, issue_refresh
from gatekeeper.service.people.subjects import get_subject

if TYPE_CHECKING:
    from sqlalchemy import Connection

GRANT_TYPE = "urn:gatekeeper:grant-type:invite"


def redeem(tx: Connection, *, code: str, device_name: str, jkt: str, address: str, now: int) -> TokenAnswer:
    """Enrol the device whose key `jkt` was proved, and sign it in. `code` and `device_name` are hostile.

    Raises:
        GatekeeperError: GK203, a wrong code (the caller counts it); GK206, one too many; GK202, a revoked
            device key; GK100, an impossible device name.
    """
    check_flood(tx, address=address, now=now)
    try:
        device = redeem_invite(tx, code=code, jkt=jkt, device_name=device_name, now=now)
    except GatekeeperError as refusal:
        if refusal.code == "GK203":
            check_attempts(tx, address=address, now=now)
        raise
    subject = get_subject(tx, device.subject)
    record(
        tx,
        at=now,
        actor=subject.id,
        act="device.enrolled" if device.enrolled_at == now else "device.signed_in",
        object=device.id,
        detail={"method": "invite"},
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
