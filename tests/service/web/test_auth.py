"""DPoP on every call with a credential: what a proof must be, and what each fault is answered with."""

from __future__ import annotations

import pytest
from tests.service.local import CLIENT, ISSUER, LocalService, Workstation

from gatekeeper.service.web.auth import Auth
from gatekeeper.service.web.operations import Operation
from gatekeeper.service.web.routes import OPERATIONS
from gatekeeper.trust.sign import SigningKey

SIGNED_IN = [o for o in OPERATIONS if o.auth is Auth.DEVICE]
PUBLIC = {
    "/.well-known/oauth-authorization-server",
    "/.well-known/jwks.json",
    "/.well-known/gatekeeper/root/{version}",
    "/status/{number}",
    "/healthz",
    "/readyz",
    "/openapi.json",
    # Hashes and heads, signed: whoever watches the log needs no account here.
    "/v1/audit/checkpoint",
    "/v1/audit/proof",
    "/v1/audit/tile/{level}/{number:path}",
}


def test_what_is_public_is_listed_here() -> None:
    """No operation becomes public without this list changing."""
    assert {o.path for o in OPERATIONS if o.auth is Auth.PUBLIC} == PUBLIC
    assert {o.path for o in OPERATIONS if o.auth is Auth.PROOF} == {
        "/oauth/token",
        "/oauth/revoke",
        "/oauth/device_authorization",
    }


@pytest.mark.parametrize("operation", SIGNED_IN, ids=lambda o: o.id)
def test_every_other_call_needs_a_sign_in(local: LocalService, operation: Operation) -> None:
    """Without a token, with a bearer token, or with a token and no proof, each operation answers 401."""
    method, path = operation.method, operation.path.replace("{", "").replace("}", "")
    station = local.workstation()
    for headers in (
        {},
        {"authorization": f"Bearer {station.access}"},
        {"authorization": f"DPoP {station.access}"},
        {"authorization": "DPoP wrong", "dpop": station.proof(method, path, token="wrong")},
    ):
        answer = local.send(method, path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("DPoP error=")


@pytest.mark.parametrize("nonce", ["wrong", "AAAAAABbUkNBpgLXX9pmHh66HbIumG85"])
def test_an_api_call_learns_its_nonce(local: LocalService, nonce: str) -> None:
    """A wrong nonce is 401 with RFC 9449's challenge and a nonce that then works; it deletes no token (GK604)."""
    station = local.workstation()
    station.nonce = nonce
    answer = station.call("GET", "/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "GK604")
    assert 'error="use_dpop_nonce"' in answer.headers["www-authenticate"]
    station.nonce = answer.headers["dpop-nonce"]
    assert station.call("GET", "/v1/me").status_code == 200


def test_the_token_endpoint_tells_its_nonce(local: LocalService) -> None:
    """A proof without nonce is 400 use_dpop_nonce, with one."""
    station = Workstation(local)
    proof = station.proof("POST", "/oauth/token", nonce="")
    answer = station.form("/oauth/token", {"grant_type": "refresh_token"}, proof=proof)
    assert (answer.status_code, answer.json()["error"], answer.json()["code"]) == (
        400,
        "use_dpop_nonce",
        "GK604",
    )
    assert answer.headers["dpop-nonce"]


def test_a_nonce_ends_after_an_hour(local: LocalService) -> None:
    """An old nonce is told so, and not refused for good."""
    station = local.workstation()
    station.nonce = local.nonce()
    local.now += 3_600
    assert station.renew().json()["error"] == "use_dpop_nonce"
    station.nonce = ""
    assert station.renew().status_code == 200


def test_a_proof_is_good_once(local: LocalService) -> None:
    """The very same call again is refused."""
    station = local.workstation()
    headers = {
        "authorization": f"DPoP {station.access}",
        "dpop": station.proof("GET", "/v1/me", token=station.access),
    }
    assert local.send("GET", "/v1/me", headers=headers).status_code == 200
    again = local.send("GET", "/v1/me", headers=headers)
    assert again.status_code == 401
    assert 'error="invalid_dpop_proof"' in again.headers["www-authenticate"]


def test_a_proof_is_for_one_call(local: LocalService) -> None:
    """A proof for another method, address, host, scheme or token is refused."""
    station = local.workstation()
    for wrong in (
        {"method": "POST"},
        {"url": f"{ISSUER}/v1/grants"},
        {"url": "https://evil.example/v1/me"},
        {"url": ISSUER.replace("https:", "http:") + "/v1/me"},
        {"token": "another"},
        {"token": ""},
        {"key": SigningKey.generate()},
    ):
        options = {"token": station.access} | wrong
        headers = {
            "authorization": f"DPoP {station.access}",
            "dpop": station.proof("GET", "/v1/me", **options),
            "host": "evil.example",
        }
        answer = local.send("GET", "/v1/me", headers=headers)
        assert answer.status_code == 401, wrong


def test_the_hosts_header_has_no_say(local: LocalService) -> None:
    """A proof is compared with the issuer: a call through a proxy under another name still counts."""
    station = local.workstation()
    assert station.call("GET", "/v1/me", headers={"host": "10.0.0.1:8750"}).status_code == 200


def test_a_header_twice_is_refused(local: LocalService) -> None:
    """Two proofs, or two tokens, are refused: two readers could each believe another one."""
    station = local.workstation()
    proof = station.proof("GET", "/v1/me", token=station.access)
    token = ("authorization", f"DPoP {station.access}")
    for headers in ([token, ("dpop", proof), ("dpop", proof)], [token, token, ("dpop", proof)]):
        answer = local.send("GET", "/v1/me", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "GK604")


def test_an_access_token_ends_after_ten_minutes(local: LocalService) -> None:
    """An ended token is 401 GK201, and a refresh gives the next."""
    station = local.workstation()
    local.now += 600
    assert station.call("GET", "/v1/me").json()["code"] == "GK201"
    station.renew()
    assert station.call("GET", "/v1/me").status_code == 200


def test_a_refresh_token_is_no_access_token(local: LocalService) -> None:
    """The two kinds are told apart."""
    station = local.workstation()
    station.access, station.refresh = station.refresh, station.access
    assert station.call("GET", "/v1/me").status_code == 401
    assert station.renew().json()["code"] == "GK201"


def test_a_proof_of_a_call_refused_for_its_key_stays_used(local: LocalService) -> None:
    """Nobody can try one proof with token after token."""
    station = local.workstation()
    headers = {"authorization": "DPoP wrong", "dpop": station.proof("GET", "/v1/me", token="wrong")}
    assert local.send("GET", "/v1/me", headers=headers).json()["code"] == "GK201"
    assert local.send("GET", "/v1/me", headers=headers).json()["code"] == "GK604"


def test_head_is_get_without_a_body(local: LocalService) -> None:
    """HEAD is answered as GET is, with a proof for HEAD."""
    station = local.workstation()
    assert station.call("HEAD", "/v1/me").status_code == 200
    assert local.send("HEAD", "/healthz").status_code == 200


def test_a_form_without_a_proof_is_refused(local: LocalService) -> None:
    """A refresh token alone is worth nothing."""
    station = local.workstation()
    answer = local.send(
        "POST",
        "/oauth/token",
        headers={"content-type": "application/x-www-form-urlencoded"},
        content=f"grant_type=refresh_token&client_id={CLIENT}&refresh_token={station.refresh}",
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
