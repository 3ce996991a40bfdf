"""The how-to's own examples: together they are a policy that passes lint and meets its expectations."""

from __future__ import annotations

import re
from pathlib import Path

from tests.service.store.parts import NOW

from gatekeeper.service.policy.expect import failures
from gatekeeper.service.policy.files import PolicyFiles
from gatekeeper.service.policy.lint import lint
from gatekeeper.service.policy.rules import CedarRules

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "write-a-policy.md"


def test_the_examples_of_the_how_to_work() -> None:
    """What is printed there can be copied."""
    text = PAGE.read_text("utf-8")
    catalogue, expect = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (access,) = re.findall(r"```cedar\n(.*?)```", text, re.DOTALL)
    terms = (("terms/claude.md", "Be kind.\n"),)
    linted = lint(PolicyFiles(catalogue=catalogue, access=access, expect=expect, terms=terms), version=1)
    assert (linted.problems, linted.hints) == ((), ())
    assert linted.policy is not None
    assert len(linted.expectations) == 3
    assert failures(linted.policy, CedarRules(), linted.expectations, now=NOW) == ()
