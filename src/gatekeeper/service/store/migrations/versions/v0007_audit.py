"""The Merkle tree over the audit log: tiles, checkpoints, feeds; names move from the entries to a table of their own.

The entries that exist get their leaves from the first process that runs (`audit.tree` appends whatever isn't in the
tree yet), since only a process with the log key can sign for them.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

from gatekeeper.documents.audit_entry import SALT_BYTES, salted_hash

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_APPEND_ONLY = """
CREATE TRIGGER audit_entries_no_UPDATE BEFORE UPDATE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END
"""


def upgrade() -> None:
    """Make the tables, and take the names out of the entries while that is still possible."""
    _make_tables()
    op.create_index("ix_audit_entries_object", "audit_entries", ["object", "seq"])
    op.create_index("ix_audit_entries_actor", "audit_entries", ["actor", "seq"])
    dialect = op.get_context().dialect.name
    if not op.get_context().as_sql:
        if dialect == "sqlite":
            op.execute("DROP TRIGGER audit_entries_no_UPDATE")
        _move_names(op.get_bind())
        if dialect == "sqlite":
            op.execute(_APPEND_ONLY)
    op.execute("INSERT INTO audit_tree (id, size, last_seq) VALUES (1, 0, 0)")


def _move_names(tx: sa.Connection) -> None:
    """Replace `operator:<name>` by a salted hash. These entries were never in a tree, so nothing signed changes."""
    entries = sa.table("audit_entries", sa.column("actor", sa.String()))
    names = sa.table(
        "audit_names",
        sa.column("hash", sa.String()),
        sa.column("salt", sa.LargeBinary()),
        sa.column("text", sa.Text()),
    )
    made: dict[str, str] = {}
    wanted = sa.select(entries.c.actor).where(entries.c.actor.like("%:%")).distinct()
    for actor in tx.execute(wanted).scalars().all():
        method, _, name = actor.partition(":")
        if name not in made:
            salt = secrets.token_bytes(SALT_BYTES)
            made[name] = salted_hash(salt, name)
            tx.execute(sa.insert(names).values(hash=made[name], salt=salt, text=name))
        changed = sa.update(entries).where(entries.c.actor == actor)
        tx.execute(changed.values(actor=f"{method}:{made[name]}"))


def _make_tables() -> None:
    op.create_table(
        "audit_names",
        sa.Column("hash", sa.String(length=43), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("subject", sa.String(length=40), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_audit_names")),
    )
    op.create_index("ix_audit_names_subject", "audit_names", ["subject"])
    op.create_table(
        "audit_tree",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_tree")),
    )
    op.create_table(
        "audit_tiles",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_audit_tiles")),
    )
    op.create_table(
        "audit_bundles",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_bundles")),
    )
    op.create_index("ix_audit_bundles_first_seq", "audit_bundles", ["first_seq"])
    op.create_table(
        "audit_checkpoints",
        sa.Column("origin", sa.String(length=256), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "size", name=op.f("pk_audit_checkpoints")),
    )
    op.create_index("ix_audit_checkpoints_at", "audit_checkpoints", ["at", "size"])
    op.create_table(
        "audit_feeds",
        sa.Column("sink", sa.String(length=43), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sink", name=op.f("pk_audit_feeds")),
    )
