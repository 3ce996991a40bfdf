"""Background work that is done once, and the append-only record on PostgreSQL."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# The same as SQLite has since the first version. TRUNCATE fires no trigger of rows, so it has its own.
_REFUSE = """
CREATE FUNCTION gatekeeper_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'audit entries are append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$
"""
_ROWS = """
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries
FOR EACH ROW EXECUTE FUNCTION gatekeeper_append_only()
"""
_WHOLE = """
CREATE TRIGGER audit_entries_no_truncate BEFORE TRUNCATE ON audit_entries
FOR EACH STATEMENT EXECUTE FUNCTION gatekeeper_append_only()
"""


def upgrade() -> None:
    """Make the table of jobs, and on PostgreSQL the audit table append-only."""
    op.create_table(
        "jobs",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_jobs")),
    )
    if op.get_context().dialect.name == "postgresql":
        for statement in (_REFUSE, _ROWS, _WHOLE):
            op.execute(statement)
