"""The one function that decides a launch. Pure; every rule in the order in which it counts.

1. whose state, what the service said   2. trust and time   3. the approval's scope
4. what is installed. Policy comes before "is it installed?", so that an answer never depends on the disk first.
"""

from __future__ import annotations

from gatekeeper.decision.facts import (
    FOREIGN,
    Absent,
    Allow,
    Executable,
    Loop,
    NotInstalled,
    NotRecognised,
    Pending,
    Recognised,
    Refuse,
    Refused,
    Renewed,
    Undetermined,
    Unreachable,
    Untrusted,
    WrongVersion,
)
from gatekeeper.decision.freshness import LEEWAY, clock_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.decision.facts import AnyDecision, Facts
    from gatekeeper.documents.api import Problem
    from gatekeeper.documents.launch_token import LaunchToken

NO_CONFINEMENT = ("", "none")


def decide(facts: Facts) -> AnyDecision:
    """Decide from facts alone. The caller has done what `freshness.renewal_needed` asked for."""
    if facts.state == FOREIGN:
        return Undetermined(tool=facts.word, code="GK204")
    match facts.renewal:
        case Refused(code=code, problem=problem):
            return _answered(facts.word, code, problem)
        case Untrusted(code=code, detail=detail):
            # A lying service proves an attack or a wrong address; a launch now would ignore it.
            return Undetermined(tool=facts.word, code=code, detail=detail)
        case _:
            return _by_what_is_held(facts)


def _answered(tool: str, code: str, problem: Problem | None) -> AnyDecision:
    # Only here: a launch that is allowed needs no table of refusals.
    from gatekeeper.codes import CODES, PENDING, REFUSED

    kind = CODES[code].kind if code in CODES else ""
    detail = problem.detail if problem is not None else ""
    if kind == REFUSED:
        rule = problem.rule if problem is not None else ""
        return Refuse(tool=tool, code=code, detail=detail, rule=rule, problem=problem)
    if kind == PENDING:
        return Pending(tool=tool, code=code, detail=detail, problem=problem)
    # A code that this version doesn't know can't mean yes.
    return Undetermined(tool=tool, code=code if kind else "GK602", detail=detail, problem=problem)


def _by_what_is_held(facts: Facts) -> AnyDecision:
    clock = clock_of(facts)
    if facts.high_water is None and not isinstance(facts.renewal, Renewed):
        # Deleting the mark would hide that the clock was turned back.
        return _nothing_usable(facts, Absent(reason="the latest time seen here is not known"))
    if isinstance(facts.root, Absent):
        return _nothing_usable(facts, facts.root)
    if clock.at >= facts.root.expires_at:
        return Undetermined(tool=facts.word, code="GK504")
    if clock.behind and not isinstance(facts.renewal, Renewed):
        return Undetermined(tool=facts.word, code="GK702")
    if isinstance(facts.token, Absent):
        return _nothing_usable(facts, facts.token)
    if clock.at + LEEWAY < facts.token.not_before:
        return Undetermined(tool=facts.word, code="GK702")
    if facts.token.grant_ends is not None and clock.at >= facts.token.grant_ends:
        return Refuse(tool=facts.word, code="GK308")
    if clock.at > facts.token.expires_at + LEEWAY:
        return _nothing_usable(facts, Absent(reason="the lease has ended"))
    return _by_scope(facts, facts.token)


def _nothing_usable(facts: Facts, absent: Absent) -> AnyDecision:
    if absent.code:
        return Undetermined(tool=facts.word, code=absent.code, detail=absent.reason)
    if isinstance(facts.renewal, Unreachable):
        return Undetermined(tool=facts.word, code=facts.renewal.code, detail=facts.renewal.detail)
    return Undetermined(tool=facts.word, code="GK701", detail=absent.reason)


def _by_scope(facts: Facts, token: LaunchToken) -> AnyDecision:
    if token.confine not in NO_CONFINEMENT:
        return Undetermined(tool=facts.word, code="GK804", detail=token.confine)
    if facts.exclusion is not None:
        exclusion = facts.exclusion
        return Refuse(tool=facts.word, code="GK306", detail=exclusion.pattern, rule=exclusion.rule)
    match facts.executable:
        case NotInstalled():
            return Undetermined(tool=facts.word, code="GK801")
        case Loop(path=path):
            return Undetermined(tool=facts.word, code="GK802", detail=path)
        case executable:
            return _by_identity(facts, token, executable)


def _by_identity(facts: Facts, token: LaunchToken, executable: Executable) -> AnyDecision:
    match facts.match:
        case Recognised():
            unreachable = facts.renewal if isinstance(facts.renewal, Unreachable) else None
            return Allow(tool=facts.word, token=token, executable=executable, unreachable=unreachable)
        case WrongVersion(version=version, ranges=ranges):
            detail = f"{version} is outside {' or '.join(ranges)}"
            return Refuse(tool=facts.word, code="GK304", detail=detail)
        case NotRecognised(reason=reason):
            return Refuse(tool=facts.word, code="GK305", detail=reason)
        case _:
            raise RuntimeError("an executable was found and not compared")
