"""Zones: named sets of repositories, as patterns over canonical remotes (`host/path`)."""

from __future__ import annotations

import re

from gatekeeper.service.policy.limits import ReviewEntry, read_reviews
from gatekeeper.service.policy.reading import Section
from gatekeeper.values import Value

NO_ZONE = "none"  # outside every zone; no zone may be called so
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_HOST = re.compile(r"[a-z0-9*][a-z0-9.*-]*")
_SEGMENT = re.compile(r"[^\s/:?#\\]+")
# A token is at most 12 KiB, base64url takes a third, and every refused pattern stands in it with its rule.
_MAX_PATTERN_CHARS = 8 * 1024
_RULE_CHARS = 40


class Zone(Value):
    """One zone of the policy. `assisted` is "never" where no commit may be assisted at all, else ""."""

    name: str
    remotes: tuple[str, ...]
    reviews: tuple[ReviewEntry, ...] = ()
    assisted: str = ""


def rule_of(zone: str) -> str:
    """Return the id of the rule that a zone is: what a refusal names and the catalogue has words for."""
    return f"zone:{zone}"


def words_of(zone: str) -> str:
    """Return that rule's words."""
    return f"Repositories of the zone {zone} need a rule or an approval that names the zone."


def parse_zones(own: Section) -> tuple[Zone, ...]:
    """Read `[zones.*]`; what is wrong with them is noted in the section's problems."""
    zones = tuple(_parse_zone(name, section) for name, section in own.children("zones").items())
    size = sum(len(pattern) + len(zone.name) + _RULE_CHARS for zone in zones for pattern in zone.remotes)
    if size > _MAX_PATTERN_CHARS:
        own.add("zones", "are too many or too long for a launch token of 12 KiB", "Use wider patterns.")
    return zones


def _parse_zone(name: str, section: Section) -> Zone:
    section.check_keys(("remotes", "reviews", "assisted"))
    assisted = section.choice("assisted", "never", ("never",)) if "assisted" in section.values else ""
    if not _NAME.fullmatch(name) or name == NO_ZONE:
        section.problems.add(section.path, 'is no zone name: lower-case letters, digits and dash, not "none"')
    remotes = section.texts("remotes")
    if not remotes:
        section.add("remotes", "is empty: a zone without repositories protects nothing")
    for pattern in remotes:
        if not _is_pattern(pattern):
            section.add(
                "remotes", f"{pattern!r} is no pattern", 'Write "host/path", as "github.com/acme/llama-*".'
            )
    return Zone(name=name, remotes=remotes, reviews=read_reviews(section), assisted=assisted)


def _is_pattern(pattern: str) -> bool:
    host, *segments = pattern.split("/")
    if not segments or not _HOST.fullmatch(host) or pattern.endswith(".git"):
        return False
    return all(_SEGMENT.fullmatch(s) and s not in {".", ".."} for s in segments)
