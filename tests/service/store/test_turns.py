"""Turns at the database: shared commits, each caller's own outcome, nobody answered before the commit."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import IntegrityError
from tests.service.store.parts import databases, new_store, url_of

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.store.tables.oauth import attempts
from gatekeeper.service.store.transactions import Store, StoreBusy, StoreUnavailable, open_store
from gatekeeper.service.store.turns import Turns


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with every table."""
    store = new_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def turns(store: Store) -> Iterator[Turns]:
    """The threads at it."""
    turns = Turns(store)
    yield turns
    turns.close()


def _add(tx: Connection, name: str) -> str:
    tx.execute(insert(attempts).values(bucket=name, window_at=1, count=1))
    return name


def _stored(store: Store) -> list[str]:
    with store.read() as tx:
        return sorted(tx.execute(select(attempts.c.bucket)).scalars())


async def _behind_a_first(turns: Turns, *works: Callable[[Connection], object]) -> list[object]:
    """Let a first turn hold the writer until all of `works` wait, so that these are done together."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        begun.set()
        go_on.wait(10)

    first = asyncio.ensure_future(turns.write(hold))
    await asyncio.get_running_loop().run_in_executor(None, begun.wait, 10)
    waiting = [asyncio.ensure_future(turns.write(work)) for work in works]
    await asyncio.sleep(0)  # each is in the queue now
    go_on.set()
    await first
    return list(await asyncio.gather(*waiting, return_exceptions=True))


def test_who_waits_together_shares_one_commit(store: Store, turns: Turns) -> None:
    """Ten that queued behind another take one transaction, and each gets its own answer."""
    seen: list[int] = []

    def work(name: str) -> Callable[[Connection], object]:
        def add(tx: Connection) -> str:
            seen.append(id(tx))
            return _add(tx, name)

        return add

    names = [f"n{number}" for number in range(10)]
    assert asyncio.run(_behind_a_first(turns, *map(work, names))) == names
    assert len(set(seen)) == 1
    assert _stored(store) == names


def test_one_that_fails_undoes_its_own_alone(store: Store, turns: Turns) -> None:
    """A refusal, a bug, a broken constraint: each goes to its caller, and the neighbours stand."""

    def refused(tx: Connection) -> None:
        _add(tx, "refused")
        raise GatekeeperError("GK408", "no")

    def bug(tx: Connection) -> None:
        _add(tx, "bug")
        raise ZeroDivisionError

    def twice(tx: Connection) -> None:
        _add(tx, "twice")
        _add(tx, "twice")

    outcomes = asyncio.run(
        _behind_a_first(turns, lambda tx: _add(tx, "a"), refused, bug, twice, lambda tx: _add(tx, "b"))
    )
    assert [type(one) for one in outcomes] == [str, GatekeeperError, ZeroDivisionError, IntegrityError, str]
    assert _stored(store) == ["a", "b"]


def test_what_spoils_the_transaction_spoils_no_neighbour(store: Store, turns: Turns) -> None:
    """A statement that the database can't do ends the shared transaction; the others are done again, alone."""
    outcomes = asyncio.run(
        _behind_a_first(
            turns,
            lambda tx: _add(tx, "a"),
            lambda tx: tx.execute(text("SELECT * FROM no_such_table")),
            lambda tx: _add(tx, "b"),
        )
    )
    assert [type(one) for one in outcomes] == [str, StoreUnavailable, str]
    assert _stored(store) == ["a", "b"]


def test_nobody_is_answered_before_the_commit(store: Store, turns: Turns) -> None:
    """What a caller was answered is there for another connection at once."""

    async def write() -> list[str]:
        await turns.write(lambda tx: _add(tx, "x"))
        return _stored(store)

    assert asyncio.run(write()) == ["x"]


def test_a_read_sees_what_was_written(turns: Turns) -> None:
    """Reads have threads of their own, and what they raise reaches the caller."""

    async def both() -> list[str]:
        await turns.write(lambda tx: _add(tx, "x"))
        return await turns.read(lambda tx: list(tx.execute(select(attempts.c.bucket)).scalars()))

    assert asyncio.run(both()) == ["x"]


@pytest.mark.sqlite
def test_a_locked_database_costs_one_wait(store: Store, tmp_path: Path) -> None:
    """While another process holds the lock, those who queue are told so together, and the loop goes on meanwhile."""
    store.close()
    impatient = databases.opened(open_store(url_of(tmp_path), busy_for_ms=200))
    turns = Turns(impatient)
    other = sqlite3.connect(tmp_path / "gatekeeper.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    transactions: list[int] = []

    async def all_wait() -> tuple[list[object], int]:
        writes = [asyncio.ensure_future(turns.write(lambda tx: _add(tx, "x"))) for _ in range(20)]
        looks = 0
        while not all(write.done() for write in writes):
            await asyncio.sleep(0.001)
            looks += 1
        return [write.exception() for write in writes], looks

    taken = impatient.write

    def counted() -> object:
        transactions.append(1)
        return taken()

    impatient.write = counted  # type: ignore[method-assign,assignment]
    errors, looks = asyncio.run(all_wait())
    assert all(isinstance(error, StoreBusy) for error in errors)
    assert len(transactions) <= 3
    assert looks > 10
    turns.close()
    other.close()
    impatient.close()


def test_who_has_gone_is_no_fault(store: Store, turns: Turns) -> None:
    """A caller that was cancelled while it waited hinders nobody, and its work stands or not as a whole."""

    async def cancel() -> None:
        go_on = threading.Event()
        first = asyncio.ensure_future(turns.write(lambda _: go_on.wait(10)))
        gone = asyncio.ensure_future(turns.write(lambda tx: _add(tx, "gone")))
        stays = asyncio.ensure_future(turns.write(lambda tx: _add(tx, "stays")))
        await asyncio.sleep(0)
        gone.cancel()
        go_on.set()
        await asyncio.gather(first, stays)

    asyncio.run(cancel())
    assert "stays" in _stored(store)
