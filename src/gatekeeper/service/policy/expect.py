"""`expect.toml`: what the rules must say, case by case, so that a change can't break a promise unseen. Pure."""

from __future__ import annotations

from datetime import datetime

from gatekeeper.service.policy.catalogue import Policy
from gatekeeper.service.policy.cedar import ATTRIBUTES
from gatekeeper.service.policy.reading import Problems, Section, meant
from gatekeeper.service.policy.rule_reading import ACTIONS
from gatekeeper.service.policy.rules import (
    APPROVED,
    AUTOMATIC,
    BREAK_GLASS_GRANT,
    GrantFacts,
    Rules,
    Verdict,
)
from gatekeeper.service.policy.zones import NO_ZONE
from gatekeeper.service.toml import parse_toml
from gatekeeper.values import Value

FILE = "expect.toml"
ALLOW = "allow"
REFUSE = "refuse"
_KEYS = ("subject", "action", "tool", "zone", "grant", "verdict", "rule", "at")
_KINDS = (APPROVED, AUTOMATIC, BREAK_GLASS_GRANT)
_MAX_CASES = 5000


class Someone(Value):
    """A subject as the identity provider would describe it; nobody has to exist."""

    name: str
    groups: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    kind: str = "person"


class Expectation(Value):
    """One case and what the rules must say of it. `grant` is the kind of the one that stands, "" for none."""

    line: int
    subject: Someone
    action: str
    tool: str
    zone: str
    grant: str
    verdict: str
    rule: str
    at: int | None


class Failure(Value):
    """An expectation that isn't met, and what the rules said instead."""

    expectation: Expectation
    verdict: Verdict


def parse_expectations(text: str) -> tuple[Expectation, ...]:
    """Read `expect.toml`; an empty text expects nothing.

    Raises:
        GatekeeperError: GK101, with every problem and its line.
    """
    problems = Problems(text, file=FILE)
    top = Section(parse_toml(text, file=FILE), (), problems)
    top.check_keys(("expect",))
    cases = top.values.get("expect", [])
    if not isinstance(cases, list) or len(cases) > _MAX_CASES:
        top.add("expect", f"must be at most {_MAX_CASES} tables, each [[expect]]")
        cases = []
    read = [_parse(Section(case, ("expect", str(number)), problems)) for number, case in enumerate(cases)]
    problems.raise_any()
    return tuple(read)


def failures(
    policy: Policy, rules: Rules, expectations: tuple[Expectation, ...], *, now: int
) -> tuple[Failure, ...]:
    """Return the expectations that the policy doesn't meet; a tool that it doesn't have is refused (GK302)."""
    found = []
    for expectation in expectations:
        verdict = decide_expected(policy, rules, expectation, now=now)
        if (ALLOW if verdict.allowed else REFUSE) != expectation.verdict or (
            expectation.rule and expectation.rule != verdict.rule
        ):
            found.append(Failure(expectation=expectation, verdict=verdict))
    return tuple(found)


def decide_expected(policy: Policy, rules: Rules, expectation: Expectation, *, now: int) -> Verdict:
    """Decide one case as the service would."""
    tool = policy.tool_of_id(expectation.tool)
    if tool is None:
        return Verdict(allowed=False, rule="access:unknown", reason="The catalogue doesn't name this tool.")
    covered = GrantFacts(kind=expectation.grant, zones=(expectation.zone,)) if expectation.grant else None
    return rules.decide(
        policy=policy,
        subject=expectation.subject,
        action=expectation.action,
        tool=tool,
        zone=expectation.zone,
        grant=covered,
        now=now if expectation.at is None else expectation.at,
    )


def unknown_names(policy: Policy, expectations: tuple[Expectation, ...]) -> list[str]:
    """Return a problem for each zone that the policy doesn't have: the case would be about nothing."""
    zones = [NO_ZONE, *(zone.name for zone in policy.zones)]
    return [
        f"{FILE}:{one.line}: {one.zone!r} is no zone of the catalogue. {meant(one.zone, zones)}".rstrip()
        for one in expectations
        if one.zone not in zones
    ]


def render_failure(failure: Failure) -> str:
    """Say in one line what was expected and what the rules said."""
    case = failure.expectation
    where = "" if case.zone == NO_ZONE else f" in {case.zone}"
    granted = f" ({case.grant})" if case.grant else ""
    by = f" by {case.rule}" if case.rule else ""
    said = ALLOW if failure.verdict.allowed else REFUSE
    return (
        f"{FILE}:{case.line}: {case.subject.name} {case.action} {case.tool}{where}{granted}: "
        f"expected {case.verdict}{by}, the rules say {said} by {failure.verdict.rule}."
    )


def _parse(case: Section) -> Expectation:
    case.check_keys(_KEYS)
    for key in ("subject", "action", "tool", "verdict"):
        if key not in case.values:
            case.add(key, "is missing")
    return Expectation(
        line=case.problems.line_of(case.path),
        subject=_subject(case.child("subject")),
        action=case.choice("action", ACTIONS[0], ACTIONS),
        tool=case.text("tool", max_chars=64),
        zone=case.text("zone", NO_ZONE, max_chars=64),
        grant=_grant(case),
        verdict=case.choice("verdict", REFUSE, (ALLOW, REFUSE)),
        rule=case.text("rule", max_chars=64),
        at=_at(case),
    )


def _subject(subject: Section) -> Someone:
    subject.check_keys(("id", "groups", "kind", *ATTRIBUTES))
    if "id" not in subject.values:
        subject.add("id", "is missing", 'Write id = "ada@acme.example".')
    attributes = {}
    for key in ATTRIBUTES:
        value = subject.values.get(key)
        if isinstance(value, bool):
            attributes[key] = str(value).lower()
        elif value is not None:
            attributes[key] = subject.text(key)
    return Someone(
        name=subject.text("id").casefold(),
        groups=subject.texts("groups"),
        attributes=tuple(sorted(attributes.items())),
        kind=subject.choice("kind", "person", ("person", "workload")),
    )


def _grant(case: Section) -> str:
    value = case.values.get("grant", False)
    if isinstance(value, bool):
        return APPROVED if value else ""
    return case.choice("grant", APPROVED, _KINDS)


def _at(case: Section) -> int | None:
    value = case.values.get("at")
    if value is None:
        return None
    if isinstance(value, datetime) and value.tzinfo is not None and value.timestamp() >= 0:
        return int(value.timestamp())
    case.add("at", "is no instant with a time zone", "Write 2026-06-29T00:00:00Z.")
    return None
