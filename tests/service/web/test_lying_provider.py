"""What a provider says is believed only where all of it holds: tokens, logout tokens, claims."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from tests.fakes.browser import Browser, Page
from tests.fakes.lying_provider import CLIENT_ID, LyingProvider, key_of
from tests.fakes.lying_provider import ISSUER as LOGIN
from tests.service.local import ISSUER, NOW, LocalService

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.console_sessions import find_session
from gatekeeper.service.people.provider import KEEP_FOR, LOOK_AGAIN_AFTER, Provider
from gatekeeper.service.people.provider_settings import Claims, OidcSettings, parse_oidc

pytestmark = pytest.mark.sqlite  # what a token must hold is the same on either database
SESSION = "__Host-gatekeeper"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Company:
    """A service, its lying provider, and somebody's browser."""

    def __init__(self, data: Path) -> None:
        self.liar = LyingProvider(NOW)
        self.settings = OidcSettings(issuer=LOGIN, client_id=CLIENT_ID)
        self.local = LocalService(data)
        self.use(self.settings)

    def use(self, settings: OidcSettings) -> None:
        """Configure the service anew."""
        from gatekeeper.service.app import make_app

        self.settings = settings
        self.local.service = self.local.service.replace(provider=Provider(settings, self.liar.send))
        self.local.app = make_app(self.local.service)
        self.browser = Browser(apps={ISSUER: self.local.app}, stops=(LOGIN,))

    def sign_in(self, query: str = "", **back: str) -> Page:
        """Sign in; `back` changes what the browser brings back."""
        page = self.browser.open(f"{ISSUER}/sign-in/provider?next=/healthz{query}")
        asked = parse_qs(urlsplit(page.stopped_at).query)
        self.liar.nonce = asked["nonce"][0]
        given = {"code": "good", "state": asked["state"][0]} | back
        return self.browser.open(f"{ISSUER}/sign-in/return?{urlencode(given)}")

    @property
    def session(self) -> Any:
        """The session of the browser."""
        with self.local.store.read() as tx:
            return find_session(tx, self.browser.cookie(SESSION), now=self.local.now)

    def refused(self, why: str, **back: str) -> None:
        """Sign in, and see to it that it is refused in these words."""
        page = self.sign_in(**back)
        assert page.status == 403
        assert why in page.text.replace("&#39;", "'"), page.text
        assert not self.browser.cookie(SESSION)


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """Give a company with a liar."""
    made = Company(tmp_path / "svc")
    yield made
    made.local.close()


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
def test_the_four_algorithms(company: Company, alg: str) -> None:
    """Each signs somebody in, under a key of its kind."""
    company.liar.alg = alg
    company.liar.published = (alg,)
    assert company.sign_in().path == "/healthz"


@pytest.mark.parametrize("alg", ["RS512", "ES384", "HS256"])
def test_no_other_algorithm(company: Company, alg: str) -> None:
    """A signature that holds, by an algorithm or a key that isn't named, counts for nothing."""
    company.liar.alg, company.liar.published = alg, ("RS256", alg)
    company.refused("key")


def test_a_token_without_a_signature(company: Company) -> None:
    """`none` is no algorithm, signed with nothing or with something."""
    for signature in ("", "AAAA"):
        header = (
            base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "RS256"}).encode())
            .decode()
            .rstrip("=")
        )
        claims = company.liar.token().split(".")[1]
        company.liar.raw_token = f"{header}.{claims}.{signature}"
        company.refused("not signed" if not signature else "alg is not its key's")


def test_the_public_key_as_a_secret(company: Company) -> None:
    """HS256 under the text of the public key, with that key's kid, is refused by its alg."""
    public = key_of("RS256").as_pem(private=False)
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"RS256"}').decode().rstrip("=")
    signed = f"{header}.{company.liar.token().split('.')[1]}"
    mac = base64.urlsafe_b64encode(hmac.digest(public, signed.encode(), "sha256")).decode().rstrip("=")
    company.liar.raw_token = f"{signed}.{mac}"
    company.refused("alg is not its key's")


