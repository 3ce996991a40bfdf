"""The cold half of `run`: renew, hash, ask, wait; then the same attempt, or the words of a refusal."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from tests.fakes.facts import HOUR, NOW
from tests.fakes.workstation import (
    MANAGED,
    PROFILE,
    TRUST,
    RealWorkstation,
    keep,
    make_workstation,
    managed_file,
)
from tests.fakes.world import Executed, FakeWorld

from gatekeeper.cli.run import finish
from gatekeeper.client.service_errors import ServiceRefused
from gatekeeper.decision.obstacles import Refused, Renewed, Unreachable, Untrusted
from gatekeeper.documents.api import NewRequest, Problem, RequestView
from gatekeeper.documents.launch_token import Identity
from gatekeeper.launch.argv import Invocation
from gatekeeper.launch.attempt import attempt
from gatekeeper.workstation.keeping import save_backoff, save_token
from gatekeeper.workstation.state import TokenState, device_mark, save_high_water

if TYPE_CHECKING:
    from gatekeeper.cli.calls import Calls
    from gatekeeper.decision.obstacles import Renewal

SOURCE = str(Path(__file__).parents[2] / "src")
LOST = Unreachable(code="GK601", detail="no answer within 2 s")
PROBLEM = Problem(code="GK301", status=403, title="not approved", tool="claude", detail="no approval")
NO_GRANT = Refused(code="GK301", problem=PROBLEM)
WAITING = Refused(
    code="GK401", problem=PROBLEM.replace(code="GK401", request="R-1", request_url="https://x/R-1")
)
RUN = Invocation(tool="claude", arguments=("-p", "hello"))


class FakeCalls:
    """A service that gives the outcomes it was told, in turn, and keeps what it was asked."""

    def __init__(self, *renewals: Renewal | Callable[[], Renewal]) -> None:
        self.renewals = list(renewals)
        self.asked: list[tuple[object, ...]] = []
        self.answer = "approved"
        self.waiting: BaseException | None = None

    def renew(self, word: str, *, interactive: bool) -> Renewal:
        """Give the next outcome."""
        self.asked.append(("renew", word, interactive))
        outcome = self.renewals.pop(0)
        return outcome() if callable(outcome) else outcome

    def create_request(self, new: NewRequest, *, key: str) -> tuple[RequestView, bool]:
        """Make R-1."""
        assert len(key) >= 20
        self.asked.append(("create_request", new.tool, new.reason))
        return view("pending"), True

    def wait_for(self, request_id: str, *, timeout: float) -> RequestView:
        """Give the answer at once."""
        self.asked.append(("wait_for", request_id, timeout))
        if self.waiting is not None:
            raise self.waiting
        return view(self.answer)


def view(state: str) -> RequestView:
    """Make request R-1 in a state."""
    return RequestView(
        id="R-1",
        tool="claude",
        subject_name="ada@acme.example",
        state=state,
        reason="the release",
        duration="30d",
        zones=(),
        url="https://gk.acme.example/requests/R-1",
        created_at=NOW,
    )


def without_token() -> FakeWorld:
    """Make a workstation that holds no launch token."""
    world = make_workstation()
    del world.files[f"{PROFILE}/tokens/claude.json"]
    return world


def stale() -> FakeWorld:
    """Make a workstation whose token is past `fresh`."""
    return make_workstation(issued_at=NOW - 2 * HOUR)


def run(world: FakeWorld, calls: FakeCalls, invocation: Invocation = RUN) -> int:
    """Attempt, then finish, as `__main__` does."""
    return finish(world, invocation, attempt(world, invocation), calls=cast("Calls", calls))


def renewed(world: FakeWorld) -> Callable[[], Renewal]:
    """Renew as the client does: the token stands in the state before the outcome is returned."""

    def renew() -> Renewal:
        keep(world, TRUST.launch_token())
        save_high_water(world, PROFILE, NOW - 60)
        return Renewed()

    return renew


def test_a_renewal_launches() -> None:
    """Without a token: one renewal, then the tool with the same arguments."""
    world = without_token()
    calls = FakeCalls(renewed(world))
    with pytest.raises(Executed) as caught:
        run(world, calls)
    assert caught.value.arguments == ("claude", "-p", "hello")
    assert [one[:2] for one in calls.asked] == [("renew", "claude")]


@pytest.mark.parametrize(
    ("renewal", "status", "code"),
    [
        (NO_GRANT, 126, "GK301"),
        (WAITING, 126, "GK401"),
        (Refused(code="GK201"), 125, "GK201"),
        (Refused(code="GK307"), 126, "GK307"),
        (Untrusted(code="GK501", detail="bad"), 125, "GK501"),
        (LOST, 125, "GK601"),
        (Renewed(), 125, "GK701"),
    ],
)
def test_what_the_service_says_is_the_end(
    renewal: Renewal, status: int, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each outcome has its words on stderr, nothing on stdout, its exit status and its verdict; nothing is started."""
    world = without_token()
    calls = FakeCalls(renewal)
    assert run(world, calls, RUN.replace(result_file="/home/ada/verdict")) == status
    told = capsys.readouterr()
    assert told.out == ""
    assert code in told.err
    assert len(calls.asked) == 1
    assert "execute" not in world.names_of_calls()
    data = world.files["/home/ada/verdict"]
    assert isinstance(data, bytes)
    verdict = json.loads(data)
    assert (verdict["code"], verdict["exit"]) == (code, status)
    assert verdict["decision"] != "allow"


