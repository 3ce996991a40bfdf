"""Policy as a folder: rules, expectations and terms beside the catalogue; and what is stopped for the time being."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep the other files of a policy, and make the table of stops."""
    empty, none = sa.text("''"), sa.text("'{}'")
    op.add_column("policies", sa.Column("access", sa.Text(), server_default=empty, nullable=False))
    op.add_column("policies", sa.Column("expect", sa.Text(), server_default=empty, nullable=False))
    op.add_column("policies", sa.Column("terms", sa.JSON(), server_default=none, nullable=False))
    op.create_table(
        "stops",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("versions", sa.String(length=256), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("stopped_at", sa.BigInteger(), nullable=False),
        sa.Column("stopped_by", sa.String(length=320), nullable=False),
        sa.Column("resumed_at", sa.BigInteger(), nullable=True),
        sa.Column("resumed_by", sa.String(length=320), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_stops")),
    )
    op.create_index(
        "uq_stops_in_force",
        "stops",
        ["kind", "name"],
        unique=True,
        sqlite_where=sa.text("resumed_at IS NULL"),
        postgresql_where=sa.text("resumed_at IS NULL"),
    )
