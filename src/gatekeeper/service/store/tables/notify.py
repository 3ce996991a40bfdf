"""Messages that wait to be sent, and what became of them at each target."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from gatekeeper.service.store.tables.base import SERIAL, metadata

outbox = Table(
    "outbox",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("kind", String(64), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger, nullable=True, index=True),  # no delivery of it waits any more
    Column("addressed_at", BigInteger, nullable=True, index=True),  # its deliveries were made
    sqlite_autoincrement=True,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("message", ForeignKey("outbox.id"), nullable=False),
    Column("target", String(64), nullable=False),  # the name of a [[notify]] section
    Column("recipient", String(40), nullable=False),  # a subject's id; "" where the target is one place
    Column("state", String(16), nullable=False),  # waiting delivered dropped dead
    Column("failures", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),  # nobody tries before; whoever takes it moves it on
    Column("ended_at", BigInteger, nullable=True),
    Column("error", String(200), nullable=False),  # of the last failure; never a secret
    UniqueConstraint("message", "target", "recipient"),
    Index("ix_deliveries_state", "state", "target", "due_at"),
    CheckConstraint("state IN ('waiting','delivered','dropped','dead')", name="state"),
    sqlite_autoincrement=True,
)
