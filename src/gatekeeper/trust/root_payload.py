"""The payload of a root document as the service writes it: what `root.parse_root_payload` reads back unchanged.

Apart from `root`, because no launch writes one. Signing is `sign`'s.
"""

from __future__ import annotations

from gatekeeper.strict import b64url_encode
from gatekeeper.trust.published import render_public_jwk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.trust.root import LogPublicKey, RootDocument


def render_root_payload(root: RootDocument) -> dict[str, object]:
    """Render the payload that `parse_root_payload` reads back as the same document."""
    return {
        "version": root.version,
        "iss": root.issuer,
        "iat": root.issued_at,
        "exp": root.expires_at,
        "threshold": root.threshold,
        "roots": [render_public_jwk(key) for key in root.roots],
        "keys": {
            "approval": [render_public_jwk(key) for key in root.approval],
            "gateway": [render_public_jwk(key) for key in root.gateway],
            "status": [render_public_jwk(key) for key in root.status],
            "policy": [render_public_jwk(key) for key in root.policy],
            "log": [render_log_jwk(key) for key in root.log],
        },
        "log_origin": root.log_origin,
    }


def render_log_jwk(key: LogPublicKey) -> dict[str, object]:
    """Render the public JWK of a log key (RFC 8037; `alg` as RFC 9864 names it)."""
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": b64url_encode(key.x),
        "kid": key.kid,
        "alg": "Ed25519",
    }
