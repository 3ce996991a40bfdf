"""What makes a DPoP proof fresh (RFC 9449 §8, §11.1): the server's nonce, and each `jti` once.

A nonce is a time bucket and an HMAC over it, under a key that all replicas share through the store, so
no nonce is ever stored. It is valid for an hour. A proof's `jti` is remembered for longer than any nonce
that it could carry, so that a proof is good exactly once. The proof's own `iat` counts for nothing:
workstations' clocks are wrong.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, text

from gatekeeper.errors import Malformed
from gatekeeper.service.store.tables.oauth import dpop_proofs, shared_secrets
from gatekeeper.strict import b64url_decode, b64url_encode

if TYPE_CHECKING:
    from sqlalchemy import Connection

BUCKET_SECONDS = 300
VALID_FOR = 3_600
# The newest nonce that is accepted comes from one bucket ahead (a replica whose clock is fast), so a
# proof must be remembered for that much longer than a nonce is valid.
REMEMBER_FOR = VALID_FOR + 2 * BUCKET_SECONDS
SECRET_NAME = "nonce"  # noqa: S105 - the row's name
SECRET_BYTES = 32
_MAC_BYTES = 16
_LABEL = b"gatekeeper DPoP nonce 1\0"

_find_secret = select(shared_secrets.c.value).where(shared_secrets.c.name == SECRET_NAME)
# ON CONFLICT is written alike on SQLite and PostgreSQL; SQLAlchemy has a construct of its own for each.
_keep_first = text(
    "INSERT INTO shared_secrets (name, value, created_at) VALUES (:name, :value, :now) ON CONFLICT DO NOTHING"
)
_remember = text(
    "INSERT INTO dpop_proofs (proof_hash, expires_at) VALUES (:proof_hash, :expires_at) ON CONFLICT DO NOTHING"
)


def load_or_create_secret(tx: Connection, *, candidate: bytes, now: int) -> bytes:
    """Return the key that the replicas share; the first to ask stores `candidate`, which must be random."""
    value = tx.execute(_find_secret).scalar_one_or_none()
    if value is not None:
        return bytes(value)
    if len(candidate) != SECRET_BYTES:
        raise RuntimeError(f"a nonce secret has {SECRET_BYTES} bytes")
    tx.execute(_keep_first, {"name": SECRET_NAME, "value": candidate, "now": now})
    return bytes(tx.execute(_find_secret).scalar_one())


def make_nonce(secret: bytes, *, now: int) -> str:
    """Return the nonce of this moment's bucket."""
    return _render(secret, now // BUCKET_SECONDS)


def is_current(secret: bytes, nonce: str, *, now: int) -> bool:
    """Say whether a hostile nonce is ours and younger than an hour."""
    try:
        raw = b64url_decode(nonce)
    except Malformed:
        return False
    if len(raw) != 8 + _MAC_BYTES:
        return False
    bucket = int.from_bytes(raw[:8], "big")
    if not hmac.compare_digest(nonce, _render(secret, bucket)):
        return False
    return bucket <= now // BUCKET_SECONDS + 1 and now - bucket * BUCKET_SECONDS < VALID_FOR


def remember_proof(tx: Connection, *, jkt: str, jti: str, now: int) -> bool:
    """Remember a proof that verified, and say whether it is new.

    The key's thumbprint stands beside the `jti`, so that nobody can use up another device's.
    """
    proof_hash = sha256(f"{jkt}.{jti}".encode()).hexdigest()
    row = {"proof_hash": proof_hash, "expires_at": now + REMEMBER_FOR}
    return tx.execute(_remember, row).rowcount == 1


def sweep_proofs(tx: Connection, now: int) -> int:
    """Forget proofs that no nonce can stand in any more; return how many."""
    return tx.execute(delete(dpop_proofs).where(dpop_proofs.c.expires_at <= now)).rowcount


def _render(secret: bytes, bucket: int) -> str:
    name = bucket.to_bytes(8, "big")
    mac = hmac.new(secret, _LABEL + name, sha256).digest()[:_MAC_BYTES]
    return b64url_encode(name + mac)
