"""Which entry of which status list stands for whom.

One free, random index a grant and device (open tools: tool and device), shared by the renewals of its
launch token and by its gateway tokens: a verifier learns nothing from the index but the status. An entry
is freed 73 hours after the last token that names it has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, text, update

from gatekeeper.documents.status_list import ENTRIES, VALID
from gatekeeper.service.store.tables import status_entries
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

KEEP_FOR = 73 * 3_600
# At three quarters full, eight picks fail one time in ten: then the next list is tried as well.
_PICKS = 8

_columns = status_entries.c
_take = text(
    'INSERT INTO status_entries (list, "index", device, "grant", tool, last_exp, status) '
    "VALUES (:list, :index, :device, :grant, :tool, :last_exp, :status) ON CONFLICT DO NOTHING"
)


class Entry(Value):
    """An index in a list. `last_exp` is the latest end of a token that names it, 0 where there is none yet."""

    number: int
    index: int
    last_exp: int


def find_entry(tx: Connection, *, device: str, grant: int | None, tool: str) -> Entry | None:
    """Return the entry that stands for this device and grant, or for this device and open tool."""
    row = tx.execute(
        select(_columns.list, _columns.index, _columns.last_exp).where(
            _columns.device == device,
            _columns.tool == tool,
            _columns.grant.is_(None) if grant is None else _columns.grant == grant,
        )
    ).first()
    return None if row is None else Entry(number=row[0], index=row[1], last_exp=row[2])


def take_entry(
    tx: Connection,
    *,
    device: str,
    grant: int | None,
    tool: str,
    expires_at: int,
    random_bytes: Callable[[int], bytes],
) -> Entry:
    """Take a free random index for a first token that ends at `expires_at`."""
    number = 0
    while True:
        for _ in range(_PICKS):
            index = int.from_bytes(random_bytes(4), "big") % ENTRIES
            row = {
                "list": number,
                "index": index,
                "device": device,
                "grant": grant,
                "tool": tool,
                "last_exp": expires_at,
                "status": VALID,
            }
            if tx.execute(_take, row).rowcount == 1:
                return Entry(number=number, index=index, last_exp=expires_at)
        number += 1


def extend_entry(tx: Connection, entry: Entry, *, expires_at: int) -> None:
    """Remember that a token names this entry until `expires_at`; an earlier end changes nothing."""
    if expires_at > entry.last_exp:
        tx.execute(
            update(status_entries)
            .where(_columns.list == entry.number, _columns.index == entry.index)
            .values(last_exp=expires_at)
        )


def free_entries(tx: Connection, now: int) -> int:
    """Free every entry whose last token ended 73 hours ago, and say how many those were."""
    return tx.execute(status_entries.delete().where(_columns.last_exp < now - KEEP_FOR)).rowcount
