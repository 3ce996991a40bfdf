"""What an attempt comes to that doesn't launch."""

from __future__ import annotations

from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.decision.facts import Facts
    from gatekeeper.decision.obstacles import Pending, Refuse, Undetermined
    from gatekeeper.workstation.settings import Settings


class NotWarm(Value):
    """Something must be done first that a warm launch doesn't do. `settings` and `facts` are set once known."""

    reason: str
    settings: Settings | None = None
    facts: Facts | None = None


class Decided(Value):
    """A decision that is no launch."""

    decision: Refuse | Pending | Undetermined
    facts: Facts
    settings: Settings
