"""Background work that only one of the processes does at a time."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, String, Table

from gatekeeper.service.store.tables.base import metadata

jobs = Table(
    "jobs",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),  # which process took it last
    Column("taken_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),  # nobody takes it before
)
