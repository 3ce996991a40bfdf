"""SQLite beneath the store: one file, its own log beside it, full synchronisation, the write lock from the start."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection
    from sqlalchemy.exc import DBAPIError

_WRITES = "gatekeeper_writes"


def create(url: URL, *, busy_for_ms: int) -> Engine:
    """Prepare an engine; nothing is opened yet. A writer waits `busy_for_ms` milliseconds for another process."""
    engine = create_engine(url, pool_size=16, max_overflow=-1, pool_use_lifo=True)
    event.listen(engine, "connect", lambda made, _: _prepare(made, busy_for_ms))
    event.listen(engine, "begin", _begin)
    return engine


def for_writing(engine: Engine) -> Engine:
    """Return the engine whose transactions hold the write lock from their start."""
    return engine.execution_options(**{_WRITES: True})


def is_busy(error: DBAPIError) -> bool:
    """Say whether another process held the lock; the low byte is the primary code, the others say which lock."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def create_file(path: str) -> None:
    """Make the file readable by its owner alone where there is none; its log files inherit that. Raises `OSError`."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _prepare(connection: Any, busy_for_ms: int) -> None:
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


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
