"""A one-time code on the console's sign-in page: the same codes, counts and limits as at the token endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import record
from gatekeeper.service.oauth.attempts import check_attempts, check_flood, count_attempt
from gatekeeper.service.people.console_sessions import INVITE, start_session
from gatekeeper.service.people.invites import redeem_console_invite

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection


def redeem_at_console(
    tx: Connection, *, code: str, address: str, random_bytes: Callable[[int], bytes], now: int
) -> str | GatekeeperError:
    """Begin a session with a hostile, perhaps guessed, code; return its cookie's value, or the refusal.

    The refusal is GK203, a wrong code, or GK206, one too many. Commit the transaction whatever is returned.
    """
    try:
        check_flood(tx, address=address, now=now)
        with tx.begin_nested():
            subject = redeem_console_invite(tx, code=code, now=now)
    except GatekeeperError as refusal:
        return _refused(tx, refusal, address=address, now=now)
    cookie, session = start_session(
        tx,
        subject=subject,
        method=INVITE,
        auth_time=now,
        provider_sid="",
        now=now,
        random_bytes=random_bytes,
    )
    record(tx, at=now, actor=subject.id, act="session.started", object=session.id, detail={"method": INVITE})
    return cookie


def _refused(tx: Connection, refusal: GatekeeperError, *, address: str, now: int) -> GatekeeperError:
    if refusal.code not in ("GK203", "GK206"):
        raise refusal
    if refusal.code == "GK203":
        record(tx, at=now, actor="unknown", act="invite.wrong_code", object="", detail={"at": "console"})
        try:
            check_attempts(tx, address=address, now=now)
        except GatekeeperError as limit:
            refusal = limit
    count_attempt(tx, address=address, now=now)
    return refusal
