"""What the operator wants to see at a glance: what a service is, and how it stands. Reads only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.keys.ceremony import ROOT_FILE
from gatekeeper.service.keys.signer import (
    KEYS_DIRECTORY,
    PURPOSES,
    Keepers,
    load_entries,
    load_keys,
    no_keepers,
)
from gatekeeper.service.notify.deliveries import standing as deliveries_standing
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.policy.stops import stops_in_force
from gatekeeper.service.store.tables.access import grants, requests
from gatekeeper.service.store.tables.issue import root_documents
from gatekeeper.service.store.tables.people import devices
from gatekeeper.values import Value

if TYPE_CHECKING:
    from gatekeeper.service.store.transactions import Store

# A new root document is worth a word this long before the old one ends (protocol: 30 days).
ROOT_WARN_FOR = 30 * 86_400


class Overview(Value):
    """How a service stands. Times are Unix seconds; `root_online` says that the root key lies in the data directory.

    `undelivered` messages wait for a target, `given_up` were given up in the last 30 days, the last for `given_up_for`.
    """

    policy: int
    tools: int
    stopped: tuple[str, ...]
    root_version: int
    root_ends_at: int
    root_online: bool
    pending: int
    grants: int
    devices: int
    undelivered: int
    given_up: int
    given_up_for: str


class KeyRow(Value):
    """A key: its purpose and thumbprint, where it lives, whether it signs, and from when (Unix seconds; 0: long since)."""

    purpose: str
    kid: str
    where: str
    signs: bool
    use_at: int


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
        messages = deliveries_standing(tx)
        standing = (grants.c.state == "active") & (grants.c.ends_at > now)
        return Overview(
            policy=policy.version,
            tools=len(policy.tools),
            stopped=tuple(f"{one.kind} {one.name}" for one in stops_in_force(tx)),
            root_version=root.version,
            root_ends_at=root.expires_at,
            root_online=(data / KEYS_DIRECTORY / ROOT_FILE).exists(),
            pending=tx.execute(select(func.count()).select_from(requests).where(waiting)).scalar_one(),
            grants=tx.execute(select(func.count()).select_from(grants).where(standing)).scalar_one(),
            devices=tx.execute(
                select(func.count()).select_from(devices).where(devices.c.state == "active")
            ).scalar_one(),
            undelivered=messages.waiting,
            given_up=messages.dead,
            given_up_for=messages.error,
        )


def key_rows(data: Path, *, keepers: Keepers = no_keepers, now: int) -> list[KeyRow]:
    """Return the keys in `data`, newest first in each purpose. Raises `GatekeeperError` GK101."""
    keys = load_keys(data, keepers=keepers, now=now)
    rows = [
        KeyRow(
            purpose=purpose,
            kid=entry.signer.kid,
            where=entry.where,
            signs=entry.signer.kid == getattr(keys, purpose)[0].kid,
            use_at=entry.use_at if entry.use_at > now else 0,
        )
        for purpose in PURPOSES
        for entry in load_entries(data, purpose, keepers=keepers)
    ]
    return [*rows, KeyRow(purpose="log", kid=keys.log.kid, where="file", signs=True, use_at=0)]
