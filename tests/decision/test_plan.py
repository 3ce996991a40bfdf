"""`plan`: the tool gets what it would have had, but for what the token's `launch` says."""

from __future__ import annotations

from tests.fakes.facts import EXECUTABLE, token

from gatekeeper.decision.decide import plan
from gatekeeper.decision.facts import Allow
from gatekeeper.documents.launch_token import LaunchChanges


def allow(launch: LaunchChanges) -> Allow:
    """Make an `Allow` with these changes."""
    return Allow(tool="claude", token=token(launch=launch), executable=EXECUTABLE)


def test_nothing_changes_without_changes() -> None:
    """Environment and arguments pass through verbatim; argument zero is the word."""
    path, words, variables = plan(
        allow(LaunchChanges()), arguments=["--", "-p", ""], environment={"A": "1", "B": ""}
    )
    assert path == "/usr/bin/claude"
    assert words == ("claude", "--", "-p", "")
    assert variables == {"A": "1", "B": ""}


def test_changes_are_applied() -> None:
    """Removals come first, then settings; prepended arguments stand before the person's."""
    changes = LaunchChanges(
        env_unset=("EVIL", "BOTH"), env_set=(("BOTH", "ours"), ("NEW", "1")), args_prepend=("--safe",)
    )
    _, words, variables = plan(
        allow(changes), arguments=["x"], environment={"EVIL": "1", "BOTH": "theirs", "KEEP": "1"}
    )
    assert words == ("claude", "--safe", "x")
    assert variables == {"KEEP": "1", "BOTH": "ours", "NEW": "1"}
