"""`service keys …`: rotate and drop keys, publish root documents; each act is recorded with the document it publishes.

A service that runs reads root documents and keys as they change, so that nothing is restarted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.service.audit.log import record
from gatekeeper.service.keys import ceremony, rotation
from gatekeeper.service.keys.signer import Keepers, no_keepers
from gatekeeper.service.operate.brought_back import forget_what_may_be_over

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from gatekeeper.service.keys.ceremony import RootInfo
    from gatekeeper.service.keys.elsewhere import Reference
    from gatekeeper.service.keys.rotation import Rotated
    from gatekeeper.service.store.transactions import Store


def reissue_root(
    store: Store,
    data: Path,
    *,
    issuer: str,
    root_key_path: Path | None,
    keepers: Keepers = no_keepers,
    new_log_origin: bool = False,
    now: int,
) -> RootInfo:
    """Sign and publish the next root document of the service in `data`, and record it.

    `new_log_origin` is for a database that was brought back from a backup: its audit log begins anew, and what may
    have ended since the backup is forgotten.

    Raises:
        GatekeeperError: GK101, the root key isn't there, or it isn't the published root's; GK106, the database
            can't be used.
    """
    with store.write() as tx:
        if new_log_origin:
            forget_what_may_be_over(tx)
        made = ceremony.reissue_root(
            tx,
            data,
            issuer=issuer,
            root_key_path=root_key_path,
            keepers=keepers,
            new_log_origin=new_log_origin,
            now=now,
        )
        _record(tx, made, act="root.reissued", now=now)
    return made


def rotate_key(
    store: Store,
    data: Path,
    purpose: str,
    *,
    issuer: str,
    root_key_path: Path | None,
    reference: Reference | None = None,
    keepers: Keepers = no_keepers,
    at_once: bool = False,
    now: int,
) -> Rotated:
    """Make the next key of a purpose, publish it and record that. Options and errors as for `rotation.rotated`."""
    with (
        store.write() as tx,
        rotation.rotated(
            tx,
            data,
            purpose=purpose,
            issuer=issuer,
            root_key_path=root_key_path,
            reference=reference,
            keepers=keepers,
            at_once=at_once,
            now=now,
        ) as made,
    ):
        detail = {"purpose": purpose, "kid": made.kid, "use_at": made.use_at}
        _record(tx, made.root, act="key.rotated", now=now, **detail)
    return made


def drop_key(
    store: Store,
    data: Path,
    kid: str,
    *,
    issuer: str,
    root_key_path: Path | None,
    keepers: Keepers = no_keepers,
    now: int,
) -> RootInfo:
    """Leave a key out of the next root document, at once, and record that. Errors as for `rotation.dropped`."""
    with (
        store.write() as tx,
        rotation.dropped(
            tx, data, kid, issuer=issuer, root_key_path=root_key_path, keepers=keepers, now=now
        ) as (entry, root),
    ):
        _record(tx, root, act="key.dropped", now=now, purpose=entry.purpose, kid=kid)
    return root


def rotate_root(
    store: Store,
    data: Path,
    new_root_path: Path,
    *,
    issuer: str,
    root_key_path: Path | None,
    keepers: Keepers = no_keepers,
    now: int,
) -> RootInfo:
    """Publish a root document that names a new root key, and record that. Errors as for `rotation.root_rotated`."""
    with (
        store.write() as tx,
        rotation.root_rotated(
            tx,
            data,
            issuer=issuer,
            root_key_path=root_key_path,
            new_root_path=new_root_path,
            keepers=keepers,
            now=now,
        ) as made,
    ):
        _record(tx, made, act="root.rotated", now=now)
    return made


def _record(tx: Connection, made: RootInfo, *, act: str, now: int, **more: object) -> None:
    detail = {"root": made.thumbprint, "version": made.version, "expires_at": made.expires_at, **more}
    record(tx, at=now, actor="operator", act=act, object="service", detail=detail)
