"""What a change would mean: diff, replay and draft, on values alone."""

from __future__ import annotations

import pytest
from tests.service.policy.test_rules import ADA, RULES, policy_of
from tests.service.store.parts import CATALOGUE, NOW, code_of

from gatekeeper.service.policy.catalogue import Policy, parse_policy
from gatekeeper.service.policy.diff import Diff, Held, diff
from gatekeeper.service.policy.draft import draft_rule
from gatekeeper.service.policy.expect import Someone, failures
from gatekeeper.service.policy.files import PolicyFiles
from gatekeeper.service.policy.lint import lint
from gatekeeper.service.policy.replay import Asked, replay
from gatekeeper.service.policy.rules import APPROVED, CedarRules, GrantFacts

OLD = policy_of(RULES)
SAM = Someone(name="sam@acme.example", groups=("dev", "trusted"))
HELD = Held(
    id="G-1",
    tool="probe",
    subject=ADA.name,
    facts=GrantFacts(kind=APPROVED, zones=("none", "training-data", "gone")),
)


def _diff(new: Policy) -> Diff:
    return diff(OLD, new, CedarRules(), held=[(ADA, HELD)], subjects=[ADA, SAM], now=NOW)


def test_the_same_policy_changes_nothing() -> None:
    """Whatever its number is."""
    assert _diff(OLD.replace(version=2)) == Diff(changes=(), lost=(), newly_asking=())


@pytest.mark.parametrize(
    ("catalogue", "rules", "lost"),
    [
        (
            CATALOGUE.replace("[tools.probe]", '[tools.probe]\naccess = "closed"'),
            RULES,
            (True, "access:closed"),
        ),
        (CATALOGUE.replace("[tools.probe]", "[tools.other]"), RULES, (True, "access:unknown")),
        (
            CATALOGUE,
            RULES + '@id("N") @reason("Not here.") forbid (principal, action, resource)'
            ' when { context.zone == Zone::"training-data" };',
            (False, "N"),
        ),
        (CATALOGUE.replace("[zones.training-data]", "[zones.other]"), RULES, (False, "access:unknown")),
        (CATALOGUE, RULES.replace('"AI-01"', '"AI-99"'), None),
    ],
)
def test_whose_approval_launches_less(catalogue: str, rules: str, lost: tuple[bool, str] | None) -> None:
    """Nothing at all, or in fewer zones, and by which rule; a zone that never was is no loss."""
    found = _diff(policy_of(rules, catalogue)).lost
    assert [(one.grant, one.nothing_left, one.rule) for one in found] == ([("G-1", *lost)] if lost else [])


def test_who_newly_needs_an_approval() -> None:
    """Of an open tool everybody, of one that was approved without asking those whom the rule named."""
    asking = _diff(policy_of(RULES, CATALOGUE.replace('access = "open"', 'access = "approval"'))).newly_asking
    assert [(one.subject, one.tool, one.may_ask) for one in asking] == [
        (ADA.name, "llama", True),
        # sam is approved for it without asking
    ]
    asking = _diff(policy_of(RULES.replace('Group::"trusted"', 'Group::"nobody"'))).newly_asking
    assert [(one.subject, one.tool, one.may_ask) for one in asking] == [(SAM.name, "probe", True)]
    asking = _diff(policy_of(RULES, CATALOGUE.replace('access = "open"', 'access = "closed"'))).newly_asking
    assert {(one.subject, one.tool, one.may_ask) for one in asking} == {
        (ADA.name, "llama", False),
        (SAM.name, "llama", False),
    }


def test_what_changes_is_named_by_its_key() -> None:
    """Limits, zones, rules."""
    changed = CATALOGUE.replace('"60d"', '"5d"').replace("datasets-*", "data-*")
    found = _diff(policy_of(RULES.replace("From the US only.", "Only there."), changed))
    assert {one.key for one in found.changes} == {
        "access.cedar",
        "rules.AI-09",
        "tools.probe.duration_for",
        "tools.probe.max_duration_for",
        "zones.training-data.remotes",
    }


def _asked(
    number: int, subject: Someone = SAM, state: str = "approved", **more: tuple[str, ...] | str
) -> Asked:
    given: dict[str, object] = {"tool": "probe", "zones": ("none",), **more}
    return Asked(id=f"R-{number}", subject=subject, state=state, **given)  # type: ignore[arg-type]


def test_replay_finds_what_contradicts_the_reviewers() -> None:
    """Approved at once though denied, refused though approved; everything else is only told."""
    answers = replay(
        OLD,
        CedarRules(),
        [
            _asked(1, SAM, "approved"),
            _asked(2, SAM, "denied"),
            _asked(3, ADA, "approved"),
            _asked(4, ADA, "approved", zones=("frontier-models",)),
            _asked(5, ADA, "lapsed", tool="gone"),
        ],
        now=NOW,
    )
    assert [(one.answer, one.contradicts) for one in answers] == [
        ("approves", False),
        ("approves", True),
        ("asks a reviewer", False),
        ("refuses", True),
        ("refuses", False),
    ]


def test_a_draft_approves_what_was_approved_and_nothing_that_was_denied() -> None:
    """Put into the folder as it stands, it passes lint, and its own cases hold."""
    eve = Someone(name="eve@acme.example", groups=("dev",))
    decisions = [
        _asked(1),
        _asked(
            2,
            SAM.replace(name='o"hara', groups=("trusted", "dev", 'a"b\\c')),
            zones=("none", "training-data"),
        ),
        _asked(3, eve, "denied"),
        _asked(4, eve, "denied", tool="llama"),
    ]
    base = CATALOGUE.replace('access = "open"', 'access = "approval"')
    draft = draft_rule(decisions, id="AUTO-01")
    linted = lint(
        PolicyFiles(
            catalogue=base,
            access='@id("A") permit (principal, action == Action::"request", resource);\n' + draft.rule,
            expect=draft.expectations,
        ),
        version=1,
    )
    assert linted.problems == ()
    assert linted.policy is not None
    assert len(linted.expectations) == 5
    assert failures(linted.policy, CedarRules(), linted.expectations, now=NOW) == ()
    without = parse_policy(base, version=1)
    assert failures(without, CedarRules(), linted.expectations, now=NOW) != ()


@pytest.mark.parametrize(
    "decisions",
    [
        [],
        [_asked(1, state="denied")],
        [_asked(1), _asked(2, SAM.replace(groups=("other",)))],
        [_asked(1), _asked(2, state="denied")],
        [_asked(1)] * 201,
    ],
)
def test_decisions_that_are_not_alike_make_no_draft(decisions: list[Asked]) -> None:
    """Nothing approved, nobody in common, the same asked for and denied, too many."""
    assert code_of(lambda: draft_rule(decisions, id="X")) == "GK100"