def test_an_executables_name_is_asked_for_by_the_tools_id() -> None:
    """The service is asked by id, also where an executable's name was typed."""
    world = make_workstation()
    expired = TRUST.launch_token(issued_at=NOW - 2 * HOUR)
    state = TokenState(
        mark=device_mark(world, PROFILE), tool="claude", executables=("claude", "cc"), token=expired
    )
    save_token(world, PROFILE, ("claude", "cc"), state)
    calls = FakeCalls(NO_GRANT)
    assert run(world, calls, Invocation(tool="cc")) == 126
    assert calls.asked[0][:2] == ("renew", "claude")


# Unreachable


def test_a_stale_token_launches_and_says_so_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    """The first launch tries and says that it could not renew; for a minute the next ones neither try nor say."""
    world = stale()

    def lost() -> Renewal:
        save_backoff(world, PROFILE, NOW + 60)
        return LOST

    calls = FakeCalls(lost)
    with pytest.raises(Executed):
        run(world, calls)
    assert capsys.readouterr().err.count("couldn't renew") == 1
    for later in (1, 59):
        world.at = NOW + later
        with pytest.raises(Executed):
            run(world, calls)
        assert capsys.readouterr().err == ""
    world.at = NOW + 60
    calls.renewals.append(LOST)
    with pytest.raises(Executed):
        run(world, calls)
    assert "couldn't renew" in capsys.readouterr().err
    assert len(calls.asked) == 2


@pytest.mark.parametrize("until", [NOW + 61, NOW + 10**6, NOW])
def test_a_stamp_of_a_clock_that_was_wrong_holds_nothing_up(until: int) -> None:
    """A stamp that lies further ahead than any that is written, or behind, is not heeded."""
    world = stale()
    save_backoff(world, PROFILE, until)
    calls = FakeCalls(renewed(world))
    with pytest.raises(Executed):
        run(world, calls)
    assert len(calls.asked) == 1


def test_whoever_has_no_token_does_not_wait_for_the_stamp() -> None:
    """The minute spares launches that go on; one that can't is tried at once."""
    world = without_token()
    save_backoff(world, PROFILE, NOW + 30)
    calls = FakeCalls(renewed(world))
    with pytest.raises(Executed):
        run(world, calls)
    assert len(calls.asked) == 1


@pytest.mark.parametrize("by", ["option", "variable"])
def test_offline_makes_no_call(by: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Offline, by option or variable: a lease that runs launches, and without one nothing is decided; the service is not asked."""
    calls = FakeCalls()
    invocation = RUN.replace(offline=by == "option", reason="a good reason", wait=True)
    variables = {"GATEKEEPER_OFFLINE": "1"} if by == "variable" else {}
    world = stale()
    world.variables |= variables
    with pytest.raises(Executed):
        run(world, calls, invocation)
    world = without_token()
    world.variables |= variables
    assert run(world, calls, invocation) == 125
    assert "GK601" in capsys.readouterr().err
    assert calls.asked == []


def test_an_interrupted_renewal_is_an_interrupted_launch() -> None:
    """Ctrl-C during a renewal goes to `__main__`, and nothing is started."""

    def interrupted() -> Renewal:
        raise KeyboardInterrupt

    world = stale()
    with pytest.raises(KeyboardInterrupt):
        run(world, FakeCalls(interrupted))
    assert "execute" not in world.names_of_calls()


# The library, the digest


def test_the_library_verifies_where_the_managed_layer_says_so() -> None:
    """`verifier = "library"` launches, through `cryptography`."""
    world = make_workstation()
    world.files[MANAGED] = managed_file(verifier="library")
    with pytest.raises(Executed):
        run(world, FakeCalls())


def real_run(workstation: RealWorkstation) -> subprocess.CompletedProcess[bytes]:
    """Run in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "gatekeeper", "run", "--offline", "claude"],
        env={**workstation.environment, "PYTHONPATH": SOURCE},
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_digest_is_made_once_and_a_changed_tool_is_refused(tmp_path: Path) -> None:
    """A token that lists digests: the tool is hashed, the digest kept by stat, and one changed byte is GK305."""
    script = "#!/bin/sh\necho started\n"
    digest = hashlib.sha256(script.encode()).hexdigest()
    identity = Identity(npm="@anthropic-ai/claude-code", sha256=(digest,))
    workstation = RealWorkstation(tmp_path, tool="echo started", identities=(identity,))
    assert workstation.script.read_text() == script
    cache = workstation.profile / "digests.json"
    for _ in range(2):
        done = real_run(workstation)
        assert (done.returncode, done.stdout) == (0, b"started\n"), done.stderr
        assert digest in cache.read_text()
    workstation.script.write_text(script.replace("started", "changed"))
    done = real_run(workstation)
    assert (done.returncode, done.stdout) == (126, b"")
    assert b"GK305" in done.stderr


