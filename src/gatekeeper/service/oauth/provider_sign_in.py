"""A sign-in that the identity provider vouches for becomes a console session; its logout ends sessions.

What came from the provider is verified before; here it is one transaction: the account's subject, the session, the
audit entry. Whoever is signed in already and proves anew to be themselves keeps their session, with the new time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import record
from gatekeeper.service.oauth.nonces import remember_proof
from gatekeeper.service.people.console_sessions import (
    OIDC,
    end_session,
    end_sessions_at_provider,
    find_session,
    renew_session,
    start_session,
)
from gatekeeper.service.people.provider_accounts import link_account, subject_of_account
from gatekeeper.service.people.provider_tokens import not_accepted

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from gatekeeper.service.people.console_sessions import ConsoleSession
    from gatekeeper.service.people.provider_accounts import Person
    from gatekeeper.service.people.provider_tokens import SignedIn, SignedOut


def enter(
    tx: Connection,
    person: Person,
    signed_in: SignedIn,
    *,
    issuer: str,
    cookie: str,
    random_bytes: Callable[[int], bytes],
    now: int,
) -> str:
    """Begin a session, or renew the one of the hostile `cookie`; return the cookie's value that counts now.

    Raises:
        GatekeeperError: GK207, the account is linked to nobody who may sign in.
    """
    subject, is_new = link_account(tx, person, issuer=issuer, now=now)
    if not subject.active:
        raise not_accepted(f"{subject.name} was deactivated", remedy="Ask IT.")
    if is_new:
        detail = {"issuer": issuer}
        record(tx, at=now, actor=subject.id, act="account.linked", object=subject.id, detail=detail)
    proved = {"method": OIDC, "auth_time": signed_in.auth_time}
    standing = _session(tx, cookie, now)
    if standing is not None and standing.subject.id == subject.id:
        renew_session(tx, standing, method=OIDC, auth_time=signed_in.auth_time, provider_sid=signed_in.sid)
        record(tx, at=now, actor=subject.id, act="session.renewed", object=standing.id, detail=proved)
        return cookie
    if standing is not None:
        end_session(tx, cookie, now)
        record(
            tx,
            at=now,
            actor=standing.subject.id,
            act="session.ended",
            object=standing.id,
            detail={"by": subject.id},
        )
    cookie, session = start_session(
        tx,
        subject=subject,
        method=OIDC,
        auth_time=signed_in.auth_time,
        provider_sid=signed_in.sid,
        now=now,
        random_bytes=random_bytes,
    )
    record(tx, at=now, actor=subject.id, act="session.started", object=session.id, detail=proved)
    return cookie


def note_refused(tx: Connection, refusal: GatekeeperError, *, issuer: str, now: int) -> None:
    """Record that a sign-in, begun here, was refused on its way back. The words name nobody who isn't known."""
    detail = {"code": refusal.code, "issuer": issuer}
    record(tx, at=now, actor="unknown", act="session.refused", object="", detail=detail)


def leave(tx: Connection, signed_out: SignedOut, *, issuer: str, now: int) -> int:
    """End the sessions that the provider logged out (Back-Channel Logout §2.7); return how many stood.

    Raises:
        GatekeeperError: GK207, the token was used before.
    """
    if not remember_proof(tx, jkt=f"logout {issuer}", jti=signed_out.jti, now=now):
        raise not_accepted("the logout token was used before")
    subject = ""
    if signed_out.account:
        subject = subject_of_account(tx, issuer=issuer, account=signed_out.account)
        if not subject:
            return 0
    ended = end_sessions_at_provider(tx, sid=signed_out.sid, subject_id=subject, now=now)
    detail = {"sessions": ended, "issuer": issuer}
    record(tx, at=now, actor="provider", act="session.logged_out", object=subject, detail=detail)
    return ended


def _session(tx: Connection, cookie: str, now: int) -> ConsoleSession | None:
    if not cookie:
        return None
    try:
        return find_session(tx, cookie, now=now)
    except GatekeeperError:
        return None
