"""Background work: once a period, whoever asks, and not lost with whoever died of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select
from tests.service.store.parts import NOW, at_once, new_store

from gatekeeper.service.store.jobs import run_once, take
from gatekeeper.service.store.tables.oauth import attempts
from gatekeeper.service.store.transactions import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with every table."""
    store = new_store(tmp_path)
    yield store
    store.close()


def _mark(tx: Connection, now: int) -> int:
    tx.execute(insert(attempts).values(bucket=f"job-{now}", window_at=now, count=1))
    return 1


def test_of_many_processes_one_does_it(store: Store) -> None:
    """Eight that find a job due at the same moment: it is done once."""

    def asks(holder: str) -> bool:
        return run_once(store, "x", every=30, now=NOW, holder=holder, job=_mark) is not None

    outcomes = at_once(*(partial(asks, f"p{number}") for number in range(8)))
    assert sorted(map(str, outcomes)) == [*["False"] * 7, "True"]
    with store.read() as tx:
        assert len(tx.execute(select(attempts)).all()) == 1


def test_it_is_due_again_after_its_period(store: Store) -> None:
    """Not a second earlier, and each job has a period of its own."""
    assert run_once(store, "x", every=30, now=NOW, holder="a", job=_mark) == 1
    assert run_once(store, "x", every=30, now=NOW + 29, holder="b", job=_mark) is None
    assert run_once(store, "y", every=30, now=NOW + 29, holder="b", job=_mark) == 1
    assert run_once(store, "x", every=30, now=NOW + 30, holder="b", job=_mark) == 1


def test_what_fails_is_due_still(store: Store) -> None:
    """A job that raises leaves nothing behind, its claim included: the next process does it at once."""

    def fails(tx: Connection, now: int) -> int:
        _mark(tx, now)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_once(store, "x", every=30, now=NOW, holder="a", job=fails)
    assert run_once(store, "x", every=30, now=NOW, holder="b", job=_mark) == 1


def test_a_clock_that_was_ahead_puts_nothing_off(store: Store) -> None:
    """A process whose clock was a year ahead took the job: the others don't wait for a year."""
    with store.write() as tx:
        assert take(tx, "x", every=30, now=NOW + 31_536_000, holder="a")
        assert take(tx, "x", every=30, now=NOW, holder="b")
        assert not take(tx, "x", every=30, now=NOW, holder="c")
