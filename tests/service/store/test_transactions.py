"""Transactions on a real database: durable, isolated, one writer at a time, and honest when they can't be."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError
from tests.service.store.parts import databases, new_store, url_of

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import entries, record
from gatekeeper.service.store.migrate import upgrade
from gatekeeper.service.store.tables.oauth import attempts
from gatekeeper.service.store.tables.people import devices
from gatekeeper.service.store.transactions import StoreBusy, StoreUnavailable, open_store


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5000)],
)
def test_every_connection_is_prepared(tmp_path: Path, pragma: str, value: object) -> None:
    """Durability, references and patience are on, for readers and writers."""
    store = databases.opened(open_store(url_of(tmp_path)))
    with store.write() as tx:
        assert tx.execute(text(f"PRAGMA {pragma}")).scalar_one() == value
    with store.read() as tx:
        assert tx.execute(text(f"PRAGMA {pragma}")).scalar_one() == value
    store.close()


@pytest.mark.sqlite
def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Neither the database nor its log can be read by others, whatever the umask."""
    before = os.umask(0)
    try:
        store = new_store(tmp_path)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes["gatekeeper.db"] == 0o600
    assert set(modes.values()) == {0o600}
    store.close()


def test_an_exception_takes_everything_back(tmp_path: Path) -> None:
    """A transaction that fails leaves no trace, the audit entry included."""
    store = new_store(tmp_path)

    def fail() -> None:
        with store.write() as tx:
            record(tx, at=1, actor="a", act="x.y", object="o", detail={})
            raise GatekeeperError("GK408", "no")

    with pytest.raises(GatekeeperError):
        fail()
    with store.read() as tx:
        assert entries(tx) == []
    store.close()


def test_a_broken_reference_is_refused(tmp_path: Path) -> None:
    """Foreign keys hold, and a broken one isn't mistaken for an unavailable database."""
    store = new_store(tmp_path)

    def breach() -> None:
        with store.write() as tx:
            tx.execute(
                insert(devices).values(
                    id="d", subject="nobody", name="n", jkt="k", state="active", enrolled_at=1, seen_at=1
                )
            )

    with pytest.raises(IntegrityError):
        breach()
    store.close()


def test_a_reader_sees_one_snapshot(tmp_path: Path) -> None:
    """What is written while a reader reads is not seen by it, and neither waits for the other."""
    store = new_store(tmp_path)
    with store.read() as reading:
        assert reading.execute(select(attempts)).all() == []
        with store.write() as tx:
            tx.execute(insert(attempts).values(bucket="b", window_at=1, count=1))
        assert reading.execute(select(attempts)).all() == []
    with store.read() as reading:
        assert len(reading.execute(select(attempts)).all()) == 1
    store.close()


def test_writers_take_turns(tmp_path: Path) -> None:
    """A read inside a write transaction is never outdated by another writer: no increment is lost."""
    store = new_store(tmp_path)
    with store.write() as tx:
        tx.execute(insert(attempts).values(bucket="b", window_at=1, count=0))

    def count() -> None:
        for _ in range(25):
            with store.write() as tx:
                now = tx.execute(select(attempts.c.count)).scalar_one()
                tx.execute(attempts.update().values(count=now + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as tx:
        assert tx.execute(select(attempts.c.count)).scalar_one() == 100
    store.close()


@pytest.mark.sqlite
def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    """A damaged file is a message with a code, not a traceback of the driver."""
    (tmp_path / "gatekeeper.db").write_bytes(b"this is no database, and long enough to look at" * 40)
    store = databases.opened(open_store(url_of(tmp_path)))
    with pytest.raises(StoreUnavailable) as caught:
        upgrade(store)
    assert not isinstance(caught.value, StoreBusy)
    assert caught.value.code == "GK106"
    store.close()


@pytest.mark.sqlite
def test_a_folder_that_is_missing_is_said_so(tmp_path: Path) -> None:
    """The message names the path."""
    with pytest.raises(StoreUnavailable, match="nowhere"):
        open_store(url_of(tmp_path / "nowhere"))


@pytest.mark.sqlite
@pytest.mark.parametrize("url", ["", "no url", "nosuch://x", "mysql://x/y", "postgresql://a:b@/x"])
def test_what_is_no_url_is_said_so(url: str) -> None:
    """A database that can't be named is a configuration error."""
    with pytest.raises(GatekeeperError) as caught:
        open_store(url)
    assert caught.value.code == "GK101"


@pytest.mark.sqlite
def test_a_locked_database_is_unavailable_not_broken(tmp_path: Path) -> None:
    """A writer that never ends makes the others give up with a code."""
    store = new_store(tmp_path)
    store.close()
    store = databases.opened(open_store(url_of(tmp_path), busy_for_ms=10))
    other = sqlite3.connect(tmp_path / "gatekeeper.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def write() -> None:
        with store.write():
            pass

    with pytest.raises(StoreBusy) as caught:
        write()
    assert caught.value.code == "GK106"
    other.execute("ROLLBACK")
    other.close()
    write()
    store.close()


@pytest.mark.parametrize("change", ["UPDATE audit_entries SET actor = 'x'", "DELETE FROM audit_entries"])
def test_the_audit_table_is_append_only(tmp_path: Path, change: str) -> None:
    """Not even a mistake of our own changes or removes an entry."""
    store = new_store(tmp_path)
    with store.write() as tx:
        record(tx, at=1, actor="a", act="x.y", object="o", detail={"n": 1})
    with store.read() as tx:
        before = entries(tx)

    def tamper() -> None:
        with store.write() as tx:
            tx.exec_driver_sql(change)

    with pytest.raises(DatabaseError, match="append-only"):
        tamper()
    with store.read() as tx:
        assert entries(tx) == before
    store.close()


def test_entries_are_read_in_pages(tmp_path: Path) -> None:
    """Oldest first, after a position, no more than asked."""
    store = new_store(tmp_path)
    with store.write() as tx:
        for at in range(5):
            record(tx, at=at, actor="a", act="x.y", object="o", detail={})
        assert [entry.at for entry in entries(tx, after=1, limit=2)] == [1, 2]
    store.close()
