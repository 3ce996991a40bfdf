"""CI jobs: which platform token was exchanged by which key."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, String, Table

from gatekeeper.service.store.tables.base import metadata

workload_exchanges = Table(
    "workload_exchanges",
    metadata,
    Column("token_hash", String(64), primary_key=True),  # of issuer and jti
    Column("jkt", String(43), nullable=False),  # the only key that may repeat the exchange
    Column("device", ForeignKey("devices.id"), nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),  # the platform token's own end
)
