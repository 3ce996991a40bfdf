"""What the service publishes and no launch reads: gateway tokens, the catalogue, status lists, public keys.

The strict profile is `chain`'s, and the same for every type; here stand the types that a warm launch needn't load.
Whether a document is too old is the caller's to judge, from its claims.
"""

from __future__ import annotations

from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import MAX_TOKEN_BYTES, b64url_decode, b64url_encode, parse_object, text_of
from gatekeeper.trust.chain import ALG, PublicKey, parse_keys, segments_of, verified_claims
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.trust.chain import TrustedRoot, Verify

GATEWAY_TYP = "at+jwt"
CATALOGUE_TYP = "gk-catalogue+jwt"
STATUS_TYP = "statuslist+jwt"
_GATEWAY_TEXTS = ("sub", "jti", "client_id", "scope")


class KeySet(Value):
    """The keys of one purpose; a type per purpose, so that no key verifies what is another's."""

    keys: tuple[PublicKey, ...]


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


class VerifiedGateway(VerifiedPayload):
    """Claims of a gateway token."""


class VerifiedStatus(VerifiedPayload):
    """Claims of a status list."""


class VerifiedPolicy(VerifiedPayload):
    """Claims of a catalogue."""


def gateway_keys(root: TrustedRoot) -> GatewayKeys:
    """Return the keys of gateway tokens. TrustError GK501 as `policy_keys`."""
    return GatewayKeys(keys=_keys_of(root, "gateway"))


def status_keys(root: TrustedRoot) -> StatusKeys:
    """Return the keys of status lists. TrustError GK501 as `policy_keys`."""
    return StatusKeys(keys=_keys_of(root, "status"))


def policy_keys(root: TrustedRoot) -> PolicyKeys:
    """Return the keys of the catalogue. TrustError GK501 where a launch's reading passed over what is no key."""
    return PolicyKeys(keys=_keys_of(root, "policy"))


def _keys_of(root: TrustedRoot, purpose: str) -> tuple[PublicKey, ...]:
    try:
        return parse_keys(root.keys, purpose)
    except Malformed as error:
        raise TrustError("GK501", f"A root document can't be accepted: {error.reason}.") from error


def _claims(
    token: bytes,
    *,
    typ: str,
    purpose: type[KeySet],
    keys: KeySet,
    exact: tuple[tuple[str, str], ...],
    verify: Verify,
) -> tuple[str, dict[str, object]]:
    if type(keys) is not purpose:
        raise RuntimeError(f"{type(keys).__name__} verify nothing of type {typ}")
    return verified_claims(token, typ=typ, keys=keys.keys, exact=exact, verify=verify)


def catalogue_audience_of(issuer: str) -> str:
    """Return the audience of catalogues."""
    return f"{issuer}/catalogue"


def verify_gateway_token(
    token: bytes, *, keys: GatewayKeys, issuer: str, audience: str, verify: Verify
) -> VerifiedGateway:
    """Verify a hostile gateway token (`at+jwt`, RFC 9068 §4) for the gateway whose URL is `audience`.

    Times and errors as `chain.verify_launch_token`; a claim that RFC 9068 §2.2 requires and that is missing is GK502.
    """
    exact = (("iss", issuer), ("aud", audience))
    kid, claims = _claims(token, typ=GATEWAY_TYP, purpose=GatewayKeys, keys=keys, exact=exact, verify=verify)
    try:
        for name in _GATEWAY_TEXTS:
            text_of(claims, name)
    except Malformed as error:
        raise TrustError("GK502", f"gateway token: {error.reason}") from error
    return VerifiedGateway(kid=kid, claims=claims)


def verify_catalogue(token: bytes, *, keys: PolicyKeys, issuer: str, verify: Verify) -> VerifiedPolicy:
    """Verify a hostile catalogue (`gk-catalogue+jwt`, audience `<issuer>/catalogue`).

    Times and errors as `chain.verify_launch_token`; that its version never falls is the caller's to check.
    """
    exact = (("iss", issuer), ("aud", catalogue_audience_of(issuer)))
    kid, claims = _claims(token, typ=CATALOGUE_TYP, purpose=PolicyKeys, keys=keys, exact=exact, verify=verify)
    return VerifiedPolicy(kid=kid, claims=claims)


def verify_status_list(token: bytes, *, keys: StatusKeys, uri: str, verify: Verify) -> VerifiedStatus:
    """Verify a hostile status list (`statuslist+jwt`), which must be the one at `uri` and has no audience.

    Times and errors as `chain.verify_launch_token`; another list under this address is GK502.
    """
    kid, claims = _claims(
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
    """Render the JWK that `chain.public_key_of` reads back as the same key."""
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": b64url_encode(key.x),
        "y": b64url_encode(key.y),
        "kid": key.kid,
        "alg": ALG,
    }
