"""The story of one launch, and the property that carries it: what fails launches nothing."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.facts import HOUR, NOW
from tests.fakes.workstation import (
    MANAGED,
    PROFILE,
    TOOL_PATH,
    TRUST,
    Trust,
    keep,
    make_workstation,
    managed_file,
    settings,
)
from tests.fakes.world import Executed, FakeWorld

from gatekeeper.codes import CODES
from gatekeeper.decision.facts import Allow, Facts
from gatekeeper.decision.obstacles import Refused, Renewed, Unreachable, Untrusted
from gatekeeper.documents.launch_token import TYP, Exclusion, Identity, LaunchChanges
from gatekeeper.documents.launch_token_rendered import render_launch_token
from gatekeeper.errors import GatekeeperError
from gatekeeper.launch.argv import Invocation
from gatekeeper.launch.attempt import CONFIGURATION, DIGEST, LIBRARY, attempt, judge
from gatekeeper.launch.stopped import Decided, NotWarm
from gatekeeper.strict import b64url_encode, render_json
from gatekeeper.trust.library import verify_es256 as by_library
from gatekeeper.trust.p256 import TABLE_BYTES
from gatekeeper.trust.p256_plain import verify_es256
from gatekeeper.trust.sign import sign_token
from gatekeeper.workstation.state import load_high_water
from gatekeeper.workstation.tables import keep_tables

RUN = Invocation(tool="claude", arguments=("--version",))
LOST = Unreachable(code="GK601", detail="no answer")


def launched(world: FakeWorld, invocation: Invocation = RUN, **how: object) -> Executed:
    """Attempt what must launch."""
    with pytest.raises(Executed) as caught:
        attempt(world, invocation, **how)  # type: ignore[arg-type]
    return caught.value


def stopped(world: FakeWorld, invocation: Invocation = RUN, **how: object) -> NotWarm | Decided:
    """Attempt what must not launch."""
    outcome = attempt(world, invocation, **how)  # type: ignore[arg-type]
    assert "execute" not in world.names_of_calls()
    return outcome


def code_of(outcome: NotWarm | Decided) -> str:
    """Return the code of a decision against a launch."""
    assert isinstance(outcome, Decided)
    assert not isinstance(outcome.decision, Allow)
    return outcome.decision.code


def test_a_fresh_token_launches_without_network_lock_or_renewal() -> None:
    """The tool is what PATH names, with the typed word and the person's arguments, in the same environment."""
    world = make_workstation()
    done = launched(world)
    assert done.path == "/usr/bin/claude"
    assert done.arguments == ("claude", "--version")
    assert done.environment == world.variables
    assert not {"lock", "detach", "write_error"} & set(world.names_of_calls())


def test_the_token_says_what_changes() -> None:
    """Removed and set variables and arguments of the token's `launch` reach the tool, and nothing else changes."""
    changes = LaunchChanges(
        env_unset=("ANTHROPIC_BASE_URL",), env_set=(("DISABLE_AUTOUPDATER", "1"),), args_prepend=("--safe",)
    )
    world = make_workstation(launch=changes)
    world.variables["ANTHROPIC_BASE_URL"] = "https://elsewhere.acme.example"
    done = launched(world)
    assert done.arguments == ("claude", "--safe", "--version")
    assert done.environment == {"HOME": "/home/ada", "PATH": "/usr/bin", "DISABLE_AUTOUPDATER": "1"}


def calls_of_a_launch(prepare: Callable[[], tuple[FakeWorld, Invocation, dict[str, object]]]) -> int:
    """Count the calls of a launch, execute left out."""
    world, invocation, how = prepare()
    launched(world, invocation, **how)
    assert world.names_of_calls()[-1] == "execute"
    return len(world.calls) - 1


def plain() -> tuple[FakeWorld, Invocation, dict[str, object]]:
    """Prepare a warm launch, in a repository, as a person has it."""
    world = make_workstation(exclude=(Exclusion(pattern="github.com/acme/crown/**", rule="zone:crown"),))
    world.files["/home/ada/.git/HEAD"] = b"ref: refs/heads/main\n"
    world.files["/home/ada/.git/config"] = b'[remote "origin"]\n\turl = git@github.com:acme/web.git\n'
    world.make_directory("/home/ada/.git/objects")
    world.make_directory("/home/ada/.git/refs")
    world.calls.clear()
    return world, RUN, {}


def half_fresh_with_result() -> tuple[FakeWorld, Invocation, dict[str, object]]:
    """Prepare a launch that writes a verdict and starts a renewal."""
    world = make_workstation(issued_at=NOW - 600)
    world.files["/home/ada/verdict.json"] = b"old"
    return world, RUN.replace(result_file="/home/ada/verdict.json", program="/usr/local/bin/gatekeeper"), {}


