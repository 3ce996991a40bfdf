"""The identity provider's tokens (ID token, logout token), verified in a declared narrow profile. Pure.

At most RS256, PS256, ES256 and EdDSA, by a key of the provider whose type and `alg` settle which; the header holds
`alg`, `kid`, `typ` and thumbprints, so that nothing in a token says how it is verified; issuer and audience are
exact, and the audience is ours alone. OpenID Connect Core §3.1.3.7, Back-Channel Logout §2.6, RFC 8725.
"""

from __future__ import annotations

import hmac
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import b64url_decode, integer_of, objects_of, optional_integer, parse_object, text_of
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

LEEWAY = 60
MAX_TOKEN_BYTES = 32 * 1024  # Entra puts up to 200 groups into one
LOGOUT_WITHIN = 600
_HEADER = frozenset(("alg", "kid", "typ", "x5t", "x5t#S256"))
_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_LEAST_RSA_BITS = 2048
_MAX_KEYS = 64
_MAX_ID_CHARS = 255


class ProviderKey(Value):
    """One verification key of the provider, with the algorithms that it may verify."""

    kid: str
    algs: tuple[str, ...]
    key: RSAKey | ECKey | OKPKey


class SignedIn(Value):
    """An ID token that holds. `auth_time` is 0 where the provider doesn't say; `sid` is "" without one."""

    account: str
    auth_time: int
    sid: str
    claims: Mapping[str, object]


class SignedOut(Value):
    """A logout token that holds: of an account, of a session, or of an account in a session."""

    account: str
    sid: str
    jti: str
    ends_at: int


def not_accepted(why: str, *, remedy: str = "") -> GatekeeperError:
    """Return the refusal of a sign-in at the provider."""
    return GatekeeperError("GK207", f"The sign-in can't be accepted: {why}.", remedy=remedy)


def kid_of(token: str) -> str:
    """Return which key a hostile token says that it needs. Raises `GatekeeperError` GK207."""
    try:
        return text_of(_segments(token)[0], "kid", max_chars=_MAX_ID_CHARS)
    except Malformed as error:
        raise not_accepted(error.reason) from error


def verify_id_token(
    token: str,
    *,
    keys: Sequence[ProviderKey],
    issuer: str,
    client_id: str,
    nonce: str,
    max_age: int | None,
    now: int,
) -> SignedIn:
    """Verify a hostile ID token.

    Raises:
        GatekeeperError: GK207, it doesn't hold; the words say which rule it breaks.
    """
    try:
        claims = _verified(token, keys=keys, typ=("JWT",))
        _check_common(claims, issuer=issuer, client_id=client_id, now=now)
        return _signed_in(claims, nonce=nonce, max_age=max_age, now=now)
    except Malformed as error:
        raise not_accepted(error.reason) from error


def verify_logout_token(
    token: str, *, keys: Sequence[ProviderKey], issuer: str, client_id: str, now: int
) -> SignedOut:
    """Verify a hostile logout token.

    Raises:
        GatekeeperError: GK207, it doesn't hold.
    """
    try:
        claims = _verified(token, keys=keys, typ=("JWT", "logout+jwt"))
        _check_common(claims, issuer=issuer, client_id=client_id, now=now)
        return _signed_out(claims, now=now)
    except Malformed as error:
        raise not_accepted(error.reason) from error


def parse_provider_keys(body: bytes, *, max_bytes: int) -> tuple[ProviderKey, ...]:
    """Return the usable keys of a hostile key set (RFC 7517); one of another kind, use or size is passed over.

    Raises:
        Malformed: it is no key set, or two keys have one kid.
    """
    found = objects_of(parse_object(body, max_bytes=max_bytes), "keys")[:_MAX_KEYS]
    keys = [key for key in map(_key_of, found) if key is not None]
    if len({key.kid for key in keys}) != len(keys):
        raise Malformed("two keys have one kid")
    return tuple(keys)


def _signed_in(claims: Mapping[str, object], *, nonce: str, max_age: int | None, now: int) -> SignedIn:
    """Read the claims of a verified ID token. Raises `Malformed`."""
    if now >= integer_of(claims, "exp") + LEEWAY:
        raise Malformed("it has ended")
    given = text_of(claims, "nonce", max_chars=_MAX_ID_CHARS)
    if not hmac.compare_digest(given.encode(), nonce.encode()):
        raise Malformed("its nonce is another sign-in's")
    if "events" in claims:
        raise Malformed("it is a token about an event")
    auth_time = optional_integer(claims, "auth_time") or 0
    if max_age is not None and not auth_time:
        raise Malformed("the provider doesn't say when you proved who you are (auth_time)")
    if max_age is not None and not now - max_age - LEEWAY <= auth_time <= now + LEEWAY:
        raise Malformed("you proved who you are too long ago, or one of the clocks is wrong (auth_time)")
    return SignedIn(
        account=text_of(claims, "sub", max_chars=_MAX_ID_CHARS),
        auth_time=min(auth_time, now),
        sid=_optional_id(claims, "sid"),
        claims=claims,
    )


