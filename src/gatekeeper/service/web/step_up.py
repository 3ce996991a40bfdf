"""Step-up: that a person, here and now, wants exactly what they were shown.

Two things prove it: one of their passkeys signed the challenge that stands for the list, or they signed in at the
company's provider within the last five minutes. A one-time code doesn't, nor a passkey that a session began with,
and a workstation's credential never gets this far: these operations take a console session alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import record
from gatekeeper.service.people.challenges import Challenge, use_challenge
from gatekeeper.service.people.passkeys import relying_party, verify_passkey
from gatekeeper.values import Value

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gatekeeper.service.people.console_sessions import ConsoleSession
    from gatekeeper.service.web.calls import SessionCall

FRESH_FOR = 300
PROVIDER = "oidc"
CODE = "invite"
BY_PASSKEY = "passkey"
BY_SIGN_IN = "sign-in"


class StepUp(Value):
    """What was proved: how, and the list that it was proved for. `passkey` is its id, "" for a sign-in."""

    by: str
    challenge: Challenge
    passkey: str = ""


def is_fresh(session: ConsoleSession, *, now: int) -> bool:
    """Say whether the person signed in at the provider within the last five minutes."""
    return session.method == PROVIDER and 0 <= now - session.auth_time <= FRESH_FOR


def may_register(session: ConsoleSession, *, now: int) -> bool:
    """Say whether this session may register a passkey: a fresh sign-in at the provider, or a fresh one-time code."""
    return session.method in {PROVIDER, CODE} and 0 <= now - session.auth_time <= FRESH_FOR


def require_fresh(call: SessionCall) -> None:
    """Refuse what is not a fresh sign-in at the provider.

    Raises:
        GatekeeperError: GK405.
    """
    if not is_fresh(call.session, now=call.now):
        raise GatekeeperError(
            "GK405",
            "This needs a sign-in at the identity provider within the last five minutes, or a passkey in the console.",
        )


def require_step_up(
    tx: Connection, call: SessionCall, *, challenge_id: str, purpose: str, credential: str
) -> StepUp:
    """Use up the challenge of a list that was shown, given the proof for it; `credential` "" is a fresh sign-in.

    It is recorded with the hash that was signed. Everything that came with the call may be hostile.

    Raises:
        GatekeeperError: GK409, GK408, there is no such challenge of this session, or it is over; GK405, nothing is
            proved: then the challenge is as unused as before.
    """
    challenge = use_challenge(tx, challenge_id, session=call.session.id, purpose=purpose, now=call.now)
    if credential:
        passkey = verify_passkey(
            tx,
            credential,
            subject_id=call.session.subject.id,
            party=relying_party(call.service.issuer),
            challenge=challenge.to_sign(),
            now=call.now,
        )
        step_up = StepUp(by=BY_PASSKEY, challenge=challenge, passkey=passkey.id)
    else:
        require_fresh(call)
        step_up = StepUp(by=BY_SIGN_IN, challenge=challenge)
    record(
        tx,
        at=call.now,
        actor=call.session.subject.id,
        act="step-up.confirmed",
        object=challenge.id,
        detail={
            "by": step_up.by,
            "passkey": step_up.passkey,
            "challenge": challenge.to_sign().hex(),
            "items": len(challenge.items),
        },
    )
    return step_up
