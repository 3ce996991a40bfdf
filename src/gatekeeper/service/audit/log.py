"""The record: one entry for every act, appended in the transaction of the act itself.

Entries hold ids and numbers, never free text: what people wrote stands where it can be erased. The table
refuses changes and deletions; whoever owns the database file can still rewrite it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select

from gatekeeper.service.store.tables.audit import audit_entries
from gatekeeper.values import Value

_append = insert(audit_entries)
SERVICE = "service"  # the actor of what time alone does


class AuditEntry(Value):
    """Who did what to which object, when. `actor` is a subject's or device's id, `operator:<name>` or `service`."""

    seq: int
    at: int
    actor: str
    act: str
    object: str
    detail: tuple[tuple[str, Any], ...]


def record(
    tx: Connection,
    *,
    at: int,
    actor: str,
    act: str,
    object: str,  # noqa: A002 - the record's own word
    detail: Mapping[str, object],
) -> None:
    """Append one entry. `detail` holds JSON types."""
    row = {"at": at, "actor": actor, "act": act, "object": object, "detail": dict(detail)}
    tx.execute(_append, row)


def entries(tx: Connection, *, after: int = 0, limit: int = 1000) -> list[AuditEntry]:
    """Return up to `limit` entries that follow the entry `after`, oldest first."""
    wanted = select(audit_entries).where(audit_entries.c.seq > after)
    return [
        AuditEntry(
            seq=row.seq,
            at=row.at,
            actor=row.actor,
            act=row.act,
            object=row.object,
            detail=tuple(row.detail.items()),
        )
        for row in tx.execute(wanted.order_by(audit_entries.c.seq).limit(limit))
    ]
