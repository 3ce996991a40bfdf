"""Authorizations of a workstation by somebody who is signed in at the console.

Two ways: a code that a browser brings back (RFC 6749 §4.1; once, for 60 seconds, for one redirect address, one PKCE
verifier and one device key), and a code that is typed in (RFC 8628; for ten minutes). Both are bound to the device's
key from the start, so that whoever sees a code can do nothing with it. Codes are kept as digests. Whoever calls
records the act.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, insert, select, update

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.devices import Device, enrol
from gatekeeper.service.people.names import check_name
from gatekeeper.service.people.subjects import Subject, get_subject
from gatekeeper.service.store.tables.sign_ins import authorizations, console_sessions, device_authorizations
from gatekeeper.strict import b64url_encode
from gatekeeper.values import Value

if TYPE_CHECKING:
    from gatekeeper.service.people.console_sessions import ConsoleSession

CODE_FOR = 60
DEVICE_CODE_FOR = 600
POLL_AFTER = 5
MAX_POLL_AFTER = 60
_KEEP_FOR = 3_600
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 §6.1: no vowels, so no words; 20^8 of them
_PENDING, _ALLOWED, _REFUSED, _REDEEMED = "pending", "allowed", "refused", "redeemed"


class Wish(Value):
    """What a workstation asks for: to sign `device_name`, whose key's thumbprint is `jkt`, in."""

    redirect_uri: str
    challenge: str
    jkt: str
    device_name: str


class Polled(Value):
    """A device code that somebody is asked about: from where, for which device. `user_code` is as it was shown there."""

    user_code: str
    device_name: str
    jkt: str
    address: str
    created_at: int


def allow(tx: Connection, wish: Wish, *, session: ConsoleSession, now: int) -> str:
    """Authorize a workstation for the person of a session; return the code.

    Raises:
        GatekeeperError: GK100, the device's name can't be one.
    """
    check_name(wish.device_name, what="device name", max_chars=128)
    code = "gkc_" + secrets.token_urlsafe(32)
    tx.execute(
        insert(authorizations).values(
            code_hash=_digest(code),
            subject=session.subject.id,
            session=session.id,
            redirect_uri=wish.redirect_uri,
            challenge=wish.challenge,
            jkt=wish.jkt,
            device_name=wish.device_name,
            created_at=now,
            expires_at=now + CODE_FOR,
        )
    )
    return code


def redeem(
    tx: Connection, *, code: str, redirect_uri: str, verifier: str, jkt: str, now: int
) -> tuple[Subject, Device]:
    """Use up a hostile code and enrol the device whose key `jkt` was proved.

    The session in which it was allowed must still stand: whoever signs out at once meant it.

    Raises:
        GatekeeperError: GK203, the code is used, expired, wrong, or for another key, verifier or address; GK202,
            the key was revoked.
    """
    row = tx.execute(select(authorizations).where(authorizations.c.code_hash == _digest(code))).one_or_none()
    if row is None:
        raise _wrong()
    challenge = b64url_encode(hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest())
    bound = (
        hmac.compare_digest(row.challenge, challenge)
        and hmac.compare_digest(row.jkt.encode(), jkt.encode())
        and row.redirect_uri == redirect_uri
    )
    if not bound:
        raise _wrong()
    unused = (authorizations.c.code_hash == row.code_hash) & authorizations.c.redeemed_at.is_(None)
    if (
        now >= row.expires_at
        or tx.execute(update(authorizations).where(unused).values(redeemed_at=now)).rowcount != 1
    ):
        raise _wrong()
    ended = select(console_sessions.c.ended_at).where(console_sessions.c.id == row.session)
    subject = get_subject(tx, row.subject)
    if not subject.active or tx.execute(ended).scalar_one_or_none() is not None:
        raise _wrong()
    device = enrol(tx, subject=subject, name=row.device_name, jkt=jkt, now=now)
    tx.execute(
        update(authorizations).where(authorizations.c.code_hash == row.code_hash).values(device=device.id)
    )
    return subject, device


def ask_for_device(tx: Connection, *, jkt: str, device_name: str, address: str, now: int) -> tuple[str, str]:
    """Begin a device authorization (RFC 8628 §3.2); return the device's code and the one to type.

    Raises:
        GatekeeperError: GK100, the device's name can't be one.
    """
    check_name(device_name, what="device name", max_chars=128)
    device_code = "gkd_" + secrets.token_urlsafe(32)
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    tx.execute(
        insert(device_authorizations).values(
            device_code_hash=_digest(device_code),
            user_code_hash=_digest(letters),
            jkt=jkt,
            device_name=device_name,
            address=address[:64],
            state=_PENDING,
            created_at=now,
            expires_at=now + DEVICE_CODE_FOR,
            polled_at=0,
            poll_after=POLL_AFTER,
        )
    )
    return device_code, _shown(letters)


