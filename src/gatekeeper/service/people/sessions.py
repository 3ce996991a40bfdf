"""Sign-ins of devices: refresh tokens (14 days idle, 90 days at most) and access tokens (10 minutes).

Both are opaque, stored as digests, and work only with the key of their device: whoever calls has verified
the proof of possession and passes the thumbprint of its key. Refresh tokens are not rotated (RFC 9700
§2.2.2 asks for binding or rotation; a lost answer to a rotation signs honest people out).
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, bindparam, delete, insert, select, update

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.devices import ACTIVE, EPHEMERAL, Device, end_sign_ins, touch_device
from gatekeeper.service.people.subjects import Subject, subject_of_row
from gatekeeper.service.store.tables.people import access_tokens, devices, refresh_tokens, subjects

REFRESH_IDLE_FOR = 14 * 86_400
REFRESH_FOR = 90 * 86_400
ACCESS_FOR = 600
_USED_GRAIN = 60


def _find(table: Table) -> Select[Any]:
    """Read token, device and subject in one statement; their columns get the names that the readers use."""
    token_columns = [c.label(f"token_{c.name}") for c in table.c if c.name not in {"token_hash", "device"}]
    device_columns = [c.label(f"device_{c.name}") for c in devices.c]
    return (
        select(*token_columns, *device_columns, subjects)
        .select_from(
            table.join(devices, devices.c.id == table.c.device).join(
                subjects, subjects.c.id == devices.c.subject
            )
        )
        .where(table.c.token_hash == bindparam("digest"))
    )


# Built once, as every call asks: building a statement costs more than running it.
_find_refresh, _find_access = _find(refresh_tokens), _find(access_tokens)
_use = (
    update(refresh_tokens)
    .where(refresh_tokens.c.token_hash == bindparam("digest"), refresh_tokens.c.used_at < bindparam("now"))
    .values(used_at=bindparam("now"))
)


class WrongKey(GatekeeperError):
    """A valid token came with another device's key: refused as signed out, and worth an audit entry.

    The raise rolls the caller's transaction back, so the entry belongs in one of its own.
    """

    def __init__(self, device_id: str) -> None:
        super().__init__("GK201", "The sign-in is not this device's.")
        self.device = device_id


def issue_refresh(tx: Connection, *, device: Device, now: int) -> str:
    """Make a refresh token for a device. Only its digest is kept."""
    token = "gkr_" + secrets.token_urlsafe(32)
    tx.execute(
        insert(refresh_tokens).values(
            token_hash=_digest(token),
            device=device.id,
            created_at=now,
            used_at=now,
            expires_at=now + REFRESH_FOR,
        )
    )
    return token


def use_refresh(tx: Connection, token: str, *, jkt: str, now: int) -> tuple[Subject, Device]:
    """Return who calls with a hostile refresh `token`, given the thumbprint of the key that was proved.

    Raises:
        GatekeeperError: GK201, unknown, ended or idle; GK202, the device was revoked.
        WrongKey: GK201, the token is another device's.
    """
    row = _row_of(tx, _find_refresh, token)
    subject, device = _bound(row, jkt)
    ended = row.token_revoked_at is not None or now >= row.token_expires_at
    if ended or now - row.token_used_at >= REFRESH_IDLE_FOR:
        raise _signed_out()
    # Written at most once a minute, so that a renewal stays cheap.
    if row.token_used_at <= now - _USED_GRAIN:
        tx.execute(_use, {"digest": _digest(token), "now": now})
    touch_device(tx, device, now)
    return subject, device


def issue_access(tx: Connection, *, device: Device, now: int) -> str:
    """Make an access token for a device. Only its digest is kept."""
    token = "gka_" + secrets.token_urlsafe(32)
    tx.execute(
        insert(access_tokens).values(token_hash=_digest(token), device=device.id, expires_at=now + ACCESS_FOR)
    )
    return token


def use_access(tx: Connection, token: str, *, jkt: str, now: int) -> tuple[Subject, Device]:
    """Return who calls with a hostile access `token`, given the thumbprint of the key that was proved.

    Raises:
        GatekeeperError: GK201, unknown or ended; GK202, the device was revoked.
        WrongKey: GK201, the token is another device's.
    """
    row = _row_of(tx, _find_access, token)
    subject, device = _bound(row, jkt)
    if now >= row.token_expires_at:
        raise _signed_out()
    return subject, device


def revoke_token(tx: Connection, token: str, *, jkt: str, now: int) -> None:
    """End a sign-in (RFC 7009): its device's refresh and access tokens. What is no such token is no error (§2.2)."""
    for find in (_find_refresh, _find_access):
        try:
            row = _row_of(tx, find, token)
        except GatekeeperError:
            continue
        if row.device_jkt == jkt:
            end_sign_ins(tx, row.device_id, now=now)


def sweep_tokens(tx: Connection, now: int) -> int:
    """Forget tokens that ended: access tokens at once, refresh tokens after their longest life. Return how many."""
    gone = tx.execute(delete(access_tokens).where(access_tokens.c.expires_at <= now)).rowcount
    return gone + tx.execute(delete(refresh_tokens).where(refresh_tokens.c.expires_at <= now)).rowcount


def _row_of(tx: Connection, find: Select[Any], token: str) -> Row[Any]:
    row = tx.execute(find, {"digest": _digest(token)}).one_or_none()
    if row is None:
        raise _signed_out()
    return row


def _bound(row: Row[Any], jkt: str) -> tuple[Subject, Device]:
    """Check, in this order, what says the least to whoever holds a stolen token: key, device, subject."""
    if row.device_jkt != jkt:
        raise WrongKey(row.device_id)
    if row.device_state not in (ACTIVE, EPHEMERAL):
        raise GatekeeperError("GK202", "The enrolment of this device was revoked.")
    subject = subject_of_row(row)
    if not subject.active:
        raise _signed_out()
    device = Device(
        id=row.device_id,
        subject=row.device_subject,
        name=row.device_name,
        jkt=row.device_jkt,
        state=row.device_state,
        enrolled_at=row.device_enrolled_at,
        seen_at=row.device_seen_at,
    )
    return subject, device


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _signed_out() -> GatekeeperError:
    return GatekeeperError("GK201", "There is no valid sign-in for this device.")
