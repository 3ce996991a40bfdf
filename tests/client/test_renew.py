"""Renewal: what enters the state has been verified, what is refused has left it, what is no answer costs nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from tests.client.conftest import DIRECTORY, Configure
from tests.fakes.service import (
    DAY,
    NOW,
    Answer,
    Lie,
    RootKeys,
    ServiceSimulator,
    coded,
    cut,
    dripping,
    flipped,
    html,
    huge,
    redirect,
    slow,
    status,
)
from tests.fakes.world import FakeWorld

from gatekeeper.client.renew import renew, renew_detached, sync
from gatekeeper.client.service_errors import ServiceRefused, ServiceUnreachable
from gatekeeper.decision.obstacles import Refused, Renewed, Unreachable, Untrusted
from gatekeeper.documents.launch_token import parse_launch_token
from gatekeeper.errors import GatekeeperError, TrustError
from gatekeeper.trust.chain import ApprovalKeys, verify_launch_token
from gatekeeper.trust.library import verify_es256
from gatekeeper.trust.sign import SigningKey
from gatekeeper.workstation.keeping import list_tokens, load_backoff, renewal_lock, save_backoff
from gatekeeper.workstation.posix import PosixWorld
from gatekeeper.workstation.settings import Settings
from gatekeeper.workstation.state import (
    DeviceState,
    TokenState,
    load_device,
    load_high_water,
    load_token,
    save_high_water,
)

HOUR = 3600
CREDENTIAL_FILE = "/home/ada/.local/share/gatekeeper/credentials/default.json"
Renew = Callable[..., object]


@pytest.fixture
def run(world: FakeWorld, signed_in: Settings) -> Renew:
    """Return a renewal on ada's workstation, with the time of a slow machine."""

    def run(word: str = "claude", changed: Settings = signed_in, **options: object) -> object:
        return renew(world, changed, word, **{"timeout": 20.0, **options})  # type: ignore[arg-type]

    return run


def held(world: FakeWorld, word: str = "claude") -> TokenState:
    """Return a kept token, which must be there."""
    state = load_token(world, DIRECTORY, word)
    assert isinstance(state, TokenState)
    return state


def words(world: FakeWorld) -> set[str]:
    """Return the names under which tokens stand."""
    prefix = f"{DIRECTORY}/tokens/"
    return {path[len(prefix) : -len(".json")] for path in world.files if path.startswith(prefix)}


def ends_at(service: ServiceSimulator, state: TokenState) -> int:
    """Return a kept token's end."""
    keys = ApprovalKeys(keys=(service.approval.public,))
    verified = verify_launch_token(state.token, keys=keys, issuer=service.issuer, verify=verify_es256)
    return parse_launch_token(verified).expires_at


def both(service: ServiceSimulator, now: int, world: FakeWorld) -> None:
    """Move both clocks."""
    service.now = world.at = now


# What is granted


def test_a_token_is_kept_under_every_name(run: Renew, world: FakeWorld, service: ServiceSimulator) -> None:
    """Under the id and each executable, with this device's mark; and the high-water mark is its time."""
    assert run("cursor-agent") == Renewed()
    assert words(world) == {"cursor-agent", "agent"}
    device = load_device(world, DIRECTORY)
    assert isinstance(device, DeviceState)
    assert held(world, "agent").mark == device.mark
    assert load_high_water(world, DIRECTORY) == service.now


def test_an_executables_name_will_do(run: Renew, world: FakeWorld) -> None:
    """What the catalogue calls an executable of the tool renews the tool."""
    assert run("agent") == Renewed()
    assert held(world, "cursor-agent").tool == "cursor-agent"


def test_a_renewal_costs_one_call(run: Renew, service: ServiceSimulator, world: FakeWorld) -> None:
    """While root document, catalogue and nonce are young, renewing is one call."""
    run()
    service.calls.clear()
    both(service, NOW + 900, world)
    assert run() == Renewed()
    assert service.calls == [("POST", "/oauth/token")]


