"""Verify with `cryptography`: ES256, which renewal demands before anything enters the state, and the log's Ed25519.

The managed key `verifier = "library"` makes launches use it too, instead of `p256`.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from gatekeeper.trust.chain import PublicKey
from gatekeeper.trust.p256 import P
from gatekeeper.trust.root_documents import LogPublicKey


def verify_es256(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Say whether `signature` (r ‖ s, 64 bytes, RFC 7518 §3.4) is the key's over `message`.

    Everything may be hostile; nothing raises. Answers as `p256.verify_es256` does, for every input.
    """
    # The length is checked here because the library takes numbers, which would hide padding.
    public = _load(key) if len(signature) == 64 else None
    if public is None:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        public.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _load(key: PublicKey) -> ec.EllipticCurvePublicKey | None:
    """Return the key, or None for what is no point: the library takes x + p for x, which `p256` doesn't."""
    x, y = int.from_bytes(key.x, "big"), int.from_bytes(key.y, "big")
    if len(key.x) != 32 or len(key.y) != 32 or x >= P or y >= P:
        return None
    try:
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError:
        return None


def verify_ed25519(key: LogPublicKey, message: bytes, signature: bytes) -> bool:
    """Say whether `signature` (RFC 8032, 64 bytes) is the log key's over `message`. All may be hostile; nothing raises."""
    try:
        Ed25519PublicKey.from_public_bytes(key.x).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
