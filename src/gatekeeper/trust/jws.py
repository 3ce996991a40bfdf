"""The strict profile for our own compact tokens (RFC 7515, RFC 8725): hostile bytes in, verified claims out.

An allow-list stands in front of everything: size, three canonical segments, exactly `alg`, `typ`
and `kid` in the header, one algorithm, one type, keys of one purpose. Nothing in a token chooses
how it is verified. What is signed is then checked for issuer, audience, required claims and times
that make sense among themselves.

Whether a token is too old is not decided here but in `decision.freshness`, from the claims; what
the claims mean is for `documents`; which keys count is for `trust.root`.
"""

from __future__ import annotations

from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import (
    MAX_TOKEN_BYTES,
    b64url_decode,
    b64url_encode,
    integer_of,
    object_of,
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

# A token is read per launch and travels in headers. A status list of 2^17 entries and a catalogue
# of many tools do neither, and may be larger.
MAX_BYTES = {
    "gk-approval+jwt": MAX_TOKEN_BYTES,
    "at+jwt": MAX_TOKEN_BYTES,
    "statuslist+jwt": 64 * 1024,
    "gk-catalogue+jwt": 256 * 1024,
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


class VerifiedGateway(VerifiedPayload):
    """Claims of a gateway token."""


class VerifiedStatus(VerifiedPayload):
    """Claims of a status list."""


class VerifiedPolicy(VerifiedPayload):
    """Claims of a catalogue."""


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


def render_public_jwk(key: PublicKey) -> dict[str, object]:
    """Render the JWK that `public_key_of` reads back as the same key."""
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": b64url_encode(key.x),
        "y": b64url_encode(key.y),
        "kid": key.kid,
        "alg": ALG,
    }


class _Profile(Value):
    """What a type of token must be: its keys, and the claims that must be there, by their shape."""

    typ: str
    purpose: type[KeySet]
    texts: tuple[str, ...] = ()
    integers: tuple[str, ...] = ("iat", "exp")
    objects: tuple[str, ...] = ()


_LAUNCH = _Profile(
    typ="gk-approval+jwt",
    purpose=ApprovalKeys,
    texts=("sub", "jti", "client_id", "scope"),
    integers=("iat", "nbf", "exp"),
    objects=("cnf", "status", "gk"),
)
_GATEWAY = _Profile(
    typ="at+jwt",
    purpose=GatewayKeys,
    texts=("sub", "jti", "client_id", "scope"),
    integers=("iat", "nbf", "exp"),
)
_CATALOGUE = _Profile(
    typ="gk-catalogue+jwt",
    purpose=PolicyKeys,
    texts=("sub", "jti"),
    integers=("iat", "nbf", "exp", "version"),
)
_STATUS_LIST = _Profile(
    typ="statuslist+jwt", purpose=StatusKeys, integers=("iat", "exp", "ttl"), objects=("status_list",)
)


def verify_launch_token(
    token: bytes,
    *,
    keys: ApprovalKeys,
    issuer: str,
    now: int,  # noqa: ARG001
    verify: Verify,
) -> VerifiedApproval:
    """Verify a hostile launch token (`gk-approval+jwt`, audience `<issuer>/launch`).

    `now` changes nothing here: an expired or not yet valid token verifies, and `decision.freshness` judges
    its age, because a clock that is wrong is told apart from a token that is old. Only times that
    contradict each other (`nbf` or `iat` after `exp`) are refused. The same holds for its three siblings.

    Raises:
        TrustError: GK501, it breaks the profile, its key is unknown or its signature doesn't hold;
            GK502, it is of another type, or signed for another issuer or audience.
    """
    exact = (("iss", issuer), ("aud", f"{issuer}/launch"))
    kid, claims = _verified(_LAUNCH, token, keys=keys, exact=exact, verify=verify)
    return VerifiedApproval(kid=kid, claims=claims)


def verify_gateway_token(
    token: bytes,
    *,
    keys: GatewayKeys,
    issuer: str,
    audience: str,
    now: int,  # noqa: ARG001
    verify: Verify,
) -> VerifiedGateway:
    """Verify a hostile gateway token (`at+jwt`, RFC 9068 §4) for the gateway whose URL is `audience`.

    Times and errors as `verify_launch_token`: the caller judges `exp`.
    """
    exact = (("iss", issuer), ("aud", audience))
    kid, claims = _verified(_GATEWAY, token, keys=keys, exact=exact, verify=verify)
    return VerifiedGateway(kid=kid, claims=claims)


def verify_catalogue(
    token: bytes,
    *,
    keys: PolicyKeys,
    issuer: str,
    now: int,  # noqa: ARG001
    verify: Verify,
) -> VerifiedPolicy:
    """Verify a hostile catalogue (`gk-catalogue+jwt`, audience `<issuer>/catalogue`).

    Times and errors as `verify_launch_token`; that its version never falls is the caller's to check.
    """
    exact = (("iss", issuer), ("aud", f"{issuer}/catalogue"))
    kid, claims = _verified(_CATALOGUE, token, keys=keys, exact=exact, verify=verify)
    return VerifiedPolicy(kid=kid, claims=claims)


def verify_status_list(
    token: bytes,
    *,
    keys: StatusKeys,
    uri: str,
    now: int,  # noqa: ARG001
    verify: Verify,
) -> VerifiedStatus:
    """Verify a hostile status list (`statuslist+jwt`), which must be the one at `uri` and has no audience.

    Times and errors as `verify_launch_token`; another list under this address is GK502.
    """
    kid, claims = _verified(_STATUS_LIST, token, keys=keys, exact=(("sub", uri),), verify=verify)
    if "aud" in claims:
        raise TrustError("GK502", "The status list is meant for one audience.")
    return VerifiedStatus(kid=kid, claims=claims)


def peek_kid(token: bytes) -> str:
    """Return the unverified `kid` of a hostile token, or "" where there is none to read.

    Only to learn that a newer root document is needed. Never to choose or trust anything.
    """
    try:
        return text_of(parse_object(b64url_decode(_segments(token)[0]), max_bytes=MAX_TOKEN_BYTES), "kid")
    except Malformed:
        return ""


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


def _segments(token: bytes) -> list[str]:
    if len(token) > max(MAX_BYTES.values()) or not token.isascii():
        raise Malformed("not a compact token")
    segments = token.decode("ascii").split(".")
    if len(segments) != 3:
        raise Malformed("not three segments")
    return segments


def _verified(
    profile: _Profile, token: bytes, *, keys: KeySet, exact: tuple[tuple[str, str], ...], verify: Verify
) -> tuple[str, dict[str, object]]:
    """Return kid and claims of a token that meets its profile and has each `exact` claim as one text."""
    if type(keys) is not profile.purpose:
        raise RuntimeError(f"{type(keys).__name__} verify nothing of type {profile.typ}")
    try:
        kid, claims = _signed(profile.typ, token, keys, verify)
        for name, value in exact:
            # One exact text: a list would let a token for one reader be a token for several.
            if claims.get(name) != value:
                raise TrustError("GK502", f"A signed document is for another {name} than {value}.")
        _check_claims(profile, claims)
    except Malformed as error:
        raise TrustError("GK501", f"A signed document can't be accepted: {error.reason}.") from error
    return kid, claims


def _signed(typ: str, token: bytes, keys: KeySet, verify: Verify) -> tuple[str, dict[str, object]]:
    """Check form, type and signature. Nothing is parsed before its size, nor claims before their signature."""
    if len(token) > MAX_BYTES[typ]:
        raise Malformed(f"longer than {MAX_BYTES[typ]} bytes")
    header, payload, signature = _segments(token)
    kid = parse_protected_header(header, typ=typ)
    key = next((key for key in keys.keys if key.kid == kid), None)
    if key is None:
        raise Malformed("no key of this purpose has its kid")
    if not verify(key, f"{header}.{payload}".encode("ascii"), b64url_decode(signature)):
        raise Malformed("the signature does not hold")
    return kid, parse_object(b64url_decode(payload), max_bytes=MAX_BYTES[typ])


def _check_claims(profile: _Profile, claims: Mapping[str, object]) -> None:
    for name in profile.texts:
        text_of(claims, name)
    for name in profile.integers:
        integer_of(claims, name)
    for name in profile.objects:
        object_of(claims, name)
    starts, ends = optional_integer(claims, "nbf") or 0, integer_of(claims, "exp")
    if starts > ends or integer_of(claims, "iat") > ends:
        raise Malformed("its times contradict each other")