def test_the_call_says_what_it_wants(run: Renew, service: ServiceSimulator) -> None:
    """`resource`, `scope` and, where asked for, `lease`; the service keeps later ends by itself."""
    run()
    assert service.forms[-1]["resource"] == f"{service.issuer}/launch"
    assert service.forms[-1]["scope"] == "launch:claude"
    assert "lease" not in service.forms[-1]
    run(lease_for=3 * DAY)
    assert service.forms[-1]["lease"] == str(3 * DAY)


def test_the_high_water_mark_follows_the_token(
    run: Renew, service: ServiceSimulator, world: FakeWorld
) -> None:
    """Up or down: a clock that was once wrong heals with the next renewal."""
    save_high_water(world, DIRECTORY, NOW + 400 * DAY)
    assert run() == Renewed()
    assert load_high_water(world, DIRECTORY) == NOW
    service.now = NOW + 5
    run()
    assert load_high_water(world, DIRECTORY) == NOW + 5


def test_a_deleted_state_is_made_anew(run: Renew, service: ServiceSimulator, world: FakeWorld) -> None:
    """Whoever has the device key is the device: deleting the state costs a renewal, not a sign-in."""
    run()
    for path in [path for path in world.files if path.startswith(DIRECTORY)]:
        del world.files[path]
    assert run() == Renewed()
    assert held(world).tool == "claude"


def test_a_new_key_is_looked_for(run: Renew, service: ServiceSimulator, world: FakeWorld) -> None:
    """A token and a catalogue under keys that only a newer root document names: it is fetched, and they hold."""
    run()
    both(service, NOW + 2 * HOUR, world)
    service.approval = service.token_key = SigningKey.generate()
    service.policy = service.catalogue_key = SigningKey.generate()
    service.publish_root(signers=service.roots.keys)
    assert run() == Renewed()
    assert ends_at(service, held(world)) == service.now + DAY


def test_an_executable_that_moved_takes_its_name_along(
    run: Renew, service: ServiceSimulator, world: FakeWorld
) -> None:
    """A name that the catalogue no longer gives the tool keeps no token."""
    run("cursor-agent")
    both(service, NOW + 2 * HOUR, world)
    service.access["cursor"] = service.access.pop("cursor-agent")
    service.catalogue_version = 2
    assert run("cursor-agent") == Renewed()
    assert words(world) == {"cursor-agent"}


# What is refused


@pytest.mark.parametrize(
    "code",
    ["GK301", "GK302", "GK303", "GK307", "GK308", "GK309", "GK310", "GK311", "GK401", "GK403", "GK399"],
)
def test_a_refusal_deletes_the_tools_tokens(
    run: Renew, service: ServiceSimulator, world: FakeWorld, code: str
) -> None:
    """GK3xx and GK4xx: that tool's tokens under every name, the others stay; the problem comes along."""
    run("claude")
    run("cursor-agent")
    service.standing["cursor-agent"] = code
    outcome = run("agent")
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.problem is not None) == (code, True)
    assert words(world) == {"claude"}


@pytest.mark.parametrize("code", ["GK201", "GK202"])
def test_a_lost_sign_in_deletes_all_tokens(
    run: Renew, service: ServiceSimulator, world: FakeWorld, code: str
) -> None:
    """GK2xx: every token of the profile."""
    run("claude")
    run("cursor-agent")
    service.lie("/oauth/token", coded(code, 400))
    outcome = run("claude")
    assert isinstance(outcome, Refused)
    assert outcome.code == code
    assert words(world) == set()


def test_a_refusal_that_cannot_be_carried_out(
    run: Renew, service: ServiceSimulator, world: FakeWorld
) -> None:
    """A token that must go and can't is GK701, never a refusal that `--offline` could undo."""
    run()
    service.standing["claude"] = "GK307"
    world.refusing.add("remove")
    with pytest.raises(GatekeeperError) as caught:
        run()
    assert caught.value.code == "GK701"


@pytest.mark.parametrize("code", ["GK604", "GK901", "GK501", "GK100"])
def test_other_codes_are_no_refusal(
    run: Renew, service: ServiceSimulator, world: FakeWorld, code: str
) -> None:
    """A code outside GK2xx to GK4xx concerns no approval: unreachable, and the token stays."""
    run()
    service.lie("/oauth/token", coded(code, 400))
    outcome = run()
    assert isinstance(outcome, Unreachable)
    assert words(world) == {"claude"}


