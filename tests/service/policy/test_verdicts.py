"""The rules that a service starts with, and zones as patterns: nothing more is ever allowed than was granted."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.store.parts import CATALOGUE, NOW

from gatekeeper.decision.locations import exclusion_for
from gatekeeper.decision.obstacles import Repository
from gatekeeper.service.people.subjects import Subject
from gatekeeper.service.policy.catalogue import parse_policy
from gatekeeper.service.policy.compile import compile_locations
from gatekeeper.service.policy.rules import APPROVED, LAUNCH, REQUEST, CedarRules, GrantFacts, Verdict
from gatekeeper.service.policy.zones import NO_ZONE

POLICY = parse_policy(CATALOGUE, version=1)
ADA = Subject(id="u_1", name="ada@acme.example", display="Ada", groups=(), attributes=(), active=True)
ZONES = (NO_ZONE, "frontier-models", "training-data")
# A repository of each zone, of none, and of two at once.
REMOTES = {
    ("github.com/acme/llama-4",): {"frontier-models"},
    ("git.acme.example/research/deep/er",): {"frontier-models"},
    ("github.com/acme/datasets-1",): {"training-data"},
    ("github.com/acme/site",): set(),
    ("github.com/acme/llama-4", "github.com/acme/datasets-1"): {"frontier-models", "training-data"},
    ("github.com/acme/site", "github.com/acme/llama-4"): {"frontier-models"},
}
GRANTS = [None, *(c for n in range(4) for c in itertools.combinations(ZONES, n))]


def _grants(zones: tuple[str, ...] | None) -> tuple[GrantFacts, ...]:
    return () if zones is None else (GrantFacts(kind=APPROVED, zones=zones),)


def _allowed(tool: str, action: str, zone: str, zones: tuple[str, ...] | None) -> tuple[bool, str]:
    found = POLICY.tool_of_id(tool)
    assert found is not None
    grant = None if zones is None else GrantFacts(kind=APPROVED, zones=zones)
    verdict = CedarRules().decide(
        policy=POLICY, subject=ADA, action=action, tool=found, zone=zone, grant=grant, now=NOW
    )
    assert verdict.allowed == (verdict.reason == "")
    return verdict.allowed, verdict.rule


@pytest.mark.parametrize(
    ("case", "zones", "outcome"),
    [
        (("probe", REQUEST, "none"), None, (True, "access:request")),
        (("llama", REQUEST, "none"), None, (False, "access:open")),
        (("shut", REQUEST, "none"), None, (False, "access:closed")),
        (("shut", LAUNCH, "none"), ("none",), (False, "access:closed")),
        (("probe", LAUNCH, "none"), None, (False, "access:approval")),
        (("probe", LAUNCH, "none"), ("none",), (True, "access:approval")),
        (("probe", LAUNCH, "none"), ("frontier-models",), (False, "access:approval")),
        (("probe", LAUNCH, "frontier-models"), ("none",), (False, "zone:frontier-models")),
        (("probe", LAUNCH, "frontier-models"), ("frontier-models",), (True, "access:approval")),
        (("probe", LAUNCH, "frontier-models"), None, (False, "zone:frontier-models")),
        (("llama", LAUNCH, "none"), None, (True, "access:open")),
        (("llama", LAUNCH, "frontier-models"), None, (False, "zone:frontier-models")),
        (("llama", LAUNCH, "frontier-models"), ("frontier-models",), (False, "zone:frontier-models")),
    ],
)
def test_the_starting_rules_let_the_access_class_decide(
    case: tuple[str, str, str], zones: tuple[str, ...] | None, outcome: tuple[bool, str]
) -> None:
    """And the rule that did is named."""
    assert _allowed(*case, zones) == outcome


def _launches(tool: str, zones: tuple[str, ...] | None, remotes: tuple[str, ...]) -> bool:
    found = POLICY.tool_of_id(tool)
    assert found is not None
    places = compile_locations(POLICY, CedarRules(), subject=ADA, tool=found, grants=_grants(zones), now=NOW)
    assert places.verdict.allowed == bool(places.locations)
    repository = Repository(remotes=remotes)
    return exclusion_for(repository, locations=places.locations, exclude=places.exclude) is None


@pytest.mark.parametrize("remotes", REMOTES)
@pytest.mark.parametrize("zones", GRANTS)
def test_a_token_launches_where_every_zone_is_granted(
    zones: tuple[str, ...] | None, remotes: tuple[str, ...]
) -> None:
    """As the client matches the patterns: all zones of a repository must be granted, else "none" must be.

    A repository with remotes inside and outside zones needs both, for all remotes must be covered.
    """
    granted = set(zones or ())
    inside = REMOTES[remotes]
    outside = len(remotes) > len(inside)
    assert _launches("probe", zones, remotes) == (inside <= granted and (NO_ZONE in granted or not outside))


@pytest.mark.parametrize("remotes", REMOTES)
def test_an_open_tool_launches_outside_every_zone_only(remotes: tuple[str, ...]) -> None:
    """With or without a grant."""
    for zones in GRANTS:
        assert _launches("llama", zones, remotes) == (not REMOTES[remotes])


@pytest.mark.parametrize("remotes", REMOTES)
def test_a_closed_tool_launches_nowhere(remotes: tuple[str, ...]) -> None:
    """Whatever was once granted."""
    for zones in GRANTS:
        assert not _launches("shut", zones, remotes)


@given(
    zones=st.sets(st.sampled_from([*ZONES, "gone"])).map(lambda z: tuple(sorted(z))),
    less=st.sets(st.sampled_from(ZONES)),
    remotes=st.sampled_from(list(REMOTES)),
)
def test_fewer_zones_never_allow_more(
    zones: tuple[str, ...], less: set[str], remotes: tuple[str, ...]
) -> None:
    """Narrowing a grant takes away, and a zone that policy no longer has gives nothing."""
    narrower = tuple(zone for zone in zones if zone not in less)
    assert _launches("probe", zones, remotes) or not _launches("probe", narrower, remotes)
    assert _launches("probe", tuple(z for z in zones if z != "gone"), remotes) == _launches(
        "probe", zones, remotes
    )


def test_every_refused_zone_is_excluded_by_its_rule() -> None:
    """Also where only some zones are allowed, so that a repository of two is refused with the right words."""
    probe = POLICY.tool_of_id("probe")
    assert probe is not None
    places = compile_locations(
        POLICY, CedarRules(), subject=ADA, tool=probe, grants=_grants(("frontier-models",)), now=NOW
    )
    assert places.locations == ("github.com/acme/llama-*", "git.acme.example/research/**")
    assert [(one.pattern, one.rule) for one in places.exclude] == [
        ("github.com/acme/datasets-*", "zone:training-data")
    ]


class Counting(CedarRules):
    """Rules that remember which zones they were asked for, and name the zone as their rule."""

    def __init__(self) -> None:
        super().__init__()
        self.zones: list[str] = []

    def decide(self, *, zone: str, **case: Any) -> Verdict:
        """Decide as the access class does."""
        self.zones.append(zone)
        return super().decide(zone=zone, **case).replace(rule=f"about {zone}")


@pytest.mark.parametrize(
    ("zones", "rule"),
    [
        (None, "about none"),
        (("none",), "about none"),
        (("none", "training-data"), "about none"),
        (("frontier-models", "training-data"), "about frontier-models"),
        (("training-data",), "about training-data"),
    ],
)
def test_each_zone_is_asked_once(zones: tuple[str, ...] | None, rule: str) -> None:
    """And the verdict is the one outside every zone, else of the first zone allowed, else the refusal outside."""
    probe, rules = POLICY.tool_of_id("probe"), Counting()
    assert probe is not None
    places = compile_locations(POLICY, rules, subject=ADA, tool=probe, grants=_grants(zones), now=NOW)
    assert sorted(rules.zones) == sorted(ZONES)
    assert (places.verdict.rule, places.verdict.allowed) == (rule, zones is not None)
