"""What HSMs and key services give, as this program's own formats: public keys in DER or PEM, signatures in DER.

Never loaded by a launch. Whatever comes from outside may be wrong; nothing else than P-256 gets through.
"""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from gatekeeper.errors import Malformed
from gatekeeper.trust.chain import PublicKey, thumbprint
from gatekeeper.trust.p256 import N


def public_key_of_spki(data: bytes) -> PublicKey:
    """Read a SubjectPublicKeyInfo (RFC 5280 §4.1), PEM or DER, of a key on P-256.

    Raises:
        Malformed: it is none.
    """
    try:
        loaded = load_pem_public_key(data) if data.startswith(b"-----BEGIN") else load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Malformed("it is no public key in DER or PEM") from error
    if not isinstance(loaded, ec.EllipticCurvePublicKey) or loaded.curve.name != "secp256r1":
        raise Malformed("it is no key on P-256")
    numbers = loaded.public_numbers()
    return _public(numbers.x, numbers.y)


def public_key_of_point(point: bytes) -> PublicKey:
    """Read an uncompressed point (SEC 1 §2.3.3), bare or as PKCS #11's DER octet string around it.

    Raises:
        Malformed: it is none of P-256.
    """
    if len(point) == 67 and point[:2] == b"\x04\x41":
        point = point[2:]
    try:
        numbers = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point).public_numbers()
    except ValueError as error:
        raise Malformed("it is no point on P-256") from error
    return _public(numbers.x, numbers.y)


def raw_of_der(signature: bytes) -> bytes:
    """Return r ‖ s, 64 bytes (RFC 7518 §3.4), of an ECDSA-Sig-Value (RFC 3279 §2.2.3).

    Raises:
        Malformed: it is none, or a number is out of range.
    """
    try:
        r, s = decode_dss_signature(signature)
    except ValueError as error:
        raise Malformed("it is no ECDSA signature in DER") from error
    if not 0 < r < N or not 0 < s < N:
        raise Malformed("a signature's number is out of range")
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _public(x: int, y: int) -> PublicKey:
    x_bytes, y_bytes = x.to_bytes(32, "big"), y.to_bytes(32, "big")
    return PublicKey(kid=thumbprint(x_bytes, y_bytes), x=x_bytes, y=y_bytes)