def find_asked(tx: Connection, user_code: str, *, now: int) -> Polled:
    """Return what a hostile, perhaps guessed, typed code asks for.

    Raises:
        GatekeeperError: GK203, there is no such code, or it is decided or over.
    """
    letters = _letters(user_code)
    row = tx.execute(
        select(device_authorizations).where(device_authorizations.c.user_code_hash == _digest(letters))
    ).one_or_none()
    if row is None or row.state != _PENDING or now >= row.expires_at:
        raise _wrong()
    return Polled(
        user_code=_shown(letters),
        device_name=row.device_name,
        jkt=row.jkt,
        address=row.address,
        created_at=row.created_at,
    )


def decide_asked(tx: Connection, user_code: str, *, subject: Subject, allowed: bool, now: int) -> Polled:
    """Allow or refuse what a typed code asks for. Raises `GatekeeperError` GK203 as `find_asked`."""
    asked = find_asked(tx, user_code, now=now)
    waiting = (device_authorizations.c.user_code_hash == _digest(_letters(user_code))) & (
        device_authorizations.c.state == _PENDING
    )
    state = _ALLOWED if allowed else _REFUSED
    if (
        tx.execute(
            update(device_authorizations).where(waiting).values(state=state, subject=subject.id)
        ).rowcount
        != 1
    ):
        raise _wrong()
    return asked


def poll(tx: Connection, *, device_code: str, jkt: str, now: int) -> tuple[Subject, Device] | GatekeeperError:
    """Ask about a hostile device code (RFC 8628 §3.4); the device is enrolled once it is allowed.

    A refusal is returned, not raised, because the poll counts. `authorization_pending` and `slow_down` are GK208.

    Raises:
        GatekeeperError: GK202, the key was revoked.
    """
    row = tx.execute(
        select(device_authorizations).where(device_authorizations.c.device_code_hash == _digest(device_code))
    ).one_or_none()
    if row is None or not hmac.compare_digest(row.jkt.encode(), jkt.encode()) or row.state == _REDEEMED:
        return _wrong()
    if now >= row.expires_at:
        return GatekeeperError("GK203", "The code has expired.", facts={"error": "expired_token"})
    if row.state == _REFUSED:
        return GatekeeperError("GK207", "The sign-in was refused in the browser.")
    this = device_authorizations.c.device_code_hash == row.device_code_hash
    if row.state == _PENDING:
        hasty = now - row.polled_at < row.poll_after
        wait = min(row.poll_after + POLL_AFTER, MAX_POLL_AFTER) if hasty else row.poll_after
        tx.execute(update(device_authorizations).where(this).values(polled_at=now, poll_after=wait))
        return GatekeeperError(
            "GK208",
            "Nobody has confirmed the sign-in yet.",
            facts={"error": "slow_down" if hasty else "authorization_pending", "retry_after": wait},
        )
    allowed = this & (device_authorizations.c.state == _ALLOWED)
    if tx.execute(update(device_authorizations).where(allowed).values(state=_REDEEMED)).rowcount != 1:
        return _wrong()
    subject = get_subject(tx, row.subject)
    if not subject.active:
        return _wrong()
    device = enrol(tx, subject=subject, name=row.device_name, jkt=jkt, now=now)
    tx.execute(update(device_authorizations).where(this).values(device=device.id))
    return subject, device


def sweep_authorizations(tx: Connection, now: int) -> int:
    """Forget what ended an hour ago; return how many."""
    over = now - _KEEP_FOR
    gone = tx.execute(delete(authorizations).where(authorizations.c.expires_at <= over)).rowcount
    return (
        gone
        + tx.execute(delete(device_authorizations).where(device_authorizations.c.expires_at <= over)).rowcount
    )


def _shown(letters: str) -> str:
    return f"{letters[:4]}-{letters[4:]}"


def _letters(user_code: str) -> str:
    """Return a typed code as it was made: any case, with or without the dash."""
    return "".join(c for c in user_code[:32].upper() if c in _LETTERS)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _wrong() -> GatekeeperError:
    return GatekeeperError("GK203", "The code is used, expired or wrong.", remedy="gatekeeper login")
