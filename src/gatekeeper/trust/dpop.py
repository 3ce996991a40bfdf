"""DPoP proofs (RFC 9449): made by the client, verified by the service, in a declared narrow profile.

A proof is a statement that carries its own key (`statement`). Here it is bound to a method, an address and an
access token. Whether its `jti` is new, its nonce ours and its key the enrolled one is `service.oauth`'s to check.
"""

from __future__ import annotations

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import b64url_encode, integer_of, optional_text, text_of
from gatekeeper.trust.p256 import sha256
from gatekeeper.trust.sign import SigningKey
from gatekeeper.trust.statement import make_statement, open_statement
from gatekeeper.values import Value

TYP = "dpop+jwt"


class DpopError(GatekeeperError):
    """A proof doesn't hold. `reason` says why, in words that may be sent back (RFC 9449 §5)."""

    def __init__(self, reason: str) -> None:
        super().__init__("GK604", f"The DPoP proof doesn't hold: {reason}.")
        self.reason = reason


class Proof(Value):
    """What a proof proves: possession of the key `jkt`, for one call. `nonce` is "" where none is given."""

    jkt: str
    jti: str
    issued_at: int
    nonce: str


def access_token_hash(token: str) -> str:
    """Return `ath`, the hash that binds a proof to an access token (RFC 9449 §4.2). ASCII only."""
    return b64url_encode(sha256(token.encode("ascii")))


def make_proof(
    key: SigningKey,
    *,
    method: str,
    url: str,
    now: int,
    jti: str,
    nonce: str = "",
    access_token: str = "",
) -> str:
    """Make a proof for one call (RFC 9449 §4.2). Query and fragment of `url` are left out, as it says."""
    claims: dict[str, object] = {"jti": jti, "htm": method, "htu": _without_query(url), "iat": now}
    if nonce:
        claims["nonce"] = nonce
    if access_token:
        claims["ath"] = access_token_hash(access_token)
    return make_statement(key, typ=TYP, claims=claims)


def verify_proof(proof: str, *, method: str, url: str, access_token: str = "") -> Proof:
    """Verify a hostile proof for this call (RFC 9449 §4.3, but for nonce, jti and age).

    `url` is what the caller knows to be its own address, compared exactly but for query and fragment;
    never take it from a header of the call. With an `access_token` its hash must stand in the proof,
    and without one none may.

    Raises:
        DpopError: the proof breaks the profile, its signature doesn't hold, or it is for another call.
    """
    try:
        key, claims = open_statement(proof, typ=TYP)
        expected = {"htm": method, "htu": _without_query(url), "ath": _hash_or_none(access_token)}
        for name, value in expected.items():
            _check_same(claims, name, value)
        return Proof(
            jkt=key.kid,
            jti=text_of(claims, "jti", max_chars=128),
            issued_at=integer_of(claims, "iat"),
            nonce=optional_text(claims, "nonce", max_chars=256),
        )
    except Malformed as error:
        raise DpopError(error.reason) from error


def _check_same(claims: dict[str, object], name: str, value: str | None) -> None:
    if claims.get(name) != value:
        raise Malformed(f"its {name} is for another call")


def _hash_or_none(token: str) -> str | None:
    if not token.isascii():
        raise Malformed("the access token is not ASCII")
    return access_token_hash(token) if token else None


def _without_query(url: str) -> str:
    return url.split("#", 1)[0].split("?", 1)[0]
