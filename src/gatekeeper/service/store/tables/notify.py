"""Messages that wait to be sent."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, String, Table

from gatekeeper.service.store.tables.base import SERIAL, metadata

outbox = Table(
    "outbox",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("kind", String(64), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger, nullable=True, index=True),
    sqlite_autoincrement=True,
)