def stale_unreachable() -> tuple[FakeWorld, Invocation, dict[str, object]]:
    """Prepare a launch whose token could not be renewed."""
    world = make_workstation(issued_at=NOW - 2 * HOUR)
    return world, RUN, {"renewal": LOST, "announce": lambda *_: world.write_error("lost")}


def excluding_nothing() -> tuple[FakeWorld, Invocation, dict[str, object]]:
    """Prepare a launch that is allowed everywhere, where an unreadable repository would do no harm."""
    return make_workstation(), RUN, {}


@cache
def kept_tables() -> dict[str, bytes]:
    """Make the tables that a renewal keeps, once."""
    world = FakeWorld()
    keep_tables(world, PROFILE, (TRUST.approval.public, TRUST.root_key.public))
    return {path: data for path, data in world.files.items() if isinstance(data, bytes)}


def own_pins_with_tables() -> tuple[FakeWorld, Invocation, dict[str, object]]:
    """Prepare a launch under pins of the person's own, with the tables that a renewal keeps."""
    world = make_workstation()
    world.files.update(kept_tables())
    world.calls.clear()
    return world, RUN, {"settings": settings(managed=False), "verify": None}


STORIES = (plain, half_fresh_with_result, stale_unreachable, excluding_nothing, own_pins_with_tables)


@pytest.mark.parametrize("prepare", STORIES)
@pytest.mark.parametrize("failure", [errno.EIO, errno.EACCES, errno.ENOENT, errno.ENOSPC, errno.EMFILE])
def test_whatever_call_fails_nothing_is_launched(
    prepare: Callable[[], tuple[FakeWorld, Invocation, dict[str, object]]], failure: int
) -> None:
    """For each call of a launch: if it raises, the tool isn't started, and a decision or an error with a code says why.

    Exceptions, each for what the failing call was about: a high-water mark that can't be written (a young token
    launches), files whose absence is ordinary (ENOENT and EACCES of what needn't be there), and tables, without
    which signatures are computed as if there were none.
    """
    for number in range(calls_of_a_launch(prepare)):
        world, invocation, how = prepare()
        world.fail_at, world.failure = number, failure
        told = "launched"
        try:
            outcome = attempt(world, invocation, **{"verify": by_library, **how})  # type: ignore[arg-type]
            told = outcome.reason if isinstance(outcome, NotWarm) else code_of(outcome)
        except Executed:
            pass
        except GatekeeperError as error:
            told = error.code
        failed = world.calls[number]
        if told == "launched":
            assert may_be_missing(failed, failure, excludes=prepare is plain), (
                f"launched although {failed} failed"
            )
        else:
            assert "execute" not in world.names_of_calls()
            assert told.startswith("GK") == (told in CODES)


def may_be_missing(call: tuple[str, ...], failure: int, *, excludes: bool) -> bool:
    """Say whether a launch may go on although this call failed so."""
    name, *arguments = call
    path = arguments[0] if arguments else ""
    if path.startswith(f"{PROFILE}/tables/"):
        return True
    if path == f"{PROFILE}/highwater.json" or (name, path) == ("make_directory", PROFILE):
        return name in {"replace", "make_directory"}
    if failure == errno.EACCES and excludes and path.startswith(("/home/ada/.git", "/home/ada/HEAD")):
        return False  # a repository that can't be read counts as excluded
    reading = {"stat", "open_read", "readlink", "listdir"}
    needed = {MANAGED, *(f"{PROFILE}/{part}" for part in ("device.json", "root.json", "tokens/claude.json"))}
    return failure in {errno.ENOENT, errno.EACCES} and name in reading and path not in needed


def forged_tables(world: FakeWorld) -> bytes:
    """Put another key's points under the approval key's name, as who may write the folder can. Return that key's token."""
    other = Trust()
    keep_tables(world, PROFILE, (TRUST.approval.public, TRUST.root_key.public, other.approval.public))
    ours, theirs = (f"{PROFILE}/tables/{trust.approval.public.x.hex()}.p256" for trust in (TRUST, other))
    good, bad = world.files[ours], world.files[theirs]
    assert isinstance(good, bytes)
    assert isinstance(bad, bytes)
    world.files[ours] = good[:-TABLE_BYTES] + bad[-TABLE_BYTES:]
    claims = render_launch_token(TRUST.claims())
    segments = sign_token(other.approval, typ=TYP, claims=claims).split(".")
    header = b64url_encode(render_json({"alg": "ES256", "typ": TYP, "kid": TRUST.approval.public.kid}))
    signature = other.approval.sign(f"{header}.{segments[1]}".encode())
    return f"{header}.{segments[1]}.{b64url_encode(signature)}".encode()


