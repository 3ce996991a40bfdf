"""What the service publishes and no launch reads: gateway tokens, the catalogue, status lists, public keys.

The strict profile is `jws`'s, and the same for every type; here stand the types that a warm launch needn't load.
Whether a document is too old is the caller's to judge, from its claims.
"""

from __future__ import annotations

from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import MAX_TOKEN_BYTES, b64url_decode, b64url_encode, parse_object, text_of
from gatekeeper.trust.jws import (
    ALG,
    GatewayKeys,
    PolicyKeys,
    PublicKey,
    StatusKeys,
    VerifiedPayload,
    segments_of,
    verified_claims,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.trust.jws import Verify

GATEWAY_TYP = "at+jwt"
CATALOGUE_TYP = "gk-catalogue+jwt"
STATUS_TYP = "statuslist+jwt"
_GATEWAY_TEXTS = ("sub", "jti", "client_id", "scope")


class VerifiedGateway(VerifiedPayload):
    """Claims of a gateway token."""


class VerifiedStatus(VerifiedPayload):
    """Claims of a status list."""


class VerifiedPolicy(VerifiedPayload):
    """Claims of a catalogue."""


def catalogue_audience_of(issuer: str) -> str:
    """Return the audience of catalogues."""
    return f"{issuer}/catalogue"


def verify_gateway_token(
    token: bytes, *, keys: GatewayKeys, issuer: str, audience: str, verify: Verify
) -> VerifiedGateway:
    """Verify a hostile gateway token (`at+jwt`, RFC 9068 §4) for the gateway whose URL is `audience`.

    Times and errors as `jws.verify_launch_token`; a claim that RFC 9068 §2.2 requires and that is missing is GK502.
    """
    exact = (("iss", issuer), ("aud", audience))
    kid, claims = verified_claims(
        token, typ=GATEWAY_TYP, purpose=GatewayKeys, keys=keys, exact=exact, verify=verify
    )
    try:
        for name in _GATEWAY_TEXTS:
            text_of(claims, name)
    except Malformed as error:
        raise TrustError("GK502", f"gateway token: {error.reason}") from error
    return VerifiedGateway(kid=kid, claims=claims)


def verify_catalogue(token: bytes, *, keys: PolicyKeys, issuer: str, verify: Verify) -> VerifiedPolicy:
    """Verify a hostile catalogue (`gk-catalogue+jwt`, audience `<issuer>/catalogue`).

    Times and errors as `jws.verify_launch_token`; that its version never falls is the caller's to check.
    """
    exact = (("iss", issuer), ("aud", catalogue_audience_of(issuer)))
    kid, claims = verified_claims(
        token, typ=CATALOGUE_TYP, purpose=PolicyKeys, keys=keys, exact=exact, verify=verify
    )
    return VerifiedPolicy(kid=kid, claims=claims)


def verify_status_list(token: bytes, *, keys: StatusKeys, uri: str, verify: Verify) -> VerifiedStatus:
    """Verify a hostile status list (`statuslist+jwt`), which must be the one at `uri` and has no audience.

    Times and errors as `jws.verify_launch_token`; another list under this address is GK502.
    """
    kid, claims = verified_claims(
        token, typ=STATUS_TYP, purpose=StatusKeys, keys=keys, exact=(("sub", uri),), verify=verify
    )
    if "aud" in claims:
        raise TrustError("GK502", "The status list is meant for one audience.")
    return VerifiedStatus(kid=kid, claims=claims)


def peek_kid(token: bytes) -> str:
    """Return the unverified `kid` of a hostile token, or "" where there is none to read.

    Only to learn that a newer root document is needed. Never to choose or trust anything.
    """
    try:
        return text_of(parse_object(b64url_decode(segments_of(token)[0]), max_bytes=MAX_TOKEN_BYTES), "kid")
    except Malformed:
        return ""


def render_public_jwk(key: PublicKey) -> dict[str, object]:
    """Render the JWK that `jws.public_key_of` reads back as the same key."""
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": b64url_encode(key.x),
        "y": b64url_encode(key.y),
        "kid": key.kid,
        "alg": ALG,
    }
