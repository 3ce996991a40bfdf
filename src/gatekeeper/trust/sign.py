"""Keys that sign, and the documents that they sign. Never loaded by a launch.

`Signs` is the seam for a key that lives elsewhere (a KMS, an HSM): a kid and a function from
bytes to a raw signature. Which key signs what, and where it is kept, is `service.keys`' and
`client.credentials`' to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from gatekeeper.errors import Malformed
from gatekeeper.strict import MAX_TOKEN_BYTES, b64url_decode, b64url_encode, render_json, text_of
from gatekeeper.trust.chain import ALG, MAX_BYTES, ROOT_TYP, PublicKey, public_key_of, thumbprint
from gatekeeper.trust.p256 import N
from gatekeeper.trust.published import render_public_jwk
from gatekeeper.trust.root_documents import LogPublicKey, log_thumbprint, parse_log_jwk, render_log_jwk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Signs(Protocol):
    """Something that signs ES256 under a kid, which is the RFC 7638 thumbprint of its key."""

    @property
    def kid(self) -> str:
        """The thumbprint of the public key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return r ‖ s, 64 bytes (RFC 7518 §3.4)."""
        ...


class SigningKey:
    """An ES256 key in this process's memory. Its representation never shows the private half."""

    __slots__ = ("_private", "public")

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        if private.curve.name != "secp256r1":
            raise RuntimeError("a signing key is on another curve than P-256")
        numbers = private.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        self._private = private
        self.public = PublicKey(kid=thumbprint(x, y), x=x, y=y)

    @classmethod
    def generate(cls) -> SigningKey:
        """Make a new key from the operating system's randomness."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, object]) -> SigningKey:
        """Read a private JWK as `private_jwk` renders it.

        Raises:
            Malformed: it is not exactly that, or its private half belongs to another public key.
        """
        rest = {name: member for name, member in jwk.items() if name != "d"}
        public = public_key_of(rest)
        secret = b64url_decode(text_of(jwk, "d"))
        number = int.from_bytes(secret, "big")
        if len(secret) != 32 or not 0 < number < N:
            raise Malformed("a private key is out of range")
        key = cls(ec.derive_private_key(number, ec.SECP256R1()))
        if key.public != public:
            raise Malformed("a private key belongs to another public key")
        return key

    @property
    def kid(self) -> str:
        """The RFC 7638 thumbprint, which is also what `cnf.jkt` and pins hold."""
        return self.public.kid

    def sign(self, message: bytes) -> bytes:
        """Return r ‖ s over the SHA-256 of `message`, 64 bytes (RFC 7518 §3.4)."""
        r, s = decode_dss_signature(self._private.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def public_jwk(self) -> dict[str, object]:
        """Render the public half, with kid and alg."""
        return render_public_jwk(self.public)

    def private_jwk(self) -> dict[str, object]:
        """Render both halves. The caller answers for where it goes."""
        secret = self._private.private_numbers().private_value.to_bytes(32, "big")
        return {**self.public_jwk(), "d": b64url_encode(secret)}

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r})"


class LogKey:
    """The Ed25519 key that signs audit checkpoints. Its representation never shows the private half."""

    __slots__ = ("_private", "public")

    def __init__(self, private: ed25519.Ed25519PrivateKey) -> None:
        x = private.public_key().public_bytes_raw()
        self._private = private
        self.public = LogPublicKey(kid=log_thumbprint(x), x=x)

    @classmethod
    def generate(cls) -> LogKey:
        """Make a new key from the operating system's randomness."""
        return cls(ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, object]) -> LogKey:
        """Read a private JWK as `private_jwk` renders it.

        Raises:
            Malformed: it is not exactly that, or its private half belongs to another public key.
        """
        public = parse_log_jwk({name: member for name, member in jwk.items() if name != "d"})
        secret = b64url_decode(text_of(jwk, "d"))
        if len(secret) != 32:
            raise Malformed("a private key is out of range")
        key = cls(ed25519.Ed25519PrivateKey.from_private_bytes(secret))
        if key.public != public:
            raise Malformed("a private key belongs to another public key")
        return key

    @property
    def kid(self) -> str:
        """The RFC 8037 thumbprint."""
        return self.public.kid

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature, 64 bytes (RFC 8032)."""
        return self._private.sign(message)

    def public_jwk(self) -> dict[str, object]:
        """Render the public half, with kid and alg."""
        return render_log_jwk(self.public)

    def private_jwk(self) -> dict[str, object]:
        """Render both halves. The caller answers for where it goes."""
        return {**self.public_jwk(), "d": b64url_encode(self._private.private_bytes_raw())}

    def __repr__(self) -> str:
        return f"LogKey(kid={self.kid!r})"


def sign_token(key: Signs, *, typ: str, claims: Mapping[str, object]) -> str:
    """Sign claims as a compact JWS (RFC 7515 §7.1) whose header is exactly alg, typ and kid.

    A token longer than its verifiers read raises `RuntimeError`: better here than at every launch.
    """
    message = f"{_protected(key, typ)}.{b64url_encode(render_json(dict(claims)))}"
    token = f"{message}.{b64url_encode(key.sign(message.encode('ascii')))}"
    if len(token) > MAX_BYTES.get(typ, MAX_TOKEN_BYTES):
        raise RuntimeError(f"a {typ} of {len(token)} bytes is longer than its verifiers read")
    return token


def sign_root(payload: Mapping[str, object], keys: Sequence[Signs]) -> bytes:
    """Sign a root document's payload with each key, as JWS General JSON (RFC 7515 §7.2.1).

    Whether these keys suffice is for `root_documents.verify_chain` to say; call it before publishing.
    """
    body = b64url_encode(render_json(dict(payload)))
    signatures = []
    for key in keys:
        protected = _protected(key, ROOT_TYP)
        signature = key.sign(f"{protected}.{body}".encode("ascii"))
        signatures.append({"protected": protected, "signature": b64url_encode(signature)})
    return render_json({"payload": body, "signatures": signatures})


def _protected(key: Signs, typ: str) -> str:
    return b64url_encode(render_json({"alg": ALG, "typ": typ, "kid": key.kid}))
