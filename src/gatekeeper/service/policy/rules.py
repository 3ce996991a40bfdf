"""The seam for the policy's rules, and the rules that follow from a tool's access class alone.

Cedar's rules will stand behind the same protocol. Default deny: what no rule allows is refused.
"""

from __future__ import annotations

from typing import Protocol

from gatekeeper.documents.catalogue import APPROVAL, CLOSED, OPEN
from gatekeeper.service.policy.catalogue import Policy, PolicyTool
from gatekeeper.service.policy.zones import NO_ZONE, rule_of, words_of
from gatekeeper.values import Value

REQUEST = "request"
LAUNCH = "launch"


class PolicySubject(Protocol):
    """What rules may know of a subject (`people` has the class; the two features don't import each other)."""

    @property
    def id(self) -> str:
        """The opaque id."""
        ...

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, as the sign-in or the invitation gave them."""
        ...

    @property
    def attributes(self) -> tuple[tuple[str, str], ...]:
        """The attributes, likewise."""
        ...


class Verdict(Value):
    """What the rules say: `rule` is the id of the one that decided, `reason` its words."""

    allowed: bool
    rule: str
    reason: str


class Rules(Protocol):
    """Decide whether a subject may request or launch a tool in a zone."""

    def decide(
        self,
        *,
        policy: Policy,
        subject: PolicySubject,
        action: str,
        tool: PolicyTool,
        zone: str,
        grant_zones: tuple[str, ...] | None,
        now: int,
    ) -> Verdict:
        """Decide one case. `zone` is "none" outside every zone; `grant_zones` is None without an active grant."""
        ...


class AccessRules:
    """The access class decides; a zone is entered only with a grant that names it."""

    def decide(
        self,
        *,
        policy: Policy,  # noqa: ARG002 - the protocol's
        subject: PolicySubject,  # noqa: ARG002
        action: str,
        tool: PolicyTool,
        zone: str,
        grant_zones: tuple[str, ...] | None,
        now: int,  # noqa: ARG002
    ) -> Verdict:
        """Decide as `Rules.decide` says."""
        if tool.access == CLOSED:
            return _refuse("access:closed", "The organisation doesn't offer this tool.")
        if action == REQUEST:
            if tool.access == APPROVAL:
                return _allow("access:approval")
            return _refuse("access:open", "An open tool needs no request.")
        if tool.access == OPEN and zone == NO_ZONE:
            return _allow("access:open")
        if grant_zones is not None and tool.access == APPROVAL and zone in grant_zones:
            return _allow("access:approval")
        if zone != NO_ZONE:
            return _refuse(rule_of(zone), words_of(zone))
        return _refuse("access:approval", "This tool needs an approval.")


def _allow(rule: str) -> Verdict:
    return Verdict(allowed=True, rule=rule, reason="")


def _refuse(rule: str, reason: str) -> Verdict:
    return Verdict(allowed=False, rule=rule, reason=reason)
