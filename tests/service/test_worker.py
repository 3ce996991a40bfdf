"""What time does."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Table, func, select
from tests.service.local import NOW, LocalService, Workstation
from tests.service.store.parts import databases, new_store, url_of

from gatekeeper.service import worker
from gatekeeper.service.store.tables.access import grants, requests
from gatekeeper.service.store.tables.issue import status_entries
from gatekeeper.service.store.tables.oauth import attempts, dpop_proofs
from gatekeeper.service.store.tables.people import access_tokens
from gatekeeper.service.store.transactions import Store, open_store

DAY = 86_400


def count(local: LocalService, table: Table) -> int:
    """Count the rows of a table."""
    with local.store.read() as tx:
        found: int = tx.execute(select(func.count()).select_from(table)).scalar_one()
    return found


def test_time_writes_down_what_is_over(local: LocalService) -> None:
    """Unanswered requests lapse, grants expire, and what can't be used any more is forgotten."""
    station = local.workstation()
    station.request("gemini")
    local.approve(station.request(duration="1d").json()["id"])
    station.launch("claude")
    Workstation(local).redeem("0000-0000-0000-0000")
    assert all(count(local, table) for table in (access_tokens, attempts, dpop_proofs, status_entries))
    local.now += 8 * DAY
    assert worker.sweep(local.store, now=local.now) > 0
    with local.store.read() as tx:
        assert set(tx.execute(select(requests.c.state)).scalars()) == {"lapsed", "approved"}
        assert tx.execute(select(grants.c.state)).scalar_one() == "expired"
    assert not any(count(local, table) for table in (access_tokens, attempts, dpop_proofs, status_entries))


def test_twice_is_as_good_as_once(local: LocalService) -> None:
    """A second process that sweeps at the same time finds nothing left to do."""
    station = local.workstation()
    station.request()
    local.now += 8 * DAY
    worker.sweep(local.store, now=local.now)
    assert worker.sweep(local.store, now=local.now) == 0


def test_what_is_in_use_stays(local: LocalService) -> None:
    """A sweep now changes nothing, and the sign-in goes on."""
    station = local.workstation()
    station.request()
    assert worker.sweep(local.store, now=local.now) == 0
    assert station.call("GET", "/v1/me").status_code == 200


def test_a_step_that_fails_stops_no_other(
    local: LocalService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing step is logged and the next ones are taken."""
    seen = []

    def fails(_tx: object, _now: int) -> int:
        raise ZeroDivisionError

    def counts(_tx: object, now: int) -> int:
        seen.append(now)
        return 1

    monkeypatch.setattr(worker, "STEPS", (("fails", fails), ("counts", counts)))
    with caplog.at_level(logging.ERROR):
        assert worker.sweep(local.store, now=5) == 1
    assert seen == [5]
    assert "fails" in caplog.text


@pytest.mark.sqlite
def test_a_locked_database_ends_the_sweep(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While another process writes, the worker waits once, not once for each step."""
    store = new_store(tmp_path)
    store.close()
    store = databases.opened(open_store(url_of(tmp_path), busy_for_ms=10))
    other = sqlite3.connect(tmp_path / "gatekeeper.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert worker.sweep(store, now=5) == 0
    other.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    store.close()


def test_of_two_processes_one_takes_a_step(local: LocalService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is taken once a period, by whichever process comes first, and by the other when that one is gone."""
    seen: list[int] = []

    def step(_tx: object, now: int) -> int:
        seen.append(now)
        return 1

    monkeypatch.setattr(worker, "STEPS", (("step", step),))
    one, other = (worker.Worker(local.store, holder=name) for name in ("one", "other"))
    assert [one.work(now=NOW), other.work(now=NOW), one.work(now=NOW + 1)] == [1, 0, 0]
    assert other.work(now=NOW + 30) == 1
    assert one.work(now=NOW + 31) == 0
    assert seen == [NOW, NOW + 30]


def test_a_features_own_work_is_taken_once(local: LocalService) -> None:
    """Work that is given the store is done by one process a period, outside any transaction."""
    seen: list[str] = []

    def act(store: Store, now: int) -> int:
        with store.write():
            seen.append(f"done at {now}")
        return 1

    job = worker.Job(name="deliver", every=5, act=act)
    workers = [worker.Worker(local.store, holder=name, jobs=(job,)) for name in ("one", "other")]
    for now in (NOW, NOW + 4, NOW + 5):
        for each in workers:
            each.work(now=now)
    assert seen == [f"done at {NOW}", f"done at {NOW + 5}"]
