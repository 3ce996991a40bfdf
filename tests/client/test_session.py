"""Calls as a device: proofs that hold, nonces that are followed once, and answers told apart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.client.conftest import DIRECTORY, Configure
from tests.fakes.service import (
    NOW,
    Answer,
    Lie,
    ServiceSimulator,
    coded,
    forever_nonce,
    good,
    html,
    redirect,
    status,
)
from tests.fakes.world import FakeWorld

from gatekeeper.client.http import Http
from gatekeeper.client.service_errors import ServiceRefused, ServiceUnreachable
from gatekeeper.client.session import Session, open_session
from gatekeeper.errors import GatekeeperError
from gatekeeper.workstation.keeping import list_tokens, load_backoff, load_nonce, save_backoff, save_token
from gatekeeper.workstation.settings import Settings
from gatekeeper.workstation.state import TokenState

HELD = TokenState(mark="m", tool="claude", executables=(), token=b"t")


@pytest.fixture
def session(world: FakeWorld, signed_in: Settings, service: ServiceSimulator) -> Iterator[Session]:
    """Open ada's session, with nothing asked yet."""
    service.calls.clear()
    with open_session(world, signed_in) as opened:
        yield opened


def test_a_call_is_signed_in(session: Session, service: ServiceSimulator) -> None:
    """One access token serves several calls, each with a proof of its own, and the kept nonce needs no challenge."""
    session.call("GET", "/v1/me")
    session.call("GET", "/v1/grants")
    assert service.calls == [("POST", "/oauth/token"), ("GET", "/v1/me"), ("GET", "/v1/grants")]


def test_a_new_nonce_is_followed_once(session: Session, service: ServiceSimulator, world: FakeWorld) -> None:
    """A challenge costs one more call and the nonce is kept; a second challenge to it is an answer like others."""
    service.nonce = "nonce-2"
    assert session.call("GET", "/v1/me").status == 200
    assert service.calls_to("/oauth/token") == 2
    assert load_nonce(world, DIRECTORY) == "nonce-2"
    service.lie("/v1/me", forever_nonce)
    with pytest.raises(ServiceRefused):
        session.call("GET", "/v1/me")
    assert service.calls_to("/v1/me") == 3


@pytest.mark.parametrize("nonce", ["", "a" * 300, "n\u00f6nce"])
def test_a_nonce_that_cannot_be_sent_back_is_ignored(
    session: Session, service: ServiceSimulator, world: FakeWorld, nonce: str
) -> None:
    """An empty, endless or non-ASCII nonce is not kept."""
    service.lie("/v1/me", lambda answer: Answer(answer.status, answer.body, {"DPoP-Nonce": nonce}))
    session.call("GET", "/v1/me")
    assert load_nonce(world, DIRECTORY) == "nonce-1"


def test_an_access_token_that_ended_early_is_renewed(session: Session, service: ServiceSimulator) -> None:
    """GK201 for an access token that was good before: once more with a new one, before anybody hears of it."""
    session.call("GET", "/v1/me")
    refusals = [Answer(401, b'{"code":"GK201","title":"t"}')]
    service.lie("/v1/me", lambda answer: refusals.pop() if refusals else answer)
    assert session.call("GET", "/v1/me").status == 200
    assert service.calls_to("/oauth/token") == 2


def test_a_bearer_token_is_not_used(session: Session, service: ServiceSimulator) -> None:
    """A token endpoint that gives an unbound token is not believed (RFC 9449 section 5)."""
    service.lie(
        "/oauth/token", lambda _: good({"access_token": "a", "token_type": "Bearer", "expires_in": 9})
    )
    with pytest.raises(ServiceUnreachable):
        session.call("GET", "/v1/me")
    assert service.calls_to("/v1/me") == 0


