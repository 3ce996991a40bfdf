"""The strict profile for our own compact tokens (RFC 7515, RFC 8725): hostile bytes in, verified claims out.

An allow-list stands in front of everything: size, three canonical segments, exactly `alg`, `typ`
and `kid` in the header, one algorithm, one type, keys of one purpose. Nothing in a token chooses
how it is verified. What is signed is then checked for issuer, audience, and times that make sense
among themselves. The types that no launch reads are `published`'s.

Whether a token is too old is not decided here but in `decision.freshness`, from the claims; which
claims there must be, and what they mean, is for `documents`; which keys count is for `trust.root`.
"""

from __future__ import annotations

from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import (
    MAX_TOKEN_BYTES,
    b64url_decode,
    b64url_encode,
    integer_of,
    optional_integer,
    parse_object,
    render_json,
    text_of,
)
from gatekeeper.trust.p256 import on_curve, sha256
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ALG = "ES256"
TYP = "gk-approval+jwt"

# A token is read per launch and travels in headers. A status list of 2^17 entries and a catalogue
# of many tools do neither, and may be larger.
_MOST_BYTES = 256 * 1024
MAX_BYTES = {
    TYP: MAX_TOKEN_BYTES,
    "at+jwt": MAX_TOKEN_BYTES,
    "statuslist+jwt": 64 * 1024,
    "gk-catalogue+jwt": _MOST_BYTES,
}
_KEY_MEMBERS = frozenset(("kty", "crv", "x", "y", "kid", "alg"))
_HEADER_MEMBERS = frozenset(("alg", "typ", "kid"))


class PublicKey(Value):
    """A P-256 public key that a root document certifies (or pins). x, y: 32 bytes, big endian."""

    kid: str
    x: bytes
    y: bytes


if TYPE_CHECKING:
    Verify = Callable[[PublicKey, bytes, bytes], bool]


class KeySet(Value):
    """The keys of one purpose; a type per purpose, so that no key verifies what is another's."""

    keys: tuple[PublicKey, ...]


class ApprovalKeys(KeySet):
    """Verify launch tokens."""


class GatewayKeys(KeySet):
    """Verify gateway tokens."""


class StatusKeys(KeySet):
    """Verify status lists."""


class PolicyKeys(KeySet):
    """Verify the catalogue."""


class VerifiedPayload(Value):
    """Claims whose signature, type, issuer and audience hold. Whether they are current is not said."""

    kid: str
    claims: dict[str, object]


class VerifiedApproval(VerifiedPayload):
    """Claims of a launch token."""


def thumbprint(x: bytes, y: bytes) -> str:
    """Return the RFC 7638 thumbprint of a P-256 key: the required members, in the order of their names."""
    members = {"crv": "P-256", "kty": "EC", "x": b64url_encode(x), "y": b64url_encode(y)}
    return b64url_encode(sha256(render_json(members)))


def public_key_of(jwk: Mapping[str, object]) -> PublicKey:
    """Read a hostile JWK: exactly kty, crv, x, y, kid and alg, for ES256 and with its own thumbprint as `kid`.

    Raises:
        Malformed: any other member (a private `d` above all), another algorithm, or no point of the curve.
    """
    if set(jwk) != _KEY_MEMBERS:
        raise Malformed("a key has not exactly kty, crv, x, y, kid and alg")
    if (jwk["kty"], jwk["crv"], jwk["alg"]) != ("EC", "P-256", ALG):
        raise Malformed("a key is not for ES256")
    x, y = b64url_decode(text_of(jwk, "x")), b64url_decode(text_of(jwk, "y"))
    if not on_curve(x, y):
        raise Malformed("a key is no point of P-256")
    kid = thumbprint(x, y)
    if jwk["kid"] != kid:
        raise Malformed("a key's kid is not its thumbprint")
    return PublicKey(kid=kid, x=x, y=y)


def audience_of(issuer: str) -> str:
    """Return the audience of launch tokens, which is also the OAuth `resource` that asks for them."""
    return f"{issuer}/launch"


