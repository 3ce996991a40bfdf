"""The application: the parts put together, and the server that runs it until it is told to stop.

Stopping is draining: no new connection, long-polls answered at once with what stands, calls under way
finished, the worker and the store closed last.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import ssl
import time
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from gatekeeper.errors import GatekeeperError
from gatekeeper.service import worker
from gatekeeper.service.connections import PatientProtocol
from gatekeeper.service.issue.authority import Authority
from gatekeeper.service.issue.status_list import StatusLists
from gatekeeper.service.keys.signer import load_keys
from gatekeeper.service.oauth.nonces import SECRET_BYTES, load_or_create_secret
from gatekeeper.service.policy.rules import AccessRules
from gatekeeper.service.settings import check_serves
from gatekeeper.service.store.migrate import is_current
from gatekeeper.service.store.transactions import SERVER_BUSY_FOR_MS, open_store
from gatekeeper.service.web.calls import Service
from gatekeeper.service.web.dispatch import Envelope, not_found, routes_of
from gatekeeper.service.web.routes import OPERATIONS
from gatekeeper.service.web.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import FrameType

    from gatekeeper.service.keys.signer import Keys
    from gatekeeper.service.settings import Address, ServiceSettings
    from gatekeeper.service.store.transactions import Store

DRAIN_SECONDS = 15
_MOST_CONNECTIONS = 900  # below the usual limit of 1,024 descriptors a process


def make_service(
    store: Store,
    keys: Keys,
    *,
    issuer: str,
    clock: Callable[[], int],
    random_bytes: Callable[[int], bytes],
) -> Service:
    """Put a service together on a store that is current. Raises `StoreUnavailable`."""
    now = clock()
    with store.write() as tx:
        secret = load_or_create_secret(tx, candidate=random_bytes(SECRET_BYTES), now=now)
    authority = Authority(issuer=issuer, keys=keys, rules=AccessRules(), random_bytes=random_bytes)
    return Service(
        store=store,
        authority=authority,
        status_lists=StatusLists(store, authority),
        waiting=Waiting(),
        nonce_secret=secret,
        clock=clock,
        operations=OPERATIONS,
    )


def make_app(service: Service) -> Starlette:
    """Return the ASGI application. Its lifespan runs the worker, and closes the store at its end."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001 - Starlette's form
        sweeping = asyncio.create_task(worker.run(service.store, clock=service.clock))
        try:
            yield
        finally:
            sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeping
            service.store.close()

    app = Starlette(
        routes=routes_of(service),
        middleware=[Middleware(Envelope, service=service)],
        exception_handlers={404: not_found},
        lifespan=lifespan,
    )
    # A proof is for one exact address: a redirect to another would only hide a wrong one.
    app.router.redirect_slashes = False
    return app


def serve(settings: ServiceSettings, *, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C, then drain. `announce` is told the issuer once calls are answered.

    Raises:
        GatekeeperError: GK101, settings that can't be served, no keys, or a database that needs `migrate`;
            GK106, the address is taken or the database can't be used.
        KeyboardInterrupt: it was Ctrl-C, after draining.
    """
    address = check_serves(settings)
    _check_tls(settings)
    store = open_store(settings.database, busy_for_ms=SERVER_BUSY_FOR_MS)
    if not is_current(store):
        raise GatekeeperError(
            "GK101",
            "The database has an older schema than this program.",
            remedy=f"gatekeeper service migrate --data {settings.data}",
        )
    service = make_service(
        store,
        load_keys(settings.data),
        issuer=settings.issuer,
        clock=lambda: int(time.time()),
        random_bytes=secrets.token_bytes,
    )
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    config = uvicorn.Config(
        make_app(service),
        loop="asyncio",
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # X-Forwarded-For counts only where a proxy is named: else anyone could claim any address.
        proxy_headers=bool(settings.behind_proxy),
        forwarded_allow_ips=list(settings.behind_proxy),
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        ssl_certfile=settings.tls_cert or None,
        ssl_keyfile=settings.tls_key or None,
    )
    server = _Server(config, service.waiting, ready=lambda: announce(settings.issuer))
    with _bound(address) as listener:
        server.run(sockets=[listener])
    if server.interrupted:
        raise KeyboardInterrupt


class _Server(uvicorn.Server):
    """Uvicorn's server, which ends long-polls when it is told to stop, and itself with success."""

    def __init__(self, config: uvicorn.Config, waiting: Waiting, *, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._waiting = waiting
        self._ready = ready
        self.interrupted = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's form
        # Uvicorn's own would raise the signal again after draining, and the exit status would be a death by it.
        self._waiting.stop()
        if sig == signal.SIGINT:
            self.force_exit = self.interrupted
            self.interrupted = True
        self.should_exit = True


def _bound(address: Address) -> socket.socket:
    """Return a socket that is bound before anything is promised.

    Raises:
        GatekeeperError: GK106, the address is taken, or none of this machine's.
    """
    where = f"{address.host}:{address.port}"
    listener = None
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        # Listening says whether the address is free: bind alone doesn't, where addresses are reused.
        listener.listen(2048)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise GatekeeperError(
            "GK106",
            f"The service can't listen on {where}: {error.strerror or error}.",
            remedy=f"Stop what listens on {where}, or make a service with another --issuer and --listen.",
        ) from error
    return listener


def _check_tls(settings: ServiceSettings) -> None:
    """Make certain that certificate and key load, before anything is opened.

    Raises:
        GatekeeperError: GK101, they don't.
    """
    if not settings.tls_cert:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ValueError) as error:
        raise GatekeeperError("GK101", f"tls_cert, tls_key: {error}.") from error
