"""Keys, claims and tokens for the tests of `trust`: good by default, and signed right when they are bad."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gatekeeper.strict import b64url_encode
from gatekeeper.trust.chain import ApprovalKeys
from gatekeeper.trust.published import GatewayKeys, PolicyKeys, StatusKeys
from gatekeeper.trust.sign import SigningKey

if TYPE_CHECKING:
    from collections.abc import Mapping

ISSUER = "https://gatekeeper.acme.example"
NOW = 1_800_000_000
KEY = SigningKey.generate()
OTHER = SigningKey.generate()
APPROVAL = ApprovalKeys(keys=(OTHER.public, KEY.public))
GATEWAY = GatewayKeys(keys=(KEY.public,))
POLICY = PolicyKeys(keys=(KEY.public,))
STATUS = StatusKeys(keys=(KEY.public,))


def header(**changes: object) -> dict[str, object]:
    """Return the header of a good launch token, with members changed, or left out where None."""
    members = {"alg": "ES256", "typ": "gk-approval+jwt", "kid": KEY.kid, **changes}
    return {name: member for name, member in members.items() if member is not None}


def launch_claims(**changes: object) -> dict[str, Any]:
    """Return the claims of a good launch token, with members changed, or left out where None."""
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "sub": "u_1",
        "aud": f"{ISSUER}/launch",
        "client_id": "gatekeeper-cli",
        "jti": "j-1",
        "iat": NOW,
        "nbf": NOW - 300,
        "exp": NOW + 86_400,
        "cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
        "scope": "launch:claude",
        "status": {"status_list": {"idx": 1, "uri": f"{ISSUER}/status/1"}},
        "authorization_details": [{"type": "urn:gatekeeper:launch", "tool": "claude"}],
        "gk": {"v": 1, "grant": "G-1", "name": "Ada"},
        **changes,
    }
    return {name: claim for name, claim in claims.items() if claim is not None}


def signed(
    head: Mapping[str, object] | bytes, claims: Mapping[str, object] | bytes, key: SigningKey = KEY
) -> bytes:
    """Sign anything as header and payload with the right key, so that only the content can be refused."""
    head_bytes = head if isinstance(head, bytes) else json.dumps(head).encode()
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    message = f"{b64url_encode(head_bytes)}.{b64url_encode(body)}".encode()
    return message + b"." + b64url_encode(key.sign(message)).encode()
