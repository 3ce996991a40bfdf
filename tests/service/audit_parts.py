"""What tests of the audit log share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.checkpoint import Checkpoint, parse_checkpoint
from gatekeeper.service.audit.checkpoints import latest_checkpoint, newest_root
from gatekeeper.service.audit.keeper import keep
from gatekeeper.trust.library import verify_ed25519

if TYPE_CHECKING:
    from tests.service.local import LocalService


def keep_now(local: LocalService) -> Checkpoint:
    """Do what the running service does within a second, and return the newest head, verified."""
    keep(local.store, local.service.authority.keys.log, now=local.now)
    return head(local)


def head(local: LocalService) -> Checkpoint:
    """Return the newest head, verified."""
    with local.store.read() as tx:
        note = latest_checkpoint(tx)
        root = newest_root(tx)
    assert note is not None
    return parse_checkpoint(note.decode(), origin=root.log_origin, keys=root.log, verify=verify_ed25519)
