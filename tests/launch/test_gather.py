"""From what a workstation holds to facts: everything hostile is Absent, with its reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.fakes.facts import HOUR, NOW
from tests.fakes.workstation import (
    MANAGED,
    PROFILE,
    TOOL_PATH,
    TRUST,
    Trust,
    enrol,
    keep,
    make_workstation,
    settings,
)
from tests.fakes.world import FakeWorld, Link

from gatekeeper.decision.facts import FOREIGN, NONE, OWN, Absent, Executable, Facts, NotTried, Recognised
from gatekeeper.decision.obstacles import Loop, NotInstalled, NotRecognised, WrongVersion
from gatekeeper.documents.launch_token import Exclusion, Identity, LaunchToken
from gatekeeper.errors import GatekeeperError
from gatekeeper.launch.argv import Invocation
from gatekeeper.launch.attempt import gather
from gatekeeper.strict import render_json
from gatekeeper.trust.p256_plain import verify_es256
from gatekeeper.workstation.keeping import RootState, save_device, save_root, save_token
from gatekeeper.workstation.settings import Settings
from gatekeeper.workstation.state import TokenState, device_mark, load_device


def facts_of(world: FakeWorld, word: str = "claude", *, how: Settings | None = None) -> Facts:
    """Gather with the real verification."""
    return gather(world, Invocation(tool=word), how or settings(), NotTried(), verify_es256)


def test_everything_in_order_gives_every_fact() -> None:
    """On a workstation in order each fact is positive, and the newest signature is the token's."""
    facts = facts_of(make_workstation())
    assert facts.state == OWN
    assert not isinstance(facts.root, Absent)
    assert facts.root.version == 1
    assert isinstance(facts.token, LaunchToken)
    assert facts.token == TRUST.claims()
    assert facts.executable == Executable(
        found="/usr/bin/claude", path=TOOL_PATH, npm="@anthropic-ai/claude-code", version="2.1.3"
    )
    assert isinstance(facts.match, Recognised)
    assert facts.exclusion is None
    assert (facts.now, facts.high_water, facts.newest_signed_at) == (NOW, NOW - 60, NOW - 60)


def test_gathering_writes_nothing_and_starts_nothing() -> None:
    """Of all calls none changes anything."""
    world = make_workstation()
    facts_of(world)
    changing = {"replace", "remove", "make_directory", "lock", "unlock", "detach", "execute", "write_error"}
    assert not changing & set(world.names_of_calls())


def resign(world: FakeWorld, **changes: object) -> None:
    """Keep another token."""
    keep(world, TRUST.launch_token(**changes))


def other_root(world: FakeWorld) -> None:
    """Keep the root document of another service's key."""
    documents = (Trust().root_document(),)
    save_root(
        world, PROFILE, RootState(pins=(TRUST.root_key.kid,), threshold=1, documents=documents, fetched_at=1)
    )


def rebrand(world: FakeWorld, **changes: object) -> None:
    """Change the enrolment."""
    device = load_device(world, PROFILE)
    assert not isinstance(device, Absent)
    save_device(world, PROFILE, device.replace(**changes))


def tampered(world: FakeWorld) -> None:
    """Change one byte of the token's payload."""
    signed = TRUST.launch_token()
    middle = signed.index(b".") + 40
    keep(
        world,
        signed[:middle] + (b"A" if signed[middle : middle + 1] != b"A" else b"B") + signed[middle + 1 :],
    )