def test_another_key_under_the_right_kid(company: Company) -> None:
    """A signature of a key that the provider doesn't publish is found."""
    company.liar.signer = key_of("PS256")
    company.refused("signature doesn't hold")


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"jku": "https://evil.example/jwks"}, "more than alg, kid and typ"),
        ({"jwk": {"kty": "oct", "k": "AA"}}, "more than alg, kid and typ"),
        ({"typ": "at+jwt"}, "another type"),
        ({"typ": "logout+jwt"}, "another type"),
        ({"kid": None}, "kid is missing"),
        ({"kid": "unknown"}, "no key of its kid"),
    ],
)
def test_a_header_says_nothing_else(company: Company, header: dict[str, Any], why: str) -> None:
    """How a token is verified is not for the token to say."""
    company.liar.header = header
    company.refused(why)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://login.acme.example/"}, "another issuer's"),
        ({"iss": None}, "another issuer's"),
        ({"aud": "another"}, "(aud)"),
        ({"aud": [CLIENT_ID, "another"]}, "(aud)"),
        ({"aud": []}, "(aud)"),
        ({"azp": "another"}, "(azp)"),
        ({"nonce": "of-another-sign-in"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"exp": NOW - 60}, "has ended"),
        ({"exp": None}, "exp"),
        ({"iat": NOW + 61}, "not valid yet"),
        ({"nbf": NOW + 61}, "not valid yet"),
        ({"sub": ""}, "sub"),
        ({"sub": "x" * 256}, "sub"),
        ({"email": None}, "no mail address"),
        ({"email": "Ada"}, "no mail address"),
        ({"email": "ada@\u0430cme.example"}, "can't be used"),
        ({"email_verified": False}, "verified"),
        ({"email_verified": "true"}, "verified"),
        ({"email_verified": None}, "verified"),
        ({"events": {LOGOUT_EVENT: {}}}, "about an event"),
    ],
)
def test_every_claim_must_hold(company: Company, claims: dict[str, Any], why: str) -> None:
    """One that is wrong or missing refuses, and says which."""
    company.liar.claims = claims
    company.refused(why)


def test_userinfo_is_of_the_same_account(company: Company) -> None:
    """What a thin ID token lacks is asked of userinfo, and believed of this account alone."""
    company.liar.claims = {"groups": None}
    company.liar.userinfo = {"sub": "account-2", "groups": ["root"], "email": "sam@acme.example"}
    company.refused("another account's")
    company.liar.userinfo["sub"] = "account-1"
    company.sign_in()
    assert company.session.subject.groups == ("root",)
    assert company.session.subject.name == "ada@acme.example"


def test_a_fresh_proof_is_claimed_or_refused(company: Company) -> None:
    """With `max_age` the token must say when, and recently enough: else there is no step-up."""
    company.sign_in()
    assert company.session.auth_time == 0
    for auth_time, why in ((None, "doesn't say when"), (NOW - 361, "too long ago"), (NOW + 61, "clocks")):
        company.liar.claims = {"auth_time": auth_time}
        page = company.sign_in("&max_age=300")
        assert page.status == 403
        assert why in page.text.replace("&#39;", "'")
        assert company.session.auth_time == 0
    company.liar.claims = {"auth_time": NOW - 300}
    assert company.sign_in("&max_age=300").status == 200
    assert company.session.auth_time == NOW - 300


def test_roles_count_before_groups(company: Company) -> None:
    """Where the token names roles of this application, they are the groups; else the groups are, mapped by name."""
    company.use(company.settings.replace(groups=(("0b53", "dev"),), only_mapped_groups=True))
    company.liar.claims = {"groups": ["0b53", "other"], "roles": None}
    company.sign_in()
    assert company.session.subject.groups == ("dev",)
    company.use(company.settings.replace(groups=(), only_mapped_groups=False))
    company.liar.claims = {"groups": ["0b53"], "roles": ["approver"]}
    company.sign_in()
    assert company.session.subject.groups == ("approver",)


