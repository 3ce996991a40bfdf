"""Lint: each mistake in a policy folder is found where it stands, and what a folder can't mean is hinted at."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.store.parts import CATALOGUE, NOW

from gatekeeper.decision.locations import matches
from gatekeeper.service.policy.expect import failures
from gatekeeper.service.policy.files import PolicyFiles, load_folder
from gatekeeper.service.policy.folder import starting_files
from gatekeeper.service.policy.lint import Linted, lint
from gatekeeper.service.policy.patterns import overlap
from gatekeeper.service.policy.rule_text import statements
from gatekeeper.service.policy.rules import CedarRules

EXAMPLE = Path(__file__).parents[3] / "examples" / "policy"
LAUNCH = '@id("A") permit (principal, action == Action::"launch", resource) when { context has grant };\n'


def _lint(access: str, catalogue: str = CATALOGUE, expect: str = "") -> Linted:
    return lint(PolicyFiles(catalogue=catalogue, access=access, expect=expect), version=1)


@pytest.mark.parametrize("files", [starting_files(), load_folder(EXAMPLE), PolicyFiles(catalogue=CATALOGUE)])
def test_what_gatekeeper_ships_is_clean(files: PolicyFiles) -> None:
    """The starting policy and the example have no problem and no hint, and meet their own expectations."""
    linted = lint(files, version=1)
    assert (linted.problems, linted.hints) == ((), ())
    assert linted.policy is not None
    assert failures(linted.policy, CedarRules(), linted.expectations, now=NOW) == ()


def test_the_example_tells_the_whole_story() -> None:
    """Each part of it is a case that can fail: without the rule or the key that keeps it, an expectation isn't met."""
    files = load_folder(EXAMPLE)
    cut = [one.text for one in statements(files.access)]
    assert len(cut) == 9
    for number in range(len(cut)):
        without = files.replace(access="\n".join(cut[:number] + cut[number + 1 :]))
        linted = lint(without, version=1)
        assert linted.policy is not None
        # AI-04 (who may review) is kept by the catalogue's `reviews`.
        unmet = failures(linted.policy, CedarRules(), linted.expectations, now=NOW)
        assert bool(unmet) == (number != 3), cut[number]
    policy = lint(files, version=1).policy
    assert policy is not None
    gemini = policy.tool_of_id("gemini")
    assert gemini is not None
    assert (gemini.seats, policy.tool("llama") is not None) == (200, True)
    assert {tool.alternatives for tool in policy.tools if tool.access == "approval"} == {("llama",)}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("// nothing\n", ":1: no rule stands here, so nothing is permitted."),
        ("permit (principal, action, resource);", ":1: the rule needs an id that people can quote"),
        ('@id("zone:x") permit (principal, action, resource);', ":1: the rule needs an id"),
        ('@id("a b") permit (principal, action, resource);', ":1: the rule needs an id"),
        (LAUNCH + "\n" + LAUNCH, ':3: @id("A") is the rule of line 1 already.'),
        (
            '@id("A")\n@reson("x")\npermit (principal, action, resource);',
            ":2: unknown annotation @reson. Did you mean reason?",
        ),
        ('@id("A") forbid (principal, action, resource);', ":1: the rule forbids without words"),
        (
            '@id("A")\n@reason("a\\u{202e}b") permit (principal, action, resource);',
            ":2: the reason must be one line",
        ),
        (
            '@id("A") permit (principal in ?principal, action, resource);',
            ":1: ?principal and ?resource are of no use",
        ),
        (
            '@id("A") permit (principal, action, resource)\nwhen { principal has country &&\n  principal.contry == "US" };',
            ":3: attribute `contry` not found. Did you mean country?",
        ),
        (
            '@id("A") permit (principal, action, resource)\nwhen { principal.country == "US" };',
            ":2: unable to guarantee safety of access to optional attribute `country`. Ask first whether it is there",
        ),
        (
            '@id("A") permit (principal, action, resource) when { context.grant.kind == "open" };',
            ":1: unable to guarantee safety of access to optional attribute `grant`.",
        ),
        (
            '@id("A") permit (principal, action, resource == Tool::"prob");',
            ':1: Tool::"prob" is no tool of the catalogue. Did you mean probe?',
        ),
        (
            '@id("A") permit (principal, action, resource in Vendor::"in-hous");',
            ':1: Vendor::"in-hous" is no vendor. Did you mean in-house?',
        ),
        (
            '@id("A") permit (principal, action, resource)\nwhen {\n context.zone == Zone::"frontier-model" };',
            ':3: Zone::"frontier-model" is no zone of the catalogue. Did you mean frontier-models?',
        ),
        ('@id("A") permit (principal, action == Action::"lunch", resource);', ":1: unrecognized action"),
        (
            '@id("A") permit (principal, action, resource in Vender::"x");',
            ":1: unrecognized entity type `Vender`. Did you mean Vendor?",
        ),
        (
            '@id("A") permit (principal in Group::" x", action, resource);',
            ":1: ' x' can't be the name of a group.",
        ),
        (
            '@id("A") permit (principal == User::"Ada@acme.example", action, resource);',
            ":1: names are in lower case here.",
        ),
        (
            '@id("A") permit (principal, action, resource) when { resource.access == 3 };',
            ":1: the types Long and String",
        ),
        (LAUNCH + "permit (principal", ":2: the rule that begins here has no end."),
        (
            LAUNCH + '@id("B") permit (principal, action, resource) when {\nfoo };',
            ":3: not Cedar: invalid variable: foo.",
        ),
        (LAUNCH + "\npermit" + "(" * 40, ":3: the rule nests brackets deeper than 32."),
        (
            "//" + "x" * 9000 + "\npermit (principal" + " " * 9000 + ");",
            ":2: the rule is longer than 8192 characters.",
        ),
        (LAUNCH * 501, ":501: more than 500 rules."),
    ],
)
def test_a_mistake_in_the_rules_is_found(text: str, problem: str) -> None:
    """With its line and, where something is near, what was meant."""
    problems = _lint(text).problems
    assert any(one.startswith(f"access.cedar{problem}") for one in problems), problems


