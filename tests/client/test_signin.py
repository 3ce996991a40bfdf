"""Signing in: nothing is sent before the pins hold, nothing is lost where something goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from tests.client.conftest import DIRECTORY, Configure
from tests.fakes.service import (
    DAY,
    NOW,
    Lie,
    RootKeys,
    ServiceSimulator,
    coded,
    cut,
    flipped,
    forever_nonce,
    html,
    huge,
    status,
)
from tests.fakes.world import FakeWorld

from gatekeeper.client.credentials import Credential, load_credential
from gatekeeper.client.service_errors import ServiceRefused, ServiceUnreachable
from gatekeeper.client.signin import sign_in_again, sign_in_with_code, sign_out
from gatekeeper.errors import GatekeeperError, TrustError
from gatekeeper.trust.sign import SigningKey
from gatekeeper.workstation.keeping import (
    RootState,
    list_tokens,
    load_root,
    save_backoff,
    save_device,
    save_token,
)
from gatekeeper.workstation.settings import Settings
from gatekeeper.workstation.state import DeviceState, TokenState, device_mark, load_device, load_high_water

FILE = "/home/ada/.local/share/gatekeeper/credentials/default.json"
WRITES = ("replace", "remove", "make_directory", "lock")
SignIn = Callable[..., object]


@pytest.fixture
def sign_in(world: FakeWorld, settings: Settings) -> SignIn:
    """Return signing in on this workstation."""
    return lambda code="CODE-1", changed=settings: sign_in_with_code(
        world, changed, code=code, device_name="laptop"
    )


def credential(world: FakeWorld, settings: Settings) -> Credential:
    """Return the kept credential, which must be there."""
    kept = load_credential(world, settings)
    assert kept is not None
    return kept


def device(world: FakeWorld) -> DeviceState:
    """Return the device state, which must be there."""
    kept = load_device(world, DIRECTORY)
    assert isinstance(kept, DeviceState)
    return kept


def test_a_code_makes_a_device(service: ServiceSimulator, world: FakeWorld, settings: Settings) -> None:
    """The device is enrolled under a key made here; credential, device state and catalogue stand, and agree."""
    done = sign_in_with_code(world, settings, code=" CODE-1 ", device_name="laptop")
    kept, state = credential(world, settings), device(world)
    assert done.stored is not None
    assert (done.name, done.device, done.stored.where) == ("ada@acme.example", "d_1", "file")
    assert (done.catalogue_missing, done.stored.path) == ("", FILE)
    assert kept.refresh_token == f"refresh-{state.jkt}"
    assert kept.pending_jwk == ""
    assert service.devices == {state.jkt: "d_1"}
    assert state.mark == device_mark(world, DIRECTORY)
    assert load_high_water(world, DIRECTORY) == NOW
    assert f"{DIRECTORY}/catalogue.json" in world.files


def test_the_private_key_is_never_sent(
    service: ServiceSimulator, sign_in: SignIn, world: FakeWorld, settings: Settings
) -> None:
    """The form of the code holds the code, the client and the device's name, and nothing else."""
    sign_in()
    assert set(service.forms[0]) == {"client_id", "grant_type", "code", "device_name"}


@pytest.mark.parametrize("lie", [flipped, html, status(500), huge, cut])
def test_the_code_is_sent_to_no_service_that_does_not_prove_itself(
    service: ServiceSimulator, sign_in: SignIn, world: FakeWorld, lie: Lie
) -> None:
    """Without a root document that the pins accept, the code stays here and nothing is written."""
    service.lie("/.well-known", lie)
    with pytest.raises((TrustError, ServiceUnreachable)):
        sign_in()
    assert service.calls_to("/oauth") == 0
    assert FILE not in world.files


def test_other_pins_keep_the_code(service: ServiceSimulator, sign_in: SignIn, configure: Configure) -> None:
    """A service whose root is another's never sees the code: GK505."""
    with pytest.raises(TrustError) as caught:
        sign_in("CODE-1", configure(trust_roots=(SigningKey.generate().kid,)))
    assert caught.value.code == "GK505"
    assert service.calls_to("/oauth") == 0


def test_an_expired_root_keeps_the_code(service: ServiceSimulator, sign_in: SignIn, world: FakeWorld) -> None:
    """A frozen list of keys proves nothing: GK504, and the code stays here."""
    world.at += 101 * DAY
    with pytest.raises(TrustError) as caught:
        sign_in()
    assert caught.value.code == "GK504"
    assert service.calls_to("/oauth") == 0


def test_no_place_for_the_key_keeps_the_code(
    service: ServiceSimulator, sign_in: SignIn, configure: Configure
) -> None:
    """Where the device key can't be stored the code is not used up: GK205."""
    with pytest.raises(GatekeeperError) as caught:
        sign_in("CODE-1", configure(allow_file_store=False))
    assert caught.value.code == "GK205"
    assert service.calls_to("/oauth") == 0


