"""What is PostgreSQL's alone: the lock of the one writer, a server that goes away, and passwords that nobody sees."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DatabaseError
from tests.fakes.postgres import Cluster, make_cluster
from tests.service.store.parts import migrated_url_of

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.store.address import parse_database, read_password
from gatekeeper.service.store.postgresql import WRITE_LOCK
from gatekeeper.service.store.tables.oauth import attempts
from gatekeeper.service.store.transactions import Store, StoreBusy, StoreUnavailable, open_store

pytestmark = pytest.mark.postgresql
ROW = {"bucket": "b", "window_at": 1, "count": 1}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with every table that waits 50 ms for a lock."""
    store = open_store(migrated_url_of(tmp_path), busy_for_ms=50)
    yield store
    store.close()


def _write(store: Store) -> None:
    with store.write() as tx:
        tx.execute(insert(attempts).values(ROW))


def test_a_second_writer_gives_up_after_a_while(store: Store, tmp_path: Path) -> None:
    """While one writes, another waits its time and is told that the database is busy; readers go on."""
    with store.write():
        with pytest.raises(StoreBusy) as caught:
            _write(store)
        with store.read() as reading:
            assert reading.execute(text("SELECT 1")).scalar_one() == 1
    assert caught.value.code == "GK106"
    _write(store)


def test_a_reader_cannot_write(store: Store) -> None:
    """What is opened for reading refuses to write, so that nothing is ever decided without the lock."""
    with pytest.raises(StoreUnavailable, match="read-only"), store.read() as tx:
        tx.execute(insert(attempts).values(ROW))


def test_the_lock_is_taken_before_anything_is_read(store: Store) -> None:
    """A write transaction's first statement sees what the writer before it committed while this one waited."""
    other = Store(str(store._engine.url).replace("+psycopg", ""), busy_for_ms=5000)
    seen: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with store.write() as tx:
            begun.set()
            go_on.wait(10)
            tx.execute(insert(attempts).values(ROW))

    def second() -> None:
        with other.write() as tx:
            seen.append(tx.execute(text("SELECT count(*) FROM attempts")).scalar_one())

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    with store.read() as tx:
        while not tx.execute(
            text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        ).scalar_one():
            threads[1].join(0.01)
    go_on.set()
    for thread in threads:
        thread.join()
    other.close()
    assert seen == [1]


def test_a_writer_that_dies_leaves_no_lock(store: Store) -> None:
    """When a process is killed in the middle of a write, its connection ends, and with it lock and changes."""

    def dies() -> None:
        with store.write() as tx:
            tx.execute(insert(attempts).values(ROW))
            mine = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
            with store.read() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
            tx.execute(text("SELECT 1"))

    with pytest.raises(StoreUnavailable):
        dies()
    with store.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM attempts")).scalar_one() == 0
        held = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = :low")
        assert tx.execute(held, {"low": WRITE_LOCK & 0xFFFF_FFFF}).scalar_one() == 0
    _write(store)


def test_a_server_that_comes_back_is_found_again() -> None:
    """After a restart the connections of the pool are dead, and the next call is answered all the same."""
    server: Cluster = make_cluster()
    store = open_store(server.url("postgres"))
    try:
        with store.write() as tx:
            tx.execute(text("CREATE TABLE t (n integer)"))
        server.stop("fast")
        with pytest.raises(StoreUnavailable), store.read():
            pass
        server.start()
        with store.write() as tx:
            tx.execute(text("INSERT INTO t VALUES (1)"))
        server.stop("fast")
        server.start()
        with store.write() as tx:
            assert tx.execute(text("SELECT count(*) FROM t")).scalar_one() == 1
    finally:
        store.close()
        server.remove()


def test_a_message_holds_no_values(store: Store) -> None:
    """What stands in rows is people's; the error that the log sees names neither values nor parameters."""
    _write(store)
    with pytest.raises(DatabaseError) as caught, store.write() as tx:
        tx.execute(insert(attempts).values(ROW | {"bucket": "b", "count": 424_242}))
    assert "424242" not in str(caught.value)
    with pytest.raises(StoreUnavailable) as other, store.write() as tx:
        tx.execute(text("SELECT (:word)::integer"), {"word": "hunter2"})
    assert "hunter2" not in str(other.value.__cause__).replace(str(other.value), "").partition("\n")[2]


@pytest.mark.parametrize(
    "address", ["postgresql://a:hunter2@db/x", "postgresql://a@db/x?password=hunter2"], ids=["user", "query"]
)
def test_a_password_in_the_address_is_refused_unseen(address: str) -> None:
    """An address is shown and checked in: a password in it is refused, and not repeated."""
    with pytest.raises(GatekeeperError) as caught:
        parse_database(address)
    assert caught.value.code == "GK101"
    assert "hunter2" not in str(caught.value)
    assert "database_password_file" in caught.value.remedy


def test_a_password_file_is_its_owners(tmp_path: Path) -> None:
    """One line, readable by owner and group at most; anything else is said."""
    path = tmp_path / "password"
    path.write_text("s3cret\n")
    path.chmod(0o600)
    assert read_password(path) == "s3cret"
    for content, mode in (("s3cret\n", 0o604), ("", 0o600), ("a\nb\n", 0o600), ("x" * 5000, 0o600)):
        path.write_text(content)
        path.chmod(mode)
        with pytest.raises(GatekeeperError) as caught:
            read_password(path)
        assert caught.value.code == "GK101"
    with pytest.raises(GatekeeperError):
        read_password(tmp_path / "none")


def test_the_password_reaches_the_server(tmp_path: Path) -> None:
    """The server that asks for one gets the file's; a wrong one is refused without being shown."""
    server = make_cluster()
    try:
        rules = server.data / "pg_hba.conf"
        rules.write_text("local all gatekeeper trust\nlocal all keeper scram-sha-256\n")
        operator = open_store(server.url("postgres"))
        with operator.write() as tx:
            tx.execute(text("CREATE ROLE keeper LOGIN PASSWORD 's3cret'"))
            tx.execute(text("SELECT pg_reload_conf()"))
        operator.close()
        url = server.url("postgres").replace("gatekeeper@", "keeper@")
        right, wrong = open_store(url, password="s3cret"), open_store(url, password="hunter2")
        with right.read() as tx:
            assert tx.execute(text("SELECT current_user")).scalar_one() == "keeper"
        with pytest.raises(StoreUnavailable) as caught, wrong.read():
            pass
        assert "hunter2" not in str(caught.value)
        right.close()
        wrong.close()
    finally:
        server.remove()
