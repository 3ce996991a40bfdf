"""The application: the parts put together. `serving` runs it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware

from gatekeeper.service import outbound, worker
from gatekeeper.service.access.news import NewsDesk
from gatekeeper.service.audit.checkpoints import Newest
from gatekeeper.service.audit.keeper import Keeper
from gatekeeper.service.issue.authority import Authority
from gatekeeper.service.issue.status_list import StatusLists
from gatekeeper.service.notify import delivering
from gatekeeper.service.notify.delivering import Deliverer
from gatekeeper.service.oauth.nonces import SECRET_BYTES, load_or_create_secret
from gatekeeper.service.people.provider import Provider
from gatekeeper.service.people.roles import ConsoleRoles
from gatekeeper.service.people.workload_keys import WorkloadKeys
from gatekeeper.service.people.workloads import ensure_workloads
from gatekeeper.service.policy.rules import CedarRules
from gatekeeper.service.store.turns import Turns
from gatekeeper.service.web.calls import Service
from gatekeeper.service.web.console.pages import PAGES
from gatekeeper.service.web.console.serving import PagesForPeople, routes_of_pages
from gatekeeper.service.web.dispatch import Envelope, not_found, routes_of
from gatekeeper.service.web.routes import OPERATIONS
from gatekeeper.service.web.sign_in_routes import SIGN_IN_PAGES
from gatekeeper.service.web.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from gatekeeper.service.audit.feed import Sink
    from gatekeeper.service.keys.signer import KeyRing, Keys
    from gatekeeper.service.notify.target import Target
    from gatekeeper.service.people.scim_settings import ScimSettings
    from gatekeeper.service.people.workload_keys import Fetch
    from gatekeeper.service.people.workloads import CiIssuer
    from gatekeeper.service.store.transactions import Store
    from gatekeeper.service.web.limits import Limiter

DRAIN_SECONDS = 15
_MOST_CONNECTIONS = 900  # below the usual limit of 1,024 descriptors a process


def make_service(
    store: Store,
    keys: Keys | KeyRing,
    *,
    issuer: str,
    clock: Callable[[], int],
    random_bytes: Callable[[int], bytes],
    ci: tuple[CiIssuer, ...] = (),
    fetch: Fetch = outbound.fetch,
    scim: ScimSettings | None = None,
    feeds: tuple[Sink, ...] = (),
    console: ConsoleRoles = ConsoleRoles(),  # noqa: B008 - immutable
    limiter: Limiter | None = None,
    provider: Provider | None = None,
    targets: tuple[Target, ...] = (),
) -> Service:
    """Put a service together on a store that is current. Raises `StoreUnavailable`.

    `fetch` gets the keys of the CI platforms `ci`.
    """
    now = clock()
    with store.write() as tx:
        secret = load_or_create_secret(tx, candidate=random_bytes(SECRET_BYTES), now=now)
        ensure_workloads(tx, ci, now=now)
    deliverer = Deliverer(NewsDesk(issuer=issuer), targets)
    authority = Authority(issuer=issuer, keys=keys, rules=CedarRules(), random_bytes=random_bytes)
    return Service(
        store=store,
        turns=Turns(store),
        authority=authority,
        status_lists=StatusLists(store, authority),
        waiting=Waiting(),
        nonce_secret=secret,
        clock=clock,
        operations=OPERATIONS,
        workload_keys=WorkloadKeys(ci, fetch) if ci else None,
        scim=scim,
        newest=Newest(store),
        feeds=feeds,
        console=console,
        limiter=limiter,
        provider=provider,
        jobs=(worker.Job(name=delivering.JOB, every=delivering.EVERY_SECONDS, act=deliverer.act),),
    )


def make_app(service: Service) -> Starlette:
    """Return the ASGI application. Its lifespan runs the worker, and closes the store at its end."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001 - Starlette's form
        stop = asyncio.Event()
        mine = worker.Worker(service.store, holder=_process_name(), jobs=service.jobs)
        working = asyncio.create_task(worker.run(mine, clock=service.clock, stop=stop))
        keeper = Keeper(service.store, service.authority.keys.log, clock=service.clock, sinks=service.feeds)
        keeping = asyncio.create_task(keeper.run())
        try:
            yield
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping
            stop.set()
            await working
            service.turns.close()
            service.store.close()

    app = Starlette(
        routes=[
            *routes_of(service, service.operations),
            *routes_of(service, SIGN_IN_PAGES),
            *routes_of_pages(service, PAGES),
        ],
        middleware=[Middleware(Envelope, service=service), Middleware(PagesForPeople)],
        exception_handlers={404: not_found},
        lifespan=lifespan,
    )
    # A proof is for one exact address: a redirect to another would only hide a wrong one.
    app.router.redirect_slashes = False
    return app


def _process_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[-64:]