@pytest.mark.parametrize(("changes", "code"), [({"trust_roots": ()}, "GK104"), ({"service": ""}, "GK101")])
def test_configuration_comes_first(
    service: ServiceSimulator, sign_in: SignIn, configure: Configure, changes: dict[str, object], code: str
) -> None:
    """Without pins or a service nothing is asked at all."""
    with pytest.raises(GatekeeperError) as caught:
        sign_in("CODE-1", configure(**changes))
    assert caught.value.code == code
    assert service.calls == []


@pytest.mark.parametrize(
    ("code", "name"), [("", "laptop"), ("  ", "laptop"), ("CODE-1", ""), ("C" * 300, "x")]
)
def test_an_impossible_code_is_a_usage_error(
    world: FakeWorld, settings: Settings, service: ServiceSimulator, code: str, name: str
) -> None:
    """GK100, before anything is asked."""
    with pytest.raises(GatekeeperError) as caught:
        sign_in_with_code(world, settings, code=code, device_name=name)
    assert caught.value.code == "GK100"
    assert service.calls == []


def test_a_lost_answer_can_be_had_again(
    service: ServiceSimulator, sign_in: SignIn, world: FakeWorld, settings: Settings
) -> None:
    """The same code within ten minutes goes out with the same key, and gives the device that was enrolled."""
    service.lost_answers = 1
    with pytest.raises(ServiceUnreachable) as caught:
        sign_in()
    assert "within 10 minutes" in caught.value.remedy
    enrolled = dict(service.devices)
    assert len(enrolled) == 1
    world.at += 599
    sign_in()
    assert service.devices == enrolled
    assert device(world).jkt in enrolled


def test_an_old_pending_key_is_not_used(service: ServiceSimulator, sign_in: SignIn, world: FakeWorld) -> None:
    """After ten minutes, or with another code, the key is a new one: no key is known under two sign-ins."""
    service.lost_answers = 1
    with pytest.raises(ServiceUnreachable):
        sign_in()
    service.codes["CODE-2"] = ""
    sign_in("CODE-2")
    assert len(service.devices) == 2
    service.lost_answers = 1
    service.codes["CODE-3"] = ""
    with pytest.raises(ServiceUnreachable):
        sign_in("CODE-3")
    world.at += 600
    with pytest.raises(ServiceRefused) as caught:
        sign_in("CODE-3")
    assert caught.value.code == "GK203"


@pytest.mark.parametrize("code", ["C\u00d6DE", "CODE\udcff", "\u200bCODE"])
def test_a_code_of_other_characters_is_a_wrong_one(
    service: ServiceSimulator, sign_in: SignIn, code: str
) -> None:
    """What can be no code is GK203, and is never sent."""
    with pytest.raises(GatekeeperError) as caught:
        sign_in(code)
    assert caught.value.code == "GK203"
    assert service.calls_to("/oauth/token") == 0


def test_a_wrong_code_leaves_what_was(
    service: ServiceSimulator, sign_in: SignIn, world: FakeWorld, settings: Settings
) -> None:
    """Someone who is signed in and mistypes a code stays signed in, launch tokens and all."""
    sign_in()
    before = device(world)
    token = TokenState(mark=before.mark, tool="claude", executables=(), token=b"t")
    save_token(world, DIRECTORY, ["claude"], token)
    service.codes["CODE-9"] = "used"
    with pytest.raises(ServiceRefused) as caught:
        sign_in("CODE-9")
    assert caught.value.code == "GK203"
    assert device(world) == before
    assert credential(world, settings).refresh_token == f"refresh-{before.jkt}"
    assert list_tokens(world, DIRECTORY) == [token]


def test_too_many_codes_is_a_refusal(service: ServiceSimulator, sign_in: SignIn) -> None:
    """429 with GK206 is told as what it is, not as an unreachable service."""
    service.lie("/oauth/token", coded("GK206", 429, retry_after=60))
    with pytest.raises(ServiceRefused) as caught:
        sign_in()
    assert caught.value.code == "GK206"


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (html, "GK602"),
        (status(500), "GK601"),
        (status(429), "GK603"),
        (status(400, b'{"error":"invalid_grant"}'), "GK602"),
        (forever_nonce, "GK604"),
        (huge, "GK602"),
        (cut, "GK602"),
    ],
)
def test_a_lying_token_endpoint(
    service: ServiceSimulator, sign_in: SignIn, world: FakeWorld, lie: Lie, code: str
) -> None:
    """No usable answer to the code: an error with its code, and nobody is signed in."""
    service.lie("/oauth/token", lie)
    with pytest.raises(GatekeeperError) as caught:
        sign_in()
    assert caught.value.code == code
    assert not isinstance(load_device(world, DIRECTORY), DeviceState)


