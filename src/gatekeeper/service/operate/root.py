"""`service keys reissue-root`: the next root document, for another 100 days.

A service that runs reads root documents from the database at each call, so it publishes the new one at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.service.audit.log import record
from gatekeeper.service.keys import ceremony

if TYPE_CHECKING:
    from pathlib import Path

    from gatekeeper.service.keys.ceremony import RootInfo
    from gatekeeper.service.store.transactions import Store


def reissue_root(store: Store, data: Path, *, issuer: str, root_key_path: Path | None, now: int) -> RootInfo:
    """Sign and publish the next root document of the service in `data`, and record it.

    Raises:
        GatekeeperError: GK101, the root key isn't there, or it isn't the published root's; GK106, the database
            can't be used.
    """
    with store.write() as tx:
        made = ceremony.reissue_root(tx, data, issuer=issuer, root_key_path=root_key_path, now=now)
        detail = {"root": made.thumbprint, "version": made.version, "expires_at": made.expires_at}
        record(tx, at=now, actor="operator", act="root.reissued", object="service", detail=detail)
    return made
