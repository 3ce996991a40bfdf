"""The record: one entry for every act, appended in the transaction of the act itself.

Entries hold ids and numbers, never free text or names: those stand in `names`, where they can be erased. The table
refuses changes and deletions; whoever owns the database can still rewrite it, and the tree over the entries
(`tree`, `checkpoints`) is what shows that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from gatekeeper.documents.audit_entry import AuditEntry
from gatekeeper.service.audit.names import hash_of_actor, hashed_actor, keep_text, named_actor, texts_of
from gatekeeper.service.store.tables.audit import audit_entries

if TYPE_CHECKING:
    from sqlalchemy import Row

__all__ = ["SERVICE", "AuditEntry", "entries", "entry_of_row", "record"]

_append = insert(audit_entries)
SERVICE = "service"  # the actor of what time alone does


def record(
    tx: Connection,
    *,
    at: int,
    actor: str,
    act: str,
    object: str,  # noqa: A002 - the record's own word
    detail: Mapping[str, object],
    said: Mapping[str, str] | None = None,
    subject: str = "",
) -> None:
    """Append one entry. `detail` holds JSON types, without floats.

    What people wrote comes in `said` (member → text): the entry gets its salted hash, and the text goes with
    `subject`, whose it is, when that one is erased.
    """
    members = dict(detail)
    for name, text in (said or {}).items():
        members[name] = keep_text(tx, text, subject=subject)
    row = {"at": at, "actor": actor, "act": act, "object": object, "detail": members}
    if ":" in actor:
        row["actor"] = hashed_actor(tx, actor)
    tx.execute(_append, row)


def entries(tx: Connection, *, after: int = 0, limit: int = 1000) -> list[AuditEntry]:
    """Return up to `limit` entries that follow the entry `after`, oldest first, actors by name where one is known."""
    wanted = select(audit_entries).where(audit_entries.c.seq > after)
    found = [entry_of_row(row) for row in tx.execute(wanted.order_by(audit_entries.c.seq).limit(limit))]
    texts = texts_of(tx, [known for entry in found if (known := hash_of_actor(entry.actor))])
    return [entry.replace(actor=named_actor(entry.actor, texts)) for entry in found]


def entry_of_row(row: Row[Any]) -> AuditEntry:
    """Type a row as its leaf says it."""
    return AuditEntry(
        seq=row.seq,
        at=row.at,
        actor=row.actor,
        act=row.act,
        object=row.object,
        detail=tuple(row.detail.items()),
    )