def test_a_foreign_state_is_replaced(service: ServiceSimulator, sign_in: SignIn, world: FakeWorld) -> None:
    """A state copied from another machine is no obstacle to signing in, and none of its tokens survives."""
    foreign = DeviceState(mark="other", issuer=service.issuer, subject="u", name="n", device="d", jkt="k")
    world.make_directory(DIRECTORY)
    save_device(world, DIRECTORY, foreign)
    save_token(
        world, DIRECTORY, ["claude"], TokenState(mark="other", tool="claude", executables=(), token=b"t")
    )
    save_backoff(world, DIRECTORY, NOW + 50)
    sign_in()
    assert device(world).mark == device_mark(world, DIRECTORY)
    assert list_tokens(world, DIRECTORY) == []


def test_a_kept_sign_in_binds_a_copied_state_again(
    service: ServiceSimulator, signed_in: Settings, world: FakeWorld
) -> None:
    """Whoever still holds the device key needs no second code for a state that was copied or moved."""
    kept = load_device(world, DIRECTORY)
    assert isinstance(kept, DeviceState)
    save_device(world, DIRECTORY, kept.replace(mark="of another machine"))
    done = sign_in_again(world, signed_in)
    assert done is not None
    assert (done.name, done.device_name, done.stored) == (kept.name, "laptop", None)
    assert load_device(world, DIRECTORY) == kept


def test_no_kept_sign_in_binds_nothing(
    service: ServiceSimulator, signed_in: Settings, world: FakeWorld
) -> None:
    """Without a credential, or with one that the service ended, the state stays as it is."""
    service.devices.clear()
    assert sign_in_again(world, signed_in) is None
    del world.files[FILE]
    assert sign_in_again(world, signed_in) is None


def test_the_catalogue_may_come_later(service: ServiceSimulator, sign_in: SignIn, world: FakeWorld) -> None:
    """A failing catalogue does not undo a sign-in; it is told."""
    service.lie("/v1/catalogue", status(500))
    done = sign_in()
    assert getattr(done, "catalogue_missing", "")
    assert isinstance(device(world), DeviceState)


def test_signing_out_forgets(service: ServiceSimulator, signed_in: Settings, world: FakeWorld) -> None:
    """The refresh token is revoked, and credential, device, tokens, catalogue, nonce and marks are gone; the root stays."""
    save_token(
        world, DIRECTORY, ["claude"], TokenState(mark="m", tool="claude", executables=("c",), token=b"t")
    )
    done = sign_out(world, signed_in)
    assert done.revoked
    assert service.devices == {}
    left = {path.rpartition("/")[2] for path in world.files if path.startswith(DIRECTORY)}
    assert left == {"root.json"}
    assert FILE not in world.files
    assert isinstance(load_root(world, DIRECTORY), RootState)


def test_signing_out_works_without_the_service(
    service: ServiceSimulator, signed_in: Settings, world: FakeWorld
) -> None:
    """What is here goes, also where the service can't be told; and that is said."""
    service.stop()
    done = sign_out(world, signed_in)
    assert (done.revoked, "can't be reached" in done.why) == (False, True)
    assert FILE not in world.files
    assert not isinstance(load_device(world, DIRECTORY), DeviceState)


def test_signing_out_twice_is_no_error(signed_in: Settings, world: FakeWorld) -> None:
    """There is nothing to forget the second time."""
    sign_out(world, signed_in)
    assert sign_out(world, signed_in).why == "nobody was signed in"


def test_tokens_that_cannot_be_deleted_are_an_error(signed_in: Settings, world: FakeWorld) -> None:
    """A read-only disk: GK701, rather than a sign-out that leaves launch tokens."""
    world.refusing.add("remove")
    with pytest.raises(GatekeeperError) as caught:
        sign_out(world, signed_in)
    assert caught.value.code == "GK701"


def test_a_changed_root_is_followed_before_the_code(
    service: ServiceSimulator, sign_in: SignIn, configure: Configure, world: FakeWorld
) -> None:
    """Signing in with pins of an older generation walks to the newest document first."""
    old = service.roots.keys
    pins = service.pins
    service.roots = RootKeys([SigningKey.generate()])
    service.publish_root(signers=[*old, *service.roots.keys])
    sign_in("CODE-1", configure(trust_roots=pins))
    assert isinstance(device(world), DeviceState)


def test_any_failing_write_leaves_no_half_sign_in(service: ServiceSimulator, settings: Settings) -> None:
    """Whichever write fails, the error has a code, and trying again with the same code signs in."""
    sample = FakeWorld(now=NOW)
    sign_in_with_code(sample, settings, code="CODE-1", device_name="laptop")
    writes = [at for at, name in enumerate(sample.names_of_calls()) if name in WRITES]
    assert len(writes) > 10
    for at in writes:
        world = FakeWorld(now=NOW, fail_at=at)
        service.codes["CODE-1"] = ""
        with suppress(GatekeeperError):
            sign_in_with_code(world, settings, code="CODE-1", device_name="laptop")
        world.fail_at = None
        sign_in_with_code(world, settings, code="CODE-1", device_name="laptop")
        assert device(world).jkt in service.devices
