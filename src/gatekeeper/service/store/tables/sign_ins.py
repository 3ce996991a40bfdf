"""People who sign in: console sessions, accounts at the identity provider, sign-ins and authorizations under way."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Table

from gatekeeper.service.store.tables.base import metadata

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("id", String(40), primary_key=True),  # opaque: s_…
    Column("cookie_hash", String(64), nullable=False, unique=True),
    Column("subject", ForeignKey("subjects.id"), nullable=False, index=True),
    Column("method", String(16), nullable=False),  # oidc | invite | passkey
    Column("auth_time", BigInteger, nullable=False),  # 0 where nobody says when it was
    Column("provider_sid", String(320), nullable=False, index=True),  # the provider's session, "" without one
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("ended_at", BigInteger, nullable=True),
)

provider_accounts = Table(
    "provider_accounts",
    metadata,
    Column("issuer", String(320), primary_key=True),
    Column("account", String(320), primary_key=True),  # the provider's `sub`
    Column("subject", ForeignKey("subjects.id"), nullable=False, index=True),
    Column("linked_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)

provider_sign_ins = Table(
    "provider_sign_ins",
    metadata,
    Column("state_hash", String(64), primary_key=True),
    Column("browser_hash", String(64), nullable=False),  # of the cookie of the browser that began it
    Column("next", String(2048), nullable=False),
    Column("max_age", Integer, nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("used_at", BigInteger, nullable=True),
)

authorizations = Table(
    "authorizations",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("subject", ForeignKey("subjects.id"), nullable=False),
    Column("session", ForeignKey("console_sessions.id"), nullable=False),
    Column("redirect_uri", String(256), nullable=False),
    Column("challenge", String(43), nullable=False),  # PKCE, S256
    Column("jkt", String(43), nullable=False),
    Column("device_name", String(128), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("redeemed_at", BigInteger, nullable=True),
    Column("device", ForeignKey("devices.id"), nullable=True),
)

device_authorizations = Table(
    "device_authorizations",
    metadata,
    Column("device_code_hash", String(64), primary_key=True),
    Column("user_code_hash", String(64), nullable=False, unique=True),
    Column("jkt", String(43), nullable=False),
    Column("device_name", String(128), nullable=False),
    Column("address", String(64), nullable=False),  # where it was asked for, shown to whoever is asked
    Column("state", String(16), nullable=False),  # pending | allowed | refused | redeemed
    Column("subject", ForeignKey("subjects.id"), nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("polled_at", BigInteger, nullable=False),
    Column("poll_after", Integer, nullable=False),  # seconds
    Column("device", ForeignKey("devices.id"), nullable=True),
)
