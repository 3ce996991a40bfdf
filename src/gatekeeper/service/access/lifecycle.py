"""The state machine of access requests and grants, as two tables. Pure: no clock, no storage.

Every arrow of the protocol stands here and nowhere else. A state that has no arrow for an act has moved on
(GK408); a word that is no state or no act is a bug of ours.
"""

from __future__ import annotations

from gatekeeper.errors import GatekeeperError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# States of an access request.
PENDING = "pending"
QUESTION = "question"  # stored as pending with `question_at`: the clock of the lapse stands since then
APPROVED = "approved"
DENIED = "denied"
CANCELLED = "cancelled"
LAPSED = "lapsed"
REQUEST_STATES = (PENDING, QUESTION, APPROVED, DENIED, CANCELLED, LAPSED)

# States of a grant.
WAITLISTED = "waitlisted"
ACTIVE = "active"
SUSPENDED = "suspended"
REVOKED = "revoked"
EXPIRED = "expired"
ENDED = "ended"
GRANT_STATES = (WAITLISTED, ACTIVE, SUSPENDED, REVOKED, EXPIRED, ENDED)

# Acts. `lapse` and `end` are what time does.
APPROVE = "approve"
DENY = "deny"
CANCEL = "cancel"
LAPSE = "lapse"
ASK = "ask"
ANSWER = "answer"
ACTIVATE = "activate"
SUSPEND = "suspend"
RESUME = "resume"
REVOKE = "revoke"
END = "end"
REQUEST_ACTS = (APPROVE, DENY, CANCEL, LAPSE, ASK, ANSWER)
GRANT_ACTS = (ACTIVATE, SUSPEND, RESUME, REVOKE, END, CANCEL, LAPSE)

REQUEST_ARROWS: Mapping[tuple[str, str], str] = {
    (PENDING, APPROVE): APPROVED,
    (PENDING, DENY): DENIED,
    (PENDING, CANCEL): CANCELLED,
    (PENDING, LAPSE): LAPSED,
    (PENDING, ASK): QUESTION,
    (QUESTION, ANSWER): PENDING,
    # A question that nobody answers must not stand for ever, as no clock ends it.
    (QUESTION, DENY): DENIED,
    (QUESTION, CANCEL): CANCELLED,
}

GRANT_ARROWS: Mapping[tuple[str, str], str] = {
    (WAITLISTED, ACTIVATE): ACTIVE,
    (WAITLISTED, REVOKE): ENDED,
    (WAITLISTED, CANCEL): ENDED,
    (WAITLISTED, LAPSE): ENDED,
    (ACTIVE, SUSPEND): SUSPENDED,
    (SUSPENDED, RESUME): ACTIVE,
    (ACTIVE, REVOKE): REVOKED,
    (SUSPENDED, REVOKE): REVOKED,
    (ACTIVE, END): EXPIRED,
    (SUSPENDED, END): EXPIRED,
}

# Kinds of a grant, as `context.grant.kind` of the rules says them.
APPROVED_KIND = "approved"
AUTOMATIC = "automatic"
BREAK_GLASS = "break-glass"  # also a request's


def request_after(state: str, act: str) -> str:
    """Return the state of a request after `act`.

    Raises:
        GatekeeperError: GK408, the state has no such arrow.
    """
    if state not in REQUEST_STATES or act not in REQUEST_ACTS:
        raise RuntimeError(f"no request state {state!r} or act {act!r}")
    return _after(REQUEST_ARROWS, state, act, what="request")


def grant_after(state: str, act: str) -> str:
    """Return the state of a grant after `act`.

    Raises:
        GatekeeperError: GK408, the state has no such arrow.
    """
    if state not in GRANT_STATES or act not in GRANT_ACTS:
        raise RuntimeError(f"no grant state {state!r} or act {act!r}")
    return _after(GRANT_ARROWS, state, act, what="grant")


def _after(arrows: Mapping[tuple[str, str], str], state: str, act: str, *, what: str) -> str:
    after = arrows.get((state, act))
    if after is None:
        raise GatekeeperError("GK408", f"The {what} is {state}, so this can't be done any more.")
    return after
