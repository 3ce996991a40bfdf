"""What the policy answers to a request before a reviewer sees it: refused, approved at once, or for a reviewer. Pure."""

from __future__ import annotations

from gatekeeper.service.policy.catalogue import Policy
from gatekeeper.service.policy.rules import (
    APPROVED,
    AUTO_APPROVE,
    LAUNCH,
    REQUEST,
    GrantFacts,
    PolicySubject,
    Rules,
    Verdict,
)
from gatekeeper.service.policy.zones import NO_ZONE

APPROVES = "approves"
ASKS = "asks a reviewer"
REFUSES = "refuses"


def answer_to(
    policy: Policy, rules: Rules, *, subject: PolicySubject, tool: str, zones: tuple[str, ...], now: int
) -> tuple[str, Verdict]:
    """Return what the policy answers to a request, and the verdict that decides it.

    Refused where the rules refuse the request, or where an approval would launch in none of its zones; approved
    without a reviewer where `autoApprove` is permitted in all of them.
    """
    found = policy.tool_of_id(tool)
    if found is None:
        return REFUSES, Verdict(
            allowed=False, rule="access:unknown", reason="The catalogue doesn't name this tool."
        )
    known = {NO_ZONE, *(zone.name for zone in policy.zones)}
    wanted = tuple(zone for zone in zones if zone in known)
    if not wanted:
        return REFUSES, Verdict(allowed=False, rule="access:zone", reason="The policy has no such zone.")

    def decide(action: str, zone: str, grant: GrantFacts | None = None) -> Verdict:
        return rules.decide(
            policy=policy, subject=subject, action=action, tool=found, zone=zone, grant=grant, now=now
        )

    for zone in wanted:
        verdict = decide(REQUEST, zone)
        if not verdict.allowed:
            return REFUSES, verdict
    launches = [decide(LAUNCH, zone, GrantFacts(kind=APPROVED, zones=wanted)) for zone in wanted]
    if not any(verdict.allowed for verdict in launches):
        return REFUSES, launches[0]
    automatic = [decide(AUTO_APPROVE, zone) for zone in wanted]
    if all(verdict.allowed for verdict in automatic):
        return APPROVES, automatic[0]
    return ASKS, decide(REQUEST, wanted[0])
