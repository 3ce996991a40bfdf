"""Requests for teams, questions, claims, accepted terms, seats: new columns and three tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add what requests, reviews and grants know of now; what stands was a person's own, approved by a review."""
    for column in (
        sa.Column("kind", sa.String(length=16), server_default="approval", nullable=False),
        sa.Column("requester", sa.String(length=40), server_default="", nullable=False),
        sa.Column("team", sa.String(length=160), server_default="", nullable=False),
        sa.Column("question_at", sa.BigInteger(), nullable=True),
        sa.Column("claimed_by", sa.String(length=40), server_default="", nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("escalated_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_rule", sa.String(length=160), server_default="", nullable=False),
    ):
        op.add_column("requests", column)
    op.create_index("ix_requests_requester", "requests", ["requester", "number"], unique=False)
    op.create_index("ix_requests_decided", "requests", ["tool", "decided_at"], unique=False)
    op.add_column("reviews", sa.Column("groups", sa.JSON(), server_default="[]", nullable=False))
    for column in (
        sa.Column("kind", sa.String(length=16), server_default="approved", nullable=False),
        sa.Column("duration_seconds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("waitlisted_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("noticed_at", sa.BigInteger(), nullable=True),
    ):
        op.add_column("grants", column)
    op.create_index("ix_grants_tool", "grants", ["tool", "state", "number"], unique=False)
    op.create_table(
        "request_members",
        sa.Column("request", _SERIAL, nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["request"], ["requests.number"], name=op.f("fk_request_members_request_requests")
        ),
        sa.ForeignKeyConstraint(
            ["subject"], ["subjects.id"], name=op.f("fk_request_members_subject_subjects")
        ),
        sa.PrimaryKeyConstraint("request", "subject", name=op.f("pk_request_members")),
    )
    op.create_index("ix_request_members_subject", "request_members", ["subject", "request"], unique=False)
    op.create_table(
        "request_messages",
        sa.Column("id", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("request", _SERIAL, nullable=False),
        sa.Column("author", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request"], ["requests.number"], name=op.f("fk_request_messages_request_requests")
        ),
        sa.ForeignKeyConstraint(
            ["author"], ["subjects.id"], name=op.f("fk_request_messages_author_subjects")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_messages")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_request_messages_request"), "request_messages", ["request"], unique=False)
    op.create_table(
        "acceptances",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("tool", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=False),
        sa.Column("device", sa.String(length=40), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["subject"], ["subjects.id"], name=op.f("fk_acceptances_subject_subjects")),
        sa.PrimaryKeyConstraint("subject", "tool", "sha256", name=op.f("pk_acceptances")),
    )
