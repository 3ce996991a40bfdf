"""The organisation's `catalogue.toml`, as typed values: which tools, in which access class, under which limits.

The file is merged over the built-in catalogue, which knows how each assistant is recognised and launched. Only
tools that the organisation's own file names are in its catalogue: a newer gatekeeper that knows one more
assistant must not offer it by itself. What follows from the values is left to `rules` and `compile`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from gatekeeper.decision.versions import in_npm_range, in_pypi_range
from gatekeeper.documents.catalogue import ACCESS_CLASSES, APPROVAL
from gatekeeper.documents.launch_token import (
    Identity,
    LaunchChanges,
    parse_identities,
    parse_launch_changes,
)
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.policy.limits import (
    Escalation,
    ReviewEntry,
    Terms,
    read_escalation,
    read_reviews,
    read_seats,
    read_terms,
)
from gatekeeper.service.policy.model import Policy, PolicyTool, Rule
from gatekeeper.service.policy.reading import FILE, Problems, Section, meant
from gatekeeper.service.policy.zones import Zone, parse_zones
from gatekeeper.service.toml import parse_toml
from gatekeeper.values import Value
from gatekeeper.vendors.catalogue import load_builtin, merge

__all__ = ["Escalation", "Policy", "PolicyTool", "ReviewEntry", "Rule", "Terms", "Zone", "parse_policy"]

_DAY = 86_400
_LONGEST_LEASE = 3 * _DAY
_MAX_CHARS = 1024 * 1024
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_EXECUTABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")

_TOP_KEYS = ("effective", "organisation", "defaults", "vendors", "tools", "zones", "privacy")
_LIMIT_KEYS = ("access", "duration", "max_duration", "min_reason", "reviews", "escalate")
_DEFAULT_KEYS = (*_LIMIT_KEYS, "fresh", "lease", "max_lease")
_TOOL_FACTS = (
    "name",
    "vendor",
    "executables",
    "identity",
    "alternatives",
    "launch",
    "surfaces",
    "commit_trailers",
)
_LAUNCH_KEYS = ("env_unset", "env_set", "args_prepend")
_IDENTITY_KEYS = ("npm", "pypi", "native", "publisher", "versions", "sha256")


class _Limits(Value):
    """`[defaults]`, for the tools that set nothing of their own."""

    access: str
    duration_for: int
    max_duration_for: int
    min_reason: int
    reviews: tuple[ReviewEntry, ...]
    escalate: Escalation | None


def parse_policy(text: str, *, version: int, terms: Mapping[str, str] | None = None) -> Policy:
    """Read the organisation's `catalogue.toml` over the built-in catalogue; `terms` are the folder's texts, by file.

    Raises:
        GatekeeperError: GK101, naming every key that is unknown or wrong, with its line.
    """
    problems = Problems(text)
    own = Section(_toml_of(text), (), problems)
    builtin = load_builtin()
    own.check_keys(_TOP_KEYS)
    organisation = own.child("organisation")
    organisation.check_keys(("name", "help"))
    defaults = own.child("defaults")
    defaults.check_keys(_DEFAULT_KEYS)
    privacy = own.child("privacy")
    privacy.check_keys(("launches",))
    for vendor in own.children("vendors").values():
        vendor.check_keys(("name",))
    for tool in own.children("tools").values():
        _check_tool_keys(tool)
    if problems.misshapen:
        problems.raise_any()  # what has the wrong shape can't be merged; everything else is said together
    merged = Section(merge(builtin, dict(own.values)), (), problems)
    lease_for = defaults.duration("lease", _DAY)
    policy = Policy(
        version=version,
        organisation=organisation.text("name"),
        help=organisation.text("help"),
        fresh_for=defaults.duration("fresh", 900),
        lease_for=lease_for,
        max_lease_for=defaults.duration("max_lease", max(lease_for, _DAY)),
        tools=_parse_tools(own, merged, limits=_parse_limits(defaults), terms=terms),
        zones=parse_zones(own),
        effective_at=_instant(own),
        launches_kept_for=privacy.duration("launches", 90 * _DAY),
    )
    _check_timers(policy, defaults)
    _check_words(policy.tools, problems)
    problems.raise_any()
    return policy


def _toml_of(text: str) -> dict[str, object]:
    if len(text) > _MAX_CHARS:
        raise GatekeeperError("GK101", f"{FILE}: longer than {_MAX_CHARS} characters.")
    return parse_toml(text, file=FILE)


def _instant(own: Section) -> int | None:
    value = own.values.get("effective")
    if value is None:
        return None
    if isinstance(value, datetime) and value.tzinfo is not None and value.timestamp() >= 0:
        return int(value.timestamp())
    own.add("effective", "is no instant with a time zone", "Write 2026-06-29T00:00:00Z.")
    return None


def _check_tool_keys(tool: Section) -> None:
    tool.check_keys((*_TOOL_FACTS, *_LIMIT_KEYS, "seats", "unused_after", "terms"))
    tool.child("launch").check_keys(_LAUNCH_KEYS)
    tool.child("surfaces")
    identity = tool.values.get("identity", [])
    for item in [identity] if isinstance(identity, dict) else identity if isinstance(identity, list) else []:
        Section(item, (*tool.path, "identity"), tool.problems).check_keys(_IDENTITY_KEYS)


def _parse_limits(defaults: Section) -> _Limits:
    max_for = defaults.duration("max_duration", 90 * _DAY)
    limits = _Limits(
        access=defaults.choice("access", APPROVAL, ACCESS_CLASSES),
        duration_for=defaults.duration("duration", min(30 * _DAY, max_for)),
        max_duration_for=max_for,
        min_reason=defaults.count("min_reason", 20, low=0, high=1000),
        reviews=read_reviews(defaults),
        escalate=read_escalation(defaults),
    )
    if limits.duration_for > max_for:
        defaults.add("duration", "is longer than max_duration")
    return limits


def _parse_tools(
    own: Section, merged: Section, *, limits: _Limits, terms: Mapping[str, str] | None
) -> tuple[PolicyTool, ...]:
    named = own.children("tools")
    facts = merged.children("tools")
    vendors = {name: section.text("name", name) for name, section in merged.children("vendors").items()}
    return tuple(
        _parse_tool(facts[name], vendors=vendors, limits=limits, named=named, terms=terms) for name in named
    )


def _parse_tool(
    tool: Section,
    *,
    vendors: Mapping[str, str],
    limits: _Limits,
    named: Mapping[str, Section],
    terms: Mapping[str, str] | None,
) -> PolicyTool:
    name = tool.path[-1]
    if not _ID.fullmatch(name):
        tool.problems.add(tool.path, "is no tool id: lower-case letters, digits, dot, dash and underscore")
    vendor = tool.text("vendor", max_chars=64)
    if not vendor:
        tool.add("vendor", "is missing")
    max_for = tool.duration("max_duration", limits.max_duration_for)
    duration_for = tool.duration("duration", min(limits.duration_for, max_for))
    if duration_for > max_for:
        tool.add("duration", "is longer than max_duration")
    seats, unused_for = read_seats(tool)
    return PolicyTool(
        id=name,
        name=tool.text("name") or name,
        vendor=vendor,
        vendor_name=vendors.get(vendor, vendor),
        access=tool.choice("access", limits.access, ACCESS_CLASSES),
        executables=tool.texts("executables") or (name,),
        identities=_identities(tool),
        alternatives=_alternatives(tool, named),
        launch=_launch(tool),
        duration_for=duration_for,
        max_duration_for=max_for,
        min_reason=tool.count("min_reason", limits.min_reason, low=0, high=1000),
        reviews=read_reviews(tool, limits.reviews),
        escalate=read_escalation(tool, limits.escalate),
        seats=seats,
        unused_for=unused_for,
        terms=read_terms(tool, terms),
        surfaces=_surfaces(tool),
        commit_trailers=tool.texts("commit_trailers"),
    )


def _surfaces(tool: Section) -> tuple[tuple[str, str], ...]:
    surfaces = tool.child("surfaces")
    return tuple((name, surfaces.text(name)) for name in surfaces.values)


def _identities(tool: Section) -> tuple[Identity, ...]:
    try:
        identities = parse_identities(tool.values)
    except Malformed as error:
        tool.add("identity", error.reason, 'Write identity = [{ npm = "PACKAGE", versions = "RANGE" }].')
        return ()
    for identity in identities:
        if not identity.versions:
            continue
        try:
            (in_pypi_range if identity.pypi else in_npm_range)("1.0.0", identity.versions)
        except Malformed as error:
            tool.add("identity", f"the range {identity.versions!r} can't be read: {error.reason}")
    return identities


def _launch(tool: Section) -> LaunchChanges:
    try:
        return parse_launch_changes(tool.values)
    except Malformed as error:
        tool.add("launch", error.reason)
        return LaunchChanges()


def _alternatives(tool: Section, named: Mapping[str, Section]) -> tuple[str, ...]:
    """Return the alternatives that the organisation offers; those of the built-in data may be absent here."""
    wanted = tool.texts("alternatives")
    if "alternatives" in named[tool.path[-1]].values:
        for other in wanted:
            if other not in named:
                tool.add("alternatives", f"{other!r} is no tool of this catalogue", meant(other, named))
    return tuple(other for other in wanted if other in named)


def _check_timers(policy: Policy, defaults: Section) -> None:
    if policy.fresh_for > policy.lease_for:
        defaults.add("fresh", "is longer than the lease")
    if policy.lease_for > policy.max_lease_for:
        defaults.add("max_lease", "is shorter than the lease")
    if policy.max_lease_for > _LONGEST_LEASE:
        defaults.add("max_lease", "is longer than 72h")


def _check_words(tools: tuple[PolicyTool, ...], problems: Problems) -> None:
    """Check that a word names one tool at most, whether it is an id or an executable."""
    owners = {tool.id: tool.id for tool in tools}
    for tool in tools:
        for name in tool.executables:
            path = ("tools", tool.id, "executables")
            if not _EXECUTABLE.fullmatch(name):
                problems.add(path, f"{name!r} is no name of an executable")
            elif owners.setdefault(name, tool.id) != tool.id:
                problems.add(path, f"{name!r} is {owners[name]} already")