@pytest.mark.parametrize(
    "overage", [{"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {}}}, {"hasgroups": True}]
)
def test_entras_overage_is_said(company: Company, overage: dict[str, Any]) -> None:
    """Groups that were left out are not "no groups": nobody signs in with fewer rights, or other ones, unseen."""
    company.liar.claims = {"groups": None, **overage}
    company.liar.userinfo = {"sub": "account-1"}
    company.refused("groups overage")
    company.liar.claims["roles"] = ["dev"]
    company.sign_in()
    assert company.session.subject.groups == ("dev",)
    company.use(company.settings.replace(claims=Claims(groups="", roles="")))
    assert company.sign_in().status == 200


def test_made_up_keys_cost_the_provider_little(company: Company) -> None:
    """Tokens with unknown kids send for keys once in ten seconds; known keys are asked for once an hour."""
    company.sign_in()
    company.liar.header = {"kid": "unknown"}
    for _ in range(3):
        company.sign_in()
    assert company.liar.calls.count(f"{LOGIN}/jwks") == 1
    company.local.now += LOOK_AGAIN_AFTER
    company.liar.now = company.local.now
    company.sign_in()
    assert company.liar.calls.count(f"{LOGIN}/jwks") == 2
    company.liar.header = {}
    company.local.now += KEEP_FOR
    company.liar.now = company.local.now
    assert company.sign_in().status == 200
    assert company.liar.calls.count(f"{LOGIN}/jwks") == 3


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://login.acme.example/"},
        {"authorization_endpoint": "http://login.acme.example/auth"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
    ],
)
def test_metadata_that_lies(company: Company, metadata: dict[str, Any]) -> None:
    """A browser is sent nowhere on the word of another issuer's metadata, or to no real address."""
    company.liar.metadata = metadata
    page = company.browser.open(f"{ISSUER}/sign-in/provider")
    assert (page.status, page.stopped_at) == (503, "")


# --- logging out at the provider ---------------------------------------------------------------------------------


def logout(company: Company, *, typ: str | None = "logout+jwt", **changes: Any) -> int:
    """Send a logout token; return the answer's status."""
    claims = {
        "iss": LOGIN,
        "aud": CLIENT_ID,
        "iat": NOW,
        "exp": NOW + 120,
        "jti": "logout-1",
        "sub": "account-1",
        "sid": "sid-1",
        "events": {LOGOUT_EVENT: {}},
    } | changes
    token = company.liar.signed({key: value for key, value in claims.items() if value is not None}, typ=typ)
    return company.local.send(
        "POST",
        "/sign-in/backchannel-logout",
        headers={"content-type": "application/x-www-form-urlencoded"},
        content=f"logout_token={token}",
    ).status_code


@pytest.mark.parametrize("by", ["both", "sid", "sub"])
def test_a_logout_at_the_provider_ends_the_session(company: Company, by: str) -> None:
    """By session, by account, or both."""
    company.liar.claims = {"sid": "sid-1"}
    company.sign_in()
    changes = {"both": {}, "sid": {"sub": None}, "sub": {"sid": None}}[by]
    assert logout(company, **changes) == 200
    with pytest.raises(GatekeeperError, match="GK201"):
        _ = company.session


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"nonce": "x"},
        {"events": None},
        {"events": {"other": {}}},
        {"sub": None, "sid": None},
        {"jti": None},
        {"exp": NOW - 60},
        {"iat": NOW - 700, "exp": NOW + 9000},
        {"typ": "at+jwt"},
    ],
)
def test_a_logout_token_that_does_not_hold(company: Company, changes: dict[str, Any]) -> None:
    """It is refused with 400, and the session stands."""
    company.liar.claims = {"sid": "sid-1"}
    company.sign_in()
    assert logout(company, **changes) == 400
    assert company.session


def test_a_logout_token_works_once_and_for_its_own(company: Company) -> None:
    """A second time it is refused; another session or account loses nothing."""
    company.liar.claims = {"sid": "sid-1"}
    company.sign_in()
    assert logout(company, sub="account-2", sid=None, jti="a") == 200
    assert logout(company, sub="account-1", sid="sid-2", jti="b") == 200
    assert company.session
    assert logout(company) == 200
    assert logout(company) == 400


# --- the configuration -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"isuer": "x"}, "oidc.isuer"),
        ({"issuer": ""}, "oidc.issuer"),
        ({"issuer": "http://login.acme.example"}, "oidc.issuer"),
        ({"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"}, "oidc.issuer"),
        ({"client_id": 1}, "oidc.client_id"),
        ({"scopes": ["email"]}, "oidc.scopes"),
        ({"max_age": "12h"}, "oidc.max_age"),
        ({"claims": {"mail": "x"}}, "oidc.claims.mail"),
        ({"require": {"hd": ["x"]}}, "oidc.require"),
        ({"device_grant": "yes"}, "oidc.device_grant"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, changes: dict[str, Any], word: str) -> None:
    """GK101 names the key, and a misspelt one what it resembles."""
    with pytest.raises(GatekeeperError, match=word) as raised:
        parse_oidc({"issuer": LOGIN, "client_id": CLIENT_ID} | changes, data=tmp_path)
    assert raised.value.code == "GK101"
    assert ("issuer" in raised.value.remedy) == ("isuer" in changes)
