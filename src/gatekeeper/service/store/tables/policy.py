"""The applied versions of the policy."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, String, Table, Text

from gatekeeper.service.store.tables.base import SERIAL, metadata

policies = Table(
    "policies",
    metadata,
    Column("version", SERIAL, primary_key=True, autoincrement=True),
    Column("catalogue", Text, nullable=False),  # catalogue.toml as applied
    Column("digest", String(64), nullable=False),
    Column("effective_at", BigInteger, nullable=False, index=True),
    Column("applied_at", BigInteger, nullable=False),
    Column("applied_by", String(320), nullable=False),
)
