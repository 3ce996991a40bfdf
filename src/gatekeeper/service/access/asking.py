"""What a subject asks for, checked against the policy and made definite: every default filled in."""

from __future__ import annotations

import hashlib

from gatekeeper.documents.api import NewRequest
from gatekeeper.documents.catalogue import CLOSED, OPEN
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.names import check_free_text, check_name, visible_length
from gatekeeper.service.policy.folder import NO_ZONE, Policy, PolicyTool, parse_duration, render_duration
from gatekeeper.values import Value

_MAX_SCOPE_CHARS = 512


class Asked(Value):
    """The contents of a request: a tool's id, sorted zones, seconds."""

    tool: str
    zones: tuple[str, ...]
    duration_for: int
    reason: str
    ticket: str
    scope_key: str


def check_request(policy: Policy, new: NewRequest) -> Asked:
    """Return what `new`, which may be hostile, asks for under this policy.

    Raises:
        GatekeeperError: GK302, GK303, the tool isn't offered; GK404, the reason is too short; GK410, the tool is
            open, or a duration, zone or text is outside what policy allows; GK100, a ticket that can't be one.
    """
    tool = check_offered(policy.tool(new.tool))
    duration_for = parse_duration(new.duration) if new.duration else tool.duration_for
    if duration_for > tool.max_duration_for:
        longest = render_duration(tool.max_duration_for)
        raise GatekeeperError(
            "GK410", f"Grants for {tool.id} last {longest} at most.", facts={"tool": tool.id}
        )
    if visible_length(new.reason) < max(tool.min_reason, 1):
        raise GatekeeperError(
            "GK404",
            f"The reason needs at least {max(tool.min_reason, 1)} characters.",
            facts={"tool": tool.id},
        )
    zones = _zones(policy, new.zones)
    return Asked(
        tool=tool.id,
        zones=zones,
        duration_for=duration_for,
        reason=check_free_text(new.reason, what="reason"),
        ticket=check_name(new.ticket, what="ticket", max_chars=128) if new.ticket else "",
        scope_key=scope_key(tool.id, zones),
    )


def check_offered(tool: PolicyTool | None) -> PolicyTool:
    """Return the tool of the catalogue, if grants are given for it.

    Raises:
        GatekeeperError: GK302, not in the catalogue; GK303, closed; GK410, open, so that no request is needed.
    """
    if tool is None:
        # The word isn't echoed as the tool's name: it is whatever somebody sent.
        raise GatekeeperError("GK302", "The organisation's catalogue doesn't name this tool.")
    facts: dict[str, object] = {"tool": tool.id, "alternatives": list(tool.alternatives)}
    if tool.access == CLOSED:
        raise GatekeeperError("GK303", f"The organisation doesn't offer {tool.id}.", facts=facts)
    if tool.access == OPEN:
        raise GatekeeperError("GK410", f"{tool.id} is open: it needs no request.", facts=facts)
    return tool


def _zones(policy: Policy, wanted: tuple[str, ...]) -> tuple[str, ...]:
    known = {NO_ZONE, *(zone.name for zone in policy.zones)}
    for zone in wanted:
        if zone not in known:
            raise GatekeeperError(
                "GK410", f"The policy has no such zone. It has: {', '.join(sorted(known))}."
            )
    return tuple(sorted(set(wanted))) or (NO_ZONE,)


def scope_key(tool: str, zones: tuple[str, ...]) -> str:
    """Return one text for tool and zones; neither may hold a space, so no two scopes share it."""
    key = " ".join((tool, *zones))
    return key if len(key) <= _MAX_SCOPE_CHARS else f"{tool} {hashlib.sha256(key.encode()).hexdigest()}"
