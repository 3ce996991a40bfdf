"""The story of one launch, top to bottom: gather, decide, plan, perform.

An attempt has no network, no prompt and no lock. What it can't do without those it names (`NotWarm`), and the
cold half (`cli.run`) does that and attempts again. Only an `Allow` reaches `perform`, which does not return;
whatever fails before ends as a decision or an error, and nothing is launched.
"""

from __future__ import annotations

from gatekeeper.config.settings import NeedsLoad, kept_settings
from gatekeeper.decision.decide import decide
from gatekeeper.decision.facts import Allow, DigestNeeded, NotTried
from gatekeeper.decision.freshness import renewal_needed
from gatekeeper.decision.plan import plan
from gatekeeper.errors import GatekeeperError
from gatekeeper.launch.gather import gather
from gatekeeper.launch.perform import perform
from gatekeeper.values import Value
from gatekeeper.workstation.paths import profile_directory
from gatekeeper.workstation.tables import verifier_by_tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gatekeeper.config.settings import Settings
    from gatekeeper.decision.facts import AnyDecision, Facts, Pending, Refuse, Renewal, Undetermined
    from gatekeeper.launch.argv import Invocation
    from gatekeeper.trust.jws import Verify
    from gatekeeper.workstation.world import World

    Announce = Callable[[Allow, Facts], None]

# Why an attempt isn't warm, beside the reasons of `freshness.renewal_needed`.
CONFIGURATION = "configuration"
LIBRARY = "library"
DIGEST = "digest"

OWN_VERIFIER = "own"


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


def attempt(
    world: World,
    invocation: Invocation,
    *,
    renewal: Renewal | None = None,
    settings: Settings | None = None,
    verify: Verify | None = None,
    announce: Announce | None = None,
) -> NotWarm | Decided:
    """Launch, or say what stands in the way. Never returns on a launch.

    `verify` None is gatekeeper's own P-256, unless the settings ask for the library's (`NotWarm(LIBRARY)`).
    `announce` is called before a launch whose token should have been renewed and could not be.

    Raises:
        GatekeeperError: something that every launch needs is unusable; nothing was launched.
    """
    try:
        return _attempt(
            world,
            invocation,
            renewal=NotTried() if renewal is None else renewal,
            settings=settings,
            verify=verify,
            announce=announce,
        )
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise GatekeeperError(
            "GK106", f"{where}{error.strerror or error}.", remedy="gatekeeper config path"
        ) from error


def _attempt(
    world: World,
    invocation: Invocation,
    *,
    renewal: Renewal,
    settings: Settings | None,
    verify: Verify | None,
    announce: Announce | None,
) -> NotWarm | Decided:
    if settings is None:
        read = kept_settings(world, profile=invocation.profile)
        if read is None:
            from gatekeeper.config.merge import merge_settings

            read = merge_settings(world, profile=invocation.profile)
        if isinstance(read, NeedsLoad):
            return NotWarm(reason=CONFIGURATION)
        settings = read
    if verify is None:
        if settings.verifier != OWN_VERIFIER:
            return NotWarm(reason=LIBRARY, settings=settings)
        verify = _own_verifier(world, settings)
    judged = judge(world, invocation, settings, renewal, verify)
    if isinstance(judged, NotWarm):
        return judged
    decision, facts = judged
    if isinstance(decision, Allow):
        if decision.unreachable is not None and announce is not None:
            announce(decision, facts)
        launch = plan(decision, arguments=invocation.arguments, environment=world.environment())
        perform(world, settings, facts=facts, allow=decision, launch=launch, invocation=invocation)
    return Decided(decision=decision, facts=facts, settings=settings)


def _own_verifier(world: World, settings: Settings) -> Verify:
    # Under managed pins nothing that the person can write may say what holds: `workstation.tables`.
    if settings.managed:
        from gatekeeper.trust.p256 import verify_es256

        return verify_es256
    return verifier_by_tables(world, profile_directory(settings.state_directory, settings.profile))


def judge(
    world: World, invocation: Invocation, settings: Settings, renewal: Renewal, verify: Verify
) -> NotWarm | tuple[AnyDecision, Facts]:
    """Decide without launching, and without writing anything. Errors as `attempt`; OSError passes through."""
    facts = gather(world, invocation, settings, renewal, verify)
    reason = renewal_needed(facts)
    if reason:
        return NotWarm(reason=reason, settings=settings, facts=facts)
    if isinstance(facts.match, DigestNeeded):
        return NotWarm(reason=DIGEST, settings=settings, facts=facts)
    return decide(facts), facts
