"""The applied versions of the policy, and what was stopped for the time being."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, String, Table, Text, text

from gatekeeper.service.store.tables.base import SERIAL, metadata

policies = Table(
    "policies",
    metadata,
    Column("version", SERIAL, primary_key=True, autoincrement=True),
    Column("catalogue", Text, nullable=False),  # catalogue.toml as applied
    Column("digest", String(64), nullable=False),  # of all files
    Column("effective_at", BigInteger, nullable=False, index=True),
    Column("applied_at", BigInteger, nullable=False),
    Column("applied_by", String(320), nullable=False),
    # access.cedar; "" is the rules that a service starts with
    Column("access", Text, nullable=False, server_default=text("''")),
    Column("expect", Text, nullable=False, server_default=text("''")),  # expect.toml
    Column("terms", JSON, nullable=False, server_default=text("'{}'")),  # the folder's texts, by file
)

stops = Table(
    "stops",
    metadata,
    Column("number", SERIAL, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),  # tool | vendor
    Column("name", String(64), nullable=False),
    Column("versions", String(256), nullable=False),  # "" is every version
    Column("reason", Text, nullable=False),
    Column("stopped_at", BigInteger, nullable=False),
    Column("stopped_by", String(320), nullable=False),
    Column("resumed_at", BigInteger, nullable=True),
    Column("resumed_by", String(320), nullable=False, server_default=""),
    # One stop in force a tool or vendor: the database itself says so. Every token asks for those in force.
    Index(
        "uq_stops_in_force",
        "kind",
        "name",
        unique=True,
        sqlite_where=text("resumed_at IS NULL"),
        postgresql_where=text("resumed_at IS NULL"),
    ),
)
