"""What time does: lapse requests, end grants, and forget what is over.

One task in each process of the service. Every step is its own transaction of compare-and-sets or deletions by
time, so that several processes may do the same at once, and one step that fails stops no other.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from gatekeeper.service.access.grants import expire_grants
from gatekeeper.service.access.idempotency import sweep_idempotency
from gatekeeper.service.access.requests import lapse_requests
from gatekeeper.service.issue.status_entries import free_entries
from gatekeeper.service.oauth.attempts import sweep_attempts
from gatekeeper.service.oauth.nonces import sweep_proofs
from gatekeeper.service.people.invites import sweep_invites
from gatekeeper.service.people.sessions import sweep_tokens
from gatekeeper.service.store.transactions import StoreBusy

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from gatekeeper.service.store.transactions import Store

log = logging.getLogger("gatekeeper.service")

EVERY_SECONDS = 30.0


STEPS: tuple[Callable[[Connection, int], int], ...] = (
    lapse_requests,
    expire_grants,
    sweep_proofs,
    sweep_attempts,
    sweep_tokens,
    sweep_idempotency,
    sweep_invites,
    free_entries,
)


def sweep(store: Store, *, now: int) -> int:
    """Take every step once; return how many rows they changed. A step that fails is logged, and tried again later."""
    changed = 0
    for step in STEPS:
        try:
            with store.write() as tx:
                changed += step(tx, now)
        except StoreBusy:
            # Each further step would wait as long as this one did, and nobody is answered meanwhile.
            log.warning("the worker's step %s found the database locked", step.__name__)
            break
        except Exception:
            log.exception("the worker's step %s failed", step.__name__)
    return changed


async def run(store: Store, *, clock: Callable[[], int], every: float = EVERY_SECONDS) -> None:
    """Sweep now and then, until cancelled. Between two steps others get their turn."""
    while True:
        sweep(store, now=clock())
        await asyncio.sleep(every)
