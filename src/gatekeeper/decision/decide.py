"""The rules of a launch, in the order in which they count: may it go ahead, must a renewal come first, what is executed.

1. whose state, what the service said   2. trust and time   3. the approval's scope
4. what is installed. Policy comes before "is it installed?", so that an answer never depends on the disk first.

Two timers a token (`fresh`, soft; `exp`, hard) and one for the root document. Time is the later of the own clock and
the high-water mark, so that turning the clock back never extends anything. Pure. The tool gets the environment,
arguments, streams and signals that it would have had without gatekeeper, but for what the token's `launch` says.
"""

from gatekeeper.decision.facts import (
    DIGEST,
    DIGEST_UNKNOWN,
    FOREIGN,
    NONE,
    PACKAGE,
    PUBLISHER,
    RANGE,
    VERSION,
    Absent,
    Allow,
    Executable,
    NotTried,
    Recognised,
)
from gatekeeper.errors import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gatekeeper.decision.facts import Facts
    from gatekeeper.decision.obstacles import AnyDecision, Match
    from gatekeeper.documents.launch_token import Identity, LaunchToken

    # What is executed: the path that PATH found, the whole argument vector, the whole environment.
    LaunchPlan = tuple[str, tuple[str, ...], dict[str, str]]

LEEWAY = 60
CLOCK_TOLERANCE = 300  # a clock this far behind the high-water mark can't judge ages
REMIND_FOR = 7 * 86_400
REMIND_EVERY = 86_400
MARK_STEP = 60  # the high-water mark is written when it grew by this much

NO_STATE = "no state"
NO_ROOT = "no root document"
ROOT_EXPIRED = "root document expired"
NO_TOKEN = "no token"  # noqa: S105 - a reason, not a secret
CLOCK_BEHIND = "clock behind"
STALE = "stale"

NO_CONFINEMENT = ("", "none")


def time_of(facts: "Facts") -> int:
    """Return the time that ages are judged by."""
    return max(facts.now, facts.high_water or 0)


def clock_is_behind(facts: "Facts") -> bool:
    """Say whether the own clock is too far behind to judge ages at all."""
    return facts.now < (facts.high_water or 0) - CLOCK_TOLERANCE


def renewal_needed(facts: "Facts") -> str:
    """Say why a renewal must come before a decision, "" where none must."""
    if not isinstance(facts.renewal, NotTried) or facts.state == FOREIGN:
        return ""
    if facts.state == NONE or facts.high_water is None:
        return NO_STATE
    now = time_of(facts)
    if isinstance(facts.root, Absent):
        return NO_ROOT
    if now >= facts.root.expires_at:
        return ROOT_EXPIRED
    if isinstance(facts.token, Absent):
        return NO_TOKEN
    if clock_is_behind(facts) or now + LEEWAY < facts.token.not_before:
        return CLOCK_BEHIND
    if now - facts.token.issued_at >= facts.token.fresh_for or now >= facts.token.expires_at:
        return STALE
    return ""


def renew_afterwards(facts: "Facts") -> bool:
    """Say whether a launch should start a detached renewal: the token is older than half of `fresh`.

    Not after a renewal that was just tried: it has succeeded, or the next minute would not be different.
    """
    if not isinstance(facts.renewal, NotTried) or isinstance(facts.token, Absent):
        return False
    return (time_of(facts) - facts.token.issued_at) * 2 > facts.token.fresh_for


def ends_soon(facts: "Facts") -> bool:
    """Say whether the approval ends within a week: its owner is told once a day, so that nobody stands without one."""
    if isinstance(facts.token, Absent) or facts.token.grant_ends is None:
        return False
    return facts.token.grant_ends - facts.now < REMIND_FOR


def is_reminder_due(told_at: "int | None", *, now: int) -> bool:
    """Say whether an end was not told within a day, by a clock that may have been turned back."""
    return told_at is None or not 0 <= now - told_at < REMIND_EVERY


def raised_high_water(facts: "Facts") -> "int | None":
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


def decide(facts: "Facts") -> "AnyDecision":
    """Decide from facts alone. The caller has done what `renewal_needed` asked for."""
    if facts.state == FOREIGN:
        return _undetermined(facts, "GK204")
    renewed = False
    if not isinstance(facts.renewal, NotTried):
        from gatekeeper.decision.refusals import answered, was_renewed

        decision = answered(facts)
        if decision is not None:
            return decision
        renewed = was_renewed(facts)
    return _by_what_is_held(facts, renewed=renewed)


