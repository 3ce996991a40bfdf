"""Zones as patterns: what a launch token says about where a tool may be launched.

The rules are asked for every zone and for "outside every zone"; the client only matches patterns. Every
refused zone stands in `exclude`, so that a repository in an allowed and a refused zone is refused.
"""

from __future__ import annotations

from gatekeeper.documents.launch_token import Exclusion
from gatekeeper.service.policy.catalogue import Policy, PolicyTool
from gatekeeper.service.policy.rules import LAUNCH, PolicySubject, Rules
from gatekeeper.service.policy.zones import NO_ZONE, rule_of

EVERYWHERE = "*"


def compile_locations(
    policy: Policy,
    rules: Rules,
    *,
    subject: PolicySubject,
    tool: PolicyTool,
    grants_zones: tuple[str, ...] | None,
    now: int,
) -> tuple[tuple[str, ...], tuple[Exclusion, ...]]:
    """Return `locations` and `exclude`. `grants_zones` is what the active grants name together, None without any.

    No locations at all means that the tool may be launched nowhere.
    """

    def allows(zone: str) -> bool:
        return rules.decide(
            policy=policy,
            subject=subject,
            action=LAUNCH,
            tool=tool,
            zone=zone,
            grant_zones=grants_zones,
            now=now,
        ).allowed

    inside = [zone for zone in policy.zones if allows(zone.name)]
    refused = [zone for zone in policy.zones if zone not in inside]
    locations = (EVERYWHERE,) if allows(NO_ZONE) else tuple(p for zone in inside for p in zone.remotes)
    exclude = tuple(
        Exclusion(pattern=pattern, rule=rule_of(zone.name)) for zone in refused for pattern in zone.remotes
    )
    return locations, exclude
