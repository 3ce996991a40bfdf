"""The walk from the pins to the newest root document, against a service that may offer anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.client.conftest import DIRECTORY, Configure, settings_for
from tests.fakes.service import (
    DAY,
    NOW,
    Answer,
    Lie,
    RootKeys,
    ServiceSimulator,
    cut,
    flipped,
    html,
    huge,
    status,
)
from tests.fakes.world import FakeWorld

from gatekeeper.client.http import Http
from gatekeeper.client.root import newer_root, refresh_root, require_current
from gatekeeper.client.service_errors import ServiceUnreachable
from gatekeeper.errors import GatekeeperError, TrustError
from gatekeeper.trust.chain import TrustedRoot
from gatekeeper.trust.sign import SigningKey
from gatekeeper.workstation.keeping import RootState, load_root
from gatekeeper.workstation.settings import Settings

PATH = "/.well-known/gatekeeper/root"
Fetch = Callable[..., TrustedRoot]


@pytest.fixture
def fetch(world: FakeWorld, settings: Settings, http: Http) -> Fetch:
    """Return `refresh_root` for this workstation, by its own clock."""

    def fetch(changed: Settings = settings, **options: object) -> TrustedRoot:
        return refresh_root(world, changed, http, DIRECTORY, now=world.at, **options)  # type: ignore[arg-type]

    return fetch


def kept(world: FakeWorld) -> RootState:
    """Return the kept chain, which must be there."""
    state = load_root(world, DIRECTORY)
    assert isinstance(state, RootState)
    return state


def test_the_first_document_is_the_latest(service: ServiceSimulator, world: FakeWorld, fetch: Fetch) -> None:
    """One call, verified to the pins, kept with the pins that it grew from."""
    assert fetch().version == 1
    assert service.calls == [("GET", f"{PATH}/latest")]
    assert kept(world) == RootState(
        pins=service.pins, threshold=1, documents=(service.documents[1],), fetched_at=NOW
    )


def test_a_young_document_costs_no_call(service: ServiceSimulator, world: FakeWorld, fetch: Fetch) -> None:
    """Within a day nothing is asked; after it, or where it is forced, the next version is."""
    fetch()
    service.calls.clear()
    world.at += DAY - 1
    fetch()
    assert service.calls == []
    world.at += 1
    fetch()
    assert service.calls == [("GET", f"{PATH}/2")]
    fetch(force=True)
    assert service.calls_to(f"{PATH}/2") == 2


def test_the_walk_goes_to_the_end(service: ServiceSimulator, world: FakeWorld, fetch: Fetch) -> None:
    """Every version up to the newest is fetched, also across a change of the root keys, and the chain still holds."""
    fetch()
    old = service.roots.keys
    service.roots = RootKeys([SigningKey.generate()])
    service.publish_root(signers=[*old, *service.roots.keys])
    service.publish_root(signers=service.roots.keys)
    assert fetch(force=True).version == 3
    assert fetch().version == 3  # from the state, by the old pins
    assert kept(world).documents == tuple(service.documents[n] for n in (1, 2, 3))


def test_documents_that_prove_nothing_more_are_dropped(
    service: ServiceSimulator, world: FakeWorld, fetch: Fetch
) -> None:
    """What comes before the newest document that the pins alone accept is not kept."""
    fetch()
    for _ in range(3):
        service.publish_root(signers=service.roots.keys)
    assert fetch(force=True).version == 4
    assert kept(world).documents == (service.documents[4],)


def test_pins_of_an_older_generation_walk_up(
    service: ServiceSimulator, settings: Settings, fetch: Fetch
) -> None:
    """A fresh machine with old pins finds the oldest document that they accept, and walks from there."""
    first = service.roots.keys
    service.roots = RootKeys([SigningKey.generate()])
    service.publish_root(signers=[*first, *service.roots.keys])
    second = service.roots.keys
    service.roots = RootKeys([SigningKey.generate()])
    service.publish_root(signers=[*second, *service.roots.keys])
    assert fetch().version == 3
    assert fetch(settings.replace(trust_roots=(second[0].kid,)), force=True).version == 3


def test_another_services_pins_are_too_few(
    service: ServiceSimulator, settings: Settings, world: FakeWorld, fetch: Fetch
) -> None:
    """Pins that nobody signed for: GK505, and nothing is kept."""
    with pytest.raises(TrustError) as caught:
        fetch(settings.replace(trust_roots=(SigningKey.generate().kid,)))
    assert caught.value.code == "GK505"
    assert not any(path.startswith(DIRECTORY) for path in world.files)


def test_no_pins_no_call(service: ServiceSimulator, settings: Settings, fetch: Fetch) -> None:
    """Without trust_roots nothing is trusted on first use: GK104, and nothing is asked."""
    with pytest.raises(GatekeeperError) as caught:
        fetch(settings.replace(trust_roots=()))
    assert caught.value.code == "GK104"
    assert service.calls == []


def test_the_threshold_of_the_pins_counts(world: FakeWorld) -> None:
    """Two of three pins must have signed the first document, whatever threshold it claims."""
    with ServiceSimulator(root_keys=3, threshold=1) as service:
        settings = settings_for(service).replace(trust_threshold=2)
        with Http(service.issuer, ca_bundle="", timeout=5) as http:
            service.publish_root(signers=service.roots.keys[:1], version=1)
            with pytest.raises(TrustError) as caught:
                refresh_root(world, settings, http, DIRECTORY, now=NOW)
            assert caught.value.code == "GK505"
            service.publish_root(signers=service.roots.keys[:2], version=1)
            assert refresh_root(world, settings, http, DIRECTORY, now=NOW).version == 1


def test_pins_that_no_longer_hold_make_the_state_absent(
    service: ServiceSimulator, settings: Settings, world: FakeWorld, fetch: Fetch
) -> None:
    """After the configuration pins another key, what grew from the old one counts for nothing."""
    fetch()
    service.roots = RootKeys([SigningKey.generate()])
    service.documents.clear()
    service.publish_root(signers=service.roots.keys)
    assert fetch(settings.replace(trust_roots=service.pins)).version == 1
    assert kept(world).pins == service.pins


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (html, "GK602"),
        (huge, "GK602"),
        (cut, "GK602"),
        (status(500), "GK601"),
        (status(429), "GK603"),
        (status(403), "GK602"),
        (status(302), "GK602"),
    ],
)
def test_what_is_no_answer_is_unreachable(
    service: ServiceSimulator, world: FakeWorld, fetch: Fetch, lie: Lie, code: str
) -> None:
    """A portal's page, a failure, a truncated body: unreachable, never a bad signature; and nothing is kept."""
    service.lie(PATH, lie)
    with pytest.raises(ServiceUnreachable) as caught:
        fetch()
    assert caught.value.code == code
    assert not any(path.startswith(DIRECTORY) for path in world.files)


