"""PostgreSQL beneath the store: one writer at a time, as on SQLite, and errors sorted into busy and broken.

A write transaction takes one advisory lock at its start and runs READ COMMITTED: each statement then sees all
that the writers before it committed, nobody else writes meanwhile, and the audit log has one order. That is
what BEGIN IMMEDIATE gives on SQLite, so no feature's code knows which database it runs on. A lock would be
taken too late under REPEATABLE READ: the snapshot would be older than the lock. Reads take a snapshot and no lock.
Whoever dies holding the lock loses it with the connection; whoever hangs loses it after `_IDLE_FOR_MS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection
    from sqlalchemy.exc import DBAPIError

# An arbitrary number of our own in the database's space of advisory locks ("gatekeep", read as a number).
WRITE_LOCK = 0x6761_7465_6B65_6570
_IDLE_FOR_MS = 30_000
_CONNECT_SECONDS = 5
# A connection carries no more than one thread's transaction, and the service has few threads.
_POOL_SIZE = 8
_OVERFLOW = 24
# lock_not_available, deadlock_detected, serialization_failure; too_many_connections; starting up, shutting down.
_BUSY = frozenset(("55P03", "40P01", "40001", "53300", "57P03"))


def create(url: URL, *, busy_for_ms: int) -> Engine:
    """Prepare an engine; nothing is opened yet. A writer waits `busy_for_ms` milliseconds for the one before it."""
    return create_engine(
        url,
        pool_size=_POOL_SIZE,
        max_overflow=_OVERFLOW,
        pool_use_lifo=True,
        # Parameters hold digests of secrets and people's words: neither belongs in a message or a log.
        hide_parameters=True,
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": "gatekeeper",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "options": f"-c lock_timeout={busy_for_ms} "
            f"-c idle_in_transaction_session_timeout={_IDLE_FOR_MS} -c timezone=UTC",
        },
    )


def for_reading(engine: Engine) -> Engine:
    """Return the engine whose transactions see one snapshot and refuse to write."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def for_writing(engine: Engine) -> Engine:
    """Return the engine whose transactions see what was committed before each statement."""
    return engine.execution_options(isolation_level="READ COMMITTED")


def lock(tx: Connection) -> None:
    """Wait for the turn to write; it ends with the transaction."""
    tx.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")


def is_busy(error: DBAPIError) -> bool:
    """Say whether the same call may well succeed a little later."""
    return getattr(error.orig, "sqlstate", None) in _BUSY


def words_of(error: DBAPIError) -> str:
    """Return the server's own one line of an error, without values of rows (they stand in its DETAIL)."""
    diagnostic = getattr(error.orig, "diag", None)
    primary = getattr(diagnostic, "message_primary", None)
    return str(primary or str(error.orig).partition("\n")[0])
