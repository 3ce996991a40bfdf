"""Which entry of which status list stands for whom.

One free, random index a grant and device (open tools: tool and device), shared by the renewals of its
launch token and by its gateway tokens: a verifier learns nothing from the index but the status. An entry
is freed 73 hours after the last token that names it has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select, text, update

from gatekeeper.documents.status_list import ENTRIES, VALID
from gatekeeper.service.store.tables.issue import status_entries
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

KEEP_FOR = 73 * 3_600
# At three quarters full, eight picks fail one time in ten: then the next list is tried as well.
_PICKS = 8

_columns = status_entries.c
# Built once: every token asks for its entry, and building a statement costs more than running it.
_found = select(_columns.list, _columns.index, _columns.last_exp).where(
    _columns.device == bindparam("of_device"), _columns.tool == bindparam("of_tool")
)
_find_granted = _found.where(_columns.grant == bindparam("of_grant"))
_find_open = _found.where(_columns.grant.is_(None))
_extend = (
    update(status_entries)
    .where(_columns.list == bindparam("of_list"), _columns.index == bindparam("of_index"))
    .values(last_exp=bindparam("until"))
)
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
    wanted = {"of_device": device, "of_tool": tool}
    if grant is None:
        row = tx.execute(_find_open, wanted).first()
    else:
        row = tx.execute(_find_granted, wanted | {"of_grant": grant}).first()
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
        tx.execute(_extend, {"of_list": entry.number, "of_index": entry.index, "until": expires_at})


def free_entries(tx: Connection, now: int) -> int:
    """Free every entry whose last token ended 73 hours ago, and say how many those were."""
    return tx.execute(status_entries.delete().where(_columns.last_exp < now - KEEP_FOR)).rowcount
