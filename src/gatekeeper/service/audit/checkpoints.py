"""Signed heads of the log: made whenever the tree has grown, kept the last of each hour, given with every token.

The origin (the log's name) is the newest root document's, so a log that begins anew after a restore says so.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import delete, insert, select

from gatekeeper.documents.checkpoint import render_checkpoint
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.audit.tree import root_now, tree_of
from gatekeeper.service.store.tables.audit import audit_checkpoints
from gatekeeper.service.store.tables.issue import root_documents
from gatekeeper.trust.chain import envelope_of
from gatekeeper.trust.root_documents import parse_root_payload

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

    from gatekeeper.service.store.transactions import Store
    from gatekeeper.trust.root_documents import LogPublicKey, RootDocument

_HOUR = 3600


class LogSigner(Protocol):
    """What signs checkpoints with Ed25519 and never gives its key away."""

    @property
    def public(self) -> LogPublicKey:
        """The public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 bytes (RFC 8032)."""
        ...


def newest_root(tx: Connection) -> RootDocument:
    """Return the newest root document as the service published it. Raises `GatekeeperError` GK101 without one."""
    wanted = select(root_documents.c.document).order_by(root_documents.c.version.desc()).limit(1)
    document = tx.execute(wanted).scalar_one_or_none()
    if document is None:
        raise GatekeeperError("GK101", "The service has no root document.")
    return read_root(bytes(document))


def read_root(document: bytes) -> RootDocument:
    """Return what a root document says, its signatures not verified. Raises `GatekeeperError` GK101."""
    try:
        return parse_root_payload(envelope_of(document)[0])
    except Malformed as error:
        raise GatekeeperError("GK101", f"A root document can't be read: {error.reason}.") from error


def sign_checkpoint(tx: Connection, key: LogSigner, *, now: int) -> str | None:
    """Sign the tree as it stands, unless that is done; return the newest note, None for a tree without leaves."""
    tree = tree_of(tx)
    if not tree.size:
        return None
    origin = newest_root(tx).log_origin
    last = tx.execute(_newest().where(audit_checkpoints.c.origin == origin)).one_or_none()
    if last is not None and last.size >= tree.size:
        if last.size > tree.size:
            raise GatekeeperError("GK506", "The audit log is shorter than what was signed of it.")
        return str(last.note)
    note = render_checkpoint(
        origin=origin, size=tree.size, root=root_now(tx, tree.size), key=key.public, sign=key.sign
    )
    if last is not None and last.at // _HOUR == now // _HOUR:
        same = (audit_checkpoints.c.origin == origin) & (audit_checkpoints.c.size == last.size)
        tx.execute(delete(audit_checkpoints).where(same))
    tx.execute(insert(audit_checkpoints).values(origin=origin, size=tree.size, at=now, note=note))
    return note


def is_signed(tx: Connection) -> bool:
    """Say whether the newest checkpoint covers the whole tree, under the name that the log has now."""
    tree, last = tree_of(tx), tx.execute(_newest()).one_or_none()
    if last is None:
        return tree.size == 0
    return bool(last.size == tree.size and last.origin == newest_root(tx).log_origin)


def latest_checkpoint(tx: Connection) -> bytes | None:
    """Return the newest signed head, None before the first."""
    row = tx.execute(_newest()).one_or_none()
    return None if row is None else row.note.encode("utf-8")


def checkpoints_of(tx: Connection) -> list[tuple[int, str]]:
    """Return every kept checkpoint with its time, the oldest first."""
    wanted = select(audit_checkpoints.c.at, audit_checkpoints.c.note)
    ordered = wanted.order_by(audit_checkpoints.c.at, audit_checkpoints.c.size)
    return [(row.at, row.note) for row in tx.execute(ordered)]


class Newest:
    """The newest checkpoint of a store, looked up once a second at most however many tokens are issued."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._read_at = -1
        self._note = ""

    def note(self, *, now: int) -> str:
        """Return the newest checkpoint's text, "" before the first."""
        with self._lock:
            if self._read_at != now:
                with self._store.read() as tx:
                    self._note = (latest_checkpoint(tx) or b"").decode("utf-8")
                self._read_at = now
            return self._note


def _newest() -> Select[Any]:
    # By time, then size: after a restore the new origin's log is shorter than the old one's.
    return (
        select(audit_checkpoints)
        .order_by(audit_checkpoints.c.at.desc(), audit_checkpoints.c.size.desc())
        .limit(1)
    )
