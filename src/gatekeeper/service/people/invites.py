"""Invitations: one-time codes that sign a device, or a browser at the console, in without an identity provider.

A code has 80 random bits, so a plain digest keeps it; it works once, until it expires. The same device key
may redeem it again for ten minutes, because the first answer may have been lost. Wrong, used and expired
codes take the same steps and get the same words, so that nothing is learnt by guessing. Limiting guesses
is left to the token endpoint, and so is the audit entry.
"""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import Connection, delete, insert, select, update

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.devices import ACTIVE, Device, device_of_key, enrol
from gatekeeper.service.people.subjects import PERSON, Subject, get_subject
from gatekeeper.service.store.tables.people import invites

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U
_SPOKEN = str.maketrans("OIL", "011", " -\t\r\n")
DEVICE = "device"
CONSOLE = "console"
_REPEAT_FOR = 600
_KEEP_FOR = 30 * 86_400


def create_invite(
    tx: Connection, *, subject: Subject, purpose: str = DEVICE, expires_at: int, now: int
) -> str:
    """Make a one-time code for `subject` (`K7QF-M2XD-9HTR-4WPN`). Only its digest is kept: print it now or never.

    `purpose` is what it signs in: a device, or a browser at the console. It serves for nothing else.
    """
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    tx.execute(
        insert(invites).values(
            code_hash=_digest(letters),
            subject=subject.id,
            purpose=purpose,
            created_at=now,
            expires_at=expires_at,
        )
    )
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))


def redeem_invite(tx: Connection, *, code: str, jkt: str, device_name: str, now: int) -> Device:
    """Enrol the device whose key proved itself (`jkt`), for the subject of a hostile, perhaps guessed, `code`.

    Raises:
        GatekeeperError: GK203, the code is used, expired or wrong, or the key is another
            subject's; GK202, the key was revoked; GK100, the device name can't be one.
    """
    digest = _digest(code)
    invite = tx.execute(select(invites).where(invites.c.code_hash == digest)).one_or_none()
    known = device_of_key(tx, jkt)
    if invite is None or invite.purpose != DEVICE:
        raise _wrong()
    if invite.redeemed_at is not None:
        in_time = now - invite.redeemed_at <= _REPEAT_FOR
        if known is not None and known.id == invite.device and known.state == ACTIVE and in_time:
            return known
        raise _wrong()
    subject = get_subject(tx, invite.subject)
    if now >= invite.expires_at or not subject.active:
        raise _wrong()
    device = enrol(tx, subject=subject, name=device_name, jkt=jkt, now=now)
    taken = tx.execute(
        update(invites)
        .where(invites.c.code_hash == digest, invites.c.redeemed_at.is_(None))
        .values(redeemed_at=now, device=device.id)
    )
    if taken.rowcount != 1:
        raise _wrong()
    return device


def redeem_console_invite(tx: Connection, *, code: str, now: int) -> Subject:
    """Use up a hostile, perhaps guessed, code for the console; return whose it is.

    Raises:
        GatekeeperError: GK203, the code is used, expired, wrong or for a device.
    """
    digest = _digest(code)
    invite = tx.execute(select(invites).where(invites.c.code_hash == digest)).one_or_none()
    if invite is None or invite.purpose != CONSOLE or now >= invite.expires_at:
        raise _wrong()
    subject = get_subject(tx, invite.subject)
    unused = (invites.c.code_hash == digest) & invites.c.redeemed_at.is_(None)
    if not subject.active or subject.kind != PERSON:
        raise _wrong()
    if tx.execute(update(invites).where(unused).values(redeemed_at=now)).rowcount != 1:
        raise _wrong()
    return subject


def sweep_invites(tx: Connection, now: int) -> int:
    """Forget codes that ended 30 days ago; return how many."""
    return tx.execute(delete(invites).where(invites.c.expires_at <= now - _KEEP_FOR)).rowcount


def _digest(code: str) -> str:
    """Digest a code as people type it: any case, with or without dashes, O for 0 and I or L for 1."""
    letters = code[:64].upper().translate(_SPOKEN)
    return hashlib.sha256(letters.encode("utf-8", "surrogatepass")).hexdigest()


def _wrong() -> GatekeeperError:
    return GatekeeperError("GK203", "The code is used, expired or wrong.")
