"""An identity provider that lies on demand, with real keys: what a real one can't be made to do.

It stands in for the way out (`Provider(settings, send=liar.send)`), so that no test needs a port for it. `claims`
changes the next ID token (None takes a claim away), `header` its header, `alg` its key.
"""

from __future__ import annotations

import json
import warnings
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from gatekeeper.service.outbound import Answer, NoAnswer

ISSUER = "https://login.acme.example"
CLIENT_ID = "gatekeeper"
_KEYS: dict[str, Any] = {}


def key_of(alg: str) -> Any:
    """Return this process's key for an algorithm; making RSA keys takes long."""
    if alg not in _KEYS:
        private: Any
        if alg in ("RS256", "PS256", "RS512"):
            private = RSAKey.generate_key(2048, {"kid": alg, "use": "sig"})
        elif alg in ("ES256", "ES384"):
            private = ECKey.generate_key("P-256" if alg == "ES256" else "P-384", {"kid": alg, "use": "sig"})
        elif alg == "EdDSA":
            private = OKPKey.generate_key("Ed25519", {"kid": alg, "use": "sig"})
        else:
            private = OctKey.generate_key(256, {"kid": alg})
        _KEYS[alg] = private
    return _KEYS[alg]


class LyingProvider:
    """One provider. `calls` are the addresses that were asked for."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.alg = "RS256"
        self.published: tuple[str, ...] = ("RS256",)
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {"sub": "account-1"}
        self.metadata: dict[str, Any] = {}
        self.signer: Any = None  # another key than the published one
        self.raw_token = ""
        self.nonce = ""
        self.down = False
        self.calls: list[str] = []

    async def send(self, method: str, url: str, *, headers: Any = None, body: bytes | None = None) -> Answer:
        """Answer a call of the service."""
        self.calls.append(url)
        if self.down:
            raise NoAnswer(url, "connection refused")
        path = urlsplit(url).path
        if path.endswith("/openid-configuration"):
            return _json(self._metadata())
        if path == "/jwks":
            return _json({"keys": [key_of(alg).as_dict(private=False) for alg in self.published]})
        if path == "/me":
            return _json(self.userinfo)
        if parse_qs((body or b"").decode())["code"] != ["good"]:
            return Answer(status=400, headers={}, body=b'{"error": "invalid_grant"}')
        return _json({"id_token": self.raw_token or self.token(), "access_token": "an-access-token"})

    def token(self, **changes: Any) -> str:
        """Return an ID token."""
        claims = (
            {
                "iss": ISSUER,
                "aud": CLIENT_ID,
                "sub": "account-1",
                "iat": self.now,
                "exp": self.now + 300,
                "nonce": self.nonce,
                "email": "ada@acme.example",
                "email_verified": True,
                "name": "Ada",
                "groups": ["dev"],
            }
            | self.claims
            | changes
        )
        return self.signed({name: value for name, value in claims.items() if value is not None})

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        """Sign claims as this provider."""
        key = self.signer or key_of(self.alg)
        whole = {"alg": self.alg, "kid": key_of(self.alg).kid, **self.header, **header}
        whole = {name: value for name, value in whole.items() if value is not None}
        registry = jws.JWSRegistry(algorithms=[self.alg], strict_check_header=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # EdDSA, which RFC 9864 renames
            return jws.serialize_compact(whole, json.dumps(claims).encode(), key, registry=registry)

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/auth",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/jwks",
            "userinfo_endpoint": f"{ISSUER}/me",
        } | self.metadata


def _json(members: dict[str, Any]) -> Answer:
    return Answer(status=200, headers={}, body=json.dumps(members).encode())
