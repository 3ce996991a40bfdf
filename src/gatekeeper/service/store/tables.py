"""Every table of the service, as SQLAlchemy Core. Times are Unix seconds, of 64 bits; ids are opaque texts.

State columns hold the words of the protocol's state machines and change only by compare-and-set
(`access`). Secrets (codes, refresh and access tokens) are stored as SHA-256 digests, never as themselves.
Changes of this file need a migration beside it; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts up a column only where its type is exactly INTEGER (which has 64 bits there).
SERIAL = BigInteger().with_variant(Integer, "sqlite")

subjects = Table(
    "subjects",
    metadata,
    Column("id", String(40), primary_key=True),  # opaque: u_…
    Column("name", String(320), nullable=False, unique=True),  # canonical (NFKC, casefold)
    Column("display", String(320), nullable=False),
    Column("groups", JSON, nullable=False),  # list of texts
    Column("attributes", JSON, nullable=False),  # object of texts
    Column("state", String(16), nullable=False),  # active | deactivated
    Column("created_at", BigInteger, nullable=False),
)

devices = Table(
    "devices",
    metadata,
    Column("id", String(40), primary_key=True),  # opaque: d_…
    Column("subject", ForeignKey("subjects.id"), nullable=False, index=True),
    Column("name", String(128), nullable=False),
    Column("jkt", String(43), nullable=False, unique=True),  # RFC 7638 thumbprint of the device key
    Column("state", String(16), nullable=False),  # active | revoked
    Column("enrolled_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("revoked_by", String(320), nullable=False, server_default=""),
)

invites = Table(
    "invites",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("subject", ForeignKey("subjects.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("redeemed_at", BigInteger, nullable=True),
    Column("device", ForeignKey("devices.id"), nullable=True),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("device", ForeignKey("devices.id"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),  # absolute
    Column("revoked_at", BigInteger, nullable=True),
)

access_tokens = Table(
    "access_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("device", ForeignKey("devices.id"), nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

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

idempotency = Table(
    "idempotency",
    metadata,
    Column("subject", ForeignKey("subjects.id"), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("request", ForeignKey("requests.number"), nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

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

root_documents = Table(
    "root_documents",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("document", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

shared_secrets = Table(
    "shared_secrets",
    metadata,
    Column("name", String(64), primary_key=True),  # nonce: the key that replicas share
    Column("value", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