def test_nobody_signed_in(service: ServiceSimulator, world: FakeWorld, settings: Settings) -> None:
    """Without a sign-in: refused with GK201, and the service hears nothing."""
    assert renew(world, settings, "claude") == Refused(code="GK201")
    assert service.calls == []


def test_a_copied_state_is_refused(run: Renew, service: ServiceSimulator, world: FakeWorld) -> None:
    """On another machine the mark doesn't hold: GK204, even with a copied credential, and nothing is asked."""
    run()
    service.calls.clear()
    world.machine = "machine-two"
    assert run() == Refused(code="GK204")
    assert service.calls == []


def test_a_removed_credential_ends_what_is_held(run: Renew, world: FakeWorld) -> None:
    """Whose credential is gone for certain is signed out, tokens and all."""
    run()
    del world.files[CREDENTIAL_FILE]
    assert run() == Refused(code="GK201")
    assert words(world) == set()


def test_a_keyring_that_does_not_answer_is_unreachable(
    run: Renew, world: FakeWorld, signed_in: Settings
) -> None:
    """No keyring answers here, as over SSH: nothing is deleted, and the next minute doesn't wait for it again."""
    run()
    del world.files[CREDENTIAL_FILE]
    outcome = run("claude", signed_in.replace(credential_store="keyring"))
    assert isinstance(outcome, Unreachable)
    assert words(world) == {"claude"}
    assert load_backoff(world, DIRECTORY) == NOW + 60


# What is no answer

NO_ANSWERS: list[tuple[Lie, str]] = [
    (html, "GK602"),
    (status(500), "GK601"),
    (status(503, b'{"code":"GK307","title":"t"}'), "GK601"),
    (status(429), "GK603"),
    (coded("GK301", 429), "GK603"),
    (status(400, b'{"error":"invalid_grant"}'), "GK602"),
    (status(404), "GK602"),
    (redirect("https://evil.acme.example"), "GK602"),
    (huge, "GK602"),
    (cut, "GK602"),
    (slow(60), "GK601"),
    (dripping(0.1), "GK601"),
]


@pytest.mark.parametrize(("lie", "code"), NO_ANSWERS)
def test_no_answer_deletes_nothing(
    run: Renew, service: ServiceSimulator, world: FakeWorld, lie: Lie, code: str
) -> None:
    """Unreachable in every form: the token stays, and a stamp keeps the next launches from waiting."""
    run()
    before = held(world)
    service.lie("/oauth/token", lie)
    outcome = run(timeout=1.0)
    assert isinstance(outcome, Unreachable)
    assert outcome.code == code
    assert held(world) == before
    assert load_backoff(world, DIRECTORY) == NOW + 60


def test_a_service_that_is_gone(run: Renew, service: ServiceSimulator, world: FakeWorld) -> None:
    """A closed port is GK601, and the next minute asks nobody."""
    run()
    service.stop()
    outcome = run()
    assert isinstance(outcome, Unreachable)
    assert outcome.code == "GK601"


def test_the_back_off_spares_usable_tokens_only(
    run: Renew, service: ServiceSimulator, world: FakeWorld
) -> None:
    """For a minute a tool with a usable token isn't asked for; one that couldn't start anyway is, and so is a person's wish."""
    run()
    save_backoff(world, DIRECTORY, NOW + 60)
    service.calls.clear()
    assert isinstance(run(), Unreachable)
    assert service.calls == []
    assert run(heed_backoff=False) == Renewed()
    save_backoff(world, DIRECTORY, NOW + 60)
    assert run("cursor-agent") == Renewed()
    save_backoff(world, DIRECTORY, NOW + 60)
    world.at = NOW + 60
    assert run() == Renewed()


