"""What is published to clients: status entries and root documents."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from gatekeeper.service.store.tables.base import metadata

status_entries = Table(
    "status_entries",
    metadata,
    Column("list", Integer, primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("device", ForeignKey("devices.id"), nullable=False),
    Column("grant", ForeignKey("grants.number"), nullable=True),  # null for an open tool
    Column("tool", String(64), nullable=False),
    Column("last_exp", BigInteger, nullable=False),
    Column("status", Integer, nullable=False),  # 0 valid, 1 invalid, 2 suspended
    Index("ix_status_entries_device_tool", "device", "tool", "grant"),
)

root_documents = Table(
    "root_documents",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("document", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
