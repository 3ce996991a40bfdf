"""What a changed policy would mean for people: whose approvals would launch less or nothing, who needs one now. Pure.

A case is a subject and a tool with what the subject holds; for each the old and the new policy are asked where it
may be launched. Nothing is changed by applying a policy: an approval that launches nothing under it stands again
under the next one that permits it.
"""

from __future__ import annotations

from collections.abc import Iterable

from gatekeeper.documents.catalogue import CLOSED, OPEN
from gatekeeper.service.policy.catalogue import Policy, PolicyTool
from gatekeeper.service.policy.rules import (
    AUTO_APPROVE,
    LAUNCH,
    REQUEST,
    GrantFacts,
    PolicySubject,
    Rules,
    Verdict,
    may_auto_approve,
)
from gatekeeper.service.policy.zones import NO_ZONE
from gatekeeper.values import Value


class Held(Value):
    """An active grant: its id, its subject's name, and what rules may know of it."""

    id: str
    tool: str
    subject: str
    facts: GrantFacts


class Lost(Value):
    """A grant that launches in fewer zones; `nothing_left` says that it launches nowhere, for `rule` and `reason`."""

    grant: str
    subject: str
    tool: str
    zones: tuple[str, ...]
    nothing_left: bool
    rule: str
    reason: str


class NewlyAsking(Value):
    """A subject who launches a tool without an approval today, and would need one, or couldn't get it."""

    subject: str
    tool: str
    may_ask: bool


class Change(Value):
    """A line about the catalogue itself, as `tools.claude: access open → approval`."""

    key: str
    was: str
    becomes: str


class Diff(Value):
    """What a change means."""

    changes: tuple[Change, ...]
    lost: tuple[Lost, ...]
    newly_asking: tuple[NewlyAsking, ...]


def diff(
    old: Policy,
    new: Policy,
    rules: Rules,
    *,
    held: Iterable[tuple[PolicySubject, Held]],
    subjects: Iterable[PolicySubject],
    now: int,
) -> Diff:
    """Compare two policies for these grants and subjects."""
    before, after = _Asker(old, rules, now), _Asker(new, rules, now)
    grants = list(held)
    covered = {(one.subject, one.tool) for _, one in grants}
    lost = (_lost(before, after, subject, one) for subject, one in grants)
    freed = [tool for tool in old.tools if _free_at_all(old, tool)]
    asking = (
        _newly_asking(before, after, subject, tool)
        for subject in subjects
        for tool in freed
        if (subject.name, tool.id) not in covered
    )
    return Diff(
        changes=catalogue_changes(old, new),
        lost=tuple(one for one in lost if one is not None),
        newly_asking=tuple(one for one in asking if one is not None),
    )


def catalogue_changes(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Return what differs between two policies, key by key."""
    was, becomes = _lines(old), _lines(new)
    return tuple(
        Change(key=key, was=was.get(key, ""), becomes=becomes.get(key, ""))
        for key in sorted({*was, *becomes})
        if was.get(key) != becomes.get(key)
    )


def _lines(policy: Policy) -> dict[str, str]:
    lines = {
        "organisation": policy.organisation,
        "defaults.fresh": str(policy.fresh_for),
        "defaults.lease": str(policy.lease_for),
        "defaults.max_lease": str(policy.max_lease_for),
    }
    for tool in policy.tools:
        # Field by field, as the value has them: a new field of a tool is compared from the day that it exists.
        for field in type(tool)._fields:
            if field != "id":
                lines[f"tools.{tool.id}.{field}"] = _shown(getattr(tool, field))
    for zone in policy.zones:
        for field in ("remotes", "reviews", "assisted"):
            lines[f"zones.{zone.name}.{field}"] = _shown(getattr(zone, field))
    for rule in policy.rules:
        lines[f"rules.{rule.id}"] = f"{rule.effect}: {rule.reason}"
    if policy.access:
        lines["access.cedar"] = policy.access
    return lines


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_shown(item) for item in value)
    return "" if value is None else str(value)


class _Asker:
    """One policy that is asked about many cases."""

    def __init__(self, policy: Policy, rules: Rules, now: int) -> None:
        self.policy = policy
        self._rules = rules
        self._now = now
        self._zones = {NO_ZONE, *(zone.name for zone in policy.zones)}

    def launches(self, subject: PolicySubject, held: Held) -> dict[str, Verdict]:
        """Return the verdict on launching in each zone that the grant names and the policy has."""
        tool = self.policy.tool_of_id(held.tool)
        if tool is None:
            return {}
        zones = (zone for zone in held.facts.zones if zone in self._zones)
        return {zone: self._decide(subject, tool, LAUNCH, zone, held.facts) for zone in zones}

    def is_free(self, subject: PolicySubject, tool: PolicyTool) -> bool:
        """Say whether the subject may have the tool, outside every zone, without a reviewer."""
        return self.permits(subject, tool, LAUNCH if tool.access == OPEN else AUTO_APPROVE)

    def permits(self, subject: PolicySubject, tool: PolicyTool, action: str) -> bool:
        """Say whether an action is permitted outside every zone without a grant."""
        return self._decide(subject, tool, action, NO_ZONE).allowed

    def _decide(
        self,
        subject: PolicySubject,
        tool: PolicyTool,
        action: str,
        zone: str,
        grant: GrantFacts | None = None,
    ) -> Verdict:
        return self._rules.decide(
            policy=self.policy,
            subject=subject,
            action=action,
            tool=tool,
            zone=zone,
            grant=grant,
            now=self._now,
        )


def _lost(before: _Asker, after: _Asker, subject: PolicySubject, held: Held) -> Lost | None:
    was, becomes = before.launches(subject, held), after.launches(subject, held)
    gone = tuple(
        zone
        for zone, verdict in was.items()
        if verdict.allowed and not (zone in becomes and becomes[zone].allowed)
    )
    if not gone:
        return None
    verdict = becomes.get(gone[0])
    return Lost(
        grant=held.id,
        subject=held.subject,
        tool=held.tool,
        zones=gone,
        nothing_left=not any(one.allowed for one in becomes.values()),
        rule=verdict.rule if verdict is not None else "access:unknown",
        reason=verdict.reason if verdict is not None else "The catalogue doesn't name this any more.",
    )


def _free_at_all(policy: Policy, tool: PolicyTool) -> bool:
    """Say whether anybody might have the tool without a reviewer; else nobody has to be gone through."""
    return tool.access == OPEN or (tool.access != CLOSED and may_auto_approve(policy))


def _newly_asking(
    before: _Asker, after: _Asker, subject: PolicySubject, tool: PolicyTool
) -> NewlyAsking | None:
    if not before.is_free(subject, tool):
        return None
    becomes = after.policy.tool_of_id(tool.id)
    if becomes is not None and after.is_free(subject, becomes):
        return None
    may_ask = becomes is not None and after.permits(subject, becomes, REQUEST)
    return NewlyAsking(subject=subject.name, tool=tool.id, may_ask=may_ask)