def test_under_managed_pins_no_table_of_the_person_counts() -> None:
    """A forged table launches nothing there, since it isn't even looked for."""
    world = make_workstation()
    keep(world, forged_tables(world))
    world.calls.clear()
    outcome = stopped(world)
    assert isinstance(outcome, NotWarm)
    assert not [call for call in world.calls if "tables" in " ".join(call)]


def test_beside_own_pins_tables_count_from_this_account_alone() -> None:
    """Who may write them could change the pins as well; a table of another account proves nothing."""
    world = make_workstation()
    keep(world, forged_tables(world))
    launched(world, settings=settings(managed=False))
    world.owners[f"{PROFILE}/tables/{TRUST.approval.public.x.hex()}.p256"] = world.uid + 1
    world.calls.clear()
    assert isinstance(stopped(world, settings=settings(managed=False)), NotWarm)


@pytest.mark.parametrize("age", [60, 899, 900, 2 * HOUR])
def test_a_mark_that_cannot_be_written_stops_an_old_token_alone(age: int) -> None:
    """On a full disk a token younger than `fresh` launches; an older one doesn't, and GK701 names the file."""
    world = make_workstation(issued_at=NOW - age)
    world.refusing.add("replace")
    world.files[f"{PROFILE}/highwater.json"] = b'{"schema":1,"at":%d}' % (NOW - 600)
    if age < 900:
        launched(world)
        return
    with pytest.raises(GatekeeperError) as caught:
        attempt(world, RUN, renewal=LOST)
    assert caught.value.code == "GK701"
    assert "highwater.json" in caught.value.detail


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: w.files.pop(f"{PROFILE}/device.json"), "no state"),
        (lambda w: w.files.pop(f"{PROFILE}/highwater.json"), "no state"),
        (lambda w: w.files.pop(f"{PROFILE}/root.json"), "no root document"),
        (lambda w: w.files.pop(f"{PROFILE}/tokens/claude.json"), "no token"),
        (lambda w: keep(w, TRUST.launch_token(issued_at=NOW - 901)), "stale"),
        (lambda w: keep(w, Trust().launch_token()), "no token"),
        (lambda w: setattr(w, "at", NOW - HOUR), "clock behind"),
        (lambda w: setattr(w, "at", NOW + 101 * 24 * HOUR), "root document expired"),
    ],
)
def test_what_needs_the_service_is_not_warm(change: Callable[[FakeWorld], object], reason: str) -> None:
    """Each reason for a renewal ends the warm story before anything is decided."""
    world = make_workstation()
    change(world)
    outcome = stopped(world)
    assert isinstance(outcome, NotWarm)
    assert outcome.reason == reason


def test_the_library_as_verifier_is_not_warm() -> None:
    """`verifier = "library"` never uses our own arithmetic, and the library is not loaded here."""
    world = make_workstation()
    world.files[MANAGED] = managed_file(verifier="library")
    outcome = stopped(world)
    assert isinstance(outcome, NotWarm)
    assert outcome.reason == LIBRARY
    launched(world, settings=outcome.settings, verify=verify_es256)


def test_an_unparsed_configuration_is_not_warm() -> None:
    """A TOML file without a snapshot is parsed by the cold half."""
    world = make_workstation()
    world.files["/home/ada/.config/gatekeeper/config.toml"] = b'credential_store = "file"\n'
    assert stopped(world) == NotWarm(reason=CONFIGURATION)


def test_an_unknown_digest_is_not_warm() -> None:
    """Hashing is the cold half's; the facts say what is to be hashed."""
    world = make_workstation(identities=(Identity(sha256=("0" * 64,)),))
    outcome = stopped(world)
    assert isinstance(outcome, NotWarm)
    assert outcome.reason == DIGEST
    assert outcome.facts is not None


