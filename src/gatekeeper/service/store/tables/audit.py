"""The record of every act, the Merkle tree over it, its signed heads, and how far each feed has come.

`audit_entries` is append-only (triggers of the migrations). A leaf is a function of its row, so it isn't stored
twice; the tree stands in tiles (C2SP tlog-tiles, 256 hashes each). Names stand in `audit_names` alone.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from gatekeeper.service.store.tables.base import SERIAL, metadata

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("seq", SERIAL, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(320), nullable=False),  # subject id, device id, "METHOD:<salted hash>", "service"
    Column("act", String(64), nullable=False),  # request.created, grant.revoked, …
    Column("object", String(64), nullable=False),  # R-1, G-1, d_…, …
    Column("detail", JSON, nullable=False),
    Index("ix_audit_entries_object", "object", "seq"),
    Index("ix_audit_entries_actor", "actor", "seq"),
    sqlite_autoincrement=True,
)

# What a salted hash in a leaf stands for. Deleting a row leaves the tree whole and the hash without a meaning.
audit_names = Table(
    "audit_names",
    metadata,
    Column("hash", String(43), primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("text", Text, nullable=False),
    Column("subject", String(40), nullable=False, server_default="", index=True),  # whose words these are
)

audit_tree = Table(
    "audit_tree",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # one row: 1
    Column("size", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),  # of the entry that is the newest leaf
)

audit_tiles = Table(
    "audit_tiles",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),  # 1 to 256 hashes of 32 bytes
)

audit_bundles = Table(
    "audit_bundles",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # of 256 leaves
    Column("first_seq", BigInteger, nullable=False, index=True),
)

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("origin", String(256), primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Index("ix_audit_checkpoints_at", "at", "size"),
)

audit_feeds = Table(
    "audit_feeds",
    metadata,
    Column("sink", String(43), primary_key=True),  # a hash of the address
    Column("position", BigInteger, nullable=False),  # index of the next leaf to send
    Column("failures", Integer, nullable=False),
    Column("retry_at", BigInteger, nullable=False),
)
