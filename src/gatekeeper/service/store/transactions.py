"""Transactions: the one way in which the service reads and writes its database, SQLite or PostgreSQL.

Rules: one writer at a time, from the start of its transaction to its commit, so that a decision never rests on
rows that another writer changes in between; a read sees one snapshot. What was answered survives a power cut.
Several processes (replicas, the operator's commands) use one database. How each database keeps these rules is
told in `sqlite` and `postgresql`; what stands in the tables is left to the features, how they come about to `migrate`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.store import postgresql, sqlite
from gatekeeper.service.store.address import POSTGRESQL, SQLITE, parse_database

if TYPE_CHECKING:
    from sqlalchemy import RootTransaction

BUSY_FOR_MS = 5000  # an operator's command waits its turn
SERVER_BUSY_FOR_MS = 500  # whoever calls the server is told to come again


class StoreUnavailable(GatekeeperError):
    """The database can't be used now: locked for too long, full, read-only, damaged, away. The web answers 503."""


class StoreBusy(StoreUnavailable):
    """Another process held the write lock for too long: a little later it will be free."""


class Store:
    """A database and its pool of connections. Safe to share between threads, never across a fork."""

    def __init__(self, url: str, *, busy_for_ms: int = BUSY_FOR_MS, password: str = "") -> None:
        """Prepare `url`, as `address.parse_database` takes it; nothing is opened yet.

        A transaction waits up to `busy_for_ms` milliseconds for the writers of other processes. `password` is for
        PostgreSQL; "" leaves it to the client library (PGPASSWORD, PGPASSFILE, a certificate, none).

        Raises:
            GatekeeperError: GK101, the URL can't be read as one.
        """
        parsed = parse_database(url)
        self.dialect = parsed.get_backend_name()
        if password:
            parsed = parsed.set(password=password)
        try:
            if self.dialect == POSTGRESQL:
                engine = postgresql.create(parsed, busy_for_ms=busy_for_ms)
                self._reading, self._writing = postgresql.for_reading(engine), postgresql.for_writing(engine)
            else:
                engine = sqlite.create(parsed, busy_for_ms=busy_for_ms)
                self._reading, self._writing = engine, sqlite.for_writing(engine)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise GatekeeperError("GK101", "database: not a database URL") from error
        self._engine: Engine = engine
        self.file = parsed.database if self.dialect == SQLITE and parsed.database != ":memory:" else None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give one write transaction: committed at the end of the block, rolled back by any exception.

        Raises:
            StoreBusy: GK106, the database is locked for too long.
            StoreUnavailable: GK106, it is full, read-only, damaged or away.
        """
        with self._translated(), self._opened(self._writing, locked=True) as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give one snapshot to read from. Raises `StoreUnavailable` as `write` does."""
        with self._translated(), self._opened(self._reading, locked=False) as tx:
            yield tx

    def close(self) -> None:
        """Close every idle connection; SQLite then folds its write-ahead log into the file."""
        self._engine.dispose()

    @contextmanager
    def _opened(self, engine: Engine, *, locked: bool) -> Iterator[Connection]:
        """Begin on a connection that lives; commit at the end of the block."""
        tx = engine.connect()
        try:
            try:
                begun = self._begin(tx, locked=locked)
            except DBAPIError as error:
                # The server was restarted since this connection was last used. Nothing is lost: nothing was begun.
                if not error.connection_invalidated:
                    raise
                tx.close()
                tx = engine.connect()
                begun = self._begin(tx, locked=locked)
            with begun:
                yield tx
        finally:
            tx.close()

    def _begin(self, tx: Connection, *, locked: bool) -> RootTransaction:
        begun = tx.begin()
        if self.dialect == POSTGRESQL:
            if locked:
                postgresql.lock(tx)
            else:
                tx.exec_driver_sql(
                    "SELECT 1"
                )  # the snapshot is taken here, and a dead connection is found here
        return begun

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            # A broken constraint is a bug of ours, or a race that the caller is prepared for: no unavailability.
            raise
        except PoolTimeout as error:
            raise StoreBusy("GK106", "the database can't be used: every connection is taken") from error
        except DBAPIError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: DBAPIError) -> StoreUnavailable:
        if self.dialect == POSTGRESQL:
            busy, words = postgresql.is_busy(error), postgresql.words_of(error)
        else:
            busy, words = sqlite.is_busy(error), str(error.orig)
        return (StoreBusy if busy else StoreUnavailable)("GK106", f"the database can't be used: {words}")


def open_store(url: str, *, busy_for_ms: int = BUSY_FOR_MS, password: str = "") -> Store:
    """Open the store at `url`; a new SQLite file is created readable by its owner alone. Options as for `Store`.

    Raises:
        GatekeeperError: GK101, the URL can't be read; GK106, the file can't be made or opened.
    """
    store = Store(url, busy_for_ms=busy_for_ms, password=password)
    if store.file:
        try:
            sqlite.create_file(store.file)
        except OSError as error:
            raise StoreUnavailable(
                "GK106", f"the database {store.file} can't be opened: {error.strerror}"
            ) from error
    return store
