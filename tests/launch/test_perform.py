"""The effects of a launch: their order, and what each failure means."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.fakes.facts import HOUR, NOW
from tests.fakes.workstation import PROFILE, make_workstation
from tests.fakes.world import Executed, FakeWorld, Link

from gatekeeper.decision.obstacles import Unreachable
from gatekeeper.documents.verdict import Verdict
from gatekeeper.errors import GatekeeperError
from gatekeeper.launch.argv import Invocation
from gatekeeper.launch.aside import write_verdict
from gatekeeper.launch.attempt import attempt
from gatekeeper.workstation.posix import PosixWorld

RESULT = "/home/ada/verdict.json"
RUN = Invocation(tool="claude", result_file=RESULT)
VERDICT = Verdict(code="GK301", decision="refuse", tool="claude", exit=126)


def launch(world: FakeWorld, invocation: Invocation = RUN, **how: object) -> None:
    """Attempt what must launch."""
    with pytest.raises(Executed):
        attempt(world, invocation, **how)  # type: ignore[arg-type]


def result_of(world: FakeWorld) -> dict[str, object]:
    """Read the result file."""
    data = world.files[RESULT]
    assert isinstance(data, bytes)
    members = json.loads(data)
    assert isinstance(members, dict)
    return members


def test_the_order_is_time_then_verdict_then_renewal_then_the_tool() -> None:
    """Nothing follows the exec, and what a failure must prevent comes before it."""
    world = make_workstation(issued_at=NOW - 600)
    launch(world)
    effects = [call[:2] for call in world.calls if call[0] in {"replace", "detach", "execute"}]
    assert effects == [
        ("replace", f"{PROFILE}/highwater.json"),
        ("replace", RESULT),
        ("detach", sys.executable),
        ("execute", "/usr/bin/claude"),
    ]


def test_the_verdict_of_a_launch_says_what_starts() -> None:
    """`--result-file` of an allowed launch: allow, exit 0, the tool, its version and path, until when."""
    world = make_workstation()
    launch(world)
    verdict = result_of(world)
    assert verdict["schema"] == 1
    assert verdict["decision"] == "allow"
    assert verdict["tool"] == "claude"
    assert verdict["exit"] == 0
    assert verdict["version"] == "2.1.3"
    assert str(verdict["path"]).endswith("claude")
    assert str(verdict["expires_at"]).endswith("Z")


@pytest.mark.parametrize("age", [0, 449, 450])
def test_a_young_token_starts_no_renewal(age: int) -> None:
    """Up to half of `fresh` nothing is started."""
    world = make_workstation(issued_at=NOW - age)
    launch(world)
    assert world.detached == []


def test_a_token_past_half_of_fresh_starts_one_renewal() -> None:
    """The renewal runs this Python with this profile and the tool's id, and imports nothing from the working directory."""
    world = make_workstation(issued_at=NOW - 451)
    launch(world)
    renewal = (sys.executable, "-P", "-m", "gatekeeper", "renew", "--profile", "default", "claude")
    assert world.detached == [renewal]


@pytest.mark.parametrize(
    ("invocation", "variables"), [(RUN.replace(offline=True), {}), (RUN, {"GATEKEEPER_OFFLINE": "1"})]
)
def test_offline_starts_no_renewal(invocation: Invocation, variables: dict[str, str]) -> None:
    """Who says offline, by option or variable, gets no call behind his back either."""
    world = make_workstation(issued_at=NOW - 600)
    world.variables.update(variables)
    launch(world, invocation)
    assert world.detached == []


def test_after_a_renewal_that_failed_none_is_started() -> None:
    """An unreachable service isn't asked again behind the launch."""
    world = make_workstation(issued_at=NOW - 2 * HOUR)
    launch(world, renewal=Unreachable(code="GK601", detail="no answer"))
    assert world.detached == []


@pytest.mark.parametrize(("call", "code"), [("detach", "GK106"), ("replace", "GK106"), ("execute", "GK803")])
def test_what_fails_is_told_with_its_code(call: str, code: str) -> None:
    """No renewal, no result file, no exec: each is an error, and the tool isn't started."""
    world = make_workstation(issued_at=NOW - 600)
    world.refusing.add(call)
    with pytest.raises(GatekeeperError) as caught:
        attempt(world, RUN)
    assert caught.value.code == code
    assert caught.value.detail


def test_a_failed_exec_names_the_program() -> None:
    """GK803 says what could not be started and why the system refused."""
    world = make_workstation()
    world.refusing.add("execute")
    with pytest.raises(GatekeeperError) as caught:
        attempt(world, RUN)
    assert "/usr/bin/claude" in caught.value.detail
    assert "Input/output error" in caught.value.detail


def test_a_result_file_that_is_a_link_keeps_the_link() -> None:
    """The link's target is replaced, not the link."""
    world = FakeWorld(files={"/home/ada/link": Link("/home/ada/target"), "/home/ada/target": b"old"})
    write_verdict(world, "/home/ada/link", VERDICT)
    assert world.files["/home/ada/link"] == Link("/home/ada/target")
    written = world.files["/home/ada/target"]
    assert isinstance(written, bytes)
    assert b"GK301" in written


@pytest.mark.parametrize("name", ["/dev/null", "directory", "pipe", "absent/file"])
def test_a_result_file_that_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    """A device, pipe or directory is never replaced by a file; a directory that isn't there isn't made."""
    import os

    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    target = tmp_path / name  # an absolute name stays
    mode = target.stat().st_mode if target.exists() else None
    with pytest.raises(GatekeeperError) as caught:
        write_verdict(PosixWorld(), str(target), VERDICT)
    assert caught.value.code == "GK106"
    assert str(target) in caught.value.detail
    assert (target.stat().st_mode if target.exists() else None) == mode


DAY = 86_400


def test_an_approval_that_ends_within_a_week_is_said_once_a_day() -> None:
    """On stderr, with the command to go on; the next launch of that day is silent, the next day's isn't."""
    world = make_workstation(grant_ends=NOW + 6 * DAY)
    launch(world)
    said = [call for call in world.calls if call[0] == "write_error"]
    assert len(said) == 1
    assert "ends in 6 d" in str(said[0])
    assert "gatekeeper request claude --renew" in str(said[0])
    world.calls.clear()
    launch(world)
    assert not [call for call in world.calls if call[0] == "write_error"]
    ends = world.files[f"{PROFILE}/reminded/claude.json"]
    assert isinstance(ends, bytes)
    world.files[f"{PROFILE}/reminded/claude.json"] = ends.replace(str(NOW).encode(), str(NOW - DAY).encode())
    launch(world)
    assert [call for call in world.calls if call[0] == "write_error"]


@pytest.mark.parametrize("grant_ends", [NOW + 7 * DAY, None])
def test_an_end_that_is_far_or_none_is_not_said(grant_ends: int | None) -> None:
    """A week and more, or an open tool: nothing is said and nothing is kept."""
    world = make_workstation(grant_ends=grant_ends)
    launch(world)
    assert not [call for call in world.calls if call[0] == "write_error"]
    assert f"{PROFILE}/reminded/claude.json" not in world.files
