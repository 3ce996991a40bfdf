"""Access requests, reviews and grants."""

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
    Text,
    UniqueConstraint,
    text,
)

from gatekeeper.service.store.tables.base import SERIAL, metadata

requests = Table(
    "requests",
    metadata,
    Column("number", SERIAL, primary_key=True, autoincrement=True),  # R-<number>
    Column("subject", ForeignKey("subjects.id"), nullable=False),
    Column("tool", String(64), nullable=False),
    Column("zones", JSON, nullable=False),  # sorted list; "none" is outside every zone
    Column("scope_key", String(512), nullable=False),  # tool and zones, for the one pending
    Column("reason", Text, nullable=False),
    Column("ticket", String(128), nullable=False, server_default=""),
    Column("duration_seconds", Integer, nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # pending approved denied cancelled lapsed
    Column("created_at", BigInteger, nullable=False),
    Column("lapses_at", BigInteger, nullable=False),
    Column("decided_at", BigInteger, nullable=True),
    Index("ix_requests_subject_tool", "subject", "tool", "number"),
    Index("ix_requests_state", "state", "lapses_at"),
    # One pending request a subject, tool and scope: the database itself says so.
    Index(
        "uq_requests_pending",
        "subject",
        "scope_key",
        unique=True,
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    CheckConstraint("state IN ('pending','approved','denied','cancelled','lapsed')", name="state"),
    sqlite_autoincrement=True,
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("request", ForeignKey("requests.number"), nullable=False, index=True),
    Column("reviewer", ForeignKey("subjects.id"), nullable=False),
    Column("verdict", String(16), nullable=False),  # approve | deny
    Column("method", String(16), nullable=False),  # operator | step-up
    Column("reason", Text, nullable=False, server_default=""),
    Column("zones", JSON, nullable=False),
    Column("duration_seconds", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    UniqueConstraint("request", "reviewer"),
)

grants = Table(
    "grants",
    metadata,
    Column("number", SERIAL, primary_key=True, autoincrement=True),  # G-<number>
    Column("request", ForeignKey("requests.number"), nullable=False),
    Column("subject", ForeignKey("subjects.id"), nullable=False),
    Column("tool", String(64), nullable=False),
    Column("zones", JSON, nullable=False),
    Column("state", String(16), nullable=False),  # waitlisted active suspended revoked expired ended
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=True),
    Column("ended_by", String(320), nullable=False, server_default=""),
    Column("ended_reason", Text, nullable=False, server_default=""),
    Index("ix_grants_subject_tool", "subject", "tool", "number"),
    Index("ix_grants_state", "state", "ends_at"),
    UniqueConstraint("request", "subject"),
    CheckConstraint("state IN ('waitlisted','active','suspended','revoked','expired','ended')", name="state"),
    sqlite_autoincrement=True,
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("subject", ForeignKey("subjects.id"), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("request", ForeignKey("requests.number"), nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
