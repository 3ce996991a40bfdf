"""A CI platform's ID token, verified in a declared narrow profile. Pure: keys and time come in.

RS256 or ES256, by a key of the issuer whose type settles the algorithm; header members `alg`, `kid`, `typ`,
`x5t` and no other, so that nothing in a token says how it is verified; issuer and audience exact; `jti` there.
Where keys come from is `workload_keys`' to know, and which workload the claims are, `workloads`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import (
    MAX_TOKEN_BYTES,
    b64url_decode,
    integer_of,
    objects_of,
    optional_integer,
    optional_text,
    parse_object,
    text_of,
)
from gatekeeper.values import Value

if TYPE_CHECKING:
    from gatekeeper.service.people.workloads import CiIssuer

LEEWAY = 60
LONGEST_FOR = 24 * 3_600  # however long a platform lets its jobs run, a token is repeated for a day at most
_HEADER = frozenset(("alg", "kid", "typ", "x5t"))
_LEAST_RSA_BITS = 2048
_MAX_KEYS = 64


class CiKey(Value):
    """One verification key of an issuer, with the one algorithm that it verifies."""

    kid: str
    alg: str
    key: RSAKey | ECKey


class CiClaims(Value):
    """What a token says that holds. `ends_at` is when it can no longer be exchanged."""

    jti: str
    ends_at: int
    members: Mapping[str, object]


class Peeked(Value):
    """What an unverified token says of itself: enough to look for its key, and no more."""

    issuer: str
    kid: str
    alg: str


def peek(token: str) -> Peeked:
    """Read whose a hostile token claims to be.

    Raises:
        GatekeeperError: GK201, it breaks the profile.
    """
    try:
        header, claims = _segments(token)
        return Peeked(issuer=text_of(claims, "iss"), kid=text_of(header, "kid"), alg=text_of(header, "alg"))
    except Malformed as error:
        raise _refused(error.reason) from error


def verify_ci_token(token: str, *, ci: CiIssuer, keys: tuple[CiKey, ...], now: int) -> CiClaims:
    """Verify a hostile token of the issuer `ci` with its keys.

    Raises:
        GatekeeperError: GK201, it doesn't hold; the words say which rule it breaks.
    """
    seen = peek(token)
    if seen.issuer != ci.issuer:
        raise _refused("it is another issuer's")
    key = next((one for one in keys if one.kid == seen.kid), None)
    if key is None:
        raise _refused(f"{ci.issuer} publishes no key of its kid")
    if seen.alg != key.alg:
        raise _refused("its alg is not its key's")
    try:
        verified = jws.deserialize_compact(token, key.key, algorithms=[key.alg])
    except (JoseError, ValueError) as error:
        raise _refused("its signature doesn't hold") from error
    try:
        # Parsed from what was verified, by the strict reader: two readers must not see two tokens.
        return _claims(parse_object(verified.payload, max_bytes=MAX_TOKEN_BYTES), ci=ci, now=now)
    except Malformed as error:
        raise _refused(error.reason) from error


def parse_jwks(body: bytes, *, max_bytes: int) -> tuple[CiKey, ...]:
    """Return the usable keys of a hostile key set (RFC 7517); one of another kind, use or size is passed over.

    Raises:
        Malformed: it is no key set, or two keys have one kid.
    """
    keys = [
        key
        for key in map(_key_of, objects_of(parse_object(body, max_bytes=max_bytes), "keys")[:_MAX_KEYS])
        if key is not None
    ]
    if len({key.kid for key in keys}) != len(keys):
        raise Malformed("two keys have one kid")
    return tuple(keys)


def _key_of(jwk: Mapping[str, object]) -> CiKey | None:
    alg = {"RSA": "RS256", "EC": "ES256"}.get(str(jwk.get("kty")), "")
    try:
        kid = text_of(jwk, "kid")
        if not alg or jwk.get("alg", alg) != alg or jwk.get("use", "sig") != "sig":
            return None
        if alg == "ES256":
            return _ec_key(jwk, kid) if jwk.get("crv") == "P-256" else None
        modulus = b64url_decode(text_of(jwk, "n", max_chars=2048)).lstrip(b"\0")
        if len(modulus) * 8 < _LEAST_RSA_BITS:
            return None
        members: dict[str, str | list[str]] = {
            "kty": "RSA",
            "n": text_of(jwk, "n", max_chars=2048),
            "e": text_of(jwk, "e"),
        }
        return CiKey(kid=kid, alg=alg, key=RSAKey.import_key(members))
    except (Malformed, JoseError, ValueError):
        return None


def _ec_key(jwk: Mapping[str, object], kid: str) -> CiKey:
    members: dict[str, str | list[str]] = {
        "kty": "EC",
        "crv": "P-256",
        "x": text_of(jwk, "x"),
        "y": text_of(jwk, "y"),
    }
    return CiKey(kid=kid, alg="ES256", key=ECKey.import_key(members))


def _claims(members: dict[str, object], *, ci: CiIssuer, now: int) -> CiClaims:
    audience = members.get("aud")
    # GitLab writes a list where its configuration is one; several readers share a token that way.
    if audience not in (ci.audience, [ci.audience]):
        raise Malformed(f"its aud is not {ci.audience} alone")
    issued_at, ends_at = integer_of(members, "iat"), integer_of(members, "exp")
    if members.get("iss") != ci.issuer:
        raise Malformed("it is another issuer's")
    if now >= ends_at + LEEWAY or now >= issued_at + LONGEST_FOR:
        raise Malformed("it has ended")
    if max(issued_at, optional_integer(members, "nbf") or 0) > now + LEEWAY:
        raise Malformed("it is not valid yet")
    optional_text(members, "sub")
    return CiClaims(
        jti=text_of(members, "jti", max_chars=256),
        ends_at=min(ends_at + LEEWAY, issued_at + LONGEST_FOR),
        members=members,
    )


def _segments(token: str) -> tuple[dict[str, object], dict[str, object]]:
    if len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise Malformed("it is too long or no compact token")
    segments = token.split(".")
    if len(segments) != 3:
        raise Malformed("it has not three segments")
    header, claims, signature = map(b64url_decode, segments)
    if not signature:
        raise Malformed("it is not signed")
    members = parse_object(header, max_bytes=MAX_TOKEN_BYTES)
    if set(members) - _HEADER or members.get("typ", "JWT") not in ("JWT", "jwt"):
        raise Malformed("its header holds more than alg, kid, typ JWT and x5t")
    return members, parse_object(claims, max_bytes=MAX_TOKEN_BYTES)


def _refused(reason: str) -> GatekeeperError:
    return GatekeeperError("GK201", f"The CI platform's token isn't accepted: {reason}.")
