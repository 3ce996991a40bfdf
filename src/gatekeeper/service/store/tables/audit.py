"""The record of every act."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, String, Table

from gatekeeper.service.store.tables.base import SERIAL, metadata

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("seq", SERIAL, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(320), nullable=False),  # subject id, device id, or "operator:<name>"
    Column("act", String(64), nullable=False),  # request.created, grant.revoked, …
    Column("object", String(64), nullable=False),  # R-1, G-1, d_…, …
    Column("detail", JSON, nullable=False),
    sqlite_autoincrement=True,
)
