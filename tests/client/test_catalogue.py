"""The catalogue: asked for by its tag, never older than seen, never another person's, never a stranger's page."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.client.conftest import DIRECTORY
from tests.fakes.service import DAY, NOW, Answer, Lie, ServiceSimulator, flipped, html, status
from tests.fakes.world import FakeWorld

from gatekeeper.client.catalogue import ASKED, refresh_catalogue
from gatekeeper.client.root import refresh_root
from gatekeeper.client.service_errors import ServiceUnreachable
from gatekeeper.client.session import open_session
from gatekeeper.documents.catalogue import Catalogue
from gatekeeper.errors import TrustError
from gatekeeper.trust.sign import SigningKey
from gatekeeper.workstation.settings import Settings

HOUR = 3600
FILE = f"{DIRECTORY}/catalogue.json"
Fetch = Callable[..., Catalogue]


@pytest.fixture
def fetch(world: FakeWorld, signed_in: Settings, service: ServiceSimulator) -> Iterator[Fetch]:
    """Return `refresh_catalogue` of ada's session, by the workstation's clock."""
    with open_session(world, signed_in) as session:

        def fetch(subject: str = "u_ada", **options: bool) -> Catalogue:
            root = refresh_root(world, signed_in, session.http, DIRECTORY, now=world.at)
            return refresh_catalogue(session, root, subject=subject, now=world.at, **options)

        yield fetch


def wait(service: ServiceSimulator, world: FakeWorld, seconds: int) -> None:
    """Let time pass on both sides."""
    service.now = world.at = world.at + seconds
    service.calls.clear()


def test_a_young_catalogue_costs_no_call(service: ServiceSimulator, world: FakeWorld, fetch: Fetch) -> None:
    """Within an hour nothing is asked; then once, by tag, and the same catalogue serves another hour."""
    first = fetch()
    wait(service, world, HOUR - 1)
    assert fetch() == first
    assert service.calls_to("/v1/catalogue") == 0
    wait(service, world, 1)
    before = world.files[FILE]
    assert fetch() == first  # 304
    assert world.files[FILE] == before
    wait(service, world, HOUR - 1)
    fetch()
    assert service.calls_to("/v1/catalogue") == 0


def test_a_new_version_is_kept(service: ServiceSimulator, world: FakeWorld, fetch: Fetch) -> None:
    """Another tag brings another catalogue."""
    fetch()
    service.catalogue_version = 2
    assert fetch(force=True).version == 2
    assert fetch().version == 2


def test_an_ended_catalogue_is_asked_for_whole(
    service: ServiceSimulator, world: FakeWorld, fetch: Fetch
) -> None:
    """After its end no tag is sent: a service that says "unchanged" then is not believed."""
    fetch()
    wait(service, world, DAY)
    assert fetch().expires_at == world.at + DAY
    wait(service, world, DAY)
    service.lie("/v1/catalogue", lambda _: Answer(304))
    with pytest.raises(ServiceUnreachable) as caught:
        fetch()
    assert caught.value.code == "GK602"


@pytest.mark.parametrize(
    "damage", [b"", b"{}", b'{"schema":1,"at":"x","etag":1}', b'{"schema":1,"at":99999999999}']
)
def test_a_damaged_note_of_asking_asks_again(
    service: ServiceSimulator, world: FakeWorld, fetch: Fetch, damage: bytes
) -> None:
    """A torn note, or one of the far future, means that nobody knows when it was asked."""
    fetch()
    world.files[f"{DIRECTORY}/{ASKED}"] = damage
    service.calls.clear()
    fetch()
    assert service.calls_to("/v1/catalogue") == 1


def test_a_damaged_catalogue_is_fetched_whole(
    service: ServiceSimulator, world: FakeWorld, fetch: Fetch
) -> None:
    """An edited catalogue doesn't verify, so its tag is not sent."""
    first = fetch()
    kept = world.files[FILE]
    assert isinstance(kept, bytes)
    damaged = world.files[FILE] = kept.replace(b"A", b"B")
    assert fetch() == first
    assert world.files[FILE] != damaged


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"subject": "u_sam"}, "GK502"),
        ({"issuer": "https://other.acme.example"}, "GK502"),
        ({"version": 0}, "GK503"),
    ],
)
def test_a_catalogue_that_does_not_hold(
    service: ServiceSimulator, world: FakeWorld, fetch: Fetch, changes: dict[str, object], code: str
) -> None:
    """Another person's, another service's, an older one: an error, and what was kept stays."""
    fetch()
    kept = world.files[FILE]
    service.catalogue_version = 2
    service.catalogue_changes = changes
    with pytest.raises(TrustError) as caught:
        fetch(force=True)
    assert caught.value.code == code
    assert world.files[FILE] == kept


@pytest.mark.parametrize(("lie", "code"), [(html, "GK602"), (status(200), "GK602"), (status(500), "GK601")])
def test_what_is_no_catalogue_is_unreachable(
    service: ServiceSimulator, fetch: Fetch, lie: Lie, code: str
) -> None:
    """A portal's page is no attack on the catalogue."""
    service.lie("/v1/catalogue", lie)
    with pytest.raises(ServiceUnreachable) as caught:
        fetch(force=True)
    assert caught.value.code == code


def test_a_changed_catalogue_is_a_bad_signature(service: ServiceSimulator, fetch: Fetch) -> None:
    """One changed character: GK501; a key of another purpose as well."""
    service.catalogue_version = 2
    service.lie("/v1/catalogue", flipped)
    with pytest.raises(TrustError) as caught:
        fetch(force=True)
    assert caught.value.code == "GK501"
    service.honest()
    for key in (service.approval, service.gateway, SigningKey.generate()):
        service.catalogue_key = key
        with pytest.raises(TrustError) as caught:
            fetch(force=True)
        assert caught.value.code == "GK501"


def test_a_tag_that_cannot_be_sent_back_is_dropped(
    service: ServiceSimulator, world: FakeWorld, fetch: Fetch
) -> None:
    """An endless tag is not kept, so the next call asks for the whole."""
    service.catalogue_version = 2
    service.lie("/v1/catalogue", lambda answer: Answer(200, answer.body, {"ETag": "x" * 300}))
    fetch(force=True)
    service.honest()
    wait(service, world, HOUR)
    assert fetch().issued_at == NOW + HOUR