def _signed_out(claims: Mapping[str, object], *, now: int) -> SignedOut:
    """Read the claims of a verified logout token. Raises `Malformed`."""
    issued_at = integer_of(claims, "iat")
    latest = issued_at + LOGOUT_WITHIN
    ends_at = min(optional_integer(claims, "exp") or latest, latest) + LEEWAY
    if now >= ends_at:
        raise Malformed("it has ended")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(_LOGOUT_EVENT), dict):
        raise Malformed("it is not about a logout")
    if "nonce" in claims:
        raise Malformed("it holds a nonce, which no logout token does")
    account, sid = _optional_id(claims, "sub"), _optional_id(claims, "sid")
    if not account and not sid:
        raise Malformed("it names neither an account nor a session")
    jti = text_of(claims, "jti", max_chars=_MAX_ID_CHARS)
    return SignedOut(account=account, sid=sid, jti=jti, ends_at=ends_at)


def _verified(token: str, *, keys: Sequence[ProviderKey], typ: tuple[str, ...]) -> dict[str, object]:
    """Return the claims of a token that one of `keys` signed, read from what was verified. Raises `Malformed`."""
    header, _ = _segments(token)
    kid, alg = text_of(header, "kid", max_chars=_MAX_ID_CHARS), text_of(header, "alg")
    if header.get("typ", "JWT") not in typ:
        raise Malformed("it is a token of another type")
    key = next((one for one in keys if one.kid == kid), None)
    if key is None:
        raise Malformed("the provider publishes no key of its kid")
    if alg not in key.algs:
        raise Malformed("its alg is not its key's")
    try:
        with warnings.catch_warnings():
            # RFC 9864 renames EdDSA; providers go on calling it that, and the key says which curve it is.
            warnings.simplefilter("ignore", SecurityWarning)
            verified = jws.deserialize_compact(token, key.key, algorithms=[alg])
    except (JoseError, ValueError) as error:
        raise Malformed("its signature doesn't hold") from error
    return parse_object(verified.payload, max_bytes=MAX_TOKEN_BYTES)


def _check_common(claims: Mapping[str, object], *, issuer: str, client_id: str, now: int) -> None:
    if claims.get("iss") != issuer:
        raise Malformed("it is another issuer's")
    if claims.get("aud") not in (client_id, [client_id]):
        raise Malformed("it is not for this service alone (aud)")
    if claims.get("azp", client_id) != client_id:
        raise Malformed("it was issued to another client (azp)")
    if max(integer_of(claims, "iat"), optional_integer(claims, "nbf") or 0) > now + LEEWAY:
        raise Malformed("it is not valid yet: one of the clocks is wrong")


def _segments(token: str) -> tuple[dict[str, object], bytes]:
    if len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise Malformed("its token is too long or no compact token")
    segments = token.split(".")
    if len(segments) != 3:
        raise Malformed("its token has not three segments")
    header, payload, signature = map(b64url_decode, segments)
    if not signature:
        raise Malformed("its token is not signed")
    members = parse_object(header, max_bytes=MAX_TOKEN_BYTES)
    if set(members) - _HEADER:
        raise Malformed("its token's header holds more than alg, kid and typ")
    return members, payload


def _key_of(jwk: Mapping[str, object]) -> ProviderKey | None:
    algs = {
        ("RSA", ""): ("RS256", "PS256"),
        ("EC", "P-256"): ("ES256",),
        ("OKP", "Ed25519"): ("EdDSA",),
    }.get((str(jwk.get("kty")), str(jwk.get("crv", ""))), ())
    named = jwk.get("alg", algs[0] if algs else "")
    if not algs or named not in algs or jwk.get("use", "sig") != "sig":
        return None
    try:
        kid = text_of(jwk, "kid", max_chars=_MAX_ID_CHARS)
        wanted = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}[str(jwk["kty"])]
        members: dict[str, str | list[str]] = {
            "kty": str(jwk["kty"]),
            **({"crv": str(jwk["crv"])} if "crv" in jwk else {}),
            **{name: text_of(jwk, name, max_chars=2048) for name in wanted},
        }
        if members["kty"] == "RSA":
            modulus = b64url_decode(str(members["n"])).lstrip(b"\0")
            if len(modulus) * 8 < _LEAST_RSA_BITS:
                return None
        kind = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}[str(members["kty"])]
        return ProviderKey(
            kid=kid,
            algs=(str(named),) if "alg" in jwk else algs,
            key=kind.import_key(members),  # type: ignore[attr-defined]
        )
    except (Malformed, JoseError, ValueError):
        return None


def _optional_id(claims: Mapping[str, object], name: str) -> str:
    return text_of(claims, name, max_chars=_MAX_ID_CHARS) if name in claims else ""