def verify_launch_token(token: bytes, *, keys: ApprovalKeys, issuer: str, verify: Verify) -> VerifiedApproval:
    """Verify a hostile launch token (`gk-approval+jwt`, audience `<issuer>/launch`).

    Expired and not yet valid tokens verify: `decision.freshness` judges age, because a clock that is wrong
    is told apart from a token that is old. Only times that contradict each other are refused.

    Raises:
        TrustError: GK501, it breaks the profile, its key is unknown or its signature doesn't hold;
            GK502, it is of another type, or signed for another issuer or audience.
    """
    exact = (("iss", issuer), ("aud", audience_of(issuer)))
    kid, claims = verified_claims(token, typ=TYP, purpose=ApprovalKeys, keys=keys, exact=exact, verify=verify)
    return VerifiedApproval(kid=kid, claims=claims)


def parse_protected_header(segment: str, *, typ: str) -> str:
    """Return the `kid` of a hostile protected header that has exactly alg ES256, this `typ`, and a kid.

    Exactly: so `crit`, `jwk`, `jku`, `x5c`, `zip`, `cty`, `b64` and whatever comes next are refused.

    Raises:
        Malformed: it is not JSON, or has other members or another `alg`.
        TrustError: GK502, another `typ`.
    """
    header = parse_object(b64url_decode(segment), max_bytes=1024)
    if set(header) != _HEADER_MEMBERS:
        raise Malformed("the header has not exactly alg, typ and kid")
    if header["alg"] != ALG:
        raise Malformed("alg is not ES256")
    kid = text_of(header, "kid")
    # Told before the key is looked up: a key of another purpose is unknown here, and saying that
    # the type is wrong helps more than sending someone to look for a newer root document.
    if header["typ"] != typ:
        raise TrustError("GK502", f"A document of another type stands where {typ} is expected.")
    return kid


def segments_of(token: bytes) -> list[str]:
    """Split a hostile compact token. Raises `Malformed`."""
    if len(token) > _MOST_BYTES or not token.isascii():
        raise Malformed("not a compact token")
    segments = token.decode("ascii").split(".")
    if len(segments) != 3:
        raise Malformed("not three segments")
    return segments


def verified_claims(
    token: bytes,
    *,
    typ: str,
    purpose: type[KeySet],
    keys: KeySet,
    exact: tuple[tuple[str, str], ...],
    verify: Verify,
) -> tuple[str, dict[str, object]]:
    """Return kid and claims of a hostile token of this type, signed by a key of this purpose.

    Each claim of `exact` is one text, and the times agree among themselves. Which other claims there must be
    is for `documents`. Errors as `verify_launch_token`.
    """
    if type(keys) is not purpose:
        raise RuntimeError(f"{type(keys).__name__} verify nothing of type {typ}")
    try:
        kid, claims = _signed(typ, token, keys, verify)
        for name, value in exact:
            # One exact text: a list would let a token for one reader be a token for several.
            if claims.get(name) != value:
                raise TrustError("GK502", f"A signed document is for another {name} than {value}.")
        _check_times(claims)
    except Malformed as error:
        raise TrustError("GK501", f"A signed document can't be accepted: {error.reason}.") from error
    return kid, claims


def _signed(typ: str, token: bytes, keys: KeySet, verify: Verify) -> tuple[str, dict[str, object]]:
    """Check form, type and signature. Nothing is parsed before its size, nor claims before their signature."""
    if len(token) > MAX_BYTES[typ]:
        raise Malformed(f"longer than {MAX_BYTES[typ]} bytes")
    header, payload, signature = segments_of(token)
    kid = parse_protected_header(header, typ=typ)
    key = next((key for key in keys.keys if key.kid == kid), None)
    if key is None:
        raise Malformed("no key of this purpose has its kid")
    if not verify(key, f"{header}.{payload}".encode("ascii"), b64url_decode(signature)):
        raise Malformed("the signature does not hold")
    return kid, parse_object(b64url_decode(payload), max_bytes=MAX_BYTES[typ])


def _check_times(claims: Mapping[str, object]) -> None:
    starts, ends = optional_integer(claims, "nbf") or 0, integer_of(claims, "exp")
    if starts > ends or integer_of(claims, "iat") > ends:
        raise Malformed("its times contradict each other")
