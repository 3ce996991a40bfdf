"""Statements that a device signs with its own key: made by the client, opened by the service, in a narrow profile.

A statement carries its key, so its header is exactly `typ`, `alg` and a public P-256 `jwk`: nothing else says how
it is verified. That the key is the one that the device enrolled, and that the claims are for this service and
moment, is for whoever opens it to check. DPoP proofs (`dpop`) are statements of one type.
"""

from __future__ import annotations

from gatekeeper.errors import Malformed
from gatekeeper.strict import b64url_decode, b64url_encode, object_of, parse_object, render_json, text_of
from gatekeeper.trust import library
from gatekeeper.trust.chain import ALG, PublicKey, public_key_of, thumbprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatekeeper.trust.sign import SigningKey

MAX_BYTES = 4 * 1024
TERMS = "gk-terms+jwt"  # somebody accepts a tool's terms
_JWK_MEMBERS = frozenset(("kty", "crv", "x", "y"))


def make_statement(key: SigningKey, *, typ: str, claims: Mapping[str, object]) -> str:
    """Sign claims as a compact JWS (RFC 7515 §7.1) that carries the public key."""
    public = key.public_jwk()
    jwk = {name: public[name] for name in ("kty", "crv", "x", "y")}
    header = b64url_encode(render_json({"typ": typ, "alg": ALG, "jwk": jwk}))
    message = f"{header}.{b64url_encode(render_json(dict(claims)))}"
    return f"{message}.{b64url_encode(key.sign(message.encode('ascii')))}"


def open_statement(statement: str, *, typ: str) -> tuple[PublicKey, dict[str, object]]:
    """Return the key and the claims of a hostile statement of this type; its signature holds.

    Raises:
        Malformed: it breaks the profile, or its signature doesn't hold; the reason may be sent back.
    """
    if len(statement) > MAX_BYTES or not statement.isascii():
        raise Malformed("it is too long or no compact token")
    segments = statement.split(".")
    if len(segments) != 3:
        raise Malformed("it has not three segments")
    header = parse_object(b64url_decode(segments[0]), max_bytes=MAX_BYTES)
    if set(header) != {"typ", "alg", "jwk"} or (header["typ"], header["alg"]) != (typ, ALG):
        raise Malformed(f"its header is not exactly typ {typ}, alg {ALG} and jwk")
    key = _carried_key(object_of(header, "jwk"))
    message = f"{segments[0]}.{segments[1]}".encode("ascii")
    if not library.verify_es256(key, message, b64url_decode(segments[2])):
        raise Malformed("its signature does not hold")
    return key, parse_object(b64url_decode(segments[1]), max_bytes=MAX_BYTES)


def _carried_key(jwk: dict[str, object]) -> PublicKey:
    """Read the key: exactly the four public members, so that no private key is ever sent."""
    if set(jwk) != _JWK_MEMBERS:
        raise Malformed("its jwk has not exactly kty, crv, x and y")
    x, y = b64url_decode(text_of(jwk, "x")), b64url_decode(text_of(jwk, "y"))
    return public_key_of({**jwk, "kid": thumbprint(x, y), "alg": ALG})
