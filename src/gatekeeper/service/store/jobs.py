"""Background work that is done once, however many processes could do it.

A job has a name and a period. Whoever finds it due takes it, by one compare-and-set, and nobody else does until
the period is over. `run_once` does the work in the transaction that takes it: a process that dies in the middle
leaves the job due, and nothing half done. Work that waits for others (sending messages) must not hold a
transaction: it uses `take`, whose period is then the time after which another process tries again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from gatekeeper.service.store.tables.jobs import jobs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from gatekeeper.service.store.transactions import Store


def take(tx: Connection, name: str, *, every: int, now: int, holder: str) -> bool:
    """Take the job until `now + every` (Unix seconds) for the process `holder`; say whether it was due."""
    until = {"holder": holder, "taken_at": now, "due_at": now + every}
    # A clock that was once far ahead must not put the job off for as long.
    due = (jobs.c.due_at <= now) | (jobs.c.taken_at > now)
    if tx.execute(update(jobs).where((jobs.c.name == name) & due).values(**until)).rowcount == 1:
        return True
    try:
        with tx.begin_nested():
            tx.execute(insert(jobs).values(name=name, **until))
    except IntegrityError:
        return False
    return True


def run_once(
    store: Store, name: str, *, every: int, now: int, holder: str, job: Callable[[Connection, int], int]
) -> int | None:
    """Do the job if it is due; return what it returns, None where it wasn't due.

    Raises whatever the job or the store raises; the job is then due still.
    """
    with store.write() as tx:
        if not take(tx, name, every=every, now=now, holder=holder):
            return None
        return job(tx, now)
