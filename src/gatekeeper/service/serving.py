"""The server: one process or several behind one socket, until it is told to stop.

Stopping is draining: no new connection, long-polls answered at once with what stands, calls under way
finished, the worker and the store closed last. Several processes share nothing but the socket and the database;
the first process starts them, starts another where one dies, and ends them all.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import ssl
import time
from typing import TYPE_CHECKING

import uvicorn

from gatekeeper.errors import GatekeeperError
from gatekeeper.service import logs, metrics
from gatekeeper.service.app import make_app, make_service
from gatekeeper.service.audit.feed import sinks_of
from gatekeeper.service.connections import PatientProtocol
from gatekeeper.service.keys.settings import keepers_of
from gatekeeper.service.keys.signer import KeyRing
from gatekeeper.service.notify.targets import targets_of
from gatekeeper.service.outbound import send_now
from gatekeeper.service.people.provider import Provider
from gatekeeper.service.processes import Processes
from gatekeeper.service.running_lock import somebody_serves
from gatekeeper.service.settings import check_serves, database_password, parse_listen
from gatekeeper.service.store.migrate import is_current
from gatekeeper.service.store.transactions import SERVER_BUSY_FOR_MS, open_store
from gatekeeper.service.web.limits import Limiter

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from gatekeeper.service.keys.signer import Keepers
    from gatekeeper.service.settings import Address, ServiceSettings
    from gatekeeper.service.store.transactions import Store
    from gatekeeper.service.web.calls import Service
    from gatekeeper.service.web.waiting import Waiting

DRAIN_SECONDS = 15
_MOST_CONNECTIONS = 900  # below the usual limit of 1,024 descriptors a process


def serve(
    settings: ServiceSettings,
    *,
    announce: Callable[[str], None],
    workers: int = 1,
    log_format: str = logs.TEXT,
) -> None:
    """Serve until SIGTERM or Ctrl-C, then drain. `announce` is told the issuer once calls are answered.

    Raises:
        GatekeeperError: GK101, settings that can't be served, no keys, or a database that needs `migrate`;
            GK106, the address is taken or the database can't be used.
        KeyboardInterrupt: it was Ctrl-C, after draining.
    """
    address = check_serves(settings)
    _check_tls(settings)
    logs.set_up(log_format)
    _checked(settings).close()
    keepers = keepers_of_settings(settings)
    KeyRing(
        settings.data, clock=_clock, keepers=keepers
    )  # what is wrong with the keys is said before anything starts
    with somebody_serves(settings.data), _bound(address) as listener:
        shown = _bound(parse_listen(settings.metrics)) if settings.metrics else None

        def run(number: int, ready: Callable[[], None], orphaned: socket.socket | None) -> bool:
            own = shown if number == 0 else None
            return _run(settings, keepers, listener, shown=own, ready=ready, orphaned=orphaned)

        if workers == 1:
            interrupted = run(0, lambda: announce(settings.issuer), None)
        else:
            with metrics.shared_by_processes():
                interrupted = Processes(workers, run).run(ready=lambda: announce(settings.issuer))
    if interrupted:
        raise KeyboardInterrupt


def keepers_of_settings(settings: ServiceSettings) -> Keepers:
    """Return the keepers of keys that service.toml names, over the service's one way out."""

    def send(method: str, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        answer = send_now(method, url, headers=headers, body=body)
        return answer.status, answer.body

    return keepers_of(settings.signer, data=settings.data, send=send)


def _clock() -> int:
    return int(time.time())


def _checked(settings: ServiceSettings) -> Store:
    """Open the store, if it is of this program's schema. Raises `GatekeeperError` GK101, GK106."""
    store = open_store(
        settings.database, busy_for_ms=SERVER_BUSY_FOR_MS, password=database_password(settings)
    )
    if not is_current(store):
        raise GatekeeperError(
            "GK101",
            "The database has an older schema than this program.",
            remedy=f"gatekeeper service migrate --data {settings.data}",
        )
    return store


def _made(settings: ServiceSettings, keepers: Keepers, store: Store) -> Service:
    return make_service(
        store,
        KeyRing(settings.data, clock=_clock, keepers=keepers),
        issuer=settings.issuer,
        clock=_clock,
        random_bytes=secrets.token_bytes,
        ci=settings.ci,
        scim=settings.scim,
        provider=Provider(settings.oidc) if settings.oidc is not None else None,
        console=settings.console,
        feeds=sinks_of(settings.audit, host=socket.gethostname()),
        limiter=Limiter(),
        targets=targets_of(settings.notify),
    )


def _run(
    settings: ServiceSettings,
    keepers: Keepers,
    listener: socket.socket,
    *,
    shown: socket.socket | None,
    ready: Callable[[], None],
    orphaned: socket.socket | None,
) -> bool:
    """Serve in this process until told to stop; say whether that was Ctrl-C."""
    store = _checked(settings)
    service = _made(settings, keepers, store)
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
    server = _Server(config, service.waiting, ready=ready, orphaned=orphaned)
    with metrics.shown_at(shown, store):
        server.run(sockets=[listener])
    return server.interrupted


class _Server(uvicorn.Server):
    """Uvicorn's server, which ends long-polls when it is told to stop, and itself with success."""

    def __init__(
        self,
        config: uvicorn.Config,
        waiting: Waiting,
        *,
        ready: Callable[[], None],
        orphaned: socket.socket | None,
    ) -> None:
        super().__init__(config)
        self._waiting = waiting
        self._ready = ready
        self._orphaned = orphaned
        self.interrupted = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self._orphaned is not None:
            # Its other end is the first process's alone: readable means that it is gone, however it went.
            import asyncio

            asyncio.get_running_loop().add_reader(self._orphaned, self.handle_exit, signal.SIGTERM, None)
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