@pytest.mark.parametrize("unsure", ["highwater.json", "clock", "lease"])
def test_the_back_off_is_for_launches_that_go_on(
    run: Renew, service: ServiceSimulator, world: FakeWorld, unsure: str
) -> None:
    """Where a launch can't go on without a renewal (no mark, clock behind, lease over), a stamp stops nothing."""
    run()
    match unsure:
        case "clock":
            save_high_water(world, DIRECTORY, NOW + 301)
        case "lease":
            both(service, NOW + DAY, world)
        case name:
            del world.files[f"{DIRECTORY}/{name}"]
    save_backoff(world, DIRECTORY, world.at + 60)
    assert run() == Renewed()


def test_a_stamp_of_the_far_future_is_ignored(run: Renew, world: FakeWorld) -> None:
    """A stamp that no clock of ours wrote can't stop renewals for years."""
    run()
    save_backoff(world, DIRECTORY, NOW + 61)
    assert run() == Renewed()


def test_a_stamp_that_cannot_be_written_changes_nothing(
    run: Renew, service: ServiceSimulator, world: FakeWorld
) -> None:
    """On a full disk unreachable is still unreachable."""
    run()
    service.stop()
    world.refusing.add("replace")
    assert isinstance(run(), Unreachable)


def test_offline_asks_nobody(run: Renew, service: ServiceSimulator, configure: Configure) -> None:
    """GATEKEEPER_OFFLINE and --offline: no call, no stamp."""
    service.calls.clear()
    assert isinstance(run("claude", configure(offline=True)), Unreachable)
    assert service.calls == []


def test_no_pins_no_call(run: Renew, service: ServiceSimulator, configure: Configure) -> None:
    """Without trust_roots nothing is asked: GK104."""
    service.calls.clear()
    with pytest.raises(GatekeeperError) as caught:
        run("claude", configure(trust_roots=()))
    assert caught.value.code == "GK104"
    assert service.calls == []


# What is a lie


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"subject": "u_sam"}, "GK502"),
        ({"device": "d_9"}, "GK502"),
        ({"jkt": "A" * 43}, "GK502"),
        ({"client_id": "other"}, "GK502"),
        ({"issuer": "https://other.acme.example"}, "GK502"),
        ({"tool": "codex"}, "GK502"),
        ({"expires_at": NOW + 100 * DAY + 1}, "GK501"),
        ({"expires_at": NOW - 1}, "GK501"),
    ],
)
def test_a_token_for_something_else_is_not_kept(
    run: Renew, service: ServiceSimulator, world: FakeWorld, changes: dict[str, object], code: str
) -> None:
    """Well signed, and for another person, device, key, client, service or tool, or beyond its root: nothing is kept."""
    service.token_changes = changes
    outcome = run()
    assert isinstance(outcome, Untrusted)
    assert outcome.code == code
    assert words(world) == set()


def test_a_bad_signature_keeps_what_was(run: Renew, service: ServiceSimulator, world: FakeWorld) -> None:
    """Each of: a changed signature, a key of another purpose, an unknown key, another type. What was held stays."""
    run()
    before = held(world)
    service.lie(
        "/oauth/token",
        lambda answer: Answer(200, answer.body.replace(b'access_token":"ey', b'access_token":"ez')),
    )
    assert isinstance(run(), Untrusted)
    service.honest()
    for key in (service.gateway, service.policy, SigningKey.generate()):
        service.token_key = key
        outcome = run()
        assert isinstance(outcome, Untrusted)
        assert outcome.code == "GK501"
    service.token_key, service.token_typ = service.approval, "at+jwt"
    outcome = run()
    assert isinstance(outcome, Untrusted)
    assert outcome.code == "GK502"
    assert held(world) == before


def test_an_old_root_is_a_lie(run: Renew, service: ServiceSimulator, world: FakeWorld) -> None:
    """A root document of the past in the place of the next one: GK503, and no token is asked for."""
    run()
    both(service, NOW + DAY, world)
    first = service.documents[1]
    service.lie("/.well-known/gatekeeper/root/2", lambda _: Answer(200, first))
    service.calls.clear()
    outcome = run()
    assert isinstance(outcome, Untrusted)
    assert outcome.code == "GK503"
    assert service.calls_to("/oauth") == 0


