"""What the company's directory provisions (SCIM): the people and groups that it manages, as it last said them.

A managed person is a row of `subjects`; here stand what the directory calls it and what else it said. What the
rest of the service reads of it (groups, attributes, state) is kept in `subjects` itself.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, String, Table

from gatekeeper.service.store.tables.base import metadata

scim_users = Table(
    "scim_users",
    metadata,
    Column("subject", ForeignKey("subjects.id"), primary_key=True),  # also the resource's id
    Column("external_id", String(320), nullable=True, index=True),
    Column("document", JSON, nullable=False),  # the resource as last said, without id and meta
    Column("version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)

scim_groups = Table(
    "scim_groups",
    metadata,
    Column("id", String(40), primary_key=True),  # opaque: g_…
    Column("name", String(128), nullable=False),  # the group's name, as policy names it
    Column("name_key", String(320), nullable=False, unique=True),  # case folded: no two that look alike
    Column("external_id", String(320), nullable=True, index=True),
    Column("version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)

scim_members = Table(
    "scim_members",
    metadata,
    Column("group", ForeignKey("scim_groups.id"), primary_key=True),
    Column("subject", ForeignKey("subjects.id"), primary_key=True),
    Index("ix_scim_members_subject", "subject"),
)