def test_a_wrong_signature_is_a_lie(service: ServiceSimulator, fetch: Fetch) -> None:
    """One changed character of a root document: GK501."""
    service.lie(PATH, flipped)
    with pytest.raises(TrustError) as caught:
        fetch()
    assert caught.value.code == "GK501"


def test_another_issuer_is_a_lie(service: ServiceSimulator, fetch: Fetch) -> None:
    """A root document of another service, signed by the very pins: GK502."""
    service.publish_root(signers=service.roots.keys, version=1, issuer="https://other.acme.example")
    with pytest.raises(TrustError) as caught:
        fetch()
    assert caught.value.code == "GK502"


def test_an_old_document_in_the_place_of_a_new_one(
    service: ServiceSimulator, world: FakeWorld, fetch: Fetch
) -> None:
    """Version 1 again where version 2 is asked for: GK503, and what was kept stays."""
    fetch()
    before = kept(world)
    service.lie(f"{PATH}/2", lambda _: Answer(200, service.documents[1]))
    with pytest.raises(TrustError) as caught:
        fetch(force=True)
    assert caught.value.code == "GK503"
    assert kept(world) == before


def test_an_old_latest_takes_nothing_back(service: ServiceSimulator, world: FakeWorld, fetch: Fetch) -> None:
    """Whoever has version 2 never asks for `latest`, so a service that offers version 1 there changes nothing."""
    service.publish_root(signers=service.roots.keys)
    assert fetch().version == 2
    service.lie(f"{PATH}/latest", lambda _: Answer(200, service.documents[1]))
    assert fetch(force=True).version == 2


def test_the_least_version_counts(service: ServiceSimulator, configure: Configure, fetch: Fetch) -> None:
    """min_root_version refuses an older document, also one that is kept, until the service has a newer one."""
    fetch()
    settings = configure(min_root_version=2)
    with pytest.raises(TrustError) as caught:
        fetch(settings)
    assert caught.value.code == "GK503"
    service.publish_root(signers=service.roots.keys)
    assert fetch(settings).version == 2


def test_a_key_that_is_unknown_is_asked_for_once_a_minute(
    service: ServiceSimulator, world: FakeWorld, settings: Settings, http: Http, fetch: Fetch
) -> None:
    """`newer_root` asks after a minute, not before, so that a lying service can't make clients ask in a circle."""
    fetch()
    service.calls.clear()
    newer_root(world, settings, http, DIRECTORY, now=NOW + 59)
    assert service.calls == []
    newer_root(world, settings, http, DIRECTORY, now=NOW + 60)
    assert service.calls == [("GET", f"{PATH}/2")]


def test_what_is_kept_serves_while_the_service_is_away(
    service: ServiceSimulator, world: FakeWorld, fetch: Fetch
) -> None:
    """A document older than a day still counts where no newer one can be had; not one that has expired, nor by force."""
    fetch()
    service.stop()
    world.at += 2 * DAY
    assert fetch().version == 1
    with pytest.raises(ServiceUnreachable):
        fetch(force=True)
    world.at += 100 * DAY
    with pytest.raises(ServiceUnreachable):
        fetch()


def test_a_frozen_document_is_expired(service: ServiceSimulator, world: FakeWorld, fetch: Fetch) -> None:
    """A service that offers nothing newer than an expired document is found out by `require_current`: GK504."""
    fetch()
    world.at += 100 * DAY
    root = fetch()
    with pytest.raises(TrustError) as caught:
        require_current(root, now=world.at)
    assert caught.value.code == "GK504"


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff\xfe", b'{"schema":1,"documents":["e30"]}'])
def test_a_damaged_state_is_fetched_again(
    service: ServiceSimulator, world: FakeWorld, fetch: Fetch, damage: bytes
) -> None:
    """A torn or edited root.json counts as absent."""
    fetch()
    world.files[f"{DIRECTORY}/root.json"] = damage
    assert fetch().version == 1


def test_a_disk_that_refuses_is_named(world: FakeWorld, fetch: Fetch) -> None:
    """The chain that can't be kept is GK701 with its path."""
    world.refusing.add("replace")
    with pytest.raises(GatekeeperError) as caught:
        fetch()
    assert caught.value.code == "GK701"
    assert "root.json" in caught.value.detail