def test_comments_and_texts_hide_no_rule() -> None:
    """A semicolon in either ends nothing, and lines are counted past them."""
    text = '// a ; "b\n@id("A") @reason("x; // \\"y")\npermit (principal, action,\n resource); // end\n\n@id("B")\npermit (principal, action, resource);'
    assert [(one.line, one.text[:8]) for one in statements(text)] == [(2, '@id("A")'), (6, '@id("B")')]
    assert [one.line_of("resource") for one in statements(text)] == [4, 7]
    assert _lint(text).problems == ()


@given(st.text(alphabet='permitfobd(){}[];"@\\/\n principalactionresource,.=!&|', max_size=300))
def test_no_text_is_a_traceback(text: str) -> None:
    """Whatever stands in the file, lint says something of it, and the cut loses nothing but comments and blanks."""
    assert _lint(text).problems or text == "" or not text.strip()
    cut = statements(text)
    assert all(text.count("\n", 0, text.find(one.text)) + 1 <= one.line for one in cut)


@pytest.mark.parametrize(
    ("rules", "dead"),
    [
        ('@id("X") permit (principal, action == Action::"launch", resource == Tool::"shut");', True),
        ('@id("X") permit (principal, action == Action::"request", resource == Tool::"llama");', True),
        (
            '@id("X") permit (principal, action == Action::"autoApprove", resource) when { context has grant };',
            True,
        ),
        ('@id("X") permit (principal, action, resource) when { principal in Group::"x" && 1 > 2 };', True),
        ('@id("X") @reason("x") forbid (principal, action == Action::"breakGlass", resource);', True),
        (
            '@id("X") permit (principal, action == Action::"request", resource);'
            '@id("Y") @reason("y") forbid (principal, action == Action::"request", resource);',
            True,
        ),
        ('@id("X") permit (principal in Group::"x", action == Action::"launch", resource);', False),
        ('@id("X") @reason("x") forbid (principal, action, resource == Tool::"probe");', False),
        (
            '@id("X") permit (principal, action, resource) when { context.time > datetime("2027-01-01") };',
            False,
        ),
        ('@id("X") permit (principal, action == Action::"review", resource == Tool::"shut");', False),
        (
            '@id("X") permit (principal, action == Action::"request", resource) unless { resource.access == "open" };',
            False,
        ),
    ],
)
def test_a_rule_that_never_decides_is_hinted_at(rules: str, dead: object) -> None:
    """No tool, zone and action is left to it, whoever asks: it protects nothing, or permits nothing."""
    linted = _lint(LAUNCH + rules)
    assert linted.problems == ()
    assert any("X never decides anything" in one for one in linted.hints) == dead, linted.hints


