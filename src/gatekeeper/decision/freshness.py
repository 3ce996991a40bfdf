"""How old things are: when a renewal must come first, and how far the high-water mark rises. Pure.

Two timers a token (`fresh`, soft; `exp`, hard) and one for the root document. Time is the later of the
own clock and the high-water mark, so that turning the clock back never extends anything.
"""

from __future__ import annotations

from gatekeeper.decision.facts import FOREIGN, NONE, Absent, NotTried
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.decision.facts import Facts

LEEWAY = 60
CLOCK_TOLERANCE = 300  # a clock this far behind the high-water mark can't judge ages
MARK_STEP = 60  # the high-water mark is written when it grew by this much

NO_STATE = "no state"
NO_ROOT = "no root document"
ROOT_EXPIRED = "root document expired"
NO_TOKEN = "no token"  # noqa: S105 - a reason, not a secret
CLOCK_BEHIND = "clock behind"
STALE = "stale"


class Clock(Value):
    """The time that ages are judged by."""

    at: int
    behind: bool


def clock_of(facts: Facts) -> Clock:
    """Return the time to judge by, and whether the own clock is too far behind to judge at all."""
    mark = facts.high_water or 0
    return Clock(at=max(facts.now, mark), behind=facts.now < mark - CLOCK_TOLERANCE)


def renewal_needed(facts: Facts) -> str:
    """Say why a renewal must come before a decision, "" where none must."""
    if not isinstance(facts.renewal, NotTried) or facts.state == FOREIGN:
        return ""
    if facts.state == NONE or facts.high_water is None:
        return NO_STATE
    clock = clock_of(facts)
    if isinstance(facts.root, Absent):
        return NO_ROOT
    if clock.at >= facts.root.expires_at:
        return ROOT_EXPIRED
    if isinstance(facts.token, Absent):
        return NO_TOKEN
    if clock.behind or clock.at + LEEWAY < facts.token.not_before:
        return CLOCK_BEHIND
    if clock.at - facts.token.issued_at >= facts.token.fresh_for or clock.at >= facts.token.expires_at:
        return STALE
    return ""


def renew_afterwards(facts: Facts) -> bool:
    """Say whether a launch should start a detached renewal: the token is older than half of `fresh`.

    Not after a renewal that was just tried: it has succeeded, or the next minute would not be different.
    """
    if not isinstance(facts.renewal, NotTried) or isinstance(facts.token, Absent):
        return False
    return (clock_of(facts).at - facts.token.issued_at) * 2 > facts.token.fresh_for


def raised_high_water(facts: Facts) -> int | None:
    """Return the high-water mark that this launch leaves, or None where writing it is not worth a write.

    The own clock counts only up to the newest signed time plus the lease: a clock that is years ahead
    must not lock its owner out once it is set right.
    """
    if isinstance(facts.token, Absent):
        return None
    lease_for = facts.token.expires_at - facts.token.issued_at
    seen = min(facts.now, facts.newest_signed_at + lease_for)
    mark = facts.high_water or 0
    return seen if seen >= mark + MARK_STEP else None
