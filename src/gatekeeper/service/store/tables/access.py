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
    Column("subject", ForeignKey("subjects.id"), nullable=False),  # for a team: who asks
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
    Column("kind", String(16), nullable=False, server_default="approval"),  # approval | break-glass
    Column(
        "requester", String(40), nullable=False, server_default=""
    ),  # who asks, where it isn't the subject
    Column(
        "team", String(160), nullable=False, server_default=""
    ),  # group:NAME or "list": see request_members
    Column("question_at", BigInteger, nullable=True),  # pending, and the clock of the lapse stands since then
    Column("claimed_by", String(40), nullable=False, server_default=""),
    Column("claimed_until", BigInteger, nullable=True),
    Column("escalated_at", BigInteger, nullable=True),
    Column(
        "decided_rule", String(160), nullable=False, server_default=""
    ),  # where a rule approved, not a person
    Index("ix_requests_subject_tool", "subject", "tool", "number"),
    Index("ix_requests_state", "state", "lapses_at"),
    Index("ix_requests_requester", "requester", "number"),
    Index("ix_requests_decided", "tool", "decided_at"),
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
    # The reviewer's groups at that moment: an approval stays what it was when its giver changes teams.
    Column("groups", JSON, nullable=False, server_default="[]"),
    UniqueConstraint("request", "reviewer"),
)

request_members = Table(
    "request_members",
    metadata,
    Column("request", ForeignKey("requests.number"), primary_key=True),
    Column("subject", ForeignKey("subjects.id"), primary_key=True),
    Index("ix_request_members_subject", "subject", "request"),
)

request_messages = Table(
    "request_messages",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("request", ForeignKey("requests.number"), nullable=False, index=True),
    Column("author", ForeignKey("subjects.id"), nullable=False),
    Column("kind", String(16), nullable=False),  # question | answer
    Column("text", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

acceptances = Table(
    "acceptances",
    metadata,
    Column("subject", ForeignKey("subjects.id"), primary_key=True),
    Column("tool", String(64), primary_key=True),
    Column("sha256", String(64), primary_key=True),  # of the text that was accepted
    Column("version", Integer, nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    Column("device", String(40), nullable=False),  # "" where it was accepted in the console
    Column("statement", Text, nullable=False),  # signed by the device's key; "" in the console
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
    Column("kind", String(16), nullable=False, server_default="approved"),  # approved automatic break-glass
    Column("duration_seconds", Integer, nullable=False, server_default="0"),  # runs from the activation
    Column("waitlisted_at", BigInteger, nullable=True),
    Column("last_used_at", BigInteger, nullable=True),  # a launch token was issued, within the hour
    Column("noticed_at", BigInteger, nullable=True),  # that the seat is unused and falls free
    Index("ix_grants_tool", "tool", "state", "number"),
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