def test_a_root_of_other_hands_is_a_lie(run: Renew, service: ServiceSimulator, world: FakeWorld) -> None:
    """A next root document that the known roots did not sign: GK501."""
    run()
    both(service, NOW + DAY, world)
    service.roots = RootKeys([SigningKey.generate()])
    service.publish_root(signers=service.roots.keys)
    outcome = run()
    assert isinstance(outcome, Untrusted)
    assert outcome.code == "GK501"


def test_a_frozen_root_couldnt_decide(run: Renew, service: ServiceSimulator, world: FakeWorld) -> None:
    """A service without a current root document issues nothing that counts: GK504."""
    run()
    both(service, NOW + 101 * DAY, world)
    outcome = run()
    assert isinstance(outcome, Untrusted)
    assert outcome.code == "GK504"


@pytest.mark.parametrize(
    "changes", [{"subject": "u_sam"}, {"issuer": "https://other.acme.example"}, {"version": 0}]
)
def test_a_lying_catalogue_decides_nothing(
    run: Renew, service: ServiceSimulator, world: FakeWorld, changes: dict[str, object]
) -> None:
    """A catalogue that doesn't hold, or falls, is not kept; the token that does hold is."""
    kept = world.files[f"{DIRECTORY}/catalogue.json"]
    both(service, NOW + 2 * HOUR, world)
    service.catalogue_version = 2
    service.catalogue_changes = changes
    assert run() == Renewed()
    assert world.files[f"{DIRECTORY}/catalogue.json"] == kept


def test_an_alias_needs_a_catalogue_that_says_so(
    run: Renew, service: ServiceSimulator, world: FakeWorld
) -> None:
    """Without a catalogue nobody says that `agent` is cursor-agent, so its token isn't kept under that name."""
    del world.files[f"{DIRECTORY}/catalogue.json"]
    service.lie("/v1/catalogue", status(500))
    outcome = run("agent")
    assert isinstance(outcome, Unreachable)
    assert words(world) == set()


# One renewer


def test_one_renewal_at_a_time(run: Renew, service: ServiceSimulator, world: FakeWorld) -> None:
    """While another holds the lock nothing is asked, and nothing is stamped."""
    descriptor = world.lock(renewal_lock(DIRECTORY), wait_for=0)
    service.calls.clear()
    assert isinstance(run(), Unreachable)
    assert service.calls == []
    assert load_backoff(world, DIRECTORY) == 0
    assert descriptor is not None
    world.unlock(descriptor)
    assert run() == Renewed()


def test_the_lock_is_given_back(run: Renew, service: ServiceSimulator, world: FakeWorld) -> None:
    """After success, refusal, lie and silence alike."""
    for change in ({"subject": "x"}, {}):
        service.token_changes = dict(change)
        run()
        assert world.held == {}
    service.standing["claude"] = "GK301"
    run()
    service.stop()
    run()
    assert world.held == {}