def of_another_machine(world: FakeWorld) -> None:
    """Keep a token that carries another mark."""
    state = TokenState(mark="other", tool="claude", executables=("claude",), token=TRUST.launch_token())
    save_token(world, PROFILE, ("claude",), state)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (tampered, "GK501"),
        (lambda w: keep(w, Trust().launch_token()), "GK501"),
        (lambda w: keep(w, b"not.a.token"), "GK501"),
        (lambda w: resign(w, issuer="https://other.acme.example"), "GK502"),
        (lambda w: resign(w, jkt=Trust().device_key.kid), "GK502"),
        (lambda w: resign(w, tool="codex"), "GK502"),
        (of_another_machine, "GK204"),
        (other_root, ""),
        (lambda w: w.files.pop(f"{PROFILE}/highwater.json"), ""),
        (lambda w: w.files.pop(f"{PROFILE}/device.json"), ""),
        (lambda w: w.files.pop(f"{PROFILE}/tokens/claude.json"), ""),
        (lambda w: w.files.update({f"{PROFILE}/tokens/claude.json": b"{"}), "GK701"),
        (lambda w: rebrand(w, issuer="https://other.acme.example"), ""),
        (lambda w: rebrand(w, mark="other"), "GK204"),
        (lambda w: rebrand(w, jkt="other"), "GK502"),
        (lambda w: setattr(w, "machine", "machine-two"), "GK204"),
    ],
)
def test_a_token_that_proves_nothing_is_absent(spoil: Callable[[FakeWorld], object], code: str) -> None:
    """Tampered, foreign, for another key, service or tool, without time, enrolment or root: no token, and a code where one helps."""
    world = make_workstation()
    spoil(world)
    facts = facts_of(world)
    assert isinstance(facts.token, Absent)
    assert facts.token.code == code
    assert facts.match is None


@pytest.mark.parametrize(
    ("spoil", "state"),
    [
        (lambda w: w.files.pop(f"{PROFILE}/device.json"), NONE),
        (lambda w: w.files.update({f"{PROFILE}/device.json": b"{"}), NONE),
        (lambda w: rebrand(w, issuer="https://other.acme.example"), NONE),
        (lambda w: setattr(w, "machine", "machine-two"), FOREIGN),
        (lambda w: w.inodes.update({PROFILE: 4_711}), FOREIGN),
    ],
)
def test_whose_state_it_is(spoil: Callable[[FakeWorld], object], state: str) -> None:
    """No enrolment with this service is nobody's; an enrolment of another machine or folder is foreign."""
    world = make_workstation()
    spoil(world)
    assert facts_of(world).state == state


def test_a_copied_state_directory_is_foreign() -> None:
    """`cp -a` of the whole state to another folder launches nothing."""
    world = make_workstation()
    copy = "/home/ada/copy/profiles/default"
    for path, data in list(world.files.items()):
        if path.startswith(PROFILE):
            world.files[copy + path.removeprefix(PROFILE)] = data
    facts = facts_of(world, how=settings(state_directory="/home/ada/copy"))
    assert facts.state == FOREIGN
    assert isinstance(facts.token, Absent)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (settings(trust_roots=(Trust().root_key.kid,)), "GK505"),
        (settings(trust_roots=(TRUST.root_key.kid, Trust().root_key.kid), trust_threshold=2), "GK505"),
        (settings(min_root_version=2), "GK503"),
    ],
)
def test_only_the_configured_pins_count(how: Settings, code: str) -> None:
    """Pins that no longer hold, a threshold not met, a version that is too low: the kept root is absent, whatever the state says."""
    facts = facts_of(make_workstation(), how=how)
    assert isinstance(facts.root, Absent)
    assert facts.root.code == code
    assert isinstance(facts.token, Absent)


@pytest.mark.parametrize(
    ("how", "code"), [(settings(trust_roots=()), "GK104"), (settings(service=""), "GK101")]
)
def test_without_a_service_or_a_pin_nothing_is_judged(how: Settings, code: str) -> None:
    """Trust is never made up on first use."""
    with pytest.raises(GatekeeperError) as caught:
        facts_of(make_workstation(), how=how)
    assert caught.value.code == code


def test_an_expired_token_is_a_fact_and_not_absent() -> None:
    """Age is judged by `decide`, so an old token is handed on."""
    world = make_workstation(
        issued_at=NOW - 99 * HOUR, not_before=NOW - 99 * HOUR, expires_at=NOW - 75 * HOUR
    )
    assert isinstance(facts_of(world).token, LaunchToken)


def with_shim(world: FakeWorld) -> None:
    """Leave only a shim of ours on PATH, outside its directory."""
    world.files.pop("/usr/bin/claude")
    world.add_executable("/usr/bin/claude", b"#!/usr/bin/python3 -IS\n# gatekeeper-shim\n")


def copied(world: FakeWorld) -> None:
    """Copy the tool away from its package."""
    world.files.pop("/usr/bin/claude")
    world.add_executable("/usr/bin/claude")