@pytest.mark.parametrize(
    ("renewal", "code"),
    [
        (Refused(code="GK307"), "GK307"),
        (Refused(code="GK401"), "GK401"),
        (Untrusted(code="GK501", detail="bad"), "GK501"),
    ],
)
def test_what_the_service_said_counts_more_than_what_is_held(renewal: Refused | Untrusted, code: str) -> None:
    """A valid token in the state doesn't launch against the service's word."""
    assert code_of(stopped(make_workstation(), renewal=renewal)) == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda w: w.files.pop("/usr/bin/claude"), "GK801"),
        (lambda w: setattr(w, "machine", "machine-two"), "GK204"),
        (lambda w: keep(w, TRUST.launch_token(confine="container")), "GK804"),
        (lambda w: keep(w, TRUST.launch_token(grant_ends=NOW - 1)), "GK308"),
        (lambda w: keep(w, TRUST.launch_token(locations=("github.com/acme/*",))), "GK306"),
    ],
)
def test_decisions_against_a_launch(change: Callable[[FakeWorld], object], code: str) -> None:
    """Each refusal comes out with its own code, and nothing is started."""
    world = make_workstation()
    change(world)
    assert code_of(stopped(world)) == code


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.files.pop(f"{PROFILE}/highwater.json"),
        lambda w: w.files.pop(f"{PROFILE}/device.json"),
        lambda w: w.files.pop(f"{PROFILE}/root.json"),
        lambda w: w.files.pop(f"{PROFILE}/tokens/claude.json"),
        lambda w: setattr(w, "at", NOW + 25 * HOUR),
    ],
)
def test_without_the_service_only_a_proven_token_launches(change: Callable[[FakeWorld], object]) -> None:
    """Nothing of the state may be missing where the service can't be asked, the latest time seen least of all."""
    world = make_workstation()
    change(world)
    assert code_of(stopped(world, renewal=LOST)) == "GK601"


@given(st.integers(-30 * 24 * HOUR, 0))
def test_a_clock_turned_back_never_revives_a_lease(shift: int) -> None:
    """After the lease, whatever time the clock then shows, an unreachable service means no launch."""
    world = make_workstation(issued_at=NOW - 25 * HOUR, not_before=NOW - 26 * HOUR, expires_at=NOW - HOUR)
    world.files[f"{PROFILE}/highwater.json"] = b'{"schema":1,"at":%d}' % NOW
    world.at = NOW + shift
    assert code_of(stopped(world, renewal=LOST)) in {"GK601", "GK702"}


def test_a_launch_without_the_service_is_announced_first() -> None:
    """The announcement comes before the tool, once; a launch that needs none makes none."""
    said: list[str] = []

    def announce(allow: Allow, _facts: Facts) -> None:
        assert "execute" not in world.names_of_calls()
        assert allow.unreachable == LOST
        said.append("lost")

    world = make_workstation(issued_at=NOW - 2 * HOUR)
    launched(world, renewal=LOST, announce=announce)
    world = make_workstation()
    launched(world, renewal=Renewed(), announce=announce)
    assert said == ["lost"]


def test_each_launch_raises_the_latest_time_seen() -> None:
    """The mark follows the clock, so that turning it back is noticed."""
    world = make_workstation()
    world.at = NOW + 300
    launched(world)
    assert load_high_water(world, PROFILE) == NOW + 300


def test_judging_launches_nothing_and_writes_nothing() -> None:
    """`judge` gives the decision of a launch and has no effect."""
    world = make_workstation()
    judged = judge(world, RUN, settings(), Renewed(), verify_es256)
    assert not isinstance(judged, NotWarm)
    assert isinstance(judged[0], Allow)
    assert not {"replace", "make_directory", "detach", "execute"} & set(world.names_of_calls())


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({MANAGED: b"{"}, "GK101"),
        ({MANAGED: b'{"service":"https://gk.acme.example"}'}, "GK104"),
        ({MANAGED: b"{}"}, "GK101"),
    ],
)
def test_a_managed_file_never_falls_open(files: dict[str, bytes], code: str) -> None:
    """Malformed, without pins, without a service: an error, whatever the state holds."""
    world = make_workstation()
    world.files.update(files)
    with pytest.raises(GatekeeperError) as caught:
        attempt(world, RUN)
    assert caught.value.code == code
    assert "execute" not in world.names_of_calls()


def test_one_changed_byte_of_what_is_kept_never_launches_more() -> None:
    """Whatever single byte of the state, the package's metadata or the tool's link changes, no other program is started."""
    world = make_workstation()
    for path in [p for p in world.files if p.startswith(PROFILE) or p.endswith("package.json")]:
        good = world.files[path]
        assert isinstance(good, bytes)
        for at in range(0, len(good), max(1, len(good) // 40)):
            world = make_workstation()
            world.files[path] = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
            try:
                attempt(world, RUN, verify=by_library)
            except Executed as done:
                assert done.path == "/usr/bin/claude"  # noqa: PT017
                assert world.realpath(done.path) == TOOL_PATH  # noqa: PT017
            except GatekeeperError:
                continue
