"""DPoP proofs (RFC 9449): made by the client, verified by the service, in a declared narrow profile.

A proof carries its own key, so its header is exactly `typ`, `alg` and a public P-256 `jwk`: nothing
else says how it is verified. Here the proof is bound to a method, an address and an access token.
Whether its `jti` is new, its nonce ours and its key the enrolled one is `service.oauth`'s to check.
"""

from __future__ import annotations

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import (
    b64url_decode,
    b64url_encode,
    integer_of,
    object_of,
    optional_text,
    parse_object,
    render_json,
    text_of,
)
from gatekeeper.trust import library
from gatekeeper.trust.jws import ALG, PublicKey, public_key_of, thumbprint
from gatekeeper.trust.p256 import sha256
from gatekeeper.trust.sign import SigningKey
from gatekeeper.values import Value

TYP = "dpop+jwt"
MAX_PROOF_BYTES = 4 * 1024
_JWK_MEMBERS = frozenset(("kty", "crv", "x", "y"))


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
    public = key.public_jwk()
    jwk = {name: public[name] for name in ("kty", "crv", "x", "y")}
    claims: dict[str, object] = {"jti": jti, "htm": method, "htu": _without_query(url), "iat": now}
    if nonce:
        claims["nonce"] = nonce
    if access_token:
        claims["ath"] = access_token_hash(access_token)
    header = b64url_encode(render_json({"typ": TYP, "alg": ALG, "jwk": jwk}))
    message = f"{header}.{b64url_encode(render_json(claims))}"
    return f"{message}.{b64url_encode(key.sign(message.encode('ascii')))}"


def verify_proof(proof: str, *, method: str, url: str, access_token: str = "") -> Proof:
    """Verify a hostile proof for this call (RFC 9449 §4.3, but for nonce, jti and age).

    `url` is what the caller knows to be its own address, compared exactly but for query and fragment;
    never take it from a header of the call. With an `access_token` its hash must stand in the proof,
    and without one none may.

    Raises:
        DpopError: the proof breaks the profile, its signature doesn't hold, or it is for another call.
    """
    try:
        key, claims = _open(proof)
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


def _open(proof: str) -> tuple[PublicKey, dict[str, object]]:
    if len(proof) > MAX_PROOF_BYTES or not proof.isascii():
        raise Malformed("it is too long or no compact token")
    segments = proof.split(".")
    if len(segments) != 3:
        raise Malformed("it has not three segments")
    header = parse_object(b64url_decode(segments[0]), max_bytes=MAX_PROOF_BYTES)
    if set(header) != {"typ", "alg", "jwk"} or (header["typ"], header["alg"]) != (TYP, ALG):
        raise Malformed(f"its header is not exactly typ {TYP}, alg {ALG} and jwk")
    key = _proof_key(object_of(header, "jwk"))
    message = f"{segments[0]}.{segments[1]}".encode("ascii")
    if not library.verify_es256(key, message, b64url_decode(segments[2])):
        raise Malformed("its signature does not hold")
    return key, parse_object(b64url_decode(segments[1]), max_bytes=MAX_PROOF_BYTES)


def _proof_key(jwk: dict[str, object]) -> PublicKey:
    """Read the key that a proof carries: exactly the four public members, so that no private key is ever sent."""
    if set(jwk) != _JWK_MEMBERS:
        raise Malformed("its jwk has not exactly kty, crv, x and y")
    x, y = b64url_decode(text_of(jwk, "x")), b64url_decode(text_of(jwk, "y"))
    return public_key_of({**jwk, "kid": thumbprint(x, y), "alg": ALG})


def _hash_or_none(token: str) -> str | None:
    if not token.isascii():
        raise Malformed("the access token is not ASCII")
    return access_token_hash(token) if token else None


def _without_query(url: str) -> str:
    return url.split("#", 1)[0].split("?", 1)[0]
