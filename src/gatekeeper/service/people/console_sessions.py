"""Sessions at the console: a cookie, kept as its digest, for one person in one browser.

A session ends 12 hours after it began, or 2 hours after its last use. It says how the person signed in and when
they last proved to be themselves (`auth_time`, 0 where the provider doesn't say), which is what a step-up asks
for. The token against forged forms is derived from the cookie, so that knowing one page of one session is of no
use in another, and nothing more is kept. Whoever calls records the act.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Literal

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, or_, select, update

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.subjects import Subject, get_subject
from gatekeeper.service.store.tables.sign_ins import console_sessions
from gatekeeper.strict import b64url_encode
from gatekeeper.values import Value

Method = Literal["oidc", "invite", "passkey"]

OIDC: Method = "oidc"
INVITE: Method = "invite"
SESSION_FOR = 12 * 3_600
IDLE_FOR = 2 * 3_600
_USED_GRAIN = 60
_KEEP_FOR = 86_400
_COOKIE_BYTES = 32


class ConsoleSession(Value):
    """Somebody at the console. `csrf` goes into each form; `used_at` is exact to a minute."""

    id: str
    subject: Subject
    method: str
    auth_time: int
    created_at: int
    used_at: int
    expires_at: int
    csrf: str


def start_session(
    tx: Connection,
    *,
    subject: Subject,
    method: Method,
    auth_time: int,
    provider_sid: str,
    now: int,
    random_bytes: Callable[[int], bytes],
) -> tuple[str, ConsoleSession]:
    """Begin a session; return its cookie's value, which is kept nowhere, and the session.

    Raises:
        GatekeeperError: GK201, the subject is deactivated.
    """
    if not subject.active:
        raise _signed_out()
    cookie = b64url_encode(random_bytes(_COOKIE_BYTES))
    tx.execute(
        insert(console_sessions).values(
            id="s_" + secrets.token_hex(16),
            cookie_hash=_digest(cookie),
            subject=subject.id,
            method=method,
            auth_time=auth_time,
            provider_sid=provider_sid,
            created_at=now,
            used_at=now,
            expires_at=now + SESSION_FOR,
        )
    )
    return cookie, find_session(tx, cookie, now=now)


def find_session(tx: Connection, cookie: str, *, now: int) -> ConsoleSession:
    """Return the session of a hostile cookie value, without noting that it was used.

    Raises:
        GatekeeperError: GK201, there is none, it ended, or its subject is deactivated.
    """
    row = tx.execute(
        select(console_sessions).where(console_sessions.c.cookie_hash == _digest(cookie))
    ).one_or_none()
    if row is None or row.ended_at is not None or now >= row.expires_at or now - row.used_at >= IDLE_FOR:
        raise _signed_out()
    subject = get_subject(tx, row.subject)
    if not subject.active:
        raise _signed_out()
    return _typed(row, subject, cookie)


def is_due(session: ConsoleSession, *, now: int) -> bool:
    """Say whether the use should be noted: once a minute at most, so that looking around writes little."""
    return session.used_at <= now - _USED_GRAIN


def use_session(tx: Connection, cookie: str, *, now: int) -> ConsoleSession:
    """Return the session of a hostile cookie value and note that it was used. Raises `GatekeeperError` GK201."""
    session = find_session(tx, cookie, now=now)
    if not is_due(session, now=now):
        return session
    tx.execute(update(console_sessions).where(console_sessions.c.id == session.id).values(used_at=now))
    return session.replace(used_at=now)


def renew_session(
    tx: Connection, session: ConsoleSession, *, method: Method, auth_time: int, provider_sid: str
) -> None:
    """Note that the person of a session proved anew to be themselves. Its cookie and its end stay."""
    tx.execute(
        update(console_sessions)
        .where(console_sessions.c.id == session.id)
        .values(method=method, auth_time=auth_time, provider_sid=provider_sid)
    )


def end_session(tx: Connection, cookie: str, now: int) -> None:
    """End the session of a hostile cookie value, if it is one."""
    _end(tx, console_sessions.c.cookie_hash == _digest(cookie), now)


def end_sessions_of(tx: Connection, subject_id: str, now: int) -> int:
    """End every session of a subject; return how many stood."""
    return _end(tx, console_sessions.c.subject == subject_id, now)


def end_sessions_at_provider(tx: Connection, *, sid: str, subject_id: str, now: int) -> int:
    """End the sessions that began with the provider's session `sid`, else those of a subject; return how many stood.

    With both, the subject's of that session alone (OpenID Connect Back-Channel Logout 1.0 §2.7).
    """
    if not sid and not subject_id:
        return 0
    wanted = console_sessions.c.method == OIDC
    if sid:
        wanted &= console_sessions.c.provider_sid == sid
    if subject_id:
        wanted &= console_sessions.c.subject == subject_id
    return _end(tx, wanted, now)


def sweep_sessions(tx: Connection, now: int) -> int:
    """Forget sessions that ended a day ago; return how many."""
    over = or_(
        console_sessions.c.expires_at <= now - _KEEP_FOR, console_sessions.c.ended_at <= now - _KEEP_FOR
    )
    return tx.execute(delete(console_sessions).where(over)).rowcount


def _end(tx: Connection, wanted: ColumnElement[bool], now: int) -> int:
    standing = console_sessions.c.ended_at.is_(None)
    return tx.execute(
        update(console_sessions)
        .where(wanted, standing, console_sessions.c.expires_at > now)
        .values(ended_at=now)
    ).rowcount


def _typed(row: Row[tuple[object, ...]], subject: Subject, cookie: str) -> ConsoleSession:
    return ConsoleSession(
        id=row.id,
        subject=subject,
        method=row.method,
        auth_time=row.auth_time,
        created_at=row.created_at,
        used_at=row.used_at,
        expires_at=row.expires_at,
        csrf=csrf_of(cookie),
    )


def csrf_of(cookie: str) -> str:
    """Return the token that the forms of a session carry."""
    return b64url_encode(
        hashlib.sha256(f"gatekeeper csrf 1\0{cookie}".encode("utf-8", "surrogatepass")).digest()
    )


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()


def _signed_out() -> GatekeeperError:
    return GatekeeperError("GK201", "Nobody is signed in here.", remedy="Sign in at the console.")
