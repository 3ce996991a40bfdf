"""What `decide` says where a launch does not go ahead: which decision, with which code and detail. Pure.

The order of the rules is `decide`'s; here stands what each of them leads to, apart because a launch that is allowed
needs none of it.
"""

from __future__ import annotations

from gatekeeper.codes import CODES, PENDING, REFUSED
from gatekeeper.decision.facts import DIGEST, DIGEST_UNKNOWN, PUBLISHER, RANGE, VERSION
from gatekeeper.decision.obstacles import (
    DigestNeeded,
    Loop,
    NotInstalled,
    NotRecognised,
    Pending,
    Refuse,
    Refused,
    Renewed,
    Undetermined,
    Unreachable,
    Untrusted,
    WrongVersion,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatekeeper.decision.facts import Absent, Executable, Facts
    from gatekeeper.decision.obstacles import AnyDecision, Match
    from gatekeeper.documents.api import Problem
    from gatekeeper.documents.launch_token import Identity

_REASONS = {
    PUBLISHER: "its publisher can't be verified here",
    RANGE: "the approved range of versions can't be read",
    DIGEST: "its bytes are not those that are approved",
}


def answered(facts: Facts) -> AnyDecision | None:
    """Return the decision where what the renewal said is one already, else None."""
    match facts.renewal:
        case Refused(code=code, problem=problem):
            return _by_code(facts.word, code, problem)
        case Untrusted(code=code, detail=detail):
            # A lying service proves an attack or a wrong address; a launch now would ignore it.
            return Undetermined(tool=facts.word, code=code, detail=detail)
        case _:
            return None


def _by_code(tool: str, code: str, problem: Problem | None) -> AnyDecision:
    kind = CODES[code].kind if code in CODES else ""
    detail = problem.detail if problem is not None else ""
    if kind == REFUSED:
        rule = problem.rule if problem is not None else ""
        return Refuse(tool=tool, code=code, detail=detail, rule=rule, problem=problem)
    if kind == PENDING:
        return Pending(tool=tool, code=code, detail=detail, problem=problem)
    # A code that this version doesn't know can't mean yes.
    return Undetermined(tool=tool, code=code if kind else "GK602", detail=detail, problem=problem)


def was_renewed(facts: Facts) -> bool:
    """Say whether the service has just issued a new token."""
    return isinstance(facts.renewal, Renewed)


def unreachable_of(facts: Facts) -> Unreachable | None:
    """Return why the token could not be renewed where it should have been."""
    return facts.renewal if isinstance(facts.renewal, Unreachable) else None


def nothing_usable(facts: Facts, absent: Absent) -> AnyDecision:
    """Say why there is nothing to launch by."""
    if absent.code:
        return Undetermined(tool=facts.word, code=absent.code, detail=absent.reason)
    if isinstance(facts.renewal, Unreachable):
        return Undetermined(tool=facts.word, code=facts.renewal.code, detail=facts.renewal.detail)
    return Undetermined(tool=facts.word, code="GK701", detail=absent.reason)


def not_startable(facts: Facts) -> AnyDecision:
    """Say what PATH holds in place of an executable."""
    match facts.executable:
        case NotInstalled():
            return Undetermined(tool=facts.word, code="GK801")
        case Loop(path=path):
            return Undetermined(tool=facts.word, code="GK802", detail=path)
        case _:
            raise RuntimeError("what can be started was not")


def not_recognised(facts: Facts) -> AnyDecision:
    """Say why what is installed is not the tool."""
    match facts.match:
        case WrongVersion(version=version, ranges=ranges):
            detail = f"{version} is outside {' or '.join(ranges)}"
            return Refuse(tool=facts.word, code="GK304", detail=detail)
        case NotRecognised(reason=reason):
            return Refuse(tool=facts.word, code="GK305", detail=reason)
        case _:
            raise RuntimeError("an executable was found and not compared")


def unrecognised(
    executable: Executable, identities: tuple[Identity, ...], conditions: Sequence[str]
) -> Match:
    """Return the best outcome of alternatives that all fail: a digest is needed, the version is wrong, not recognised.

    `conditions` says which condition of each doesn't hold.
    """
    reason = "it carries no metadata of a package that is approved"
    ranges: list[str] = []
    for identity, condition in zip(identities, conditions, strict=True):
        reason = _REASONS.get(condition, reason)
        if condition == VERSION:
            ranges.append(identity.versions)
    if DIGEST_UNKNOWN in conditions:
        return DigestNeeded()
    if ranges:
        return WrongVersion(version=executable.version, ranges=tuple(ranges))
    return NotRecognised(reason=reason)
