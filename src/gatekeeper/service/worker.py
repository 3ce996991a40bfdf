"""What time does: lapse requests, end grants, and forget what is over.

One thread in each process of the service; whoever finds a step due takes it (`store.jobs`), so that a step is
taken once however many processes run. Every step is its own transaction, and one that fails stops no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from sqlalchemy import Connection

from gatekeeper.service.access.escalation import escalate_requests
from gatekeeper.service.access.grants import expire_grants
from gatekeeper.service.access.idempotency import sweep_idempotency
from gatekeeper.service.access.requests import lapse_requests
from gatekeeper.service.access.seats import free_seats
from gatekeeper.service.issue.status_entries import free_entries
from gatekeeper.service.notify.deliveries import sweep_messages
from gatekeeper.service.oauth.attempts import sweep_attempts
from gatekeeper.service.oauth.nonces import sweep_proofs
from gatekeeper.service.people.authorizations import sweep_authorizations
from gatekeeper.service.people.challenges import sweep_challenges
from gatekeeper.service.people.console_sessions import sweep_sessions
from gatekeeper.service.people.exchanges import sweep_exchanges
from gatekeeper.service.people.invites import sweep_invites
from gatekeeper.service.people.sessions import sweep_tokens
from gatekeeper.service.people.sign_ins import sweep_provider_sign_ins
from gatekeeper.service.store.jobs import run_once, take
from gatekeeper.service.store.transactions import Store, StoreUnavailable
from gatekeeper.values import Value

log = logging.getLogger("gatekeeper.service")

EVERY_SECONDS = 30
_LOOK_EVERY = 1.0

Step = Callable[[Connection, int], int]


class Job(Value):
    """Work of a feature's own, beside the steps: every so many seconds, in one transaction.

    What waits for others (a delivery) takes its rows in transactions of its own and is given the store.
    """

    name: str
    every: int
    act: Callable[[Store, int], int]


# Each returns how many rows it changed, of a transaction and a time in Unix seconds.
STEPS: tuple[tuple[str, Step], ...] = (
    ("lapse requests", lapse_requests),
    ("escalate requests", escalate_requests),
    ("expire grants", expire_grants),
    ("free seats", free_seats),
    ("sweep proofs", sweep_proofs),
    ("sweep attempts", sweep_attempts),
    ("sweep tokens", sweep_tokens),
    ("sweep idempotency", sweep_idempotency),
    ("sweep invites", sweep_invites),
    ("sweep exchanges", sweep_exchanges),
    ("sweep provider sign-ins", sweep_provider_sign_ins),
    ("sweep authorizations", sweep_authorizations),
    ("sweep sessions", sweep_sessions),
    ("sweep challenges", sweep_challenges),
    ("free entries", free_entries),
    ("sweep messages", sweep_messages),
)


def sweep(store: Store, *, now: int) -> int:
    """Take every step once, due or not; return how many rows they changed. One that fails is logged.

    A database that can't be used ends the round: each further step would wait as long as this one did.
    """
    return _all((name, partial(_write, store, step, now)) for name, step in STEPS)


def _write(store: Store, step: Step, now: int) -> int:
    with store.write() as tx:
        return step(tx, now)


class Worker:
    """The background work of one process: what is due, and whether this process takes it."""

    def __init__(self, store: Store, *, holder: str, jobs: tuple[Job, ...] = ()) -> None:
        self._store = store
        self._holder = holder
        self._jobs = jobs
        self._look_at: dict[str, int] = {}

    def work(self, *, now: int) -> int:
        """Do what is due and nobody else took; return how many rows it changed."""
        return _all(self._due(now))

    def _due(self, now: int) -> Iterator[tuple[str, Callable[[], int | None]]]:
        for name, step in STEPS:
            if self._looks(name, EVERY_SECONDS, now):
                yield (
                    name,
                    partial(
                        run_once,
                        self._store,
                        name,
                        every=EVERY_SECONDS,
                        now=now,
                        holder=self._holder,
                        job=step,
                    ),
                )
        for job in self._jobs:
            if self._looks(job.name, job.every, now):
                yield job.name, partial(self._take, job, now)

    def _looks(self, name: str, every: int, now: int) -> bool:
        """Say whether to ask the store at all; a clock that was turned back makes nobody wait for long."""
        if now < self._look_at.get(name, now) <= now + every:
            return False
        self._look_at[name] = now + every
        return True

    def _take(self, job: Job, now: int) -> int:
        with self._store.write() as tx:
            mine = take(tx, job.name, every=job.every, now=now, holder=self._holder)
        return job.act(self._store, now) if mine else 0


def _all(acts: Iterable[tuple[str, Callable[[], int | None]]]) -> int:
    """Do one after the other; one that fails stops no other, unless it is the database that fails."""
    changed = 0
    for name, act in acts:
        try:
            changed += act() or 0
        except StoreUnavailable as error:
            log.warning("background work (%s) found no database: %s", name, error.detail)
            break
        except Exception:
            log.exception("background work (%s) failed", name)
    return changed


async def run(worker: Worker, *, clock: Callable[[], int], stop: asyncio.Event) -> None:
    """Work in a thread of its own until `stop` is set; what is under way then is finished."""
    with ThreadPoolExecutor(1, thread_name_prefix="worker") as thread:
        while not stop.is_set():
            await asyncio.get_running_loop().run_in_executor(thread, partial(worker.work, now=clock()))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_EVERY)
