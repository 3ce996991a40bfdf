"""Which reviews an access request needs. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from gatekeeper.service.policy.catalogue import Policy, PolicyTool, ReviewEntry
from gatekeeper.service.policy.limits import merge_entries


def reviews_needed(policy: Policy, tool: PolicyTool, zones: Iterable[str]) -> tuple[ReviewEntry, ...]:
    """Return the entries that must all be met: the tool's, and those of each zone asked for.

    Entries that ask the same sources are one, with the larger number. A zone that the policy has no more adds none.
    """
    asked = set(zones)
    of_zones = (entry for zone in policy.zones if zone.name in asked for entry in zone.reviews)
    return merge_entries((*tool.reviews, *of_zones))