# Asking and waiting


def test_a_reason_asks_where_there_is_no_approval(capsys: pytest.CaptureFixture[str]) -> None:
    """`--reason` without a grant sends one request, says so, and ends as pending."""
    calls = FakeCalls(NO_GRANT)
    assert run(without_token(), calls, RUN.replace(reason="the release")) == 126
    assert calls.asked[1:] == [("create_request", "claude", "the release")]
    told = capsys.readouterr().err
    assert "R-1" in told
    assert "GK401" in told


@pytest.mark.parametrize(
    "code", ["GK302", "GK303", "GK306", "GK307", "GK309", "GK310", "GK311", "GK401", "GK201"]
)
def test_a_reason_asks_for_nothing_else(code: str) -> None:
    """A denial, a revocation or a closed tool is not asked away by an alias that carries `--reason`."""
    calls = FakeCalls(Refused(code=code))
    run(without_token(), calls, RUN.replace(reason="the release"))
    assert [one[0] for one in calls.asked] == ["renew"]


def test_a_request_that_is_refused_is_told_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    """A reason that is too short is GK404, and 125 as for every wrong use."""

    class Strict(FakeCalls):
        def create_request(self, new: NewRequest, *, key: str) -> tuple[RequestView, bool]:
            raise ServiceRefused("GK404", "20 characters at least.")

    assert run(without_token(), Strict(NO_GRANT), RUN.replace(reason="x")) == 125
    assert "GK404" in capsys.readouterr().err


def test_waiting_ends_in_a_launch_when_the_request_is_approved() -> None:
    """`--wait` waits for the pending request, renews once more, and launches; on a terminal the bell rings."""
    world = without_token()
    world.terminals = (2,)
    calls = FakeCalls(WAITING, renewed(world))
    with pytest.raises(Executed):
        run(world, calls, RUN.replace(wait=True, wait_for=90))
    assert [one[0] for one in calls.asked] == ["renew", "wait_for", "renew"]
    assert calls.asked[1] == ("wait_for", "R-1", 90)
    assert world.errors == ["\a"]


def test_a_reason_with_wait_asks_waits_and_launches() -> None:
    """`--reason --wait` is the whole way in one command."""
    world = without_token()
    calls = FakeCalls(NO_GRANT, renewed(world))
    with pytest.raises(Executed):
        run(world, calls, RUN.replace(wait=True, reason="the release"))
    assert [one[0] for one in calls.asked] == ["renew", "create_request", "wait_for", "renew"]


def test_waiting_for_a_denial_says_denied(capsys: pytest.CaptureFixture[str]) -> None:
    """Denied while we waited: the service's own answer is shown."""
    calls = FakeCalls(WAITING, Refused(code="GK309"))
    calls.answer = "denied"
    assert run(without_token(), calls, RUN.replace(wait=True)) == 126
    assert "GK309" in capsys.readouterr().err


def test_waiting_in_vain_is_still_pending(capsys: pytest.CaptureFixture[str]) -> None:
    """After the time is over the request stays, and the launch is pending."""
    calls = FakeCalls(WAITING)
    calls.answer = "pending"
    assert run(without_token(), calls, RUN.replace(wait=True, wait_for=2)) == 126
    err = capsys.readouterr().err
    assert "R-1 is still unanswered; waited 2 s." in err
    assert "GK401" in err


def test_ctrl_c_while_waiting_keeps_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C is 130, the request is not cancelled, and the words say that it stays."""
    calls = FakeCalls(WAITING)
    calls.waiting = KeyboardInterrupt()
    assert run(without_token(), calls, RUN.replace(wait=True)) == 130
    told = capsys.readouterr().err
    assert "R-1" in told
    assert "GK902" in told
    assert [one[0] for one in calls.asked] == ["renew", "wait_for"]


def test_without_a_request_there_is_nothing_to_wait_for() -> None:
    """`--wait` without a pending request is the refusal, at once."""
    calls = FakeCalls(NO_GRANT)
    assert run(without_token(), calls, RUN.replace(wait=True)) == 126
    assert len(calls.asked) == 1


def test_a_verdict_that_cannot_be_written_is_125(capsys: pytest.CaptureFixture[str]) -> None:
    """Without the file that was asked for, the status is 125, and both the refusal and the trouble are told."""
    calls = FakeCalls(NO_GRANT)
    assert run(without_token(), calls, RUN.replace(result_file="/no/where")) == 125
    told = capsys.readouterr().err
    assert "GK301" in told
    assert "GK106" in told
