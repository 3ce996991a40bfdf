"""Provisioning (SCIM) and CI jobs: what the directory manages, what kind a subject is, which tokens were exchanged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tell workloads from people, and make the tables of provisioning and of CI exchanges."""
    person, none, empty = sa.text("'person'"), sa.text("'[]'"), sa.text("'{}'")
    op.add_column("subjects", sa.Column("kind", sa.String(length=16), server_default=person, nullable=False))
    op.add_column("subjects", sa.Column("provisioned_groups", sa.JSON(), server_default=none, nullable=False))
    op.add_column(
        "subjects", sa.Column("provisioned_attributes", sa.JSON(), server_default=empty, nullable=False)
    )
    op.create_table(
        "scim_users",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("external_id", sa.String(length=320), nullable=True),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["subject"], ["subjects.id"], name=op.f("fk_scim_users_subject_subjects")),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_scim_users")),
    )
    op.create_index(op.f("ix_scim_users_external_id"), "scim_users", ["external_id"], unique=False)
    op.create_table(
        "scim_groups",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("name_key", sa.String(length=320), nullable=False),
        sa.Column("external_id", sa.String(length=320), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scim_groups")),
        sa.UniqueConstraint("name_key", name=op.f("uq_scim_groups_name_key")),
    )
    op.create_index(op.f("ix_scim_groups_external_id"), "scim_groups", ["external_id"], unique=False)
    op.create_table(
        "scim_members",
        sa.Column("group", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["group"], ["scim_groups.id"], name=op.f("fk_scim_members_group_scim_groups")
        ),
        sa.ForeignKeyConstraint(["subject"], ["subjects.id"], name=op.f("fk_scim_members_subject_subjects")),
        sa.PrimaryKeyConstraint("group", "subject", name=op.f("pk_scim_members")),
    )
    op.create_index("ix_scim_members_subject", "scim_members", ["subject"], unique=False)
    op.create_table(
        "workload_exchanges",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("jkt", sa.String(length=43), nullable=False),
        sa.Column("device", sa.String(length=40), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"], ["devices.id"], name=op.f("fk_workload_exchanges_device_devices")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_workload_exchanges")),
    )
    op.create_index(
        op.f("ix_workload_exchanges_expires_at"), "workload_exchanges", ["expires_at"], unique=False
    )
