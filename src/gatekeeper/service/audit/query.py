"""Entries by what one asks for: by whom, which act, about what, when. For the console and for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from gatekeeper.service.audit.log import entry_of_row
from gatekeeper.service.audit.names import hash_of_actor, named_actor, texts_of
from gatekeeper.service.store.tables.audit import audit_entries, audit_names

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gatekeeper.documents.audit_entry import AuditEntry

MOST = 1000


def find_entries(
    tx: Connection,
    *,
    actor: str = "",
    act: str = "",
    object: str = "",  # noqa: A002 - the record's own word
    start: int | None = None,
    end: int | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[AuditEntry]:
    """Return entries that fit all that is given, the newest first, actors by name where one is known.

    `actor` is an id or a name that acted as operator; `act` one act, or its beginning with a dot (`grant.`).
    `start` and `end` are Unix seconds, the end not included; `before` is a `seq`: the next page begins there.
    """
    wanted = select(audit_entries)
    if actor:
        hashes = tx.execute(select(audit_names.c.hash).where(audit_names.c.text == actor)).scalars().all()
        wanted = wanted.where(audit_entries.c.actor.in_([actor, *(f"operator:{one}" for one in hashes)]))
    if act:
        one = audit_entries.c.act
        wanted = wanted.where(one.startswith(act, autoescape=True) if act.endswith(".") else one == act)
    if object:
        wanted = wanted.where(audit_entries.c.object == object)
    if start is not None:
        wanted = wanted.where(audit_entries.c.at >= start)
    if end is not None:
        wanted = wanted.where(audit_entries.c.at < end)
    if before is not None:
        wanted = wanted.where(audit_entries.c.seq < before)
    rows = tx.execute(wanted.order_by(audit_entries.c.seq.desc()).limit(min(limit, MOST)))
    found = [entry_of_row(row) for row in rows]
    texts = texts_of(tx, [known for entry in found if (known := hash_of_actor(entry.actor))])
    return [entry.replace(actor=named_actor(entry.actor, texts)) for entry in found]
