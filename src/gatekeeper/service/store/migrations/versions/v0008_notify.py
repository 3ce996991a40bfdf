"""Deliveries: what becomes of a message at each target.

What waits in the outbox was written before anybody was told anything; it is old news, and told to nobody.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table of deliveries, and close what waits."""
    op.add_column("outbox", sa.Column("addressed_at", sa.BigInteger(), nullable=True))
    op.create_index("ix_outbox_addressed_at", "outbox", ["addressed_at"])
    op.execute("UPDATE outbox SET addressed_at = created_at")
    op.execute("UPDATE outbox SET delivered_at = created_at WHERE delivered_at IS NULL")
    op.create_table(
        "deliveries",
        sa.Column("id", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("message", _SERIAL, nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("recipient", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting','delivered','dropped','dead')", name=op.f("ck_deliveries_state")
        ),
        sa.ForeignKeyConstraint(["message"], ["outbox.id"], name=op.f("fk_deliveries_message_outbox")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "message", "target", "recipient", name=op.f("uq_deliveries_message_target_recipient")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_state", "deliveries", ["state", "target", "due_at"])
