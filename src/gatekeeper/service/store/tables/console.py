"""What the console keeps: passkeys, and the lists that somebody is about to confirm."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, LargeBinary, String, Table

from gatekeeper.service.store.tables.base import metadata

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", String(40), primary_key=True),  # opaque: p_…
    Column("subject", ForeignKey("subjects.id"), nullable=False, index=True),
    Column("name", String(128), nullable=False),
    Column("credential", LargeBinary, nullable=False),  # the authenticator's id for it, up to 1023 bytes
    Column("credential_hash", String(64), nullable=False, unique=True),
    Column("public_key", LargeBinary, nullable=False),  # COSE
    Column("sign_count", BigInteger, nullable=False),
    Column("synced", Boolean, nullable=False),  # the authenticator says that it is backed up elsewhere
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=True),
    Column("removed_at", BigInteger, nullable=True),
)

challenges = Table(
    "challenges",
    metadata,
    Column("id", String(40), primary_key=True),  # opaque: c_…
    Column("session", String(64), nullable=False),  # the console session that it was made in
    Column("subject", ForeignKey("subjects.id"), nullable=False),
    Column("purpose", String(16), nullable=False),  # step-up | passkey
    Column("nonce", LargeBinary, nullable=False),
    Column("items", JSON, nullable=False),  # what was shown, in order; the challenge commits to its hash
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("used_at", BigInteger, nullable=True),
    Column("outcome", JSON, nullable=True),  # what became of each item
)
