"""Verify ES256 with `cryptography`: what renewal demands before anything enters the state.

The managed key `verifier = "library"` makes launches use it too, instead of `p256`.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from gatekeeper.trust.jws import PublicKey


def verify_es256(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Say whether `signature` (r ‖ s, 64 bytes, RFC 7518 §3.4) is the key's over `message`.

    Everything may be hostile; nothing raises. Answers as `p256.verify_es256` does, for every input.
    """
    # Lengths are checked here because the library takes numbers, which would hide padding.
    if len(signature) != 64 or len(key.x) != 32 or len(key.y) != 32:
        return False
    encoded = encode_dss_signature(
        int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    )
    try:
        public = ec.EllipticCurvePublicNumbers(
            int.from_bytes(key.x, "big"), int.from_bytes(key.y, "big"), ec.SECP256R1()
        ).public_key()
        public.verify(encoded, message, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
