"""People, workloads and their devices, and what they sign in with."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, String, Table, text

from gatekeeper.service.store.tables.base import metadata

subjects = Table(
    "subjects",
    metadata,
    Column("id", String(40), primary_key=True),  # opaque: u_…
    Column("name", String(320), nullable=False, unique=True),  # canonical (NFKC, casefold)
    Column("display", String(320), nullable=False),
    Column("groups", JSON, nullable=False),  # list of texts
    Column("attributes", JSON, nullable=False),  # object of texts
    Column("state", String(16), nullable=False),  # active | deactivated
    Column("created_at", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False, server_default=text("'person'")),  # person | workload
    Column(
        "provisioned_groups", JSON, nullable=False, server_default=text("'[]'")
    ),  # of the directory (SCIM)
    Column("provisioned_attributes", JSON, nullable=False, server_default=text("'{}'")),
)

devices = Table(
    "devices",
    metadata,
    Column("id", String(40), primary_key=True),  # opaque: d_…
    Column("subject", ForeignKey("subjects.id"), nullable=False, index=True),
    Column("name", String(128), nullable=False),
    Column("jkt", String(43), nullable=False, unique=True),  # RFC 7638 thumbprint of the device key
    Column("state", String(16), nullable=False),  # active | revoked | ephemeral (a CI job's)
    Column("enrolled_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("revoked_by", String(320), nullable=False, server_default=""),
)

invites = Table(
    "invites",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("subject", ForeignKey("subjects.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("redeemed_at", BigInteger, nullable=True),
    Column("device", ForeignKey("devices.id"), nullable=True),
    Column("purpose", String(16), nullable=False, server_default=text("'device'")),  # device | console
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("device", ForeignKey("devices.id"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),  # absolute
    Column("revoked_at", BigInteger, nullable=True),
)

access_tokens = Table(
    "access_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("device", ForeignKey("devices.id"), nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