def upgraded(world: FakeWorld) -> None:
    """Install the next major version."""
    package = {"name": "@anthropic-ai/claude-code", "version": "3.0.0", "bin": {"claude": "cli.js"}}
    world.files[TOOL_PATH.replace("cli.js", "package.json")] = render_json(package)


@pytest.mark.parametrize(
    ("change", "executable", "match"),
    [
        (lambda w: w.files.pop("/usr/bin/claude"), NotInstalled, type(None)),
        (with_shim, Loop, type(None)),
        (copied, Executable, NotRecognised),
        (upgraded, Executable, WrongVersion),
    ],
)
def test_what_path_holds(change: Callable[[FakeWorld], object], executable: type, match: type) -> None:
    """Nothing, a shim, a copy and another version are told apart."""
    world = make_workstation()
    change(world)
    facts = facts_of(world)
    assert isinstance(facts.executable, executable)
    assert isinstance(facts.match, match)


def test_an_id_finds_any_of_its_executables_and_an_executable_itself() -> None:
    """The tool's id stands for its executables in order; the name of one stands for that one alone."""
    world = make_workstation()
    state = TokenState(
        mark=device_mark(world, PROFILE),
        tool="claude",
        executables=("claude-code", "claude"),
        token=TRUST.launch_token(),
    )
    save_token(world, PROFILE, ("claude", "claude-code"), state)
    by_id = facts_of(world).executable
    assert isinstance(by_id, Executable)
    assert by_id.found == "/usr/bin/claude"
    assert facts_of(world, "claude-code").executable == NotInstalled(names=("claude-code",))


def test_a_copied_file_of_the_state_gives_a_tool_no_second_name() -> None:
    """A token file copied to another name is no token."""
    world = make_workstation()
    world.files[f"{PROFILE}/tokens/notclaude.json"] = world.files[f"{PROFILE}/tokens/claude.json"]
    world.files["/usr/bin/notclaude"] = Link(TOOL_PATH)
    assert isinstance(facts_of(world, "notclaude").token, Absent)


def in_repository(world: FakeWorld, url: str) -> None:
    """Make the working directory a clone of `url`."""
    world.files["/home/ada/.git/HEAD"] = b"ref: refs/heads/main\n"
    world.files["/home/ada/.git/config"] = f'[remote "origin"]\n\turl = {url}\n'.encode()
    world.make_directory("/home/ada/.git/objects")
    world.make_directory("/home/ada/.git/refs")


def test_an_excluded_repository_is_a_fact() -> None:
    """The repository of the working directory is compared with the token's exclusions, by its canonical remote."""
    rule = Exclusion(pattern="github.com/acme/crown/**", rule="zone:crown")
    world = make_workstation(exclude=(rule,))
    assert facts_of(world).exclusion is None
    in_repository(world, "git@github.com:acme/crown/jewels.git")
    assert facts_of(world).exclusion == rule


def test_without_a_working_directory_nothing_is_judged() -> None:
    """A working directory that was removed is GK106, not «no repository»."""
    world = make_workstation()
    world.refusing.add("working_directory")
    with pytest.raises(GatekeeperError) as caught:
        facts_of(world)
    assert caught.value.code == "GK106"


def test_a_cached_digest_counts_for_the_very_same_file_alone() -> None:
    """A digest is found by everything that changes when a file does; after a change it is unknown again."""
    from gatekeeper.decision.obstacles import DigestNeeded
    from gatekeeper.workstation.keeping import save_digest

    digest = "ab" * 32
    world = make_workstation(identities=(Identity(sha256=(digest,)),))
    assert isinstance(facts_of(world).match, DigestNeeded)
    save_digest(world, PROFILE, world.stat(TOOL_PATH), digest)
    assert isinstance(facts_of(world).match, Recognised)
    world.changes[TOOL_PATH] = 1
    assert isinstance(facts_of(world).match, DigestNeeded)


def test_each_profile_has_its_own_state() -> None:
    """What is kept for one profile says nothing in another."""
    world = make_workstation()
    facts = facts_of(world, how=settings(profile="team"))
    assert facts.state == NONE
    assert isinstance(facts.token, Absent)
    enrol(world, PROFILE.replace("default", "team"))
    assert facts_of(world, how=settings(profile="team")).state == OWN
    assert MANAGED in world.files
