"""What the replicas share of calls that came: proofs, attempts, the nonce's key."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table

from gatekeeper.service.store.tables.base import metadata

dpop_proofs = Table(
    "dpop_proofs",
    metadata,
    Column("proof_hash", String(64), primary_key=True),  # of jkt and jti
    Column("expires_at", BigInteger, nullable=False, index=True),
)

attempts = Table(
    "attempts",
    metadata,
    Column("bucket", String(128), primary_key=True),  # what is limited, and for whom
    Column("window_at", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
)

shared_secrets = Table(
    "shared_secrets",
    metadata,
    Column("name", String(64), primary_key=True),  # nonce: the key that replicas share
    Column("value", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
