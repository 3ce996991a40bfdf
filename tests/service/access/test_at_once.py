"""Several acts at once, by real threads and real processes on one SQLite file: exactly one of them happens."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.service.access.parts import approve, ask, deny, granted, subject_of
from tests.service.store.parts import NOW, at_once, code_of, new_store, url_of

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access import grant_rows, request_rows
from gatekeeper.service.access.grants import grants_of, revoke_grant, suspend_grant
from gatekeeper.service.access.requests import cancel_request, requests_of
from gatekeeper.service.audit.log import entries
from gatekeeper.service.people.subjects import get_subject
from gatekeeper.service.store.transactions import Store, open_store

ROUNDS = 8


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with a policy."""
    store = new_store(tmp_path)
    for name in ("ada", "sam", "reviewer"):
        subject_of(store, name)
    yield store
    store.close()


def _won(outcomes: list[object]) -> list[int]:
    """Return the places of the acts that happened; the others were told that they came too late."""
    for outcome in outcomes:
        if isinstance(outcome, GatekeeperError):
            assert outcome.code == "GK408"
    return [place for place, outcome in enumerate(outcomes) if not isinstance(outcome, GatekeeperError)]


def _acts(store: Store) -> list[str]:
    with store.read() as tx:
        return [entry.act for entry in entries(tx)]


def test_two_approvers_make_one_grant(store: Store) -> None:
    """One approval, one grant, one entry of each."""
    ada = subject_of(store, "ada")
    for number in range(1, ROUNDS + 1):
        request = ask(store)
        outcomes = at_once(*(partial(approve, store, request.id, by=name) for name in ("sam", "reviewer")))
        assert len(_won(list(outcomes))) == 1
        with store.read() as tx:
            assert len(grants_of(tx, ada.id, now=NOW)) == number
    assert _acts(store).count("request.approved") == _acts(store).count("grant.created") == ROUNDS


@pytest.mark.parametrize("other", ["cancel", "deny"])
def test_approving_and_its_opposite(store: Store, other: str) -> None:
    """Exactly one happens; a cancelled or denied request has no grant."""
    ada, reviewer = subject_of(store, "ada"), subject_of(store, "reviewer")

    def oppose(request: str) -> object:
        with store.write() as tx:
            if other == "cancel":
                return cancel_request(tx, request, subject=ada, now=NOW)
            return deny(tx, request, reviewer)

    for _ in range(ROUNDS):
        request = ask(store).id
        acts: list[Callable[[], object]] = [partial(approve, store, request), partial(oppose, request)]
        won = _won(at_once(*acts))
        assert len(won) == 1
        with store.read() as tx:
            newest = requests_of(tx, ada.id, now=NOW)[0]
        assert (newest.state == "approved") == (won == [0]) == (newest.grant != "")


def test_the_same_request_from_many_threads(store: Store) -> None:
    """One is pending, and everybody is given that one."""
    ids = {
        request.id
        for request in at_once(*[lambda: ask(store)] * 6)
        if not isinstance(request, GatekeeperError)
    }
    assert ids == {"R-1"}
    assert _acts(store).count("request.created") == 1


def test_revoking_and_suspending(store: Store) -> None:
    """Whatever the order, the grant is revoked at the end, and each arrow is recorded as often as it was taken."""
    sam = subject_of(store, "sam")
    for _ in range(ROUNDS):
        grant = granted(store).id

        def act(arrow: Callable[..., object], grant: str = grant) -> object:
            with store.write() as tx:
                return arrow(tx, grant, by=sam, method="operator", reason="", now=NOW)

        outcomes = at_once(lambda: act(revoke_grant), lambda: act(suspend_grant), lambda: act(revoke_grant))
        assert sum(place in _won(outcomes) for place in (0, 2)) == 1
    assert _acts(store).count("grant.revoked") == ROUNDS


def _approve_elsewhere(url: str, request: str, name: str, start: object, answers: object) -> None:
    store = open_store(url)
    start.wait()  # type: ignore[attr-defined]
    try:
        answers.put(approve(store, request, by=name).id)  # type: ignore[attr-defined]
    except GatekeeperError as error:
        answers.put(error.code)  # type: ignore[attr-defined]
    store.close()


def test_two_processes_make_one_grant(store: Store, tmp_path: Path) -> None:
    """The server and an operator's command are two processes with one file."""
    request = ask(store)
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_approve_elsewhere, args=(url_of(tmp_path), request.id, name, start, answers))
        for name in ("sam", "reviewer")
    ]
    for process in processes:
        process.start()
    outcomes = sorted(answers.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    answers.close()
    answers.join_thread()
    assert outcomes == ["G-1", "GK408"]
    assert [process.exitcode for process in processes] == [0, 0]


def test_an_act_on_what_has_changed_meanwhile_is_refused(store: Store) -> None:
    """The state is compared in the update itself, so it holds on a database that doesn't make writers wait as well."""
    sam = subject_of(store, "sam")
    stale, grant = ask(store, zones=("frontier-models",)), granted(store)
    with store.write() as tx:
        cancel_request(tx, stale.id, subject=get_subject(tx, stale.subject), now=NOW)
        revoke_grant(tx, grant.id, by=sam, method="operator", reason="", now=NOW)
    before = _acts(store)

    def approve_stale() -> None:
        with store.write() as tx:
            request_rows.move(tx, stale, "approve", actor="x", now=NOW)

    def suspend_stale() -> None:
        with store.write() as tx:
            grant_rows.move(tx, grant, "suspend", actor="x", now=NOW)

    assert code_of(approve_stale) == "GK408"
    assert code_of(suspend_stale) == "GK408"
    assert _acts(store) == before
