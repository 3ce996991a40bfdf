"""Rules in Cedar: who decides, in whose words, and that nothing which can't be evaluated ever allows."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.store.parts import CATALOGUE, DAY, NOW

from gatekeeper.service.policy.answers import APPROVES, ASKS, REFUSES, answer_to
from gatekeeper.service.policy.catalogue import Policy, parse_policy
from gatekeeper.service.policy.compile import compile_locations
from gatekeeper.service.policy.expect import Someone
from gatekeeper.service.policy.rule_reading import book_of, read_rules
from gatekeeper.service.policy.rules import (
    APPROVED,
    AUTO_APPROVE,
    AUTOMATIC,
    BREAK_GLASS,
    BREAK_GLASS_GRANT,
    DEFAULT,
    ERROR,
    LAUNCH,
    REQUEST,
    REVIEW,
    CedarRules,
    GrantFacts,
    Verdict,
    may_auto_approve,
    words_of_rules,
)

RULES = """
@id("AI-01") @reason("Assistants from other vendors need special approval.")
permit (principal, action == Action::"launch", resource) when { context has grant };
@id("AI-02") permit (principal in Group::"dev", action in [Action::"request", Action::"review"], resource);
@id("AI-03") permit (principal in Group::"trusted", action == Action::"autoApprove", resource);
@id("AI-07") @reason("Model code stays here.")
forbid (principal, action == Action::"launch", resource == Tool::"probe")
when { context.zone == Zone::"frontier-models" };
@id("AI-09") @reason("From the US only.")
forbid (principal, action, resource) when { principal has country && principal.country != "US" };
@id("AI-10") @reason("Not on a device that nobody manages.")
forbid (principal, action == Action::"launch", resource)
when { principal has device_managed && !principal.device_managed };
"""
ACTIONS = (REQUEST, AUTO_APPROVE, LAUNCH, REVIEW, BREAK_GLASS)


def policy_of(rules: str, catalogue: str = CATALOGUE) -> Policy:
    """Return the policy of a catalogue and rules."""
    return parse_policy(catalogue, version=1).replace(access=rules, rules=read_rules(rules))


POLICY = policy_of(RULES)
ADA = Someone(name="ada@acme.example", groups=("dev",))


def decide(
    subject: Someone = ADA,
    action: str = LAUNCH,
    tool: str = "probe",
    zone: str = "none",
    grant: GrantFacts | None = None,
    *,
    policy: Policy = POLICY,
    now: int = NOW,
) -> Verdict:
    """Ask new rules."""
    found = policy.tool_of_id(tool)
    assert found is not None
    return CedarRules().decide(
        policy=policy, subject=subject, action=action, tool=found, zone=zone, grant=grant, now=now
    )


def _grant(*zones: str, kind: str = APPROVED) -> GrantFacts:
    return GrantFacts(kind=kind, zones=zones)


def test_a_refusal_has_the_words_of_the_rule() -> None:
    """Which approval is missing, or that none would help; the zone's own words where one would."""
    assert decide() == Verdict(
        allowed=False, rule="AI-01", reason="Assistants from other vendors need special approval."
    )
    model = Verdict(allowed=False, rule="AI-07", reason="Model code stays here.")
    assert decide(zone="frontier-models") == model
    assert decide(zone="frontier-models", grant=_grant("frontier-models")) == model
    assert decide(zone="training-data").rule == "zone:training-data"
    assert decide(grant=_grant("none")) == Verdict(allowed=True, rule="AI-01", reason="")
    assert decide(action=BREAK_GLASS).rule == DEFAULT


def test_forbid_wins() -> None:
    """Whatever permits, and for an open tool, too."""
    abroad = ADA.replace(attributes=(("country", "DE"),))
    for action, tool in ((LAUNCH, "probe"), (LAUNCH, "llama"), (REQUEST, "probe"), (REVIEW, "probe")):
        assert decide(action=action, tool=tool, grant=_grant("none")).allowed
        assert decide(abroad, action, tool, grant=_grant("none")).rule == "AI-09"


def test_a_grant_counts_in_its_zones_alone() -> None:
    """One that names another zone is none here."""
    assert not decide(grant=_grant("training-data")).allowed
    assert decide(zone="training-data", grant=_grant("training-data")).allowed


def test_an_open_tool_counts_as_granted_everywhere() -> None:
    """As a grant of the kind `open`, so that rules can say where it ends."""
    assert decide(tool="llama", zone="frontier-models").allowed
    where = policy_of(
        '@id("A") permit (principal, action, resource) when { context has grant && context.grant.kind == "open" };'
    )
    assert decide(tool="llama", policy=where).allowed
    assert not decide(grant=_grant("none"), policy=where).allowed