def test_zones_that_overlap_are_hinted_at() -> None:
    """A repository in both needs both, which may surprise."""
    both = CATALOGUE + '[zones.other]\nremotes = ["github.com/acme/*-4"]\n'
    assert any("zones.other overlap" in one for one in _lint("", catalogue=both).hints)
    assert _lint("").hints == ()


PATTERNS = st.lists(st.sampled_from(["a", "b", "*", "**", "/"]), min_size=1, max_size=6).map("".join)


@given(PATTERNS, PATTERNS, st.lists(st.sampled_from("ab/"), max_size=8).map("".join))
def test_what_matches_both_overlaps(one: str, other: str, remote: str) -> None:
    """Overlap is symmetric, and never denied where a remote matches both."""
    assert overlap(one, other) == overlap(other, one)
    if matches(one, remote) and matches(other, remote):
        assert overlap(one, other)


def test_long_patterns_are_no_trouble() -> None:
    """Neither deep recursion nor endless time."""
    assert overlap("h/" + "*a" * 400, "h/" + "a" * 800)
    assert not overlap("h/" + "*a" * 400, "h/" + "a" * 399)


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        ("x = 1", "expect.0.x: unknown key."),
        ("acton = 'launch'", "expect.0.acton: unknown key. Did you mean action?"),
        ("", "expect.0.subject: is missing"),
        (
            "subject = { id = 'a', contry = 'US' }",
            "expect.0.subject.contry: unknown key. Did you mean country?",
        ),
        ("subject = { groups = [] }", "expect.0.subject.id: is missing"),
        ("verdict = 'alow'", "expect.0.verdict: must be one of allow, refuse. Did you mean allow?"),
        ("grant = 'x'", "expect.0.grant: must be one of"),
        ("at = 3", "expect.0.at: is no instant"),
    ],
)
def test_a_mistake_in_an_expectation_is_found(case: str, problem: str) -> None:
    """A case that is misread would be met by accident."""
    problems = _lint("", expect=f"# cases\n[[expect]]\n{case}\n").problems
    assert any(one.partition(": ")[2].startswith(problem) for one in problems), problems
    assert all(one.startswith("expect.toml:") for one in problems)


def test_an_expectation_about_no_zone_is_a_problem() -> None:
    """It would be about nothing."""
    case = "[[expect]]\nsubject = { id = 'a' }\naction = 'launch'\ntool = 'probe'\nzone = 'frontier'\nverdict = 'refuse'\n"
    (problem,) = _lint("", expect=case).problems
    assert problem == "expect.toml:1: 'frontier' is no zone of the catalogue. Did you mean frontier-models?"


def test_everything_is_said_at_once() -> None:
    """Of all three files."""
    linted = lint(PolicyFiles(catalogue="x = 1", access="permit (", expect="y = 1"), version=1)
    assert [one.partition(":")[0] for one in linted.problems] == [
        "catalogue.toml",
        "access.cedar",
        "expect.toml",
    ]
