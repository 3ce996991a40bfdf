"""What keeps the log in order while a process runs: leaves, signed heads and feeds, about once a second.

Any number of processes may do it at once: each step is a write transaction, and the store lets one writer in at a time. What fails is logged and tried again;
nothing that anybody waits for depends on it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from gatekeeper.service.audit.checkpoints import is_signed, sign_checkpoint
from gatekeeper.service.audit.feed import push
from gatekeeper.service.audit.tree import grow
from gatekeeper.service.store.transactions import StoreBusy

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatekeeper.service.audit.checkpoints import LogSigner
    from gatekeeper.service.audit.feed import Sink
    from gatekeeper.service.store.transactions import Store

log = logging.getLogger("gatekeeper.service")

EVERY_SECONDS = 1.0


def keep(store: Store, key: LogSigner, *, now: int) -> int:
    """Make leaves of what was recorded and sign the new head; return how many leaves came."""
    count = grow(store)
    with store.read() as tx:
        due = count > 0 or not is_signed(tx)
    if due:
        with store.write() as tx:
            sign_checkpoint(tx, key, now=now)
    return count


class Keeper:
    """One process's part in keeping the log."""

    def __init__(
        self, store: Store, key: LogSigner, *, clock: Callable[[], int], sinks: tuple[Sink, ...] = ()
    ) -> None:
        self._store = store
        self._key = key
        self._clock = clock
        self._sinks = sinks

    def turn(self) -> None:
        """Do once what there is to do. Nothing is raised."""
        try:
            keep(self._store, self._key, now=self._clock())
        except StoreBusy:
            log.warning("the audit log's tree waits: the database is locked")
        except Exception:
            log.exception("the audit log's tree can't grow")
        for sink in self._sinks:
            try:
                push(self._store, sink, now=self._clock())
            except StoreBusy:
                log.warning("a feed of the audit log waits: the database is locked")
            except Exception:
                log.exception("a feed of the audit log failed")

    async def run(self, *, every: float = EVERY_SECONDS) -> None:
        """Take turns in a thread until cancelled."""
        while True:
            await asyncio.to_thread(self.turn)
            await asyncio.sleep(every)
