"""Transactions: the one way in which the service reads and writes its database.

Rules: a write transaction takes SQLite's write lock at its start (BEGIN IMMEDIATE), so that a decision never
rests on rows that another writer changes in between; a read sees one snapshot. WAL and full synchronisation:
what was answered survives a power cut. Several processes (the server, the operator's commands) use one file.
What stands in the tables is left to the features; how the tables come about, to `migrate`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError

from gatekeeper.errors import GatekeeperError

BUSY_FOR_MS = 5000  # an operator's command waits its turn
SERVER_BUSY_FOR_MS = 500  # the server answers nobody while it waits
_WRITES = "gatekeeper_writes"


class StoreUnavailable(GatekeeperError):
    """The database can't be used now: locked for too long, full, read-only, damaged. The web answers 503."""


class StoreBusy(StoreUnavailable):
    """Another process held the write lock for too long: a little later it will be free."""


class Store:
    """A database and its pool of connections. Safe to share between threads, never across a fork."""

    def __init__(self, url: str, *, busy_for_ms: int = BUSY_FOR_MS) -> None:
        """Prepare `url`, an SQLAlchemy URL (`sqlite:////absolute/gatekeeper.db`); nothing is opened yet.

        A transaction waits up to `busy_for_ms` milliseconds for the writers of other processes.

        Raises:
            GatekeeperError: GK101, the URL can't be read as one.
        """
        try:
            self._engine: Engine = create_engine(
                make_url(url), pool_size=16, max_overflow=-1, pool_use_lifo=True
            )
        except ArgumentError as error:
            raise GatekeeperError("GK101", "database: not a database URL") from error
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", lambda made, _: _prepare_sqlite(made, busy_for_ms))
            event.listen(self._engine, "begin", _begin_sqlite)
        self._writing = self._engine.execution_options(**{_WRITES: True})

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give one write transaction: committed at the end of the block, rolled back by any exception.

        Raises:
            StoreBusy: GK106, the database is locked for too long.
            StoreUnavailable: GK106, it is full, read-only or damaged.
        """
        with _translated(), self._writing.begin() as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give one snapshot to read from. Raises `StoreUnavailable` as `write` does."""
        with _translated(), self._engine.connect() as tx:
            yield tx

    def close(self) -> None:
        """Close every idle connection; SQLite then folds its write-ahead log into the file."""
        self._engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        # A broken constraint is a bug of ours, or a race that the caller is prepared for: no unavailability.
        raise
    except DatabaseError as error:
        # The low byte is the primary code; the others say what kind of lock it was.
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise StoreBusy("GK106", f"the database can't be used: {error.orig}") from error
        raise StoreUnavailable("GK106", f"the database can't be used: {error.orig}") from error


def _prepare_sqlite(connection: Any, busy_for_ms: int) -> None:
    # The driver's own transaction control begins late and never immediately, so it is turned off.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {busy_for_ms}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
    finally:
        cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def open_store(url: str, *, busy_for_ms: int = BUSY_FOR_MS) -> Store:
    """Open the store at `url`; a new SQLite file is created readable by its owner alone (its log files inherit that).

    `busy_for_ms` is as for `Store`.

    Raises:
        GatekeeperError: GK101, the URL can't be read; GK106, the file can't be made or opened.
    """
    store = Store(url, busy_for_ms=busy_for_ms)
    path = make_url(url).database
    if store._engine.dialect.name == "sqlite" and path and path != ":memory:":  # noqa: SLF001 - own module
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreUnavailable(
                "GK106", f"the database {path} can't be opened: {error.strerror}"
            ) from error
    return store