def test_who_waited_takes_what_the_other_got(
    service: ServiceSimulator, settings: Settings, configure: Configure, tmp_path: object
) -> None:
    """Of several renewals at once on a real disk, one asks; the others find its token."""
    from gatekeeper.client.signin import sign_in_with_code

    real = configure(state_directory=f"{tmp_path}/state", credential_store="memory")
    sign_in_with_code(_At(service), real, code="CODE-1", device_name="laptop")
    service.lie("/oauth/token", slow(0.4))
    before = service.calls_to("/oauth/token")
    outcomes: list[object] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(renew(_At(service), real, "claude", timeout=20)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [Renewed()] * 4
    assert service.calls_to("/oauth/token") - before <= 2  # the one, and a challenge at most


class _At(PosixWorld):
    """The real workstation at the service's time."""

    def __init__(self, service: ServiceSimulator) -> None:
        self._service = service

    def now(self) -> int:
        """Return the service's time."""
        return self._service.now


def test_a_detached_renewal_comes_once(
    run: Renew, service: ServiceSimulator, signed_in: Settings, world: FakeWorld
) -> None:
    """Behind a launch: a token younger than half of `fresh` is left alone, an older one renewed."""
    run()
    service.calls.clear()
    both(service, NOW + 450, world)
    renew_detached(world, signed_in, "claude")
    assert service.calls == []
    both(service, NOW + 451, world)
    renew_detached(world, signed_in, "claude")
    assert service.calls == [("POST", "/oauth/token")]


def test_an_unwritable_state_is_named(run: Renew, world: FakeWorld) -> None:
    """A full disk: GK701 with the file; a folder that can't be made: GK106. Never a launch on half a state."""
    world.refusing.add("replace")
    with pytest.raises(GatekeeperError) as caught:
        run()
    assert caught.value.code == "GK701"
    world.refusing = {"make_directory"}
    with pytest.raises(GatekeeperError) as caught:
        run()
    assert caught.value.code == "GK106"


# sync


def test_sync_renews_all_that_may_start(
    service: ServiceSimulator, signed_in: Settings, world: FakeWorld
) -> None:
    """What is granted, open or held; each with its outcome, and with the lease that was asked for."""
    save_backoff(world, DIRECTORY, NOW + 60)
    outcomes = sync(world, signed_in, lease_for=3 * DAY)
    assert outcomes == [("claude", Renewed()), ("cursor-agent", Renewed())]
    assert ends_at(service, held(world)) == NOW + 3 * DAY
    service.standing["claude"] = "GK307"
    by_tool = dict(sync(world, signed_in))
    assert isinstance(by_tool["claude"], Refused)
    assert words(world) == {"cursor-agent", "agent"}


def test_sync_looks_for_newer_documents(
    service: ServiceSimulator, signed_in: Settings, world: FakeWorld
) -> None:
    """Root document and catalogue are asked for, however young."""
    service.publish_root(signers=service.roots.keys)
    service.catalogue_version = 2
    service.calls.clear()
    sync(world, signed_in)
    assert service.calls_to("/.well-known/gatekeeper/root/2") == 1
    assert service.calls_to("/v1/catalogue") == 1


def test_sync_says_what_lies(service: ServiceSimulator, signed_in: Settings, world: FakeWorld) -> None:
    """A catalogue whose version falls is GK503 here: somebody is there to read it."""
    service.catalogue_version = 2
    sync(world, signed_in)
    service.catalogue_version = 1
    service.catalogue_changes = {"version": 1}
    with pytest.raises(TrustError) as caught:
        sync(world, signed_in)
    assert caught.value.code == "GK503"


def test_sync_without_service_or_sign_in(
    service: ServiceSimulator, signed_in: Settings, world: FakeWorld
) -> None:
    """Unreachable and revoked are told, and a revoked device keeps no token."""
    sync(world, signed_in)
    service.lie("/oauth/token", coded("GK202", 400))
    with pytest.raises(ServiceRefused):
        sync(world, signed_in)
    assert list_tokens(world, DIRECTORY) == []
    service.stop()
    with pytest.raises(ServiceUnreachable):
        sync(world, signed_in)
    with pytest.raises(GatekeeperError) as caught:
        sync(FakeWorld(now=NOW), signed_in)
    assert caught.value.code == "GK201"


def test_sync_gives_up_after_one_silence(
    service: ServiceSimulator, signed_in: Settings, world: FakeWorld
) -> None:
    """A service that falls silent half-way is waited for once, not once a tool."""
    sync(world, signed_in)
    launches: list[int] = []

    def silent(answer: Answer) -> Answer:
        if "resource" in service.forms[-1]:
            launches.append(1)
            return Answer(503)
        return answer

    service.lie("/oauth/token", silent)
    outcomes = sync(world, signed_in)
    assert len(launches) == 1
    assert all(isinstance(outcome, Unreachable) for _, outcome in outcomes)


def test_flipped_catalogue_is_found(service: ServiceSimulator, signed_in: Settings, world: FakeWorld) -> None:
    """A catalogue with one changed character: GK501."""
    service.catalogue_version = 2
    service.lie("/v1/catalogue", flipped)
    with pytest.raises(TrustError) as caught:
        sync(world, signed_in)
    assert caught.value.code == "GK501"
