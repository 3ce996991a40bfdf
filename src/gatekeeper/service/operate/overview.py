"""What the operator wants to see at a glance: what a service is, and how it stands. Reads only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.keys.ceremony import ROOT_FILE
from gatekeeper.service.keys.signer import KEYS_DIRECTORY, PURPOSES, load_keys
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.store.tables.access import grants, requests
from gatekeeper.service.store.tables.issue import root_documents
from gatekeeper.service.store.tables.people import devices
from gatekeeper.service.store.tables.policy import policies
from gatekeeper.values import Value

if TYPE_CHECKING:
    from gatekeeper.service.store.transactions import Store

# A new root document is worth a word this long before the old one ends (protocol: 30 days).
ROOT_WARN_FOR = 30 * 86_400


class Overview(Value):
    """How a service stands. Times are Unix seconds; `root_online` says that the root key lies in the data directory."""

    policy: int
    tools: int
    root_version: int
    root_ends_at: int
    root_online: bool
    pending: int
    grants: int
    devices: int


class KeyRow(Value):
    """A signing key: its purpose, its thumbprint, and whether it signs (the newest of its purpose does)."""

    purpose: str
    kid: str
    signs: bool


def overview(store: Store, data: Path, *, now: int) -> Overview:
    """Return how the service in `data` stands.

    Raises:
        GatekeeperError: GK101, no policy or root document; GK106, the database can't be used.
    """
    with store.read() as tx:
        policy = current_policy(tx, now=now)
        newest = select(root_documents.c.version, root_documents.c.expires_at)
        root = tx.execute(newest.order_by(root_documents.c.version.desc()).limit(1)).one_or_none()
        if root is None:
            raise GatekeeperError("GK101", "The service has no root document.")
        waiting = (requests.c.state == "pending") & (requests.c.lapses_at > now)
        standing = (grants.c.state == "active") & (grants.c.ends_at > now)
        return Overview(
            policy=policy.version,
            tools=len(policy.tools),
            root_version=root.version,
            root_ends_at=root.expires_at,
            root_online=(data / KEYS_DIRECTORY / ROOT_FILE).exists(),
            pending=tx.execute(select(func.count()).select_from(requests).where(waiting)).scalar_one(),
            grants=tx.execute(select(func.count()).select_from(grants).where(standing)).scalar_one(),
            devices=tx.execute(
                select(func.count()).select_from(devices).where(devices.c.state == "active")
            ).scalar_one(),
        )


def policy_text(store: Store, *, now: int) -> tuple[int, str]:
    """Return version and text of the `catalogue.toml` in force. Raises as `overview` does."""
    with store.read() as tx:
        version = current_policy(tx, now=now).version
        wanted = select(policies.c.catalogue).where(policies.c.version == version)
        return version, str(tx.execute(wanted).scalar_one())


def key_rows(data: Path) -> list[KeyRow]:
    """Return the signing keys in `data`, newest first in each purpose. Raises `GatekeeperError` GK101."""
    keys = load_keys(data)
    rows = [
        KeyRow(purpose=purpose, kid=key.kid, signs=number == 0)
        for purpose in PURPOSES
        for number, key in enumerate(getattr(keys, purpose))
    ]
    return [*rows, KeyRow(purpose="log", kid=keys.log.kid, signs=True)]
