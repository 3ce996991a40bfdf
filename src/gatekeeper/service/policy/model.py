"""The policy as typed values: tools with their limits, zones, rules, versioned as one. How they are read, `catalogue` says."""

from __future__ import annotations

from gatekeeper.documents.launch_token import Identity, LaunchChanges
from gatekeeper.service.policy.limits import Escalation, ReviewEntry, Terms
from gatekeeper.service.policy.zones import Zone
from gatekeeper.values import Value

_DAY = 86_400


class PolicyTool(Value):
    """One tool of the catalogue: what it is, and the limits of its grants (seconds, characters)."""

    id: str
    name: str
    vendor: str
    vendor_name: str
    access: str
    executables: tuple[str, ...]
    identities: tuple[Identity, ...]
    alternatives: tuple[str, ...]
    launch: LaunchChanges
    duration_for: int
    max_duration_for: int
    min_reason: int
    reviews: tuple[ReviewEntry, ...] = ()
    escalate: Escalation | None = None
    seats: int | None = None
    unused_for: int | None = None
    terms: Terms | None = None
    surfaces: tuple[tuple[str, str], ...] = ()
    commit_trailers: tuple[str, ...] = ()


class Rule(Value):
    """One rule of `access.cedar`: its `@id`, the words of its `@reason`, `permit` or `forbid`, where it begins."""

    id: str
    reason: str
    effect: str
    line: int


class Policy(Value):
    """One version of the organisation's policy. Durations in seconds; `effective_at` is None for "at once".

    `access` is the text of `access.cedar`, "" for the rules that a new service starts with; `rules` are its rules
    in their order, as far as people see them.
    """

    version: int
    organisation: str
    help: str
    fresh_for: int
    lease_for: int
    max_lease_for: int
    tools: tuple[PolicyTool, ...]
    zones: tuple[Zone, ...]
    request_lapse_for: int = 7 * _DAY
    effective_at: int | None = None
    launches_kept_for: int = 90 * _DAY
    access: str = ""
    rules: tuple[Rule, ...] = ()

    def tool(self, word: str) -> PolicyTool | None:
        """Return the tool whose id, else whose executable, is `word`."""
        of_id = self.tool_of_id(word)
        if of_id is not None:
            return of_id
        return next((tool for tool in self.tools if word in tool.executables), None)

    def tool_of_id(self, tool_id: str) -> PolicyTool | None:
        """Return the tool of an id that was stored: it never means what has an executable of that name today."""
        return next((tool for tool in self.tools if tool.id == tool_id), None)
