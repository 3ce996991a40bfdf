"""Figures for Prometheus, on an address of their own that no proxy makes public.

Labels are few and bounded: operations by name, codes, statuses; never a person, a tool's version or an address.
Several processes of one service write into one folder, and whichever shows the figures adds them up.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from sqlalchemy import func, select

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.store.tables.access import grants, requests
from gatekeeper.service.store.tables.issue import root_documents
from gatekeeper.service.store.tables.notify import deliveries, outbox
from gatekeeper.service.store.tables.people import devices

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator

    from gatekeeper.service.store.transactions import Store

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0)


class _Figures:
    """What each process counts. Made at the first call, after it is known how many processes there are."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Histogram

        self.calls = Counter("gatekeeper_calls", "Calls answered.", ["operation", "status"], registry=None)
        self.seconds = Histogram(
            "gatekeeper_call_seconds", "Time to answer.", ["operation"], buckets=_SECONDS, registry=None
        )
        self.refusals = Counter(
            "gatekeeper_refusals", "Answers with a code, by code.", ["code"], registry=None
        )


@cache
def figures() -> _Figures:
    """Return this process's figures."""
    return _Figures()


def count_call(operation: str, *, status: int, seconds: float) -> None:
    """Count one answer; `operation` is a name of ours, "" where there is none."""
    figures().calls.labels(operation or "none", str(status)).inc()
    if operation:
        figures().seconds.labels(operation).observe(seconds)


def count_refusal(code: str) -> None:
    """Count one answer with a code."""
    figures().refusals.labels(code).inc()


@contextmanager
def shared_by_processes() -> Iterator[None]:
    """Let the processes that are started in the block count together."""
    folder = tempfile.mkdtemp(prefix="gatekeeper-metrics-")
    os.environ[_FOLDER] = folder
    try:
        yield
    finally:
        os.environ.pop(_FOLDER, None)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def shown_at(listener: socket.socket | None, store: Store) -> Iterator[None]:
    """Answer `GET /metrics` on a listening socket while the block runs; None shows nothing."""
    if listener is None:
        yield
        return
    server = make_server("", 0, _application(store), server_class=_Given, handler_class=_Quiet)
    server.socket.close()
    server.socket = listener
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


class _Given(WSGIServer):
    """A server on a socket that somebody else bound."""

    def server_bind(self) -> None:
        """Leave the address alone; it was bound before anything was promised."""
        self.server_name, self.server_port = "localhost", 0
        self.setup_environ()

    def server_activate(self) -> None:
        """Leave listening alone, too."""


class _Quiet(WSGIRequestHandler):
    """Scrapes are no news."""

    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


def _application(store: Store) -> Any:
    from prometheus_client import CollectorRegistry, make_wsgi_app
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    if _FOLDER in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        for figure in vars(figures()).values():
            registry.register(figure)
    registry.register(_Stored(store))
    return make_wsgi_app(registry)


class _Stored:
    """Figures that stand in the database, looked up when somebody asks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> Iterable[object]:
        """Describe nothing: asking would need the database."""
        return ()

    def collect(self) -> Iterator[Any]:
        """Look the figures up; where there is no database, say that alone."""
        from prometheus_client.core import GaugeMetricFamily

        found: dict[str, tuple[str, int]] = {}
        try:
            found = self._found()
        except GatekeeperError:
            yield GaugeMetricFamily("gatekeeper_database_up", "Whether the database answers.", value=0)
            return
        yield GaugeMetricFamily("gatekeeper_database_up", "Whether the database answers.", value=1)
        for name, (words, value) in found.items():
            yield GaugeMetricFamily(f"gatekeeper_{name}", words, value=value)

    def _found(self) -> dict[str, tuple[str, int]]:
        def number(table: Any, condition: Any) -> Any:
            return select(func.count()).select_from(table).where(condition)

        queries = {
            "requests_pending": ("Requests that wait.", number(requests, requests.c.state == "pending")),
            "grants_active": ("Grants in force.", number(grants, grants.c.state == "active")),
            "grants_waitlisted": (
                "Approved, waiting for a seat.",
                number(grants, grants.c.state == "waitlisted"),
            ),
            "devices_active": ("Enrolled devices.", number(devices, devices.c.state == "active")),
            "outbox_waiting": ("Messages to be sent.", number(outbox, outbox.c.delivered_at.is_(None))),
            "deliveries_dead": (
                "Deliveries that were given up in the last 30 days.",
                number(deliveries, deliveries.c.state == "dead"),
            ),
            "root_expires_timestamp_seconds": (
                "When the root document ends; warn 30 days before.",
                select(func.coalesce(func.max(root_documents.c.expires_at), 0)),
            ),
        }
        with self._store.read() as tx:
            return {
                name: (words, int(tx.execute(query).scalar_one())) for name, (words, query) in queries.items()
            }
