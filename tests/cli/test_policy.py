"""`gatekeeper service policy …`, `stop` and `resume`, as an operator uses them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.cli.test_service import Operator, operator

from gatekeeper.service.audit.log import entries

__all__ = ["operator"]

EXAMPLE = Path(__file__).parents[2] / "examples" / "policy"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder to change: the example's."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "policy"))


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_a_policy_from_the_first_try_to_its_application(operator: Operator, folder: Path) -> None:
    """Linted, tested, compared, applied; and the version before brought back."""
    assert operator_only(operator, "lint", folder)[:2] == (0, "")
    assert operator_only(operator, "test", folder)[:2] == (0, "")
    status, out, err = operator.run("policy", "diff", str(folder))
    assert status == 0
    assert "tools.gemini.seats: - -> 200" in out
    assert "Nothing" not in err
    before = operator.json("policy", "show")
    applied = operator.json("policy", "apply", str(folder), "--yes")
    assert applied["version"] == 2
    shown = operator.json("policy", "show")
    assert (shown["version"], shown["catalogue"]) == (2, (folder / "catalogue.toml").read_text("utf-8"))
    assert shown["terms"] == {
        "terms/outside-assistants.md": (folder / "terms" / "outside-assistants.md").read_text("utf-8")
    }
    status, out, _ = operator.run("policy", "apply", "--version", "1", "--yes")
    assert (status, out) == (0, "version 3\n")
    assert operator.json("policy", "show")["access"] == before["access"]
    assert [one["version"] for one in operator.json("policy", "show", "--list")["versions"]] == [3, 2, 1]
    store = operator.store()
    with store.read() as tx:
        acts = [(entry.actor, entry.act) for entry in entries(tx)]
    store.close()
    assert acts.count(("operator", "policy.applied")) == 2


def operator_only(operator: Operator, command: str, folder: Path, *more: str) -> tuple[int, str, str]:
    """Run a command that needs no service: it takes no --data."""
    from gatekeeper.cli.app import main

    status = main(["service", "policy", command, str(folder), *more])
    out, err = operator._output.readouterr()
    return status, out, err


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (
            ("access.cedar", "principal.country", "principal.contry"),
            "attribute `contry` not found. Did you mean country?",
        ),
        (
            ("access.cedar", 'Tool::"mythos"', 'Tool::"mytos"'),
            'Tool::"mytos" is no tool of the catalogue. Did you mean mythos?',
        ),
        (("catalogue.toml", "seats = 200", "seat = 200"), "unknown key. Did you mean seats?"),
        (("catalogue.toml", 'remotes = ["github.com/acme/datasets-*"]', "remotes = []"), "protects nothing"),
    ],
)
def test_a_mistake_is_found_and_nothing_is_applied(
    operator: Operator, folder: Path, edit: tuple[str, str, str], problem: str
) -> None:
    """By lint, with file and line, and by everything that would use the folder."""
    file, old, new = edit
    _edit(folder / file, old, new)
    status, out, _ = operator_only(operator, "lint", folder)
    assert status == 7
    line = (folder / file).read_text("utf-8").partition(new)[0].count("\n") + 1
    assert any(one.startswith(f"{file}:{line}: ") and problem in one for one in out.splitlines()), out
    assert json.loads(operator_only(operator, "lint", folder, "--json")[1])["problems"]
    for command in (("apply", "--yes"), ("diff",), ("replay",)):
        status, out, err = operator.run("policy", command[0], str(folder), *command[1:])
        assert (status, out) == (7, "")
        assert "GK101" in err
    assert operator.json("policy", "show")["version"] == 1


def test_an_expectation_that_is_not_met_stops_an_application(operator: Operator, folder: Path) -> None:
    """The rule was weakened; the promise was not."""
    _edit(folder / "access.cedar", 'principal.country == "US"', 'principal.country != "CN"')
    status, out, _ = operator_only(operator, "test", folder)
    assert status == 7
    assert (
        "ada@acme.example launch mythos (approved): expected refuse by AI-09, the rules say allow by AI-01."
        in out
    )
    assert operator.run("policy", "apply", str(folder), "--yes")[0] == 7
    assert operator.json("policy", "show")["version"] == 1


def test_a_dead_rule_is_a_hint(operator: Operator, folder: Path) -> None:
    """It fails where one asks for strictness, and keeps nothing from being applied."""
    _edit(folder / "catalogue.toml", "[tools.mythos]", '[tools.mythos]\naccess = "closed"')
    _edit(folder / "expect.toml", 'rule = "AI-09"', "")
    _edit(
        folder / "expect.toml",
        'tool = "mythos"\ngrant = true\nverdict = "allow"',
        'tool = "mythos"\nverdict = "refuse"',
    )
    _edit(folder / "expect.toml", 'rule = "AI-07"', "")
    status, out, _ = operator_only(operator, "lint", folder)
    assert status == 0
    assert "AI-09 never decides anything" in out
    assert operator_only(operator, "lint", folder, "--strict")[0] == 7
    assert operator.run("policy", "apply", str(folder), "--yes")[0] == 0


def test_nobody_is_asked_where_nobody_is(operator: Operator, folder: Path) -> None:
    """Without a terminal it takes --yes; without a folder or a version it is a usage error, and so are both."""
    for arguments in ((str(folder),), (), (str(folder), "--version", "1", "--yes")):
        status, out, err = operator.run("policy", "apply", *arguments)
        assert (status, out) == (2, "")
        assert "GK100" in err
    assert operator.json("policy", "show")["version"] == 1
    assert operator.run("policy", "show", "--version", "9")[0] == 7


def test_what_was_asked_for_is_replayed_and_drafted(operator: Operator, folder: Path) -> None:
    """A request that a reviewer approved; a rule is drafted from it, and it is not applied."""
    id_ = operator.asked()
    assert operator.run("review", "approve", id_, "--as", "sam@acme.example")[0] == 0
    assert operator.run("invite", "ada@acme.example", "--group", "dev")[0] == 0
    (answer,) = operator.json("policy", "replay", str(folder))["answers"]
    assert (answer["request"], answer["answer"], answer["contradicts"]) == (id_, "asks a reviewer", False)
    _edit(folder / "catalogue.toml", "[tools.claude]", '[tools.claude]\naccess = "closed"')
    (answer,) = operator.json("policy", "replay", str(folder))["answers"]
    assert (answer["answer"], answer["rule"], answer["contradicts"]) == ("refuses", "access:closed", True)
    (lost,) = operator.json("policy", "diff", str(folder))["lost"]
    assert (lost["grant"], lost["subject"], lost["ends"]) == ("G-1", "ada@acme.example", True)
    draft = operator.json("policy", "draft", id_.lower())
    assert 'principal in Group::"dev", action == Action::"autoApprove"' in draft["rule"]
    assert operator.run("policy", "draft", "R-99")[0] == 2
    assert operator.run("policy", "draft", "x")[0] == 2
    assert operator.json("policy", "show")["version"] == 1


def test_a_vendor_is_stopped_and_resumed(operator: Operator) -> None:
    """One act each, in the audit log; what is stopped is listed."""
    stopped = operator.json("stop", "anthropic", "--reason", "A breach was reported.")["stops"]
    assert [(one["kind"], one["name"], one["versions"]) for one in stopped] == [("vendor", "anthropic", None)]
    assert operator.json("stop", "--list")["stops"] == stopped
    assert operator.json("status")["stopped"] == ["vendor anthropic"]
    assert operator.run("stop", "anthropic", "--reason", "Again.")[0] == 3
    assert operator.run("stop", "claude")[0] == 2  # without a reason
    assert operator.run("stop", "claud", "--reason", "A breach.")[0] == 3
    assert operator.run("resume", "claude")[0] == 2
    assert operator.run("resume", "anthropic")[0] == 0
    assert operator.json("stop", "--list")["stops"] == []
    store = operator.store()
    with store.read() as tx:
        acts = [(entry.actor, entry.act, entry.object) for entry in entries(tx)]
    store.close()
    assert acts[1:] == [("operator", "tool.stopped", "anthropic"), ("operator", "tool.resumed", "anthropic")]