def test_a_closed_tool_is_refused_before_the_rules() -> None:
    """A review alone is asked for, so that a request for it can still be denied."""
    everything = policy_of('@id("A") permit (principal, action, resource);')
    for action in ACTIONS:
        verdict = decide(action=action, tool="shut", grant=_grant("none"), policy=everything)
        assert verdict.allowed == (action == REVIEW)
    assert decide(action=REQUEST, tool="llama", policy=everything).rule == "access:open"


def test_the_kind_of_the_subject_is_known() -> None:
    """A workload is no person, whatever its groups."""
    policy = policy_of('@id("A") permit (principal is User, action, resource);')
    assert decide(policy=policy).allowed
    assert not decide(ADA.replace(kind="workload"), policy=policy).allowed


def test_a_person_may_be_named() -> None:
    """And then nobody else shares the verdict."""
    policy = policy_of('@id("A") permit (principal == User::"ada@acme.example", action, resource);')
    rules, tool = CedarRules(), POLICY.tools[0]
    for name, allowed in (("ada@acme.example", True), ("sam@acme.example", False)):
        verdict = rules.decide(
            policy=policy,
            subject=ADA.replace(name=name),
            action=LAUNCH,
            tool=tool,
            zone="none",
            grant=None,
            now=NOW,
        )
        assert verdict.allowed == allowed


@pytest.mark.parametrize("value", ["true", "True", "false", "FALSE", "perhaps", ""])
def test_a_truth_is_read_or_absent(value: str) -> None:
    """What the identity provider writes as text; nonsense is no attribute, never an error."""
    someone = ADA.replace(attributes=(("device_managed", value), ("unknown", "x")))
    assert decide(someone, grant=_grant("none")).allowed == (value.casefold() != "false")


@pytest.mark.parametrize("effect", ["permit", "forbid"])
def test_a_rule_that_can_t_be_evaluated_refuses(effect: str) -> None:
    """Cedar would skip it, and an erring forbid would allow."""
    policy = policy_of(
        '@id("A") permit (principal, action, resource);'
        f'@id("B") @reason("x") {effect} (principal, action, resource) '
        'when { resource.access == "approval" && 9223372036854775807 + 1 > 0 };'
    )
    for action in ACTIONS:
        assert decide(action=action, policy=policy) == Verdict(
            allowed=False, rule=ERROR, reason="The organisation's policy could not be evaluated for this."
        )
    assert decide(tool="llama", policy=policy).allowed  # the condition isn't reached


def test_rules_that_can_t_be_read_refuse() -> None:
    """A text that got into the database past the lint."""
    for text in ("permit (", "(" * 5000, "permit (principal, action, resource);" * 501):
        assert decide(policy=POLICY.replace(access=text)).rule == ERROR


def test_time_is_asked_anew() -> None:
    """A rule with an end ends, although verdicts are remembered."""
    policy = policy_of(
        '@id("A") permit (principal, action, resource) when { context.time < datetime("2027-01-16T00:00:00Z") };'
    )
    rules, tool = CedarRules(), POLICY.tools[0]

    def allowed(now: int) -> bool:
        return rules.decide(
            policy=policy, subject=ADA, action=LAUNCH, tool=tool, zone="none", grant=None, now=now
        ).allowed

    assert [allowed(NOW), allowed(NOW + DAY), allowed(NOW)] == [True, False, True]


PRINCIPALS = st.builds(
    Someone,
    name=st.sampled_from(["ada@acme.example", "sam@acme.example"]),
    groups=st.sets(st.sampled_from(["dev", "trusted", "x"])).map(lambda groups: tuple(sorted(groups))),
    attributes=st.dictionaries(
        st.sampled_from(["country", "device_managed", "other"]),
        st.sampled_from(["US", "DE", "true", "false"]),
    ).map(lambda found: tuple(sorted(found.items()))),
    kind=st.sampled_from(["person", "workload"]),
)


@given(
    cases=st.lists(
        st.tuples(
            PRINCIPALS,
            st.sampled_from(ACTIONS),
            st.sampled_from(["probe", "llama", "shut"]),
            st.sampled_from(["none", "frontier-models", "training-data"]),
            st.sampled_from([None, _grant("none"), _grant("none", "training-data", kind=AUTOMATIC)]),
        ),
        max_size=8,
    )
)
def test_what_is_remembered_is_what_would_be_decided(
    cases: list[tuple[Someone, str, str, str, GrantFacts | None]],
) -> None:
    """In whatever order, for whomever: no verdict is another's."""
    rules = CedarRules()
    for subject, action, tool, zone, grant in (*cases, *cases):
        found = POLICY.tool_of_id(tool)
        assert found is not None
        remembered = rules.decide(
            policy=POLICY, subject=subject, action=action, tool=found, zone=zone, grant=grant, now=NOW
        )
        assert remembered == decide(subject, action, tool, zone, grant)