@pytest.mark.parametrize("token", ["a b", "a\r\nX-Evil: 1", "\u00e4"])
def test_an_access_token_is_one_word(session: Session, service: ServiceSimulator, token: str) -> None:
    """What can't stand in a header is GK602, not a header of the service's choosing."""
    service.lie(
        "/oauth/token", lambda _: good({"access_token": token, "token_type": "DPoP", "expires_in": 9})
    )
    with pytest.raises(ServiceUnreachable) as caught:
        session.call("GET", "/v1/me")
    assert caught.value.code == "GK602"


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (html, None),
        (status(500), "GK601"),
        (coded("GK202", 503), "GK601"),
        (coded("GK202", 429), "GK603"),
        (status(404), "GK602"),
        (status(403, b"<html>"), "GK602"),
        (status(403, b'{"error":"x"}'), "GK602"),
        (status(403, b'{"code":"BOO","title":"x"}'), "GK602"),
        (coded("GK599", 403), "GK602"),
        (coded("GK999", 400), "GK602"),
        (coded("GK901", 500), "GK601"),
        (redirect("https://evil.acme.example/"), "GK602"),
    ],
)
def test_what_is_no_refusal_deletes_nothing(
    session: Session, service: ServiceSimulator, world: FakeWorld, lie: Lie, code: str | None
) -> None:
    """429, 5xx and answers without a code of ours are unreachable, whatever their body claims; tokens stay."""
    save_token(world, DIRECTORY, ["claude"], HELD)
    service.lie("/v1/me", lie)
    if code is None:
        session.call("GET", "/v1/me")
    else:
        with pytest.raises(ServiceUnreachable) as caught:
            session.call("GET", "/v1/me")
        assert caught.value.code == code
    assert list_tokens(world, DIRECTORY) == [HELD]


@pytest.mark.parametrize("path", ["/v1/me", "/oauth/token"])
def test_a_sign_in_that_is_over_costs_every_token(
    session: Session, service: ServiceSimulator, world: FakeWorld, path: str
) -> None:
    """GK2xx, wherever it is heard, deletes all launch tokens before it is raised."""
    save_token(world, DIRECTORY, ["claude"], HELD)
    service.lie(path, coded("GK202", 401))
    with pytest.raises(ServiceRefused) as caught:
        session.call("GET", "/v1/me")
    assert caught.value.code == "GK202"
    assert list_tokens(world, DIRECTORY) == []


def test_tokens_that_must_go_and_cannot_are_an_error(
    session: Session, service: ServiceSimulator, world: FakeWorld
) -> None:
    """On a read-only disk the refusal becomes GK701, so that nobody takes the tokens for deleted."""
    save_token(world, DIRECTORY, ["claude"], HELD)
    service.lie("/oauth/token", coded("GK201", 400))
    world.refusing.add("remove")
    with pytest.raises(GatekeeperError) as caught:
        session.call("GET", "/v1/me")
    assert caught.value.code == "GK701"


def test_an_answer_ends_the_back_off(session: Session, world: FakeWorld) -> None:
    """Whoever finds out that the service is back, the next launch asks it again."""
    save_backoff(world, DIRECTORY, NOW + 60)
    session.call("GET", "/v1/me")
    assert load_backoff(world, DIRECTORY) == 0


def test_a_disk_that_refuses_the_nonce_costs_nothing_more(
    session: Session, service: ServiceSimulator, world: FakeWorld
) -> None:
    """A nonce that can't be kept is used all the same."""
    world.refusing.add("replace")
    service.nonce = "nonce-2"
    assert session.call("GET", "/v1/me").status == 200


def test_nobody_signed_in(service: ServiceSimulator, world: FakeWorld, configure: Configure) -> None:
    """Without a credential: GK201, and nothing is asked; also where there is no keyring at all."""
    for store in ("file", "memory", "keyring"):
        with pytest.raises(GatekeeperError) as caught:
            open_session(world, configure(credential_store=store))
        assert caught.value.code == "GK201"
    assert service.calls == []


def test_signed_in_and_no_keyring(signed_in: Settings, world: FakeWorld) -> None:
    """With a device but without the keyring that holds its key (as over SSH): GK601, not "signed out"."""
    del world.files["/home/ada/.local/share/gatekeeper/credentials/default.json"]
    with pytest.raises(ServiceUnreachable) as caught:
        open_session(world, signed_in.replace(credential_store="keyring"))
    assert caught.value.code == "GK601"


def test_a_damaged_key_is_signed_out(signed_in: Settings, world: FakeWorld, http: Http) -> None:
    """A private key that isn't one of ours is GK201, with `gatekeeper login` as the way on."""
    path = "/home/ada/.local/share/gatekeeper/credentials/default.json"
    data = world.files[path]
    assert isinstance(data, bytes)
    world.files[path] = data.replace(b'"P-256"', b'"P-999"')
    with pytest.raises(GatekeeperError) as caught:
        open_session(world, signed_in)
    assert caught.value.code == "GK201"
