"""What is wrong with a policy folder (`problems`, each with file and line) and what is probably not meant (`hints`).

A problem keeps a policy from being applied; a hint doesn't. Dead rules are hints: on the day that a tool is closed,
the rules about it decide nothing any more, and that is no reason not to close it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from gatekeeper.documents.catalogue import APPROVAL, CLOSED, OPEN
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.policy import expect
from gatekeeper.service.policy.catalogue import Policy, PolicyTool, parse_policy
from gatekeeper.service.policy.cedar import NO, YES, Book, Circumstance, Resource
from gatekeeper.service.policy.expect import Expectation
from gatekeeper.service.policy.files import PolicyFiles
from gatekeeper.service.policy.patterns import overlap
from gatekeeper.service.policy.rule_reading import FILE as RULES_FILE
from gatekeeper.service.policy.rule_reading import book_of, check_rules, read_rules
from gatekeeper.service.policy.rules import (
    APPROVED,
    AUTO_APPROVE,
    AUTOMATIC,
    BREAK_GLASS,
    BREAK_GLASS_GRANT,
    LAUNCH,
    OPEN_TOOL,
    REQUEST,
    REVIEW,
    Rules,
)
from gatekeeper.service.policy.starting import starting_rules
from gatekeeper.service.policy.zones import NO_ZONE
from gatekeeper.values import Value

_KINDS = ("", APPROVED, AUTOMATIC, BREAK_GLASS_GRANT)


class Linted(Value):
    """A folder as lint sees it; `policy` is None where its catalogue can't be read."""

    policy: Policy | None
    expectations: tuple[Expectation, ...]
    problems: tuple[str, ...]
    hints: tuple[str, ...]


def lint(files: PolicyFiles, *, version: int) -> Linted:
    """Read a folder whose contents may be anything."""
    problems: list[str] = []
    hints: list[str] = []
    policy = None
    expectations: tuple[Expectation, ...] = ()
    try:
        policy = parse_policy(files.catalogue, version=version, terms=dict(files.terms))
    except GatekeeperError as error:
        problems += _problems_of(error)
    rules_found = check_rules(files.access, policy) if files.access else []
    problems += rules_found
    try:
        expectations = expect.parse_expectations(files.expect)
    except GatekeeperError as error:
        problems += _problems_of(error)
    if policy is not None:
        problems += expect.unknown_names(policy, expectations)
        hints += _overlaps(policy)
        if not rules_found:
            policy = policy.replace(access=files.access, rules=read_rules(files.access or starting_rules()))
            hints += _dead_rules(policy, book_of(files.access or starting_rules()))
    return Linted(policy=policy, expectations=expectations, problems=tuple(problems), hints=tuple(hints))


def checked(files: PolicyFiles, *, version: int, rules: Rules, now: int) -> Policy:
    """Return the policy of a folder that may be applied.

    Raises:
        GatekeeperError: GK101, with every problem of lint, else with every expectation that isn't met.
    """
    linted = lint(files, version=version)
    problems = list(linted.problems)
    if linted.policy is not None and not problems:
        unmet = expect.failures(linted.policy, rules, linted.expectations, now=now)
        problems = [expect.render_failure(failure) for failure in unmet]
    if problems or linted.policy is None:
        raise GatekeeperError("GK101", "\n".join(problems), facts={"problems": problems})
    return linted.policy


def _problems_of(error: GatekeeperError) -> list[str]:
    problems = error.facts.get("problems", [error.detail])
    return [str(problem) for problem in problems] if isinstance(problems, list) else [error.detail]


def _overlaps(policy: Policy) -> list[str]:
    found = []
    for one, other in combinations(policy.zones, 2):
        pairs = ((a, b) for a in one.remotes for b in other.remotes if overlap(a, b))
        pair = next(pairs, None)
        if pair is not None:
            found.append(
                f"catalogue.toml: zones.{one.name} and zones.{other.name} overlap ({pair[0]}, {pair[1]}): "
                "a repository in both needs both."
            )
    return found


def _dead_rules(policy: Policy, book: Book) -> list[str]:
    """Return a hint for each rule that can never decide anything, whoever asks and whenever.

    A permit is dead where it can't apply, or a `forbid` surely does; a forbid where it can't apply, or nothing
    would be permitted anyway. Rules about tools in general are tried with tools of every class.
    """
    alive: set[int] = set()
    count = len(policy.rules)
    for action, resource, circumstance in _questions(policy):
        if len(alive) == count:
            break
        try:
            applies = book.effects(action=action, resource=resource, circumstance=circumstance)
        except Malformed:
            return []
        sides = [rule.effect for rule in policy.rules]
        forbidden = any(a == YES and side == "forbid" for a, side in zip(applies, sides, strict=True))
        permitted = any(a != NO and side == "permit" for a, side in zip(applies, sides, strict=True))
        for position, side in enumerate(sides):
            if applies[position] != NO and (permitted if side == "forbid" else not forbidden):
                alive.add(position)
    return [
        f"{RULES_FILE}:{rule.line}: {rule.id} never decides anything: no tool, zone and action of this policy "
        "is left to it."
        for position, rule in enumerate(policy.rules)
        if position not in alive
    ]


def _questions(policy: Policy) -> Iterator[tuple[str, Resource, Circumstance]]:
    """Yield every question that may come to the rules, those about a tool that nobody named first."""
    some = [Resource(tool=" ", vendor=" ", access=access) for access in (APPROVAL, OPEN)]
    named = [_resource(tool) for tool in policy.tools if tool.access != CLOSED]
    closed = [_resource(tool) for tool in policy.tools if tool.access == CLOSED]
    zones = (NO_ZONE, *(zone.name for zone in policy.zones))
    for zone in zones:
        for tool in (*some, *named):
            yield REVIEW, tool, Circumstance(zone=zone, kind="")
            if tool.access == OPEN:
                yield LAUNCH, tool, Circumstance(zone=zone, kind=OPEN_TOOL)
                continue
            for action in (REQUEST, AUTO_APPROVE, BREAK_GLASS):
                yield action, tool, Circumstance(zone=zone, kind="")
            for kind in _KINDS:
                yield LAUNCH, tool, Circumstance(zone=zone, kind=kind)
        for tool in closed:
            yield REVIEW, tool, Circumstance(zone=zone, kind="")


def _resource(tool: PolicyTool) -> Resource:
    return Resource(tool=tool.id, vendor=tool.vendor, access=tool.access)