def test_what_no_rule_reads_makes_no_difference() -> None:
    """Every group, attribute and person that a rule reads is known to, however it is written."""
    book = book_of(
        '@id("A") permit (principal in Group::"a", action, resource) when { principal has country && '
        'principal["country"] == "US" || (if principal has manager then [Group::"b"].contains(Group::"c") else '
        'principal in [Group::"d", Group::"e"]) } unless { principal == Workload::"ci:x" };'
    )
    assert (book.groups, book.attributes) == (frozenset("abcde"), frozenset({"country", "manager"}))
    assert book.names_people
    assert not book_of(RULES).names_people
    assert book_of(RULES).attributes == {"country", "device_managed", "grant", "zone"}


@given(PRINCIPALS, st.sampled_from(ACTIONS), st.sampled_from(["none", "frontier-models"]))
def test_one_more_forbid_never_allows_more(subject: Someone, action: str, zone: str) -> None:
    """And without any permit nothing is allowed."""
    grant = _grant("none", "frontier-models")
    stricter = policy_of(RULES + '@id("Z") @reason("z") forbid (principal in Group::"x", action, resource);')
    none = policy_of('@id("Z") @reason("z") forbid (principal in Group::"x", action, resource);')
    assert (
        decide(subject, action, zone=zone, grant=grant).allowed
        or not decide(subject, action, zone=zone, grant=grant, policy=stricter).allowed
    )
    assert not decide(subject, action, zone=zone, grant=grant, policy=none).allowed


@pytest.mark.parametrize("order", list(itertools.permutations((APPROVED, BREAK_GLASS_GRANT))))
def test_of_several_grants_one_that_allows_is_enough(order: tuple[str, ...]) -> None:
    """In whatever order they came: a rule against break-glass takes nothing from an approval."""
    policy = policy_of(
        RULES + '@id("B") @reason("b") forbid (principal, action, resource) '
        'when { context has grant && context.grant.kind == "break-glass" };'
    )
    grants = tuple(_grant("none", kind=kind) for kind in order)
    for held, allowed in ((grants, True), (grants[:1], order[0] == APPROVED)):
        places = compile_locations(
            policy, CedarRules(), subject=ADA, tool=policy.tools[0], grants=held, now=NOW
        )
        assert bool(places.locations) == allowed


def test_zones_are_excluded_by_the_rule_that_refuses_them() -> None:
    """And the signed catalogue has the words of each."""
    places = compile_locations(
        POLICY, CedarRules(), subject=ADA, tool=POLICY.tools[0], grants=(_grant("none"),), now=NOW
    )
    assert places.locations == ("*",)
    assert {one.rule for one in places.exclude} == {"AI-07", "zone:training-data"}
    words = dict(words_of_rules(POLICY))
    assert all(words[one.rule] for one in places.exclude)
    assert words["AI-07"] == "Model code stays here."


def test_what_the_policy_answers_to_a_request() -> None:
    """Refused, approved at once, or for a reviewer; refused as well where an approval would launch nowhere."""
    rules = CedarRules()

    def answer(subject: Someone, zones: tuple[str, ...] = ("none",), tool: str = "probe") -> tuple[str, str]:
        found, verdict = answer_to(POLICY, rules, subject=subject, tool=tool, zones=zones, now=NOW)
        return found, verdict.rule

    trusted = ADA.replace(groups=("dev", "trusted"))
    assert answer(ADA) == (ASKS, "AI-02")
    assert answer(trusted) == (APPROVES, "AI-03")
    assert answer(ADA.replace(groups=("trusted",))) == (REFUSES, DEFAULT)
    assert answer(trusted, ("frontier-models",)) == (REFUSES, "AI-07")
    assert answer(trusted, ("frontier-models", "none"))[0] == APPROVES
    assert answer(ADA, tool="shut") == (REFUSES, "access:closed")
    assert answer(ADA, tool="llama") == (REFUSES, "access:open")
    assert answer(ADA, tool="gone") == (REFUSES, "access:unknown")
    assert answer(ADA, ("gone",)) == (REFUSES, "access:zone")


def test_whether_anybody_is_approved_without_a_reviewer() -> None:
    """A rule for every action is one for this."""
    assert may_auto_approve(POLICY)
    assert may_auto_approve(policy_of('@id("A") permit (principal, action, resource);'))
    assert not may_auto_approve(
        policy_of('@id("A") permit (principal, action == Action::"launch", resource);')
    )
    assert not may_auto_approve(parse_policy(CATALOGUE, version=1))
