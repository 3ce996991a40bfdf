"""Zones as patterns: what a launch token says about where a tool may be launched.

The rules are asked for every zone and for "outside every zone"; the client only matches patterns. Every
refused zone stands in `exclude`, so that a repository in an allowed and a refused zone is refused.
"""

from __future__ import annotations

from gatekeeper.decision.facts import EVERYWHERE
from gatekeeper.documents.launch_token import Exclusion
from gatekeeper.service.policy.catalogue import Policy, PolicyTool
from gatekeeper.service.policy.rules import LAUNCH, GrantFacts, PolicySubject, Rules, Verdict
from gatekeeper.service.policy.zones import NO_ZONE
from gatekeeper.values import Value


class Places(Value):
    """Where a tool may be launched. No locations at all: nowhere, and `verdict` is the refusal.

    Else `verdict` is the one that allows it: outside every zone, or in the first zone that is allowed.
    """

    locations: tuple[str, ...]
    exclude: tuple[Exclusion, ...]
    verdict: Verdict


def compile_locations(
    policy: Policy,
    rules: Rules,
    *,
    subject: PolicySubject,
    tool: PolicyTool,
    grants: tuple[GrantFacts, ...],
    now: int,
) -> Places:
    """Ask the rules once for each zone, and again where grants of several kinds cover it: one that allows is enough."""

    def decide(zone: str) -> Verdict:
        covering: dict[str, GrantFacts | None] = {g.kind: g for g in grants if zone in g.zones}
        verdicts = (
            rules.decide(
                policy=policy,
                subject=subject,
                action=LAUNCH,
                tool=tool,
                zone=zone,
                grant=grant,
                now=now,
            )
            for grant in covering.values() or (None,)
        )
        first = next(verdicts)
        return first if first.allowed else next((other for other in verdicts if other.allowed), first)

    outside = decide(NO_ZONE)
    decided = [(zone, decide(zone.name)) for zone in policy.zones]
    allowed = [(zone, verdict) for zone, verdict in decided if verdict.allowed]
    exclude = tuple(
        Exclusion(pattern=pattern, rule=verdict.rule)
        for zone, verdict in decided
        if not verdict.allowed
        for pattern in zone.remotes
    )
    if outside.allowed:
        return Places(locations=(EVERYWHERE,), exclude=exclude, verdict=outside)
    return Places(
        locations=tuple(pattern for zone, _ in allowed for pattern in zone.remotes),
        exclude=exclude,
        verdict=allowed[0][1] if allowed else outside,
    )