def _by_what_is_held(facts: "Facts", *, renewed: bool) -> "AnyDecision":
    now = time_of(facts)
    if facts.high_water is None and not renewed:
        # Deleting the mark would hide that the clock was turned back.
        return _nothing_usable(facts, Absent(reason="the latest time seen here is not known"))
    if isinstance(facts.root, Absent):
        return _nothing_usable(facts, facts.root)
    if now >= facts.root.expires_at:
        return _undetermined(facts, "GK504")
    if clock_is_behind(facts) and not renewed:
        return _undetermined(facts, "GK702")
    if isinstance(facts.token, Absent):
        return _nothing_usable(facts, facts.token)
    if now + LEEWAY < facts.token.not_before:
        return _undetermined(facts, "GK702")
    if facts.token.grant_ends is not None and now >= facts.token.grant_ends:
        return _refused(facts, "GK308")
    if now > facts.token.expires_at + LEEWAY:
        return _nothing_usable(facts, Absent(reason="the lease has ended"))
    return _by_scope(facts, facts.token)


def _by_scope(facts: "Facts", token: "LaunchToken") -> "AnyDecision":
    if token.confine not in NO_CONFINEMENT:
        return _undetermined(facts, "GK804", token.confine)
    if facts.exclusion is not None:
        return _refused(facts, "GK306", facts.exclusion.pattern, facts.exclusion.rule)
    if not isinstance(facts.executable, Executable):
        from gatekeeper.decision.refusals import not_startable

        return not_startable(facts)
    if not isinstance(facts.match, Recognised):
        from gatekeeper.decision.refusals import not_recognised

        return not_recognised(facts)
    unreachable = None
    if not isinstance(facts.renewal, NotTried):
        from gatekeeper.decision.refusals import unreachable_of

        unreachable = unreachable_of(facts)
    return Allow(tool=facts.word, token=token, executable=facts.executable, unreachable=unreachable)


# Refusals are made elsewhere: a launch that is allowed needs none of their classes.


def _undetermined(facts: "Facts", code: str, detail: str = "") -> "AnyDecision":
    from gatekeeper.decision.obstacles import Undetermined

    return Undetermined(tool=facts.word, code=code, detail=detail)


def _refused(facts: "Facts", code: str, detail: str = "", rule: str = "") -> "AnyDecision":
    from gatekeeper.decision.obstacles import Refuse

    return Refuse(tool=facts.word, code=code, detail=detail, rule=rule)


def _nothing_usable(facts: "Facts", absent: "Absent") -> "AnyDecision":
    from gatekeeper.decision.refusals import nothing_usable

    return nothing_usable(facts, absent)


def recognise(executable: "Executable", identities: "tuple[Identity, ...]") -> "Match":
    """Compare an executable with the alternatives of a token: one must hold, whole, every field that it sets.

    The facts about the executable come from metadata beside it, which its owner may have edited: only a digest is
    evidence, so a token that matters lists digests. No alternatives at all recognise nothing.
    """
    conditions = []
    for identity in identities:
        condition = _failing(executable, identity)
        if not condition:
            return Recognised(identity=identity)
        conditions.append(condition)
    from gatekeeper.decision.refusals import unrecognised

    return unrecognised(executable, identities, conditions)


def _failing(executable: "Executable", identity: "Identity") -> str:
    """Return the first condition of an alternative that doesn't hold, "" where it holds whole."""
    if not (identity.npm or identity.pypi or identity.native or identity.sha256):
        return PACKAGE
    if identity.npm and executable.npm != identity.npm:
        return PACKAGE
    if identity.native and executable.native != identity.native:
        return PACKAGE
    if identity.pypi and normalise_pypi(executable.pypi) != normalise_pypi(identity.pypi):
        return PACKAGE
    if identity.publisher:
        # A signature of the publisher can't be checked on this platform, and what isn't checked doesn't hold.
        return PUBLISHER
    if identity.versions:
        outside = _outside(executable, identity)
        if outside:
            return outside
    if identity.sha256 and executable.sha256 not in identity.sha256:
        return DIGEST if executable.sha256 else DIGEST_UNKNOWN
    return ""


def _outside(executable: "Executable", identity: "Identity") -> str:
    from gatekeeper.decision.versions import in_npm_range, in_pypi_range  # where a token asks for it

    in_range = in_pypi_range if identity.pypi else in_npm_range
    try:
        return "" if in_range(executable.version, identity.versions) else VERSION
    except Malformed:
        return RANGE


def normalise_pypi(name: str) -> str:
    """Return a PyPI name as the index compares it (PEP 503): lower case, runs of `-`, `_` and `.` as one `-`."""
    words = name.lower().replace("_", "-").replace(".", "-").split("-")
    return "-".join(word for word in words if word)


def plan(allow: "Allow", *, arguments: "Sequence[str]", environment: "Mapping[str, str]") -> "LaunchPlan":
    """Return exactly what is executed: removals first, then settings, then arguments put before the person's.

    `arguments` are the person's, verbatim; argument zero is the word that was typed, as a shell does.
    """
    changes = allow.token.launch
    kept = {name: value for name, value in environment.items() if name not in changes.env_unset}
    kept.update(changes.env_set)
    return allow.executable.found, (allow.tool, *changes.args_prepend, *arguments), kept
